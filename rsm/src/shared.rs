//! What the tasks of a server have in common.

use labgob::Gob;
use labrt::sync::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use crate::Machine;
use crate::pending::{Name, Pending, Told};

/// What can be chosen when a server is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many bytes the saved Raft state (log included, snapshot not) should stay below. As it
    /// comes near, the machine's snapshot takes the place of the log. `None`: never; then the log
    /// grows for ever, and is executed again from its beginning at each start.
    ///
    /// Go: `maxraftstate`, with -1 for `None`.
    pub max_raft_state: Option<usize>,
}

/// What stands in the log for a request.
#[derive(Serialize, Deserialize, Gob)]
#[serde(bound = "Q: Gob")]
pub(crate) struct LogEntry<Q> {
    server: u64,
    number: u64,
    pub(crate) request: Q,
}

impl<Q> LogEntry<Q> {
    pub(crate) fn new(Name { server, number }: Name, request: Q) -> LogEntry<Q> {
        LogEntry { server, number, request }
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
}

impl<M: Machine> Shared<M> {
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
        self.update(Pending::end);
        self.changed.notify_all();
    }
}
