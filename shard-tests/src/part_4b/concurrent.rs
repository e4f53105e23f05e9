//! Many clients append, each to a key of its own, while groups join, leave and crash.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use labrt::rng::{self, RngExt};
use labrt::sync::atomic::AtomicBool;
use tester::{Run, Totals};

use super::sleep;
use crate::cluster::{Clients, Cluster};
use crate::data::{Data, text};
use crate::subject::Subject;

/// How many clients there are, and keys.
const CLIENTS: usize = 10;

/// Clients at work until they are told to stop.
pub(super) struct Appenders {
    stop: Arc<AtomicBool>,
    /// What each has appended.
    clients: Clients<String>,
}

impl Appenders {
    /// One for each of ten keys. It appends so many characters, then sleeps for so many milliseconds.
    pub(super) fn start(cluster: &Cluster, length: usize, pause: u64) -> Appenders {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let clients = (0..CLIENTS).map(|_| cluster.client()).collect();
        let clients = cluster.start_clients(clients, move |number, client| {
            let (key, mut rng) = (number.to_string(), rng::stream("appends"));
            let mut appended = String::new();
            while !stopped.load(Relaxed) {
                let more = text(&mut rng, length);
                client.append(&key, &more);
                appended.push_str(&more);
                if pause > 0 {
                    sleep(pause);
                }
            }
            appended
        });
        Appenders { stop, clients }
    }

    /// Tells them to stop, and waits until they have; what they have appended is expected from now on.
    pub(super) fn join(self, data: &mut Data) {
        self.stop.store(true, Relaxed);
        for (key, appended) in self.clients.join().into_iter().enumerate() {
            let value = format!("{}{appended}", data.value(key));
            data.expect(key, value);
        }
    }
}

/// Groups join, leave, are shut down and started again.
pub(crate) fn crashes(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, Some(100));
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, CLIENTS, 5);
    let appenders = Appenders::start(&cluster, 5, 10);
    sleep(150);
    cluster.join(&[1]);
    sleep(500);
    cluster.join(&[2]);
    sleep(500);
    cluster.leave(&[0]);
    cluster.shut_down_group(0);
    sleep(100);
    cluster.shut_down_group(1);
    sleep(100);
    cluster.shut_down_group(2);
    cluster.leave(&[2]);
    sleep(100);
    cluster.all().into_iter().for_each(|group| cluster.start_group(group));
    sleep(100);
    cluster.join(&[0]);
    cluster.leave(&[1]);
    sleep(500);
    cluster.join(&[1]);
    sleep(1000);
    appenders.join(&mut data);
    data.verify();
    drop(data);
    cluster.finish()
}

/// Groups join and leave, some while others are shut down.
pub(crate) fn reconfigurations(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, None);
    [1, 0, 2].iter().for_each(|group| cluster.join(&[*group]));
    let mut data = Data::put(&cluster, CLIENTS, 1);
    let appenders = Appenders::start(&cluster, 1, 50);
    cluster.leave(&[0]);
    cluster.leave(&[2]);
    sleep(3000);
    cluster.join(&[0]);
    cluster.join(&[2]);
    cluster.leave(&[1]);
    sleep(3000);
    cluster.join(&[1]);
    cluster.leave(&[0]);
    cluster.leave(&[2]);
    sleep(3000);
    cluster.shut_down_group(1);
    cluster.shut_down_group(2);
    sleep(1000);
    cluster.start_group(1);
    cluster.start_group(2);
    sleep(2000);
    appenders.join(&mut data);
    data.verify();
    drop(data);
    cluster.finish()
}

/// For how long [`restarts`] goes on, in milliseconds.
const RESTARTS: u128 = 12_000;

/// All groups are shut down and started again, between changes.
pub(crate) fn restarts(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, Some(300));
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, CLIENTS, 1);
    let appenders = Appenders::start(&cluster, 1, 0);
    let began = labrt::time::Instant::now();
    let pause = || sleep(cluster.net().draw(|rng| rng.random_range(0..=899)));
    let (all, most) = (cluster.all(), RESTARTS as usize);
    for _ in run.rounds(most).take_while(|_| began.elapsed().as_millis() < RESTARTS) {
        cluster.join(&[2]);
        cluster.join(&[1]);
        pause();
        all.iter().for_each(|group| cluster.shut_down_group(*group));
        all.iter().for_each(|group| cluster.start_group(*group));
        pause();
        cluster.leave(&[1]);
        cluster.leave(&[2]);
        pause();
    }
    sleep(2000);
    appenders.join(&mut data);
    data.verify();
    drop(data);
    cluster.finish()
}
