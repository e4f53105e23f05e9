//! The test that most tests are: clients at work while servers and network have their troubles.

use std::sync::Arc;
use std::time::Duration;

use kv_clients::appends::{self, element};
use kv_clients::{Client, History};
use labrt::rng::{self, RngExt};
use labrt::sync::atomic::AtomicBool;
use labrt::thread;
use labtrace::verdict;
use std::sync::atomic::Ordering::Relaxed;
use tester::{Run, Totals};

use crate::cluster::Cluster;
use crate::subject::Subject;

/// What a generic test is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generic {
    /// How many clients are at work.
    pub clients: usize,
    /// How many servers there are.
    pub servers: usize,
    /// Whether the network loses and delays.
    pub unreliable: bool,
    /// Whether all servers are shut down and started again after each round.
    pub crash: bool,
    /// Whether servers are split again and again.
    pub partitions: bool,
    /// From how many bytes of saved Raft state on a snapshot is due; `None`: never.
    pub max_raft_state: Option<usize>,
    /// Whether all clients use all keys; else each has one of its own.
    pub random_keys: bool,
}

impl Generic {
    /// What its lines call it, as in the course.
    pub fn title(&self) -> String {
        let words = [
            (self.unreliable, "unreliable net, "),
            (self.crash, "restarts, "),
            (self.partitions, "partitions, "),
            (self.max_raft_state.is_some(), "snapshots, "),
            (self.random_keys, "random keys, "),
            (self.clients > 1, "many clients"),
            (self.clients == 1, "one client"),
        ];
        words.iter().filter(|(is, _)| *is).map(|(_, words)| *words).collect()
    }

    /// Runs it for these types.
    pub fn play(&self, subject: Subject, run: &Run) -> Totals {
        let Generic { servers, unreliable, max_raft_state, .. } = *self;
        let cluster = Cluster::new(subject, run, servers, unreliable, max_raft_state);
        let history = History::default();
        // The last number: those before it are the clients at work.
        let mut reader = cluster.client_in(&cluster.all(), self.clients as u64, &history);
        for _ in run.rounds(3) {
            self.round(&cluster, &history, &mut reader);
        }
        drop(reader);
        let totals = cluster.finish();
        history.check(run, cluster.watch());
        totals
    }

    fn round(&self, cluster: &Cluster, history: &History, reader: &mut Client) {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..self.clients)
            .map(|number| {
                let mut client = cluster.client_in(&cluster.all(), number as u64, history);
                let keys = self.random_keys.then_some(self.clients);
                let stop = stop.clone();
                let name = format!("client {number}");
                thread::Builder::new()
                    .name(name)
                    .spawn(move || work(number, &mut client, keys, &stop))
            })
            .collect();
        let partitioner = self.partitions.then(|| {
            thread::sleep(Duration::from_secs(1));
            let (cluster, stop) = (cluster.clone(), stop.clone());
            thread::Builder::new().name("partitioner").spawn(move || split_again(&cluster, &stop))
        });
        thread::sleep(Duration::from_secs(5));
        stop.store(true, Relaxed);
        if let Some(partitioner) = partitioner {
            partitioner.join().expect("the partitioner does not fail");
            // A client may have been in the minority until now.
            cluster.connect_all();
            thread::sleep(Duration::from_secs(1));
        }
        if self.crash {
            cluster.all().into_iter().for_each(|server| cluster.shut_down(server));
            thread::sleep(Duration::from_secs(1));
            cluster.all().into_iter().for_each(|server| cluster.start(server));
            cluster.connect_all();
        }
        for (number, client) in clients.into_iter().enumerate() {
            let appended = client.join().expect("a client that fails ends the run");
            let value = reader.get(&number.to_string());
            if !self.random_keys {
                appends::check_with(number, &value, appended, reader.behind());
            }
        }
        self.check_sizes(cluster);
    }

    fn check_sizes(&self, cluster: &Cluster) {
        match self.max_raft_state {
            Some(most) => check_log_size(cluster, most),
            None => {
                let size = cluster.snapshot_size();
                if size > 0 {
                    let words =
                        format!("snapshot too large ({size} > 0): no server was to make one");
                    verdict("snapshot size", words).fail();
                }
            }
        }
    }
}

/// Checks that no server's saved Raft state has more than eight times what it should have.
///
/// # Panics
/// If one has.
#[track_caller]
pub(crate) fn check_log_size(cluster: &Cluster, max_raft_state: usize) {
    let size = cluster.log_size();
    if size > 8 * max_raft_state {
        verdict("log size", format!("logs were not trimmed ({size} > 8*{max_raft_state})"))
            .hint("snapshots that are not made, or Raft does not drop what they cover")
            .fail();
    }
}

/// A client at work, until it is told to stop. With `keys`, it uses any of so many; else its own.
/// Returns how often it has made a new element.
fn work(number: usize, client: &mut Client, keys: Option<usize>, stop: &AtomicBool) -> u64 {
    let mut rng = rng::stream(&format!("client {number}"));
    let own = number.to_string();
    let (mut elements, mut last) = (0, String::new());
    if keys.is_none() {
        client.put(&own, "");
    }
    while !stop.load(Relaxed) {
        let key = keys.map_or(own.clone(), |keys| rng.random_range(0..keys).to_string());
        if rng.random_bool(0.5) {
            let element = element(number, elements);
            client.append(&key, &element);
            last.push_str(&element);
            elements += 1;
        } else if keys.is_some() && rng.random_bool(0.1) {
            client.put(&key, &element(number, elements));
            elements += 1;
        } else if keys.is_none() {
            client.check(&key, &last);
        } else {
            client.get(&key);
        }
    }
    elements
}

/// Puts each server into one of two parts, by a coin, again and again.
fn split_again(cluster: &Cluster, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        let (one, other): (Vec<usize>, Vec<usize>) =
            cluster.all().into_iter().partition(|_| cluster.net().draw(|rng| rng.random::<bool>()));
        cluster.partition(&one, &other);
        let pause = cluster.net().draw(|rng| rng.random_range(0..=199));
        thread::sleep(Duration::from_millis(1000 + pause));
    }
}
