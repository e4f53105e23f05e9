//! Bytes that are not what was saved.

use std::sync::Arc;

use labrt::rng::{RngExt, Stream};
use persister::{MemoryPersister, Persister};
use raft::rules::{Core, Unsaved};
use raft::storage::{RestoreError, Storage};
use raft::{HardState, Log, Raft, Stored};
use raft_api::Raft as _;

use crate::model::{Saved, history};

/// What a server finds in these bytes.
fn open(bytes: &[u8]) -> Result<(HardState, Log), RestoreError> {
    let persister = Arc::new(MemoryPersister::new());
    persister.save_raft_state(bytes).unwrap();
    let opened = Storage::open(persister.clone()).map(|(_, stored)| (stored.hard, stored.log));
    assert_eq!(persister.read_raft_state().unwrap(), bytes, "opening changes nothing");
    if let Ok(state) = &opened {
        let fresh = (HardState::default(), Log::default());
        assert!(bytes.is_empty() || *state != fresh, "a fresh start from {bytes:?}");
    }
    opened
}

#[test]
fn bytes_cut_off_are_an_error_or_an_earlier_whole_state() {
    let (bytes, ends) = history();
    for cut in 1..=bytes.len() {
        let whole = ends.iter().find(|(end, ..)| *end == cut);
        match (open(&bytes[..cut]), whole) {
            (Ok((hard, log)), Some((_, was, had))) => assert_eq!((&hard, &log), (was, had)),
            (Err(RestoreError::Corrupt { position, size, .. }), None) => {
                let before = ends.iter().map(|(end, ..)| *end).rfind(|end| *end < cut);
                assert_eq!((position, size), (before.unwrap_or(0), cut));
            }
            (found, whole) => panic!("{found:?} after {cut} bytes, {whole:?}"),
        }
    }
}

#[test]
fn flipped_bits_never_start_a_server_afresh() {
    // A flipped bit of a command is a command: checksums are the persister's business.
    let (bytes, ends) = history();
    let starts: Vec<_> = [0].into_iter().chain(ends.iter().map(|(end, ..)| *end)).collect();
    let mut errors = 0;
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            let opened = open(&flipped);
            errors += u32::from(opened.is_err());
            // A record begins with four bytes that say what it is.
            let of_the_type = starts.iter().any(|start| (*start..start + 4).contains(&place));
            assert!(!of_the_type || opened.is_err(), "bit {bit} of byte {place}");
        }
    }
    assert!(errors > 500, "only {errors} flips were noticed");
}

#[test]
fn a_state_that_has_grown_is_read_like_any_other() {
    let (bytes, ends) = history();
    for start in [0].into_iter().chain(ends.iter().map(|(end, ..)| *end)) {
        let known = Raft::read_persisted(&bytes[..start]).unwrap();
        let check = |state: &[u8]| {
            let appended = Raft::read_appended(known.clone(), &state[start..]);
            assert_eq!(appended, Raft::read_persisted(state), "{state:?} from {start} on");
        };
        check(&bytes);
        for place in start..bytes.len() {
            check(&bytes[..place]);
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                check(&flipped);
            }
        }
    }
}

#[test]
fn records_in_another_order_never_start_a_server_afresh() {
    let (bytes, ends) = history();
    let starts: Vec<_> = [0].into_iter().chain(ends.iter().map(|(end, ..)| *end)).collect();
    let record = |number: usize| &bytes[starts[number]..starts[number + 1]];
    for first in 0..ends.len() {
        for second in first + 1..ends.len() {
            let mut order: Vec<_> = (0..ends.len()).collect();
            order.swap(first, second);
            let mixed = order.into_iter().map(record).collect::<Vec<_>>().concat();
            // Terms go up from record to record here, so any other order contradicts itself.
            let error = open(&mixed).expect_err("terms that go back");
            assert!(matches!(error, RestoreError::Impossible { .. }), "{error}");
            assert!(error.to_string().contains("contradicts itself"), "{error}");
        }
        // Without this record the rest may make sense: it may have been replaced later.
        let left = (0..ends.len()).filter(|number| *number != first).map(record);
        let _ = open(&left.collect::<Vec<_>>().concat());
    }
}

/// What is said of a state from which the record with this number is missing: an election, and then
/// three commands.
fn without_record(missing: usize) -> String {
    let mut saved = Saved::new(1);
    saved.stand();
    let mut records = vec![saved.bytes()];
    for number in 1..4 {
        saved.propose(number);
        saved.save();
        records.push(saved.bytes()[records.concat().len()..].to_vec());
    }
    assert!(open(&records.concat()).is_ok());
    records.remove(missing);
    open(&records.concat()).expect_err("a record is missing").to_string()
}

#[test]
fn a_missing_record_is_noticed_by_what_follows_it() {
    let without_the_term = without_record(0);
    assert!(
        without_the_term.contains("an entry of term 1 follows one of term 0 in term 0"),
        "{without_the_term}"
    );
    for (missing, words) in [(1, "index 2 follow entry 0"), (2, "index 3 follow entry 1")] {
        let without_an_entry = without_record(missing);
        assert!(without_an_entry.contains(words), "{without_an_entry}");
    }
}

/// What is said of a state to which two servers have written, each with the vote of its own.
fn after_votes_of_two_servers(terms: [u64; 2]) -> Result<(HardState, Log), RestoreError> {
    let persister = Arc::new(MemoryPersister::new());
    for (vote, term) in (1..).zip(terms) {
        let hard = HardState { term, voted_for: Some(vote) };
        let core = Core::new(0, 3, Stored { hard, ..Stored::default() });
        let (mut storage, ..) = Storage::open(persister.clone()).expect("what was saved so far");
        storage.save(&core, &Unsaved { hard_state: true, ..Unsaved::default() }).unwrap();
    }
    open(&persister.read_raft_state().unwrap())
}

#[test]
fn a_second_vote_in_a_term_and_an_earlier_term_are_noticed() {
    for terms in [[4, 4], [4, 3]] {
        let error = after_votes_of_two_servers(terms).expect_err("a contradiction").to_string();
        assert!(error.contains("contradicts itself"), "{error}");
    }
    let (hard, _) = after_votes_of_two_servers([4, 5]).unwrap();
    assert_eq!(hard, HardState { term: 5, voted_for: Some(2) });
}

#[test]
fn foreign_bytes_are_an_error() {
    let other = labgob::encode(&(7_u64, "another program's state".to_string()));
    let bare = labgob::encode(&HardState { term: 3, voted_for: Some(1) });
    let foreign: [&[u8]; 7] =
        [&other, &bare, b"\0", &[0; 64], &[0xff; 64], b"{\"term\": 3}", b"term=3 vote=1"];
    for bytes in foreign {
        let error = open(bytes).expect_err("not a Raft state");
        assert!(matches!(error, RestoreError::Corrupt { position: 0, .. }), "{error}");
    }
    // The same behind a good state.
    let (good, _) = history();
    for bytes in foreign {
        let error = open(&[&good, bytes].concat()).expect_err("not a Raft state");
        assert!(
            matches!(error, RestoreError::Corrupt { position, .. } if position == good.len()),
            "{error}"
        );
    }
    let mut rng = Stream::seeded(0);
    for _ in 0..10_000 {
        let length = rng.random_range(1..80);
        let bytes: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        open(&bytes).expect_err("random bytes");
        // What looks like a record at first.
        let _ = open(&[&good[..4], &bytes].concat());
    }
}
