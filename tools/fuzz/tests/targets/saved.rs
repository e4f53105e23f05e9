//! Servers that come back to what was saved, and was damaged since.
//!
//! A checksum is the persister's business: who gets bytes from it that are a state takes them for one. So
//! a command may have become another one. A server refuses to start, with words that say so, or goes on, which
//! is to say that it does not panic: nobody can say what a damaged state should have become. What was not damaged
//! must be there again.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fuzz::{Elsewhere, Form, Target};
use labrpc::{ClientEnd, Network, Server, Service};
use labrt::world::Builder;
use labrt::{Node, thread};
use persister::{MemoryPersister, Persister};
use raft::storage::Storage;
use raft::{HardState, Raft};
use raft_api::Raft as _;
use shard_api::{ControllerClerk as _, Gid, shard_of};

type Made = Result<Vec<Service>, Box<dyn Error + Send + Sync>>;

/// Where a server runs that is its whole cluster.
struct Host {
    network: Network,
    name: &'static str,
    persister: Arc<dyn Persister>,
    node: Node,
}

impl Host {
    fn new(network: &Network, name: &'static str, persister: Arc<dyn Persister>) -> Host {
        Host { network: network.clone(), name, persister, node: Node::new(name) }
    }

    /// Starts the server.
    fn start<S: Subject>(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let services = self.node.enter(|| S::make(self)).expect("the node lives")?;
        let server = services.into_iter().fold(Server::new(), Server::service);
        self.network.add_server(self.name, server.node(self.node.clone()));
        Ok(())
    }

    fn end(&self, from: &str, to: &str) -> ClientEnd {
        end(&self.network, from, to)
    }

    fn peers(&self) -> Vec<ClientEnd> {
        vec![self.end("peer", self.name)]
    }
}

/// An end of its own, however many there are.
fn end(network: &Network, from: &str, to: &str) -> ClientEnd {
    static ENDS: AtomicU64 = AtomicU64::new(0);
    let name = format!("{from}-{to}-{}", ENDS.fetch_add(1, Ordering::Relaxed));
    let end = network.make_end(name.as_str());
    network.connect(name.as_str(), to);
    network.enable(name.as_str(), true);
    end
}

/// A service, as a server and its clerk.
trait Subject: 'static {
    const NAME: &'static str;
    fn make(host: &Host) -> Made;
    /// Asks for this and that, so that something is saved.
    fn use_it(host: &Host);
    /// Looks whether a server that has come back has what was asked for.
    ///
    /// # Panics
    /// If it has not.
    fn find_it(host: &Host);
}

struct Kv;

impl Subject for Kv {
    const NAME: &'static str = "kv";

    fn make(host: &Host) -> Made {
        let persister = host.persister.clone();
        let server: Arc<kv::Server<Raft>> =
            kv_api::Server::make(host.peers(), 0, persister, Some(300))?;
        Ok(kv_api::Server::services(server))
    }

    fn use_it(host: &Host) {
        use kv_api::Clerk as _;
        for client in ["one", "two"] {
            let mut clerk = kv::Clerk::make(vec![host.end(client, host.name)]);
            for number in 0..5 {
                clerk.append("key", &format!("x {number} y"));
                clerk.put(client, &number.to_string());
            }
            clerk.get("key");
        }
    }

    fn find_it(host: &Host) {
        use kv_api::Clerk as _;
        let mut clerk = kv::Clerk::make(vec![host.end("reader", host.name)]);
        let of_one: String = (0..5).map(|number| format!("x {number} y")).collect();
        assert_eq!(clerk.get("key"), of_one.repeat(2));
        assert_eq!(["one", "two", "three"].map(|key| clerk.get(key)), ["4", "4", ""]);
    }
}

struct Controller;

impl Subject for Controller {
    const NAME: &'static str = "controller";

    fn make(host: &Host) -> Made {
        let persister = host.persister.clone();
        let server: Arc<shardctrler::Server<Raft>> =
            shard_api::Controller::make(host.peers(), 0, persister)?;
        Ok(shard_api::Controller::services(server))
    }

    fn use_it(host: &Host) {
        let mut clerk = shardctrler::Clerk::make(vec![host.end("admin", host.name)]);
        for gid in GROUP..GROUP + 3 {
            clerk.join([(gid, vec![format!("group-{gid}")])].into());
        }
        clerk.move_shard(3, GROUP);
        clerk.leave(&[GROUP + 1]);
    }

    fn find_it(host: &Host) {
        let mut clerk = shardctrler::Clerk::make(vec![host.end("reader", host.name)]);
        let config = clerk.query(None);
        let names = [GROUP, GROUP + 2].map(|gid| (gid, vec![format!("group-{gid}")]));
        assert_eq!((config.number, config.groups), (5, names.into()));
        assert_eq!(clerk.query(Some(4)).shards[3], GROUP);
        assert_eq!(clerk.query(Some(1)).shards, [GROUP; _]);
    }
}

