//! Anything at once: the swarm test, which belongs to no part of the lab and earns no points.
//!
//! A run draws how many servers there are (1 to 7, even numbers too), which [faults](tester::swarm) it has, each
//! with probability 1/2, how bad they are, whether and when snapshots are due, how many clients there are, and
//! how much they ask for. For a while anything happens, and only the rules that are checked at every event judge.
//! Then a majority is healed: within [`BOUND`] all who wait must be answered, and each key must be written and
//! read. Then all servers are healed, all keys are read once more, and no log may be much longer than it should be.
//! In the end all that clients saw must have been possible.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use kv_clients::appends::element;
use kv_clients::{Client, History};
use labrt::channel::{self, Receiver, Sender};
use labrt::rng::{self, RngExt, Stream};
use labrt::sync::atomic::AtomicBool;
use labrt::thread;
use labrt::time::Instant;
use labtrace::{VerdictBuilder, verdict};
use service_watch::Limits;
use tester::swarm::{self, Faults, Storm};
use tester::{Net, Run, Totals};

use crate::cluster::Cluster;
use crate::subject::Subject;

/// How long after the healing of a majority a request may take: as long as the agreement on a command of lab 2.
const BOUND: Duration = Duration::from_secs(10);

/// How long a client pauses at most between two calls, in ms: each run has one of these.
const PAUSES: [u64; 4] = [20, 100, 500, 2000];

/// What the seed chooses beside the faults.
struct Choice {
    servers: usize,
    max_raft_state: Option<usize>,
    drifting: bool,
    /// How many clients are at work.
    clients: usize,
    /// How many keys they use.
    keys: usize,
    /// How long a client pauses at most between two calls, in ms.
    pause: u64,
    /// How long a round may take at most, in ms.
    pace: u64,
}

impl Choice {
    fn draw(rng: &mut Stream) -> Choice {
        Choice {
            servers: rng.random_range(1..=7),
            max_raft_state: swarm::draw_max_raft_state(rng),
            drifting: rng.random_bool(0.5),
            clients: rng.random_range(1..=6),
            keys: rng.random_range(1..=5),
            pause: PAUSES[rng.random_range(0..PAUSES.len())],
            pace: swarm::draw_pace(rng),
        }
    }
}

/// The test.
pub(crate) fn anything(subject: Subject, run: &Run) -> Totals {
    let net = Net::of_service(run);
    let (choice, faults) = net.draw(|rng| (Choice::draw(rng), Faults::draw(rng)));
    let Choice { servers, max_raft_state, drifting, clients, keys, pause, pace } = choice;
    labtrace::note!(
        "soak",
        "{faults:?}, rounds of up to {pace} ms, {clients} clients that pause for up to {pause} ms, {keys} keys",
    );
    // What was written while nobody could agree may be larger than that for long.
    let limits = Limits { state: None, ..Limits::of_lab(max_raft_state) };
    let cluster = Cluster::unstarted(subject, &net, servers, max_raft_state, limits);
    swarm::draw_clocks(cluster.group(), drifting);
    cluster.start_all();
    faults.begin(&net);
    let leads = |server| cluster.leads(server);
    let storm = Storm::new(cluster.group(), &faults, leads, |server| cluster.start(server));
    let mut service = Service::new(&cluster, keys);
    let workers = service.start_workers(clients, pause);
    swarm::storm(&net, pace, || storm.happens());
    let majority = storm.heal(servers / 2 + 1);
    service.gets_on(&majority, Some(workers));
    let all = storm.heal(servers);
    service.gets_on(&all, None);
    service.writes_much(swarm::pieces_to_trim(max_raft_state));
    swarm::await_trimmed(cluster.group(), max_raft_state, BOUND);
    let history = service.history;
    let totals = cluster.finish();
    history.check(run, cluster.watch());
    totals
}

/// The service as its clients use it.
struct Service<'a> {
    cluster: &'a Cluster,
    history: History,
    /// How many keys there are.
    keys: usize,
    /// How many clients there were.
    clients: usize,
}

/// Clients at work.
struct Workers {
    /// Their ends.
    ends: Vec<tester::Client>,
    stop: Arc<AtomicBool>,
    /// Who is done with a call.
    done: Receiver<usize>,
}

