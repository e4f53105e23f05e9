//! Every run comes to an end that says why, whatever its tasks do and wherever they stand.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests look at worlds from outside"
)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc;
use std::time::Duration;

use labrt::sync::atomic::Ordering;
use labrt::sync::{Arc, Condvar, Mutex};
use labrt::world::Builder;
use labrt::{FailureKind, Node, SwitchBy, channel, simulate, thread};

mod common;
use common::{is_child, run_child, stderr};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Long enough for any machine; nobody waits so long unless something is wrong.
const NEVER: Duration = Duration::from_secs(60);

/// Counts how many of its kind are alive.
struct Tracked(Arc<AtomicUsize>);

impl Tracked {
    fn new(alive: &Arc<AtomicUsize>) -> Tracked {
        alive.fetch_add(1, Ordering::SeqCst);
        Tracked(alive.clone())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Calls into labrt in every way when it is dropped.
struct Nosy {
    tracked: Tracked,
    lock: Arc<Mutex<u32>>,
    sender: channel::Sender<u32>,
}

impl Nosy {
    fn first(alive: &Arc<AtomicUsize>) -> Nosy {
        let lock = Arc::new(Mutex::new(0));
        Nosy { tracked: Tracked::new(alive), lock, sender: channel::unbounded().0 }
    }

    fn new(first: &Nosy) -> Nosy {
        let tracked = Tracked::new(&first.tracked.0);
        Nosy { tracked, lock: first.lock.clone(), sender: first.sender.clone() }
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        let _ = Node::current();
        *self.lock.lock() += 1;
        let _ = self.sender.send(1);
        labrt::node::outside(thread::yield_now);
    }
}

/// A task in each state there is: about to begin, able to go on, blocked on each kind of thing, and
/// some that are started while others are dropped.
fn tasks_in_every_state(first: &Nosy, node: &Node) {
    let spawn = |body: Box<dyn FnOnce() + Send>| {
        let nosy = Nosy::new(first);
        node.spawn(move || {
            let _nosy = nosy;
            body();
        })
    };
    let lock = Arc::new(Mutex::new(()));
    let (held, condvar) = (lock.clone(), Arc::new(Condvar::new()));
    spawn(Box::new(move || {
        let mut guard = held.lock();
        condvar.wait_for(&mut guard, NEVER);
        let _held = guard;
        thread::sleep(NEVER);
    }));
    spawn(Box::new(move || drop(lock.lock())));
    let (sender, receiver) = channel::bounded::<Nosy>(1);
    let queued = Nosy::new(first);
    spawn(Box::new(move || {
        let another = Nosy::new(&queued);
        let _ = sender.send(queued);
        let _ = sender.send(another);
    }));
    let sleeper = spawn(Box::new(move || {
        let _receiver = receiver;
        thread::sleep(NEVER);
    }));
    spawn(Box::new(move || drop(sleeper.join())));
    spawn(Box::new(|| {
        loop {
            thread::yield_now();
            thread::sleep(Duration::from_micros(10));
        }
    }));
    thread::sleep(millis(1));
    spawn(Box::new(|| ()));
}

#[derive(Clone, Copy, Debug)]
enum End {
    Return,
    Kill,
    Panic,
    PanicInDestructor,
}

#[test]
fn no_destructor_is_lost_or_hangs_wherever_its_task_stands() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            let caught = catch_unwind(|| panic!("the second panic, which is caught"));
            assert!(caught.is_err());
            thread::yield_now();
        }
    }
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        for end in [End::Return, End::Kill, End::Panic, End::PanicInDestructor] {
            for seed in 0..60 {
                let alive = Arc::new(AtomicUsize::new(0));
                let count = alive.clone();
                let outcome = Builder::simulated(seed).switch_by(by).run(move || {
                    let first = Nosy::first(&count);
                    let node = Node::new("n");
                    tasks_in_every_state(&first, &node);
                    match end {
                        End::Return => {}
                        End::Kill => node.kill(),
                        End::Panic => panic!("on purpose"),
                        End::PanicInDestructor => {
                            let _again = Again;
                            panic!("on purpose");
                        }
                    }
                });
                let what = format!("{by:?}, {end:?}, seed {seed}");
                match (end, outcome) {
                    (End::Return | End::Kill, Ok(_)) => {}
                    (End::Panic | End::PanicInDestructor, Err(failure)) => {
                        assert_eq!(failure.message, "on purpose", "{what}");
                        let place = failure.location.unwrap();
                        assert!(place.contains("endings.rs"), "{what}: {place}");
                    }
                    (_, Ok(_)) => panic!("{what}: it must fail"),
                    (_, Err(failure)) => panic!("{what}: {failure}"),
                }
                assert_eq!(alive.load(Ordering::SeqCst), 0, "{what}");
            }
        }
    }
}

