//! Anything at once: the swarm test, with faults that the [storm](crate::storm) does not have.
//!
//! A run draws how many groups there are and how many servers each of them and the controller has, which
//! [faults](tester::swarm) it has, each with probability 1/2, how bad they are, how often configurations change,
//! and how much clients ask for. For a while anything happens to all groups and to the controller, and only
//! the rules that are checked at every event judge. Then a majority of each is healed, and the rest is down: all
//! who wait must be answered, and each key must be written, within the time of the storm. Then all servers
//! are healed, the same once more, no group's log may be much longer than it should be, and all keys are read.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use kv_clients::Client;
use labrt::channel;
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::atomic::AtomicBool;
use labrt::thread;
use raft_watch::AnyServer;
use service_watch::Limits;
use tester::swarm::{self, Faults};
use tester::{Run, Totals};

use crate::cluster::{Cluster, Layout};
use crate::controllers::leads;
use crate::storm::{self, KEYS};
use crate::subject::Subject;

/// How long it takes at most until the next change of the configuration, in ms: each run has one of these.
const CHANGES: [u64; 4] = [300, 1000, 2500, 5000];

/// What the seed chooses beside the faults of groups and network.
struct Choice {
    layout: Layout,
    clients: usize,
    /// How long it takes at most until the next change of the configuration, in ms.
    change: u64,
    /// How long a round may take at most, in ms.
    pace: u64,
    /// How often a group is cut off from another one or from the controller, if ever.
    cut_between: Option<f64>,
}

impl Choice {
    fn draw(rng: &mut Stream) -> Choice {
        let groups = rng.random_range(1..=4);
        let max_raft_state = swarm::draw_max_raft_state(rng);
        let layout = Layout {
            controllers: rng.random_range(1..=5),
            groups: (0..groups).map(|_| rng.random_range(1..=5)).collect(),
            // What was written while nobody could agree may be larger than that for long.
            limits: Limits { state: None, ..Limits::of_lab(max_raft_state) },
            drifting: rng.random_bool(0.5),
            ..Layout::of_course(false, max_raft_state)
        };
        Choice {
            layout,
            clients: rng.random_range(2..=5),
            change: CHANGES[rng.random_range(0..CHANGES.len())],
            pace: swarm::draw_pace(rng),
            cut_between: swarm::perhaps(rng, 0.05, 0.5),
        }
    }
}

/// The test.
pub(crate) fn anything(subject: Subject, run: &Run) -> Totals {
    let mut rng = rng::stream("soak");
    let (choice, faults) = (Choice::draw(&mut rng), Faults::draw(&mut rng));
    let Choice { layout, clients, change, pace, cut_between } = choice;
    let max_raft_state = layout.max_raft_state;
    labtrace::note!(
        "soak",
        "{faults:?}, rounds of up to {pace} ms, a change within {change} ms, cuts between groups {cut_between:?}",
    );
    let cluster = Cluster::with(subject, run, layout);
    cluster.join(&[0]);
    faults.begin(cluster.net());
    let stop = Arc::new(AtomicBool::new(false));
    let (done, ends) = channel::unbounded();
    let work = {
        let (stop, done) = (stop.clone(), done.clone());
        move |_, client: &mut _| storm::work(client, &stop, &done)
    };
    let workers = cluster.start_clients((0..clients).map(|_| cluster.client()).collect(), work);
    let changes = {
        let (cluster, stop) = (cluster.clone(), stop.clone());
        move || {
            change_again(&cluster, change, &stop);
            // Nobody waits any more if it took too long.
            let _ = done.send(());
        }
    };
    thread::Builder::new().name("changes").spawn(changes);
    let storms = storms(&cluster, &faults);
    swarm::storm(cluster.net(), pace, || {
        storms.iter().filter(|_| rng.random()).for_each(Storm::happens);
        if cut_between.is_some_and(|rate| rng.random_bool(rate)) {
            cut_between_groups(&cluster, &mut rng);
        }
    });
    storms.iter().for_each(heal_majority);
    cluster.heal_between();
    stop.store(true, Relaxed);
    storm::get_on(&cluster, "most are healed", &ends, clients + 1);
    storms.iter().for_each(|storm| _ = storm.heal(storm.group().servers()));
    storm::get_on(&cluster, "all are healed", &ends, 0);
    drop(storms);
    write_much(&cluster, swarm::pieces_to_trim(max_raft_state));
    let groups = cluster.all().into_iter().map(|group| cluster.group(group));
    groups.for_each(|group| swarm::await_trimmed(group, max_raft_state, storm::BESIDES));
    workers.join();
    let mut reader = cluster.client();
    (0..KEYS).for_each(|key| _ = reader.get(&key.to_string()));
    drop(reader);
    cluster.finish()
}

/// Clients write so many long texts for each key, so that each group with shards has many of them.
fn write_much(cluster: &Cluster, pieces: u64) {
    let write = move |key: usize, client: &mut Client| {
        let piece = |count: u64| format!("{count} {}", "-".repeat(swarm::PIECE));
        (0..pieces).for_each(|count| client.put(&key.to_string(), &piece(count)));
    };
    cluster.start_clients((0..KEYS).map(|_| cluster.client()).collect(), write).join();
}

type Storm<'a> = swarm::Storm<'a, AnyServer>;

/// One for each group, and one for the controller.
fn storms<'a>(cluster: &'a Cluster, faults: &Faults) -> Vec<Storm<'a>> {
    let of_group = |number: usize| {
        let group = cluster.group(number);
        let leads = |server| leads(group, server);
        Storm::new(group, faults, leads, move |server| cluster.start_alone(number, server))
    };
    let controllers = cluster.controllers();
    let leads = |server| leads(controllers.group(), server);
    let start = |server| controllers.start_alone(server);
    let of_controller = Storm::new(controllers.group(), faults, leads, start);
    cluster.all().into_iter().map(of_group).chain([of_controller]).collect()
}

/// The configuration changes again and again, until it is to stop. Then some group has the shards.
fn change_again(cluster: &Cluster, within: u64, stop: &AtomicBool) {
    let mut rng = rng::stream("changes");
    while !stop.load(Relaxed) {
        storm::change(cluster, &mut rng);
        thread::sleep(Duration::from_millis(rng.random_range(0..within)));
    }
    storm::somebody_has_shards(cluster);
}

/// A server or a whole group is cut off from the controller or from another group, or nobody is any more.
fn cut_between_groups(cluster: &Cluster, rng: &mut Stream) {
    let (group, other) = (storm::any(cluster, rng), storm::any(cluster, rng));
    let servers = 0..cluster.servers(group);
    match rng.random_range(0..4) {
        0 => servers.for_each(|server| cluster.cut_from_controller(group, server)),
        1 => cluster.cut_from_controller(group, rng.random_range(servers)),
        2 if group != other => {
            servers.for_each(|server| cluster.cut_from_group(group, server, other))
        }
        _ => cluster.heal_between(),
    }
}

/// A majority of a group is healed, and the others are down: nobody may wait for ever at one of them.
fn heal_majority(storm: &Storm<'_>) {
    let group = storm.group();
    let healed = storm.heal(group.servers() / 2 + 1);
    let rest = (0..group.servers()).filter(|server| !healed.contains(server));
    let rest: Vec<usize> = rest.inspect(|server| group.crash(*server)).collect();
    if rest.into_iter().any(|server| group.is_running(server)) {
        storm.heal(group.servers()); // the run's setting has no crash left
    }
}
