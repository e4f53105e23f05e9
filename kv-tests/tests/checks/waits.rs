//! A run that comes to its time limit says first what its clients wait for, and at whom.

use std::time::Duration;

use kv_tests::{Cluster, Subject};
use labrt::Node;
use labrt::channel;
use labrt::sync::Mutex;
use labrt::thread;
use labrt::world::Builder;
use raft_api::{ApplyMsg, Bytes, Raft as _, Started};
use tester::{Run, TIME_LIMIT, Test, Totals};

use crate::around::{Around, Habit};

/// All that is said of a test with this habit below the reference service, whose time is not enough.
fn said<H: Habit>(test: impl FnOnce(Subject) -> Test) -> String {
    let test = test(Subject::of::<kv::Server<Around<H>>, kv::Clerk>());
    let run = Run::silent();
    let playing = run.clone();
    let world = Builder::simulated(1).time_limit(TIME_LIMIT);
    let failure = world.run(move || test.play(&playing)).map(drop);
    tester::said_of(&failure.expect_err("a clerk waits for ever"), &run)
}

/// Where something stands among the lines of what is said.
fn line_of(said: &str, words: &str) -> usize {
    let place = said.lines().position(|line| line.contains(words));
    place.unwrap_or_else(|| panic!("`{words}` is not in: {said}"))
}

/// Holds a lock while it waits for what it has started.
struct LocksWhileWaiting;

impl Habit for LocksWhileWaiting {
    fn start(raft: &raft::Raft, lock: &Mutex<()>, command: Bytes) -> Option<Started> {
        let _guard = lock.lock();
        let started = raft.start(command)?;
        thread::sleep(2 * TIME_LIMIT);
        Some(started)
    }

    fn hands_over(_: &ApplyMsg, lock: &Mutex<()>) {
        drop(lock.lock());
    }
}

#[test]
fn a_lock_that_is_held_while_a_request_waits() {
    let said = said::<LocksWhileWaiting>(|subject| kv_tests::test("basic_3A", subject));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1].contains("time limit at 120."), "{said}");
    assert!(lines[2].contains("    - client 0 has waited 1"), "{said}");
    assert!(lines[2].contains(" s for Put \"0\" \"\", and has asked "), "{said}");
    // Who got the request and did not answer, what the others said, where it stands, who keeps it waiting.
    let kept = line_of(&said, "got its request, and did not answer");
    let others = line_of(&said, "answered it: {outcome: WrongLeader");
    let entry = line_of(&said, "sent it as the entry of term");
    let keeps = line_of(&said, " requests of clients waiting up to the end, the oldest for 1");
    assert!(kept == 3 && kept < others && others < entry && entry < keeps, "{said}");
    // Of the tasks those come first that wait for the lock; of those that wait alike, one.
    let waits: Vec<&str> = lines
        .iter()
        .filter(|line| line.contains(" waits for a Mutex of () at "))
        .copied()
        .collect();
    let first = line_of(&said, "task `");
    assert!(waits.len() == 2 && lines[first].contains(waits[0]), "{said}");
    assert!(waits.iter().any(|line| line.contains("task `relay` of server ")), "{said}");
    assert!(waits.iter().any(|line| line.ends_with(" more wait alike")), "{said}");
    assert!(line_of(&said, "5 tasks started at raft/src/") > first + 1, "{said}");
    // What all servers have in common is said once.
    assert_eq!(said.matches("WrongLeader").count(), 1, "{said}");
}

/// Hands nothing over any more once a snapshot has come.
struct StopsAtSnapshot;

impl Habit for StopsAtSnapshot {
    fn hands_over(message: &ApplyMsg, _: &Mutex<()>) {
        if let ApplyMsg::Snapshot { .. } = message {
            let (_never, comes) = channel::bounded::<()>(0);
            let _ = comes.recv_timeout(Duration::MAX);
        }
    }
}

/// A server that got a snapshot comes to lead, and is asked for something.
fn leads_after_a_snapshot(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, 3, false, Some(1000));
    let mut client = cluster.client(&cluster.all());
    cluster.partition(&[0, 1], &[2]);
    for number in 0..50 {
        client.put("k", &number.to_string());
    }
    let settle = || {
        cluster.connect_all();
        thread::sleep(Duration::from_secs(1));
    };
    settle();
    while cluster.leader() != 2 {
        cluster.partition(&[1 - cluster.leader(), 2], &[cluster.leader()]);
        thread::sleep(Duration::from_secs(1));
        settle();
    }
    client.put("k", "more");
    drop(client);
    cluster.finish()
}

#[test]
fn an_applier_that_stops_at_a_snapshot() {
    let test = |subject| Test::new("3B", "", move |run| leads_after_a_snapshot(subject, run));
    let said = said::<StopsAtSnapshot>(test);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[2].contains("client 0 has waited 1") && lines[2].contains("Put \"k\""), "{said}");
    let kept = line_of(&said, "    - server 2 got its request, and did not answer");
    let entry = line_of(&said, "server 2 sent it as the entry of term ");
    let room = line_of(&said, "of server 2 waits for room in a channel of raft_api::ApplyMsg");
    assert!(lines[entry].contains("; servers 0, 1, 2 can know that it is committed"), "{said}");
    assert!(kept < entry && entry < room, "{said}");
    assert_eq!(line_of(&said, "task `"), room, "{said}");
}

/// Nothing is wrong but the network.
struct Right;

impl Habit for Right {}

/// Nobody reaches anybody, and a client asks for something.
fn all_are_cut_off(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, 3, false, None);
    let mut client = cluster.client(&cluster.all());
    client.put("k", "");
    cluster.partition(&[0], &[1]);
    client.put("k", "more");
    drop(client);
    cluster.finish()
}

#[test]
fn what_keeps_the_rafts_below_from_agreement_comes_with_it() {
    let said =
        said::<Right>(|subject| Test::new("3A", "", move |run| all_are_cut_off(subject, run)));
    let waits = line_of(&said, "    - client 0 has waited 1");
    let entry = line_of(&said, "; nobody can know that it is committed");
    let elections = line_of(&said, "elections since then, of servers ");
    assert!(waits == 2 && waits < entry && entry < elections, "{said}");
}

/// Nobody reaches anybody; a client that asks for something is stopped, and another one asks.
fn the_first_client_is_stopped(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, 3, false, None);
    cluster.partition(&[0], &[1]);
    let (node, mut first) = (Node::new("clients"), cluster.client(&cluster.all()));
    let of_first = thread::Builder::new().name("first").node(node.clone());
    of_first.spawn(move || first.put("k", "old"));
    thread::sleep(Duration::from_secs(1));
    node.kill();
    let mut client = cluster.client(&cluster.all());
    client.put("k", "new");
    drop(client);
    cluster.finish()
}

#[test]
fn a_client_that_was_stopped_does_not_hide_the_one_that_waits() {
    let test = |subject| Test::new("3A", "", move |run| the_first_client_is_stopped(subject, run));
    let said = said::<Right>(test);
    assert_eq!(line_of(&said, "    - client 1 has waited 1"), 2, "{said}");
    assert!(!said.contains("client 0") && !said.contains("others wait"), "{said}");
}
