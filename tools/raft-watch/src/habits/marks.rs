//! A leader that hands over tells a follower to stand for election at once. Where it does so within an AppendEntries,
//! by something that nobody here understands, that follower need not wait.

use super::shapes::{APPEND_ENTRIES, REQUEST_VOTE};
use super::*;

messages! {
    Entry { term: u64, command: u64 }
    Vote { term: u64, last_log_index: u64, last_log_term: u64 }
    Voted { term: u64, vote_granted: bool }
    Answer { term: u64, success: bool }
    Plain { term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64 }
    Flagged {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64,
        hand_over: bool,
    }
    Named {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64,
        transferee: Option<u64>,
    }
    Numbered {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64,
        transfer_to: i64,
    }
    OfKind {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64,
        kind: Kind,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Kind {
    #[default]
    Append,
    TimeoutNow,
}

/// Server 0 leads some terms. In each it sends server 1 two AppendEntries, the second one with a new entry, and server 1
/// accepts them and stands for election at once.
fn stands_at_once<A: Gob>(play: &mut Play, args: impl Fn(u64, Vec<Entry>, bool) -> A) -> Checked {
    for term in [4, 6, 8, 10] {
        let vote = |term| Vote { term, last_log_index: 0, last_log_term: 0 };
        play.named((0, 2), REQUEST_VOTE, &vote(term), &Voted { term, vote_granted: true })?;
        let success = Answer { term, success: true };
        play.named((0, 1), APPEND_ENTRIES, &args(term, Vec::new(), false), &success)?;
        let entries = vec![Entry { term, command: term }];
        play.named((0, 1), APPEND_ENTRIES, &args(term, entries, true), &success)?;
        let refused = Voted { term: term + 1, vote_granted: false };
        play.named((1, 2), REQUEST_VOTE, &vote(term + 1), &refused)?;
    }
    Ok(())
}

#[track_caller]
fn assert_excused<A: Gob>(args: impl Fn(u64, Vec<Entry>, bool) -> A) {
    let mut play = Play::new(3);
    stands_at_once(&mut play, &args).expect("it may have been told to");
    // What stands in each request tells nobody anything.
    let mut play = Play::new(3);
    let broken = stands_at_once(&mut play, |term, entries, _| args(term, entries, false));
    assert_eq!(broken.expect_err("it was not told to").check, "a follower waits");
}

#[test]
fn who_does_not_wait_is_found() {
    let mut play = Play::new(3);
    let broken =
        stands_at_once(&mut play, |term, entries, _| Plain { term, entries, ..Plain::default() });
    assert_eq!(broken.expect_err("it does not wait").check, "a follower waits");
}

#[test]
fn a_mark_is_a_flag_an_option_a_kind_or_a_number_that_is_called_so() {
    assert_excused(|term, entries, hand_over| Flagged {
        term,
        entries,
        hand_over,
        ..Flagged::default()
    });
    assert_excused(|term, entries, marked| Named {
        term,
        entries,
        transferee: marked.then_some(0),
        ..Named::default()
    });
    assert_excused(|term, entries, marked| {
        let transfer_to = if marked { 0 } else { -1 };
        Numbered { term, entries, transfer_to, ..Numbered::default() }
    });
    assert_excused(|term, entries, marked| {
        let kind = if marked { Kind::TimeoutNow } else { Kind::Append };
        OfKind { term, entries, kind, ..OfKind::default() }
    });
}

messages! {
    TimeoutNow { term: u64, leader_id: u64 }
    TimeoutAnswer { term: u64 }
    WithMore { term: u64, hint: u64 }
    Nothing {}
    Something { data: u64 }
}

/// What server 0 sends beside AppendEntries in each term that it leads, before server 1 stands for election.
fn is_told<A: Gob, R: Gob>(play: &mut Play, method: &str, args: &A, reply: &R) -> Checked {
    for term in [4, 6, 8, 10] {
        let vote = |term| Vote { term, last_log_index: 0, last_log_term: 0 };
        play.named((0, 2), REQUEST_VOTE, &vote(term), &Voted { term, vote_granted: true })?;
        let plain = Plain { term, ..Plain::default() };
        play.named((0, 1), APPEND_ENTRIES, &plain, &Answer { term, success: true })?;
        play.named((0, 1), method, args, reply)?;
        // A heartbeat was on its way.
        play.named((0, 1), APPEND_ENTRIES, &plain, &Answer { term, success: true })?;
        let refused = Voted { term: term + 1, vote_granted: false };
        play.named((1, 2), REQUEST_VOTE, &vote(term + 1), &refused)?;
    }
    Ok(())
}

#[test]
fn who_is_told_to_stand_for_election_by_a_call_of_its_own_need_not_wait_and_all_rules_judge()
-> Checked {
    let (args, reply) = (TimeoutNow { term: 4, leader_id: 0 }, TimeoutAnswer { term: 4 });
    let mut play = Play::new(3);
    is_told(&mut play, "Raft.TimeoutNow", &args, &reply)?;
    assert_eq!(play.read.missing().count(), 0);
    let mut play = Play::new(3);
    is_told(&mut play, "Raft.TransferLeadership", &Nothing {}, &Nothing {})?;
    assert_eq!(play.read.missing().count(), 0);
    // Who says more may say anything.
    let mut play = Play::new(3);
    is_told(&mut play, "Raft.TimeoutNow", &WithMore::default(), &reply)?;
    assert!(play.says("nobody here knows what TimeoutNow means"));
    let mut play = Play::new(3);
    is_told(&mut play, "Raft.TimeoutNow", &args, &WithMore::default())?;
    assert!(play.says("nobody here knows what TimeoutNow means"));
    Ok(())
}

#[test]
fn a_call_without_fields_can_only_tell_to_stand_for_election() -> Checked {
    let mut play = Play::new(3);
    is_told(&mut play, "Raft.Poke", &Nothing {}, &())?;
    let all = play.read.missing().sentences();
    assert_eq!(
        all,
        ["not judged: a follower waits, because Poke may tell a server to stand for election"]
    );
    for method in ["Raft.Poke", "Raft.Tell"] {
        let mut play = Play::new(3);
        is_told(&mut play, method, &Nothing {}, &Something::default())?;
        assert!(play.says("nobody here knows what"));
        let mut play = Play::new(3);
        is_told(&mut play, method, &Something::default(), &Nothing {})?;
        assert!(play.says("nobody here knows what"));
    }
    Ok(())
}

messages! {
    Beat { term: u64, leader_id: u64, leader_commit: u64 }
    BeatAt { term: u64, sent_at: u64 }
    BeatAnswer { term: u64 }
}

const HEARTBEAT: &str = "Raft.Heartbeat";

#[test]
fn heartbeats_of_a_method_of_their_own_are_counted() -> Checked {
    fn sends<A: Gob>(beat: impl Fn(u64) -> A) -> Checked {
        let mut play = Play::new(3);
        let vote = Vote { term: 4, ..Vote::default() };
        play.named((0, 2), REQUEST_VOTE, &vote, &Voted { term: 4, vote_granted: true })?;
        (0..100).try_for_each(|number| {
            play.named((0, 1), HEARTBEAT, &beat(number), &BeatAnswer { term: 4 })
        })
    }
    let broken = sends(|_| Beat { term: 4, ..Beat::default() }).expect_err("there are too many");
    assert_eq!(broken.check, "heartbeats");
    // What is in it may be news.
    sends(|sent_at| BeatAt { term: 4, sent_at })
}

#[test]
fn who_hears_a_heartbeat_of_a_method_of_its_own_waits() {
    let stands = |refused: bool| {
        let mut play = Play::new(3);
        for term in [4, 6, 8, 10] {
            let vote = |term| Vote { term, ..Vote::default() };
            play.named((0, 2), REQUEST_VOTE, &vote(term), &Voted { term, vote_granted: true })?;
            let beat = Beat { term, ..Beat::default() };
            play.named((0, 1), HEARTBEAT, &beat, &Answer { term, success: !refused })?;
            let no = Voted { term: term + 1, vote_granted: false };
            play.named((1, 2), REQUEST_VOTE, &vote(term + 1), &no)?;
        }
        Ok::<(), Box<labtrace::Verdict>>(())
    };
    assert_eq!(stands(false).expect_err("it does not wait").check, "a follower waits");
    assert!(stands(true).is_ok());
}

messages! {
    Ping { term: u64, from: u64 }
    PingOfLeader { term: u64, leader_id: u64 }
    BeatWithTerm { term: u64, leader_id: u64, commit_index: u64, commit_term: u64 }
    BeatWithPlace { term: u64, leader_id: u64, commit: Placed }
    Placed { index: u64, term: u64 }
}

/// Some ask all others now and then whether they are there.
#[test]
fn who_does_not_lead_may_send_heartbeats_that_do_not_say_who_leads() -> Checked {
    let vote = Vote { term: 4, ..Vote::default() };
    let granted = Voted { term: 4, vote_granted: true };
    let answer = BeatAnswer { term: 4 };
    let pings = |play: &mut Play, from: usize| {
        play.named((from, 2), HEARTBEAT, &Ping { term: 4, from: 1 }, &answer)
    };
    let led = || -> Result<Play, Box<labtrace::Verdict>> {
        let mut play = Play::new(3);
        play.named((0, 2), REQUEST_VOTE, &vote, &granted)?;
        Ok(play)
    };
    let mut play = led()?;
    pings(&mut play, 0)?;
    assert_eq!(play.read.missing().count(), 0);
    pings(&mut play, 1)?;
    assert!(play.says("committed by a majority") && play.says("may send heartbeats, too"));
    // It stands for election, and nobody leads yet.
    let mut play = Play::new(3);
    play.named((1, 0), REQUEST_VOTE, &vote, &Voted { term: 4, vote_granted: false })?;
    pings(&mut play, 1)?;
    play.named((0, 2), REQUEST_VOTE, &vote, &granted)?;
    let plain = Plain { term: 4, ..Plain::default() };
    play.named((0, 1), APPEND_ENTRIES, &plain, &Answer { term: 4, success: true })?;
    // Whom it takes for the leader it may say.
    let mut play = led()?;
    let of_leader = |leader_id| PingOfLeader { term: 4, leader_id };
    play.named((1, 2), HEARTBEAT, &of_leader(0), &answer)?;
    assert!(play.says("may send heartbeats, too"));
    let broken =
        led()?.named((1, 2), HEARTBEAT, &of_leader(1), &answer).expect_err("it was not elected");
    assert_eq!(broken.check, "elected by a majority");
    let beat = Beat { term: 4, leader_id: 1, leader_commit: 0 };
    let broken = led()?.named((1, 2), HEARTBEAT, &beat, &answer).expect_err("it was not elected");
    assert_eq!(broken.check, "elected by a majority");
    Ok(())
}

/// A follower that has the entry of this term there has all that is before it.
#[test]
fn who_is_told_the_term_of_what_is_committed_needs_no_look() -> Checked {
    fn is_told<A: Gob>(beat: impl Fn(u64, u64) -> A) -> Checked<Play> {
        let mut play = Play::new(3);
        for (leader, term, index, of) in [(0, 1, 0, 0), (1, 2, 1, 1)] {
            let vote = Vote { term, last_log_index: index, last_log_term: of };
            play.named((leader, 2), REQUEST_VOTE, &vote, &Voted { term, vote_granted: true })?;
            if term == 1 {
                for follower in [1, 2] {
                    let entries = vec![Entry { term, command: 7 }];
                    let first = Plain { term, entries, ..Plain::default() };
                    let success = Answer { term, success: true };
                    play.named((0, follower), APPEND_ENTRIES, &first, &success)?;
                }
                play.named((0, 1), HEARTBEAT, &beat(0, term), &BeatAnswer { term })?;
            }
        }
        play.named((1, 2), HEARTBEAT, &beat(1, 2), &BeatAnswer { term: 2 })?;
        Ok(play)
    }
    let mut with_term = is_told(|leader_id, term| BeatWithTerm {
        term,
        leader_id,
        commit_index: 1,
        commit_term: 1,
    })?;
    with_term.applies(2, 1)?;
    assert!(with_term.says("a server may learn from Heartbeat what is committed"));
    let mut with_place = is_told(|leader_id, term| {
        let commit = Placed { index: 1, term: 1 };
        BeatWithPlace { term, leader_id, commit }
    })?;
    with_place.applies(2, 1)?;
    // Without the term it has to be checked.
    let mut without = is_told(|leader_id, term| Beat { term, leader_id, leader_commit: 1 })?;
    let broken = without.applies(2, 1).expect_err("its log was not checked in this term");
    assert_eq!(broken.check, "applied when told");
    Ok(())
}

/// It says what Figure 2 has, and the rest is looked for as in any other message.
#[test]
fn who_says_what_its_messages_mean_may_mark_them_too() {
    let read = |wire: &raft_api::Wire<'_>| {
        if wire.method != APPEND_ENTRIES || wire.reply {
            return Meaning::ByNames;
        }
        let Ok(append) = labgob::decode::<Flagged>(wire.bytes) else { return Meaning::Nothing };
        Meaning::AppendEntries {
            term: append.term,
            prev_log_index: append.prev_log_index,
            prev_log_term: append.prev_log_term,
            entries: append.entries.iter().map(|entry| (entry.term, Bytes::new())).collect(),
            leader_commit: append.leader_commit,
        }
    };
    let mut play = Play { read: Understanding::new(read), ..Play::new(3) };
    let stands = stands_at_once(&mut play, |term, entries, hand_over| Flagged {
        term,
        entries,
        hand_over,
        ..Flagged::default()
    });
    stands.expect("it may have been told to");
}
