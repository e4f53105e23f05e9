//! The tester itself: it must fail what it is there to fail, in the words that help.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::Mutex;
use labrt::thread;
use persister::Persister;
use raft_api::{ApplyMsg, Raft, RaftState, Started};
use raft_tests::run::{Origin, Run, Test};
use raft_tests::{Cluster, RaftType};

/// Makes a Raft without consensus, whose `make` and `state` are given.
macro_rules! fake {
    ($name:ident, $make:expr, $state:expr) => {
        struct $name(usize);
        impl Raft for $name {
            fn make(
                _peers: Vec<ClientEnd>,
                me: usize,
                _persister: Arc<dyn Persister>,
                apply: Sender<ApplyMsg>,
            ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
                let make: fn(usize, Sender<ApplyMsg>) -> Result<(), &'static str> = $make;
                make(me, apply)?;
                Ok(Arc::new($name(me)))
            }
            fn services(self: Arc<Self>) -> Vec<Service> {
                Vec::new()
            }
            fn start(&self, _command: Bytes) -> Option<Started> {
                let leads = self.state().is_leader;
                leads.then_some(Started { index: 1, term: 1 })
            }
            fn state(&self) -> RaftState {
                let state: fn(usize) -> RaftState = $state;
                state(self.0)
            }
            fn kill(&self) {}
        }
    };
}

/// Server 0 leads term 1, as it should be.
pub(crate) fn zero_leads(me: usize) -> RaftState {
    RaftState { term: 1, is_leader: me == 0 }
}

