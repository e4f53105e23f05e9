//! No event breaks a promise, so here each is broken by hand, and right states that come close are kept.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::*;
use crate::log::{Entry, Log};
use crate::message::RequestVoteReply;
use crate::stored::{Snapshot, Stored};

/// A follower in term 5. Its snapshot holds all up to 2, of term 1; behind that are the entries 3 to 6, of
/// the terms 1, 3, 3 and 4. Up to 4 all are committed. All is saved.
fn follower() -> Core {
    let mut log = Log::behind(Place { index: 2, term: 1 });
    [1, 3, 3, 4].into_iter().for_each(|term| push(&mut log, term));
    let hard = HardState { term: 5, voted_for: None };
    let mut core = Core::new(0, 3, Stored { hard, log, snapshot: "two".into() });
    core.commit_up_to(4);
    core.take_output();
    core
}

/// The same as leader of term 6.
fn leader() -> Core {
    let mut core = follower();
    core.election_timeout();
    core.vote_reply(1, 6, &RequestVoteReply { term: 6, vote_granted: true });
    assert!(core.is_leader());
    core.take_output();
    core
}

fn push(log: &mut Log, term: u64) {
    log.push(Entry { term, command: Bytes::new() });
}

/// The sentence with which the check of an event ends, if it does not let it pass.
fn sentence(mut core: Core, event: impl FnOnce(&mut Core)) -> Option<String> {
    let before = Before::of(&core);
    event(&mut core);
    let checked = catch_unwind(AssertUnwindSafe(|| before.check(&core)));
    checked.err().map(|panic| *panic.downcast().expect("a panic with a sentence"))
}

#[track_caller]
fn keeps(core: Core, event: impl FnOnce(&mut Core)) {
    assert_eq!(sentence(core, event), None);
}

#[track_caller]
fn breaks(core: Core, event: impl FnOnce(&mut Core), says: &str) {
    let sentence = sentence(core, event).unwrap_or_else(|| panic!("nobody says: {says}"));
    assert!(sentence.contains(says), "not `{says}`, but: {sentence}");
}

/// Term and vote become these, and are to be saved.
fn hard(term: u64, voted_for: Option<usize>) -> impl FnOnce(&mut Core) {
    move |core| {
        core.hard = HardState { term, voted_for };
        core.output.unsaved.hard_state = true;
    }
}

#[test]
fn the_term_never_goes_back() {
    breaks(follower(), hard(4, None), "server 0: the term went back from 5 to 4");
    keeps(follower(), hard(5, None));
    keeps(follower(), hard(6, None));
}

#[test]
fn there_is_one_vote_in_a_term() {
    let voter = || {
        let mut core = follower();
        core.hard.voted_for = Some(1);
        core
    };
    breaks(voter(), hard(5, Some(2)), "server 0: two votes in term 5: Some(1), then Some(2)");
    breaks(voter(), hard(5, None), "server 0: two votes in term 5: Some(1), then None");
    keeps(voter(), hard(5, Some(1)));
    keeps(voter(), hard(6, Some(2)));
    keeps(follower(), hard(5, Some(2)));
}

#[test]
fn term_and_vote_are_saved_when_they_change() {
    let forgotten = "server 0: term or vote changed, and saving them was forgotten";
    breaks(follower(), |core| core.hard.term = 6, forgotten);
    breaks(follower(), |core| core.hard.voted_for = Some(1), forgotten);
    keeps(follower(), |_| {});
}

#[test]
fn the_commit_index_never_goes_back_and_stays_in_the_log() {
    let to = |commit| move |core: &mut Core| core.commit = commit;
    breaks(follower(), to(3), "server 0: the commit index went back from 4 to 3");
    breaks(follower(), to(7), "server 0: committed up to 7, but the log ends at 6");
    keeps(follower(), to(4));
    keeps(follower(), to(6));
}

/// An entry of this term comes to the log's end, and is to be saved.
fn append(term: u64) -> impl FnOnce(&mut Core) {
    move |core| {
        push(&mut core.log, term);
        core.output.unsaved.add_log_from(core.log.last_index());
    }
}

#[test]
fn no_entry_is_of_a_later_term_than_the_server() {
    breaks(follower(), append(6), "server 0: an entry of term 6 in term 5");
    keeps(follower(), append(5));
}

