//! Who waits for which request to be executed.
//!
//! No blocking, no clock, no code of a submitter's: whoever must be told something is handed out,
//! for the caller to do once it has let go of the lock around this.

use std::collections::BTreeMap;

use raft_api::Started;

use crate::SubmitError;

/// Tells a submitter how its request ended.
pub(crate) type Tell<R> = Box<dyn FnOnce(Result<R, SubmitError>) + Send>;

/// Somebody to be told, and what.
pub(crate) struct Told<R>(pub(crate) Tell<R>, pub(crate) Result<R, SubmitError>);

impl<R> Told<R> {
    pub(crate) fn tell(self) {
        let Told(tell, result) = self;
        tell(result);
    }
}

/// The name of a submitted request, in the log and here. A server draws `server` anew at each start,
/// so that what an earlier one left in the log is not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) server: u64,
    pub(crate) number: u64,
}

/// The requests that this server has submitted and whose end is not known.
pub(crate) struct Pending<R> {
    server: u64,
    next: u64,
    waiting: BTreeMap<u64, Waiting<R>>,
    /// Which number stands where in the log, if Raft has said it.
    at: BTreeMap<u64, u64>,
    /// How many places Raft has given.
    placed: u64,
    /// The last index that was executed here or is part of the snapshot that was restored.
    executed: u64,
    over: bool,
}

struct Waiting<R> {
    tell: Tell<R>,
    /// Where Raft has put it; `None` until `start` returns.
    place: Option<Started>,
    /// The how-many-eth place this was.
    placed: u64,
}

impl<R> Pending<R> {
    /// Nobody waits. `server` is the one of all names that are given out.
    pub(crate) fn new(server: u64) -> Pending<R> {
        Pending {
            server,
            next: 0,
            waiting: BTreeMap::new(),
            at: BTreeMap::new(),
            placed: 0,
            executed: 0,
            over: false,
        }
    }

    /// True if nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True after [`end`](Pending::end).
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes in a request before Raft is asked: it may be executed before `start` returns.
    pub(crate) fn begin(&mut self, tell: Tell<R>) -> Result<Name, Told<R>> {
        if self.over {
            return Err(Told(tell, Err(SubmitError::Ended)));
        }
        self.next += 1;
        self.waiting.insert(self.next, Waiting { tell, place: None, placed: 0 });
        Ok(Name { server: self.server, number: self.next })
    }

    /// Raft has refused it.
    pub(crate) fn refused(&mut self, name: Name) -> Option<Told<R>> {
        self.finish(name.number, SubmitError::NotLeader)
    }

    /// Raft has put it somewhere. Returns who learns from that how its request ended.
    pub(crate) fn started(&mut self, name: Name, place: Started) -> Vec<Told<R>> {
        let Name { number, .. } = name;
        let Some(waiting) = self.waiting.get_mut(&number) else {
            return Vec::new(); // it has been executed already, or this is the end
        };
        let index = place.index;
        if index <= self.executed {
            // Something else stands there, or a snapshot has come instead of it.
            let lost = SubmitError::Unknown { index };
            return self.finish(number, lost).into_iter().collect();
        }
        self.placed += 1;
        (waiting.place, waiting.placed) = (Some(place), self.placed);
        // Raft gives a place a second time only when it has dropped what it put there before.
        let earlier = self.at.insert(index, number);
        earlier.and_then(|earlier| self.lost(earlier, index)).into_iter().collect()
    }

    /// The entry at `index` has been executed; `reply` is what the machine said. Returns who is told.
    pub(crate) fn executed(&mut self, index: u64, name: Name, reply: R) -> Vec<Told<R>> {
        self.executed = index;
        let here = self.at.remove(&index);
        let own = (name.server == self.server).then_some(name.number);
        // Whoever was promised this index and is not there lost its place for good.
        let loser = here.filter(|here| Some(*here) != own);
        let loser = loser.and_then(|number| self.finish(number, SubmitError::Replaced { index }));
        let winner = own.and_then(|number| self.waiting.remove(&number));
        if let Some(place) = winner.as_ref().and_then(|winner| winner.place)
            && self.at.get(&place.index) == own.as_ref()
        {
            self.at.remove(&place.index);
        }
        let winner = winner.map(|winner| Told(winner.tell, Ok(reply)));
        loser.into_iter().chain(winner).collect()
    }

