use std::time::Duration;

use labrt::rng::{RngExt, Stream};

/// What a network does to calls, in numbers. The default is the course's.
///
/// A delay given as a range is drawn uniformly in whole milliseconds, both ends included, unless it
/// says otherwise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Faults {
    /// How long a message travels, in *microseconds*: each request on a reliable network, and each reply that
    /// is not late. Default: 0, so that on a reliable network a call takes no time but the handler's. A request
    /// on an unreliable one takes [`request_delay`](Faults::request_delay).
    ///
    /// A simulated client that makes one call after the other would make any number of them in no
    /// time; this gives its calls a length.
    pub travel_us: (u64, u64),
    /// How long a request waits on an unreliable network. Default: 0 to 26 ms.
    pub request_delay: (u64, u64),
    /// The probability that an unreliable network loses a request. Default: 0.1.
    pub request_loss: f64,
    /// The probability that an unreliable network loses a reply. Default: 0.1.
    pub reply_loss: f64,
    /// The probability that a reply is late with long reordering on. Default: 2/3.
    pub reordering: f64,
    /// The least delay of a late reply, in ms. Default: 200.
    pub reordering_delay: u64,
    /// A late reply waits longer by a number of ms drawn from 0 to another number, which is itself
    /// drawn from 0 to this one, so that long delays are rare. Default: 1,999.
    pub reordering_spread: u64,
    /// The probability that a request which reaches its server comes there once more. Default: 0, as in
    /// the course.
    ///
    /// Then the handler runs twice. The caller hears the answer to the request that came first, and nobody
    /// hears the other one: a call has one end. So only requests come twice; a program that sends its replies
    /// as calls of their own gets these twice.
    pub duplication: f64,
    /// A request that comes twice comes so many ms later, drawn from 0 to another number, which is itself
    /// drawn from 0 to this one. Default: 1,999.
    pub duplication_spread: u64,
    /// How long a call takes to fail that cannot reach a server. Default: 0 to 99 ms.
    pub unreachable_delay: (u64, u64),
    /// The same with long delays on. Default: 0 to 6,999 ms.
    pub unreachable_long_delay: (u64, u64),
    /// How many messages an unreliable network loses at most. Default: no limit.
    pub most_losses: u64,
    /// How many requests an unreliable network lets wait at most. Default: no limit.
    pub most_delays: u64,
    /// How many replies long reordering holds back at most. Default: no limit.
    pub most_reorderings: u64,
    /// How many requests come twice at most. Default: no limit.
    pub most_duplicates: u64,
    /// How often it is looked whether a call whose handler runs can still be answered. Default:
    /// every 100 ms.
    pub liveness_check: Duration,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            travel_us: (0, 0),
            request_delay: (0, 26),
            request_loss: 0.1,
            reply_loss: 0.1,
            reordering: 2.0 / 3.0,
            reordering_delay: 200,
            reordering_spread: 1999,
            duplication: 0.0,
            duplication_spread: 1999,
            unreachable_delay: (0, 99),
            unreachable_long_delay: (0, 6999),
            most_losses: u64::MAX,
            most_delays: u64::MAX,
            most_reorderings: u64::MAX,
            most_duplicates: u64::MAX,
            liveness_check: Duration::from_millis(100),
        }
    }
}

/// The switches of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// Requests arrive at once and nothing is lost.
    pub reliable: bool,
    /// Many replies are late.
    pub long_reordering: bool,
    /// Calls that reach no server take up to 7 s to fail.
    pub long_delays: bool,
}

impl Default for Conditions {
    fn default() -> Conditions {
        Conditions { reliable: true, long_reordering: false, long_delays: false }
    }
}

/// How often a network has done what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounts {
    /// Requests and replies lost, since the network was unreliable.
    pub losses: u64,
    /// Requests that waited, since the network was unreliable.
    pub delays: u64,
    /// Replies held back by long reordering.
    pub reorderings: u64,
    /// Requests that came twice.
    pub duplicates: u64,
}

/// Counts one more, unless there were as many as there may be.
fn one_more(count: &mut u64, most: u64) -> bool {
    let more = *count < most;
    *count += u64::from(more);
    more
}

/// What happens to a request that can reach its server.
pub(crate) struct RequestFate {
    pub(crate) delay: Duration,
    pub(crate) lost: bool,
}

/// What happens to a reply.
pub(crate) enum ReplyFate {
    Delivered,
    Late(Duration),
    Lost,
}

impl Faults {
    pub(crate) fn unreachable(&self, conditions: Conditions, rng: &mut Stream) -> Duration {
        let range = match conditions.long_delays {
            true => self.unreachable_long_delay,
            false => self.unreachable_delay,
        };
        millis(range, rng)
    }

    /// How long a message travels.
    pub(crate) fn travel(&self, rng: &mut Stream) -> Duration {
        micros(self.travel_us, rng)
    }

    /// How much later a request that reaches its server now comes there once more; none if it does not.
    pub(crate) fn copy(&self, rng: &mut Stream, counts: &mut FaultCounts) -> Option<Duration> {
        if self.duplication == 0.0 || !rng.random_bool(self.duplication) {
            return None;
        }
        let most = rng.random_range(0..=self.duplication_spread);
        let later = Duration::from_millis(rng.random_range(0..=most));
        one_more(&mut counts.duplicates, self.most_duplicates).then_some(later)
    }

    pub(crate) fn request(
        &self,
        conditions: Conditions,
        rng: &mut Stream,
        counts: &mut FaultCounts,
    ) -> RequestFate {
        if conditions.reliable {
            return RequestFate { delay: self.travel(rng), lost: false };
        }
        // Drawn in any case, so that a limit does not shift what is drawn later.
        let mut delay = millis(self.request_delay, rng);
        let lost = rng.random_bool(self.request_loss);
        if delay > Duration::ZERO && !one_more(&mut counts.delays, self.most_delays) {
            delay = Duration::ZERO;
        }
        RequestFate { delay, lost: lost && one_more(&mut counts.losses, self.most_losses) }
    }

    pub(crate) fn reply(
        &self,
        conditions: Conditions,
        rng: &mut Stream,
        counts: &mut FaultCounts,
    ) -> ReplyFate {
        if !conditions.reliable
            && rng.random_bool(self.reply_loss)
            && one_more(&mut counts.losses, self.most_losses)
        {
            return ReplyFate::Lost;
        }
        if conditions.long_reordering && rng.random_bool(self.reordering) {
            let most = rng.random_range(0..=self.reordering_spread);
            let delay = self.reordering_delay.saturating_add(rng.random_range(0..=most));
            if one_more(&mut counts.reorderings, self.most_reorderings) {
                return ReplyFate::Late(Duration::from_millis(delay));
            }
        }
        ReplyFate::Delivered
    }
}

/// A delay between the two, in us.
pub(crate) fn micros((least, most): (u64, u64), rng: &mut Stream) -> Duration {
    match (least, most) {
        (0, 0) => Duration::ZERO,
        (least, most) => Duration::from_micros(rng.random_range(least..=most)),
    }
}

fn millis((least, most): (u64, u64), rng: &mut Stream) -> Duration {
    Duration::from_millis(rng.random_range(least..=most))
}
