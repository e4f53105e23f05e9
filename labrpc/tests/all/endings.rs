//! How callers hear of the end of a call: always, within the time the facts give, and on a task where
//! they can do what they like.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::common::{JunkClient, Setup, millis, on_both, on_simulated};
use labrpc::{CallEvent, CallStep, Faults, Network, NoReply, Observer, Reply, Server, Service};
use labrt::observe::Cause;
use labrt::sync::{Condvar, Leaf, Mutex};
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{FailureKind, Node, channel, simulate, thread};

type Cut = fn(&Network);

/// Ways to cut a call off.
const CUTS: [(&str, Cut); 3] = [
    ("disabled", |network| network.enable(1, false)),
    ("deleted", |network| network.delete_server(0)),
    ("replaced", |network| network.add_server(0, Server::new())),
];

#[test]
fn a_call_that_is_cut_off_while_its_request_is_delayed_fails_in_time() {
    for (cut_name, cut) in CUTS {
        for blocks_for_ever in [false, true] {
            let what = format!("{cut_name}, blocks for ever: {blocks_for_ever}");
            let limit = Duration::from_secs(30);
            let outcome = Builder::simulated(1).time_limit(limit).run(move || {
                let network = Network::new();
                let (keep, held) = channel::unbounded();
                let slow = Service::new("Slow").method_later("Work", move |x: u64, reply| {
                    if blocks_for_ever {
                        keep.send(reply).unwrap();
                    } else {
                        thread::sleep(Duration::from_secs(20));
                        Reply::send(reply, x);
                    }
                });
                network.add_server(0, Server::new().service(slow));
                let end = network.make_end(1);
                network.connect(1, 0);
                network.enable(1, true);
                network.set_reliable(false);
                let mut faults = Faults::default();
                (faults.request_delay, faults.request_loss) = ((20, 20), 0.0);
                network.set_faults(faults);
                let start = Instant::now();
                let caller = thread::spawn(move || end.call::<u64, u64>("Slow.Work", &1));
                thread::sleep(millis(10));
                cut(&network);
                assert_eq!(caller.join().unwrap(), Err(NoReply));
                drop(held);
                start.elapsed()
            });
            match outcome {
                Ok(outcome) => assert_eq!(outcome.value, millis(120), "{what}"),
                Err(failure) => panic!("{what}: {failure}"),
            }
        }
    }
}

/// A lock that a caller holds while it makes a call, and that the function it gave takes.
fn call_with_a_lock(call: impl Fn(Box<dyn FnOnce() + Send>)) {
    let lock = Arc::new(Mutex::new(0));
    let (done, called) = channel::unbounded();
    let held = lock.lock();
    let inner = lock.clone();
    call(Box::new(move || {
        *inner.lock() += 1;
        let _ = done.send(());
    }));
    thread::sleep(millis(1));
    drop(held);
    called.recv().unwrap();
    assert_eq!(*lock.lock(), 1);
}

#[test]
fn a_lock_may_be_held_while_a_call_is_made() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let inline = client.clone();
        call_with_a_lock(move |then| inline.inline_then(&1, |_| then()));
        setup.network.cleanup();
        call_with_a_lock(move |then| client.inline_then(&1, |_| then()));
    });
}

fn retry(client: JunkClient, left: u32, done: channel::Sender<()>) {
    let again = client.clone();
    client.inline_then(&1, move |_| match left {
        0 => done.send(()).unwrap(),
        _ => retry(again, left - 1, done),
    });
}

#[test]
fn a_call_may_be_made_again_from_the_function_that_hears_of_its_end() {
    on_simulated(1, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let (done, called) = channel::unbounded();
        retry(client.clone(), 20_000, done.clone());
        called.recv().unwrap();
        setup.network.cleanup();
        retry(client, 20_000, done);
        called.recv().unwrap();
    });
}

/// The two parties of a deadlock that cannot be in Go: B answers from an event loop, and the function
/// with which A hears of it takes a lock that A holds in a blocking call to B.
#[test]
fn an_event_loop_that_answers_runs_no_code_of_the_callers() {
    for seed in 0..200 {
        let outcome = simulate(seed, || {
            let network = Network::new();
            let (inbox, requests) = channel::unbounded::<Reply<u64>>();
            let echo = Service::new("B")
                .method_inline("Ask", move |_: u64, reply| inbox.send(reply).unwrap());
            network.add_server(0, Server::new().service(echo));
            thread::spawn(move || {
                for reply in requests {
                    thread::sleep(millis(1));
                    reply.send(1);
                }
            });
            let end = network.make_end(1);
            network.connect(1, 0);
            network.enable(1, true);
            let sum = Arc::new(Mutex::new(0));
            let total = sum.clone();
            end.call_then::<u64, u64>("B.Ask", &1, move |reply| *total.lock() += reply.unwrap());
            {
                let mut sum = sum.lock();
                *sum += end.call::<u64, u64>("B.Ask", &2).unwrap();
            }
            thread::sleep(millis(100));
            let value = *sum.lock();
            network.cleanup();
            value
        });
        match outcome {
            Ok(outcome) => assert_eq!(outcome.value, 2, "seed {seed}"),
            Err(failure) => panic!("{failure}"),
        }
    }
}