#[test]
fn what_a_task_was_given_is_dropped_whole_though_it_never_began() {
    struct Closing(Arc<Mutex<Vec<&'static str>>>);
    impl Drop for Closing {
        fn drop(&mut self) {
            thread::sleep(millis(10));
            self.0.lock().push("closed");
        }
    }
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let log = Arc::new(Mutex::new(Vec::new()));
            let node = Node::new("n");
            node.kill();
            let closing = Closing(log.clone());
            let task = node.spawn(move || {
                let _closing = closing;
                unreachable!("its node is dead");
            });
            assert!(task.join().unwrap_err().is::<labrt::Killed>());
            log.lock().clone()
        });
        assert_eq!(outcome.unwrap().value, ["closed"], "seed {seed}");
    }
}

/// Thousands of tasks, each with destructors that call into labrt.
fn too_many_tasks(count: usize, alive: &Arc<AtomicUsize>) -> Result<(), Box<labrt::Failure>> {
    let alive = alive.clone();
    let run = Builder::simulated(1).run(move || {
        let first = Nosy::first(&alive);
        for _ in 0..count {
            let nosy = Nosy::new(&first);
            thread::spawn(move || {
                let _nosy = nosy;
                thread::sleep(NEVER);
            });
        }
        thread::sleep(millis(1));
    });
    run.map(|_| ())
}

#[cfg(target_os = "linux")]
#[test]
fn no_memory_for_a_stack_fails_the_run_and_nothing_else() {
    if !is_child() {
        let test = "no_memory_for_a_stack_fails_the_run_and_nothing_else";
        let output = common::run_child_within(test, 1 << 20);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let alive = Arc::new(AtomicUsize::new(0));
    let failure = too_many_tasks(3000, &alive).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NoMemory, "{failure}");
    assert!(failure.message.contains("there is no memory for another task's stack"), "{failure}");
    assert!(failure.message.contains("of them started at labrt/tests/endings.rs:"), "{failure}");
    assert!(failure.details.len() < 20, "like tasks are counted, not listed: {failure}");
    assert_eq!(alive.load(Ordering::SeqCst), 0, "what was started has ended: {failure}");
    // What the run had goes back to the system, for whoever needs it next.
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::Builder::new().spawn(std::thread::park)).collect();
    assert!(threads.iter().all(Result::is_ok), "{threads:?}");
    too_many_tasks(100, &alive).expect("the next run has the memory again");
}

