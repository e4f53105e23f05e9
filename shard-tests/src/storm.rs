//! Everything at once: configurations change, servers and groups crash and are cut off, on a network
//! that loses messages, while clients go on. Then all is healed, and they must get on.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use kv_clients::Client;
use labrt::channel::{self, Receiver, Sender};
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::atomic::AtomicBool;
use labrt::thread;
use labrt::time::Instant;
use labtrace::{VerdictBuilder, verdict};
use service_watch::Limits;
use shard_api::SHARDS;
use tester::{Run, Totals};

use crate::cluster::{Cluster, Layout};
use crate::data::text;
use crate::subject::Subject;

/// How many keys there are: the digits cover all shards.
pub(crate) const KEYS: usize = 10;

/// How many servers the controller has.
const CONTROLLERS: usize = 3;

/// How long a group may take for one configuration, once nothing goes wrong any more: it looks every
/// 100 ms whether there is one, and gets and hands over shards.
const FOR_EACH: Duration = Duration::from_millis(300);

/// How long elections and clerks' pauses may take besides.
pub(crate) const BESIDES: Duration = Duration::from_secs(10);

/// What the seed chooses.
struct Choice {
    layout: Layout,
    clients: usize,
    /// How many changes and troubles there are.
    rounds: usize,
}

impl Choice {
    fn draw(rng: &mut Stream) -> Choice {
        let groups = rng.random_range(1..=6);
        let max_raft_state = [None, Some(1000), Some(200), Some(1)][rng.random_range(0..4)];
        let layout = Layout {
            controllers: CONTROLLERS,
            groups: (0..groups).map(|_| rng.random_range(1..=5)).collect(),
            // What was written while nobody could agree may be larger than that for long.
            limits: Limits { state: None, ..Limits::of_lab(max_raft_state) },
            ..Layout::of_course(rng.random_bool(0.7), max_raft_state)
        };
        Choice { layout, clients: rng.random_range(3..=8), rounds: rng.random_range(40..=160) }
    }
}

/// The test.
pub(crate) fn play(subject: Subject, run: &Run) -> Totals {
    let mut rng = rng::stream("storm");
    let Choice { layout, clients, rounds } = Choice::draw(&mut rng);
    let cluster = Cluster::with(subject, run, layout);
    cluster.join(&[0]);
    let stop = Arc::new(AtomicBool::new(false));
    let (done, ends) = channel::unbounded();
    let stopped = stop.clone();
    let number = clients;
    let clients = (0..number).map(|_| cluster.client()).collect();
    let clients = cluster.start_clients(clients, move |_, client| work(client, &stopped, &done));
    for _ in run.rounds(rounds) {
        change_or_trouble(&cluster, &mut rng);
        sleep(rng.random_range(0..800));
    }
    heal(&cluster);
    stop.store(true, Relaxed);
    get_on(&cluster, "healed", &ends, number);
    clients.join();
    cluster.finish()
}