/// (Section 5.4.2)
#[test]
fn a_leader_commits_by_counting_only_entries_of_its_own_term() {
    let commits = |commit| {
        move |core: &mut Core| {
            append(6)(core);
            core.commit = commit;
        }
    };
    let words = "server 0: the leader of term 6 committed entry 6 of term Some(4) by counting";
    breaks(leader(), commits(6), words);
    keeps(leader(), commits(7));
    // What was committed before it led is no matter of counting, nor is what a follower is told.
    keeps(leader(), commits(4));
    keeps(follower(), |core| core.commit = 6);
}

#[test]
fn a_leader_has_its_own_vote() {
    let mut core = leader();
    core.hard.voted_for = None;
    breaks(core, |_| {}, "server 0: leads term 6 without its vote");
}

/// The log forgets all up to this index, with a snapshot that is to be saved.
fn forget(index: u64) -> impl FnOnce(&mut Core) {
    move |core| {
        core.log.forget_through(index);
        core.output.unsaved.snapshot = true;
    }
}

/// (Section 7)
#[test]
fn a_snapshot_holds_what_is_committed_and_never_goes_back() {
    keeps(follower(), forget(3));
    keeps(follower(), forget(4));
    breaks(follower(), forget(5), "server 0: a snapshot up to 5, but only 4 entries are committed");
    for (index, term) in [(1, 1), (2, 3), (3, 0)] {
        let to = |core: &mut Core| {
            core.log = Log::behind(Place { index, term });
            [3, 3, 3, 4].into_iter().for_each(|term| push(&mut core.log, term));
            core.output.unsaved.snapshot = true;
        };
        let words = format!("and now behind Place {{ index: {index}, term: {term} }}");
        breaks(follower(), to, &words);
    }
}

#[test]
fn a_snapshot_is_saved_when_it_changes() {
    let words = "server 0: there is a new snapshot, and saving it was forgotten";
    breaks(follower(), |core| core.log.forget_through(3), words);
}

#[test]
fn a_log_that_begins_later_has_a_snapshot_and_no_other_one_has() {
    breaks(follower(), |core| core.snapshot = Bytes::new(), "and the snapshot has 0 bytes");
    let new = Core::new(0, 3, Stored::default());
    breaks(new, |core| core.snapshot = "two".into(), "and the snapshot has 3 bytes");
}

/// A snapshot up to some index, if there is one, and behind it the entries from another one on.
#[test]
fn the_service_is_told_one_sequence() {
    let tells = |snapshot: Option<u64>, first: Option<u64>| {
        move |core: &mut Core| {
            let place = |index| Place { index, term: 1 };
            let installed = |index| Snapshot { last: place(index), data: "some".into() };
            core.output.installed = snapshot.map(installed);
            core.output.committed = first.map(|first| first..=4);
        }
    };
    for (snapshot, first) in
        [(None, None), (None, Some(3)), (None, Some(4)), (Some(2), Some(3)), (Some(3), Some(4))]
    {
        keeps(follower(), tells(snapshot, first));
    }
    // With a gap, twice, too little; and what is in the log no more.
    for (snapshot, first) in
        [(Some(2), Some(4)), (Some(3), Some(3)), (Some(3), None), (None, Some(2))]
    {
        let first_index = first.unwrap_or(5);
        let words = format!(
            "told of a snapshot up to {snapshot:?} and of entries from {first_index} on, but the log begins \
             behind 2"
        );
        breaks(follower(), tells(snapshot, first), &words);
    }
}

#[test]
fn the_log_is_saved_when_it_changes() {
    let words = "server 0: the log changed, and saving it was forgotten";
    breaks(follower(), |core| push(&mut core.log, 5), words);
    breaks(follower(), |core| core.log.truncate_from(6), words);
    let replaces = |core: &mut Core| {
        core.log.truncate_from(6);
        push(&mut core.log, 5);
    };
    breaks(follower(), replaces, words);
    let saved_from = |from| {
        move |core: &mut Core| {
            replaces(core);
            core.output.unsaved.log_from = Some(from);
        }
    };
    keeps(follower(), saved_from(6));
    breaks(follower(), saved_from(8), words);
    // What was removed is saved too.
    let shorter = |core: &mut Core| {
        core.log.truncate_from(6);
        core.output.unsaved.log_from = Some(6);
    };
    keeps(follower(), shorter);
}

