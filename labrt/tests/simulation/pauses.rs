//! Nodes that are paused: nothing of them runs, and nothing that is theirs is lost.

use labrt::sync::atomic::{AtomicU32, Ordering};
use labrt::sync::{Arc, Mutex, RwLock};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, Node, Schedule, SwitchBy, channel, simulate, thread};

use crate::millis;

/// A task of the node that counts up every 10 ms.
fn ticking(node: &Node) -> Arc<AtomicU32> {
    let ticks = Arc::new(AtomicU32::new(0));
    let counted = ticks.clone();
    node.spawn(move || {
        loop {
            counted.fetch_add(1, Ordering::SeqCst);
            thread::sleep(millis(10));
        }
    });
    ticks
}

fn all_schedules() -> [Schedule; 4] {
    [Schedule::Walk, Schedule::Pct { depth: 3 }, Schedule::Pos, Schedule::Surw]
}

#[test]
fn nothing_of_a_paused_node_runs_and_others_go_on() {
    for (seed, schedule) in (0..60).zip(all_schedules().into_iter().cycle()) {
        let run = Builder::simulated(seed).schedule(schedule).run(|| {
            let (node, other) = (Node::new("paused"), Node::new("other"));
            let (ticks, others) = (ticking(&node), ticking(&other));
            thread::sleep(millis(100));
            node.pause();
            assert!(node.is_paused());
            let frozen = ticks.load(Ordering::SeqCst);
            thread::sleep(millis(100));
            assert_eq!(ticks.load(Ordering::SeqCst), frozen);
            assert!(others.load(Ordering::SeqCst) >= 19);
            node.resume();
            assert!(!node.is_paused());
            thread::sleep(millis(100));
            assert!(ticks.load(Ordering::SeqCst) >= frozen + 9);
        });
        run.unwrap();
    }
}

#[test]
fn what_is_started_in_a_paused_node_begins_when_it_goes_on() {
    for seed in 0..30 {
        let run = simulate(seed, || {
            let node = Node::new("n");
            node.pause();
            let began = Instant::now();
            let started = node.spawn(Instant::now);
            thread::sleep(millis(50));
            node.resume();
            assert!(started.join().unwrap() - began >= millis(50));
        });
        run.unwrap();
    }
}

#[test]
fn what_is_sent_to_a_paused_node_waits_for_it_and_what_was_due_is_due_at_once() {
    for seed in 0..30 {
        let run = simulate(seed, || {
            let (sender, receiver) = channel::unbounded();
            let node = Node::new("n");
            let reader = node.spawn(move || (receiver.recv(), receiver.recv(), Instant::now()));
            let sleeper = node.spawn(|| {
                thread::sleep(millis(20));
                Instant::now()
            });
            thread::sleep(millis(10));
            node.pause();
            sender.send(1).unwrap();
            sender.send(2).unwrap();
            thread::sleep(millis(100));
            let resumed = Instant::now();
            node.resume();
            let (first, second, at) = reader.join().unwrap();
            assert_eq!((first, second), (Ok(1), Ok(2)));
            let woken = sleeper.join().unwrap();
            for at in [at, woken] {
                assert!(at >= resumed && at - resumed < millis(10), "{:?}", at - resumed);
            }
        });
        run.unwrap();
    }
}

#[test]
fn a_task_with_a_lock_of_somebody_elses_goes_on_until_it_has_released_it() {
    for seed in 0..100 {
        let run = simulate(seed, || {
            let shared = Arc::new(Mutex::new(0));
            let node = Node::new("n");
            let inside = shared.clone();
            node.spawn(move || {
                loop {
                    let mut guard = inside.lock();
                    thread::sleep(millis(7));
                    *guard += 1;
                    drop(guard);
                    thread::sleep(millis(3));
                }
            });
            thread::sleep(millis(55));
            node.pause();
            // Were it held back with the lock, nobody could ever resume it.
            let frozen = *shared.lock();
            thread::sleep(millis(50));
            assert_eq!(*shared.lock(), frozen, "it does not take the lock once more");
            node.resume();
            thread::sleep(millis(50));
            assert!(*shared.lock() > frozen);
        });
        run.unwrap();
    }
}

#[test]
fn code_that_is_not_to_be_held_up_goes_on_in_a_paused_node() {
    for seed in 0..30 {
        let run = simulate(seed, || {
            let node = Node::new("n");
            node.pause();
            let guest = node.clone();
            let short = thread::spawn(move || {
                labrt::node::unpaused(|| guest.enter(|| thread::sleep(millis(10))))
            });
            assert!(short.join().unwrap().is_ok(), "it ends though nobody resumes the node");
        });
        run.unwrap();
    }
}

#[test]
fn a_kill_ends_a_pause_and_the_tasks() {
    for seed in 0..30 {
        let run = simulate(seed, || {
            struct Ends(channel::Sender<()>);
            impl Drop for Ends {
                fn drop(&mut self) {
                    thread::sleep(millis(1));
                    let _ = self.0.send(());
                }
            }
            let (sender, ended) = channel::unbounded();
            let node = Node::new("n");
            let task = node.spawn(move || {
                let _ends = Ends(sender);
                thread::sleep(millis(1_000));
            });
            thread::sleep(millis(10));
            node.pause();
            node.kill();
            assert!(!node.is_paused());
            assert_eq!(ended.recv_timeout(millis(100)), Ok(()), "its destructors run");
            assert!(task.join().is_err());
            node.pause();
            assert!(!node.is_paused(), "what is dead does not pause");
        });
        run.unwrap();
    }
}