    /// A snapshot has taken the place of all entries up to `index`. Returns who waited for one of
    /// them: nobody can know any more.
    pub(crate) fn restored(&mut self, index: u64) -> Vec<Told<R>> {
        self.executed = index;
        let later = self.at.split_off(&(index + 1));
        let before = std::mem::replace(&mut self.at, later);
        before
            .into_iter()
            .filter_map(|(index, number)| self.finish(number, SubmitError::Unknown { index }))
            .collect()
    }

    /// How many places Raft has given up to now: what [`looked`](Pending::looked) wants to know.
    pub(crate) fn placed(&self) -> u64 {
        self.placed
    }

    /// After the first `placed` places had been given, this server was in `term`, and led it or not.
    /// Returns whose place dates from an earlier leadership: what becomes of it is open.
    pub(crate) fn looked(&mut self, placed: u64, term: u64, leads: bool) -> Vec<Told<R>> {
        let open = |waiting: &Waiting<R>| {
            let place = waiting.place.filter(|_| waiting.placed <= placed)?;
            let earlier = place.term < term || (place.term == term && !leads);
            earlier.then_some(place.index)
        };
        let lost: Vec<(u64, u64)> = self
            .waiting
            .iter()
            .filter_map(|(number, waiting)| Some((*number, open(waiting)?)))
            .collect();
        lost.into_iter().filter_map(|(number, index)| self.lost(number, index)).collect()
    }

    /// Nothing will be executed here any more. Returns all who wait.
    pub(crate) fn end(&mut self) -> Vec<Told<R>> {
        self.over = true;
        self.at.clear();
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().map(|waiting| Told(waiting.tell, Err(SubmitError::Ended))).collect()
    }

    fn lost(&mut self, number: u64, index: u64) -> Option<Told<R>> {
        self.finish(number, SubmitError::Unknown { index })
    }

