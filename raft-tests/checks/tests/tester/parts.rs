//! Rafts without consensus that do one thing that a test asks about, right or wrong: what the tester says of it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::{Leaf, Mutex};
use labrt::{thread, world};
use persister::Persister;
use raft_api::{ApplyMsg, Raft, RaftState, Started};
use raft_tests::run::Run;
use raft_tests::{Cluster, part_2b, sizes};

use crate::fakes::{apply_all, assert_verdict, verdict, verdict_of_part, zero_leads};

/// A server of which only the parts are given that matter. It leads, if it is server 0, and takes no command.
struct Parts<H> {
    me: usize,
    apply: Sender<ApplyMsg>,
    persister: Arc<dyn Persister>,
    habit: H,
}

/// What it does.
trait Habit: Default + Send + Sync + 'static {
    fn make(_: &Arc<Parts<Self>>) {}

    fn start(_: &Parts<Self>, _command: Bytes) -> Option<Started> {
        None
    }

    fn snapshot(_: &Parts<Self>, _index: u64, _snapshot: Bytes) {}
}

impl<H: Habit> Raft for Parts<H> {
    fn make(
        _peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let server = Arc::new(Parts { me, apply, persister, habit: H::default() });
        H::make(&server);
        Ok(server)
    }
    fn services(self: Arc<Self>) -> Vec<Service> {
        Vec::new()
    }
    fn start(&self, command: Bytes) -> Option<Started> {
        H::start(self, command)
    }
    fn snapshot(&self, index: u64, snapshot: Bytes) {
        H::snapshot(self, index, snapshot);
    }
    fn state(&self) -> RaftState {
        zero_leads(self.me)
    }
    fn kill(&self) {}
}

/// Commands as (index, text).
const NINE: [(u64, &str); 9] =
    [(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5"), (6, "6"), (7, "7"), (8, "8"), (9, "9")];

fn nothing(_: &Cluster, _: &Run) {
    thread::sleep(Duration::from_millis(100));
}

// ---- Who takes commands --------------------------------------------------------------------------

/// As the handed-out code: `start` is still to be written.
#[derive(Default)]
struct TakesNothing;

impl Habit for TakesNothing {}

#[test]
fn a_leader_that_takes_no_command_is_not_told_of_elections() {
    let one = |cluster: &Cluster, _: &Run| {
        cluster.one(Bytes::from_static(b"104"), 3, true);
    };
    let says = "server 0 says that it leads term 1, and its `start` took no command";
    let hint = "`start` returned `None` at a server whose `state` says that it leads";
    for body in [one, part_2b::concurrent_starts] {
        let words = verdict::<Parts<TakesNothing>>(body);
        assert!(words.contains(says) && words.contains(hint), "{words}");
        assert!(!words.contains("elections"), "{words}");
        assert!(!words.contains("changed too often"), "{words}");
    }
    assert_verdict::<Parts<TakesNothing>>(one, "one(104) failed to reach agreement");
}

/// Commits all that it has accepted whenever its timer fires.
#[derive(Default)]
struct CommitsByTimer {
    /// What was accepted, and how much of it is committed.
    log: Mutex<(Vec<Bytes>, usize)>,
}

impl Habit for CommitsByTimer {
    fn make(server: &Arc<Parts<Self>>) {
        let server = server.clone();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(2_500));
                let (first, new) = {
                    let mut log = server.habit.log.lock();
                    let (first, new) = (log.1, log.0[log.1..].to_vec());
                    log.1 = log.0.len();
                    (first, new)
                };
                for (place, command) in (first..).zip(new) {
                    let index = place as u64 + 1;
                    let _ = server.apply.send(ApplyMsg::Command { index, command });
                }
            }
        });
    }

    fn start(server: &Parts<Self>, command: Bytes) -> Option<Started> {
        let mut log = server.habit.log.lock();
        log.0.push(command);
        (server.me == 0).then_some(Started { index: log.0.len() as u64, term: 1 })
    }
}

#[test]
fn a_lone_server_that_is_slow_is_accused_of_no_wrong_index() {
    let words = verdict::<Parts<CommitsByTimer>>(sizes::alone);
    assert!(words.contains("one(10) failed to reach agreement"), "{words}");
    assert!(!words.contains("expected"), "{words}");
}

// ---- What must return at once --------------------------------------------------------------------

/// Its `start` waits so many milliseconds.
#[derive(Default)]
struct StartTakes<const MS: u64>;

impl<const MS: u64> Habit for StartTakes<MS> {
    fn start(_: &Parts<Self>, _command: Bytes) -> Option<Started> {
        thread::sleep(Duration::from_millis(MS));
        Some(Started { index: 1, term: 1 })
    }
}

fn starts(cluster: &Cluster, _: &Run) {
    cluster.start(0, Bytes::from_static(b"1"));
}

#[test]
fn a_start_that_waits_is_told() {
    let words = verdict::<Parts<StartTakes<100>>>(starts);
    assert!(words.contains("start: `start` of server 0 took 0.100 s"), "{words}");
    assert!(words.contains("it does not wait until the command is committed"), "{words}");
    assert_eq!(verdict::<Parts<StartTakes<20>>>(starts), "");
}

#[test]
fn a_start_of_a_server_that_is_paused_waits_for_nobody() {
    let words = verdict::<Parts<StartTakes<20>>>(|cluster, run| {
        let other = cluster.clone();
        let pausing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            other.group().pause(0);
            thread::sleep(Duration::from_millis(300));
            other.group().resume(0);
        });
        starts(cluster, run);
        pausing.join().expect("it only sleeps");
    });
    assert_eq!(words, "");
}

