//! What was saved comes back, and what saving costs.

use labrt::rng::{RngExt, Stream};
use persister::Persister;
use raft::RequestVoteArgs;
use raft::storage::Storage;

use crate::model::Saved;

//= lab.restart, state.term-grows
#[test]
fn what_was_saved_comes_back_whatever_the_history() {
    for seed in 0..60 {
        let mut rng = Stream::seeded(seed);
        let mut saved = Saved::new(3);
        for step in 0..200 {
            match rng.random_range(0..10) {
                0 => saved.stand(),
                1 => saved.replace(rng.random_range(0..=saved.entries.len()), &[]),
                2..4 => {
                    let prev = rng.random_range(0..=saved.entries.len());
                    saved.replace(prev, &[rng.random_range(0..2000)]);
                }
                _ => {
                    let count = rng.random_range(1..6);
                    let sizes: Vec<_> = (0..count).map(|_| rng.random_range(0..300)).collect();
                    saved.replace(saved.entries.len(), &sizes);
                }
            }
            if step % 7 == 0 {
                // A restart goes on with what is there.
                let (storage, ..) = Storage::open(saved.persister.clone()).unwrap();
                saved.storage = storage;
            }
            saved.check();
        }
    }
}

#[test]
fn the_state_stays_within_about_twice_what_is_live() {
    let mut rng = Stream::seeded(0);
    let mut saved = Saved::new(3);
    let mut replacements = 0;
    for _ in 0..5_000 {
        let before = saved.persister.replacements();
        let prev = rng.random_range(0..=saved.entries.len().min(40));
        saved.replace(prev, &[rng.random_range(0..200), rng.random_range(0..200)]);
        replacements += saved.persister.replacements() - before;
        // An entry takes its command, and less than 16 bytes more.
        let live: usize = saved.entries.iter().map(|entry| entry.command.len() + 16).sum();
        let size = saved.persister.raft_state_size();
        assert!(size <= 2 * live + (2 << 10), "{size} bytes for {live} that are live");
    }
    // Otherwise the history was too short to show anything.
    assert!(replacements > 10, "only {replacements} times was the whole state written");
    assert!(replacements < 1_000, "{replacements} times was the whole state written");
}

#[test]
fn terms_that_change_for_ever_do_not_fill_the_disk() {
    let mut saved = Saved::new(3);
    for _ in 0..20_000 {
        saved.stand();
        assert!(saved.persister.raft_state_size() <= 2 << 10);
    }
    saved.check();
}

/// How many bytes are written to save one more entry in a log of this length.
fn cost_of_one_more(length: usize) -> u64 {
    let mut saved = Saved::new(1);
    saved.core.election_timeout();
    (0..length).for_each(|_| saved.propose(10));
    saved.save();
    let before = saved.persister.bytes_written();
    saved.propose(10);
    saved.save();
    saved.persister.bytes_written() - before
}

#[test]
fn saving_one_more_entry_costs_the_same_in_a_long_log() {
    let (short, long) = (cost_of_one_more(1_000), cost_of_one_more(100_000));
    // A large index takes two bytes more than a small one.
    assert!(short <= long && long <= short + 2, "{short} bytes at 1,000, {long} at 100,000");
    assert!(long < 40, "{long} bytes for a command of 10");
}

#[test]
fn writing_the_whole_state_now_and_then_does_not_add_up() {
    let mut saved = Saved::new(1);
    saved.core.election_timeout();
    for _ in 0..20_000 {
        saved.propose(10);
        saved.save();
    }
    let (written, size) =
        (saved.persister.bytes_written(), saved.persister.raft_state_size() as u64);
    assert!(written < 4 * size, "{written} bytes were written for a state of {size}");
}

#[test]
fn nothing_changed_means_nothing_written() {
    let mut saved = Saved::new(3);
    saved.replace(0, &[5]);
    let before = (saved.persister.bytes_written(), saved.bytes());
    saved.core.request_vote(&RequestVoteArgs {
        term: 0,
        candidate_id: 1,
        last_log_index: 0,
        last_log_term: 0,
    });
    saved.save();
    assert_eq!((saved.persister.bytes_written(), saved.bytes()), before);
}