const GROUP: Gid = 100;

struct Shards;

impl Subject for Shards {
    const NAME: &'static str = "shards";

    fn make(host: &Host) -> Made {
        let network = host.network.clone();
        let controllers = vec![host.end("group", Controller::NAME)];
        let make_end = Arc::new(move |server: &str| end(&network, "group", server));
        let persister = host.persister.clone();
        let server: Arc<shardkv::Server<Raft, shardctrler::Clerk>> = shard_api::Server::make(
            host.peers(),
            0,
            persister,
            Some(300),
            GROUP,
            controllers,
            make_end,
        )?;
        Ok(shard_api::Server::services(server))
    }

    fn use_it(host: &Host) {
        use shard_api::Clerk as _;
        let (controller, mut admin) = Shards::controller(host);
        let mut clerk = Shards::clerk(host);
        for number in 0..5 {
            clerk.append("a", &format!("x {number} y"));
            clerk.put("b", &number.to_string());
        }
        // Each is in a shard of its own, and with those above so many that one at least stays here.
        ["c", "d", "e", "f"].iter().for_each(|key| clerk.put(key, key));
        // What is to be handed over to a group that never answers is saved, too.
        Shards::join_nobody(&mut admin);
        thread::sleep(Duration::from_secs(1));
        controller.node.kill();
    }

    fn find_it(host: &Host) {
        use shard_api::Clerk as _;
        let (_controller, mut admin) = Shards::controller(host);
        Shards::join_nobody(&mut admin);
        let config = admin.query(None);
        let all: String = (0..5).map(|number| format!("x {number} y")).collect();
        let short = ["c", "d", "e", "f"].map(|key| (key, key));
        let values = [("a", all.as_str()), ("b", "4")].into_iter().chain(short);
        // What it has given away nobody can get.
        let kept = values.filter(|(key, _)| config.shards[shard_of(key)] == GROUP);
        let mut clerk = Shards::clerk(host);
        let read: Vec<_> = kept.map(|(key, value)| (clerk.get(key), value)).collect();
        assert!(!read.is_empty() && read.iter().all(|(read, value)| read == value), "{read:?}");
    }
}

impl Shards {
    /// A controller that has given all shards to the group, and an administrator.
    fn controller(host: &Host) -> (Host, shardctrler::Clerk) {
        let disk = Arc::new(MemoryPersister::new());
        let controller = Host::new(&host.network, Controller::NAME, disk);
        controller.start::<Controller>().expect("it is new");
        let mut admin = shardctrler::Clerk::make(vec![controller.end("admin", Controller::NAME)]);
        admin.join([(GROUP, vec![host.name.to_string()])].into());
        (controller, admin)
    }

    fn join_nobody(admin: &mut shardctrler::Clerk) {
        admin.join([(GROUP + 1, vec!["nobody".to_string()])].into());
    }

    fn clerk(host: &Host) -> shardkv::Clerk<shardctrler::Clerk> {
        let network = host.network.clone();
        let make_end = Arc::new(move |server: &str| end(&network, "clerk", server));
        let controllers = vec![host.end("clerk", Controller::NAME)];
        shard_api::Clerk::make(controllers, make_end)
    }
}

fn world() -> Builder {
    world_of(1)
}

/// Where a server comes back: what it draws, such as its name in the log, is not what it drew in its life before.
fn later_world() -> Builder {
    world_of(2)
}

fn world_of(seed: u64) -> Builder {
    // Everything is over after some seconds, and a server that is busy for ever is none that came back.
    Builder::simulated(seed).time_limit(Duration::from_secs(60)).steps_per_instant(100_000)
}

/// What a service has saved: the Raft state and the snapshot.
fn saved<S: Subject>() -> [Vec<u8>; 2] {
    saved_after::<S>(1)
}

/// The same, after it was used so many times.
fn saved_after<S: Subject>(times: usize) -> [Vec<u8>; 2] {
    let run = move || {
        let persister = Arc::new(MemoryPersister::new());
        let host = Host::new(&Network::new(), S::NAME, persister.clone());
        host.start::<S>().expect("it is new");
        (0..times).for_each(|_| S::use_it(&host));
        host.node.kill();
        [persister.read_raft_state(), persister.read_snapshot()].map(|saved| saved.unwrap())
    };
    world().run(run).expect("nothing goes wrong").value
}

/// How a machine refuses what only shows when Raft hands it over: an entry that is no request, and one that
/// does not follow what the snapshot says of itself, though the saved log has it. See the panics of
/// `rsm/src/reader.rs`.
const REFUSALS: [&str; 2] = ["is no request of this machine", "Raft handed over index"];

