//! What the tasks of a server have in common.

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use labgob::Gob;
use labrt::channel::Sender;
use labrt::sync::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use crate::Machine;
use crate::batches::Queue;
use crate::pending::{Name, Pending, Told};
use crate::reads::ToRead;
use crate::stand::Stand;

/// What can be chosen when a server is made. By default nothing of it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many bytes the saved Raft state (log included, snapshot not) should stay below. As it
    /// comes near, the machine's snapshot takes the place of the log. `None`: never; then the log
    /// grows for ever, and is executed again from its beginning at each start.
    ///
    /// Go: `maxraftstate`, with -1 for `None`.
    pub max_raft_state: Option<usize>,
    /// Whether [`Rsm::read`](crate::Rsm::read) does without an entry in the log, where the Raft below can
    /// (see [`raft_api::Raft::read_index`]).
    pub read_index: bool,
    /// How many requests may share an entry of the log: those that come while Raft takes the entry before
    /// wait, and go into the next one together. `None`: each has an entry of its own.
    pub batch: Option<NonZeroUsize>,
}

/// What stands in the log: requests that have come together, to be executed in this order.
#[derive(Serialize, Deserialize, Gob)]
#[serde(bound = "Q: Gob")]
pub(crate) struct LogEntry<Q> {
    server: u64,
    number: u64,
    pub(crate) requests: Vec<Q>,
}

impl<Q> LogEntry<Q> {
    pub(crate) fn new(Name { server, number }: Name, requests: Vec<Q>) -> LogEntry<Q> {
        LogEntry { server, number, requests }
    }

    pub(crate) fn name(&self) -> Name {
        Name { server: self.server, number: self.number }
    }
}

/// What the tasks of a server share.
pub(crate) struct Shared<M: Machine> {
    pub(crate) pending: Mutex<Pending<M::Reply>>,
    /// Somebody waits, or the server is over.
    pub(crate) changed: Condvar,
    /// The machine, with where it stands in the log.
    pub(crate) stand: Stand<M>,
    /// Requests that wait for the next entry, if they share entries.
    pub(crate) queue: Queue<M>,
    /// Reads that need no entry.
    pub(crate) to_read: Sender<ToRead<M>>,
    /// Set at the end. Std's cell makes no step of a run.
    over: OnceLock<()>,
}

impl<M: Machine> Shared<M> {
    pub(crate) fn new(server: u64, machine: M, to_read: Sender<ToRead<M>>) -> Shared<M> {
        Shared {
            pending: Mutex::new(Pending::new(server)),
            changed: Condvar::new(),
            stand: Stand::new(machine),
            queue: Queue::default(),
            to_read,
            over: OnceLock::new(),
        }
    }

    /// True after [`end`](Shared::end).
    pub(crate) fn is_over(&self) -> bool {
        self.over.get().is_some()
    }

    /// Changes the table of those who wait, and tells those who need wait no longer.
    pub(crate) fn update(
        &self,
        change: impl FnOnce(&mut Pending<M::Reply>) -> Vec<Told<M::Reply>>,
    ) {
        let told = change(&mut self.pending.lock());
        told.into_iter().for_each(Told::tell);
    }

    /// Nothing will be executed here any more.
    pub(crate) fn end(&self) {
        let _ = self.over.set(()); // a second end changes nothing
        self.update(Pending::end);
        self.changed.notify_all();
        self.queue.end().into_iter().for_each(Told::tell);
        self.stand.end();
        // If nobody receives it, nobody reads.
        let _ = self.to_read.send(ToRead::End);
    }
}
