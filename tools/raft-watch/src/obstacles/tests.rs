//! What is told when nothing goes on, at the bounds of each fact.

use bytes::Bytes;

use super::*;
use crate::calls::Sent;
use crate::judge::Means;
use crate::persister::{Reading, SavedStates, Saves};
use crate::understanding::{Append, Entries, Install, Leader, Place, Reply, Request};

/// Three servers whose messages a test writes.
struct Play {
    judge: Judge,
    missing: Missing,
    saves: Vec<Saves>,
    us: u64,
    calls: u64,
}

/// An AppendEntries that brings so many entries of its term behind a place.
fn append(term: u64, prev: (u64, u64), count: usize, commit: u64) -> Request<'static> {
    let prev = Place { index: prev.0, term: prev.1 };
    let entries = Entries::Read(vec![(term, Bytes::new()); count]);
    Request::Append(Append {
        term,
        leader: Leader::Sender,
        prev,
        commit: Some(commit),
        other: None,
        marks: Vec::new(),
        entries,
    })
}

fn vote(term: u64) -> Request<'static> {
    Request::Vote { term, last: Place { index: 1, term: 2 } }
}

fn install(term: u64, last: (u64, u64)) -> Request<'static> {
    let last = Place { index: last.0, term: last.1 };
    let (leader, part) = (Leader::Sender, None);
    Request::Install(Install { term, leader, last, offset: 0, done: true, bytes: 1, part })
}

fn yes(term: u64) -> Reply {
    Reply::new(term, true, None)
}

fn no(term: u64) -> Reply {
    Reply::new(term, false, None)
}

impl Play {
    fn new() -> Play {
        let mut judge = Judge::new(3);
        (0..3).for_each(|server| judge.started(server, 1));
        let saves = vec![Saves::none(); 3];
        Play { judge, missing: Missing::default(), saves, us: 1_000_000, calls: 0 }
    }

