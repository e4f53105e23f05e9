//! A server on its own: what it waits for, what it says to who runs it, and how it ends.

use std::sync::{Arc, Weak};
use std::time::Duration;

use labrpc::{Network, Server};
use labrt::channel::{self, Receiver, RecvError};
use labrt::sync::Leaf;
use labrt::thread;
use labrt::time::Instant;
use persister::Persister;
use raft::rules::{Core, Output, Unsaved, Warning};
use raft::storage::Storage;
use raft::{HardState, Observer, Options, Raft, Stored};
use raft_api::{ApplyMsg, Raft as _};

use crate::disk::Disk;
use crate::world::eventually;
use crate::{seconds, worlds};

/// A server on its own, and all that it has to do with.
struct Alone {
    network: Network,
    raft: Arc<Raft>,
    /// Its disk, when all others let go of it.
    disk: Weak<Disk>,
    commands: Receiver<ApplyMsg>,
}

impl Alone {
    /// It leads. Its service takes so many commands that it has not asked for; without a number,
    /// any.
    fn new(room: Option<usize>) -> Alone {
        let alone = Alone::on(Arc::default(), room, Options::default());
        eventually("it leads", || alone.raft.state().is_leader.then_some(()));
        alone
    }

    fn on(disk: Arc<Disk>, room: Option<usize>, options: Options) -> Alone {
        let network = Network::new();
        let peers = vec![network.make_end("0 to 0")];
        let held = Arc::downgrade(&disk);
        let (apply, commands) = room.map_or_else(channel::unbounded, channel::bounded);
        let raft = Raft::open(peers, 0, disk, apply, options).unwrap();
        let services = raft.clone().services().into_iter();
        network.add_server("0", services.fold(Server::new(), Server::service));
        assert!(held.upgrade().is_some());
        Alone { network, raft, disk: held, commands }
    }

    fn start(&self, count: usize) {
        for number in 0..count {
            assert!(self.raft.start(format!("{number}").into()).is_some(), "it leads");
        }
    }
}

//= lab.make
/// Servers are made one after the other: none may wait for the others, nor for its service.
#[test]
fn a_server_is_made_without_waiting_for_anybody() {
    worlds(|| {
        let network = Network::new();
        let peers = (0..3).map(|peer| network.make_end(format!("0 to {peer}"))).collect();
        let (apply, _commands) = channel::bounded(0);
        let began = Instant::now();
        let raft = Raft::make(peers, 0, Arc::<Disk>::default(), apply).unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(raft.state().term, 0);
    });
}

#[test]
fn kill_ends_a_server() {
    worlds(|| {
        let Alone { network, raft, disk, commands } = Alone::new(None);
        let calls = network.total_count();
        raft.kill();
        seconds(5);
        assert!(raft.start("too late".into()).is_none());
        assert!(disk.upgrade().is_none(), "the event loop is gone, and its hold on the disk");
        assert_eq!(commands.recv(), Err(RecvError), "the applier is gone");
        assert_eq!(network.total_count(), calls);
        // Once more does no harm.
        raft.kill();
    });
}