fn sleep(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

/// A client that reads, puts and appends, with pauses, until it is told to stop.
pub(crate) fn work(client: &mut Client, stop: &AtomicBool, done: &Sender<()>) {
    let mut rng = rng::stream("operations");
    while !stop.load(Relaxed) {
        let key = rng.random_range(0..KEYS).to_string();
        match rng.random_range(0..20) {
            0..10 => client.append(&key, &text(&mut rng, 6)),
            10 => client.put(&key, &text(&mut rng, 6)),
            _ => _ = client.get(&key),
        }
        sleep(rng.random_range(0..200));
    }
    // Nobody waits any more if it took too long.
    let _ = done.send(());
}

/// One of these: either the configuration changes, or something fails, or something comes back.
fn change_or_trouble(cluster: &Cluster, rng: &mut Stream) {
    match rng.random_range(0..20) {
        0..8 => change(cluster, rng),
        8..12 => crash(cluster, rng),
        12..17 => cut(cluster, rng),
        17 => cluster.all().into_iter().for_each(|group| cluster.restart_group(group)),
        _ => {
            cluster.heal();
            cluster.net().set_reliable(rng.random_bool(0.5));
        }
    }
}

/// The configuration changes in some way, or not.
pub(crate) fn change(cluster: &Cluster, rng: &mut Stream) {
    let config = cluster.latest();
    let (there, away): (Vec<usize>, Vec<usize>) = cluster
        .all()
        .into_iter()
        .partition(|group| config.groups.contains_key(&cluster.gid(*group)));
    let some = |of: &[usize], rng: &mut Stream| {
        let first = rng.random_range(0..of.len());
        let count = rng.random_range(1..=of.len() - first);
        of[first..first + count].to_vec()
    };
    match rng.random_range(0..3) {
        0 if !there.is_empty() => {
            let group = there[rng.random_range(0..there.len())];
            let shard = rng.random_range(0..SHARDS);
            if config.shards[shard] != cluster.gid(group) {
                cluster.move_shard(shard, group);
            }
        }
        1 if !there.is_empty() => cluster.leave(&some(&there, rng)),
        _ if !away.is_empty() => cluster.join(&some(&away, rng)),
        _ => {}
    }
}

pub(crate) fn any(cluster: &Cluster, rng: &mut Stream) -> usize {
    rng.random_range(0..cluster.all().len())
}

fn crash(cluster: &Cluster, rng: &mut Stream) {
    let (group, controllers) = (any(cluster, rng), cluster.controllers());
    match rng.random_range(0..6) {
        0..2 => cluster.shut_down(group, rng.random_range(0..cluster.servers(group))),
        2 => cluster.shut_down_group(group),
        3 => {
            cluster.shut_down_group(group);
            cluster.start_group(group);
        }
        4 => {
            // The power fails, everywhere.
            let all = cluster.all();
            all.iter().for_each(|group| cluster.shut_down_group(*group));
            all.iter().for_each(|group| cluster.start_group(*group));
        }
        _ => {
            // One at a time: without a majority nobody answers the next change.
            (0..CONTROLLERS).for_each(|server| controllers.restart(server));
            controllers.shut_down(rng.random_range(0..CONTROLLERS));
        }
    }
}

fn cut(cluster: &Cluster, rng: &mut Stream) {
    let (group, other) = (any(cluster, rng), any(cluster, rng));
    let servers: Vec<usize> = (0..cluster.servers(group)).collect();
    match rng.random_range(0..4) {
        0 => {
            let (one, rest): (Vec<usize>, Vec<usize>) =
                servers.into_iter().partition(|_| rng.random_bool(0.5));
            cluster.partition(group, &one, &rest);
        }
        1 => servers.iter().for_each(|server| cluster.cut_from_controller(group, *server)),
        2 => cluster.cut_from_controller(group, rng.random_range(0..servers.len())),
        _ if group != other => {
            servers.iter().for_each(|server| cluster.cut_from_group(group, *server, other));
        }
        _ => {}
    }
}

/// From here on nothing goes wrong, and some group has the shards.
fn heal(cluster: &Cluster) {
    cluster.net().set_reliable(true);
    (0..CONTROLLERS).for_each(|server| cluster.controllers().restart(server));
    cluster.all().into_iter().for_each(|group| cluster.restart_group(group));
    cluster.heal();
    somebody_has_shards(cluster);
}

/// If no group is there, one joins.
pub(crate) fn somebody_has_shards(cluster: &Cluster) {
    if cluster.latest().groups.is_empty() {
        cluster.join(&[0]);
    }
}

/// Checks that the clients that were at work, and a new one for each key, which appends this to it and reads it, are done
/// within the time that the groups need to follow all configurations.
pub(crate) fn get_on(cluster: &Cluster, text: &'static str, ends: &Receiver<()>, clients: usize) {
    let config = cluster.latest();
    let bound = BESIDES + FOR_EACH * u32::try_from(config.number).unwrap_or(u32::MAX);
    let until = Instant::now() + bound;
    let (done, served) = channel::unbounded();
    let readers = (0..KEYS).map(|_| cluster.client()).collect();
    let readers = cluster.start_clients(readers, move |key, client| {
        client.append(&key.to_string(), text);
        client.get(&key.to_string());
        let _ = done.send(key);
    });
    let mut waiting: Vec<usize> = (0..KEYS).collect();
    while let Ok(key) = served.recv_timeout(until.saturating_duration_since(Instant::now())) {
        waiting.retain(|other| *other != key);
        if waiting.is_empty() {
            break;
        }
    }
    let rest = || ends.recv_timeout(until.saturating_duration_since(Instant::now()));
    let ended = (0..clients).take_while(|_| rest().is_ok()).count();
    if !waiting.is_empty() || ended < clients {
        let words = format!(
            "{:.0} s after everything was healed, keys {waiting:?} are not served, and {} of {clients} \
             clients wait for an answer",
            bound.as_secs_f64(),
            clients - ended
        );
        let latest = format!("the latest configuration is {}: {:?}", config.number, config.shards);
        let broken = verdict("progress after healing", words).fact(None, latest);
        let obstacles = cluster.watch().obstacles();
        obstacles
            .into_iter()
            .fold(broken, VerdictBuilder::with_fact)
            .hint(
                "groups that wait for each other; a hand-over that was forgotten in a crash; or a new \
                 leader that waits for what has come long since, until it commits something of its own",
            )
            .fail();
    }
    readers.join();
}
