//! State and snapshot are one: saved in one step, read together, refused if they do not fit.

use std::sync::Arc;

use bytes::Bytes;
use labrt::rng::{RngExt, Stream};
use persister::{MemoryPersister, Persister};
use raft::rules::{Core, Unsaved};
use raft::storage::{RestoreError, Storage, restore};
use raft::{AppendEntriesArgs, Entry, InstallSnapshotArgs, Place, Stored};

use crate::model::Watched;

/// A follower whose state is saved after each event.
struct Follower {
    core: Core,
    storage: Storage,
    persister: Arc<Watched>,
}

impl Follower {
    fn new() -> Follower {
        let persister = Arc::new(Watched::default());
        let (storage, stored) = Storage::open(persister.clone()).unwrap();
        Follower { core: Core::new(0, 3, stored), storage, persister }
    }

    fn save(&mut self) {
        let output = self.core.take_output();
        let writes = self.persister.writes();
        self.storage.save(&self.core, &output.unsaved).unwrap();
        let expected = u64::from(!output.unsaved.is_empty());
        assert_eq!(self.persister.writes() - writes, expected, "{:?}", output.unsaved);
    }

    /// The leader of the next term puts entries of these sizes behind entry `prev`, and says that all
    /// up to `commit` are committed.
    fn append(&mut self, prev: u64, sizes: &[usize], commit: u64) {
        let term = self.core.term() + 1;
        let entry = |&size: &usize| Entry { term, command: vec![b'c'; size].into() };
        let args = AppendEntriesArgs {
            term,
            leader_id: 1,
            prev_log_index: prev,
            prev_log_term: self.core.log().term_at(prev).unwrap(),
            entries: sizes.iter().map(entry).collect(),
            leader_commit: commit,
        };
        assert!(self.core.append_entries(&args).success);
        self.save();
    }

    fn snapshot(&mut self, index: u64, size: usize) {
        self.core.take_snapshot(index, vec![b's'; size].into());
        self.save();
    }

    fn install(&mut self, last: Place, size: usize) {
        let args = InstallSnapshotArgs {
            term: self.core.term().max(last.term),
            leader_id: 1,
            last_included_index: last.index,
            last_included_term: last.term,
            data: vec![b'i'; size].into(),
        };
        self.core.install_snapshot(&args);
        self.save();
    }

    /// What a restart finds is what is there.
    fn check(&self) {
        let (_, found) = Storage::open(self.persister.clone()).unwrap();
        let (hard, log) = (self.core.hard_state(), self.core.log().clone());
        assert_eq!(found, Stored { hard, log, snapshot: self.core.snapshot().clone() });
    }
}

//= snapshot.together
#[test]
fn what_was_saved_comes_back_whatever_is_forgotten() {
    let (mut taken, mut installed) = (0, 0);
    for seed in 0..60 {
        let mut rng = Stream::seeded(seed);
        let mut follower = Follower::new();
        for step in 0..200 {
            let (commit, last) = (follower.core.commit_index(), follower.core.log().last_index());
            let base = follower.core.log().base().index;
            match rng.random_range(0..20) {
                0 => {
                    follower.core.election_timeout();
                    follower.save();
                }
                1 if commit > base => {
                    follower.snapshot(rng.random_range(base + 1..=commit), 1 + step);
                    taken += 1;
                }
                2 => {
                    let term = follower.core.term().max(1);
                    let index = commit + rng.random_range(1..20);
                    let before = follower.core.log().base();
                    follower.install(Place { index, term }, 1 + step);
                    installed += u64::from(before != follower.core.log().base());
                }
                _ => {
                    let prev = rng.random_range(commit..=last);
                    let count = rng.random_range(0..5);
                    let sizes: Vec<_> = (0..count).map(|_| rng.random_range(0..300)).collect();
                    follower.append(prev, &sizes, rng.random_range(0..=prev + count));
                }
            }
            if step % 7 == 0 {
                // A restart goes on with what is there.
                let (storage, _) = Storage::open(follower.persister.clone()).unwrap();
                follower.storage = storage;
            }
            follower.check();
        }
    }
    assert!(taken > 200 && installed > 200, "{taken} taken, {installed} installed");
}

/// How many bytes are written to save one more entry, in a log of this length behind a snapshot of this
/// size.
fn cost_of_one_more(length: usize, snapshot: usize) -> u64 {
    let mut follower = Follower::new();
    follower.append(0, &[10], 1);
    follower.snapshot(1, snapshot);
    follower.append(1, &vec![10; length], 1);
    let before = follower.persister.bytes_written();
    let last = follower.core.log().last_index();
    follower.append(last, &[10], 1);
    follower.persister.bytes_written() - before
}

#[test]
fn saving_one_more_entry_costs_the_same_behind_a_large_snapshot() {
    let (small, large) = (cost_of_one_more(1_000, 1), cost_of_one_more(1_000, 10_000_000));
    assert_eq!(small, large);
    assert!(small < 50, "{small} bytes for a command of 10");
    let long = cost_of_one_more(100_000, 10_000_000);
    assert!(long <= small + 2, "{small} bytes at 1,000, {long} at 100,000");
}

/// What a snapshot covers is not in the state any more, whatever was appended before.
#[test]
fn a_snapshot_makes_the_state_small() {
    let mut follower = Follower::new();
    for number in 0..100 {
        follower.append(number, &[1_000], number + 1);
    }
    assert!(follower.persister.raft_state_size() > 100_000);
    follower.snapshot(99, 7);
    let size = follower.persister.raft_state_size();
    assert!(size < 1_050, "{size} bytes for an entry of 1,000");
}

