//! Rules about how leaders send: not too many heartbeats, and none in a term that they know to be over.

use std::collections::{BTreeMap, VecDeque};

use labtrace::verdict;

use super::calls::{Asked, Call, original_of};
use super::evidence::Newer;
use super::judge::{Checked, Judge};
use super::understanding::missing as rules;
use super::understanding::{Append, Missing, Place};

/// How many heartbeats to one follower are too many within [`WINDOW_US`]: ten a second and a tenth
/// more, for timers that are late once and on time the next time.
pub(super) const MOST_HEARTBEATS: usize = 22;
pub(super) const WINDOW_US: u64 = 2_000_000;

/// Heartbeats of one leader to one follower may be of so many kinds.
const SEVERAL: usize = 3;

/// How long a server may go on in its term after it was shown a newer one, for what was prepared.
const GOES_ON_US: u64 = 1_000_000;
/// A reply that takes longer may find nobody who waits for it any more.
const PROMPT_US: u64 = 100_000;
/// A call that takes longer may have held up what was prepared behind it.
const SLOW_US: u64 = 500_000;

/// What each server sends to each other one.
#[derive(Debug, Default)]
pub(crate) struct Flows(BTreeMap<(usize, usize), Flow>);

/// AppendEntries from a leader to a follower that tell nothing new.
#[derive(Clone, Debug, Default)]
struct Flow {
    /// The last ones of one term that were not like each other, the latest one at the end: since entries were sent, and
    /// those. Behind new entries an old place is worth another look.
    last: Vec<News>,
    /// What the last one told in a word that nobody here understands.
    marks: Option<Vec<u64>>,
    /// When those were sent that were like one of these, in one term.
    repeats: VecDeque<u64>,
    /// A call has failed, its answer was late, or its entries were refused: what that leads to is no heartbeat, though
    /// it may be what was sent before.
    answers: bool,
    /// The slow call that ended last.
    slow: Option<SlowCall>,
}

/// A call that took longer than [`SLOW_US`].
#[derive(Clone, Copy, Debug)]
struct SlowCall {
    /// Which instance has made it.
    instance: u64,
    to: usize,
    sent_us: u64,
    /// When it ended; or now.
    until_us: u64,
}

/// What an AppendEntries without entries can have to say, or a heartbeat of a method of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    term: u64,
    prev: Place,
    commit: Option<u64>,
    other: Option<u64>,
}

impl News {
    pub(super) fn of(append: &Append<'_>) -> News {
        let Append { term, prev, commit, other, .. } = *append;
        News { term, prev, commit, other }
    }

    /// All that is in it may be news; the message is told as one number.
    pub(super) fn of_beat(term: u64, commit: Option<u64>, message: u64) -> News {
        News { term, prev: Place::default(), commit, other: Some(message) }
    }
}

impl Flows {
    /// True if an AppendEntries tells something in a word that nobody here understands, and the one before it did not.
    pub(super) fn may_tell_to_stand(
        &mut self,
        between: (usize, usize),
        append: &Append<'_>,
    ) -> bool {
        if append.marks.is_empty() {
            return false;
        }
        let flow = self.0.entry(between).or_default();
        let before = flow.marks.replace(append.marks.clone());
        let is_new = |(mark, before): (&u64, &u64)| *mark != 0 && mark != before;
        before.is_some_and(|before| append.marks.iter().zip(&before).any(is_new))
    }

    /// A call is over.
    pub(crate) fn over(&mut self, call: &Call, failed: bool, us: u64) {
        let brings = matches!(call.asked, Asked::Append(append) if append.brings_some());
        let flow = self.0.entry((call.from, call.to)).or_default();
        let took_us = us.saturating_sub(call.sent_us);
        flow.answers |= failed || took_us > PROMPT_US || (brings && call.refused);
        if took_us > SLOW_US {
            let Call { instance, to, sent_us, .. } = *call;
            flow.slow = Some(SlowCall { instance, to, sent_us, until_us: us });
        }
    }
}

impl Judge {
    /// At most ten heartbeats a second (the course's handout). One that carries something new does not count,
    /// nor does one for each call that has failed or was answered late, or whose entries were refused: many who are
    /// refused send again at once, and do not look whether they have done so since.
    pub(super) fn check_heartbeat(
        &mut self,
        (from, to): (usize, usize),
        (this, is_bare): (News, bool),
        us: u64,
        missing: &Missing,
    ) -> Checked {
        // A faster clock has its second sooner.
        let clock = self.servers[from].clock.unwrap_or(1000);
        let window_us = WINDOW_US * 1000 / u64::from(clock.max(1000));
        let flow = self.flows.0.entry((from, to)).or_default();
        if flow.last.last().is_none_or(|before| before.term != this.term) {
            flow.last.clear();
            flow.repeats.clear();
        }
        if !is_bare {
            flow.last.clear();
        }
        let before = flow.last.iter().position(|before| *before == this);
        match before {
            Some(place) => flow.last.remove(place),
            None if flow.last.len() == SEVERAL => flow.last.remove(0),
            None => this,
        };
        flow.last.push(this);
        let again = before.is_some() && is_bare;
        if !again || std::mem::take(&mut flow.answers) {
            return Ok(());
        }
        flow.repeats.push_back(us);
        while flow.repeats.front().is_some_and(|first| us - first >= window_us) {
            flow.repeats.pop_front();
        }
        let count = flow.repeats.len();
        // After a pause it may make up for what it has missed.
        let resumed_us = self.servers[from].resumed_us;
        if resumed_us.is_some_and(|resumed| us < resumed + WINDOW_US) {
            return Ok(());
        }
        if count <= MOST_HEARTBEATS || !missing.allows(&rules::HEARTBEATS) {
            return Ok(());
        }
        let first = flow.repeats.front().copied().unwrap_or(us);
        let seconds = (us - first) as f64 / 1e6;
        let words = format!(
            "server {from} sent {count} heartbeats to server {to} within {seconds:.2} s; at most \
             ten a second are allowed"
        );
        Err(Box::new(
            //= lab.heartbeats
            verdict("heartbeats", words)
                .fact_at(first, from, format!("the first of {count} heartbeats to server {to}"))
                .fact_at(us, from, "the last of them")
                .hint(
                    "the interval is too short, two tasks send heartbeats in one term, each reply \
                     leads to the next one, or one follower's refusal makes the leader send to all",
                )
                .build(),
        ))
    }

