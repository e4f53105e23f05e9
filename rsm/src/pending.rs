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

/// The name of an entry with submitted requests, in the log and here. A server draws `server` anew at each start,
/// so that what an earlier one left in the log is not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) server: u64,
    pub(crate) number: u64,
}

/// The requests that this server has submitted and whose end is not known: by the entry that they are in,
/// each with as many as have come together.
pub(crate) struct Pending<R> {
    server: u64,
    next: u64,
    waiting: BTreeMap<u64, Waiting<R>>,
    /// Which number stands where in the log, if Raft has said it. Until something is executed there: whoever has
    /// been told of its end meanwhile is not told again.
    at: BTreeMap<u64, u64>,
    /// How many places Raft has given.
    placed: u64,
    /// The last index that was executed here or is part of the snapshot that was restored.
    executed: u64,
    over: bool,
    /// Reads without an entry, by what they are called.
    reads: BTreeMap<u64, Tell<R>>,
    last_read: u64,
}

struct Waiting<R> {
    /// In the order of the requests.
    tells: Vec<Tell<R>>,
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
            reads: BTreeMap::new(),
            last_read: 0,
        }
    }

    /// True if nobody waits for an entry.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// True after [`end`](Pending::end).
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Takes in an entry before Raft is asked: it may be executed before `start` returns.
    pub(crate) fn begin(&mut self, tells: Vec<Tell<R>>) -> Result<Name, Vec<Told<R>>> {
        if self.over {
            return Err(all(tells, SubmitError::Ended));
        }
        self.next += 1;
        self.waiting.insert(self.next, Waiting { tells, place: None, placed: 0 });
        Ok(Name { server: self.server, number: self.next })
    }

    /// Takes in a read that needs no entry; returns what it is called.
    pub(crate) fn begin_read(&mut self, tell: Tell<R>) -> Result<u64, Told<R>> {
        if self.over {
            return Err(Told(tell, Err(SubmitError::Ended)));
        }
        self.last_read += 1;
        self.reads.insert(self.last_read, tell);
        Ok(self.last_read)
    }

    /// Takes a read out: whom to tell, if that has not been done.
    pub(crate) fn take_read(&mut self, read: u64) -> Option<Tell<R>> {
        self.reads.remove(&read)
    }

    /// Raft has given it no place.
    pub(crate) fn refused(&mut self, name: Name, why: SubmitError) -> Vec<Told<R>> {
        self.finish(name.number, why)
    }

    /// Raft has put it somewhere. Returns who learns from that how a request ended.
    pub(crate) fn started(&mut self, name: Name, place: Started) -> Vec<Told<R>> {
        let Name { number, .. } = name;
        let Some(waiting) = self.waiting.get_mut(&number) else {
            return Vec::new(); // it has been executed already, or this is the end
        };
        let index = place.index;
        if index <= self.executed {
            // Something else stands there, or a snapshot has come instead of it.
            let lost = SubmitError::Unknown { index };
            return self.finish(number, lost);
        }
        self.placed += 1;
        (waiting.place, waiting.placed) = (Some(place), self.placed);
        // Raft gives a place a second time only when it has dropped what it put there before.
        let earlier = self.at.insert(index, number);
        earlier.map_or(Vec::new(), |earlier| self.lost(earlier, index))
    }

    /// The entry at `index` has been executed; `replies` are what the machine said to its requests. Returns
    /// who is told.
    pub(crate) fn executed(&mut self, index: u64, name: Name, replies: Vec<R>) -> Vec<Told<R>> {
        self.executed = index;
        let here = self.at.remove(&index);
        let own = (name.server == self.server).then_some(name.number);
        // Whoever was promised this index and is not there lost its place for good.
        let loser = here.filter(|here| Some(*here) != own);
        let replaced = |number| self.finish(number, SubmitError::Replaced { index });
        let mut told = loser.map_or(Vec::new(), replaced);
        let winner = own.and_then(|number| self.waiting.remove(&number));
        let winners = winner.map_or(Vec::new(), |winner| winner.tells);
        told.extend(winners.into_iter().zip(replies).map(|(tell, reply)| Told(tell, Ok(reply))));
        told
    }

    /// A snapshot has taken the place of all entries up to `index`. Returns who waited for one of
    /// them: nobody can know any more.
    pub(crate) fn restored(&mut self, index: u64) -> Vec<Told<R>> {
        self.executed = index;
        let later = self.at.split_off(&(index + 1));
        let before = std::mem::replace(&mut self.at, later);
        before
            .into_iter()
            .flat_map(|(index, number)| self.finish(number, SubmitError::Unknown { index }))
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
        lost.into_iter().flat_map(|(number, index)| self.lost(number, index)).collect()
    }

    /// Nothing will be executed here any more. Returns all who wait.
    pub(crate) fn end(&mut self) -> Vec<Told<R>> {
        self.over = true;
        self.at.clear();
        let waiting = std::mem::take(&mut self.waiting).into_values();
        let reads = std::mem::take(&mut self.reads).into_values();
        let tells = waiting.flat_map(|waiting| waiting.tells).chain(reads);
        all(tells, SubmitError::Ended)
    }

    fn lost(&mut self, number: u64, index: u64) -> Vec<Told<R>> {
        self.finish(number, SubmitError::Unknown { index })
    }

    /// Takes an entry out, with what is to be said of its requests.
    fn finish(&mut self, number: u64, error: SubmitError) -> Vec<Told<R>> {
        self.waiting.remove(&number).map_or(Vec::new(), |waiting| all(waiting.tells, error))
    }
}