#[test]
fn a_function_that_panics_fails_the_run_though_its_server_was_killed() {
    for seed in 0..50 {
        let failure = simulate(seed, || {
            let network = Network::new();
            let node = Node::new("server");
            let sleepy = Service::new("S").method_later("M", |(): (), _reply: Reply<u8>| {
                thread::sleep(Duration::from_secs(60));
            });
            network.add_server(0, Server::new().service(sleepy).node(node.clone()));
            let end = network.make_end(1);
            network.connect(1, 0);
            network.enable(1, true);
            end.call_then::<(), u8>("S.M", &(), |reply| panic!("no reply: {}", reply.is_err()));
            thread::sleep(millis(1));
            node.kill();
            thread::sleep(millis(1));
            unreachable!("the run has failed");
        })
        .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Panic);
        assert_eq!(failure.message, "no reply: true", "{failure}");
    }
}

#[test]
fn later_calls_end_though_a_function_has_panicked() {
    // Not in a world: nothing ends the network's tasks.
    let network = Network::new();
    let end = network.make_end(1);
    end.call_then::<(), u8>("S.M", &(), |_| panic!("on purpose"));
    let (sender, results) = channel::unbounded();
    for _ in 0..3 {
        thread::sleep(millis(120));
        let sender = sender.clone();
        end.call_then::<(), u8>("S.M", &(), move |result| sender.send(result).unwrap());
        assert_eq!(results.recv_timeout(Duration::from_secs(20)), Ok(Err(NoReply)));
    }
    network.cleanup();
}

#[test]
fn an_inline_handlers_panic_is_its_own_and_ends_its_call_only() {
    for builder in [Builder::simulated(1), Builder::real()] {
        let failure = builder
            .run(|| {
                let network = Network::new();
                let bad = Service::new("Bad").method_inline("M", |(): (), _reply: Reply<u8>| {
                    panic!("a mistake of the server's")
                });
                network.add_server(0, Server::new().service(bad).node(Node::new("server 0")));
                let end = network.make_end(1);
                network.connect(1, 0);
                network.enable(1, true);
                let node = Node::new("server 1");
                let caller = thread::Builder::new().name("caller").node(node);
                let _ = caller.spawn(move || end.call::<(), u8>("Bad.M", &())).join();
                thread::sleep(Duration::from_secs(60));
            })
            .unwrap_err();
        assert_eq!(failure.message, "a mistake of the server's");
        let task = failure.task.unwrap();
        assert!(task.starts_with("task `Bad.M`"), "{task}");
        assert!(failure.seed.is_none() || task.ends_with("of server 0"), "{task}");
    }
}

#[test]
fn a_handlers_panic_outside_a_world_ends_its_call_only() {
    let network = Network::new();
    let bad = Service::new("Bad")
        .method_inline("Inline", |fails: bool, reply| {
            assert!(!fails, "on purpose");
            Reply::send(reply, 1u8);
        })
        .method("Task", |fails: bool| {
            assert!(!fails, "on purpose");
            1u8
        });
    network.add_server(0, Server::new().service(bad));
    let end = network.make_end(1);
    network.connect(1, 0);
    network.enable(1, true);
    for method in ["Bad.Inline", "Bad.Task"] {
        assert_eq!(end.call::<bool, u8>(method, &true), Err(NoReply));
        assert_eq!(end.call::<bool, u8>(method, &false), Ok(1));
    }
    // Requests that are late come to a handler on the network's own task.
    network.set_reliable(false);
    let mut faults = Faults::default();
    (faults.request_delay, faults.request_loss, faults.reply_loss) = ((1, 1), 0.0, 0.0);
    network.set_faults(faults);
    assert_eq!(end.call::<bool, u8>("Bad.Inline", &true), Err(NoReply));
    assert_eq!(end.call::<bool, u8>("Bad.Inline", &false), Ok(1));
    network.cleanup();
}

/// The calls that were made and have not come to their end.
#[derive(Clone, Default)]
struct Open(Arc<Leaf<BTreeSet<u64>>>);

impl Observer for Open {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        self.0.with(|open| match event.step {
            CallStep::Sent { .. } => _ = open.insert(event.call),
            CallStep::Returned | CallStep::Failed => _ = open.remove(&event.call),
            _ => {}
        });
        None
    }
}