impl<'a> Service<'a> {
    fn new(cluster: &'a Cluster, keys: usize) -> Service<'a> {
        Service { cluster, history: History::default(), keys, clients: 0 }
    }

    /// So many clients that reach these servers, with their numbers.
    fn clients(&mut self, count: usize, to: &[usize]) -> Vec<(usize, Client)> {
        let numbers: Range<usize> = self.clients..self.clients + count;
        self.clients = numbers.end;
        let client = |number| (number, self.cluster.client_in(to, number as u64, &self.history));
        numbers.map(client).collect()
    }

    /// Starts clients that are at work until they are told to stop.
    fn start_workers(&mut self, count: usize, pause: u64) -> Workers {
        let (stop, keys) = (Arc::new(AtomicBool::new(false)), self.keys);
        let (sender, done) = channel::unbounded();
        let clients = self.clients(count, &self.cluster.all());
        let ends = clients.iter().map(|(_, client)| client.ends().clone()).collect();
        let stopped = stop.clone();
        start(clients, &sender, move |number, client| {
            work(number, client, keys, pause, &stopped);
        });
        Workers { ends, stop, done }
    }

    /// Checks that a service of which these servers are well does what clients ask of them: those that are at
    /// work, which stop then, and a new one for each key.
    fn gets_on(&mut self, healed: &[usize], workers: Option<Workers>) {
        let until = Instant::now() + BOUND;
        if let Some(workers) = &workers {
            workers.ends.iter().for_each(|ends| self.cluster.reconnect_client(ends, healed));
            workers.stop.store(true, Relaxed);
        }
        let (sender, done) = channel::unbounded();
        let clients = self.clients(self.keys, healed);
        let numbers: Vec<usize> = clients.iter().map(|(number, _)| *number).collect();
        let first = self.clients - self.keys;
        start(clients, &sender, move |number, client| {
            let key = (number - first).to_string();
            client.append(&key, &element(number, 0));
            client.get(&key);
        });
        self.await_all(numbers, &done, until, healed);
        if let Some(Workers { ends, done, .. }) = workers {
            self.await_all((0..ends.len()).collect(), &done, until, healed);
        }
    }

    /// Has a client write so many long texts.
    fn writes_much(&mut self, pieces: u64) {
        let (until, all) = (Instant::now() + BOUND, self.cluster.all());
        let (sender, done) = channel::unbounded();
        let writer = self.clients(1, &all);
        let number = writer[0].0;
        start(writer, &sender, move |number, client| {
            let piece = |count| element(number, count) + &"-".repeat(swarm::PIECE);
            (0..pieces).for_each(|count| client.put("much", &piece(count)));
        });
        self.await_all(vec![number], &done, until, &all);
    }

    /// Waits for all these clients.
    fn await_all(
        &self,
        mut waiting: Vec<usize>,
        done: &Receiver<usize>,
        until: Instant,
        healed: &[usize],
    ) {
        while !waiting.is_empty() {
            let rest = until.saturating_duration_since(Instant::now());
            let Ok(number) = done.recv_timeout(rest) else { self.fail(&waiting, healed) };
            waiting.retain(|other| *other != number);
        }
    }

    fn fail(&self, waiting: &[usize], healed: &[usize]) -> ! {
        let words = format!(
            "{:.0} s after servers {healed:?} were healed, clients {waiting:?} wait for an answer",
            BOUND.as_secs_f64()
        );
        let broken = verdict("progress after healing", words);
        let obstacles = self.cluster.watch().obstacles();
        obstacles
            .into_iter()
            .fold(broken, VerdictBuilder::with_fact)
            .hint(
                "a server that lets nobody go who waits, a clerk that waits for ever at one server, or a service \
                 that does not go on after a crash in the middle of a save",
            )
            .fail()
    }
}

/// Starts clients in threads of their own. Each says when it is done.
fn start(
    clients: Vec<(usize, Client)>,
    done: &Sender<usize>,
    work: impl Fn(usize, &mut Client) + Clone + Send + 'static,
) {
    for (number, mut client) in clients {
        let (done, work) = (done.clone(), work.clone());
        thread::Builder::new().name(format!("client {number}")).spawn(move || {
            work(number, &mut client);
            // Nobody waits any more if it took too long.
            let _ = done.send(number);
        });
    }
}

/// A client at work, with pauses, until it is told to stop.
fn work(number: usize, client: &mut Client, keys: usize, pause: u64, stop: &AtomicBool) {
    let mut rng = rng::stream(&format!("client {number}"));
    for count in 0.. {
        if stop.load(Relaxed) {
            return;
        }
        let key = rng.random_range(0..keys).to_string();
        match rng.random_range(0..10) {
            0..5 => client.append(&key, &element(number, count)),
            5 => client.put(&key, &element(number, count)),
            _ => _ = client.get(&key),
        }
        thread::sleep(Duration::from_millis(rng.random_range(0..=pause)));
    }
}
