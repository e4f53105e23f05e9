//! A group of servers in slots on a network: what can be done to them, whatever they are.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use labrpc::{ClientEnd, Name, Service};
use labrt::rng::RngExt;
use labrt::sync::Leaf;
use labrt::{Node, observe};
use labtrace::{What, verdict};
use persister::{MemoryPersister, Persister};
use run_record::setting::Trouble;

use crate::members::{self, Members};
use crate::net::Net;
use crate::observer::{Member, Party, Watcher, Watchers};
use crate::others::Others;
use crate::run::Run;
use crate::saves::{SaveCount, Store, Tear, WatchedPersister};
use faults::Ways;

mod faults;
mod links;

/// What can run in a slot: a handle on a server. Clones are the same server.
pub trait Server: Clone + Send + Sync + 'static {
    /// What it offers on the network.
    fn services(&self) -> Vec<Service>;

    /// It is about to end. Its tasks are ended right after that, whatever it does.
    fn kill(&self);
}

/// Why a server cannot be made.
pub type MakeError = Box<dyn Error + Send + Sync>;

/// What a server is made from.
pub struct Seat {
    /// An end to each server of its group, its own included, by their numbers.
    pub ends: Vec<ClientEnd>,
    /// Its number in the group.
    pub me: usize,
    /// What has survived of the server that had this place before.
    pub persister: Arc<dyn Persister>,
    /// Makes its ends to servers of other groups.
    pub others: Others,
}

/// Servers in slots on a network. Clones are the same group.
///
/// Each server is made within a [`Node`] of its own. A crash needs no cooperation: the server leaves
/// the network, its node is killed with all tasks, and what its persister held is copied, so that it
/// can change nothing any more.
///
/// # Panics
/// Each method that is given the number of a server panics, at its caller's line, if the group has no such server.
pub struct Group<S: Server> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    net: Net,
    number: usize,
    members: Members,
    slots: Vec<Leaf<Slot<S>>>,
    ways: Leaf<Ways>,
}

/// The place of one server.
struct Slot<S> {
    running: Option<Instance<S>>,
    /// The one that was stopped, and whose tasks may go on.
    stopped: Option<Instance<S>>,
    /// What has been saved, by the instance that runs or by earlier ones.
    store: Arc<Store>,
    /// How often it has been started.
    instances: u64,
    /// The names of its ends, one per server; empty until its first start.
    ends: Vec<Name>,
    /// The part of the group that it is connected to; none if it is cut off.
    part: Option<usize>,
    /// How its clocks run, from its next start on.
    clock: Option<u32>,
    /// The next save of the instance that runs is torn.
    tear: Arc<Leaf<bool>>,
}

/// A server from its start to its crash.
#[derive(Clone)]
pub struct Instance<S> {
    server: S,
    node: Node,
}

impl<S> Instance<S> {
    /// Runs `f` as code of the server's node; none if it is killed meanwhile, or is paused.
    pub fn enter<T>(&self, f: impl FnOnce(&S) -> T) -> Option<T> {
        if self.node.is_paused() {
            return None;
        }
        self.node.enter(|| observe::as_handler(|| f(&self.server))).ok()
    }
}

impl<S: Server> Group<S> {
    /// A group of so many empty slots. With a name, it may be one of several; else it is the only one.
    ///
    /// # Panics
    /// If the network has a group of this name.
    pub fn new(net: &Net, name: &str, servers: usize) -> Group<S> {
        let run = net.run();
        let address = |server| members::address(name, server);
        let lanes = (0..servers).map(|server| run.add_server(members::node_name(&address(server))));
        let lanes: Vec<u32> = lanes.collect();
        let number = net.book().with(|book| {
            let group = book.watchers.len();
            book.watchers.push(Arc::new([]));
            for (server, &lane) in lanes.iter().enumerate() {
                let party = Member { lane, group, server, instance: 0 };
                let fresh = book.servers.insert(Name::from(address(server)), party).is_none();
                assert!(fresh, "each group of a network needs a name of its own");
            }
            group
        });
        let members = Members::new(name, lanes.first().copied().unwrap_or(0), servers);
        let slot = |_| {
            Leaf::new(Slot {
                running: None,
                stopped: None,
                store: Store::new(MemoryPersister::new()),
                instances: 0,
                ends: Vec::new(),
                part: None,
                clock: None,
                tear: Arc::default(),
            })
        };
        let slots = (0..servers).map(slot).collect();
        let ways = Leaf::default();
        Group { inner: Arc::new(Inner { net: net.clone(), number, members, slots, ways }) }
    }

