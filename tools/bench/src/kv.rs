//! The reference key/value service: on the real clock how many operations a second, and how long each
//! takes; on the simulated one what large tests of the suite cost.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kv::{Clerk, Options, Server};
use kv_api::{Clerk as _, Server as _};
use kv_tests::{Generic, Subject};
use labrpc::Network;
use labrt::rng::{self, RngExt};
use labrt::thread;
use persister::{FilePersister, MemoryPersister, Persister};
use tester::Totals;

use crate::{cpu, in_world};

const SERVERS: usize = 3;

/// How many keys there are. Each value has 16 bytes.
const KEYS: u32 = 1000;

/// From how many bytes of saved Raft state on a snapshot is made.
const MAX_RAFT_STATE: usize = 1 << 20;

/// Three servers on a network that is reliable and takes no time of its own.
pub struct Service {
    network: Network,
    servers: Vec<Arc<Server<raft::Raft>>>,
}

/// What came of some clerks' work.
#[derive(Clone, Debug)]
pub struct Work {
    /// How long they worked.
    pub time: Duration,
    /// How much CPU time all of it took, servers and clerks.
    pub cpu: Duration,
    /// How long each Get took, from the shortest to the longest.
    pub gets: Vec<Duration>,
    /// The same of Puts.
    pub puts: Vec<Duration>,
}

impl Work {
    /// How many operations were done in a second.
    pub fn per_second(&self) -> f64 {
        (self.gets.len() + self.puts.len()) as f64 / self.time.as_secs_f64()
    }

    /// How much CPU time an operation took.
    pub fn cpu_each(&self) -> Duration {
        self.cpu / (self.gets.len() + self.puts.len()).max(1) as u32
    }
}

impl Service {
    /// Makes the servers, in memory or with a folder each in `dir`, and waits until they have a leader.
    ///
    /// # Panics
    /// If a folder cannot be used.
    pub fn new(options: Options, dir: Option<&Path>) -> Service {
        let options = Options { max_raft_state: Some(MAX_RAFT_STATE), ..options };
        let network = Network::new();
        let servers = (0..SERVERS).map(|me| serve(&network, me, options, dir)).collect();
        let service = Service { network, servers };
        service.clerk("first").get("");
        service
    }

    fn clerk(&self, name: &str) -> Clerk {
        let ends = (0..SERVERS).map(|server| {
            let end = self.network.make_end(format!("{name} to {server}"));
            self.network.connect(format!("{name} to {server}"), server.to_string());
            self.network.enable(format!("{name} to {server}"), true);
            end
        });
        Clerk::make(ends.collect())
    }

    /// So many clerks work side by side for a time, half Gets and half Puts.
    ///
    /// # Panics
    /// If one of them does.
    pub fn work(&self, clerks: usize, time: Duration) -> Work {
        let (began, cpu_before) = (Instant::now(), cpu::used());
        let threads: Vec<_> = (0..clerks)
            .map(|number| {
                let clerk = self.clerk(&format!("clerk {number} of {clerks}"));
                thread::spawn(move || work(clerk, began + time))
            })
            .collect();
        let (mut gets, mut puts) = (Vec::new(), Vec::new());
        for thread in threads {
            let (own_gets, own_puts) = thread.join().expect("no clerk fails");
            gets.extend(own_gets);
            puts.extend(own_puts);
        }
        let (time, cpu) = (began.elapsed(), cpu::used() - cpu_before);
        gets.sort_unstable();
        puts.sort_unstable();
        Work { time, cpu, gets, puts }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.servers.iter().for_each(|server| server.kill());
        self.network.cleanup();
    }
}

fn serve(
    network: &Network,
    me: usize,
    options: Options,
    dir: Option<&Path>,
) -> Arc<Server<raft::Raft>> {
    let ends = (0..SERVERS).map(|peer| {
        let end = network.make_end(format!("{me}-{peer}"));
        network.connect(format!("{me}-{peer}"), peer.to_string());
        network.enable(format!("{me}-{peer}"), true);
        end
    });
    let persister: Arc<dyn Persister> = match dir {
        None => Arc::new(MemoryPersister::new()),
        Some(dir) => {
            let own = dir.join(me.to_string());
            Arc::new(FilePersister::open(own).expect("the folder can be used"))
        }
    };
    let server = Server::<raft::Raft>::with_options(ends.collect(), me, persister, options);
    let server = server.expect("nothing is stored yet");
    let services = server.clone().services();
    let on_network = services.into_iter().fold(labrpc::Server::new(), labrpc::Server::service);
    network.add_server(me.to_string(), on_network);
    server
}

/// The suite's generic test with restarts and snapshots and so many clients, on the simulated clock: what
/// came of it, and how much CPU time it took.
///
/// # Panics
/// If it fails.
pub fn simulate(clients: usize) -> (Totals, Duration) {
    let test = Generic {
        clients,
        servers: 5,
        crash: true,
        max_raft_state: Some(1000),
        ..Generic::default()
    };
    let before = cpu::used();
    let totals = in_world(move |run| test.play(Subject::of::<Server<raft::Raft>, Clerk>(), run));
    (totals, cpu::used() - before)
}

/// A clerk at work; how long its Gets and Puts took.
fn work(mut clerk: Clerk, until: Instant) -> (Vec<Duration>, Vec<Duration>) {
    let mut rng = rng::stream("clerk at work");
    let (mut gets, mut puts) = (Vec::new(), Vec::new());
    loop {
        let begun = Instant::now();
        if begun >= until {
            return (gets, puts);
        }
        let key = rng.random_range(0..KEYS).to_string();
        if rng.random_bool(0.5) {
            clerk.get(&key);
            gets.push(begun.elapsed());
        } else {
            clerk.put(&key, "sixteen bytes...");
            puts.push(begun.elapsed());
        }
    }
}