    /// Takes a request out, with what is to be said of it.
    fn finish(&mut self, number: u64, error: SubmitError) -> Option<Told<R>> {
        let waiting = self.waiting.remove(&number)?;
        if let Some(place) = waiting.place
            && self.at.get(&place.index) == Some(&number)
        {
            self.at.remove(&place.index);
        }
        Some(Told(waiting.tell, Err(error)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use labrt::sync::Mutex;

    use super::*;

    type Ends = Arc<Mutex<Vec<(&'static str, Result<u32, SubmitError>)>>>;

    /// A table with a list of what was said to whom.
    struct Trial {
        pending: Pending<u32>,
        ends: Ends,
    }

    const HERE: u64 = 77;
    const ELSEWHERE: Name = Name { server: 78, number: 1 };

    fn trial() -> Trial {
        Trial { pending: Pending::new(HERE), ends: Ends::default() }
    }

    fn place(index: u64, term: u64) -> Started {
        Started { index, term }
    }

    impl Trial {
        fn begin(&mut self, who: &'static str) -> Name {
            let ends = self.ends.clone();
            let tell: Tell<u32> = Box::new(move |result| {
                ends.lock().push((who, result));
            });
            self.pending.begin(tell).unwrap_or_else(|_| panic!("the table is not over"))
        }

        fn begin_at(&mut self, who: &'static str, index: u64, term: u64) -> Name {
            let name = self.begin(who);
            let told = self.pending.started(name, place(index, term));
            assert!(told.is_empty());
            name
        }

        /// What was said since the last call.
        fn said(
            &self,
            told: impl IntoIterator<Item = Told<u32>>,
        ) -> Vec<(&'static str, Result<u32, SubmitError>)> {
            told.into_iter().for_each(Told::tell);
            std::mem::take(&mut *self.ends.lock())
        }
    }

    #[test]
    fn the_reply_goes_to_who_submitted_the_request() {
        let mut trial = trial();
        let a = trial.begin_at("a", 5, 1);
        let b = trial.begin_at("b", 6, 1);
        let told = trial.pending.executed(5, a, 50);
        assert_eq!(trial.said(told), [("a", Ok(50))]);
        let told = trial.pending.executed(6, b, 60);
        assert_eq!(trial.said(told), [("b", Ok(60))]);
        assert!(trial.pending.is_empty());
    }

    #[test]
    fn a_request_may_be_executed_before_raft_says_where_it_stands() {
        let mut trial = trial();
        let a = trial.begin("a");
        let told = trial.pending.executed(1, a, 10);
        assert_eq!(trial.said(told), [("a", Ok(10))]);
        let told = trial.pending.started(a, place(1, 1));
        assert_eq!(trial.said(told), []);
    }

    #[test]
    fn another_request_at_the_promised_index_ends_the_wait() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        let told = trial.pending.executed(5, ELSEWHERE, 0);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Replaced { index: 5 }))]);
        assert!(!SubmitError::Replaced { index: 5 }.may_have_happened());
    }

    #[test]
    fn a_name_of_an_earlier_life_of_this_server_is_somebody_elses() {
        let mut trial = trial();
        let a = trial.begin_at("a", 5, 1);
        let earlier = Name { server: HERE - 1, number: a.number };
        let told = trial.pending.executed(5, earlier, 0);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Replaced { index: 5 }))]);
    }

    #[test]
    fn an_index_that_was_executed_before_raft_named_it_is_known_to_be_anothers() {
        let mut trial = trial();
        let a = trial.begin("a");
        let told = trial.pending.executed(1, ELSEWHERE, 0);
        assert_eq!(trial.said(told), []);
        let told = trial.pending.started(a, place(1, 1));
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Unknown { index: 1 }))]);
    }

    #[test]
    fn an_index_that_is_given_twice_was_lost_the_first_time() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        let b = trial.begin("b");
        let told = trial.pending.started(b, place(5, 3));
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Unknown { index: 5 }))]);
        let told = trial.pending.executed(5, b, 50);
        assert_eq!(trial.said(told), [("b", Ok(50))]);
    }

    #[test]
    fn a_later_term_ends_the_wait_and_the_same_term_only_without_leadership() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        trial.begin_at("b", 6, 3);
        let placed = trial.pending.placed();
        let told = trial.pending.looked(placed, 3, true);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Unknown { index: 5 }))]);
        let told = trial.pending.looked(placed, 3, false);
        assert_eq!(trial.said(told), [("b", Err(SubmitError::Unknown { index: 6 }))]);
    }

    #[test]
    fn a_look_says_nothing_of_what_was_started_after_it() {
        let mut trial = trial();
        let placed = trial.pending.placed();
        // Between the look and its result this server won the election of term 3.
        let a = trial.begin_at("a", 5, 3);
        let told = trial.pending.looked(placed, 3, false);
        assert_eq!(trial.said(told), []);
        let told = trial.pending.executed(5, a, 50);
        assert_eq!(trial.said(told), [("a", Ok(50))]);
    }

    #[test]
    fn a_snapshot_ends_the_wait_for_what_it_covers() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        let b = trial.begin_at("b", 6, 1);
        let told = trial.pending.restored(5);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Unknown { index: 5 }))]);
        let told = trial.pending.executed(6, b, 60);
        assert_eq!(trial.said(told), [("b", Ok(60))]);
    }

    #[test]
    fn the_end_is_told_to_all_and_to_all_who_come_later() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        trial.begin("b");
        let told = trial.pending.end();
        let ended = Err(SubmitError::Ended);
        assert_eq!(trial.said(told), [("a", ended), ("b", ended)]);
        let ends = trial.ends.clone();
        let late = trial.pending.begin(Box::new(move |result| ends.lock().push(("late", result))));
        let late = late.err();
        assert_eq!(trial.said(late), [("late", ended)]);
    }

    #[test]
    fn what_raft_refuses_was_not_done() {
        let mut trial = trial();
        let a = trial.begin("a");
        let told = trial.pending.refused(a);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::NotLeader))]);
        assert!(!SubmitError::NotLeader.may_have_happened());
    }
}
