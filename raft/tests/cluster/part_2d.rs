//! What the lab's part 2D does to a Raft, with the reader that it uses: it gives its server a snapshot
//! after every tenth command, from the task that takes the messages from the apply channel, and that
//! channel has no buffer.

use std::time::Duration;

use bytes::Bytes;
use labrt::rng::{self, RngExt, Stream};
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use raft_api::Raft as _;

use crate::service::Habits;
use crate::world::Cluster;

/// How large the persisted Raft state of a server may be, in bytes.
const LIMIT: usize = 2_000;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Disconnect,
    Crash,
}

/// A cluster of three, and who uses it.
struct Test {
    cluster: Cluster,
    rng: Stream,
}

impl Test {
    fn new(reliable: bool) -> Test {
        let habits = Habits { snapshot_every: 10, ..Habits::default() };
        let cluster = Cluster::with_services(3, habits);
        cluster.network.set_reliable(reliable);
        cluster.network.set_long_delays(true);
        Test { cluster, rng: rng::stream("test") }
    }

    fn command(&mut self) -> Bytes {
        labgob::encode(&self.rng.random::<u64>()).into()
    }

    /// Some command is applied by so many servers within 10 s.
    fn one(&mut self, servers: usize) -> u64 {
        let (command, began) = (self.command(), Instant::now());
        while began.elapsed() < Duration::from_secs(10) {
            let leader = (0..3).filter(|server| self.cluster.is_connected(*server));
            let started =
                leader.filter_map(|server| self.cluster.raft(server).start(command.clone())).next();
            let Some(started) = started else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            for _ in 0..100 {
                if self.applied_by(started.index, &command) >= servers {
                    return started.index;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("failed to reach agreement of {servers} servers");
    }

    fn applied_by(&self, index: u64, command: &Bytes) -> usize {
        let place = usize::try_from(index - 1).unwrap();
        let holds = |server: &usize| {
            self.cluster.is_up(*server) && self.cluster.applied(*server).get(place) == Some(command)
        };
        (0..3).filter(holds).count()
    }

    /// Who leads, after a while.
    fn leader(&mut self) -> usize {
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(self.rng.random_range(450..=549)));
            if let Some(leader) = self.cluster.leader() {
                return leader;
            }
        }
        panic!("nobody leads");
    }

    fn check_sizes(&self) {
        for server in 0..3 {
            let size = self.cluster.disk(server).raft_state_size();
            assert!(size < LIMIT, "the Raft state of server {server} has {size} bytes");
        }
    }

    fn crash_all(&mut self) {
        (0..3).for_each(|server| self.cluster.crash(server));
        (0..3).for_each(|server| self.cluster.restart(server));
    }
}

/// Thirty rounds of commands, most of which one server misses. Returns how many snapshots of leaders
/// were installed by those that missed something.
fn rounds(fault: Fault, reliable: bool) -> u64 {
    let mut test = Test::new(reliable);
    test.one(3);
    let (mut leader, mut installed) = (test.leader(), 0);
    for round in 0..30 {
        let other = (leader + 1) % 3;
        let (victim, sender) = if round % 3 == 1 { (leader, other) } else { (other, leader) };
        match fault {
            Fault::None => {}
            Fault::Disconnect => test.cluster.disconnect(victim),
            Fault::Crash => test.cluster.crash(victim),
        }
        if fault != Fault::None {
            test.one(2);
        }
        for _ in 0..test.rng.random_range(5..=14) {
            let command = test.command();
            test.cluster.raft(sender).start(command);
        }
        test.one(if fault == Fault::None { 3 } else { 2 });
        test.check_sizes();
        match fault {
            Fault::None => continue,
            Fault::Disconnect => test.cluster.connect(victim),
            Fault::Crash => test.cluster.restart(victim),
        }
        let before = test.cluster.installed(victim);
        test.one(3);
        installed += test.cluster.installed(victim) - before;
        leader = test.leader();
    }
    installed
}

/// Runs a test in a world for each of several seeds, or for as many as the variable `SEEDS` says.
pub(crate) fn worlds<T: Send + 'static>(test: impl Fn() -> T + Clone + Send + 'static) -> Vec<T> {
    let seeds = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let run =
        |seed| labrt::simulate(seed, test.clone()).unwrap_or_else(|failure| panic!("{failure}"));
    (0..seeds.unwrap_or(8)).map(|seed| run(seed).value).collect()
}

#[test]
fn snapshots_basic() {
    worlds(|| rounds(Fault::None, true));
}

#[test]
fn install_snapshots_disconnect() {
    let installed = worlds(|| rounds(Fault::Disconnect, true));
    assert!(installed.iter().all(|installed| *installed > 3), "too few to test: {installed:?}");
}

#[test]
fn install_snapshots_disconnect_unreliable() {
    worlds(|| rounds(Fault::Disconnect, false));
}

#[test]
fn install_snapshots_crash() {
    let installed = worlds(|| rounds(Fault::Crash, true));
    assert!(installed.iter().all(|installed| *installed > 3), "too few to test: {installed:?}");
}

#[test]
fn install_snapshots_unreliable_crash() {
    worlds(|| rounds(Fault::Crash, false));
}

#[test]
fn crash_and_restart_all_servers() {
    for reliable in [true, false] {
        worlds(move || {
            let mut test = Test::new(reliable);
            test.one(3);
            for _ in 0..5 {
                for _ in 0..test.rng.random_range(5..=14) {
                    test.one(3);
                }
                let before = test.one(3);
                test.crash_all();
                let after = test.one(3);
                assert!(after > before, "the index decreased from {before} to {after}");
            }
        });
    }
}

/// Who restarts must not save "no snapshot" in the place of the one that it has.
#[test]
fn snapshot_initialization_after_crash() {
    for reliable in [true, false] {
        worlds(move || {
            let mut test = Test::new(reliable);
            (0..12).for_each(|_| assert!(test.one(3) > 0));
            for _ in 0..2 {
                test.crash_all();
                test.one(3);
                for server in 0..3 {
                    assert!(test.cluster.disk(server).snapshot_size() > 0, "server {server}");
                }
            }
        });
    }
}