/// What is to be saved of the log, before the event and after it.
fn to_save(before: Option<u64>, after: u64) -> (Core, impl FnOnce(&mut Core)) {
    let mut core = follower();
    core.output.unsaved.log_from = before;
    (core, move |core| core.output.unsaved.log_from = Some(after))
}

/// (Section 5.4.3)
#[test]
fn what_is_committed_is_never_overwritten() {
    let words = |from| {
        format!("server 0: entry Some({from}) was overwritten, but up to 4 all were committed")
    };
    for from in [3, 4] {
        let (core, event) = to_save(None, from);
        breaks(core, event, &words(from));
    }
    let (core, event) = to_save(None, 5);
    keeps(core, event);
    let (core, event) = to_save(Some(5), 4);
    breaks(core, event, &words(4));
    // It was committed after it was taken, and before it is saved.
    let (core, event) = to_save(Some(3), 3);
    keeps(core, event);
    let (core, event) = to_save(None, 2);
    breaks(core, event, "the log is to be saved from Some(2) on, but it begins behind 2");
}

/// A leader never overwrites or deletes entries in its own log. (Section 5.3)
#[test]
fn a_leader_s_own_log_only_grows() {
    let words = "server 0: a leader changed its own log";
    let shorter = |core: &mut Core| {
        core.log.truncate_from(6);
        core.output.unsaved.log_from = Some(6);
    };
    let replaces = |core: &mut Core| {
        shorter(core);
        push(&mut core.log, 6);
    };
    let writes_again = |core: &mut Core| core.output.unsaved.log_from = Some(6);
    breaks(leader(), shorter, words);
    breaks(leader(), replaces, words);
    breaks(leader(), writes_again, words);
    keeps(leader(), append(6));
    // With entries that are to be saved already.
    let unsaved = |from| {
        let mut core = leader();
        core.output.unsaved.log_from = Some(from);
        core
    };
    keeps(unsaved(6), append(6));
    keeps(unsaved(6), writes_again);
    breaks(unsaved(7), writes_again, words);
    // It is not about who leads no more, does not lead yet, or leads again in another term.
    let follows = |core: &mut Core| {
        replaces(core);
        core.role = Role::Follower;
    };
    keeps(leader(), follows);
    let role = leader().role;
    let mut candidate = leader();
    candidate.role = Role::Follower;
    let begins_to_lead = move |core: &mut Core| {
        replaces(core);
        core.role = role;
    };
    keeps(candidate, begins_to_lead);
    let leads_again = |core: &mut Core| {
        hard(7, Some(0))(core);
        replaces(core);
    };
    keeps(leader(), leads_again);
    keeps(follower(), shorter);
}

/// (Section 8)
#[test]
fn a_leader_reads_what_it_knows_to_be_committed() {
    let reading = || {
        let mut core = leader();
        append(6)(&mut core);
        core.commit_up_to(7);
        core.read(1);
        core.take_output();
        core
    };
    keeps(reading(), |_| {});
    // The read has come, or is being asked for.
    for asked in [false, true] {
        let reading = || {
            let mut core = reading();
            if asked {
                core.ask_for_reads();
            }
            core
        };
        let mut core = reading();
        core.commit = 6;
        breaks(
            core,
            |_| {},
            "server 0: a read at index 7, but the leader of term 6 has committed up to 6",
        );
        let mut core = reading();
        append(4)(&mut core);
        core.commit = 8;
        breaks(core, |_| {}, "has committed up to 8, of term Some(4)");
    }
}

#[test]
fn what_a_leader_knows_of_followers_lies_within_its_log() {
    let knows = |matched, next| {
        move |core: &mut Core| {
            let Role::Leader { progress, .. } = &mut core.role else { panic!("it leads") };
            (progress[2].matched, progress[2].next) = (matched, next);
        }
    };
    for (matched, next) in [(0, 3), (0, 7), (2, 3), (6, 7), (4, 5)] {
        keeps(leader(), knows(matched, next));
    }
    for (matched, next) in [(0, 2), (0, 8), (3, 3), (7, 7), (5, 4)] {
        let words = format!(
            "server 0: nextIndex {next} and matchIndex {matched} for server 2, but the log has the entries \
             3 to 6"
        );
        breaks(leader(), knows(matched, next), &words);
    }
    // Its own place is unused.
    let its_own = |core: &mut Core| {
        let Role::Leader { progress, .. } = &mut core.role else { panic!("it leads") };
        progress[0].next = 99;
    };
    keeps(leader(), its_own);
}
