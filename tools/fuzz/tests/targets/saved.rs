//! Servers that come back to what was saved, and was damaged since.
//!
//! A checksum is the persister's business: who gets bytes from it that are a state takes them for one. So
//! a command may have become another one. A server refuses to start, with words that say so, or goes on.

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
use shard_api::{ControllerClerk as _, Gid};

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
        let disk = Arc::new(MemoryPersister::new());
        let controller = Host::new(&host.network, Controller::NAME, disk);
        controller.start::<Controller>().expect("it is new");
        let mut admin = shardctrler::Clerk::make(vec![controller.end("admin", Controller::NAME)]);
        admin.join([(GROUP, vec![host.name.to_string()])].into());
        let network = host.network.clone();
        let make_end = Arc::new(move |server: &str| end(&network, "clerk", server));
        let mut clerk = shardkv::Clerk::<shardctrler::Clerk>::make(
            vec![controller.end("clerk", Controller::NAME)],
            make_end,
        );
        for number in 0..5 {
            clerk.append("a", &format!("x {number} y"));
            clerk.put("b", &number.to_string());
        }
        // What is to be handed over to a group that never answers is saved, too.
        admin.join([(GROUP + 1, vec!["nobody".to_string()])].into());
        thread::sleep(Duration::from_secs(1));
        controller.node.kill();
    }
}

fn world() -> Builder {
    // Everything is over after some seconds, and a server that is busy for ever is none that came back.
    Builder::simulated(1).time_limit(Duration::from_secs(60)).steps_per_instant(100_000)
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
    match world().run(run) {
        Ok(outcome) => outcome.value,
        Err(failure) if REFUSALS.iter().any(|words| failure.message.contains(words)) => false,
        Err(failure) => panic!("{failure}"),
    }
}

fn refused(error: &dyn Error) {
    let text = error.to_string();
    assert!(text.len() > 20 && !text.contains(|c: char| c.is_control()), "{text}");
}

/// The first byte says which of the two the rest is to replace.
fn service<S: Subject>(target: &'static str) {
    let right = saved::<S>();
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
        let words = world().run(start).expect("it is no panic").value;
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
