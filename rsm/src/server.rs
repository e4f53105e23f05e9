//! A server: a machine on a Raft.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel;
use labrt::rng::{self, RngExt};
use labrt::{Node, thread};
use persister::Persister;
use raft_api::{Raft, RaftState};
use rsm_api::WrongLeader;

use crate::batches::Submission;
use crate::pending::{Tell, Told};
use crate::reader::Reader;
use crate::shared::{LogEntry, Options, Shared};
use crate::{Machine, MakeError, SubmitError};

/// How often a server on which somebody waits looks whether it still leads.
const LOOK: Duration = Duration::from_millis(100);

/// One server of a replicated machine. It ends when it is [killed](Rsm::kill) or dropped, or when one of its
/// tasks panics.
///
/// Go (2025): the type `RSM`.
pub struct Rsm<M: Machine, R: Raft> {
    pub(crate) works: Works<M, R>,
}

/// What the tasks of a server work with. They do not hold the [`Rsm`] itself, so that it can be dropped.
pub(crate) struct Works<M: Machine, R: Raft> {
    pub(crate) raft: Arc<R>,
    pub(crate) shared: Arc<Shared<M>>,
    pub(crate) options: Options,
}

impl<M: Machine, R: Raft> Clone for Works<M, R> {
    fn clone(&self) -> Works<M, R> {
        let Works { raft, shared, options } = self;
        Works { raft: raft.clone(), shared: shared.clone(), options: *options }
    }
}

impl<M: Machine, R: Raft> Rsm<M, R> {
    /// Makes a server: its machine, as the persister's snapshot has it, and its Raft, as
    /// [`Raft::make`] does. Returns quickly.
    ///
    /// # Errors
    /// If the snapshot or the Raft state cannot be read or understood, or if they do not belong together.
    /// Such a server must not start afresh.
    pub fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        options: Options,
        machine: M,
    ) -> Result<Arc<Rsm<M, R>>, MakeError> {
        let (to_read, reads) = channel::unbounded();
        let shared = Arc::new(Shared::new(rng::node_stream().random(), machine, to_read));
        let reader = Reader::restored(persister.clone(), options, shared.clone())?;
        reader.check_saved_log::<R>()?;
        // No buffer: what Raft has handed over is executed.
        let (apply, committed) = channel::bounded(0);
        let raft = R::make(peers, me, persister, apply).map_err(MakeError::Raft)?;
        let works = Works { raft, shared, options };
        works.spawn("rsm reader", move |works| reader.run(&*works.raft, &committed));
        works.spawn("rsm leadership", Works::look);
        if options.read_index {
            works.spawn("rsm reads", move |works| works.answer_reads(&reads));
        }
        if let Some(most) = options.batch {
            works.spawn("rsm batches", move |works| works.start_batches(most.get()));
        }
        Ok(Arc::new(Rsm { works }))
    }

    /// The Raft below.
    pub fn raft(&self) -> &Arc<R> {
        &self.works.raft
    }

    /// What the other servers of the cluster may call: Raft's services. Servers of a replicated
    /// machine have nothing else to say to each other.
    pub fn services(&self) -> Vec<Service> {
        self.works.raft.clone().services()
    }

    /// What this server believes about its term and its role.
    pub fn state(&self) -> RaftState {
        self.works.raft.state()
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
        waiting(|tell| self.submit_then(request, tell))
    }

    /// As [`submit`](Rsm::submit), but does not wait: `tell` is called with the result, once, from
    /// whichever task learns it (this one, too). It should not block: while it does, nothing is
    /// executed here. Nor should it panic: on a task of this server that is this server's end.
    pub fn submit_then(
        &self,
        request: M::Request,
        tell: impl FnOnce(Result<M::Reply, SubmitError>) + Send + 'static,
    ) {
        self.works.submit_then(request, Box::new(tell));
    }

    /// Ends this server: all who wait are told so, and its Raft is killed.
    pub fn kill(&self) {
        self.works.raft.kill();
        self.works.shared.end();
    }

    /// True if it has ended, by [`kill`](Rsm::kill) or by itself: nothing will be executed here any more. To
    /// ask is no step of a simulated run.
    pub fn is_over(&self) -> bool {
        self.works.shared.is_over()
    }

    /// For a task of the service above: while it holds this, its panic is this server's end, and not only the
    /// task's. So no service goes on, and leads, of which a part is missing.
    pub fn ends_with_task(&self) -> EndsWithTask<M, R> {
        EndsWithTask(self.works.clone())
    }
}

