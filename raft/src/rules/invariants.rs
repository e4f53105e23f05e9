//! What a server promises about its own state; checked after each event.
//!
//! These are promises of our own code: a broken one is a bug here, and going on would make it
//! worse. So they panic, with a sentence that says what is wrong.

use super::{Core, Role};
use crate::log::Place;
use crate::stored::HardState;

/// A server's state before an event, as far as promises are about it.
pub struct Before {
    hard: HardState,
    commit: u64,
    base: Place,
    last_index: u64,
    last_term: u64,
    led: bool,
    unsaved_from: Option<u64>,
}

impl Before {
    /// The state at this moment.
    pub fn of(core: &Core) -> Before {
        Before {
            hard: core.hard,
            commit: core.commit,
            base: core.log.base(),
            last_index: core.log.last_index(),
            last_term: core.log.last_term(),
            led: core.is_leader(),
            unsaved_from: core.output.unsaved.log_from,
        }
    }

    /// Checks all promises between the state before the event and the one after it.
    ///
    /// # Panics
    /// If one is broken.
    pub fn check(&self, core: &Core) {
        let (me, term) = (core.me, core.hard.term);
        let (was, is) = (self.hard, core.hard);
        assert!(is.term >= was.term, "server {me}: the term went back from {} to {term}", was.term);
        assert!(
            is.term > was.term || was.voted_for.is_none() || is.voted_for == was.voted_for,
            "server {me}: two votes in term {term}: {:?}, then {:?}",
            was.voted_for,
            is.voted_for
        );
        assert!(
            is == was || core.output.unsaved.hard_state,
            "server {me}: term or vote changed, and saving them was forgotten"
        );
        assert!(
            core.commit >= self.commit,
            "server {me}: the commit index went back from {} to {}",
            self.commit,
            core.commit
        );
        let (last, last_term) = (core.log.last_index(), core.log.last_term());
        assert!(
            core.commit <= last,
            "server {me}: committed up to {}, but the log ends at {last}",
            core.commit
        );
        assert!(last_term <= term, "server {me}: an entry of term {last_term} in term {term}");
        // A leader commits by counting only entries of its own term (section 5.4.2).
        assert!(
            !core.is_leader()
                || core.commit == self.commit
                || core.log.term_at(core.commit) == Some(term),
            "server {me}: the leader of term {term} committed entry {} of term {:?} by counting",
            core.commit,
            core.log.term_at(core.commit)
        );
        if core.is_leader() {
            assert_eq!(is.voted_for, Some(me), "server {me}: leads term {term} without its vote");
        }
        self.check_base(core);
        self.check_log(core, last, last_term);
        check_progress(core, last);
        check_reads(core);
    }

    /// A snapshot takes the place of what is committed, and never goes back (section 7).
    fn check_base(&self, core: &Core) {
        let (me, was, is, output) = (core.me, self.base, core.log.base(), &core.output);
        assert!(
            is == was || is.index > was.index && is.term >= was.term,
            "server {me}: the log began behind {was:?}, and now behind {is:?}"
        );
        assert!(
            is == was || output.unsaved.snapshot,
            "server {me}: there is a new snapshot, and saving it was forgotten"
        );
        assert!(
            is.index <= core.commit,
            "server {me}: a snapshot up to {}, but only {} entries are committed",
            is.index,
            core.commit
        );
        assert_eq!(
            is.index == 0,
            core.snapshot.is_empty(),
            "server {me}: the log begins behind {is:?}, and the snapshot has {} bytes",
            core.snapshot.len()
        );
        // What the service is told is one sequence, and is still there to be told.
        let told = output.installed.as_ref().map(|snapshot| snapshot.last.index);
        let first = output.committed.as_ref().map_or(core.commit + 1, |all| *all.start());
        assert!(
            told.is_none_or(|told| told + 1 == first) && first > is.index,
            "server {me}: the service is told of a snapshot up to {told:?} and of entries from \
             {first} on, but the log begins behind {}",
            is.index
        );
    }

    fn check_log(&self, core: &Core, last: u64, last_term: u64) {
        let me = core.me;
        let changed = (last, last_term) != (self.last_index, self.last_term);
        let from = core.output.unsaved.log_from;
        assert!(
            !changed || from.is_some_and(|from| from <= last + 1),
            "server {me}: the log changed, and saving it was forgotten"
        );
        let base = core.log.base().index;
        assert!(
            from.is_none_or(|from| from > base),
            "server {me}: the log is to be saved from {from:?} on, but it begins behind {base}"
        );
        //= leaders.own-log
        // A leader never overwrites or deletes entries in its own log (section 5.3).
        if self.led && core.is_leader() && core.hard.term == self.hard.term {
            let kept = core.log.term_at(self.last_index) == Some(self.last_term);
            let appended = from.is_none_or(|from| {
                from > self.last_index || self.unsaved_from.is_some_and(|before| from >= before)
            });
            assert!(kept && appended, "server {me}: a leader changed its own log");
        }
        // What is committed is never overwritten (section 5.4.3).
        let rewritten = from.filter(|_| from != self.unsaved_from);
        assert!(
            rewritten.is_none_or(|from| from > self.commit),
            "server {me}: entry {rewritten:?} was overwritten, but up to {} all were committed",
            self.commit
        );
    }
}

/// What a leader reads without a log entry is committed, and it knows what is (section 8).
fn check_reads(core: &Core) {
    let Role::Leader { reads, .. } = &core.role else { return };
    let (me, term, commit) = (core.me, core.hard.term, core.commit);
    let own_committed = core.log.term_at(commit) == Some(term);
    for index in reads.indexes() {
        assert!(
            index <= commit && own_committed,
            "server {me}: a read at index {index}, but the leader of term {term} has committed up to \
             {commit}, of term {:?}",
            core.log.term_at(commit)
        );
    }
}

/// What a leader takes followers to have lies within its own log.
fn check_progress(core: &Core, last: u64) {
    let Role::Leader { progress, .. } = &core.role else { return };
    let (me, first) = (core.me, core.log.first_index());
    for (server, progress) in progress.iter().enumerate().filter(|(server, _)| *server != me) {
        let (matched, next) = (progress.matched, progress.next);
        assert!(
            matched < next && (first..=last + 1).contains(&next),
            "server {me}: nextIndex {next} and matchIndex {matched} for server {server}, but the \
             log has the entries {first} to {last}"
        );
    }
}

#[cfg(test)]
mod tests;
