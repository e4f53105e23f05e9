//! The same on a network that loses and delays messages.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use kv_clients::Client;
use labrt::rng::{self, RngExt};
use labrt::sync::atomic::AtomicBool;
use tester::{Run, Totals};

use super::concurrent::Appenders;
use super::sleep;
use crate::cluster::Cluster;
use crate::data::{Data, text};
use crate::subject::Subject;

/// How many keys there are, and clients.
const KEYS: usize = 10;

/// From how many bytes of saved Raft state on a snapshot is due.
const MAX_RAFT_STATE: usize = 100;

/// One client.
pub(crate) fn sequential(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, true, Some(MAX_RAFT_STATE));
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, KEYS, 5);
    cluster.join(&[1]);
    cluster.join(&[2]);
    cluster.leave(&[0]);
    for _ in run.rounds(2) {
        data.verify_and_append(5);
    }
    cluster.join(&[0]);
    cluster.leave(&[1]);
    for _ in 0..2 {
        data.verify();
    }
    drop(data);
    cluster.finish()
}

/// Many clients append, each to a key of its own.
pub(crate) fn appends(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, true, Some(MAX_RAFT_STATE));
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, KEYS, 5);
    let appenders = Appenders::start(&cluster, 5, 0);
    changes(&cluster);
    cluster.net().set_reliable(true);
    appenders.join(&mut data);
    data.verify();
    drop(data);
    cluster.finish()
}

/// Many clients do anything to any key.
pub(crate) fn linearizable(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, true, Some(MAX_RAFT_STATE));
    cluster.join(&[0]);
    drop(Data::put(&cluster, KEYS, 5));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let clients = (0..KEYS).map(|_| cluster.client()).collect();
    let clients =
        cluster.start_clients(clients, move |_, client| anything(client, KEYS, 5, &stopped));
    changes(&cluster);
    stop.store(true, Relaxed);
    cluster.net().set_reliable(true);
    clients.join();
    cluster.finish()
}

/// A client that reads, puts and appends so many characters, to any of so many keys, until it is told
/// to stop.
pub(crate) fn anything(client: &mut Client, keys: usize, length: usize, stop: &AtomicBool) {
    let mut rng = rng::stream("operations");
    while !stop.load(Relaxed) {
        let key = rng.random_range(0..keys).to_string();
        if rng.random_bool(0.5) {
            client.append(&key, &text(&mut rng, length));
        } else if rng.random_bool(0.1) {
            client.put(&key, &text(&mut rng, length));
        } else {
            client.get(&key);
        }
    }
}

fn changes(cluster: &Cluster) {
    sleep(150);
    cluster.join(&[1]);
    sleep(500);
    cluster.join(&[2]);
    sleep(500);
    cluster.leave(&[0]);
    sleep(500);
    cluster.leave(&[1]);
    sleep(500);
    cluster.join(&[1]);
    cluster.join(&[0]);
    sleep(2000);
}
