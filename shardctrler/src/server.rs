//! A server: RPC handlers on a replicated machine.

use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use persister::Persister;
use raft_api::Raft;
use rsm::once::Numbered;
use rsm::{Options, Rsm};
use shard_api::Config;

use crate::history::{Change, Controller, Reply, Request};
use crate::message::{
    ChangeReply, JoinArgs, LeaveArgs, MoveArgs, Outcome, QueryArgs, QueryReply, ShardCtrler,
    ShardCtrlerService,
};

/// A server of the shard controller, on the Raft `R`.
///
/// Go: the type `ShardCtrler`.
#[derive(Debug)]
pub struct Server<R: Raft> {
    rsm: Arc<Rsm<Controller, R>>,
}

impl<R: Raft> shard_api::Controller for Server<R> {
    type Raft = R;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let never = Options::default();
        let rsm = Rsm::make(peers, me, persister, never, Controller::default())?;
        Ok(Arc::new(Server { rsm }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        let mut services = self.rsm.services();
        services.push(ShardCtrlerService::of(self));
        services
    }

    fn raft(&self) -> &R {
        self.rsm.raft()
    }

    fn kill(&self) {
        self.rsm.kill();
    }
}

impl<R: Raft> Server<R> {
    fn change(&self, client: u64, number: u64, change: Change, reply: labrpc::Reply<ChangeReply>) {
        let change = Numbered { client, number, request: change };
        self.rsm.submit_then(Request::Change(change), |result| {
            let outcome = if result.is_ok() { Outcome::Ok } else { Outcome::WrongLeader };
            reply.send(ChangeReply { outcome });
        });
    }
}

impl<R: Raft> ShardCtrler for Server<R> {
    fn join(&self, args: JoinArgs, reply: labrpc::Reply<ChangeReply>) {
        let JoinArgs { groups, client, number } = args;
        self.change(client, number, Change::Join { groups }, reply);
    }

    fn leave(&self, args: LeaveArgs, reply: labrpc::Reply<ChangeReply>) {
        let LeaveArgs { gids, client, number } = args;
        self.change(client, number, Change::Leave { gids }, reply);
    }

    fn r#move(&self, args: MoveArgs, reply: labrpc::Reply<ChangeReply>) {
        let MoveArgs { shard, gid, client, number } = args;
        self.change(client, number, Change::Move { shard, gid }, reply);
    }

    fn query(&self, args: QueryArgs, reply: labrpc::Reply<QueryReply>) {
        self.rsm.submit_then(Request::Query { number: args.number }, |result| {
            let (outcome, config) = match result {
                Ok(Reply::Config(config)) => (Outcome::Ok, config),
                Ok(Reply::Changed) => unreachable!("a Query is answered with a configuration"),
                Err(_) => (Outcome::WrongLeader, Config::default()),
            };
            reply.send(QueryReply { outcome, config });
        });
    }
}
