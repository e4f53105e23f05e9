//! How much memory a cluster takes while very many commands go through it and its services take
//! snapshots: three servers, their disks and all messages on their way.
//!
//! ```text
//! cargo run --release -p raft --example soak
//! cargo run --release -p raft --example soak -- 10000000
//! ```
//!
//! Each line is about a tenth of the run. In each of them every server is cut off once, and gets a
//! snapshot when it is back. That the memory stays the same is the point: at the end the program fails
//! if the last tenth held more than the others by a half.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use labrpc::{Network, Server};
use labrt::time::Instant;
use labrt::{Node, channel, thread};
use persister::MemoryPersister;
use raft::{Options, Raft};
use raft_api::{ApplyMsg, Raft as _};

const SERVERS: usize = 3;
const COMMAND: usize = 100;
/// A snapshot follows every tenth command, as in part 2D.
const SNAPSHOT_EVERY: u64 = 10;
const SNAPSHOT: usize = 2_000;
/// As many commands are offered together.
const TOGETHER: u64 = 50;

fn main() {
    let asked = std::env::args().nth(1).map(|number| number.parse());
    let commands: u64 = asked.transpose().expect("the argument is a number").unwrap_or(1_000_000);
    println!("{commands} commands of {COMMAND} bytes, a snapshot of {SNAPSHOT} bytes every tenth");
    let run = labrt::simulate(1, move || soak(commands / 10));
    let most = run.unwrap_or_else(|failure| panic!("{failure}")).value;
    let (last, others) = most.split_last().expect("ten parts");
    let least = others.iter().min().expect("nine parts");
    assert!(*last < least + least / 2, "memory grows: {most:?} bytes at most, part by part");
}

/// Ten times so many commands; returns what was held at most in each part.
fn soak(each: u64) -> Vec<u64> {
    let cluster = Cluster::new();
    let (mut held, mut most) = (0, Vec::new());
    for part in 1..=10 {
        let began = Instant::now();
        let info = measure(|| cluster.agree_on(each));
        most.push(held + info.bytes_max);
        println!(
            "{:>10} commands: {:>4} kB at most, {:>4} kB at the end; {:.0} s of lab time",
            part * each,
            (held + info.bytes_max) / 1000,
            (held as i64 + info.bytes_current) / 1000,
            began.elapsed().as_secs_f64()
        );
        held = held.saturating_add_signed(info.bytes_current);
    }
    println!("{} snapshots came from leaders", cluster.seen.installed.load(Ordering::Relaxed));
    most
}

struct Cluster {
    network: Network,
    servers: Vec<Arc<Raft>>,
    seen: Arc<Seen>,
}

/// What the services have seen.
#[derive(Default)]
struct Seen {
    /// The highest index of a command.
    applied: AtomicU64,
    /// How many snapshots came from leaders.
    installed: AtomicU64,
}

impl Cluster {
    fn new() -> Cluster {
        let network = Network::new();
        let seen = Arc::<Seen>::default();
        let servers = (0..SERVERS).map(|me| server(&network, me, seen.clone())).collect();
        Cluster { network, servers, seen }
    }

    /// Has so many commands committed, and meanwhile each server cut off once.
    fn agree_on(&self, commands: u64) {
        for away in 0..SERVERS {
            self.offer(commands / 6);
            self.connect(away, false);
            self.offer(commands / 6);
            self.connect(away, true);
        }
        thread::sleep(Duration::from_secs(1));
    }

    /// Offers commands to whoever leads until so many more are applied.
    fn offer(&self, commands: u64) {
        let enough = self.seen.applied.load(Ordering::Relaxed) + commands;
        while self.seen.applied.load(Ordering::Relaxed) < enough {
            // Of two that believe they lead, that of the later term does.
            let leader = self.servers.iter().max_by_key(|raft| {
                let state = raft.state();
                (state.is_leader, state.term)
            });
            let leader = leader.expect("there are servers");
            for _ in 0..TOGETHER {
                leader.start(Bytes::from(vec![b'c'; COMMAND]));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn connect(&self, server: usize, on: bool) {
        for other in 0..SERVERS {
            self.network.enable(end_name(server, other), on);
            self.network.enable(end_name(other, server), on);
        }
    }
}

fn end_name(from: usize, to: usize) -> String {
    format!("{from} to {to}")
}

/// A server and its service, which remembers nothing but where it is.
fn server(network: &Network, me: usize, seen: Arc<Seen>) -> Arc<Raft> {
    let ends = (0..SERVERS).map(|peer| {
        let end = network.make_end(end_name(me, peer));
        network.connect(end_name(me, peer), peer.to_string());
        network.enable(end_name(me, peer), true);
        end
    });
    let (ends, node) = (ends.collect(), Node::new(format!("server {me}")));
    let (apply, messages) = channel::bounded(0);
    let disk = Arc::new(MemoryPersister::new());
    let raft = node.enter(|| Raft::open(ends, me, disk, apply, Options::default()));
    let raft = raft.expect("the node is new").expect("the disk is empty");
    let service = raft.clone();
    node.spawn(move || {
        for message in messages {
            let ApplyMsg::Command { index, .. } = message else {
                seen.installed.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            seen.applied.fetch_max(index, Ordering::Relaxed);
            if index.is_multiple_of(SNAPSHOT_EVERY) {
                service.snapshot(index, vec![b's'; SNAPSHOT].into());
            }
        }
    });
    let services = raft.clone().services().into_iter();
    network.add_server(me.to_string(), services.fold(Server::new(), Server::service).node(node));
    raft
}