    /// True if a slow call may have held up what was prepared behind it.
    fn is_held_up(&self, call: u64, (from, to): (usize, usize), since: u64, us: u64) -> bool {
        let flow = self.flows.0.get(&(from, to));
        let held_up = flow.and_then(|flow| flow.slow).is_some_and(|slow| slow.until_us > since);
        let mut before = self.calls.all().take_while(|before| before.number < call);
        held_up
            || before.any(|call| (call.from, call.to) == (from, to) && call.sent_us + SLOW_US < us)
    }

    /// A slow call to another server that was open when a newer term was shown, or has been since. Of several the one
    /// that was made first.
    fn waits_for_another(
        &self,
        (from, to): (usize, usize),
        since: u64,
        us: u64,
    ) -> Option<SlowCall> {
        let flows = self.flows.0.range((from, 0)..(from + 1, 0));
        let over = flows.filter_map(|(_, flow)| flow.slow).filter(|slow| slow.until_us > since);
        let of_this = |call: &&Call| call.from == from && call.number == original_of(call.number);
        let open = self.calls.all().filter(of_this).map(|call| {
            let Call { instance, to, sent_us, .. } = *call;
            SlowCall { instance, to, sent_us, until_us: us }
        });
        let open = open.filter(|call| call.sent_us + SLOW_US < us);
        let instance = self.servers[from].instance;
        let others = over.chain(open).filter(|call| call.to != to && call.instance == instance);
        others.min_by_key(|call| call.sent_us)
    }

    /// A reply with a newer term has come back, after so long.
    pub(super) fn hears_of_newer(
        &mut self,
        server: usize,
        by: usize,
        term: u64,
        (us, took_us): (u64, u64),
    ) {
        if took_us > PROMPT_US {
            return;
        }
        let newer = &mut self.servers[server].newer;
        if newer.is_none_or(|known| known.term < term) {
            *newer = Some(Newer { term, by, us });
        }
    }

    /// "If RPC request or response contains term T > currentTerm: set currentTerm = T, convert to
    /// follower" (Figure 2). What was prepared in the old term may still leave, but not for long.
    pub(super) fn goes_on(
        &mut self,
        call: u64,
        (from, to): (usize, usize),
        term: u64,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let Some(newer) = self.servers[from].newer else { return Ok(()) };
        if newer.term <= term {
            self.servers[from].newer = None;
            return Ok(());
        }
        // What came while it was paused it hears of later.
        let heard_us =
            self.servers[from].resumed_us.map_or(newer.us, |resumed| newer.us.max(resumed));
        if us < heard_us + GOES_ON_US || self.is_held_up(call, (from, to), newer.us, us) {
            return Ok(());
        }
        if !missing.allows(&rules::NEWER) {
            return Ok(());
        }
        let words = format!(
            "server {from} goes on in term {term}, though server {} had shown it term {}",
            newer.by, newer.term
        );
        let shown = format!("a reply of server {} showed term {}", newer.by, newer.term);
        //= all.newer-term
        let broken = verdict("a newer term is taken over", words)
            .fact_at(newer.us, from, shown)
            .fact_at(us, from, format!("server {from} still sends requests of term {term}"));
        let broken = match self.waits_for_another((from, to), newer.us, us) {
            Some(SlowCall { to, sent_us, until_us, .. }) => {
                let seconds = (until_us - sent_us) as f64 / 1e6;
                let text =
                    format!("it called server {to}, and that call was open for {seconds:.1} s");
                broken.fact_at(sent_us, from, text).hint(IN_TURN)
            }
            None => broken.hint(LOOK_AT_TERMS),
        };
        Err(Box::new(broken.build()))
    }
}

/// What usually leads to a leader that goes on.
const LOOK_AT_TERMS: &str = "the term of each reply must be looked at, of those that refuse and of old ones too: if it \
     is newer, take it over and follow";

/// The same, if it has waited for another server meanwhile. That need not be why: many calls may be open at once.
const IN_TURN: &str = "one thread calls the followers one after the other, and sends what was prepared long ago; or the \
     term of some replies is not looked at: if it is newer, take it over and follow";

#[cfg(test)]
mod tests {
    use super::super::understanding::{Entries, Leader};
    use super::*;

    #[test]
    fn what_is_told_now_and_was_not_is_more() {
        let mut flows = Flows::default();
        let mut says = |between, marks: &[u64]| {
            let (prev, entries) = (Place { index: 3, term: 3 }, Entries::Read(Vec::new()));
            let (leader, marks) = (Leader::Sender, marks.to_vec());
            let append =
                Append { term: 4, leader, prev, commit: None, entries, other: None, marks };
            flows.may_tell_to_stand(between, &append)
        };
        let told = [[7, 0], [7, 0], [7, 5], [7, 5], [0, 0], [7, 0], [0, 5], [0, 6], [0, 0]];
        let more = told.map(|marks| says((0, 1), &marks));
        assert_eq!(more, [false, false, true, false, false, true, true, true, false]);
        assert!(!says((0, 2), &[7, 5]), "it is the first one to this server");
    }
}