/// All of these are told the same error.
pub(crate) fn all<R>(tells: impl IntoIterator<Item = Tell<R>>, error: SubmitError) -> Vec<Told<R>> {
    tells.into_iter().map(|tell| Told(tell, Err(error))).collect()
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
        fn tell(&self, who: &'static str) -> Tell<u32> {
            let ends = self.ends.clone();
            Box::new(move |result| ends.lock().push((who, result)))
        }

        fn begin(&mut self, who: &'static str) -> Name {
            let tells = vec![self.tell(who)];
            self.pending.begin(tells).unwrap_or_else(|_| panic!("the table is not over"))
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
        let told = trial.pending.executed(5, a, vec![50]);
        assert_eq!(trial.said(told), [("a", Ok(50))]);
        let told = trial.pending.executed(6, b, vec![60]);
        assert_eq!(trial.said(told), [("b", Ok(60))]);
        assert!(trial.pending.is_empty());
    }

    #[test]
    fn a_request_may_be_executed_before_raft_says_where_it_stands() {
        let mut trial = trial();
        let a = trial.begin("a");
        let told = trial.pending.executed(1, a, vec![10]);
        assert_eq!(trial.said(told), [("a", Ok(10))]);
        let told = trial.pending.started(a, place(1, 1));
        assert_eq!(trial.said(told), []);
    }

    #[test]
    fn another_request_at_the_promised_index_ends_the_wait() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        let told = trial.pending.executed(5, ELSEWHERE, vec![0]);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Replaced { index: 5 }))]);
        assert!(!SubmitError::Replaced { index: 5 }.may_have_happened());
    }

    #[test]
    fn a_name_of_an_earlier_life_of_this_server_is_somebody_elses() {
        let mut trial = trial();
        let a = trial.begin_at("a", 5, 1);
        let earlier = Name { server: HERE - 1, number: a.number };
        let told = trial.pending.executed(5, earlier, vec![0]);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Replaced { index: 5 }))]);
    }

    #[test]
    fn an_index_that_was_executed_before_raft_named_it_is_known_to_be_anothers() {
        let mut trial = trial();
        let a = trial.begin("a");
        let told = trial.pending.executed(1, ELSEWHERE, vec![0]);
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
        let told = trial.pending.executed(5, b, vec![50]);
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

    type End = fn(&mut Pending<u32>, Name) -> Vec<Told<u32>>;

    #[test]
    fn who_was_told_that_its_end_is_open_is_told_nothing_more() {
        let ends: [End; 4] = [
            |pending, name| pending.executed(5, name, vec![50]),
            |pending, _| pending.executed(5, ELSEWHERE, vec![0]),
            |pending, _| pending.restored(7),
            |pending, _| pending.end(),
        ];
        for end in ends {
            let mut trial = trial();
            let a = trial.begin_at("a", 5, 1);
            let placed = trial.pending.placed();
            let told = trial.pending.looked(placed, 2, true);
            assert_eq!(trial.said(told), [("a", Err(SubmitError::Unknown { index: 5 }))]);
            let told = end(&mut trial.pending, a);
            assert_eq!(trial.said(told), []);
        }
        // Nor is it in the way of who gets its place.
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        let placed = trial.pending.placed();
        let told = trial.pending.looked(placed, 2, true);
        assert_eq!(trial.said(told).len(), 1);
        let b = trial.begin_at("b", 5, 2);
        let told = trial.pending.executed(5, b, vec![50]);
        assert_eq!(trial.said(told), [("b", Ok(50))]);
    }

    /// The look may be older than the place, if Raft answers it late.
    #[test]
    fn a_place_of_a_later_term_than_the_look_is_not_lost() {
        let mut trial = trial();
        trial.begin_at("a", 5, 3);
        let placed = trial.pending.placed();
        for leads in [false, true] {
            let told = trial.pending.looked(placed, 2, leads);
            assert_eq!(trial.said(told), []);
        }
    }

    #[test]
    fn reads_are_told_apart() {
        let mut trial = trial();
        let [a, b] = ["a", "b"].map(|who| trial.pending.begin_read(trial.tell(who)).ok());
        assert_eq!((a, b), (Some(1), Some(2)));
        for (read, who) in [(2, "b"), (1, "a")] {
            let tell = trial.pending.take_read(read).expect("it waits");
            assert_eq!(trial.said([Told(tell, Ok(7))]), [(who, Ok(7))]);
            assert!(trial.pending.take_read(read).is_none(), "it is told once");
        }
    }

    #[test]
    fn a_look_says_nothing_of_what_was_started_after_it() {
        let mut trial = trial();
        let placed = trial.pending.placed();
        // Between the look and its result this server won the election of term 3.
        let a = trial.begin_at("a", 5, 3);
        let told = trial.pending.looked(placed, 3, false);
        assert_eq!(trial.said(told), []);
        let told = trial.pending.executed(5, a, vec![50]);
        assert_eq!(trial.said(told), [("a", Ok(50))]);
    }

    #[test]
    fn a_snapshot_ends_the_wait_for_what_it_covers() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        let b = trial.begin_at("b", 6, 1);
        let told = trial.pending.restored(5);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::Unknown { index: 5 }))]);
        let told = trial.pending.executed(6, b, vec![60]);
        assert_eq!(trial.said(told), [("b", Ok(60))]);
    }

    #[test]
    fn the_end_is_told_to_all_and_to_all_who_come_later() {
        let mut trial = trial();
        trial.begin_at("a", 5, 1);
        trial.begin("b");
        let read = trial.pending.begin_read(trial.tell("read"));
        assert_eq!(read.ok(), Some(1));
        let told = trial.pending.end();
        let ended = Err(SubmitError::Ended);
        assert_eq!(trial.said(told), [("a", ended), ("b", ended), ("read", ended)]);
        assert!(trial.pending.take_read(1).is_none());
        let late = trial.pending.begin(vec![trial.tell("late")]).err();
        assert_eq!(trial.said(late.into_iter().flatten()), [("late", ended)]);
        let late = trial.pending.begin_read(trial.tell("late read")).err();
        assert_eq!(trial.said(late), [("late read", ended)]);
    }

    #[test]
    fn requests_of_one_entry_get_their_replies_in_order_or_the_same_error() {
        let mut trial = trial();
        let two = |trial: &mut Trial| {
            let tells = vec![trial.tell("a"), trial.tell("b")];
            trial.pending.begin(tells).unwrap_or_else(|_| panic!("the table is not over"))
        };
        let name = two(&mut trial);
        assert!(trial.pending.started(name, place(5, 1)).is_empty());
        let told = trial.pending.executed(5, name, vec![50, 51]);
        assert_eq!(trial.said(told), [("a", Ok(50)), ("b", Ok(51))]);

        let name = two(&mut trial);
        assert!(trial.pending.started(name, place(6, 1)).is_empty());
        let told = trial.pending.executed(6, ELSEWHERE, vec![0]);
        let replaced = Err(SubmitError::Replaced { index: 6 });
        assert_eq!(trial.said(told), [("a", replaced), ("b", replaced)]);
    }

    #[test]
    fn what_raft_refuses_was_not_done() {
        let mut trial = trial();
        let a = trial.begin("a");
        let told = trial.pending.refused(a, SubmitError::NotLeader);
        assert_eq!(trial.said(told), [("a", Err(SubmitError::NotLeader))]);
        assert!(!SubmitError::NotLeader.may_have_happened());
    }
}
