//! Crashes at any moment, also within a save: what nobody was told of may be lost, and nobody may be
//! accused of it.

use std::sync::Arc;
use std::time::Duration;

use labrpc::Network;
use labrt::channel;
use labrt::rng::{self, RngExt};
use labrt::sync::Leaf;
use labrt::{Node, simulate, thread};
use persister::{MemoryPersister, PersistError, Persister};
use raft_api::{ApplyMsg, Bytes, Raft};
use raft_checked::CheckedRaft;

/// A disk that takes some time before it has written, and some time after.
#[derive(Default)]
struct Disk {
    inner: MemoryPersister,
}

impl Disk {
    fn take_time(&self) {
        thread::sleep(Duration::from_micros(200));
    }
}

impl Persister for Disk {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.take_time();
        self.inner.save_raft_state(state)?;
        self.take_time();
        Ok(())
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.take_time();
        self.inner.append_raft_state(record)?;
        self.take_time();
        Ok(())
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.inner.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.take_time();
        self.inner.save_state_and_snapshot(state, snapshot)?;
        self.take_time();
        Ok(())
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.inner.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.inner.snapshot_size()
    }
}

/// What a client was told in one life, by index.
type Told = Arc<Leaf<Vec<(u64, Bytes)>>>;

/// The commands in a snapshot, from index 1 on.
fn commands_in(snapshot: &[u8]) -> Vec<Bytes> {
    if snapshot.is_empty() { Vec::new() } else { labgob::decode(snapshot).unwrap() }
}

/// One life of a server that is a cluster of its own: a client offers it commands, and its service gives
/// it a snapshot after every so many, until it crashes at a random moment. Returns its disk, what
/// `start` accepted and what was applied.
fn live(disk: Disk, life: u64, snapshot_every: u64) -> (Disk, Told, Told) {
    let node = Node::new(format!("server 0, life {life}"));
    let disk = Arc::new(disk);
    let (apply, commands) = channel::bounded(0);
    let network = Network::new();
    let peers = vec![network.make_end("0 to 0")];
    let mut state = commands_in(&disk.read_snapshot().unwrap());
    let made = node.enter(|| CheckedRaft::make(peers, 0, disk.clone(), apply));
    let raft = made.expect("the node is new").expect("its own state");
    let (accepted, applied) = (Told::default(), Told::default());
    let (told, service) = (applied.clone(), raft.clone());
    node.spawn(move || {
        for message in commands {
            let ApplyMsg::Command { index, command } = message else { panic!("{message:?}") };
            state.push(command.clone());
            assert_eq!(index, state.len() as u64, "out of order");
            told.with(|told| told.push((index, command)));
            if index.is_multiple_of(snapshot_every) {
                service.snapshot(index, labgob::encode(&state).into());
            }
        }
    });
    let told = accepted.clone();
    node.spawn(move || {
        for number in 0.. {
            let command = Bytes::from(format!("{life}.{number}"));
            match raft.start(command.clone()) {
                Some(started) => told.with(|told| told.push((started.index, command))),
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    });
    let micros = rng::stream("life").random_range(600_000..640_000);
    thread::sleep(Duration::from_micros(micros));
    let left = Disk { inner: disk.inner.copy() };
    node.kill();
    (left, accepted, applied)
}

/// Who alone is a cluster commits what it saves. So a crash between "it is committed" and "it is
/// saved" would lose what was committed.
#[test]
fn what_a_crash_loses_nobody_was_told_of() {
    crash_again_and_again(u64::MAX);
}

/// The same with snapshots: a crash during such a save leaves the pair before it or the pair after it.
#[test]
fn a_crash_during_a_snapshot_loses_nothing_either() {
    crash_again_and_again(3);
}

fn crash_again_and_again(snapshot_every: u64) {
    for seed in 0..100 {
        let outcome = simulate(seed, move || {
            let mut disk = Disk::default();
            let mut told: Vec<(u64, Bytes)> = Vec::new();
            for life in 0..5 {
                let (left, accepted, applied) = live(disk, life, snapshot_every);
                disk = left;
                let (_, log) = raft::storage::restore(&disk.read_raft_state().unwrap()).unwrap();
                let in_snapshot = commands_in(&disk.read_snapshot().unwrap());
                assert_eq!(in_snapshot.len() as u64, log.base().index, "two moments");
                told.extend(accepted.with(std::mem::take));
                told.extend(applied.with(std::mem::take));
                for (index, command) in &told {
                    let place = usize::try_from(index - 1).unwrap();
                    let in_log = || log.get(*index).map(|entry| &entry.command);
                    let kept = in_snapshot.get(place).or_else(in_log);
                    assert_eq!(kept, Some(command), "entry {index}, which somebody was told of");
                }
            }
            assert!(told.len() > 50, "hardly anything happened");
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