    /// Has somebody see what its servers do from now on. There may be several: each is told in turn,
    /// who came first first.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) {
        self.run().add_watcher(watcher.clone());
        self.net().book().with(|book| {
            let watchers = &mut book.watchers[self.inner.number];
            *watchers = watchers.iter().cloned().chain([watcher]).collect();
        });
    }

    fn watchers(&self) -> Watchers {
        self.net().book().with(|book| book.watchers[self.inner.number].clone())
    }

    /// How many servers there are, running or not.
    pub fn servers(&self) -> usize {
        self.inner.slots.len()
    }

    /// Refuses the number of a server that there is not, at the line of who calls the method that was given it.
    #[track_caller]
    fn check(&self, server: usize) {
        let servers = self.servers();
        if server < servers {
            return;
        }
        let there = match servers {
            0 => "no servers".to_string(),
            1 => "server 0 only".to_string(),
            _ => format!("servers 0 to {}", servers - 1),
        };
        panic!("{}: the group has {there}", self.members().node_name(server));
    }

    fn slot(&self, server: usize) -> &Leaf<Slot<S>> {
        &self.inner.slots[server]
    }

    /// What its servers are called.
    pub fn members(&self) -> &Members {
        &self.inner.members
    }

    /// The network that it is on.
    pub fn net(&self) -> &Net {
        &self.inner.net
    }

    /// The run that it belongs to.
    pub fn run(&self) -> &Run {
        self.net().run()
    }

    /// Records something about a server.
    #[track_caller]
    pub fn record(&self, server: usize, what: What) -> Option<observe::Cause> {
        self.check(server);
        self.run().session().record(Some(self.members().lane(server)), what)
    }

    // ---- Servers come and go -------------------------------------------------------------------

    /// Crashes a server: it leaves the network and ends, and only what it has saved remains.
    ///
    /// If it runs and the run's setting has no crash left, nothing happens.
    #[track_caller]
    pub fn crash(&self, server: usize) {
        self.check(server);
        if self.is_running(server) && !self.run().may(Trouble::Crashes) {
            return;
        }
        self.take_away(server).into_iter().for_each(end);
        self.end_stopped(server);
    }

    /// Stops a server, as the course does: all is as after a [`crash`](Group::crash), but its tasks
    /// are only told to end. So it can be seen whether it lets go of those who wait for it. They are
    /// ended when the server is started or crashed again.
    ///
    /// If it runs and the run's setting has no crash left, nothing happens.
    #[track_caller]
    pub fn stop(&self, server: usize) {
        self.check(server);
        if !self.is_running(server) || !self.run().may(Trouble::Crashes) {
            return;
        }
        if let Some(instance) = self.take_away(server) {
            self.slot(server).with(|slot| slot.stopped = Some(instance.clone()));
            instance.enter(S::kill);
        }
    }

    fn end_stopped(&self, server: usize) {
        let stopped = self.slot(server).with(|slot| slot.stopped.take());
        stopped.into_iter().for_each(|instance| instance.node.kill());
    }

    /// Takes a server out of the network and its slot, with what it has saved up to now.
    fn take_away(&self, server: usize) -> Option<Instance<S>> {
        self.cut_off(server);
        self.net().crossings().lock().end_all(self.net(), (self.inner.number, server));
        self.net().network().delete_server(self.members().name(server));
        // Now nobody hears it any more, and all that somebody has heard is saved already.
        let (store, runs) =
            self.slot(server).with(|slot| (slot.store.clone(), slot.running.is_some()));
        let store = store.crash(|| {
            if runs {
                self.watchers().iter().for_each(|watcher| watcher.crashed(server));
                self.record(server, What::Crashed);
            }
        });
        self.slot(server).with(|slot| {
            slot.store = store;
            slot.running.take()
        })
    }

    /// Starts a server anew, after a crash if it runs. It is not connected yet.
    ///
    /// `prepare` is called if it can be started (the run's setting may have no crash left), and what it
    /// returns makes the server, as code of its node.
    ///
    /// # Panics
    /// If it cannot be made.
    #[track_caller]
    pub fn start<M>(&self, server: usize, prepare: impl FnOnce(Seat) -> M)
    where
        M: FnOnce() -> Result<S, MakeError>,
    {
        self.check(server);
        self.start_anew(server, prepare);
    }

    fn start_anew<M>(&self, server: usize, prepare: impl FnOnce(Seat) -> M)
    where
        M: FnOnce() -> Result<S, MakeError>,
    {
        self.crash(server);
        if self.is_running(server) {
            return; // the run's setting has no crash left
        }
        let node = Node::new(self.members().node_name(server));
        let make = prepare(self.seat(server, &node));
        self.set_clock_of(server, &node);
        let made = node.enter(make).expect("nobody else knows this node");
        let made = made.unwrap_or_else(|error| {
            let words = format!("server {server} cannot be made: {error}");
            let broken = verdict("make", words).fact(server, format!("`make` said: {error}"));
            self.members().fail(broken.build())
        });
        let services = node.enter(|| made.services()).expect("it has just been made");
        let labrpc_server =
            services.into_iter().fold(labrpc::Server::new(), labrpc::Server::service);
        let labrpc_server = labrpc_server.node(node.clone());
        let instance = Instance { server: made, node };
        self.slot(server).with(|slot| slot.running = Some(instance));
        self.net().network().add_server(self.members().name(server), labrpc_server);
    }

    /// What a new instance of a server is made from, with ends of its own.
    fn seat(&self, me: usize, node: &Node) -> Seat {
        let (network, members) = (self.net().network(), self.members());
        let suffix: u64 = self.net().draw(|rng| rng.random());
        let from = members.name(me);
        let name = |peer| Name::from(format!("{from}-{peer}-{suffix:x}"));
        let names: Vec<Name> = (0..self.servers()).map(name).collect();
        let ends = names.iter().enumerate().map(|(peer, name)| {
            let end = network.make_end(name);
            network.connect(name, members.name(peer));
            self.prepare_way((me, peer), name);
            end
        });
        let ends: Vec<ClientEnd> = ends.collect();
        let (store, instance, armed) = self.slot(me).with(|slot| {
            slot.store = Store::new(slot.store.persister.copy());
            slot.instances += 1;
            slot.ends = names.clone();
            slot.tear = Arc::default();
            (slot.store.clone(), slot.instances, slot.tear.clone())
        });
        let (lane, group) = (members.lane(me), self.inner.number);
        let member = Member { lane, group, server: me, instance };
        self.net().book().with(|book| {
            book.ends.extend(names.into_iter().map(|name| (name, Party::Server(member))));
        });
        self.net().crossings().lock().begin(member);
        let peers = (0..self.servers()).map(|peer| members.name(peer)).zip(ends.iter().cloned());
        let others = Others::new(self.net(), member, &from, peers.collect());
        let tear = Tear { armed, net: self.net().weak(), node: node.clone() };
        let (count, watchers) = (SaveCount::default(), self.watchers());
        let seen: Arc<dyn Persister> = store.persister.clone();
        for watcher in watchers.iter() {
            watcher.starting(me, instance, &seen, &count);
        }
        self.record(me, What::Started);
        let persister = WatchedPersister {
            store,
            count,
            session: self.run().session().clone(),
            lane: members.lane(me),
            watchers,
            server: (me, instance),
            tear,
        };
        let persister = Arc::new(persister);
        Seat { ends, me, persister, others }
    }

    /// True if the server runs.
    #[track_caller]
    pub fn is_running(&self, server: usize) -> bool {
        self.check(server);
        self.slot(server).with(|slot| slot.running.is_some())
    }

    /// The server that runs in a slot.
    #[track_caller]
    pub fn instance(&self, server: usize) -> Option<Instance<S>> {
        self.check(server);
        self.slot(server).with(|slot| slot.running.clone())
    }

    /// How many bytes of Raft state the server of this number has saved.
    #[track_caller]
    pub fn state_size(&self, server: usize) -> usize {
        self.check(server);
        self.persister(server).raft_state_size()
    }

    /// How many bytes its snapshot has.
    #[track_caller]
    pub fn snapshot_size(&self, server: usize) -> usize {
        self.check(server);
        self.persister(server).snapshot_size()
    }

    /// What the server of this number has saved, running or not.
    #[track_caller]
    pub fn persister(&self, server: usize) -> Arc<MemoryPersister> {
        self.check(server);
        self.slot(server).with(|slot| slot.store.persister.clone())
    }

    /// Ends all servers.
    pub fn end(&self) {
        for server in 0..self.servers() {
            let running = self.slot(server).with(|slot| slot.running.take());
            running.into_iter().for_each(end);
            self.end_stopped(server);
        }
    }
}

/// Ends a server: it is told, and then its tasks end.
fn end<S: Server>(instance: Instance<S>) {
    instance.enter(S::kill);
    instance.node.kill();
}

impl<S: Server> Clone for Group<S> {
    fn clone(&self) -> Self {
        Group { inner: self.inner.clone() }
    }
}

impl<S: Server> fmt::Debug for Group<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("members", &self.members()).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Instance<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("node", &self.node).finish_non_exhaustive()
    }
}
