//! Anything at once: the swarm test, which belongs to no part of the lab and earns no points.
//!
//! A run draws how many servers there are (1 to 7, even numbers too), which faults it has, each with
//! probability 1/2, how bad they are, and how many commands are offered. (That not all faults are on in each
//! run is the point: some of them hide others.) For a while anything happens, and only the rules that are
//! checked at every message judge. Then a majority is healed, and must make progress within
//! [the time](crate::Cluster::one) that the other tests give; then all are.
//!
//! Six of the faults are in no other test: requests that come twice, cuts in one direction, slow links, servers
//! that pause, clocks that run fast or slow, and crashes in the middle of a save. Pauses and clocks are there on the simulated clock
//! only.

use std::time::Duration;

use labrt::rng::{RngExt, Stream};
use labrt::thread;
use labrt::time::Instant;
use raft_watch::RaftType;

use crate::cluster::{Cluster, lab_net};
use crate::commands::random;
use crate::run::Run;

/// How long anything may happen.
const STORM: Duration = Duration::from_secs(20);

/// How many rounds that takes at most.
const ROUNDS: usize = 1000;

/// How long a round may take at most, in ms: each run has one of these. What only a long quiet time shows
/// does not show where something new happens all the time, and the other way round.
const PACES: [u64; 4] = [100, 400, 1000, 2500];

/// How many commands are offered in a round on average: each run has one of these.
const LOADS: [f64; 5] = [0.02, 0.3, 1.0, 4.0, 15.0];

/// How slow and how fast clocks are, in thousandths of the usual speed.
const CLOCKS: (u32, u32) = (800, 1250);

/// Which faults a run has: none means that this one never happens.
#[derive(Clone, Debug)]
struct Faults {
    loss: bool,
    reordering: bool,
    duplication: Option<f64>,
    crash: Option<f64>,
    torn_save: Option<f64>,
    cut: Option<f64>,
    one_way_cut: Option<f64>,
    slow_link: Option<f64>,
    pause: Option<f64>,
}

impl Faults {
    fn draw(rng: &mut Stream) -> Faults {
        Faults {
            loss: rng.random_bool(0.5),
            reordering: rng.random_bool(0.5),
            duplication: perhaps(rng, 0.02, 0.5),
            crash: perhaps(rng, 0.02, 0.4),
            torn_save: perhaps(rng, 0.02, 0.4),
            cut: perhaps(rng, 0.05, 0.5),
            one_way_cut: perhaps(rng, 0.05, 0.5),
            slow_link: perhaps(rng, 0.05, 0.5),
            pause: perhaps(rng, 0.05, 0.5),
        }
    }
}

/// With probability 1/2 a rate between the two.
fn perhaps(rng: &mut Stream, least: f64, most: f64) -> Option<f64> {
    let rate = rng.random_range(least..most);
    rng.random_bool(0.5).then_some(rate)
}

/// A run's cluster: how many servers there are, whether their services take snapshots, and how their clocks
/// run.
pub(crate) fn cluster(raft: RaftType, run: &Run) -> Cluster {
    let net = lab_net(run, false);
    let (servers, snapshots, clocks) =
        net.draw(|rng| (rng.random_range(1..=7), rng.random_bool(0.5), rng.random_bool(0.5)));
    let cluster = Cluster::unstarted(raft, &net, "", servers, snapshots);
    for server in 0..servers {
        let clock = net.draw(|rng| rng.random_range(CLOCKS.0..=CLOCKS.1));
        if clocks {
            cluster.group().set_clock(server, clock);
        }
    }
    cluster.start_all();
    cluster
}

/// Anything happens at once; then a majority must make progress, and then all.
pub fn anything(cluster: &Cluster, _: &Run) {
    let faults = cluster.draw(Faults::draw);
    let storm = Storm { cluster, faults };
    let (pace, load) = cluster.draw(|rng| {
        (PACES[rng.random_range(0..PACES.len())], LOADS[rng.random_range(0..LOADS.len())])
    });
    labtrace::note!(
        "soak",
        "{:?}, rounds of up to {pace} ms, {load} commands in each",
        storm.faults
    );
    storm.begin();
    let began = Instant::now();
    for _ in cluster.rounds(ROUNDS).take_while(|_| began.elapsed() < STORM) {
        storm.happens();
        storm.offers(load);
        let pause = cluster.draw(|rng| rng.random_range(5..=pace));
        thread::sleep(Duration::from_millis(pause));
    }
    storm.heal(cluster.servers() / 2 + 1);
    storm.heal(cluster.servers());
}

/// What a run does to its cluster.
struct Storm<'a> {
    cluster: &'a Cluster,
    faults: Faults,
}

