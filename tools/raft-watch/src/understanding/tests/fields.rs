//! Numbers, and where in a message they are.

use super::*;

messages! {
    #[serde(transparent)]
    Term { number: u64 }
    Index { number: i32 }
    Wrapped { term: Term, last_log_index: Index, last_log_term: Option<u8> }
    SignedAppend {
        term: i64, prev_log_index: i64, prev_log_term: i64, entries: Vec<(u64, u8, u8)>,
        leader_commit: i64,
    }
}

#[test]
fn numbers_are_read_in_newtypes_and_options_and_of_any_size() {
    let (term, last_log_index) = (Term { number: 7 }, Index { number: 5 });
    let mut read = by_names();
    let message = Wrapped { term, last_log_index, last_log_term: Some(3) };
    assert_eq!(read.vote(&message), Some((7, 5, 3)));
    // What is before the first entry has no term.
    assert_eq!(read.vote(&Wrapped { last_log_term: None, ..message }), Some((7, 5, 0)));
}

#[test]
fn what_is_before_the_first_entry_may_be_minus_one() {
    let mut read = by_names();
    let empty = Signed { term: 1, last_log_index: -1, last_log_term: -1 };
    assert_eq!(read.vote(&empty), Some((1, 0, 0)));
    assert_eq!(
        read.vote(&Signed { last_log_index: 4, last_log_term: 1, ..empty }),
        Some((1, 5, 1))
    );
    let mut first =
        SignedAppend { term: 1, prev_log_index: -1, prev_log_term: -1, ..Default::default() };
    first.leader_commit = -1;
    assert_eq!(read.append(&first), Some((1, 0, 0, Some(0))));
    first.leader_commit = 4;
    assert_eq!(read.append(&first), Some((1, 0, 0, Some(5))));
    // In an unsigned type that is the largest number.
    let mut read = by_names();
    let empty = Narrow { term: 1, last_log_index: u32::MAX, last_log_term: 0 };
    assert_eq!(read.vote(&empty), Some((1, 0, 0)));
    assert_eq!(
        read.vote(&Narrow { last_log_index: 4, last_log_term: 1, ..empty }),
        Some((1, 5, 1))
    );
}

#[test]
fn an_index_counts_from_the_end_of_the_first_candidates_log_if_that_is_empty() {
    let mut read = by_names();
    assert_eq!(read.vote(&Vote { term: 1, last_log_index: 10, last_log_term: 0 }), Some((1, 0, 0)));
    assert_eq!(read.vote(&Vote { term: 2, last_log_index: 12, last_log_term: 1 }), Some((2, 2, 1)));
    // A log that has entries counts as everybody does; and so does what is committed.
    let mut read = by_names();
    assert_eq!(
        read.vote(&Vote { term: 3, last_log_index: 10, last_log_term: 2 }),
        Some((3, 10, 2))
    );
    let append =
        Append { term: 3, prev_log_index: 10, prev_log_term: 2, leader_commit: 9, entries: vec![] };
    assert_eq!(read.append(&append), Some((3, 10, 2, Some(9))));
    assert_eq!(read.append(&Append { leader_commit: 11, ..append }), Some((3, 10, 2, Some(11))));
}

messages! {
    Middle { inner: Inner, last_log_term: u64 }
    Outer { middle: Middle, term: u64 }
    OneMore { outer: Outer, spare: u64 }
    #[serde(transparent)]
    Passed { it: Middle }
    Holder { last: Only, success: bool }
    Weak { t: u64, inner: Inner, last_log_term: u64 }
    Log { last_log_index: u64, last_log_term: u64 }
    LogAndEntries { term: u64, log: Log, entries: Vec<u8> }
    WholeEntry { epoch: u64, entry: Inner }
    Only { term: u64 }
}

#[test]
fn fields_are_found_three_deep_and_those_further_out_count() {
    let wanted = [Name::Term, Name::LastIndex, Name::LastTerm];
    let read = |value: Encoded<'static>| {
        let parts = Plan::of(value.shape, &wanted).read(value.value.expect("it is there"));
        wanted.map(|name| parts.get(name).and_then(plan::number))
    };
    let inner = Inner { term: 1, last_log_index: 2, spare: 0 };
    let middle = Middle { inner: inner.clone(), last_log_term: 3 };
    let outer = Outer { middle: middle.clone(), term: 4 };
    assert_eq!(read(encoded(&inner)), [Some(1), Some(2), None]);
    assert_eq!(read(encoded(&middle)), [Some(1), Some(2), Some(3)]);
    assert_eq!(read(encoded(&Passed { it: middle })), [Some(1), Some(2), Some(3)]);
    assert_eq!(read(encoded(&outer)), [Some(4), Some(2), Some(3)]);
    // What is deeper is not found: the last index here.
    assert_eq!(read(encoded(&OneMore { outer, spare: 0 })), [Some(4), None, Some(3)]);
}

#[test]
fn of_several_fields_the_better_name_counts_and_then_the_place() {
    let number = |value: Encoded<'static>, wanted: &[Name], name| {
        let parts = Plan::of(value.shape, wanted).read(value.value.expect("it is there"));
        parts.get(name).and_then(plan::number)
    };
    let inner = Inner { term: 1, last_log_index: 2, spare: 0 };
    let weak = encoded(&Weak { t: 4, inner: inner.clone(), last_log_term: 3 });
    assert_eq!(number(weak, &[Name::Term], Name::Term), Some(1));
    // What is looked for has perhaps a term of its own.
    let whole = encoded(&WholeEntry { epoch: 4, entry: inner });
    assert_eq!(number(whole, &[Name::Term, Name::Entries], Name::Term), Some(4));
    let log = Log { last_log_index: 5, last_log_term: 6 };
    let both = encoded(&LogAndEntries { term: 7, log, entries: vec![] });
    assert_eq!(number(both, &[Name::LastTerm, Name::Entries], Name::LastTerm), Some(6));
}

#[test]
fn a_number_of_another_name_does_not_lend_its_term() {
    let reply = by_names().answers(&Holder { last: Only { term: 4 }, success: true });
    assert_eq!(reply, Reply { term: None, yes: Some(true), ..Reply::default() });
}
