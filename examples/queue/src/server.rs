//! A server: an RPC handler on a replicated machine.

use std::sync::Arc;

use labrpc::{ClientEnd, Reply, Service};
use persister::Persister;
use rsm::once::{Numbered, Once};
use rsm::{MakeError, Options, Rsm};

use crate::machine::Fifo;
use crate::message::{Outcome, Queue, QueueService, Request};
use crate::mistake::{Front, Mistake};

/// A server of the queue.
#[derive(Debug)]
pub struct Server {
    rsm: Arc<Rsm<Once<Fifo>, raft::Raft>>,
    front: Front,
    mistake: Option<Mistake>,
}

impl Server {
    /// Makes a server: its queue, as the persister has it, and its Raft. `max_raft_state`: how many bytes
    /// its log should stay below, by snapshots. A right server has no mistake.
    ///
    /// # Errors
    /// If what the persister holds cannot be read or understood.
    pub fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        mistake: Option<Mistake>,
    ) -> Result<Arc<Server>, MakeError> {
        let options = Options { max_raft_state, ..Options::default() };
        let front = Front::default();
        let machine = Once::new(Fifo::new(front.clone()));
        let rsm = Rsm::make(peers, me, persister, options, machine)?;
        Ok(Arc::new(Server { rsm, front, mistake }))
    }

    /// What it offers on the network: to the other servers, and to clerks.
    pub fn services(self: Arc<Self>) -> Vec<Service> {
        let mut services = self.rsm.services();
        services.push(QueueService::of(self));
        services
    }

    /// Ends it: whoever waits is told so.
    pub fn kill(&self) {
        self.rsm.kill();
    }

    /// What it answers without the log. A right server answers nothing so.
    fn answer_at_once(&self, request: &Request) -> Option<Outcome> {
        let mistake = self.mistake.filter(|_| self.rsm.state().is_leader)?;
        mistake.answer(request, &self.front)
    }
}

impl Queue for Server {
    fn execute(&self, request: Numbered<Request>, reply: Reply<Option<Outcome>>) {
        if let Some(outcome) = self.answer_at_once(&request.request) {
            if outcome != Outcome::Dequeued(None) {
                self.rsm.submit_then(request, |_| ());
            }
            return reply.send(Some(outcome));
        }
        // Without a reply the machine's answer is `None` too: the clerk has gone on, and does not wait.
        self.rsm.submit_then(request, |result| reply.send(result.ok().flatten()));
    }
}