#[test]
fn a_world_ends_with_paused_nodes_in_it() {
    for seed in 0..30 {
        let run = simulate(seed, || {
            let node = Node::new("n");
            let ticks = ticking(&node);
            thread::sleep(millis(30));
            node.pause();
            ticks.load(Ordering::SeqCst)
        });
        assert!(run.unwrap().value > 0);
    }
}

#[test]
fn who_waits_for_a_paused_node_that_nobody_resumes_is_in_a_deadlock() {
    let run = simulate(0, || {
        let node = Node::new("n");
        node.pause();
        let _ = node.spawn(|| ()).join();
    });
    let failure = run.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Deadlock);
    for words in ["every task waits or is of a paused node", "is held up, since its node is paused"]
    {
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

/// What a task touched last may be gone while it is held up, and something else may lie there.
#[test]
fn what_was_gone_during_a_pause_decides_nothing() {
    fn touch(node: &Node) {
        let counted = |times: u32| {
            let counter = Arc::new((Mutex::new(()), AtomicU32::new(0)));
            let guard = counter.0.lock();
            (0..times).for_each(|_| _ = counter.1.fetch_add(1, Ordering::SeqCst));
            drop(guard);
        };
        let inside = move || {
            for _ in 0..60 {
                counted(3);
                Instant::now();
            }
        };
        let inside: Vec<_> = (0..3).map(|_| node.spawn(inside)).collect();
        let outside = move || (0..150).for_each(|_| counted(4));
        let outside: Vec<_> = (0..3).map(|_| thread::spawn(outside)).collect();
        for _ in 0..100 {
            node.pause();
            thread::yield_now();
            thread::sleep(std::time::Duration::from_nanos(1));
            node.resume();
            thread::yield_now();
        }
        inside.into_iter().chain(outside).for_each(|task| task.join().expect("it ends"));
    }
    let hash = |seed, by| {
        let world = Builder::simulated(seed).schedule(Schedule::Pos).switch_by(by);
        let outcome = world.run(|| touch(&Node::new("n"))).unwrap();
        outcome.trace.expect("it is simulated").hash
    };
    for seed in 0..30 {
        // Their stacks lie elsewhere, and so does what is allocated.
        assert_eq!(hash(seed, SwitchBy::Coroutines), hash(seed, SwitchBy::Threads), "{seed}");
    }
}

#[test]
fn pauses_are_the_same_for_the_same_seed() {
    let run = |seed| {
        let run = simulate(seed, || {
            let nodes = [Node::new("a"), Node::new("b")];
            let ticks = nodes.each_ref().map(ticking);
            for round in 0..10 {
                nodes[round % 2].pause();
                thread::sleep(millis(13));
                nodes[round % 2].resume();
            }
            ticks.map(|ticks| ticks.load(Ordering::SeqCst))
        });
        let outcome = run.unwrap();
        (outcome.value, outcome.trace.unwrap().hash)
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}

#[test]
fn what_a_paused_task_does_not_take_another_one_gets() {
    for (seed, schedule) in (0..100).zip(all_schedules().into_iter().cycle()) {
        let lock = Builder::simulated(seed).schedule(schedule).run(|| {
            let (lock, node) = (Arc::new(Mutex::new(())), Node::new("n"));
            let (paused, other, guard) = (lock.clone(), lock.clone(), lock.lock());
            node.spawn(move || drop(paused.lock()));
            let other = thread::spawn(move || drop(other.lock()));
            thread::sleep(millis(10));
            node.pause();
            drop(guard);
            other.join().expect("it gets the lock");
            node.resume();
        });
        lock.unwrap_or_else(|failure| panic!("{failure}"));
        let message = Builder::simulated(seed).schedule(schedule).run(|| {
            let (sender, receiver) = channel::unbounded();
            let (paused, node) = (receiver.clone(), Node::new("n"));
            node.spawn(move || _ = paused.recv());
            let other = thread::spawn(move || receiver.recv());
            thread::sleep(millis(10));
            node.pause();
            sender.send(7).expect("somebody receives");
            other.join().expect("it ends")
        });
        let message = message.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(message.value, Ok(7));
    }
}

#[test]
fn a_writer_of_a_paused_node_does_not_bar_readers() {
    for (seed, schedule) in (0..100).zip(all_schedules().into_iter().cycle()) {
        let run = Builder::simulated(seed).schedule(schedule).run(|| {
            let (lock, node) = (Arc::new(RwLock::new(())), Node::new("n"));
            let (wanted, share) = (lock.clone(), lock.read());
            let writer = node.spawn(move || drop(wanted.write()));
            thread::sleep(millis(1));
            node.pause();
            drop(share);
            drop(lock.read());
            node.resume();
            writer.join().expect("it gets the lock");
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
