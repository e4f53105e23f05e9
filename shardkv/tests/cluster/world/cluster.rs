//! The servers of one Raft cluster, which can crash and come back.

use std::sync::Arc;

use labrpc::{ClientEnd, Network, Server, Service};
use labrt::Node;
use labrt::sync::Mutex;
use persister::{MemoryPersister, Persister};

/// The ends that one owner has made: a server from its start to its crash, or a clerk.
#[derive(Clone)]
pub(crate) struct Ends {
    network: Network,
    owner: String,
    made: Arc<Mutex<Vec<String>>>,
}

impl Ends {
    /// None yet. No two owners have the same name.
    pub(crate) fn new(network: &Network, owner: String) -> Ends {
        Ends { network: network.clone(), owner, made: Arc::default() }
    }

    /// A new end to the server of this name, enabled.
    pub(crate) fn to(&self, server: &str) -> ClientEnd {
        let name = {
            let mut made = self.made.lock();
            let name = format!("{}-{}-{server}", self.owner, made.len());
            made.push(name.clone());
            name
        };
        let end = self.network.make_end(name.as_str());
        self.network.connect(name.as_str(), server);
        self.network.enable(name.as_str(), true);
        end
    }

    /// As [`to`](Ends::to), for several.
    pub(crate) fn to_all(&self, servers: &[String]) -> Vec<ClientEnd> {
        servers.iter().map(|server| self.to(server)).collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.made.lock().len()
    }

    /// Enables or disables those that `choose` wants.
    pub(crate) fn enable(&self, on: bool, choose: impl Fn(&str) -> bool) {
        for name in self.made.lock().iter().filter(|name| choose(name)) {
            self.network.enable(name.as_str(), on);
        }
    }
}

/// What a server is made with.
pub(crate) struct Host {
    pub(crate) me: usize,
    pub(crate) peers: Vec<ClientEnd>,
    pub(crate) persister: Arc<dyn Persister>,
    pub(crate) ends: Ends,
}

/// A server that was made.
pub(crate) struct Made {
    pub(crate) services: Vec<Service>,
    pub(crate) leads: Box<dyn Fn() -> bool + Send + Sync>,
    pub(crate) kill: Box<dyn Fn() + Send + Sync>,
}

/// The servers of one cluster.
pub(crate) struct Cluster {
    network: Network,
    names: Vec<String>,
    places: Vec<Place>,
    make: Box<dyn Fn(Host) -> Made + Send>,
}

#[derive(Default)]
struct Place {
    persister: Arc<MemoryPersister>,
    starts: usize,
    running: Option<Running>,
}

struct Running {
    node: Node,
    ends: Ends,
    made: Made,
}

impl Cluster {
    /// Starts so many servers, which are called by the cluster's name and a number.
    pub(crate) fn new(
        network: &Network,
        name: &str,
        servers: usize,
        make: impl Fn(Host) -> Made + Send + 'static,
    ) -> Cluster {
        let mut cluster = Cluster {
            network: network.clone(),
            names: (0..servers).map(|server| format!("{name}-{server}")).collect(),
            places: (0..servers).map(|_| Place::default()).collect(),
            make: Box::new(make),
        };
        cluster.start_all();
        cluster
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Starts a server, unless it runs.
    pub(crate) fn start(&mut self, server: usize) {
        let (name, place) = (self.names[server].clone(), &mut self.places[server]);
        if place.running.is_some() {
            return;
        }
        place.starts += 1;
        let node = Node::new(name.clone());
        let ends = Ends::new(&self.network, format!("{name}.{}", place.starts));
        let host = Host {
            me: server,
            peers: ends.to_all(&self.names),
            persister: place.persister.clone(),
            ends: ends.clone(),
        };
        let made = node.enter(|| (self.make)(host)).expect("nobody else knows this node");
        let services = made.services.iter().cloned();
        let server = services.fold(Server::new(), Server::service).node(node.clone());
        self.network.add_server(name, server);
        place.running = Some(Running { node, ends, made });
    }

    /// Crashes a server, if it runs: only what it has saved remains.
    pub(crate) fn crash(&mut self, server: usize) {
        let place = &mut self.places[server];
        let Some(Running { node, ends, made }) = place.running.take() else { return };
        ends.enable(false, |_| true);
        self.network.delete_server(self.names[server].clone());
        place.persister = Arc::new(place.persister.copy());
        let _ = node.enter(|| (made.kill)());
        node.kill();
    }

    pub(crate) fn start_all(&mut self) {
        (0..self.places.len()).for_each(|server| self.start(server));
    }

    pub(crate) fn crash_all(&mut self) {
        (0..self.places.len()).for_each(|server| self.crash(server));
    }

    /// Cuts a server off from the others of its cluster, or connects it again. Everybody else still
    /// reaches it.
    pub(crate) fn cut(&self, server: usize, cut: bool) {
        let name = &self.names[server];
        for (other, place) in self.places.iter().enumerate().filter(|(other, _)| *other != server) {
            let other = &self.names[other];
            if let Some(running) = &place.running {
                running.ends.enable(!cut, |end| end.ends_with(name));
            }
            if let Some(running) = &self.places[server].running {
                running.ends.enable(!cut, |end| end.ends_with(other));
            }
        }
    }

    /// Cuts all servers off from those whose names begin so, as far as they have called them already,
    /// or connects them again. What those call still arrives.
    pub(crate) fn cut_from(&self, others: &str, cut: bool) {
        let to_others = format!("-{others}");
        for running in self.places.iter().filter_map(|place| place.running.as_ref()) {
            running.ends.enable(!cut, |end| end.contains(&to_others));
        }
    }

    /// A server that believes it leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.places.iter().position(|place| {
            place.running.as_ref().is_some_and(|Running { made, .. }| (made.leads)())
        })
    }

    /// How many bytes each server has saved: the Raft state, and the snapshot.
    pub(crate) fn saved(&self) -> Vec<(usize, usize)> {
        let sizes =
            |place: &Place| (place.persister.raft_state_size(), place.persister.snapshot_size());
        self.places.iter().map(sizes).collect()
    }

    /// The most ends that a running server has made.
    pub(crate) fn most_ends(&self) -> usize {
        let running = self.places.iter().filter_map(|place| place.running.as_ref());
        running.map(|running| running.ends.count()).max().unwrap_or(0)
    }
}
