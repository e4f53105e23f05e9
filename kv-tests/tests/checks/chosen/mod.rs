//! The reference server with what can be chosen beyond the course, as a server under test.

pub(crate) mod scenario;

use std::error::Error;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;

use kv::Options;
use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;

/// What is chosen.
pub(crate) trait Choice: Send + Sync + 'static {
    /// Reads do without a log entry.
    const READ_INDEX: bool;
    /// How many requests may share an entry.
    const BATCH: Option<NonZeroUsize>;
}

/// Reads by read index.
pub(crate) struct ReadIndex;

impl Choice for ReadIndex {
    const READ_INDEX: bool = true;
    const BATCH: Option<NonZeroUsize> = None;
}

/// The reference server, with a choice.
pub(crate) struct Chosen<C, R: Raft>(Arc<kv::Server<R>>, PhantomData<C>);

impl<C: Choice, R: Raft> kv_api::Server for Chosen<C, R> {
    type Raft = R;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let options = Options { max_raft_state, read_index: C::READ_INDEX, batch: C::BATCH };
        let server = kv::Server::with_options(peers, me, persister, options)?;
        Ok(Arc::new(Chosen(server, PhantomData)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.clone().services()
    }

    fn raft(&self) -> &R {
        self.0.raft()
    }

    fn kill(&self) {
        self.0.kill();
    }
}
