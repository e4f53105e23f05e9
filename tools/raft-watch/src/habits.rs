//! Habits of right Rafts that are not Figure 2's to the letter: nobody is accused of them.

use bytes::Bytes;
use labgob::{Deserialize, Gob, Peek, Serialize};
use raft_api::Meaning;

use crate::calls::Sent;
use crate::judge::{Checked, Judge, Means};
use crate::understanding::{
    Append, Encoded, Entries, Leader, Place, Reply, Request, Understanding,
};

macro_rules! messages {
    ($($name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
            #[serde(crate = "labgob::serde")]
            struct $name { $($field: $ty),* }
        )*
    };
}

mod marks;
mod replies;
mod shapes;

/// What some servers say to each other.
struct Play {
    judge: Judge,
    read: Understanding,
    calls: u64,
    us: u64,
}

impl Play {
    fn new(servers: usize) -> Play {
        let mut judge = Judge::new(servers);
        (0..servers).for_each(|server| judge.started(server, 1));
        judge.hears_applied = true;
        Play { judge, read: Understanding::new(|_| Meaning::ByNames), calls: 0, us: 0 }
    }

    fn sent(&mut self, from: usize, to: usize, request: Request<'_>) -> Checked<u64> {
        self.calls += 1;
        self.us += 1000;
        let instance = self.judge.servers[from].instance;
        let sent = Sent { call: self.calls, from, instance, to, request, us: self.us };
        let (judge, read) = (&mut self.judge, &mut self.read);
        let checked = Means::with(read.missing(), |means| judge.sent(sent, means));
        for (part, why) in judge.take_doubts() {
            read.missing_mut().note(part, why.to_string());
        }
        checked.map(|()| self.calls)
    }

    fn delivered(&mut self, call: u64) {
        self.us += 1000;
        let (judge, read, us) = (&mut self.judge, &self.read, self.us);
        Means::with(read.missing(), |means| judge.delivered(call, us, means));
    }

    fn replied(&mut self, call: u64, reply: Reply) -> Checked {
        self.us += 1000;
        let (judge, read, us) = (&mut self.judge, &self.read, self.us);
        Means::with(read.missing(), |means| judge.replied(call, reply, us, means))
    }

    fn over(&mut self, call: u64) {
        self.us += 1000;
        self.judge.over(call, false, self.us);
    }

    /// All of a call, one thing after the other.
    fn call(&mut self, from: usize, to: usize, request: Request<'_>, reply: Reply) -> Checked {
        let call = self.sent(from, to, request)?;
        self.delivered(call);
        self.replied(call, reply)?;
        self.over(call);
        Ok(())
    }

    /// The same with messages of a Raft's own.
    fn named<A: Gob, R: Gob>(
        &mut self,
        (from, to): (usize, usize),
        method: &str,
        args: &A,
        reply: &R,
    ) -> Checked {
        let request = self.read.request(method, encoded(args));
        let call = self.sent(from, to, request)?;
        self.delivered(call);
        let reply = self.read.reply(method, encoded(reply));
        self.replied(call, reply)?;
        self.over(call);
        Ok(())
    }

    fn applies(&mut self, server: usize, index: u64) -> Checked {
        self.judge.applies(server, index, self.us, self.read.missing())
    }

    /// What is not judged, for this reason.
    fn says(&self, why: &str) -> bool {
        self.read.missing().sentences().iter().any(|sentence| sentence.contains(why))
    }
}

fn encoded<T: Gob>(value: &T) -> Encoded<'static> {
    let bytes: &'static [u8] = labgob::encode(value).leak();
    Encoded { bytes, shape: T::SHAPE, value: Peek::of::<T>(bytes) }
}

fn vote(term: u64, (index, last_term): (u64, u64)) -> Request<'static> {
    Request::Vote { term, last: Place { index, term: last_term } }
}

fn append(
    term: u64,
    (index, prev_term): (u64, u64),
    terms: &[u64],
    commit: u64,
) -> Request<'static> {
    let command = |place| Bytes::from(format!("c{}", index + 1 + place));
    let entries = (0..).zip(terms).map(|(place, term)| (*term, command(place))).collect();
    let prev = Place { index, term: prev_term };
    Request::Append(Append {
        term,
        leader: Leader::Sender,
        prev,
        commit: Some(commit),
        other: None,
        marks: Vec::new(),
        entries: Entries::Read(entries),
    })
}

fn yes(term: u64) -> Reply {
    Reply::new(term, true, None)
}

fn no(term: u64) -> Reply {
    Reply::new(term, false, None)
}

#[test]
fn a_vote_that_was_given_is_given_again() -> Checked {
    let mut play = Play::new(3);
    // A request that is sent again, or a copy, is on its way for long.
    let late = play.sent(0, 1, vote(1, (0, 0)))?;
    play.call(0, 1, vote(1, (0, 0)), yes(1))?;
    play.call(0, 1, append(1, (0, 0), &[1], 0), yes(1))?;
    play.delivered(late);
    play.replied(late, yes(1))
}