impl Storm<'_> {
    fn begin(&self) {
        let Storm { cluster, faults } = self;
        cluster.set_reliable(!faults.loss);
        cluster.set_long_reordering(faults.reordering);
        cluster.set_duplication(faults.duplication.unwrap_or(0.0));
    }

    /// True in so many of all cases.
    fn happens_now(&self, rate: Option<f64>) -> bool {
        rate.is_some_and(|rate| self.cluster.draw(|rng| rng.random_bool(rate)))
    }

    fn any_server(&self) -> usize {
        let servers = self.cluster.servers();
        self.cluster.draw(|rng| rng.random_range(0..servers))
    }

    /// Whom something happens to: often the leader.
    fn victim(&self) -> usize {
        let leads =
            |server: &usize| self.cluster.state(*server).is_some_and(|state| state.is_leader);
        let leader = (0..self.cluster.servers()).find(leads);
        let any = self.any_server();
        let often = self.cluster.draw(|rng| rng.random_bool(0.4));
        leader.filter(|_| often).unwrap_or(any)
    }

    fn happens(&self) {
        let Storm { cluster, faults } = self;
        let group = cluster.group();
        let (one, other) = (self.victim(), self.any_server());
        if self.happens_now(faults.crash) {
            cluster.crash(one);
        }
        if self.happens_now(faults.torn_save) {
            group.tear_next_save(other, true);
        }
        if self.happens_now(faults.cut) {
            self.split();
        }
        if self.happens_now(faults.one_way_cut) {
            self.cut_one_way(one, other);
        }
        if self.happens_now(faults.slow_link) {
            let by = cluster.draw(|rng| if rng.random() { rng.random_range(10..=400) } else { 0 });
            group.slow_down(one, other, Duration::from_millis(by));
        }
        if self.happens_now(faults.pause) {
            group.pause(one);
        }
        self.some_recover();
    }

    /// One direction is cut, or both (each of the two reaches all the others), or all that somebody sends, or
    /// all that is sent to it; or nothing is any more.
    fn cut_one_way(&self, one: usize, other: usize) {
        let group = self.cluster.group();
        let all = 0..self.cluster.servers();
        match self.cluster.draw(|rng| rng.random_range(0..8)) {
            0 => group.cut_one_way(one, other),
            1..=3 => {
                group.cut_one_way(one, other);
                group.cut_one_way(other, one);
            }
            4 => all.for_each(|to| group.cut_one_way(one, to)),
            5 => all.for_each(|from| group.cut_one_way(from, one)),
            _ => {
                all.clone().for_each(|from| all.clone().for_each(|to| group.heal_one_way(from, to)))
            }
        }
    }

    /// A split in two, or none any more.
    fn split(&self) {
        let servers = 0..self.cluster.servers();
        let whole = self.cluster.draw(|rng| rng.random_bool(0.4));
        let side = |_: &usize| !whole && self.cluster.draw(|rng| rng.random_bool(0.5));
        let (one, other): (Vec<usize>, Vec<usize>) = servers.partition(side);
        self.cluster.partition(&[&other, &one]);
    }

    /// Who is down or paused comes back with probability 1/3.
    fn some_recover(&self) {
        for server in 0..self.cluster.servers() {
            if !self.cluster.draw(|rng| rng.random_bool(0.33)) {
                continue;
            }
            self.cluster.group().resume(server);
            self.cluster.group().bury(server);
            if !self.cluster.is_running(server) {
                self.cluster.start_server(server);
                self.cluster.connect(server);
            }
        }
    }

    /// Offers so many commands on average, to whoever takes them.
    fn offers(&self, commands: f64) {
        let mut count = commands;
        while count > 0.0 && self.cluster.draw(|rng| rng.random_bool(count.min(1.0))) {
            count -= 1.0;
            for server in 0..self.cluster.servers() {
                self.cluster.start(server, self.cluster.draw(random));
            }
        }
    }

    /// So many servers are well and reach each other; they must make progress. The others stay as they are,
    /// and are cut off.
    fn heal(&self, count: usize) {
        let Storm { cluster, .. } = self;
        cluster.set_reliable(true);
        cluster.set_long_reordering(false);
        cluster.set_duplication(0.0);
        cluster.group().heal_ways();
        let first = self.any_server();
        let healed: Vec<usize> =
            (0..count).map(|step| (first + step) % cluster.servers()).collect();
        for &server in &healed {
            cluster.group().resume(server);
            cluster.group().tear_next_save(server, false);
            cluster.group().bury(server);
            if !cluster.is_running(server) {
                cluster.start_server(server);
            }
        }
        cluster.partition(&[&healed]);
        for _ in 0..2 {
            cluster.one(cluster.draw(random), count, true);
        }
    }
}
