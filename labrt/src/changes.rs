//! Worlds in which, from some moments on, everything is drawn anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::world::splitmix;

/// A moment from which on all draws of a simulated world are others. Up to there a run is the same as
/// without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// When, since the world began.
    pub at: Duration,
    /// Which other draws.
    pub number: u64,
}

/// What all that draws in a world must know of its changes.
#[derive(Debug)]
pub(crate) struct Changes {
    /// In the order of their times.
    changes: Vec<Change>,
    /// The salt before the first of them.
    first_salt: u64,
    /// Made of the seed and of all changes that are done; each makes it another one.
    salt: AtomicU64,
}

impl Changes {
    /// None if nothing ever changes.
    pub(crate) fn new(seed: u64, mut changes: Vec<Change>) -> Option<Arc<Changes>> {
        changes.sort_by_key(|change| change.at);
        let first_salt = splitmix(seed);
        let salt = AtomicU64::new(first_salt);
        (!changes.is_empty()).then(|| Arc::new(Changes { changes, first_salt, salt }))
    }

    /// When the change behind so many others is due.
    pub(crate) fn due(&self, done: usize) -> Option<Duration> {
        self.changes.get(done).map(|change| change.at)
    }

    /// The change behind so many others is made.
    pub(crate) fn make(&self, done: usize) {
        let number = self.changes[done].number;
        self.salt.store(splitmix(self.salt.load(Relaxed) ^ splitmix(number)), Relaxed);
    }

    pub(crate) fn first_salt(&self) -> u64 {
        self.first_salt
    }

    pub(crate) fn salt(&self) -> u64 {
        self.salt.load(Relaxed)
    }

    /// What somebody with this seed draws from now.
    pub(crate) fn seed(&self, own: u64) -> u64 {
        splitmix(own ^ self.salt())
    }
}