#[test]
fn a_follower_answers_up_to_where_it_has_accepted_by_now() -> Checked {
    let mut play = Play::new(5);
    let upto = |upto| Reply::new(1, true, Some(upto));
    play.call(0, 1, vote(1, (0, 0)), yes(1))?;
    play.call(0, 2, vote(1, (0, 0)), yes(1))?;
    play.call(0, 1, append(1, (0, 0), &[1], 0), upto(1))?;
    play.call(0, 2, append(1, (0, 0), &[1], 0), upto(1))?;
    // Two in the pipe: an entry, whose answer is lost, and a heartbeat that was made before it.
    let beat = play.sent(0, 1, append(1, (1, 1), &[], 1))?;
    let entry = play.sent(0, 1, append(1, (1, 1), &[1], 1))?;
    play.delivered(entry);
    play.replied(entry, upto(2))?;
    play.delivered(beat);
    play.replied(beat, upto(2))?;
    play.over(beat);
    play.call(0, 2, append(1, (1, 1), &[1], 1), upto(2))?;
    play.call(0, 2, append(1, (2, 1), &[], 2), upto(2))
}

/// All leaders of later terms have what is committed: a follower may keep it in mind until one of them has checked its
/// log so far.
#[test]
fn what_is_committed_is_remembered_across_terms() -> Checked {
    let mut play = Play::new(3);
    play.call(0, 1, vote(4, (0, 0)), yes(4))?;
    play.call(0, 1, append(4, (0, 0), &[4, 4], 0), yes(4))?;
    play.call(0, 2, append(4, (0, 0), &[4], 2), yes(4))?;
    play.call(1, 2, vote(5, (2, 4)), yes(5))?;
    assert!(play.applies(2, 2).is_err(), "its log was checked up to 1");
    play.judge.servers[2].applied = 1;
    play.call(1, 2, append(5, (1, 4), &[4], 0), yes(5))?;
    play.applies(2, 2)
}

#[test]
fn what_a_refused_request_says_is_committed_may_be_remembered() -> Checked {
    let mut play = Play::new(3);
    play.call(0, 1, vote(4, (0, 0)), yes(4))?;
    let early = play.sent(0, 2, append(4, (0, 0), &[4, 4], 0))?;
    play.call(0, 1, append(4, (0, 0), &[4, 4], 0), yes(4))?;
    // It overtakes the other one.
    play.call(0, 2, append(4, (2, 4), &[], 2), no(4))?;
    assert!(play.applies(2, 2).is_err(), "its log was not checked at all");
    play.judge.servers[2].applied = 0;
    play.delivered(early);
    play.replied(early, yes(4))?;
    play.applies(2, 2)
}

/// A later leader has what an earlier one says is committed, whether or not that one is followed.
#[test]
fn what_an_old_leader_says_is_committed_may_be_remembered() -> Checked {
    let mut play = Play::new(3);
    play.call(0, 1, vote(4, (0, 0)), yes(4))?;
    play.call(0, 1, append(4, (0, 0), &[4, 4], 0), yes(4))?;
    play.call(1, 2, vote(5, (2, 4)), yes(5))?;
    play.call(0, 2, append(4, (2, 4), &[], 2), no(5))?;
    assert!(play.applies(2, 2).is_err(), "its log was not checked at all");
    play.judge.servers[2].applied = 0;
    play.call(1, 2, append(5, (0, 0), &[4, 4], 0), yes(5))?;
    play.applies(2, 2)
}

/// A Raft may save its commit index.
#[test]
fn what_is_committed_may_be_heard_and_saved_right_before_a_crash() -> Checked {
    let mut play = Play::new(3);
    play.call(0, 1, vote(4, (0, 0)), yes(4))?;
    for follower in [1, 2] {
        play.call(0, follower, append(4, (0, 0), &[4, 4], 0), yes(4))?;
    }
    let last = play.sent(0, 2, append(4, (2, 4), &[], 1))?;
    play.delivered(last);
    play.judge.crashed(2);
    play.judge.started(2, 2);
    play.applies(2, 1)?;
    assert!(play.applies(2, 2).is_err(), "nobody has told it");
    Ok(())
}

/// A leader that brings entry 10 is refused by a follower that has accepted nine.
fn refused_at_nine() -> Result<Play, Box<labtrace::Verdict>> {
    let mut play = Play::new(3);
    play.call(0, 1, vote(4, (0, 0)), yes(4))?;
    play.call(0, 1, append(4, (0, 0), &[4; 9], 0), yes(4))?;
    play.call(0, 1, append(4, (9, 4), &[4], 0), no(4))?;
    Ok(play)
}

