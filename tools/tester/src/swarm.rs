//! Anything at once: what the swarm tests of all labs share.
//!
//! A run of a swarm test draws which [`Faults`] it has, each with probability 1/2, and how bad they are. (That
//! not all faults are on in each run is the point: some of them hide others.) [Round](storm) after round, a
//! [`Storm`] has some of them happen to a group of servers. Then it [heals](Storm::heal) as many as the test
//! wants to see at work.
//!
//! Four of the faults are in no other test: slow links, servers that pause, clocks that run fast or slow, and
//! crashes in the middle of a save. Two more are elsewhere only in rare situations of lab 2: requests that come
//! twice, and cuts in one direction. Pauses and clocks are there on the simulated clock only.

use std::fmt;
use std::time::Duration;

use labrt::rng::{RngExt, Stream};
use labrt::thread;
use labrt::time::Instant;
use labtrace::verdict;

use crate::group::{Group, Server};
use crate::net::Net;

/// How long anything may happen.
const STORM: Duration = Duration::from_secs(20);

/// How many rounds that takes at most.
const ROUNDS: usize = 1000;

/// How long a round may take at most, in ms: each run has one of these. What only a long quiet time shows
/// does not show where something new happens all the time, and the other way round.
const PACES: [u64; 4] = [100, 400, 1000, 2500];

/// From how many bytes of saved Raft state on snapshots of a service are due: each run has one of these.
const STATE_SIZES: [Option<usize>; 4] = [None, Some(1000), Some(200), Some(1)];

/// So many bytes of saved Raft state are always fine: a server has some, and the last entries, however early
/// snapshots are due.
const ALWAYS_FINE: usize = 8_000;

/// Of so many bytes are the texts that a log is filled with.
pub const PIECE: usize = 1000;

/// How slow and how fast clocks are, in thousandths of the usual speed.
const CLOCKS: (u32, u32) = (800, 1250);

/// Which faults a run has: none means that this one never happens.
#[derive(Clone, Debug)]
pub struct Faults {
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
    /// Those of a run.
    pub fn draw(rng: &mut Stream) -> Faults {
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

    /// From now on the network is as bad as it is to be.
    pub fn begin(&self, net: &Net) {
        net.set_reliable(!self.loss);
        net.set_long_reordering(self.reordering);
        net.set_duplication(self.duplication.unwrap_or(0.0));
    }
}

/// With probability 1/2 a rate between the two.
pub fn perhaps(rng: &mut Stream, least: f64, most: f64) -> Option<f64> {
    let rate = rng.random_range(least..most);
    rng.random_bool(0.5).then_some(rate)
}

/// How long a round of a run may take at most, in ms.
pub fn draw_pace(rng: &mut Stream) -> u64 {
    PACES[rng.random_range(0..PACES.len())]
}

/// From how many bytes of saved Raft state on a run's service is to take snapshots, if it is to.
pub fn draw_max_raft_state(rng: &mut Stream) -> Option<usize> {
    STATE_SIZES[rng.random_range(0..STATE_SIZES.len())]
}

/// How much Raft state a server may have saved in the end, if its service's snapshots are due from so many bytes
/// on: eight times as much, as in the labs, or [`ALWAYS_FINE`].
fn fine_in_the_end(max_raft_state: usize) -> usize {
    (8 * max_raft_state).max(ALWAYS_FINE)
}

/// How many pieces of [`PIECE`] bytes are more than a log may have in the end, if snapshots are due; else 0.
pub fn pieces_to_trim(max_raft_state: Option<usize>) -> u64 {
    max_raft_state.map_or(0, |most| (fine_in_the_end(most) / PIECE + 2) as u64)
}

/// Waits until no server of a group saves more Raft state than it may in the end. For a run in which all servers
/// are healed, have been asked to write as many [pieces](pieces_to_trim), and are asked for nothing more: then all
/// entries are committed, and can be in snapshots.
///
/// # Panics
/// If some server still saves more when this time is over.
pub fn await_trimmed<S: Server>(group: &Group<S>, max_raft_state: Option<usize>, within: Duration) {
    let Some(most) = max_raft_state.map(fine_in_the_end) else { return };
    let until = Instant::now() + within;
    let too_large = || {
        let sizes = (0..group.servers()).map(|server| (server, group.state_size(server)));
        sizes.filter(|(_, size)| *size > most).collect::<Vec<_>>()
    };
    let mut over = too_large();
    while !over.is_empty() && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
        over = too_large();
    }
    let Some((server, size)) = over.first() else { return };
    let name = |server: usize| group.members().node_name(server);
    let words = format!("logs were not trimmed ({size} > {most}) at {}", name(*server));
    let what = format!("all servers were healed {:.0} s ago and more", within.as_secs_f64());
    let broken = verdict("log size", words).fact(None, what);
    let facts = over
        .iter()
        .map(|(server, size)| (*server, format!("{} has saved {size} bytes", name(*server))));
    let lane = |server: usize| group.members().lane(server) as usize;
    facts
        .fold(broken, |broken, (server, text)| broken.fact(lane(server), text))
        .hint("snapshots that are not made, or Raft does not drop what they cover")
        .fail()
}