    fn judged<R>(&mut self, event: impl FnOnce(&mut Judge, u64, &mut Means<'_>) -> R) -> R {
        let saved = SavedStates::new(&mut self.saves, Reading::BLIND);
        let mut means = Means { missing: &self.missing, saved };
        event(&mut self.judge, self.us, &mut means)
    }

    /// A request leaves.
    fn sent(&mut self, from: usize, to: usize, request: Request<'_>) -> u64 {
        self.calls += 1;
        let call = self.calls;
        let checked = self.judged(|judge, us, means| {
            judge.sent(Sent { call, from, instance: 1, to, request, us }, means)
        });
        checked.expect("no rule is broken");
        call
    }

    /// A request leaves and arrives.
    fn reached(&mut self, from: usize, to: usize, request: Request<'_>) -> u64 {
        let call = self.sent(from, to, request);
        self.judged(|judge, us, means| judge.delivered(call, us, means));
        call
    }

    /// A whole call.
    fn call(&mut self, from: usize, to: usize, request: Request<'_>, reply: Reply) {
        let call = self.reached(from, to, request);
        let checked = self.judged(|judge, us, means| judge.replied(call, reply, us, means));
        checked.expect("no rule is broken");
        self.judge.over(call, false, self.us);
    }

    /// What is told so long after the last event, as far as it has these words in it.
    fn told(&self, words: &str, later_us: u64) -> Vec<String> {
        let facts = self.judge.obstacles(self.us + later_us, &self.missing, &[]);
        facts.into_iter().map(|fact| fact.text).filter(|text| text.contains(words)).collect()
    }
}

/// What is told of these words from some moment on, and not before.
#[track_caller]
fn assert_told_after(play: &Play, words: &str, later_us: u64, expected: &str) {
    assert_eq!(play.told(words, later_us - 1), Vec::<String>::new());
    assert_eq!(play.told(words, later_us), [expected]);
}

#[test]
fn that_a_leader_does_not_commit_what_a_majority_has() {
    let mut play = Play::new();
    play.call(0, 1, append(4, (0, 0), 2, 0), yes(4));
    let says = |commit: u64| {
        format!(
            "servers 0, 1 have entry 2 of term 4, a majority, but server 0, leader of term 4, says that \
             {commit} are committed"
        )
    };
    assert_told_after(&play, "a majority", 500_000, &says(0));
    // It may go on to the second entry still.
    play.us += 100_000;
    play.call(0, 1, append(4, (2, 4), 0, 1), yes(4));
    assert_told_after(&play, "a majority", 400_000, &says(1));
    let mut commits = Play::new();
    commits.call(0, 1, append(4, (0, 0), 2, 0), yes(4));
    commits.call(0, 1, append(4, (2, 4), 0, 2), yes(4));
    assert!(commits.told("a majority", 9_000_000).is_empty());
    play.judge.crashed(0);
    assert!(play.told("a majority", 9_000_000).is_empty());
    // What is of an earlier term a leader need not count, though all have it.
    let mut old = Play::new();
    old.call(0, 1, append(4, (0, 0), 2, 0), yes(4));
    old.reached(0, 2, append(4, (0, 0), 2, 0));
    for follower in [1, 2] {
        old.call(0, follower, append(5, (2, 4), 0, 0), yes(5));
    }
    assert_eq!(old.judge.reigns.last().map(|(_, reign)| reign.committed), Some(2));
    assert_eq!(old.told("a majority", 9_000_000), Vec::<String>::new());
}

#[test]
fn that_a_server_does_not_apply_what_it_was_told() {
    let mut play = Play::new();
    play.judge.hears_applied = true;
    play.call(0, 1, append(4, (0, 0), 2, 0), yes(4));
    play.call(0, 1, append(4, (2, 4), 0, 2), yes(4));
    let applied = |count: u64| {
        format!(
            "server 1 was told in term 4 that entry 2 is committed and has accepted it, but has applied \
             only {count}"
        )
    };
    assert_told_after(&play, "was told", 500_000, &applied(0));
    let applies = |play: &mut Play, index: u64| {
        play.judge.applies(1, index, play.us, &play.missing).expect("it was told");
    };
    applies(&mut play, 1);
    // Perhaps the service does not see one of them, until somebody has applied both.
    assert!(play.told("was told", 9_000_000).is_empty());
    play.judge.applies(0, 2, play.us, &play.missing).expect("it has counted");
    assert_told_after(&play, "was told", 500_000, &applied(1));
    // Of a service nobody knows what it applies.
    play.judge.hears_applied = false;
    assert!(play.told("was told", 9_000_000).is_empty());
    play.judge.hears_applied = true;
    let mut done = play;
    applies(&mut done, 2);
    assert!(done.told("was told", 9_000_000).is_empty());
    let mut crashed = Play::new();
    crashed.judge.hears_applied = true;
    crashed.call(0, 1, append(4, (0, 0), 2, 0), yes(4));
    crashed.call(0, 1, append(4, (2, 4), 0, 2), yes(4));
    crashed.judge.crashed(1);
    assert!(crashed.told("was told", 9_000_000).is_empty());
    // Its successor has applied nothing, and has not been told again.
    let mut restarted = crashed;
    restarted.judge.started(1, 2);
    restarted.us += 5_000_000;
    assert_eq!(restarted.told("was told", 9_000_000), Vec::<String>::new());
    restarted.call(0, 1, append(4, (2, 4), 0, 2), yes(4));
    assert_told_after(&restarted, "was told", 500_000, &applied(0));
}

#[test]
fn that_a_follower_needs_a_snapshot_that_is_not_sent() {
    // Server 2 refuses so often what server 0 sends it in term 4, behind the snapshot that it has sent in
    // term 3.
    let refuses = |times: usize| {
        let mut play = Play::new();
        play.call(0, 1, append(3, (0, 0), 2, 0), yes(3));
        play.call(0, 1, append(3, (2, 3), 0, 2), yes(3));
        play.call(0, 2, install(3, (2, 3)), no(3));
        for _ in 0..times {
            play.call(0, 2, append(4, (2, 3), 0, 2), no(4));
        }
        play.judge.servers[0].base = Place { index: 2, term: 3 };
        play
    };
    let mut play = refuses(3);
    let expected = "server 0, leader of term 4, has saved a log that begins behind entry 2; server 2 \
                    refuses what it sends, and no InstallSnapshot was sent to it";
    assert_eq!(play.told("InstallSnapshot", 0), [expected]);
    assert!(refuses(2).told("InstallSnapshot", 0).is_empty());
    play.judge.servers[0].base = Place::default();
    assert!(play.told("InstallSnapshot", 0).is_empty(), "it has all entries itself");
    play.judge.servers[0].base = Place { index: 1, term: 3 };
    assert!(play.told("InstallSnapshot", 0).is_empty(), "it may go back to an entry that it has");
    let mut sends = refuses(3);
    sends.sent(0, 2, install(4, (2, 3)));
    assert!(sends.told("no InstallSnapshot", 0).is_empty());
}

#[test]
fn how_many_elections_were_lost_since_the_last_leader() {
    let mut play = Play::new();
    play.call(0, 1, vote(4), yes(4));
    play.call(0, 1, append(4, (0, 0), 0, 0), yes(4));
    assert!(play.told("elections", 0).is_empty(), "its own was won");
    play.sent(1, 2, vote(5));
    let expected = "server 0 was the last leader, of term 4; 1 elections since then, of servers 1, and none \
                    was won";
    assert_eq!(play.told("elections", 0), [expected]);
}

#[test]
fn how_often_a_vote_was_refused() {
    let mut play = Play::new();
    let text = "server 1 refused its vote to server 2, whose log ends with entry 1 of term 2";
    play.call(2, 1, vote(5), no(5));
    assert_eq!(play.told("refused its vote", 0), [text]);
    play.call(2, 1, vote(6), no(6));
    assert_eq!(play.told("refused its vote", 0), [format!("{text} (2 times)")]);
}

#[test]
fn that_a_timer_is_not_restarted_by_a_leaders_messages() {
    let stands = |times: u64, rises: u64| {
        let mut play = Play::new();
        for n in 0..times {
            let term = 4 + rises * n;
            if n == 0 || rises > 0 {
                play.call(0, 2, vote(term), yes(term));
            }
            play.reached(0, 1, append(term, (0, 0), 0, 0));
            play.us += 50_000;
            play.sent(1, 2, vote(5 + 2 * n));
        }
        play.told("its timer", 0)
    };
    let expected = "server 1 stood for election 3 times within 100 ms after a message of a leader had \
                    reached it: its timer is not restarted by each of them";
    assert_eq!(stands(3, 2), [expected]);
    assert!(stands(2, 2).is_empty());
    // A message of a leader that it has left behind restarts no timer.
    assert_eq!(stands(9, 0), Vec::<String>::new());
}

#[test]
fn that_a_timer_is_not_restarted_is_not_told_of_who_had_a_reason_to_stand() {
    let stands = |reason: fn(&mut Play)| {
        let mut play = Play::new();
        for n in 0..3 {
            let term = 4 + 2 * n;
            play.call(0, 2, vote(term), yes(term));
            play.reached(0, 1, append(term, (0, 0), 0, 0));
            play.us += 50_000;
            reason(&mut play);
            play.sent(1, 2, vote(term + 1));
        }
        play.told("its timer", 0).len()
    };
    assert_eq!(stands(|_| {}), 1);
    let told = stands(|play| _ = play.reached(0, 1, Request::Stand));
    let resumed = stands(|play| play.judge.paused(1, false, play.us));
    let fast = stands(|play| play.judge.has_clock(1, 2_000));
    assert_eq!([told, resumed, fast], [0, 0, 0]);
}

#[test]
fn that_a_server_does_not_answer() {
    let mut play = Play::new();
    play.reached(0, 1, append(4, (0, 0), 0, 0));
    let expected = "server 1 has had AppendEntries of server 0 for 1.5 s, and has not answered";
    assert_told_after(&play, "has not answered", 1_500_000, expected);
}

#[test]
fn that_a_server_has_sent_nothing_since_it_waits_for_an_answer() {
    let mut play = Play::new();
    play.sent(0, 1, append(4, (0, 0), 0, 0));
    let waits = |seconds: &str| {
        format!(
            "server 0 has waited {seconds} s for the answer of server 1 to AppendEntries, and has sent \
             nothing since"
        )
    };
    assert_told_after(&play, "has waited", 1_500_000, &waits("1.5"));
    // What belongs to the same round does not count.
    play.us += 100_000;
    play.sent(0, 2, append(4, (0, 0), 0, 0));
    assert_eq!(play.told("has waited", 3_000_000), [waits("3.1")]);
    play.us += 1;
    play.sent(0, 2, append(4, (0, 0), 0, 0));
    assert!(play.told("has waited", 3_000_000).is_empty());
    let mut crashed = Play::new();
    crashed.sent(0, 1, append(4, (0, 0), 0, 0));
    crashed.judge.crashed(0);
    assert!(crashed.told("has waited", 3_000_000).is_empty());
    // Nor does its successor wait.
    crashed.judge.started(0, 2);
    assert_eq!(crashed.told("has waited", 3_000_000), Vec::<String>::new());
}

/// It has one call at a time to each of the others.
#[test]
fn who_goes_on_with_the_others_does_not_wait_for_one() {
    let mut play = Play::new();
    play.sent(0, 1, append(4, (0, 0), 0, 0));
    for _ in 0..30 {
        play.us += 100_000;
        play.call(0, 2, append(4, (0, 0), 0, 0), yes(4));
    }
    assert_eq!(play.told("has waited", 50_000), Vec::<String>::new());
}

#[test]
fn why_a_vote_was_refused_as_far_as_that_is_known() {
    let why = |own: Option<((u64, u64), bool)>, bound: bool| {
        let last = Place { index: 5, term: 3 };
        let own = own.map(|((index, term), exactly)| (Place { index, term }, exactly));
        why_refused(&Refusal { term: 4, voter: 1, candidate: 2, last, own, bound, us: 0 })
    };
    let asked = "server 1 refused its vote to server 2";
    let ends = "whose log ends with entry 5 of term 3";
    let bound = format!("{asked}: it had voted for another one, or was in a later term");
    assert_eq!(why(Some(((9, 3), true)), true), bound);
    assert_eq!(why(None, false), format!("{asked}, {ends}"));
    // The candidate's log is older, at least, than what the voter has.
    let own = "entry 6 of term 3";
    assert_eq!(
        why(Some(((6, 3), true)), false),
        format!("{asked}, {ends}; its own log ends with {own}")
    );
    assert_eq!(
        why(Some(((6, 3), false)), false),
        format!("{asked}, {ends}; its own log has {own}")
    );
    // It is as good as the voter's, or better.
    for (index, term) in [(5, 3), (9, 2)] {
        let own = format!("entry {index} of term {term}");
        let free = format!(
            "{asked}, though free: that one's log ends with entry 5 of term 3; its own log ends with {own}"
        );
        assert_eq!(why(Some(((index, term), true)), false), free);
        let at_least = format!("{asked}, {ends}; its own log has {own} at least");
        assert_eq!(why(Some(((index, term), false)), false), at_least);
    }
}

/// Others of its calls are answered meanwhile: the server is there.
#[test]
fn a_snapshot_that_is_waited_for_is_told_if_its_server_answers_others() {
    fn fails_after(took_us: u64, answered: bool) -> Vec<String> {
        let mut play = Play::new();
        play.call(0, 1, vote(4), yes(4));
        play.call(0, 1, append(4, (0, 0), 3, 0), yes(4));
        let call = play.sent(0, 2, install(4, (3, 4)));
        play.us += 1000;
        if answered {
            play.call(0, 2, append(4, (3, 4), 0, 0), no(4));
        }
        play.us += took_us - 1000;
        play.judge.over(call, true, play.us);
        play.told("InstallSnapshot of server 0 to server 2", 0)
    }
    let told = fails_after(6_900_000, true);
    assert!(told[0].contains("ended without an answer 1 times, after up to 6.9 s"), "{told:?}");
    assert_eq!(fails_after(1_500_000, true).len(), 1);
    assert_eq!(fails_after(1_499_000, true).len(), 0);
    assert_eq!(fails_after(6_900_000, false).len(), 0);
}

#[test]
fn a_start_that_does_not_return_is_told() {
    let mut play = Play::new();
    let first = play.judge.offering(1, play.us);
    let other = play.judge.offering(1, play.us);
    assert_eq!(play.told("`start` of", 1_499_000).len(), 0);
    let told = play.told("`start` of", 12_000_000);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("of server 1 has not returned for 12.0 s: it must never wait"));
    [first, other].into_iter().for_each(|start| play.judge.offered(start));
    assert_eq!(play.told("`start` of", 12_000_000).len(), 0);
    // One that has crashed will not return.
    play.judge.offering(1, play.us);
    play.judge.crashed(1);
    assert_eq!(play.told("`start` of", 12_000_000).len(), 0);
    play.judge.started(1, 2);
    assert_eq!(play.told("`start` of", 12_000_000).len(), 0);
}
