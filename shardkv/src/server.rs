//! A server: RPC handlers on a replicated machine, and the tasks that follow the controller and hand
//! shards over.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::thread;
use persister::Persister;
use raft_api::Raft;
use rsm::once::Numbered;
use rsm::{Options, Rsm};
use shard_api::{ControllerClerk, Gid, MakeEnd, NOBODY};

use crate::board::{Board, Replica, parcel};
use crate::group::{Reply, Request};
use crate::message::{
    GetArgs, GetReply, Handover, Outcome, PutAppendArgs, PutAppendReply, Received, ShardKV,
    ShardKVService,
};
use crate::shard::Write;
use crate::{courier, follower};

/// A server of a group, on the Raft `R`, which asks the controller through a clerk `C`.
///
/// Go: the type `ShardKV`.
pub struct Server<R: Raft, C> {
    rsm: Arc<Rsm<Replica, R>>,
    board: Arc<Board>,
    controller: PhantomData<fn() -> C>,
}

impl<R: Raft, C: ControllerClerk> shard_api::Server for Server<R, C> {
    type Raft = R;

    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        max_raft_state: Option<usize>,
        gid: Gid,
        controllers: Vec<ClientEnd>,
        make_end: MakeEnd,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        if gid == NOBODY {
            return Err(format!("{NOBODY} is no group's number: it stands for nobody").into());
        }
        let board = Arc::new(Board::default());
        let replica = Replica::new(gid, board.clone());
        let options = Options { max_raft_state, ..Options::default() };
        let rsm = Rsm::make(peers, me, persister, options, replica)?;
        let (below, news) = (rsm.clone(), board.clone());
        thread::Builder::new().name("configurations").spawn(move || {
            let _ends = below.ends_with_task();
            follower::run(&below, &news, C::make(controllers));
        });
        courier::start(rsm.clone(), board.clone(), make_end);
        Ok(Arc::new(Server { rsm, board, controller: PhantomData }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        let mut services = self.rsm.services();
        services.push(ShardKVService::of(self));
        services
    }

    fn raft(&self) -> &R {
        self.rsm.raft()
    }

    fn kill(&self) {
        self.rsm.kill();
        self.board.end();
    }
}

impl<R: Raft, C: 'static> ShardKV for Server<R, C> {
    fn get(&self, args: GetArgs, reply: labrpc::Reply<GetReply>) {
        self.rsm.submit_then(Request::Get { key: args.key }, |result| {
            let (outcome, value) = match result {
                Ok(Reply::Value(Some(value))) => (Outcome::Ok, value),
                Ok(Reply::Value(None)) => (Outcome::NoKey, String::new()),
                Ok(Reply::WrongGroup) => (Outcome::WrongGroup, String::new()),
                Ok(other) => unreachable!("a Get is answered with a value, not {other:?}"),
                Err(_) => (Outcome::WrongLeader, String::new()),
            };
            reply.send(GetReply { outcome, value });
        });
    }

    fn put_append(&self, args: PutAppendArgs, reply: labrpc::Reply<PutAppendReply>) {
        let PutAppendArgs { key, value, op, client, number } = args;
        let write = Numbered { client, number, request: Write { key, value, op } };
        self.rsm.submit_then(Request::Write(write), |result| {
            let outcome = match result {
                Ok(Reply::WrongGroup) => Outcome::WrongGroup,
                Ok(_) => Outcome::Ok,
                Err(_) => Outcome::WrongLeader,
            };
            reply.send(PutAppendReply { outcome });
        });
    }

    fn hand_over(&self, handover: Handover, reply: labrpc::Reply<Received>) {
        match self.board.standing().received(&handover) {
            // This needs no log: what was received stays received, and a server that is behind only
            // makes the other group ask again.
            Some(received) => {
                if received == Received::NotYet {
                    self.board.hurry();
                }
                reply.send(received);
            }
            None => {
                let (board, parcel) = (self.board.clone(), parcel(&handover));
                if !board.begin_receiving(&parcel) {
                    return reply.send(Received::NotYet);
                }
                self.rsm.submit_then(Request::Receive(handover), move |result| {
                    board.end_receiving(&parcel);
                    reply.send(match result {
                        Ok(Reply::Received(received)) => received,
                        Ok(other) => unreachable!("a hand-over is not answered with {other:?}"),
                        Err(_) => Received::WrongLeader,
                    });
                });
            }
        }
    }
}

impl<R: Raft, C> Drop for Server<R, C> {
    fn drop(&mut self) {
        if !self.rsm.is_over() {
            self.rsm.kill();
        }
        self.board.end();
    }
}

impl<R: Raft, C> fmt::Debug for Server<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("board", &self.board).finish_non_exhaustive()
    }
}
