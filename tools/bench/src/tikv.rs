//! The same cluster of tikv's nodes.
//!
//! The settings make it do what ours does: many entries in one message, commands that come together
//! in one round, no message of its own to tell followers what is committed (they learn it with the
//! next entries), no pre-vote, no lease.

use tikv_raft::eraftpb::{Entry, Message};
use tikv_raft::storage::MemStorage;
use tikv_raft::{Config, RawNode, StateRole};

struct Server {
    node: RawNode<MemStorage>,
    inbox: Vec<Message>,
    applied: Vec<Entry>,
}

/// A cluster, led by its first server.
pub struct Cluster {
    servers: Vec<Server>,
}

impl Cluster {
    /// A cluster that has elected its leader.
    ///
    /// # Panics
    /// If it has not.
    pub fn new(servers: u64) -> Cluster {
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let ids: Vec<u64> = (1..=servers).collect();
        let server = |&id: &u64| {
            let config = Config {
                id,
                max_size_per_msg: 1 << 20,
                batch_append: true,
                skip_bcast_commit: true,
                ..Config::default()
            };
            let storage = MemStorage::new_with_conf_state((ids.clone(), vec![]));
            let node = RawNode::new(&config, storage, &logger).expect("the settings are valid");
            Server { node, inbox: Vec::new(), applied: Vec::new() }
        };
        let mut cluster = Cluster { servers: ids.iter().map(server).collect() };
        cluster.servers[0].node.campaign().expect("it may");
        cluster.run();
        assert_eq!(cluster.servers[0].node.raft.state, StateRole::Leader, "the first is elected");
        cluster
    }

    /// Proposes commands together and goes on until the leader has applied them.
    ///
    /// # Panics
    /// If it does not.
    pub fn commit(&mut self, commands: Vec<Vec<u8>>) {
        let leader = &mut self.servers[0];
        leader.applied.clear();
        let count = commands.len();
        for command in commands {
            leader.node.propose(Vec::new(), command).expect("it leads");
        }
        self.run();
        assert_eq!(self.servers[0].applied.len(), count, "all is committed and applied");
    }

    fn run(&mut self) {
        for me in 0..self.servers.len() {
            self.perform(me);
        }
        while let Some(me) = self.servers.iter().position(|server| !server.inbox.is_empty()) {
            let server = &mut self.servers[me];
            for message in std::mem::take(&mut server.inbox) {
                server.node.step(message).expect("it comes from a peer");
            }
            self.perform(me);
        }
    }

    /// Save, send, apply, as the crate's documentation says.
    fn perform(&mut self, me: usize) {
        let server = &mut self.servers[me];
        if !server.node.has_ready() {
            return;
        }
        let mut ready = server.node.ready();
        let mut messages = ready.take_messages();
        server.applied.extend(ready.take_committed_entries());
        {
            let mut store = server.node.store().wl();
            store.append(ready.entries()).expect("entries follow each other");
            if let Some(hard) = ready.hs() {
                store.set_hardstate(hard.clone());
            }
        }
        messages.extend(ready.take_persisted_messages());
        let mut light = server.node.advance(ready);
        if let Some(commit) = light.commit_index() {
            server.node.store().wl().mut_hard_state().set_commit(commit);
        }
        messages.extend(light.take_messages());
        server.applied.extend(light.take_committed_entries());
        server.node.advance_apply();
        for message in messages {
            self.servers[message.to as usize - 1].inbox.push(message);
        }
    }
}
