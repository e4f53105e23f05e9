//! What stands in a reply beside the answer: it is no promise of another kind.

use super::shapes::{APPEND_ENTRIES, REQUEST_VOTE, led};
use super::*;

messages! {
    Entry { term: u64, command: u64 }
    Vote { term: u64, last_log_index: u64, last_log_term: u64 }
    Voted { term: u64, vote_granted: bool }
    Args { term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry>, leader_commit: u64 }
    Answer { term: u64, success: bool }
    WithMatch { term: u64, success: bool, match_index: u64 }
    WithEnd { follower_term: u64, success: bool, log_index: u64, log_term: u64 }
    OnlyEnd { success: bool, log_index: u64, log_term: u64 }
    Timed { t: u64 }
    Booted { epoch: u64, success: bool }
    Epoch { epoch: u64, success: bool }
    EpochBeside { epoch: u64, node_term: u64, success: bool }
}

/// Server 1 has voted for server 2 in term 6, and answers the leader of term 5.
fn answers_old_leader<R: Gob>(reply: &R) -> Checked {
    let mut play = led(5, (0, 0))?;
    let vote = Vote { term: 6, ..Vote::default() };
    play.named((2, 1), REQUEST_VOTE, &vote, &Voted { term: 6, vote_granted: true })?;
    let request = Args { term: 5, ..Args::default() };
    play.named((0, 1), APPEND_ENTRIES, &request, reply)
}

/// etcd answers so, to tell an old leader of the newer term: no reject, and the index is left at nothing.
#[test]
fn an_answer_that_shows_a_newer_term_and_accepts_nothing_is_no_yes() -> Checked {
    let upto = |match_index| WithMatch { term: 6, success: true, match_index };
    answers_old_leader(&upto(0))?;
    let broken = answers_old_leader(&upto(3)).expect_err("it accepts something");
    assert_eq!(broken.check, "stale request");
    let broken = answers_old_leader(&Answer { term: 6, success: true }).expect_err("it is a yes");
    assert_eq!(broken.check, "stale request");
    // The newer term is promised.
    let mut play = led(5, (0, 0))?;
    let request = Args { term: 5, ..Args::default() };
    play.named((0, 1), APPEND_ENTRIES, &request, &upto(0))?;
    assert_eq!(play.judge.term(1), 6);
    Ok(())
}

/// The term of the last entry, by which a follower says how far its log goes.
#[test]
fn the_term_of_an_entry_is_not_the_replys() -> Checked {
    let request = Args { term: 5, prev_log_index: 9, prev_log_term: 4, ..Args::default() };
    let reply = WithEnd { follower_term: 5, success: false, log_index: 3, log_term: 2 };
    led(5, (9, 4))?.named((0, 1), APPEND_ENTRIES, &request, &reply)?;
    let reply = OnlyEnd { success: false, log_index: 3, log_term: 2 };
    led(5, (9, 4))?.named((0, 1), APPEND_ENTRIES, &request, &reply)?;
    // The other one is read as what it is.
    let mut play = led(5, (9, 4))?;
    let reply = WithEnd { follower_term: 7, success: false, log_index: 3, log_term: 2 };
    play.named((0, 1), APPEND_ENTRIES, &request, &reply)?;
    assert_eq!(play.judge.term(1), 7);
    Ok(())
}

/// The time, or how often a server was started.
#[test]
fn a_number_that_may_be_anything_is_no_promise() -> Checked {
    let mut play = led(5, (0, 0))?;
    let beat = Args { term: 5, ..Args::default() };
    play.named((0, 1), "Raft.Heartbeat", &beat, &Timed { t: 1_700_000 })?;
    play.named((0, 1), "Raft.Heartbeat", &beat, &Timed { t: 1_700_001 })?;
    play.named((0, 2), "Raft.Heartbeat", &beat, &Booted { epoch: 9, success: true })?;
    assert_eq!([1, 2].map(|server| play.judge.term(server)), [5, 0]);
    // Beside a term it is something else; alone it is the term.
    let reply = EpochBeside { epoch: 9, node_term: 5, success: true };
    play.named((0, 1), APPEND_ENTRIES, &beat, &reply)?;
    assert_eq!(play.judge.term(1), 5);
    play.named((0, 1), APPEND_ENTRIES, &beat, &Epoch { epoch: 9, success: false })?;
    assert_eq!(play.judge.term(1), 9);
    Ok(())
}