/// What the lab's part 2D measures: ten entries and more behind a snapshot, saved one by one, and an
/// election now and then.
#[test]
fn the_state_stays_below_the_lab_s_limit() {
    let mut follower = Follower::new();
    let mut most = 0;
    for number in 0..300 {
        follower.append(number, &[12], number + 1);
        if number % 5 == 0 {
            follower.core.election_timeout();
            follower.save();
        }
        if number % 25 == 24 {
            most = most.max(follower.persister.raft_state_size());
            follower.snapshot(number, 1_000);
        }
    }
    assert!((500..2_000).contains(&most), "{most} bytes");
}

/// Each state that a follower has saved on its way, with the snapshot of that moment.
fn history() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut follower = Follower::new();
    let pair = |of: &Follower| {
        (of.persister.read_raft_state().unwrap(), of.persister.read_snapshot().unwrap())
    };
    let mut pairs = vec![pair(&follower)];
    follower.append(0, &[3, 4, 5, 6], 3);
    pairs.push(pair(&follower));
    follower.snapshot(2, 9);
    pairs.push(pair(&follower));
    follower.append(4, &[5, 6], 5);
    pairs.push(pair(&follower));
    follower.install(Place { index: 20, term: 2 }, 11);
    pairs.push(pair(&follower));
    follower.append(20, &[7], 20);
    pairs.push(pair(&follower));
    pairs
}

fn open(state: &[u8], snapshot: &[u8]) -> Result<Stored, RestoreError> {
    let persister = Arc::new(MemoryPersister::new());
    persister.save_state_and_snapshot(state, snapshot).unwrap();
    let opened = Storage::open(persister.clone()).map(|(_, stored)| stored);
    assert_eq!(persister.read_raft_state().unwrap(), state, "opening changes nothing");
    assert_eq!(persister.read_snapshot().unwrap(), snapshot, "opening changes nothing");
    opened
}

#[test]
fn a_state_without_its_snapshot_and_a_snapshot_without_its_state_are_refused() {
    let pairs = history();
    for (state, snapshot) in &pairs {
        open(state, snapshot).expect("it was saved");
        let (_, log) = restore(state).unwrap();
        let other: &[u8] = if snapshot.is_empty() { b"another one" } else { b"" };
        let error = open(state, other).expect_err("half of it is from elsewhere");
        let found = match &error {
            RestoreError::Apart { base, snapshot } => (*base, *snapshot),
            error => panic!("{error}"),
        };
        assert_eq!(found, (log.base().index, other.len()));
        let words = error.to_string();
        for part in ["do not belong together", "does not start", "restore both"] {
            assert!(words.contains(part), "`{part}` is not in: {words}");
        }
    }
}

#[test]
fn a_damaged_base_is_an_error_or_another_base_and_never_no_base() {
    let (state, snapshot) = &history()[2];
    let mut errors = 0;
    for cut in 1..state.len() {
        open(&state[..cut], snapshot).expect_err("a record was cut off");
    }
    for place in 0..state.len() {
        for bit in 0..8 {
            let mut flipped = state.clone();
            flipped[place] ^= 1 << bit;
            match open(&flipped, snapshot) {
                Ok(stored) => assert!(stored.log.base().index > 0, "bit {bit} of byte {place}"),
                Err(_) => errors += 1,
            }
        }
    }
    assert!(errors > 50, "only {errors} flips were noticed");
}

/// What is said of these states, one after the other in one file.
fn joined(numbers: &[usize]) -> String {
    let pairs = history();
    let states: Vec<_> = numbers.iter().map(|number| &pairs[*number].0[..]).collect();
    open(&states.concat(), b"snapshot").expect_err("two states in one").to_string()
}

#[test]
fn a_log_begins_once() {
    let words = joined(&[1, 2]);
    assert!(words.contains("a snapshot up to entry 2 after other records"), "{words}");
    let words = joined(&[2, 4]);
    assert!(words.contains("a snapshot up to entry 20 after other records"), "{words}");
}

/// A state that says this of its base.
fn with_base(base: Place) -> String {
    let log = raft::Log::behind(base);
    let core = Core::new(0, 3, Stored { log, snapshot: "s".into(), ..Stored::default() });
    let persister = Arc::new(MemoryPersister::new());
    let (mut storage, _) = Storage::open(persister.clone()).unwrap();
    storage.save(&core, &Unsaved { snapshot: true, ..Unsaved::default() }).unwrap();
    open(&persister.read_raft_state().unwrap(), b"s").expect_err("it is impossible").to_string()
}

#[test]
fn an_impossible_base_is_noticed() {
    // The server's term is 0.
    let words = with_base(Place { index: 7, term: 3 });
    assert!(words.contains("a snapshot up to entry 7 of term 3 in term 0"), "{words}");
    let words = with_base(Place { index: 7, term: 0 });
    assert!(words.contains("a snapshot up to entry 7 of term 0 in term 0"), "{words}");
}

//= snapshot.together
/// Whichever of its writes fails, the pair on the disk is one that was saved: a save is one write.
#[test]
fn a_failed_save_leaves_the_pair_before_it() {
    let saves_with_a_failing_write = |number: u64| {
        let mut follower = Follower::new();
        follower.append(0, &[3, 4, 5, 6], 4);
        follower.snapshot(2, 9);
        follower.check();
        let before = follower.core.clone();
        follower.core.take_snapshot(4, Bytes::from("new"));
        let output = follower.core.take_output();
        follower.persister.fail_at(follower.persister.writes() + number);
        let saved = follower.storage.save(&follower.core, &output.unsaved).is_ok();
        if !saved {
            follower.core = before;
        }
        follower.check();
        saved
    };
    assert!(!saves_with_a_failing_write(1));
    assert!(saves_with_a_failing_write(2), "there is no second write that can fail");
}
