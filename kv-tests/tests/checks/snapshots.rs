//! What a Raft does wrong with the snapshots of a service is found, though the service tells nobody of them.

use std::sync::Arc;

use kv_tests::Subject;
use persister::{PersistError, Persister};
use tester::Run;

use crate::around::{Around, Habit};

/// What is saved in place of a state with a snapshot.
trait Saves: Send + Sync + 'static {
    fn both(to: &dyn Persister, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError>;
}

/// A persister that saves something else.
struct Other<S>(Arc<dyn Persister>, std::marker::PhantomData<S>);

impl<S: Saves> Persister for Other<S> {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.0.save_raft_state(state)
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.0.append_raft_state(record)
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.0.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.0.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        S::both(&*self.0, state, snapshot)
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.0.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.0.snapshot_size()
    }
}

/// The first snapshot is the last one that is saved; the log is cut off all the same.
struct LeavesIt;

impl Saves for LeavesIt {
    fn both(to: &dyn Persister, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        match to.snapshot_size() {
            0 => to.save_state_and_snapshot(state, snapshot),
            _ => to.save_raft_state(state),
        }
    }
}

/// The log is cut off, and no snapshot is there.
struct ErasesIt;

impl Saves for ErasesIt {
    fn both(to: &dyn Persister, state: &[u8], _: &[u8]) -> Result<(), PersistError> {
        to.save_state_and_snapshot(state, &[])
    }
}

/// A new state stands beside the snapshot only after another save.
struct SnapshotFirst;

impl Saves for SnapshotFirst {
    fn both(to: &dyn Persister, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        let before = to.read_raft_state()?;
        to.save_state_and_snapshot(&before, snapshot)?;
        to.save_raft_state(state)
    }
}

impl<S: Saves> Habit for S {
    fn persister(given: Arc<dyn Persister>) -> Arc<dyn Persister> {
        Arc::new(Other::<S>(given, std::marker::PhantomData))
    }
}

/// What is said of a test without crashes, in which nobody lacks a snapshot.
fn said<S: Saves>(test: &'static str) -> Option<String> {
    let subject = Subject::of::<kv::Server<Around<S>>, kv::Clerk>();
    let play = move || kv_tests::test(test, subject).play(&Run::silent());
    labrt::simulate(0, play).err().map(|failure| failure.message)
}

#[test]
fn a_log_that_is_cut_off_beside_an_old_snapshot() {
    let words = said::<LeavesIt>("snapshot_size_3B").expect("it is found");
    assert!(words.contains("beside it a snapshot that was saved at "), "{words}");
    assert!(words.contains("when it could know only that "), "{words}");
}

#[test]
fn a_log_that_is_cut_off_without_a_snapshot() {
    let words = said::<ErasesIt>("snapshot_size_3B").expect("it is found");
    assert!(words.contains("but beside it no snapshot is saved"), "{words}");
}

#[test]
fn a_snapshot_that_is_saved_before_its_state_is_in_order() {
    for test in ["snapshot_size_3B", "snapshot_unreliable_recover_3B"] {
        assert_eq!(said::<SnapshotFirst>(test), None);
    }
}