#[test]
fn a_call_comes_to_its_end_though_its_caller_is_killed() {
    let networks = [(true, 0.0), (true, 1.0), (false, 0.0)];
    for (seed, (reliable, duplication)) in (0..1500).zip(networks.into_iter().cycle()) {
        let open = Open::default();
        let told = open.clone();
        let run = simulate(seed, move || {
            let network = Network::new();
            network.watch(told);
            let echo = Service::new("Echo").method("Back", |x: u64| x);
            network.add_server(0, Server::new().service(echo));
            let end = network.make_end(1);
            network.connect(1, 0);
            network.enable(1, true);
            network.set_reliable(reliable);
            let mut faults = Faults::default();
            faults.duplication = duplication;
            network.set_faults(faults);
            let node = Node::new("caller");
            node.spawn(move || while end.call::<u64, u64>("Echo.Back", &1).is_ok() {});
            (0..seed % 20).for_each(|_| thread::yield_now());
            node.kill();
            thread::sleep(Duration::from_secs(10));
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
        let open = open.0.with(|open| open.clone());
        assert!(open.is_empty(), "seed {seed}: calls {open:?} of a world that is over");
    }
}

#[test]
fn a_call_that_is_cut_off_by_who_is_killed_fails_in_time() {
    let cuts: [Cut; 3] = [CUTS[0].1, CUTS[1].1, Network::cleanup];
    for (seed, cut) in (0..600).zip(cuts.into_iter().cycle()) {
        let run = simulate(seed, move || {
            let network = Network::new();
            let service = Service::new("S").method("Echo", |x: u64| x);
            let service = service.method("Never", |(): ()| thread::sleep(Duration::from_secs(60)));
            network.add_server(0, Server::new().service(service));
            let end = network.make_end(1);
            network.connect(1, 0);
            network.enable(1, true);
            let caller = end.clone();
            let open = thread::spawn(move || caller.call::<(), ()>("S.Never", &()));
            thread::sleep(millis(1));
            let (node, theirs) = (Node::new("cuts it off"), network.clone());
            node.spawn(move || cut(&theirs));
            (0..seed % 10).for_each(|_| thread::yield_now());
            node.kill();
            let is_cut_off = end.call::<u64, u64>("S.Echo", &1).is_err();
            thread::sleep(millis(200));
            assert!(!is_cut_off || open.is_finished(), "the call is still open");
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

/// In each world a node makes calls, and something is done to it at some moment; then somebody else calls.
fn others_are_answered_after(what: fn(&Node)) {
    for seed in 0..1000 {
        let outcome = Builder::simulated(seed).time_limit(Duration::from_secs(30)).run(move || {
            let network = Network::new();
            let echo = Service::new("Echo").method("Back", |x: u64| x);
            network.add_server(0, Server::new().service(echo));
            let [end, own] = [1, 2].map(|name| {
                let end = network.make_end(name);
                network.connect(name, 0);
                network.enable(name, true);
                end
            });
            network.set_reliable(false);
            let mut faults = Faults::default();
            (faults.request_loss, faults.reply_loss) = (0.0, 0.0);
            network.set_faults(faults);
            let node = Node::new("caller");
            node.spawn(move || while end.call::<u64, u64>("Echo.Back", &1).is_ok() {});
            thread::yield_now();
            what(&node);
            let answer = own.call::<u64, u64>("Echo.Back", &2);
            network.cleanup();
            answer
        });
        match outcome {
            Ok(outcome) => assert_eq!(outcome.value, Ok(2), "seed {seed}"),
            Err(failure) => panic!("seed {seed}: {failure}"),
        }
    }
}

#[test]
fn who_is_killed_in_a_call_leaves_the_network_to_others() {
    others_are_answered_after(Node::kill);
}

#[test]
fn who_is_paused_in_a_call_leaves_the_network_to_others() {
    others_are_answered_after(Node::pause);
}

#[test]
fn a_network_that_nobody_has_any_more_leaves_no_task_behind() {
    let failure = simulate(1, || {
        let network = Network::new();
        let end = network.make_end(1);
        // Nobody is there, so the call fails after a while, and the network needs its clockwork.
        assert_eq!(end.call::<(), u8>("S.M", &()), Err(NoReply));
        drop((network, end));
        thread::sleep(millis(1));
        let (_keep, never) = channel::unbounded::<()>();
        let _ = never.recv();
    })
    .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Deadlock);
    assert!(!failure.to_string().contains("task `labrpc`"), "{failure}");
}

#[test]
fn a_function_belongs_to_the_callers_node() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let log = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (dead, alive) = (Node::new("dead"), Node::new("alive"));
        let call = |node: &Node| {
            let (client, log) = (client.clone(), log.clone());
            let task = node.spawn(move || {
                client.later_then(&4, move |_| {
                    log.0.lock().push(Node::current().unwrap().name().to_string());
                    log.1.notify_all();
                });
            });
            task.join().unwrap();
        };
        call(&dead);
        dead.kill();
        call(&alive);
        let mut names = log.0.lock();
        while names.is_empty() {
            log.1.wait(&mut names);
        }
        assert_eq!(*names, ["alive"]);
    });
}
