//! Servers that end by themselves.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use labrpc::{ClientEnd, Network, Server};
use persister::MemoryPersister;
use raft::Raft;
use raft_api::Raft as _;
use shard_api::{Config, ControllerClerk, Gid, NOBODY, SHARDS, Server as _};
use shardkv::{GetArgs, Outcome, ShardKVClient};

use crate::world::cluster::Ends;
use crate::world::sleep;

/// A controller that gives shards to a group and does not say where that is.
struct Careless;

impl ControllerClerk for Careless {
    fn make(_: Vec<ClientEnd>) -> Careless {
        Careless
    }
    fn query(&mut self, _: Option<u64>) -> Config {
        Config { number: 1, shards: [1; SHARDS], groups: BTreeMap::new() }
    }
    fn join(&mut self, _: BTreeMap<Gid, Vec<String>>) {}
    fn leave(&mut self, _: &[Gid]) {}
    fn move_shard(&mut self, _: usize, _: Gid) {}
}

/// The only server of a group with this number.
fn make(
    peers: Vec<ClientEnd>,
    gid: Gid,
) -> Result<Arc<shardkv::Server<Raft, Careless>>, Box<dyn Error + Send + Sync>> {
    let persister = Arc::new(MemoryPersister::new());
    let nobody = Arc::new(|name: &str| panic!("nobody is to be called, and not {name}"));
    shardkv::Server::<Raft, Careless>::make(peers, 0, persister, None, gid, Vec::new(), nobody)
}

/// It would wait for ever for shards that nobody has.
#[test]
fn a_group_cannot_have_the_number_of_nobody() {
    let network = Network::new();
    let peers = vec![Ends::new(&network, "alone".into()).to("server")];
    let error = make(peers, NOBODY).expect_err("there is no such group");
    assert_eq!(error.to_string(), "0 is no group's number: it stands for nobody");
}

/// On the real clock, where the panic of a task ends nothing else: a server that went on would lead its group and
/// never come to another configuration.
#[test]
fn a_server_that_cannot_follow_its_controller_does_not_go_on() {
    let network = Network::new();
    let ends = Ends::new(&network, "alone".into());
    let peers = vec![ends.to("server")];
    let server = make(peers, 1).expect("nothing is saved");
    let services = server.clone().services().into_iter();
    network.add_server("server", services.fold(Server::new(), Server::service));
    while !server.raft().state().is_leader {
        sleep(1);
    }
    let client = ShardKVClient::new(ends.to("server"));
    let asked = || client.get(&GetArgs { key: "a".into() }).map(|reply| reply.outcome);
    while asked() != Ok(Outcome::WrongLeader) {
        sleep(1);
    }
}