/// Applies these messages, as (index, text).
pub(crate) fn apply_all(apply: &Sender<ApplyMsg>, messages: &[(u64, &'static str)]) {
    for &(index, text) in messages {
        let command = Bytes::from_static(text.as_bytes());
        apply.send(ApplyMsg::Command { index, command }).expect("the tester listens");
    }
}

/// What the suite says about a test with this body, on the simulated clock; empty if it passes.
pub(crate) fn verdict<R: Raft>(body: fn(&Cluster, &Run)) -> String {
    verdict_of_part::<R>("0", body)
}

/// The same of a test of this part.
pub(crate) fn verdict_of_part<R: Raft>(part: &'static str, body: fn(&Cluster, &Run)) -> String {
    let test = Test {
        part,
        title: "the tester itself, whose failures are expected",
        servers: 3,
        unreliable: false,
        body,
    };
    let origin = Origin {
        package: "p",
        krate: "sim",
        module: "sim",
        name: "t",
        scratch: option_env!("CARGO_TARGET_TMPDIR"),
    };
    let run = catch_unwind(AssertUnwindSafe(|| {
        raft_tests::run::simulated(&test, RaftType::of::<R>(), origin)
    }));
    let words = run.err().map(|payload| payload.downcast_ref::<String>().cloned());
    words.map_or_else(String::new, |words| words.expect("a message"))
}

#[track_caller]
pub(crate) fn assert_verdict<R: Raft>(body: fn(&Cluster, &Run), expected: &str) {
    let words = verdict::<R>(body);
    assert!(words.contains(expected), "`{expected}` is not in: {words}");
}

fn nothing(_: &Cluster, _: &Run) {
    thread::sleep(Duration::from_millis(100));
}

fake!(Fine, |_, _| Ok(()), zero_leads);

#[test]
fn a_cluster_that_behaves_passes() {
    assert_eq!(verdict::<Fine>(nothing), "");
    assert_eq!(verdict::<Fine>(|cluster, _| assert_eq!(cluster.check_one_leader(), 0)), "");
    assert_eq!(verdict::<Fine>(|cluster, _| assert_eq!(cluster.check_terms(), 1)), "");
}

fake!(NotMade, |_, _| Err("the state is corrupt"), zero_leads);

#[test]
fn a_server_that_cannot_be_made_fails_the_test_with_its_words() {
    assert_verdict::<NotMade>(nothing, "server 0 cannot be made: the state is corrupt");
}

fake!(TwoLeaders, |_, _| Ok(()), |me| RaftState { term: 4, is_leader: me < 2 });

#[test]
fn two_leaders_in_one_term_are_found() {
    let check = |cluster: &Cluster, _: &Run| {
        cluster.check_one_leader();
    };
    assert_verdict::<TwoLeaders>(check, "term 4 has 2 (>1) leaders: servers [0, 1]");
    assert_verdict::<TwoLeaders>(
        |cluster, _| cluster.check_no_leader(),
        "expected no leader, but 0 claims to be leader",
    );
}

fake!(NoLeader, |_, _| Ok(()), |me| RaftState { term: me as u64, is_leader: false });

#[test]
fn no_leader_and_different_terms_are_found() {
    let check = |cluster: &Cluster, _: &Run| {
        cluster.check_one_leader();
    };
    assert_verdict::<NoLeader>(check, "expected one leader, got none");
    assert_verdict::<NoLeader>(check, "started anew by a refused vote or a newer term");
    let terms = |cluster: &Cluster, _: &Run| {
        cluster.check_terms();
    };
    assert_verdict::<NoLeader>(terms, "servers disagree on term");
    assert_verdict::<NoLeader>(
        |cluster, _| {
            cluster.one(Bytes::from_static(b"104"), 3, true);
        },
        "one(104) failed to reach agreement",
    );
    assert_verdict::<NoLeader>(
        |cluster, _| {
            cluster.one(Bytes::from_static(b"104"), 3, true);
        },
        "no connected server took it for 10 s: elections do not succeed",
    );
}

fake!(
    Differing,
    |me, apply| {
        apply_all(&apply, if me == 0 { &[(1, "103")] } else { &[(1, "104")] });
        Ok(())
    },
    zero_leads
);

#[test]
fn two_commands_at_one_index_end_the_test_at_once() {
    assert_verdict::<Differing>(nothing, "apply error: commit index=1 server=");
    assert_verdict::<Differing>(nothing, "in task `apply reader");
}

fake!(
    OutOfOrder,
    |_, apply| {
        apply_all(&apply, &[(1, "1"), (3, "3")]);
        Ok(())
    },
    zero_leads
);

#[test]
fn a_gap_is_found() {
    assert_verdict::<OutOfOrder>(nothing, "apply out of order 3: expected index 2");
}

fake!(
    Alone,
    |me, apply| {
        apply_all(&apply, if me == 1 { &[(1, "7")] } else { &[] });
        Ok(())
    },
    zero_leads
);

#[test]
fn too_few_servers_are_found() {
    assert_verdict::<Alone>(
        |cluster, _| drop(cluster.wait(1, 3, None)),
        "only 1 decided for index 1; wanted 3",
    );
    assert_eq!(verdict::<Alone>(|cluster, _| drop(cluster.wait(1, 3, Some(0)))), "");
    assert_verdict::<Alone>(
        |cluster, _| {
            cluster.one(Bytes::from_static(b"8"), 1, false);
        },
        "one(8) failed to reach agreement",
    );
}

fake!(
    SaysOld,
    |_, apply| {
        apply_all(&apply, &[(1, "1"), (2, "2")]);
        Ok(())
    },
    zero_leads
);

#[test]
fn an_index_that_was_applied_before_is_no_new_one() {
    assert_verdict::<SaysOld>(
        |cluster, _| {
            thread::sleep(Duration::from_millis(100));
            cluster.start(0, Bytes::from_static(b"3"));
        },
        "`start` of server 0 returned index 1, but it had applied 2 entries before",
    );
    // Before that, it is right.
    let starts = |cluster: &Cluster, _: &Run| {
        assert!(cluster.start(0, Bytes::from_static(b"3")).is_some());
    };
    assert_eq!(verdict::<Fine>(starts), "");
}

#[test]
fn a_wrong_index_of_a_command_is_told_with_its_usual_cause() {
    let words = verdict::<Fine>(|cluster, _| {
        cluster.check_index(1, 1, "as it must be");
        cluster.check_index(2, 1, "got index 2 but expected 1");
    });
    assert!(words.contains("got index 2 but expected 1"), "{words}");
    assert!(words.contains("must not take an index of the service"), "{words}");
}

/// A Raft that holds its lock while it sends what is committed.
struct SendsLocked {
    lock: Mutex<()>,
    apply: Sender<ApplyMsg>,
}

impl Raft for SendsLocked {
    fn make(
        _peers: Vec<ClientEnd>,
        _me: usize,
        _persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let raft = Arc::new(SendsLocked { lock: Mutex::new(()), apply });
        let applier = raft.clone();
        thread::Builder::new().name("applier").spawn(move || {
            thread::sleep(Duration::from_millis(10));
            let _guard = applier.lock.lock();
            apply_all(&applier.apply, &[(1, "1"), (2, "2")]);
        });
        Ok(raft)
    }
    fn services(self: Arc<Self>) -> Vec<Service> {
        Vec::new()
    }
    fn start(&self, _command: Bytes) -> Option<Started> {
        None
    }
    fn state(&self) -> RaftState {
        let _guard = self.lock.lock();
        RaftState { term: 1, is_leader: false }
    }
    fn kill(&self) {}
}

#[test]
fn messages_sent_with_a_lock_held_are_a_deadlock() {
    let words = verdict::<SendsLocked>(|_, _| thread::sleep(Duration::from_secs(5)));
    for part in [
        "tasks wait for each other in a circle",
        "task `applier` of server",
        "waits for room in a channel of raft_api::",
        "while it holds the lock it took at raft-tests/checks/tests/tester/fakes.rs",
        "task `apply reader",
    ] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
}

/// What was given as a verdict, though the code under test caught the panic.
fn caught(cluster: &Cluster) {
    let caught = catch_unwind(AssertUnwindSafe(|| cluster.check_no_leader()));
    assert!(caught.is_err(), "server 0 claims to lead");
}

#[test]
fn a_verdict_that_was_given_is_not_lost() {
    let words = verdict::<Fine>(|cluster, _| caught(cluster));
    assert!(words.contains("no leader: expected no leader, but 0 claims"), "{words}");
    // Whatever else fails later.
    let words = verdict::<Fine>(|cluster, _| {
        caught(cluster);
        thread::sleep(Duration::from_millis(500));
        panic!("something else");
    });
    assert!(words.contains("no leader: expected no leader, but 0 claims"), "{words}");
    assert!(words.contains("the run ended at 0.500 s: panic: something else"), "{words}");
}

#[test]
fn the_time_limit_of_a_test_is_120_s() {
    let words = verdict::<Fine>(|_, _| thread::sleep(Duration::from_secs(121)));
    assert!(words.contains("time limit at 12"), "{words}");
    assert!(words.contains("a test may take 120 s of lab time"), "{words}");
    // In which round it was.
    let words = verdict::<Fine>(|_, run| {
        for round in run.rounds(9) {
            thread::sleep(Duration::from_secs([10, 60, 20, 31][round]));
        }
    });
    let round =
        "the test was in round 4, for 31.0 s; of those before, round 2 was the slowest: 60.0 s";
    assert!(words.contains(round), "{words}");
    // But not when the rounds are over, or somebody has gone out of them.
    let over: [fn(&Cluster, &Run); 2] = [
        |_, run| {
            run.rounds(3).for_each(|_| thread::sleep(Duration::from_secs(5)));
            thread::sleep(Duration::from_secs(121));
        },
        |_, run| {
            run.rounds(9).take(3).for_each(|_| thread::sleep(Duration::from_secs(5)));
            thread::sleep(Duration::from_secs(121));
        },
    ];
    for body in over {
        let words = verdict::<Fine>(body);
        assert!(words.contains("a test may take 120 s"), "{words}");
        assert!(!words.contains("the test was in round"), "{words}");
    }
    // Rounds within a round leave it as it was.
    let words = verdict::<Fine>(|_, run| {
        for round in run.rounds(9) {
            run.rounds(2).for_each(|_| thread::sleep(Duration::from_secs(1)));
            thread::sleep(Duration::from_secs([8, 58, 55][round]));
        }
    });
    let round =
        "the test was in round 3, for 57.0 s; of those before, round 2 was the slowest: 60.0 s";
    assert!(words.contains(round), "{words}");
    // And what stands in the way.
    let words = verdict::<Fine>(|cluster, _| {
        (0..3).for_each(|server| cluster.crash(server));
        thread::sleep(Duration::from_secs(121));
    });
    assert!(words.contains("no server runs"), "{words}");
    assert_eq!(verdict::<Fine>(|_, _| thread::sleep(Duration::from_secs(119))), "");
}

#[test]
fn a_failure_names_the_command_that_repeats_it() {
    let words = verdict::<Fine>(|_, _| panic!("on purpose"));
    let replay = "LAB_SEED=0 cargo test -p p --test sim -- --exact t";
    assert!(words.contains("on purpose") && words.contains(replay), "{words}");
}

fake!(
    Unpredictable,
    |_, _| {
        thread::spawn(|| {
            // A hash with a key of the process's own, as a HashMap has it.
            let pause = RandomState::new().hash_one(1) % 50;
            thread::sleep(Duration::from_millis(pause));
        });
        Ok(())
    },
    zero_leads
);

#[test]
fn code_that_does_not_behave_the_same_twice_is_found() {
    assert_verdict::<Unpredictable>(nothing, "two runs with seed 0 differ");
    let words = verdict::<Unpredictable>(nothing);
    // Which task, and where.
    assert!(words.contains(" of task `"), "{words}");
    assert!(words.contains("raft-tests/checks/tests/tester/fakes.rs:"), "{words}");
    for cause in ["HashMap", "static", "std's clock", "operating system's randomness"] {
        assert!(words.contains(cause), "`{cause}` is not in: {words}");
    }
}

static WAS_HERE: AtomicBool = AtomicBool::new(false);

fake!(
    Remembers,
    |_, _| {
        if !WAS_HERE.swap(true, Ordering::Relaxed) {
            thread::spawn(|| thread::sleep(Duration::from_millis(7)));
        }
        Ok(())
    },
    zero_leads
);

/// Only the first run of all is another one: who compares later ones with each other does not see it.
#[test]
fn code_that_keeps_something_from_its_first_run_is_found() {
    let words = verdict::<Remembers>(nothing);
    assert!(words.contains("two runs with seed 0 differ. The first had "), "{words}");
    assert!(words.contains("what differs is kept from the first"), "{words}");
}

/// A Raft whose `start` waits for what never comes.
struct StartWaits;

impl Raft for StartWaits {
    fn make(
        _peers: Vec<ClientEnd>,
        _me: usize,
        _persister: Arc<dyn Persister>,
        _apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(StartWaits))
    }
    fn services(self: Arc<Self>) -> Vec<Service> {
        Vec::new()
    }
    fn start(&self, _command: Bytes) -> Option<Started> {
        (0..1000).for_each(|_| thread::sleep(Duration::from_secs(1)));
        None
    }
    fn state(&self) -> RaftState {
        RaftState { term: 1, is_leader: true }
    }
    fn kill(&self) {}
}

#[test]
fn a_start_that_has_not_returned_is_told_at_the_time_limit() {
    let words = verdict::<StartWaits>(|cluster, _| {
        cluster.start(1, Bytes::from_static(b"1"));
    });
    assert!(words.contains("`start` of server 1 has not returned for 12"), "{words}");
}