#[test]
fn who_was_busy_and_says_yes_to_the_same_has_lost_nothing() -> Checked {
    refused_at_nine()?.call(0, 1, append(4, (9, 4), &[4], 0), yes(4))?;
    // What it got again it may have lost.
    let mut play = refused_at_nine()?;
    play.call(0, 1, append(4, (4, 4), &[4; 5], 0), no(4))?;
    let broken =
        play.call(0, 1, append(4, (2, 4), &[4; 7], 0), yes(4)).expect_err("it has them anew");
    assert_eq!(broken.check, "accepted entries stay");
    let mut play = refused_at_nine()?;
    let again = play.sent(0, 1, append(4, (4, 4), &[4; 5], 0))?;
    play.delivered(again);
    play.judge.over(again, true, play.us);
    let broken = play.call(0, 1, append(4, (9, 4), &[4], 0), yes(4)).expect_err("it has them anew");
    assert_eq!(broken.check, "accepted entries stay");
    Ok(())
}

/// Figure 2's leader goes back by one entry when it is refused.
#[test]
fn who_was_busy_once_below_a_leader_that_goes_back_by_one_has_lost_nothing() -> Checked {
    refused_at_nine()?.call(0, 1, append(4, (8, 4), &[4, 4], 0), yes(4))?;
    // Who has lost them refuses again, whether or not it is asked the same once more.
    for again in [&[8][..], &[9, 8]] {
        let mut play = refused_at_nine()?;
        for prev in again {
            play.call(0, 1, append(4, (*prev, 4), &[4, 4], 0), no(4))?;
        }
        let broken = play.call(0, 1, append(4, (7, 4), &[4; 3], 0), yes(4));
        assert_eq!(broken.expect_err("it has lost some").check, "accepted entries stay");
    }
    Ok(())
}

/// Servers 0 and 1 stand for term 5, and 0 is elected. It sends server 1 so many requests, which that one refuses.
fn refuses_its_leader(requests: u64) -> Checked<Play> {
    let mut play = Play::new(3);
    play.call(1, 2, vote(5, (0, 0)), no(5))?;
    play.call(0, 2, vote(5, (0, 0)), yes(5))?;
    for _ in 0..requests {
        play.call(0, 1, append(5, (0, 0), &[], 0), no(5))?;
        play.us += 100_000;
    }
    Ok(play)
}

#[test]
fn a_candidate_that_was_busy_once_may_stand_again_when_its_leader_is_gone() -> Checked {
    let stands = |mut play: Play| {
        play.us += 300_000;
        play.call(1, 2, vote(6, (0, 0)), no(6))
    };
    stands(refuses_its_leader(1)?)?;
    assert_eq!(
        stands(refuses_its_leader(2)?).expect_err("it does not follow").check,
        "a candidate follows"
    );
    // Requests that were under way together meet it while it is busy.
    let mut play = refuses_its_leader(0)?;
    let calls: Vec<u64> =
        (0..2).map(|_| play.sent(0, 1, append(5, (0, 0), &[], 0))).collect::<Result<_, _>>()?;
    for call in calls {
        play.delivered(call);
        play.replied(call, no(5))?;
        play.over(call);
    }
    stands(play)?;
    // It follows what it hears.
    let mut play = refuses_its_leader(2)?;
    let beat = Request::Beat { term: 5, leader: Leader::Sender, commit: None, message: 1 };
    play.call(0, 1, beat, yes(5))?;
    stands(play)
}

#[test]
fn who_gives_calls_up_hears_nothing_of_a_late_reply() -> Checked {
    let mut play = Play::new(5);
    play.call(0, 1, vote(4, (0, 0)), yes(4))?;
    play.call(0, 2, vote(4, (0, 0)), yes(4))?;
    let slow = play.sent(0, 3, append(4, (0, 0), &[], 0))?;
    play.delivered(slow);
    play.replied(slow, no(6))?;
    for index in 0..24 {
        play.us += 90_000;
        play.call(0, 1, append(4, (index, if index > 0 { 4 } else { 0 }), &[4], 0), yes(4))?;
        if index == 2 {
            play.over(slow);
        }
    }
    Ok(())
}

#[test]
fn what_is_lost_after_a_restart_was_not_lost_in_it() {
    let mut play = Play::new(3);
    let mut go = || {
        play.call(0, 1, vote(4, (0, 0)), yes(4))?;
        play.call(0, 1, append(4, (0, 0), &[4, 4], 0), yes(4))?;
        play.judge.crashed(1);
        play.judge.started(1, 2);
        // It has them still, and gets them again.
        play.call(0, 1, append(4, (0, 0), &[4, 4], 0), yes(4))?;
        play.call(0, 1, append(4, (2, 4), &[], 0), no(4))?;
        play.call(0, 1, append(4, (0, 0), &[4, 4], 0), yes(4))
    };
    let broken = go().expect_err("it has lost some of them");
    assert_eq!(broken.check, "accepted entries stay");
    let details = format!("{:?}", broken.details);
    assert!(!details.contains("restarted"), "{details}");
}

#[test]
fn no_number_is_too_large() {
    let mut play = Play::new(3);
    let most = u64::MAX;
    let _ = play.call(1, 2, vote(most, (0, 0)), no(most));
    let _ = play.call(0, 2, vote(most, (0, 0)), yes(most));
    let _ = play.call(0, 1, append(most, (0, 0), &[], 0), no(most));
    play.us += 1_000_000;
    let _ = play.call(1, 2, vote(most, (0, 0)), no(most));
}
