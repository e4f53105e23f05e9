//! Requests of candidates and leaders.

use super::*;

messages! {
    Flagged {
        term: u64, last_log_index: u64, last_log_term: u64, pre_vote: bool,
        leadership_transfer: bool,
    }
    Marked { term: u64, last_log_index: u64, last_log_term: u64, force: bool }
    MarkedWithin { vote: Vote, how: How }
    How { kind: Kind, times: u64 }
    TellingReply { term: u64, success: bool, commit_index: u64 }
    Telling { term: u64, last_log_index: u64, last_log_term: u64, commit_index: u64 }
    TellingVote { term: u64, vote_granted: bool, last_applied: u64 }
    Perhaps { term: u64, last_applied: Option<u64> }
    Nothing {}
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Kind {
    #[default]
    Usual,
    Odd,
}

#[test]
fn a_pre_vote_promises_nothing_and_a_transfer_is_a_vote() {
    let mut read = by_names();
    let vote = Flagged { term: 2, last_log_index: 1, last_log_term: 1, ..Default::default() };
    assert_eq!(read.vote(&vote), Some((2, 1, 1)));
    assert_eq!(read.vote(&Flagged { leadership_transfer: true, ..vote.clone() }), Some((2, 1, 1)));
    let request = read.asks("Raft.RequestVote", &Flagged { pre_vote: true, ..vote.clone() });
    assert!(matches!(request, Request::Nothing), "{request:?}");
    // A method of its own says so too.
    assert!(matches!(read.asks("Raft.PreVote", &vote), Request::Nothing));
    read.assert_all_understood();
}

#[test]
fn a_mark_that_nobody_knows_may_be_the_one_of_a_pre_vote() {
    let mut read = by_names();
    assert_eq!(read.vote(&Marked::default()), None);
    assert_eq!(read.lacking(Part::Votes), "nobody here knows what `force` of RequestVote means");
    let mut read = by_names();
    assert_eq!(read.vote(&MarkedWithin::default()), None);
    assert_eq!(read.lacking(Part::Votes), "nobody here knows what `kind` of RequestVote means");
}

#[test]
fn who_may_learn_elsewhere_what_is_committed_is_not_held_to_what_it_was_told() {
    let mut read = by_names();
    assert!(read.vote(&Telling::default()).is_some());
    let why = "a server may learn from RequestVote what is committed";
    assert_eq!(read.lacking(Part::Hearsay), why);
    let mut read = by_names();
    assert_eq!(
        read.answers(&TellingReply { term: 1, success: true, commit_index: 3 }).yes,
        Some(true)
    );
    let why = "a server may learn from AppendEntries what is committed";
    assert_eq!(read.lacking(Part::Hearsay), why);
    let mut read = by_names();
    read.answers(&Answer { term: 1, success: true });
    read.assert_all_understood();
}

/// What was applied is committed. So a new leader may ask its voters.
#[test]
fn what_was_applied_tells_too_what_is_committed() {
    #[track_caller]
    fn assert_told<T: Gob>(mut read: Understanding, method: &str, reply: &T) {
        read.reply(&format!("Raft.{method}"), encoded(reply));
        let why = format!("a server may learn from {method} what is committed");
        assert_eq!(read.lacking(Part::Hearsay), why);
    }
    assert_told(by_names(), "RequestVote", &TellingVote::default());
    assert_told(by_names(), "RequestVote", &TellingAnswer::default());
    for method in ["Heartbeat", "InstallSnapshot", "PreVote"] {
        assert_told(by_names(), method, &Perhaps { term: 1, last_applied: None });
    }
    // Who says what a message means cannot say that.
    let said = Understanding::new(|_| Meaning::Vote { term: 1, granted: true });
    assert_told(said, "RequestVote", &TellingVote::default());
    // An AppendEntries tells it to whom it concerns.
    let mut read = by_names();
    read.asks("Raft.Heartbeat", &Perhaps { term: 1, last_applied: Some(3) });
    read.assert_all_understood();
}

messages! {
    SnapshotAnswer { term: u64, success: bool, snapshot_index: u64 }
    LogEndAnswer { term: u64, success: bool, last_log_index: u64, index: u64 }
}

/// What is in a snapshot is committed.
#[test]
fn where_the_snapshot_of_another_one_ends_tells_what_is_committed() {
    for method in ["RequestVote", "AppendEntries", "Heartbeat", "InstallSnapshot"] {
        let mut read = by_names();
        read.reply(&format!("Raft.{method}"), encoded(&SnapshotAnswer::default()));
        let why = format!("a server may learn from {method} what is committed");
        assert_eq!(read.lacking(Part::Hearsay), why);
    }
    // The end of a log tells nothing.
    let mut read = by_names();
    read.answers(&LogEndAnswer::default());
    read.assert_all_understood();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum TellingAnswer {
    Granted { term: u64, applied_index: u64 },
    Refused { term: u64 },
}

impl Default for TellingAnswer {
    fn default() -> TellingAnswer {
        TellingAnswer::Refused { term: 1 }
    }
}

#[test]
fn what_a_message_lacks_is_named_with_what_it_has() {
    let mut read = by_names();
    assert_eq!(read.vote(&Nothing {}), None);
    let why = "RequestVote has no `term` or the like: it has no fields";
    assert_eq!(read.lacking(Part::Votes), why);
    let mut read = by_names();
    assert_eq!(read.vote(&Inner::default()), None);
    let why = "RequestVote has no `last_log_term` or the like: fields term, last_log_index, spare";
    assert_eq!(read.lacking(Part::Votes), why);
}

messages! {
    Beat { term: u64, leader_commit: u64 }
    NoPlace { term: u64, entries: Vec<(u64, u8, u8)>, leader_commit: u64 }
    NoTerm { term: u64, prev_log_index: u64, leader_commit: u64 }
    Both {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry3>,
        leader_commit: u64, success: bool,
    }
    Entry3 { term: u64, command: u64, spare: u64 }
}

#[track_caller]
fn assert_beat(request: Request<'_>, of: (u64, Option<u64>)) {
    let Request::Beat { term, commit, .. } = request else { panic!("{request:?}") };
    assert_eq!((term, commit), of);
}

#[test]
fn a_heartbeat_of_its_own_says_who_leads_and_what_is_committed() {
    let mut read = by_names();
    let beat = Beat { term: 3, leader_commit: 2 };
    assert_beat(read.asks("Raft.Heartbeat", &beat), (3, Some(2)));
    read.assert_all_understood();
    // An AppendEntries that says no more, or not behind which entry, is no better; and that is said.
    let mut read = by_names();
    assert_beat(read.asks("Raft.AppendEntries", &beat), (3, Some(2)));
    let why = "AppendEntries has no `prev_log_index` or the like: fields term, leader_commit";
    assert_eq!(read.lacking(Part::Appends), why);
    let mut read = by_names();
    let no_place = NoPlace { term: 3, leader_commit: 2, ..Default::default() };
    assert_beat(read.asks("Raft.AppendEntries", &no_place), (3, Some(2)));
    assert!(read.lacking(Part::Appends).contains("has no `prev_log_index`"));
    let mut read = by_names();
    let no_term = NoTerm { term: 3, leader_commit: 2, ..Default::default() };
    assert_beat(read.asks("Raft.AppendEntries", &no_term), (3, Some(2)));
    assert!(read.lacking(Part::Appends).contains("has no `prev_log_term`"));
}

#[test]
fn one_type_may_be_request_and_reply_and_serve_two_methods() {
    let mut read = by_names();
    let both = Both { term: 3, leader_commit: 2, success: true, ..Default::default() };
    for _ in 0..2 {
        assert_eq!(read.append(&both), Some((3, 0, 0, Some(2))));
        assert_eq!(read.answers(&both).yes, Some(true));
        assert_beat(read.asks("Raft.Heartbeat", &both), (3, Some(2)));
    }
    // How to read it was worked out once for each.
    assert_eq!(read.known.len(), 3);
}

messages! {
    Install {
        term: u64, last_included_index: u64, last_included_term: u64, offset: u64, data: Vec<u8>,
        done: bool,
    }
    Whole { term: u64, last_included_index: u64, last_included_term: u64, data: Vec<u8> }
    Odder { term: u64, last_included_index: u64, last_included_term: u64, done: u64 }
}

#[test]
fn a_snapshot_comes_in_parts_only_if_its_message_says_so() {
    let mut read = by_names();
    let mut install = |message: &dyn Fn(&mut Understanding) -> Request<'static>| {
        let request = message(&mut read);
        let Request::Install(install) = request else { panic!("{request:?}") };
        assert_eq!((install.term, install.last.index, install.last.term), (4, 9, 3));
        (install.offset, install.done)
    };
    let part = |offset, done| {
        let (term, last_included_index, last_included_term) = (4, 9, 3);
        Install { term, last_included_index, last_included_term, offset, data: vec![1], done }
    };
    const METHOD: &str = "Raft.InstallSnapshot";
    assert_eq!(install(&|read| read.asks(METHOD, &part(100, false))), (100, false));
    assert_eq!(install(&|read| read.asks(METHOD, &part(200, true))), (200, true));
    let (term, last_included_index, last_included_term) = (4, 9, 3);
    let whole = Whole { term, last_included_index, last_included_term, data: vec![1] };
    assert_eq!(install(&|read| read.asks(METHOD, &whole)), (0, true));
    // A number is no flag.
    let odder = Odder { term, last_included_index, last_included_term, done: 0 };
    assert_eq!(install(&|read| read.asks(METHOD, &odder)), (0, true));
    read.assert_all_understood();
}