impl<M: Machine, R: Raft> Works<M, R> {
    /// Starts a task that this server cannot do without.
    fn spawn(&self, name: &str, work: impl FnOnce(&Works<M, R>) + Send + 'static) {
        let ends = EndsWithTask(self.clone());
        thread::Builder::new().name(name).spawn(move || work(&ends.0));
    }

    pub(crate) fn submit_then(&self, request: M::Request, tell: Tell<M::Reply>) {
        let submission: Submission<M> = (request, tell);
        if self.options.batch.is_none() {
            return self.start(vec![submission]);
        }
        if let Err((_, tell)) = self.shared.queue.add(submission) {
            tell(Err(SubmitError::Ended));
        }
    }

    /// Starts what waits for an entry, entry by entry, until the server is over.
    fn start_batches(&self, most: usize) {
        while let Some(submissions) = self.shared.queue.take(most) {
            self.start(submissions);
        }
    }

    /// Starts an entry with these requests.
    fn start(&self, submissions: Vec<Submission<M>>) {
        let (requests, tells) = submissions.into_iter().unzip();
        let begun = self.shared.pending.lock().begin(tells);
        let name = match begun {
            Ok(name) => name,
            Err(told) => return told.into_iter().for_each(Told::tell),
        };
        let command = labgob::encode(&LogEntry::new(name, requests));
        let refuse = |why| self.shared.update(|pending| pending.refused(name, why));
        if !self.raft.state().is_leader {
            return refuse(SubmitError::NotLeader);
        }
        // Without the lock: a Raft may take its time here, and may have the entry executed before
        // it returns.
        match self.raft.start(Bytes::from(command)) {
            Some(place) => {
                self.shared.update(|pending| pending.started(name, place));
                self.shared.changed.notify_one();
            }
            // It led. It may have been deposed, and have refused; or it is over, and may have saved the command before
            // that. What it believes now does not tell: who is over does not lead, in whatever term it was deposed or
            // took the command.
            None => refuse(SubmitError::NoPlace),
        }
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

impl<M: Machine, R: Raft> Drop for Rsm<M, R> {
    fn drop(&mut self) {
        if !self.is_over() {
            self.kill();
        }
    }
}

/// Has a server end if a task panics that holds this: nobody must wait for what that task does no more, and another
/// server has to lead. See [`Rsm::ends_with_task`].
pub struct EndsWithTask<M: Machine, R: Raft>(Works<M, R>);

impl<M: Machine, R: Raft> Drop for EndsWithTask<M, R> {
    fn drop(&mut self) {
        let killed = || Node::current().is_some_and(|node| node.is_killed());
        if labrt::observe::is_unwinding() && !killed() {
            self.0.shared.end();
            self.0.raft.kill();
        }
    }
}

impl<M: Machine, R: Raft> fmt::Debug for EndsWithTask<M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndsWithTask").finish_non_exhaustive()
    }
}

/// Has something done that tells when it is done, and waits for that.
pub(crate) fn waiting<T: Send + 'static>(begin: impl FnOnce(Tell<T>)) -> Result<T, SubmitError> {
    let (sender, receiver) = channel::bounded(1);
    begin(Box::new(move |result| {
        let _ = sender.send(result); // whoever asked may have been killed meanwhile
    }));
    receiver.recv().unwrap_or(Err(SubmitError::Ended))
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
        let options = Options { max_raft_state, ..Options::default() };
        Ok(Rsm::make(peers, me, persister, options, machine)?)
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
