//! The machine, with where it stands in the log.

use labrt::sync::{Condvar, Mutex, MutexGuard};

/// A machine that one task executes requests on, and another one may read.
pub(crate) struct Stand<M> {
    inner: Mutex<At<M>>,
    /// It has come to the index that is awaited, or comes no further.
    moved: Condvar,
}

/// A machine at an index.
pub(crate) struct At<M> {
    pub(crate) machine: M,
    /// The last index that was executed, or is part of the snapshot that was restored.
    executed: u64,
    /// The index that a reader waits for.
    awaited: Option<u64>,
    over: bool,
}

impl<M> Stand<M> {
    pub(crate) fn new(machine: M) -> Stand<M> {
        let at = At { machine, executed: 0, awaited: None, over: false };
        Stand { inner: Mutex::new(at), moved: Condvar::new() }
    }

    /// The machine, to read it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, At<M>> {
        self.inner.lock()
    }

    /// Takes the machine to an index. If that fails, it has not come there.
    pub(crate) fn move_to<T, E>(
        &self,
        index: u64,
        change: impl FnOnce(&mut M) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut at = self.inner.lock();
        let result = change(&mut at.machine)?;
        at.executed = index;
        if at.awaited.is_some_and(|awaited| awaited <= index) {
            at.awaited = None;
            self.moved.notify_all();
        }
        Ok(result)
    }

    /// Waits until all up to an index is executed, and reads the machine. `None` if it comes no further.
    pub(crate) fn read_at<T>(&self, index: u64, read: impl FnOnce(&M) -> T) -> Option<T> {
        let mut at = self.inner.lock();
        while at.executed < index && !at.over {
            at.awaited = Some(index);
            self.moved.wait(&mut at);
        }
        // It may have ended in the middle of a change.
        (!at.over).then(|| read(&at.machine))
    }

    /// Nothing more will be executed.
    pub(crate) fn end(&self) {
        self.inner.lock().over = true;
        self.moved.notify_all();
    }
}