#[cfg(target_os = "linux")]
#[test]
fn kept_stacks_make_room_for_the_thread_of_a_world() {
    if !is_child() {
        let test = "kept_stacks_make_room_for_the_thread_of_a_world";
        let output = common::run_child_within(test, 1 << 20);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let alive = Arc::new(AtomicUsize::new(0));
    too_many_tasks(300, &alive).expect("there is memory for so many tasks");
    // Threads that go on take the rest.
    while std::thread::Builder::new().spawn(std::thread::park).is_ok() {}
    too_many_tasks(10, &alive).expect("what the first run has left is enough for another one");
}

thread_local! {
    static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

/// Calls into labrt when its thread ends, and says so.
struct AtExit(mpsc::Sender<()>, Arc<Mutex<u32>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        assert!(!labrt::world::is_simulated(), "the world is over");
        *self.1.lock() += 1;
        thread::yield_now();
        let _ = self.0.send(());
    }
}

/// Has the calling thread say when it ends.
fn watch_thread(ended: mpsc::Sender<()>) {
    AT_EXIT.set(Some(AtExit(ended, Arc::new(Mutex::new(0)))));
}

#[test]
fn a_thread_may_call_when_its_world_is_over() {
    struct Forever;
    impl Drop for Forever {
        fn drop(&mut self) {
            let (_sender, receiver) = channel::unbounded::<()>();
            let _ = receiver.recv();
        }
    }
    for abandoned in [false, true] {
        let (sender, ended) = mpsc::channel();
        let outcome = simulate(1, move || {
            watch_thread(sender);
            thread::spawn(move || {
                let _forever = abandoned.then_some(Forever);
                thread::sleep(NEVER);
            });
            thread::sleep(millis(1));
        });
        assert_eq!(outcome.err().map(|e| e.kind), abandoned.then_some(FailureKind::Teardown));
        ended.recv_timeout(NEVER).expect("the world's thread ends");
    }
}

#[test]
fn a_stuck_world_goes_no_further_than_to_its_next_step() {
    let (release, blocked) = mpsc::channel::<()>();
    let (sender, ended) = mpsc::channel();
    let (went_on, flag) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (after, second) = (went_on.clone(), flag.clone());
    let builder = Builder::simulated(1).stuck_after(millis(100));
    let failure = builder
        .run(move || {
            watch_thread(sender);
            thread::spawn(move || {
                thread::sleep(millis(1));
                second.store(true, Ordering::SeqCst);
            });
            let _ = blocked.recv();
            thread::sleep(millis(2));
            after.store(true, Ordering::SeqCst);
        })
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Stuck);
    drop(release);
    ended.recv_timeout(NEVER).expect("the world's thread ends");
    assert!(!went_on.load(Ordering::SeqCst) && !flag.load(Ordering::SeqCst));
}

#[test]
fn a_sleep_on_the_wrong_clock_is_reported() {
    for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
        let builder = Builder::simulated(1).switch_by(by).stuck_after(millis(300));
        let failure = builder
            .run(|| {
                let lock = Mutex::new(0);
                loop {
                    std::thread::sleep(millis(10));
                    *lock.lock() += 1;
                }
            })
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stuck);
        assert!(failure.message.contains("a clock that is not labrt's"), "{failure}");
        assert!(failure.message.contains("`cargo clippy` names the lines"), "{failure}");
        assert!(failure.location.unwrap().contains("endings.rs"));
    }
}

#[cfg(unix)]
#[test]
fn a_stack_overflow_names_the_task() {
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        if frame[0] == u64::MAX { 0 } else { frame[1] + deeper(depth + 1) }
    }
    if is_child() {
        let _ = Builder::simulated(77).stack_size(1 << 17).run(|| {
            let node = Node::new("server 2");
            let task = thread::Builder::new().name("recursive").node(node);
            let _ = task.spawn(|| deeper(0)).join();
        });
        return;
    }
    let output = run_child("a_stack_overflow_names_the_task");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("stack overflow in a simulated run of seed 77"), "{text}");
    assert!(text.contains("task `recursive` of server 2, started at labrt/tests/end"), "{text}");
    assert!(text.contains("has 131072 bytes"), "{text}");
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

#[test]
fn a_panic_in_a_destructor_does_not_swallow_the_first() {
    if is_child() {
        let _ = simulate(77, || {
            thread::sleep(millis(1500));
            let ticker = thread::Builder::new().name("ticker").spawn(|| {
                let _bomb = PanicsWhenDropped;
                panic!("the first panic");
            });
            let _ = ticker.join();
        });
        return;
    }
    let output = run_child("a_panic_in_a_destructor_does_not_swallow_the_first");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("panic at 1.500 s in task `ticker`, labrt/tests/endings.rs:"), "{text}");
    assert!(text.contains("the first panic"), "{text}");
    assert!(text.contains("then a destructor of task `ticker` panicked at labrt/te"), "{text}");
    assert!(text.contains("the second panic"), "{text}");
    assert!(text.contains("seed 77"), "{text}");
}