/// Draws for each server of a group how its clock runs, and has it run so from its next start on, if
/// `drifting`.
pub fn draw_clocks<S: Server>(group: &Group<S>, drifting: bool) {
    for server in 0..group.servers() {
        let clock = group.net().draw(|rng| rng.random_range(CLOCKS.0..=CLOCKS.1));
        if drifting {
            group.set_clock(server, clock);
        }
    }
}

/// Has a round follow the other, with pauses of up to `pace` ms, for as long as anything may happen.
pub fn storm(net: &Net, pace: u64, mut round: impl FnMut()) {
    let began = Instant::now();
    for _ in net.run().rounds(ROUNDS).take_while(|_| began.elapsed() < STORM) {
        round();
        let pause = net.draw(|rng| rng.random_range(5..=pace));
        thread::sleep(Duration::from_millis(pause));
    }
}

/// What a run does to a group of servers.
pub struct Storm<'a, S: Server> {
    group: &'a Group<S>,
    faults: Faults,
    leads: Box<dyn Fn(usize) -> bool + 'a>,
    start: Box<dyn Fn(usize) + 'a>,
}

impl<'a, S: Server> Storm<'a, S> {
    /// A storm over this group, in which these faults happen. `leads` says whether a server claims to lead,
    /// and `start` starts one, which need not be connected then.
    pub fn new(
        group: &'a Group<S>,
        faults: &Faults,
        leads: impl Fn(usize) -> bool + 'a,
        start: impl Fn(usize) + 'a,
    ) -> Storm<'a, S> {
        Storm { group, faults: faults.clone(), leads: Box::new(leads), start: Box::new(start) }
    }

    /// The group.
    pub fn group(&self) -> &'a Group<S> {
        self.group
    }

    fn draw<T>(&self, f: impl FnOnce(&mut Stream) -> T) -> T {
        self.group.net().draw(f)
    }

    /// True in so many of all cases.
    fn happens_now(&self, rate: Option<f64>) -> bool {
        rate.is_some_and(|rate| self.draw(|rng| rng.random_bool(rate)))
    }

    fn any_server(&self) -> usize {
        let servers = self.group.servers();
        self.draw(|rng| rng.random_range(0..servers))
    }

    /// Whom something happens to: often the leader.
    fn victim(&self) -> usize {
        let leader = (0..self.group.servers()).find(|server| (self.leads)(*server));
        let any = self.any_server();
        let often = self.draw(|rng| rng.random_bool(0.4));
        leader.filter(|_| often).unwrap_or(any)
    }

    /// Some servers recover, and some faults happen.
    ///
    /// What happens now ends in a later round at the earliest: if who recovers came behind it, a third of all pauses would
    /// take no time.
    pub fn happens(&self) {
        let Storm { group, faults, .. } = self;
        self.some_recover();
        let (one, other) = (self.victim(), self.any_server());
        if self.happens_now(faults.crash) {
            group.crash(one);
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
            let by = self.draw(|rng| if rng.random() { rng.random_range(10..=400) } else { 0 });
            group.slow_down(one, other, Duration::from_millis(by));
        }
        if self.happens_now(faults.pause) {
            group.pause(one);
        }
    }

    /// One direction is cut, or both (each of the two reaches all the others), or all that somebody sends, or
    /// all that is sent to it; or nothing is any more.
    fn cut_one_way(&self, one: usize, other: usize) {
        let group = self.group;
        let all = 0..group.servers();
        match self.draw(|rng| rng.random_range(0..8)) {
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
        let servers = 0..self.group.servers();
        let whole = self.draw(|rng| rng.random_bool(0.4));
        let side = |_: &usize| !whole && self.draw(|rng| rng.random_bool(0.5));
        let (one, other): (Vec<usize>, Vec<usize>) = servers.partition(side);
        self.group.partition(&[&other, &one]);
    }

    /// Who is down or paused comes back with probability 1/3.
    fn some_recover(&self) {
        for server in 0..self.group.servers() {
            if !self.draw(|rng| rng.random_bool(0.33)) {
                continue;
            }
            self.group.resume(server);
            self.group.bury(server);
            if !self.group.is_running(server) {
                (self.start)(server);
                self.group.connect(server);
            }
        }
    }

    /// From now on nothing happens to the network, and so many servers are well and reach each other; these
    /// are returned. The others stay as they are, and are cut off. If the run's setting has no cut left for
    /// that, all servers are healed.
    pub fn heal(&self, count: usize) -> Vec<usize> {
        let group = self.group;
        let net = group.net();
        net.set_reliable(true);
        net.set_long_reordering(false);
        net.set_duplication(0.0);
        group.heal_ways();
        let first = self.any_server();
        let healed: Vec<usize> = (0..count).map(|step| (first + step) % group.servers()).collect();
        for &server in &healed {
            group.resume(server);
            group.tear_next_save(server, false);
            group.bury(server);
            if !group.is_running(server) {
                (self.start)(server);
            }
        }
        group.partition(&[&healed]);
        let intrudes = |server| !healed.contains(&server) && group.reaches(server, first);
        if (0..group.servers()).any(intrudes) {
            return self.heal(group.servers());
        }
        healed
    }
}

impl<S: Server> fmt::Debug for Storm<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storm").field("faults", &self.faults).finish_non_exhaustive()
    }
}
