//! Requests that share an entry of the log.
//!
//! A task takes all that waits and starts it as one entry. While Raft takes it (the leader's disk may be
//! slow), more requests come and wait for the next one. So nobody waits for others to come, and an entry
//! holds the more the more there is to do.

use labrt::sync::{Condvar, Mutex};

use crate::pending::{Tell, Told, all};
use crate::{Machine, SubmitError};

/// A request, and whom to tell how it ended.
pub(crate) type Submission<M> = (<M as Machine>::Request, Tell<<M as Machine>::Reply>);

/// Requests that wait for the next entry, in the order in which they came.
pub(crate) struct Queue<M: Machine> {
    inner: Mutex<Inner<M>>,
    /// There is something in it, or the server is over.
    changed: Condvar,
}

struct Inner<M: Machine> {
    waiting: Vec<Submission<M>>,
    over: bool,
}

impl<M: Machine> Default for Queue<M> {
    fn default() -> Queue<M> {
        let inner = Inner { waiting: Vec::new(), over: false };
        Queue { inner: Mutex::new(inner), changed: Condvar::new() }
    }
}

impl<M: Machine> Queue<M> {
    /// Adds a request at the end. `Err`: the server is over.
    pub(crate) fn add(&self, submission: Submission<M>) -> Result<(), Submission<M>> {
        let mut inner = self.inner.lock();
        if inner.over {
            return Err(submission);
        }
        inner.waiting.push(submission);
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for requests, and takes the first ones, `most` at most. `None`: the server is over.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Submission<M>>> {
        let mut inner = self.inner.lock();
        while inner.waiting.is_empty() {
            if inner.over {
                return None;
            }
            self.changed.wait(&mut inner);
        }
        let count = most.min(inner.waiting.len());
        Some(inner.waiting.drain(..count).collect())
    }

    /// The server is over: nothing is added any more. Returns all who wait: the task that would take them may
    /// be the one that has failed.
    pub(crate) fn end(&self) -> Vec<Told<M::Reply>> {
        let mut inner = self.inner.lock();
        inner.over = true;
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        self.changed.notify_all();
        all(waiting.into_iter().map(|(_, tell)| tell), SubmitError::Ended)
    }
}