/// Starts a server from this and lets it run for some seconds, unless it refuses.
fn come_back<S: Subject>(saved: [Vec<u8>; 2]) -> bool {
    // The world has a thread of its own. A server that ends with a panic later on is counted up to its start, which
    // has decoded all that was saved.
    let elsewhere = Elsewhere::of_this_check();
    let run = move || {
        let persister = Arc::new(MemoryPersister::new());
        persister.save_state_and_snapshot(&saved[0], &saved[1]).unwrap();
        let host = Host::new(&Network::new(), S::NAME, persister);
        let started = elsewhere.measure(|| host.start::<S>());
        match &started {
            Ok(()) => elsewhere.measure(|| thread::sleep(Duration::from_secs(2))),
            Err(error) => refused(&**error),
        }
        host.node.kill();
        started.is_ok()
    };
    match later_world().run(run) {
        Ok(outcome) => outcome.value,
        Err(failure) if REFUSALS.iter().any(|words| failure.message.contains(words)) => false,
        Err(failure) => panic!("{failure}"),
    }
}

/// A server that comes back to what was saved, and not damaged, has all of it.
fn comes_back_with_all<S: Subject>(saved: [Vec<u8>; 2]) {
    let run = move || {
        let persister = Arc::new(MemoryPersister::new());
        persister.save_state_and_snapshot(&saved[0], &saved[1]).unwrap();
        let host = Host::new(&Network::new(), S::NAME, persister);
        host.start::<S>().expect("it was saved by such a server");
        S::find_it(&host);
        host.node.kill();
    };
    later_world().run(run).unwrap_or_else(|failure| panic!("{failure}"));
}

fn refused(error: &dyn Error) {
    let text = error.to_string();
    assert!(text.len() > 20 && !text.contains(|c: char| c.is_control()), "{text}");
}

/// The first byte says which of the two the rest is to replace.
fn service<S: Subject>(target: &'static str) {
    let right = saved::<S>();
    comes_back_with_all::<S>(right.clone());
    let inputs = [0, 1].map(|which| [&[which as u8], &right[which][..]].concat());
    let target = Target::new(target, Form::Bytes).right(inputs);
    target.inputs(200).memory(100_000, 400).run(|input| {
        let Some((which, bytes)) = input.split_first() else { return false };
        let mut saved = right.clone();
        saved[usize::from(which % 2)] = bytes.to_vec();
        come_back::<S>(saved)
    });
}

/// What was saved at two moments does not belong together, and is refused at the start.
#[test]
fn a_state_beside_a_snapshot_of_another_moment() {
    let [early, late] = [1, 4].map(saved_after::<Kv>);
    for [state, snapshot] in [[&late[0], &early[1]], [&early[0], &late[1]]] {
        let saved = [state.clone(), snapshot.clone()];
        let start = move || {
            let persister = Arc::new(MemoryPersister::new());
            persister.save_state_and_snapshot(&saved[0], &saved[1]).unwrap();
            let host = Host::new(&Network::new(), Kv::NAME, persister);
            host.start::<Kv>().expect_err("entries are missing in between").to_string()
        };
        let words = later_world().run(start).expect("it is no panic").value;
        assert!(words.contains("the two are of different moments, or one is damaged"), "{words}");
    }
}

/// A server that takes far more than was saved.
struct Greedy;

impl Subject for Greedy {
    const NAME: &'static str = "greedy";

    fn make(host: &Host) -> Made {
        let saved = host.persister.read_raft_state()?;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(saved.len() + 100_000_000)));
        Ok(Vec::new())
    }

    fn use_it(_: &Host) {}

    fn find_it(_: &Host) {}
}

#[test]
#[should_panic(expected = "bytes of memory at a time for an input of")]
fn a_server_that_takes_too_much_memory_does_not_pass() {
    service::<Greedy>("saved_greedy");
}

#[test]
fn saved_kv() {
    service::<Kv>("saved_kv");
}

#[test]
fn saved_controller() {
    service::<Controller>("saved_controller");
}

#[test]
fn saved_shards() {
    service::<Shards>("saved_shards");
}

#[test]
fn saved_raft() {
    let [state, snapshot] = saved::<Kv>();
    let [no_snapshot, _] = saved::<Controller>();
    let target = Target::new("saved_raft", Form::Bytes).right([state, no_snapshot]);
    target.inputs(1_000).memory(60_000, 400).run(|state| {
        let mut read = false;
        for snapshot in [&snapshot[..], &[]] {
            let persister = Arc::new(MemoryPersister::new());
            persister.save_state_and_snapshot(state, snapshot).unwrap();
            match Storage::open(persister) {
                Ok((_, stored)) => {
                    assert!(state.is_empty() || stored.hard != HardState::default());
                    read = true;
                }
                Err(error) => refused(&error),
            }
        }
        for cut in [0, state.len() / 2] {
            if let Some(known) = Raft::read_persisted(&state[..cut]) {
                let all = Raft::read_appended(known, &state[cut..]);
                assert!(all.is_none() || all == Raft::read_persisted(state));
            }
        }
        read
    });
}
