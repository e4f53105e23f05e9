//! A refusal leads to another place in the log, not to the same request at once.

use std::collections::{BTreeMap, VecDeque};

use labtrace::verdict;

use super::calls::{Append, Call};
use super::judge::{Checked, Judge};
use super::understanding::Missing;
use super::understanding::missing as rules;

/// So often within [`WINDOW_US`] entries may be sent behind a place where they were refused. A heartbeat may do so ten
/// times a second, and each new command once more.
const MOST_RESENT: usize = 200;
const WINDOW_US: u64 = 1_000_000;

/// What followers have refused, by leader and follower.
#[derive(Debug, Default)]
pub(crate) struct Resends(BTreeMap<(usize, usize), Resent>);

/// Entries behind one place that a follower has refused, as its leader knows.
#[derive(Clone, Debug)]
struct Resent {
    term: u64,
    prev: u64,
    /// When they were sent again since.
    times: VecDeque<u64>,
}

impl Resends {
    /// The answer to an AppendEntries has come back to its leader.
    pub(super) fn over(&mut self, call: &Call, append: Append) {
        let between = (call.from, call.to);
        if !call.refused {
            self.0.remove(&between);
            return;
        }
        let (term, prev) = (append.term, append.prev.index);
        let known = self.0.get(&between);
        if known.is_none_or(|known| (known.term, known.prev) != (term, prev)) {
            self.0.insert(between, Resent { term, prev, times: VecDeque::new() });
        }
    }
}

impl Judge {
    /// "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry" (Figure 2): elsewhere, and
    /// not the same for ever. Each refusal that leads to the same request at once adds to those under way.
    pub(super) fn resends(
        &mut self,
        (from, to): (usize, usize),
        append: Append,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let Some(resent) = self.resends.0.get_mut(&(from, to)) else { return Ok(()) };
        let Append { term, prev, .. } = append;
        if (resent.term, resent.prev) != (term, prev.index) || !append.brings_some() {
            return Ok(());
        }
        resent.times.push_back(us);
        while resent.times.front().is_some_and(|first| us - first >= WINDOW_US) {
            resent.times.pop_front();
        }
        let count = resent.times.len();
        if count <= MOST_RESENT || !missing.allows(&rules::REFUSED) {
            return Ok(());
        }
        let first = resent.times.front().copied().unwrap_or(us);
        let seconds = (us - first) as f64 / 1e6;
        let words = format!(
            "server {from} sent server {to} the entries behind index {} {count} times within {seconds:.2} s, \
             though they were refused there",
            prev.index
        );
        let mut broken = verdict("refused entries", words)
            .index(prev.index)
            .fact_at(first, from, format!("the first of {count} with prevLogIndex {}", prev.index))
            .fact_at(us, from, format!("the last of them, all in term {term}"));
        let shown = self.servers[to].promised;
        if shown.term > term {
            let text =
                format!("server {to}, which refuses them, has shown term {} itself", shown.term);
            broken = broken.fact_at(shown.us, to, text);
        }
        Err(Box::new(
            broken
                .hint(
                    "a refusal must send the follower's own currentTerm, so that an old leader gives up, not \
                     the request's term; and a refusal that does not move nextIndex must not lead to the next \
                     request at once",
                )
                .build(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::{Asked, Sent};
    use super::super::understanding::{Place, Request};
    use super::*;

    const TERM: u64 = 4;

    fn append(prev: u64, last: u64) -> Append {
        let place = |index| Place { index, term: 3 };
        Append {
            term: TERM,
            prev: place(prev),
            last: place(last),
            commit: 0,
            may_be_told_to_stand: false,
        }
    }

    /// Server 0 leads, and has the answer of server 1 to this.
    fn answered(judge: &mut Judge, append: Append, refused: bool) {
        let (from, to, request) = (0, 1, Request::Nothing);
        let sent = Sent { call: 9, from, instance: 1, to, request, us: 0 };
        let call = Call { refused, ..Call::new(&sent, 1, Asked::Append(append), 1) };
        judge.resends.over(&call, append);
    }

    fn three() -> Judge {
        let mut judge = Judge::new(3);
        (0..3).for_each(|server| judge.started(server, 1));
        judge
    }

    /// Sends the same 500 times, once in so many microseconds.
    fn storms(judge: &mut Judge, append: Append, every_us: u64) -> Checked {
        let missing = Missing::default();
        (0..500).try_for_each(|n| judge.resends((0, 1), append, n * every_us, &missing))
    }

    #[test]
    fn what_was_refused_is_not_sent_again_at_once_and_for_ever() {
        let mut judge = three();
        assert!(storms(&mut judge, append(3, 5), 1000).is_ok(), "nobody has refused it");
        answered(&mut judge, append(3, 5), true);
        assert!(storms(&mut judge, append(3, 5), 5000).is_ok(), "200 in a second");
        let mut judge = three();
        answered(&mut judge, append(3, 5), true);
        judge.servers[1].promise(TERM + 2, 0);
        // From the beginning again.
        [false, true].into_iter().for_each(|refused| answered(&mut judge, append(3, 5), refused));
        let broken = storms(&mut judge, append(3, 5), 4900).expect_err("these are more");
        assert_eq!((&broken.check[..], &broken.servers[..]), ("refused entries", &[0, 1][..]));
        assert!(broken.facts[2].text.contains("has shown term 6 itself"), "{broken:?}");
    }

    #[test]
    fn other_entries_and_none_and_what_was_accepted_since_may_be_sent() {
        let mut judge = three();
        answered(&mut judge, append(3, 5), true);
        assert!(storms(&mut judge, append(2, 5), 10).is_ok());
        assert!(storms(&mut judge, append(3, 3), 10).is_ok());
        answered(&mut judge, append(1, 3), false);
        assert!(storms(&mut judge, append(3, 5), 10).is_ok());
    }
}