#[test]
fn a_panic_in_a_killed_tasks_destructor_says_that_it_was_killed() {
    if is_child() {
        let builder = Builder::simulated(77).last_words(|failure| {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "last words: {failure}");
        });
        let _ = builder.run(|| {
            let node = Node::new("server 2");
            thread::Builder::new().name("ticker").node(node.clone()).spawn(|| {
                let _bomb = PanicsWhenDropped;
                thread::sleep(NEVER);
            });
            thread::sleep(millis(1));
            node.kill();
            thread::sleep(millis(1));
        });
        return;
    }
    let output = run_child("a_panic_in_a_killed_tasks_destructor_says_that_it_was_killed");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("last words: panic at 0.001 s in task `ticker` of server 2"), "{text}");
    assert!(text.contains("it was being ended"), "{text}");
    assert!(text.contains("the second panic"), "{text}");
}

#[test]
fn a_panic_in_a_destructor_speaks_on_the_real_clock_too() {
    if is_child() {
        let _ = Builder::real().run(|| {
            let ticker = thread::Builder::new().name("ticker").spawn(|| {
                let _bomb = PanicsWhenDropped;
                panic!("the first panic");
            });
            let _ = ticker.join();
        });
        return;
    }
    let output = run_child("a_panic_in_a_destructor_speaks_on_the_real_clock_too");
    let text = stderr(&output);
    assert!(!output.status.success());
    assert!(text.contains("in task `ticker`, labrt/tests/endings.rs:"), "{text}");
    assert!(text.contains("the first panic"), "{text}");
    assert!(text.contains("the second panic"), "{text}");
}

/// Takes its time to be unwound.
struct Slow(Duration);

impl Drop for Slow {
    fn drop(&mut self) {
        thread::sleep(self.0);
    }
}

#[test]
fn a_killed_task_that_has_caught_a_panic_ends_while_another_one_unwinds() {
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let (slow, other) = (Node::new("slow"), Node::new("other"));
            slow.spawn(|| {
                let _slow = Slow(Duration::from_secs(10));
                thread::sleep(NEVER);
            });
            let steps = Arc::new(AtomicUsize::new(0));
            let count = steps.clone();
            other.spawn(move || {
                thread::sleep(millis(5));
                assert!(catch_unwind(|| panic!("caught")).is_err());
                loop {
                    thread::yield_now();
                    thread::sleep(Duration::from_micros(1));
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            thread::sleep(millis(1));
            slow.kill();
            thread::sleep(millis(5));
            other.kill();
            let before = steps.load(Ordering::SeqCst);
            thread::sleep(Duration::from_secs(1));
            steps.load(Ordering::SeqCst) - before
        });
        // It cannot be told at once whether it still unwinds; it gets on slowly until then.
        assert!(outcome.unwrap().value <= 1000, "seed {seed}");
    }
}

#[test]
fn a_task_that_catches_its_own_end_is_ended_again() {
    for seed in 0..50 {
        let outcome = simulate(seed, || {
            let (slow, other) = (Node::new("slow"), Node::new("other"));
            slow.spawn(|| {
                let _slow = Slow(Duration::from_secs(10));
                thread::sleep(NEVER);
            });
            let lives = Arc::new(AtomicUsize::new(0));
            let count = lives.clone();
            let task = other.spawn(move || {
                let sleep = || thread::sleep(NEVER);
                let _ = catch_unwind(AssertUnwindSafe(sleep));
                count.fetch_add(1, Ordering::SeqCst);
                let _ = catch_unwind(AssertUnwindSafe(sleep));
                count.fetch_add(1, Ordering::SeqCst);
                thread::sleep(NEVER);
            });
            thread::sleep(millis(1));
            slow.kill();
            other.kill();
            thread::sleep(Duration::from_secs(1));
            (task.is_finished(), lives.load(Ordering::SeqCst))
        });
        assert_eq!(outcome.unwrap().value, (true, 2), "seed {seed}");
    }
}