/// Its `make` waits so many milliseconds.
#[derive(Default)]
struct MakeTakes<const MS: u64>;

impl<const MS: u64> Habit for MakeTakes<MS> {
    fn make(_: &Arc<Parts<Self>>) {
        thread::sleep(Duration::from_millis(MS));
    }
}

#[test]
fn a_make_that_waits_is_told() {
    let words = verdict::<Parts<MakeTakes<600>>>(nothing);
    assert!(words.contains("make: `make` of server 0 took 0.600 s"), "{words}");
    assert_eq!(verdict::<Parts<MakeTakes<100>>>(nothing), "");
}

// ---- What is applied after a start ---------------------------------------------------------------

/// Goes on after a restart where it was, as if the service were there still.
#[derive(Default)]
struct LastAppliedKept;

impl Habit for LastAppliedKept {
    fn make(server: &Arc<Parts<Self>>) {
        let was_here = server.persister.raft_state_size() > 0;
        server.persister.save_raft_state(b"3").expect("memory can be written");
        apply_all(&server.apply, if was_here { &NINE[3..4] } else { &NINE[..3] });
    }
}

#[test]
fn a_service_that_is_new_and_is_not_told_what_was_before() {
    let restart = |cluster: &Cluster, run: &Run| {
        nothing(cluster, run);
        cluster.start_server(1);
        nothing(cluster, run);
    };
    let words = verdict::<Parts<LastAppliedKept>>(restart);
    assert!(words.contains("apply out of order 4: expected index 1"), "{words}");
    assert!(words.contains("since its start, server 1 has applied nothing"), "{words}");
    assert!(words.contains("lastApplied begins there anew after each restart"), "{words}");
    assert!(!words.contains("two tasks"), "{words}");
}

// ---- Snapshots -----------------------------------------------------------------------------------

/// Applies nine commands before its `make` returns: the service takes a snapshot after the ninth.
#[derive(Default)]
struct AppliesInMake;

impl Habit for AppliesInMake {
    fn make(server: &Arc<Parts<Self>>) {
        apply_all(&server.apply, &NINE);
    }

    fn snapshot(server: &Parts<Self>, index: u64, snapshot: Bytes) {
        saves(server, index, &snapshot);
    }
}

fn saves<H>(server: &Parts<H>, index: u64, snapshot: &Bytes) {
    let state = index.to_string();
    let saved = server.persister.save_state_and_snapshot(state.as_bytes(), snapshot);
    saved.expect("memory can be written");
}

#[test]
fn a_snapshot_that_is_due_in_make_is_taken_after_it() {
    let words = verdict_of_part::<Parts<AppliesInMake>>("2D", |cluster, run| {
        nothing(cluster, run);
        for server in 0..3 {
            assert!(cluster.group().snapshot_size(server) > 0, "server {server} has a snapshot");
        }
    });
    assert_eq!(words, "");
}

/// Applies what the test says.
#[derive(Default)]
struct AppliesWhatIsSaid;

/// By what server 0 applies.
#[derive(Default)]
struct Applies(Leaf<Option<Sender<ApplyMsg>>>);

impl Habit for AppliesWhatIsSaid {
    fn make(server: &Arc<Parts<Self>>) {
        if server.me == 0 {
            let applies = world::local::<Applies>().expect("in a world");
            applies.0.with(|apply| *apply = Some(server.apply.clone()));
        }
    }

    fn snapshot(server: &Parts<Self>, index: u64, snapshot: Bytes) {
        saves(server, index, &snapshot);
    }
}

#[test]
fn a_snapshot_that_is_due_in_a_pause_is_taken_after_it() {
    let words = verdict_of_part::<Parts<AppliesWhatIsSaid>>("2D", |cluster, run| {
        let applies = world::local::<Applies>().expect("in a world");
        let apply = applies.0.with(|apply| apply.clone()).expect("server 0 was made");
        apply_all(&apply, &NINE[..8]);
        nothing(cluster, run);
        cluster.group().pause(0);
        apply_all(&apply, &NINE[8..]);
        nothing(cluster, run);
        assert_eq!(cluster.group().snapshot_size(0), 0, "it does nothing");
        cluster.group().resume(0);
        nothing(cluster, run);
        assert!(cluster.group().snapshot_size(0) > 0, "it has a snapshot");
    });
    assert_eq!(words, "");
}

/// Hands the snapshot that it is given over to the service again, so often.
#[derive(Default)]
struct HandsBack<const TIMES: usize>;

impl<const TIMES: usize> Habit for HandsBack<TIMES> {
    fn make(server: &Arc<Parts<Self>>) {
        let server = server.clone();
        thread::spawn(move || apply_all(&server.apply, &NINE));
    }

    fn snapshot(server: &Parts<Self>, index: u64, snapshot: Bytes) {
        let apply = server.apply.clone();
        thread::spawn(move || {
            for _ in 0..TIMES {
                let snapshot = snapshot.clone();
                let _ = apply.send(ApplyMsg::Snapshot { index, term: 1, snapshot });
            }
        });
    }
}

#[test]
fn a_snapshot_of_what_is_applied_takes_nobody_back_but_comes_once() {
    assert_eq!(verdict_of_part::<Parts<HandsBack<1>>>("2D", nothing), "");
    let words = verdict_of_part::<Parts<HandsBack<2>>>("2D", nothing);
    assert!(words.contains("applied a snapshot of index 9, and has applied up to 9"), "{words}");
    assert!(words.contains("which has this snapshot already"), "{words}");
}
