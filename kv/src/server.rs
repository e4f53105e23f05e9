//! A server: RPC handlers on a replicated machine.

use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;
use rsm::once::Numbered;
use rsm::{MakeError, Options, Rsm};

use crate::message::{
    GetArgs, GetReply, KeyValue, KeyValueService, Outcome, PutAppendArgs, PutAppendReply,
};
use crate::store::{Reply, Request, Store, Write};

/// A server of the key/value service, on the Raft `R`.
///
/// Go: the type `KVServer`.
#[derive(Debug)]
pub struct Server<R: Raft> {
    rsm: Arc<Rsm<Store, R>>,
}

impl<R: Raft> Server<R> {
    /// As [`make`](kv_api::Server::make), with all that can be chosen: reads without a log entry, and
    /// requests that share entries.
    ///
    /// # Errors
    /// If what the persister holds cannot be read or understood.
    pub fn with_options(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        options: Options,
    ) -> Result<Arc<Self>, MakeError> {
        let rsm = Rsm::make(peers, me, persister, options, Store::default())?;
        Ok(Arc::new(Server { rsm }))
    }
}

impl<R: Raft> kv_api::Server for Server<R> {
    type Raft = R;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let options = Options { max_raft_state, ..Options::default() };
        Ok(Server::with_options(peers, me, persister, options)?)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        let mut services = self.rsm.services();
        services.push(KeyValueService::of(self));
        services
    }

    fn raft(&self) -> &R {
        self.rsm.raft()
    }

    fn kill(&self) {
        self.rsm.kill();
    }
}

impl<R: Raft> KeyValue for Server<R> {
    fn get(&self, args: GetArgs, reply: labrpc::Reply<GetReply>) {
        self.rsm.read_then(Request::Get { key: args.key }, |result| {
            let (outcome, value) = match result {
                Ok(Reply::Value(Some(value))) => (Outcome::Ok, value),
                Ok(Reply::Value(None)) => (Outcome::NoKey, String::new()),
                Ok(Reply::Written) => unreachable!("a Get is answered with a value"),
                Err(_) => (Outcome::WrongLeader, String::new()),
            };
            reply.send(GetReply { outcome, value });
        });
    }

    fn put_append(&self, args: PutAppendArgs, reply: labrpc::Reply<PutAppendReply>) {
        let PutAppendArgs { key, value, op, client, number } = args;
        let write = Numbered { client, number, request: Write { key, value, op } };
        self.rsm.submit_then(Request::Write(write), |result| {
            let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::WrongLeader };
            reply.send(PutAppendReply { outcome });
        });
    }
}