#[test]
fn a_guest_panics_under_its_own_name() {
    let failure = simulate(1, || {
        let guest = || {
            thread::yield_now();
            panic!("a handler's mistake");
        };
        let node = Node::new("server 1");
        let result: thread::Result<()> =
            thread::Builder::new().name("Raft.RequestVote").node(node).run_here(guest);
        assert!(result.is_err());
        thread::sleep(millis(1));
        unreachable!("the run has failed");
    })
    .unwrap_err();
    assert_eq!(failure.message, "a handler's mistake");
    assert_eq!(failure.task.as_deref(), Some("task `Raft.RequestVote` of server 1"));
    assert!(failure.location.unwrap().contains("endings.rs"));
}

#[test]
fn a_guest_may_panic_in_a_destructor_of_its_host() {
    struct Host(Arc<Mutex<bool>>);
    impl Drop for Host {
        fn drop(&mut self) {
            let guest: fn() = || panic!("the guest's panic");
            assert!(thread::Builder::new().name("guest").run_here(guest).is_err());
            thread::sleep(millis(1));
            *self.0.lock() = true;
        }
    }
    let reached = Arc::new(Mutex::new(false));
    let flag = reached.clone();
    let failure = simulate(1, move || {
        let node = Node::new("n");
        node.spawn(|| {
            let _host = Host(flag);
            thread::sleep(NEVER);
        });
        thread::sleep(millis(1));
        node.kill();
        thread::sleep(NEVER);
    })
    .unwrap_err();
    assert_eq!(failure.message, "the guest's panic");
    assert!(*reached.lock(), "the host's destructor has run to its end");
}

#[test]
fn a_guest_dies_with_its_node_and_its_host_goes_on() {
    for builder in [Builder::simulated(1), Builder::real()] {
        let outcome = builder.run(|| {
            let node = Node::new("n");
            let inside = node.clone();
            let guest = || {
                assert_eq!(Node::current().unwrap().name(), "n");
                inside.kill();
                thread::sleep(NEVER);
            };
            let result = thread::Builder::new().name("guest").node(node.clone()).run_here(guest);
            assert!(result.unwrap_err().is::<labrt::Killed>());
            assert!(Node::current().is_none());
            assert_eq!(thread::name().as_deref(), Some("main"));
            thread::sleep(millis(1));
            let seven = thread::Builder::new().name("another").run_here(|| 7);
            seven.unwrap()
        });
        assert_eq!(outcome.unwrap().value, 7);
    }
}

#[test]
fn a_guests_panic_fails_a_run_on_the_real_clock() {
    let failure = Builder::real()
        .run(|| {
            let guest: fn() = || panic!("a handler's mistake");
            let _ = thread::Builder::new().name("Echo.Shout").run_here(guest);
            thread::sleep(NEVER);
        })
        .unwrap_err();
    assert_eq!(failure.message, "a handler's mistake");
    assert_eq!(failure.task.as_deref(), Some("task `Echo.Shout`"));
}

#[test]
fn a_spin_wait_for_another_task_ends_without_forced_switches() {
    for builder in [Builder::simulated(1).forced_switches(0), Builder::simulated(1).switch_every(0)]
    {
        let outcome = builder.run(|| {
            let flag = Arc::new(labrt::sync::atomic::AtomicBool::new(false));
            let setter = flag.clone();
            thread::spawn(move || setter.store(true, Ordering::SeqCst));
            while !flag.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        });
        assert_eq!(outcome.expect("the flag is set in the end").elapsed, Duration::ZERO);
    }
}
