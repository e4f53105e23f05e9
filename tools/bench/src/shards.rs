//! The reference sharded service on the simulated clock: how much it does with more and more groups, and for how
//! long a client of a shard has to wait while that moves.
//!
//! Running code takes no time of its own there, messages take 1 to 4 ms: so these figures are the same on each
//! machine, and show what waits for what. What they do not show is what code costs; that is the CPU time.

use std::time::Duration;

use labrt::rng::{self, RngExt};
use labrt::thread;
use labrt::time::Instant;
use shard_api::{NOBODY, SHARDS, shard_of};
use shard_tests::{Client, Cluster, Layout, Subject};
use tester::Run;

use crate::{cpu, in_world};

/// From how many bytes of saved Raft state on a group makes a snapshot.
const MAX_RAFT_STATE: usize = 1 << 16;

/// How many keys there are. Each value has 16 bytes.
const KEYS: u32 = 1000;

/// What came of some clients' work.
#[derive(Clone, Debug)]
pub struct Work {
    /// How long they worked, in lab time.
    pub time: Duration,
    /// How long each operation took, in lab time, from the shortest to the longest.
    pub operations: Vec<Duration>,
    /// How many messages there were.
    pub rpcs: u64,
    /// How much CPU time all of it took: servers, clients and rules.
    pub cpu: Duration,
}

/// So many groups of three servers, and so many clients, each making one call after the other for a time, half
/// Gets and half Puts.
///
/// # Panics
/// If the service fails.
pub fn work(groups: usize, clients: usize, time: Duration) -> Work {
    let before = cpu::used();
    let (operations, rpcs) = in_world(move |run| {
        let cluster = cluster(run, groups, false);
        cluster.join(&cluster.all());
        let all = (0..clients).map(|_| cluster.client()).collect();
        let rpcs = cluster.totals().rpcs;
        let until = Instant::now() + time;
        let done = cluster.start_clients(all, move |_, client| calls(client, until)).join();
        let rpcs = cluster.totals().rpcs - rpcs;
        cluster.finish();
        let mut operations = done.concat();
        operations.sort_unstable();
        (operations, rpcs)
    });
    Work { time, operations, rpcs, cpu: cpu::used() - before }
}

/// One call after the other; how long each took.
fn calls(client: &mut Client, until: Instant) -> Vec<Duration> {
    let mut rng = rng::stream("calls");
    let mut times = Vec::new();
    loop {
        let begun = Instant::now();
        if begun >= until {
            return times;
        }
        let key = rng.random_range(0..KEYS).to_string();
        match rng.random_bool(0.5) {
            true => drop(client.get(&key)),
            false => client.put(&key, "sixteen bytes..."),
        }
        times.push(begun.elapsed());
    }
}

/// How long clients wait for their shards.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// Of each move of a shard: the longest time in which its client got no answer, from the shortest to the
    /// longest. An operation's own time is part of it.
    pub moved: Vec<Duration>,
    /// The same at the same times of the shards that stayed where they were.
    pub stayed: Vec<Duration>,
}

/// For so long after a change the times of clients count as the change's.
const AFTER: Duration = Duration::from_secs(2);

/// Three groups, of which one leaves or comes back, so many times; and a client of each shard, which reads
/// all the time.
///
/// # Panics
/// If the service fails.
pub fn moves(changes: usize, unreliable: bool) -> Waits {
    in_world(move |run| {
        let cluster = cluster(run, 3, unreliable);
        cluster.join(&cluster.all());
        let clients = (0..SHARDS).map(|_| cluster.client()).collect();
        let until = Instant::now() + (AFTER + Duration::from_secs(1)) * (changes as u32 + 1);
        let readers =
            cluster.start_clients(clients, move |shard, client| answers(shard, client, until));
        thread::sleep(AFTER);
        let changes: Vec<Change> = (0..changes).map(|number| change(&cluster, number)).collect();
        let answers = readers.join();
        cluster.finish();
        let mut waits = Waits::default();
        for Change { at, moved } in changes {
            for (shard, answers) in answers.iter().enumerate() {
                let longest = longest_wait(answers, at);
                if moved[shard] { &mut waits.moved } else { &mut waits.stayed }.push(longest);
            }
        }
        waits.moved.sort_unstable();
        waits.stayed.sort_unstable();
        waits
    })
}

/// A change of the configuration: when it was asked for, and which shards have another group since.
struct Change {
    at: Instant,
    moved: [bool; SHARDS],
}

fn change(cluster: &Cluster, number: usize) -> Change {
    let before = cluster.latest();
    let (at, group) = (Instant::now(), number / 2 % cluster.all().len());
    match number % 2 {
        0 => cluster.leave(&[group]),
        _ => cluster.join(&[group]),
    }
    let after = cluster.latest();
    thread::sleep(AFTER + Duration::from_millis(500));
    let moved = std::array::from_fn(|shard| {
        before.shards[shard] != NOBODY && before.shards[shard] != after.shards[shard]
    });
    Change { at, moved }
}

/// Reads a key of a shard again and again; when each answer came.
fn answers(shard: usize, client: &mut Client, until: Instant) -> Vec<Instant> {
    let key = (0..KEYS).map(|key| key.to_string()).find(|key| shard_of(key) == shard);
    let key = key.expect("each shard has keys");
    let mut answers = Vec::new();
    while Instant::now() < until {
        client.get(&key);
        answers.push(Instant::now());
    }
    answers
}

/// The longest time between two answers of which the second came soon after a change.
fn longest_wait(answers: &[Instant], change: Instant) -> Duration {
    let pairs = answers.windows(2).filter(|pair| pair[1] > change && pair[0] < change + AFTER);
    pairs.map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}

fn cluster(run: &Run, groups: usize, unreliable: bool) -> Cluster {
    let layout =
        Layout { groups: vec![3; groups], ..Layout::of_course(unreliable, Some(MAX_RAFT_STATE)) };
    Cluster::with(subject(), run, layout)
}

/// The reference.
pub fn subject() -> Subject {
    type Clerk = shardctrler::Clerk;
    type Controller = shardctrler::Server<raft::Raft>;
    Subject::of::<shardkv::Server<raft::Raft, Clerk>, shardkv::Clerk<Clerk>, Controller, Clerk>()
}
