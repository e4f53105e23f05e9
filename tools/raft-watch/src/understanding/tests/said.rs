//! What a Raft says itself, and what is not understood.

use super::*;

#[test]
fn what_a_raft_says_of_a_message_is_what_it_means() {
    /// The byte of a message tells which it is.
    fn means(wire: &Wire<'_>) -> Meaning {
        let term = 4;
        match (wire.bytes.last(), wire.reply) {
            (Some(1), false) => Meaning::RequestVote { term, last_log_index: 9, last_log_term: 3 },
            (Some(2), false) => Meaning::AppendEntries {
                term,
                prev_log_index: 9,
                prev_log_term: 3,
                entries: vec![(4, Bytes::from_static(b"x"))],
                leader_commit: 8,
            },
            (Some(1), true) => Meaning::Vote { term, granted: true },
            (Some(2), true) => Meaning::Appended { term, success: false, match_index: Some(9) },
            (Some(3), true) => Meaning::SnapshotInstalled { term },
            (Some(4), true) => Meaning::SnapshotInstalled { term: 0 },
            _ => Meaning::Nothing,
        }
    }
    let mut read = Understanding::new(means);
    assert_eq!(read.vote(&1u8), Some((4, 9, 3)));
    let request = read.asks("Raft.Whatever", &2u8);
    let Request::Append(append) = request else { panic!("{request:?}") };
    assert_eq!(
        (append.term, append.prev, append.commit),
        (4, Place { index: 9, term: 3 }, Some(8))
    );
    assert!(!append.entries.are_none() && append.entries.read()[0].0.command.bytes == b"x");
    assert!(matches!(read.asks("Raft.RequestVote", &9u8), Request::Nothing));

    assert_eq!(read.answers(&1u8), Reply { term: Some(4), yes: Some(true), ..Reply::default() });
    assert_eq!(
        read.answers(&2u8),
        Reply { term: Some(4), yes: Some(false), upto: Some(9), exact: true }
    );
    assert_eq!(read.answers(&3u8), Reply { term: Some(4), yes: None, ..Reply::default() });
    assert_eq!(read.answers(&4u8), Reply::default());
    assert_eq!(read.answers(&9u8), Reply::default());
    read.assert_all_understood();
}

#[test]
fn of_several_reasons_for_one_part_the_first_one_is_told() {
    let mut missing = Missing::default();
    assert_eq!(missing.count(), 0);
    missing.note(Part::Saved, "of this".to_string());
    missing.note(Part::Saved, "of that".to_string());
    missing.note(Part::SecondServer, "of that".to_string());
    assert_eq!(missing.count(), 2);
    assert!(missing.lacks(Part::Saved) && !missing.lacks(Part::Votes));
    assert!(!missing.allows(&missing::SAVED) && missing.allows(&missing::ONE_VOTE));
    let said = "not judged: saved before counted, saved before answered, snapshots that are saved, because of this";
    assert!(missing.sentences().iter().any(|words| words == said), "{:?}", missing.sentences());
}