/// Whatever the event loop is doing at this moment.
#[test]
fn a_killed_server_does_not_lead_from_this_moment_on() {
    for seed in 0..100 {
        let outcome = labrt::simulate(seed, move || {
            let Alone { raft, .. } = Alone::new(None);
            let busy = raft.clone();
            let client = thread::spawn(move || while busy.start("x".into()).is_some() {});
            (0..seed).for_each(|_| thread::yield_now());
            let term = raft.state().term;
            raft.kill();
            for _ in 0..100 {
                let state = raft.state();
                assert!(!state.is_leader && state.term == term);
                assert!(raft.start("y".into()).is_none());
                thread::yield_now();
            }
            client.join().unwrap();
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// It was saved, and is there after a restart; but in this life nobody hears of it any more.
#[test]
fn a_server_that_is_killed_while_it_saves_tells_nobody() {
    worlds(|| {
        let disk = Arc::new(Disk::default());
        let alone = Alone::on(disk.clone(), None, Options::default());
        eventually("it leads", || alone.raft.state().is_leader.then_some(()));
        disk.set_write_time(Duration::from_millis(400));
        let raft = alone.raft.clone();
        let client = thread::spawn(move || raft.start("x".into()));
        thread::sleep(Duration::from_millis(100));
        alone.raft.kill();
        assert_eq!(client.join().unwrap(), None);
        assert_eq!(alone.commands.recv(), Err(RecvError));
        let (_, log) = raft::storage::restore(&disk.read_raft_state().unwrap()).unwrap();
        assert_eq!(log.last_index(), 1);
    });
}

/// What was being handed over may arrive, and nothing after it.
#[test]
fn a_killed_server_applies_nothing_more() {
    for room in [Some(0), Some(1), None] {
        worlds(move || {
            let alone = Alone::new(room);
            alone.start(50);
            let began = alone.commands.len();
            alone.raft.kill();
            let more = |before: usize| alone.commands.len() - before;
            assert!(more(began) <= 1, "{} more commands after the kill", more(began));
            let at_the_kill = alone.commands.len();
            seconds(1);
            assert!(more(at_the_kill) <= 1);
            let left = alone.commands.iter().count();
            assert!(left <= began + 1, "{left} commands, {began} of them before the kill");
        });
    }
}

/// The service is not interested any more, and does not let go of the channel either.
#[test]
fn a_hand_over_that_nobody_takes_ends_with_the_server() {
    worlds(|| {
        let alone = Alone::new(Some(0));
        alone.start(3);
        seconds(1);
        alone.raft.kill();
        thread::sleep(Duration::from_millis(200));
        assert_eq!(alone.commands.recv(), Err(RecvError), "the applier still waits");
    });
}

//= all.apply
/// A service that takes its time is waited for, and gets everything once.
#[test]
fn a_slow_service_gets_each_command_once() {
    worlds(|| {
        let alone = Alone::new(Some(0));
        alone.start(5);
        for expected in 1..=5 {
            seconds(3);
            let ApplyMsg::Command { index, .. } = alone.commands.recv().unwrap() else { panic!() };
            assert_eq!(index, expected);
        }
    });
}

#[test]
fn dropping_every_handle_ends_a_server() {
    worlds(|| {
        let Alone { network, raft, disk, commands } = Alone::new(None);
        network.cleanup();
        drop((network, raft, commands));
        seconds(5);
        assert!(disk.upgrade().is_none(), "a task goes on although nobody can reach it any more");
    });
}

#[test]
fn the_end_of_a_world_leaves_nothing() {
    for seed in 0..8 {
        let outcome = labrt::simulate(seed, || {
            let Alone { network, raft, disk, commands } = Alone::new(None);
            // The server still runs, and somebody outside keeps a handle to it.
            drop((network, commands));
            (raft, disk)
        });
        let (_raft, disk) = outcome.expect("nothing fails").value;
        assert!(disk.upgrade().is_none(), "a task of the world has outlived it");
    }
}

/// As its documentation says: for a save under way and for its own. The service here takes nothing.
#[test]
fn start_waits_for_the_servers_own_disk() {
    worlds(|| {
        let disk = Arc::new(Disk::default());
        let alone = Alone::on(disk.clone(), Some(0), Options::default());
        eventually("it leads", || alone.raft.state().is_leader.then_some(()));
        let write = Duration::from_millis(400);
        disk.set_write_time(write);
        let raft = alone.raft.clone();
        thread::spawn(move || raft.start("under way".into()));
        thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        assert_eq!(alone.raft.start("x".into()).unwrap().index, 2);
        let (took, least) = (began.elapsed(), 2 * write - Duration::from_millis(100));
        assert!((least..least + Duration::from_millis(10)).contains(&took), "{took:?}");
        // Nobody who does not lead waits.
        alone.raft.kill();
        let began = Instant::now();
        assert!(alone.raft.start("y".into()).is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}

/// Notes what it sees.
#[derive(Default)]
struct Notes {
    warnings: Leaf<Vec<Warning>>,
    /// For each time that the server has saved: what it has and what is on its disk.
    saved: Leaf<Vec<(HardState, HardState)>>,
    disk: Arc<Disk>,
}

impl Observer for Notes {
    fn saved(&self, core: &Core, _: &Output) {
        let bytes = self.disk.read_raft_state().unwrap();
        let (on_disk, _) = raft::storage::restore(&bytes).unwrap();
        self.saved.with(|saved| saved.push((core.hard_state(), on_disk)));
    }

    fn warning(&self, _: &Core, warning: Warning) {
        self.warnings.with(|warnings| warnings.push(warning));
    }
}

fn noted(notes: &Arc<Notes>) -> Options {
    let mut options = Options::default();
    options.observer = notes.clone();
    options
}

/// A term that was damaged, so that there is no later one.
#[test]
fn whoever_runs_a_server_in_the_last_term_is_told_once() {
    worlds(|| {
        let disk = Arc::new(Disk::default());
        let hard = HardState { term: u64::MAX, voted_for: None };
        let core = Core::new(0, 1, Stored { hard, ..Stored::default() });
        let everything = Unsaved { hard_state: true, ..Unsaved::default() };
        Storage::open(disk.clone()).unwrap().0.save(&core, &everything).unwrap();
        let notes = Arc::new(Notes { disk: disk.clone(), ..Notes::default() });
        let alone = Alone::on(disk, None, noted(&notes));
        seconds(20);
        assert!(!alone.raft.state().is_leader);
        assert_eq!(notes.warnings.with(|all| all.clone()), [Warning::NoLaterTerm]);
    });
}

/// An observer hears of nothing that is not on the disk, and of everything before others do.
#[test]
fn an_observer_sees_what_is_saved_before_anybody_is_told() {
    worlds(|| {
        let disk = Arc::new(Disk::default());
        let notes = Arc::new(Notes { disk: disk.clone(), ..Notes::default() });
        disk.set_write_time(Duration::from_millis(50));
        let alone = Alone::on(disk, None, noted(&notes));
        eventually("it leads", || alone.raft.state().is_leader.then_some(()));
        let seen = notes.saved.with(|saved| saved.clone());
        assert!(seen.iter().all(|(core, on_disk)| core == on_disk), "{seen:?}");
        let voted = HardState { term: alone.raft.state().term, voted_for: Some(0) };
        assert_eq!(seen.last(), Some(&(voted, voted)));
    });
}
