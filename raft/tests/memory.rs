//! What is forgotten takes no memory any more. In a test binary of its own, since a counting allocator
//! serves all of it.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use labrpc::{Network, Server};
use labrt::{Node, channel, thread};
use persister::MemoryPersister;
use raft::rules::{Core, Output};
use raft::storage::Storage;
use raft::{Options, Raft, Stored};
use raft_api::{ApplyMsg, Raft as _};

const KB: i64 = 1_000;
const MB: i64 = 1_000 * KB;

/// A server that is alone, and its disk. Both are kept.
struct Alone {
    core: Core,
    storage: Storage,
}

impl Alone {
    fn new() -> Alone {
        let (storage, stored) = Storage::open(Arc::new(MemoryPersister::new())).unwrap();
        let mut core = Core::new(0, 1, stored);
        core.election_timeout();
        Alone { core, storage }
    }

    /// Commits so many commands of 1 KB.
    fn commit(&mut self, count: usize) {
        for _ in 0..count {
            self.core.propose(vec![b'c'; 1_000].into()).expect("it leads");
            self.perform();
        }
    }

    fn snapshot(&mut self, index: u64, data: Bytes) {
        self.core.take_snapshot(index, data);
        self.perform();
    }

    fn perform(&mut self) {
        let Output { unsaved, .. } = self.core.take_output();
        self.storage.save(&self.core, &unsaved).unwrap();
    }
}

/// What a server holds in memory and on its disk after 10,000 commands of 1 KB.
fn held_after(run: impl Fn(&mut Alone)) -> AllocationInfo {
    let mut kept = None;
    let info = measure(|| {
        let mut alone = Alone::new();
        run(&mut alone);
        kept = Some(alone);
    });
    assert_eq!(kept.expect("it was measured").core.log().last_index(), 10_000);
    info
}

#[test]
fn a_log_that_is_forgotten_is_free() {
    let all = held_after(|alone| alone.commit(10_000));
    assert!(all.bytes_current > 20 * MB, "{} bytes: log and disk", all.bytes_current);
    let forgotten = held_after(|alone| {
        alone.commit(10_000);
        alone.snapshot(9_990, "all".into());
    });
    assert!(forgotten.bytes_current < 50 * KB, "{} bytes are left", forgotten.bytes_current);
}

#[test]
fn memory_does_not_grow_when_snapshots_are_taken() {
    let info = held_after(|alone| {
        for round in 1..=1_000 {
            alone.commit(10);
            alone.snapshot(10 * round - 1, vec![b's'; 2_000].into());
        }
    });
    let most = i64::try_from(info.bytes_max).unwrap();
    assert!(most < 100 * KB, "{most} bytes at most");
}

/// Leader, followers, messages and disks of a cluster: all that there is at one time at most, while so
/// many commands of 1 KB are committed and a snapshot of 3 KB follows every tenth. A world's tasks
/// share a thread, so all of them are measured.
fn most_in_a_cluster(commands: u64) -> u64 {
    let run = labrt::simulate(0, move || measure(|| use_a_cluster(commands)).bytes_max);
    run.unwrap_or_else(|failure| panic!("{failure}")).value
}

fn use_a_cluster(commands: u64) {
    let network = Network::new();
    let servers: Vec<_> = (0..3).map(|me| server(&network, me)).collect();
    let mut accepted = 0;
    while accepted < commands {
        let command = Bytes::from(vec![b'c'; 1_000]);
        let started = servers.iter().find_map(|raft| raft.start(command.clone()));
        accepted += u64::from(started.is_some());
        if started.is_none() || accepted.is_multiple_of(20) {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A server and its service, which remembers nothing but where it is.
fn server(network: &Network, me: usize) -> Arc<Raft> {
    let ends = (0..3).map(|peer| {
        let name = format!("{me} to {peer}");
        let end = network.make_end(name.clone());
        network.connect(name.clone(), peer.to_string());
        network.enable(name, true);
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
            if let ApplyMsg::Command { index, .. } = message
                && index.is_multiple_of(10)
            {
                service.snapshot(index, vec![b's'; 3_000].into());
            }
        }
    });
    let services = raft.clone().services().into_iter();
    network.add_server(me.to_string(), services.fold(Server::new(), Server::service).node(node));
    raft
}

#[test]
fn a_cluster_that_takes_snapshots_needs_the_same_memory_for_ever() {
    let (few, many) = (most_in_a_cluster(1_000), most_in_a_cluster(10_000));
    assert!(few > 30_000, "{few} bytes: not all of it was measured");
    assert!(many < few + few / 2, "{few} bytes for 1,000 commands, {many} for 10,000");
}

/// The server keeps the service's own bytes.
#[test]
fn a_large_snapshot_is_held_once_beside_the_disk() {
    let mut core = Core::new(0, 1, Stored::default());
    core.election_timeout();
    core.propose("x".into());
    core.take_output();
    let data = Bytes::from(vec![b's'; 10_000_000]);
    let info = measure(|| {
        core.take_snapshot(1, data.clone());
        drop(core.take_output());
    });
    assert!(info.bytes_total < 1_000, "{} bytes for a snapshot that is there", info.bytes_total);
}
