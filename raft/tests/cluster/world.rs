//! A cluster of whole servers on a network, within a world.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, Network, Server};
use labrt::channel;
use labrt::{Node, thread};
use persister::Persister;
use raft_api::{Raft, Started};
use raft_checked::CheckedRaft;

use crate::disk::Disk;
use crate::service::{Habits, Service};

/// One life of a server.
struct Life {
    node: Node,
    raft: Arc<CheckedRaft>,
    service: Arc<Service>,
}

pub(crate) struct Cluster {
    pub(crate) network: Network,
    lives: Vec<Option<Life>>,
    disks: Vec<Arc<Disk>>,
    /// Who is on the network.
    connected: BTreeSet<usize>,
    /// How many lives there have been; each has ends of its own.
    births: usize,
    /// The ends of each server's present life: their names, and whom they lead to.
    ends: Vec<Vec<(String, usize)>>,
    habits: Habits,
}

impl Cluster {
    pub(crate) fn new(servers: usize) -> Cluster {
        Cluster::with_services(servers, Habits::default())
    }

    pub(crate) fn with_services(servers: usize, habits: Habits) -> Cluster {
        let mut cluster = Cluster {
            network: Network::new(),
            lives: (0..servers).map(|_| None).collect(),
            disks: (0..servers).map(|_| Arc::default()).collect(),
            connected: (0..servers).collect(),
            births: 0,
            ends: vec![Vec::new(); servers],
            habits,
        };
        (0..servers).for_each(|server| cluster.restart(server));
        cluster
    }

    pub(crate) fn servers(&self) -> usize {
        self.lives.len()
    }

    fn life(&self, server: usize) -> &Life {
        self.lives[server].as_ref().unwrap_or_else(|| panic!("server {server} is down"))
    }

    pub(crate) fn raft(&self, server: usize) -> &CheckedRaft {
        &self.life(server).raft
    }

    /// The disk of its present life.
    pub(crate) fn disk(&self, server: usize) -> &Disk {
        &self.disks[server]
    }

    /// Ends everything that server does, at once and without its help. Its disk stays.
    pub(crate) fn crash(&mut self, server: usize) {
        let life = self.lives[server].take().expect("it is up");
        life.node.kill();
        self.network.delete_server(server.to_string());
        self.ends[server].clear();
        self.disks[server] = Arc::new(self.disks[server].copy());
    }

    /// A new life, from what is on the disk.
    pub(crate) fn restart(&mut self, server: usize) {
        self.births += 1;
        let names: Vec<_> = (0..self.servers())
            .map(|peer| (format!("{server} to {peer}, life {}", self.births), peer))
            .collect();
        let peers: Vec<ClientEnd> = names
            .iter()
            .map(|(name, peer)| {
                let end = self.network.make_end(name.clone());
                self.network.connect(name.clone(), peer.to_string());
                end
            })
            .collect();
        let node = Node::new(format!("server {server}"));
        // It reads its snapshot before the server is there and may write one.
        let service = Service::restored(&self.disks[server].read_snapshot().unwrap());
        // Nobody takes a command before the service is ready for it.
        let (apply, commands) = channel::bounded(0);
        let disk = self.disks[server].clone();
        let raft = node.enter(|| CheckedRaft::make(peers, server, disk, apply));
        let raft = raft.expect("the node is new").expect("the disk holds a state");
        let (reader, habits, of) = (service.clone(), self.habits, raft.clone());
        node.spawn(move || reader.read(&commands, &*of, habits));
        let services = raft.clone().services().into_iter();
        let labrpc_server = services.fold(Server::new(), Server::service).node(node.clone());
        self.network.add_server(server.to_string(), labrpc_server);
        self.lives[server] = Some(Life { node, raft, service });
        self.ends[server] = names;
        self.enable();
    }

    pub(crate) fn connect(&mut self, server: usize) {
        self.connected.insert(server);
        self.enable();
    }

    pub(crate) fn disconnect(&mut self, server: usize) {
        self.connected.remove(&server);
        self.enable();
    }

    fn enable(&self) {
        for (from, ends) in self.ends.iter().enumerate() {
            for (name, to) in ends {
                let on = self.connected.contains(&from) && self.connected.contains(to);
                self.network.enable(name.clone(), on);
            }
        }
    }

    /// Who believes to lead the latest term, among those that are up and connected.
    pub(crate) fn leader(&self) -> Option<usize> {
        let here = |server: &usize| self.is_connected(*server);
        let states =
            (0..self.servers()).filter(here).map(|server| (server, self.raft(server).state()));
        let (server, state) = states.max_by_key(|(_, state)| (state.term, state.is_leader))?;
        state.is_leader.then_some(server)
    }

    pub(crate) fn wait_for_leader(&self) -> usize {
        eventually("somebody leads", || self.leader())
    }

    pub(crate) fn applied(&self, server: usize) -> Vec<Bytes> {
        self.life(server).service.applied()
    }

    /// How often a server's service has got a snapshot of the leader's, in this life.
    pub(crate) fn installed(&self, server: usize) -> u64 {
        self.life(server).service.installed()
    }

    pub(crate) fn is_up(&self, server: usize) -> bool {
        self.lives[server].is_some()
    }

    pub(crate) fn is_connected(&self, server: usize) -> bool {
        self.connected.contains(&server) && self.lives[server].is_some()
    }

    /// Offers a command to whoever leads, until these servers have applied it at one index. The
    /// leader may lose the lead meanwhile, and then it is offered again.
    pub(crate) fn agree(&self, command: &str, servers: &[usize]) -> u64 {
        let command = Bytes::copy_from_slice(command.as_bytes());
        eventually("a command is agreed on", || {
            let Started { index, .. } = self.raft(self.leader()?).start(command.clone())?;
            let place = usize::try_from(index - 1).unwrap();
            let holds = |server: &usize| self.applied(*server).get(place) == Some(&command);
            for _ in 0..100 {
                if servers.iter().all(holds) {
                    return Some(index);
                }
                thread::sleep(Duration::from_millis(20));
            }
            None
        })
    }
}

/// Waits for at most 20 s.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(value) = condition() {
            return value;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not come about that {what}");
}
