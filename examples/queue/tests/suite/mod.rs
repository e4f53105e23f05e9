//! The tests of the queue, for both clocks.

mod client;
mod cluster;
pub(crate) mod edn;
mod leaves_once;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use labrt::rng::{self, RngExt};
use labrt::sync::atomic::AtomicBool;
use labrt::thread;
use queue_example::Mistake;
use tester::{Run, Test, Totals};

use client::{Client, History};
use cluster::{Cluster, SERVERS};

/// Stamps all tests out for a clock: `simulated` or `real`, which are functions of the crate `tester`.
///
/// Each test is one `#[test]` with one call of one of these. Its name ends in its part, `queue`.
#[allow(unused_macros, reason = "tests/found.rs runs its tests in a way of its own")]
macro_rules! tests {
    ($clock:ident) => {
        tests! { $clock,
            in_order_queue
            losses_queue
            partitions_queue
            crashes_queue
            anything_queue
        }
    };
    ($clock:ident, $($name:ident)*) => {$(
        #[test]
        fn $name() {
            let name = stringify!($name);
            let test = suite::test(name, queue_example::Mistake::chosen());
            tester::$clock(&test, tester::origin!(name));
        }
    )*};
}

/// What goes wrong in a test.
#[derive(Clone, Copy, Default)]
struct Troubles {
    /// The network loses and delays messages.
    losses: bool,
    /// The servers are split in two parts, again and again.
    partitions: bool,
    /// All servers crash, again and again.
    crashes: bool,
}

/// How many clients are at work.
const CLIENTS: u64 = 4;

/// The test of this name, with servers that make this mistake.
pub(crate) fn test(name: &str, mistake: Option<Mistake>) -> Test {
    let none = Troubles::default();
    let (title, troubles) = match name {
        "in_order_queue" => {
            return Test::new("queue", "first in, first out", move |run| in_order(run, mistake));
        }
        "losses_queue" => ("unreliable net", Troubles { losses: true, ..none }),
        "partitions_queue" => ("partitions", Troubles { partitions: true, ..none }),
        "crashes_queue" => ("restarts, snapshots", Troubles { crashes: true, ..none }),
        "anything_queue" => (
            "unreliable net, partitions, restarts",
            Troubles { losses: true, partitions: true, crashes: true },
        ),
        _ => panic!("there is no test `{name}`"),
    };
    Test::new("queue", title, move |run| clients_at_work(run, troubles, mistake))
}

/// One client, and nothing goes wrong.
fn in_order(run: &Run, mistake: Option<Mistake>) -> Totals {
    let cluster = Cluster::new(run, false, mistake);
    let history = History::default();
    let mut client = Client::new(&cluster, 0, &history);
    (0..10).for_each(|_| client.enqueue());
    let left: Vec<String> = std::iter::from_fn(|| client.dequeue()).collect();
    let expected: Vec<String> = (1..=10).map(|number| format!("0-{number}")).collect();
    if left != expected {
        let words = format!("the elements left as {left:?}, and not as {expected:?}");
        labtrace::verdict("order", words).fail();
    }
    let totals = cluster.finish();
    history.check(run);
    totals
}

/// Several clients at work, while these things go wrong. Then the queue is emptied: an element that was
/// lost is missed at the latest then.
fn clients_at_work(run: &Run, troubles: Troubles, mistake: Option<Mistake>) -> Totals {
    let cluster = Cluster::new(run, troubles.losses, mistake);
    let history = History::default();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (mut client, stop) = (Client::new(&cluster, number, &history), stop.clone());
            let name = format!("client {number}");
            thread::Builder::new().name(name).spawn(move || work(&mut client, &stop))
        })
        .collect();
    for _ in run.rounds(3) {
        round(&cluster, troubles);
    }
    stop.store(true, Relaxed);
    for client in clients {
        client.join().expect("a client that fails ends the run");
    }
    let mut last = Client::new(&cluster, CLIENTS, &history);
    while last.dequeue().is_some() {}
    drop(last);
    cluster.check_sizes();
    let totals = cluster.finish();
    history.check(run);
    totals
}

/// A client at work, until it is told to stop. It dequeues more than it enqueues: the queue is often empty.
fn work(client: &mut Client, stop: &AtomicBool) {
    let mut rng = rng::stream("work");
    while !stop.load(Relaxed) {
        if rng.random_bool(0.4) {
            client.enqueue();
        } else {
            client.dequeue();
        }
        thread::sleep(Duration::from_millis(rng.random_range(0..30)));
    }
}

/// A second in which things go wrong, and one in which all servers can be reached again.
fn round(cluster: &Cluster, troubles: Troubles) {
    let mut rng = rng::stream("troubles");
    if troubles.partitions {
        let cut = rng.random_range(0..SERVERS);
        let others: Vec<usize> = (0..SERVERS).filter(|server| *server != cut).collect();
        cluster.partition(&others, &[cut]);
    }
    thread::sleep(Duration::from_millis(rng.random_range(500..1500)));
    if troubles.crashes {
        cluster.restart_all();
    }
    cluster.connect_all();
    thread::sleep(Duration::from_secs(1));
}
