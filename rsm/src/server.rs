//! A server: a machine on a Raft.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel;
use labrt::rng::{self, RngExt};
use labrt::sync::{Condvar, Mutex};
use labrt::thread;
use persister::Persister;
use raft_api::{Raft, RaftState};
use rsm_api::WrongLeader;

use crate::pending::{Pending, Tell};
use crate::reader::Reader;
use crate::shared::{LogEntry, Options, Shared};
use crate::{Machine, MakeError, SubmitError};

/// How often a server on which somebody waits looks whether it still leads.
const LOOK: Duration = Duration::from_millis(100);

/// One server of a replicated machine.
///
/// Go (2025): the type `RSM`.
pub struct Rsm<M: Machine, R: Raft> {
    raft: Arc<R>,
    shared: Arc<Shared<M>>,
}

impl<M: Machine, R: Raft> Rsm<M, R> {
    /// Makes a server: its machine, as the persister's snapshot has it, and its Raft, as
    /// [`Raft::make`] does. Returns quickly.
    ///
    /// # Errors
    /// If the snapshot or the Raft state cannot be read or understood. Such a server must not start
    /// afresh.
    pub fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        options: Options,
        machine: M,
    ) -> Result<Arc<Rsm<M, R>>, MakeError> {
        let pending = Mutex::new(Pending::new(rng::node_stream().random()));
        let shared = Arc::new(Shared { pending, changed: Condvar::new() });
        let reader = Reader::restored(machine, persister.clone(), options, shared.clone())?;
        // No buffer: what Raft has handed over is executed.
        let (apply, committed) = channel::bounded(0);
        let raft = R::make(peers, me, persister, apply).map_err(MakeError::Raft)?;
        let below = raft.clone();
        thread::Builder::new().name("rsm reader").spawn(move || reader.run(&*below, &committed));
        let rsm = Arc::new(Rsm { raft, shared });
        let looking = rsm.clone();
        thread::Builder::new().name("rsm leadership").spawn(move || looking.look());
        Ok(rsm)
    }

    /// The Raft below.
    pub fn raft(&self) -> &Arc<R> {
        &self.raft
    }

    /// What the other servers of the cluster may call: Raft's services. Servers of a replicated
    /// machine have nothing else to say to each other.
    pub fn services(&self) -> Vec<Service> {
        self.raft.clone().services()
    }

    /// What this server believes about its term and its role.
    pub fn state(&self) -> RaftState {
        self.raft.state()
    }

    /// Has a request executed on all servers; waits for it, and returns what the machine here said.
    ///
    /// Ends as soon as it is known that there will be no reply, but waits while this server leads:
    /// also if it is cut off and cannot know that another one leads by now.
    ///
    /// # Errors
    /// See [`SubmitError`]. [`may_have_happened`](SubmitError::may_have_happened) tells those after
    /// which the request can be executed all the same.
    pub fn submit(&self, request: M::Request) -> Result<M::Reply, SubmitError> {
        let (sender, receiver) = channel::bounded(1);
        self.submit_then(request, move |result| {
            let _ = sender.send(result); // whoever asked may have been killed meanwhile
        });
        receiver.recv().unwrap_or(Err(SubmitError::Ended))
    }

    /// As [`submit`](Rsm::submit), but does not wait: `tell` is called with the result, once, from
    /// whichever task learns it (this one, too). It should not block: while it does, nothing is
    /// executed here.
    pub fn submit_then(
        &self,
        request: M::Request,
        tell: impl FnOnce(Result<M::Reply, SubmitError>) + Send + 'static,
    ) {
        let tell: Tell<M::Reply> = Box::new(tell);
        let begun = self.shared.pending.lock().begin(tell);
        let name = match begun {
            Ok(name) => name,
            Err(told) => return told.tell(),
        };
        let command = labgob::encode(&LogEntry::new(name, request));
        // Without the lock: a Raft may take its time here, and may have the entry executed before
        // it returns.
        match self.raft.start(Bytes::from(command)) {
            Some(place) => {
                self.shared.update(|pending| pending.started(name, place));
                self.shared.changed.notify_one();
            }
            None => self.shared.update(|pending| pending.refused(name).into_iter().collect()),
        }
    }

    /// Ends this server: all who wait are told so, and its Raft is killed.
    pub fn kill(&self) {
        self.raft.kill();
        self.shared.end();
    }

    /// Looks now and then whether this server still leads, while somebody waits. Nothing else tells
    /// a leader that was deposed: it may be that nothing is ever executed at its old places.
    fn look(&self) {
        loop {
            let mut pending = self.shared.pending.lock();
            while pending.is_empty() && !pending.is_over() {
                self.shared.changed.wait(&mut pending);
            }
            if pending.is_over() {
                return;
            }
            let placed = pending.placed();
            drop(pending);
            let RaftState { term, is_leader } = self.raft.state();
            self.shared.update(|pending| pending.looked(placed, term, is_leader));
            thread::sleep(LOOK);
        }
    }
}

impl<M: Machine, R: Raft> rsm_api::Server for Rsm<M, R> {
    type Machine = M;
    type Raft = R;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        machine: M,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        Ok(Rsm::make(peers, me, persister, Options { max_raft_state }, machine)?)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        Rsm::services(&self)
    }

    fn submit(&self, request: M::Request) -> Result<M::Reply, WrongLeader> {
        Rsm::submit(self, request).map_err(|_| WrongLeader)
    }

    fn raft(&self) -> &R {
        Rsm::raft(self)
    }

    fn kill(&self) {
        Rsm::kill(self);
    }
}

impl<M: Machine, R: Raft> fmt::Debug for Rsm<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rsm").finish_non_exhaustive()
    }
}
