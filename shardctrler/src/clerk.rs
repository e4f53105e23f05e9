//! A client's side.

use std::collections::BTreeMap;

use labrpc::ClientEnd;
use labrt::channel::Sender;
use labrt::rng::{self, RngExt};
use rsm::ask::{Answer, Servers};
use shard_api::{Config, ControllerClerk, Gid};

use crate::message::{
    ChangeReply, JoinArgs, LeaveArgs, MoveArgs, Outcome, QueryArgs, QueryReply, ShardCtrlerClient,
};

/// Makes calls to the controller, one at a time.
///
/// It asks one server after the other, as [`rsm::ask`] says. A change that two servers were asked for
/// still happens once, since it has a number.
///
/// Go: the type `Clerk`.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers<ShardCtrlerClient>,
    /// Who this is, to the servers.
    client: u64,
    /// How many changes it has made.
    changes: u64,
}

impl ControllerClerk for Clerk {
    /// # Panics
    /// If there is no server.
    fn make(servers: Vec<ClientEnd>) -> Clerk {
        let servers = Servers::new(servers.into_iter().map(ShardCtrlerClient::new).collect());
        Clerk { servers, client: rng::stream("controller clerk").random(), changes: 0 }
    }

    fn query(&mut self, number: Option<u64>) -> Config {
        let args = QueryArgs { number };
        self.servers.ask(
            |server, place, answers| server.query_to(&args, place, answers),
            |QueryReply { outcome, config }| (outcome == Outcome::Ok).then_some(config),
        )
    }

    /// Nothing happens if one of them has the number 0, which stands for nobody, or no servers: the others
    /// do not join either.
    fn join(&mut self, groups: BTreeMap<Gid, Vec<String>>) {
        let (client, number) = self.next();
        let args = JoinArgs { groups, client, number };
        self.change(|server, place, answers| server.join_to(&args, place, answers));
    }

    fn leave(&mut self, gids: &[Gid]) {
        let (client, number) = self.next();
        let args = LeaveArgs { gids: gids.to_vec(), client, number };
        self.change(|server, place, answers| server.leave_to(&args, place, answers));
    }

    /// Nothing happens if the configuration does not have that group, or there is no such shard.
    fn move_shard(&mut self, shard: usize, gid: Gid) {
        let (client, number) = self.next();
        let args = MoveArgs { shard, gid, client, number };
        self.change(|server, place, answers| server.move_to(&args, place, answers));
    }
}

impl Clerk {
    /// The name of the next change.
    fn next(&mut self) -> (u64, u64) {
        self.changes += 1;
        (self.client, self.changes)
    }

    fn change(&mut self, call: impl Fn(&ShardCtrlerClient, usize, &Sender<Answer<ChangeReply>>)) {
        self.servers.ask(call, |ChangeReply { outcome }| (outcome == Outcome::Ok).then_some(()));
    }
}
