//! The rules of the network one by one, among them those that other ports got wrong.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{
    Junk, JunkClient, JunkServer, JunkService, Setup, millis, on_both, on_simulated,
};
use labrpc::{Faults, Name, Network, NoReply, Returned, Server, Service};
use labrt::sync::Mutex;
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{Failure, Node, channel, thread};

#[test]
fn a_new_end_is_disabled_and_unconnected() {
    on_both(|| {
        let setup = Setup::new();
        let client = JunkClient::new(setup.network.make_end("new"));
        assert_eq!(client.handler2(&1), Err(NoReply));
        setup.network.enable("new", true);
        assert_eq!(client.handler2(&1), Err(NoReply), "enabled but unconnected");
        setup.network.connect("new", 99);
        assert!(client.handler2(&1).is_ok());
        setup.network.connect("new", "nobody");
        assert_eq!(client.handler2(&1), Err(NoReply), "connected to a server that is not there");
    });
}

#[test]
fn a_replaced_server_is_another_object_under_the_same_name() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, result) = channel::unbounded();
        let caller = client.clone();
        thread::spawn(move || sender.send(caller.handler3(&1)).unwrap());
        thread::sleep(millis(10));
        let second = Arc::<JunkServer>::default();
        setup.network.add_server(99, Server::new().service(JunkService::of(second.clone())));
        assert_eq!(result.recv_timeout(millis(150)), Ok(Err(NoReply)));
        assert!(client.handler2(&5).is_ok());
        assert_eq!(*second.log2.lock(), [5]);
        assert_eq!(setup.network.count(99), 1, "the new server has its own count");
    });
}

#[test]
fn a_removed_end_reaches_nobody_and_its_name_is_free() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, result) = channel::unbounded();
        let caller = client.clone();
        thread::spawn(move || sender.send(caller.handler3(&1)).unwrap());
        thread::sleep(millis(10));
        setup.network.remove_end(1);
        assert_eq!(result.recv_timeout(millis(150)), Ok(Err(NoReply)), "its open call fails");
        let again = setup.client(1);
        assert!(again.handler2(&5).is_ok());
        assert_eq!(client.handler2(&5), Err(NoReply), "the old handle is not the new end");
    });
}

#[test]
fn a_reply_is_lost_if_the_end_was_disabled_meanwhile_though_the_handler_ran() {
    on_simulated(10, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, result) = channel::unbounded();
        // The handler takes 30 ms: less than the first regular look.
        thread::spawn(move || sender.send(client.later(&4)).unwrap());
        thread::sleep(millis(10));
        let start = Instant::now();
        setup.network.enable(1, false);
        assert_eq!(result.recv(), Ok(Err(NoReply)));
        assert_eq!(start.elapsed(), millis(20), "it fails when the handler answers");
    });
}

#[test]
fn an_end_that_is_disabled_for_a_moment_between_two_looks_goes_unnoticed() {
    on_simulated(10, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, result) = channel::unbounded();
        thread::spawn(move || sender.send(client.handler3(&4)).unwrap());
        thread::sleep(millis(110));
        setup.network.enable(1, false);
        thread::sleep(millis(50));
        setup.network.enable(1, true);
        assert_eq!(result.recv(), Ok(Ok(-4)));
    });
}

#[test]
fn a_stuck_call_fails_at_the_next_look_100_ms_apart() {
    on_simulated(10, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let start = Instant::now();
        let (sender, result) = channel::unbounded();
        thread::spawn(move || sender.send(client.handler3(&4)).unwrap());
        thread::sleep(millis(250));
        setup.network.delete_server(99);
        assert_eq!(result.recv(), Ok(Err(NoReply)));
        assert_eq!(start.elapsed(), millis(300));
    });
}

#[test]
fn handlers_hold_up_nobody() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, results) = channel::unbounded();
        for i in 0..50 {
            let (client, sender) = (client.clone(), sender.clone());
            thread::spawn(move || sender.send(client.handler3(&i)));
        }
        thread::sleep(millis(20));
        let start = Instant::now();
        assert!(client.handler2(&1).is_ok());
        assert!(start.elapsed() < millis(500));
        setup.network.delete_server(99);
        for _ in 0..50 {
            assert_eq!(results.recv_timeout(millis(1000)), Ok(Err(NoReply)));
        }
    });
}

#[test]
fn handlers_may_answer_later_or_inline_or_not_at_all() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let start = Instant::now();
        assert_eq!(client.later(&21), Ok(42));
        assert!(start.elapsed() >= millis(30));
        assert_eq!(client.inline(&1), Ok(2));
        assert_eq!(client.refuse(&1), Err(NoReply));
        assert_eq!(setup.network.count(99), 3);
    });
}

#[test]
fn calls_need_not_block() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, results) = channel::unbounded();
        let start = Instant::now();
        for i in 0..100 {
            let sender = sender.clone();
            client.later_then(&i, move |result| sender.send(result.unwrap()).unwrap());
        }
        assert!(start.elapsed() < millis(1000));
        let mut got: Vec<u64> = (0..100).map(|_| results.recv().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, (0..100).map(|i| i * 2).collect::<Vec<_>>());
        setup.network.delete_server(99);
        setup.network.set_long_delays(true);
        let start = Instant::now();
        client.later_then(&1, move |result| sender.send(result.map_or(7, |_| 8)).unwrap());
        assert!(start.elapsed() < millis(1000));
        setup.network.cleanup();
        assert_eq!(results.recv(), Ok(7));
    });
}

#[test]
fn after_cleanup_every_call_fails_at_once() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.set_long_delays(true);
        setup.network.cleanup();
        let start = Instant::now();
        assert_eq!(client.handler2(&1), Err(NoReply));
        assert!(start.elapsed() < millis(100));
    });
}

#[test]
fn a_crashed_node_takes_its_handlers_along() {
    on_both(|| {
        let network = Network::new();
        let node = Node::new("server 0");
        let log = Arc::new(Mutex::new(Vec::new()));
        let inner = log.clone();
        let slow = Service::new("Slow").method("Work", move |x: u64| {
            inner.lock().push("begun");
            thread::sleep(millis(100));
            inner.lock().push("done");
            x
        });
        network.add_server(0, Server::new().service(slow).node(node.clone()));
        let end = network.make_end(1);
        network.connect(1, 0);
        network.enable(1, true);
        let caller = end.clone();
        let call = thread::spawn(move || caller.call::<u64, u64>("Slow.Work", &1));
        thread::sleep(millis(50));
        node.kill();
        assert_eq!(call.join().unwrap(), Err(NoReply));
        thread::sleep(millis(100));
        assert_eq!(*log.lock(), ["begun"]);
        assert_eq!(end.call::<u64, u64>("Slow.Work", &1), Err(NoReply), "it is dead");
        network.cleanup();
    });
}

/// The words with which a run of `misuse` fails, on either clock.
fn words_of(misuse: fn()) -> Vec<String> {
    let runs: [Result<(), Box<Failure>>; 2] =
        [Builder::simulated(1).run(misuse).map(|_| ()), Builder::real().run(misuse).map(|_| ())];
    runs.into_iter().map(|run| run.expect_err("it must fail").message).collect()
}

fn assert_words(misuse: fn(), expected: &[&str]) {
    for words in words_of(misuse) {
        for part in expected {
            assert!(words.contains(part), "`{part}` is not in: {words}");
        }
    }
}

#[test]
fn misuse_fails_loudly_with_the_names_that_exist() {
    fn call<A: labgob::Gob, R: labgob::Gob>(method: &str, args: A) {
        let setup = Setup::new();
        let _ = setup.end(1).call::<A, R>(method, &args);
    }
    assert_words(
        || call::<i32, String>("Raft.Vote", 1),
        &["no service `Raft`", "`Raft.Vote`", "has `Junk`"],
    );
    assert_words(
        || call::<i32, String>("Junk.Handler9", 1),
        &["no method `Handler9` in the service `Junk`", "`Handler1`, `Handler2`"],
    );
    assert_words(|| call::<i32, String>("Handler9", 1), &["`Handler9` is not of the form"]);
    assert_words(
        || call::<u64, String>("Junk.Handler2", 1),
        &["`Junk.Handler2` takes `i32`, but the call gives `u64`"],
    );
    assert_words(
        || call::<i32, u8>("Junk.Handler2", 1),
        &["`Junk.Handler2` replies with `alloc::string::String`, but the caller expects `u8`"],
    );
}

#[test]
fn misuse_is_said_of_the_call() {
    let misuse = || {
        let setup = Setup::new();
        let _ = setup.end(1).call::<i32, String>("Junk.Handler9", &1);
    };
    let failure = Builder::simulated(1).run(misuse).expect_err("it must fail");
    assert!(failure.location.as_deref().is_some_and(|at| at.contains("rules.rs")), "{failure}");
    fn client(setup: &Setup) -> JunkClient {
        setup.network.add_server(99, Server::new());
        setup.client(1)
    }
    let place = ["no service `Junk`", "called at labrpc/tests/all/rules.rs:"];
    assert_words(
        || {
            let setup = Setup::new();
            client(&setup).handler2_then(&1, |_| ());
            thread::sleep(Duration::from_secs(60));
        },
        &place,
    );
    assert_words(
        || {
            let setup = Setup::new();
            let (results, _queue) = channel::unbounded::<Returned<(), String>>();
            client(&setup).handler2_to(&1, (), &results);
            thread::sleep(Duration::from_secs(60));
        },
        &place,
    );
}

#[test]
fn misuse_by_a_call_that_does_not_block_fails_the_run_too() {
    assert_words(
        || {
            let setup = Setup::new();
            setup.end(1).call_then::<i32, u8>("Junk.Handler2", &1, |_| ());
            thread::sleep(Duration::from_secs(60));
        },
        &["but the caller expects `u8`"],
    );
}

#[test]
fn names_are_checked() {
    assert_words(
        || {
            let network = Network::new();
            network.make_end("a");
            network.make_end("a");
        },
        &["there is a client end named `a` already"],
    );
    assert_words(|| Network::new().enable("x", true), &["no client end named `x`"]);
    assert_words(
        || {
            Network::new().count("x");
        },
        &["no server named `x`"],
    );
    assert_words(
        || {
            let echo = || Service::new("Echo").method("E", |x: u8| x);
            let _ = Server::new().service(echo()).service(echo());
        },
        &["has a service named `Echo` already"],
    );
    assert_words(
        || drop(Service::new("Echo").method("E.F", |x: u8| x)),
        &["the method `E.F` has a dot in its name"],
    );
    assert_eq!(Name::from(3), Name::from("3"));
}

/// A call's name is split at its last dot, as Go's is.
#[test]
fn a_service_may_have_dots_in_its_name() {
    on_simulated(5, || {
        let network = Network::new();
        let store = Service::new("kv.Store").method("Double", |n: u32| 2 * n);
        network.add_server("s", Server::new().service(store));
        let end = network.make_end("c");
        network.connect("c", "s");
        network.enable("c", true);
        assert_eq!(end.call::<u32, u32>("kv.Store.Double", &4), Ok(8));
    });
    assert_words(
        || {
            let network = Network::new();
            network.add_server("s", Server::new().service(Service::new("kv.Store")));
            let end = network.make_end("c");
            network.connect("c", "s");
            network.enable("c", true);
            let _ = end.call::<u32, u32>("kv.Shop.Double", &4);
        },
        &["there is no service `kv.Shop`"],
    );
}

#[test]
fn messages_may_take_time_on_a_reliable_network() {
    on_simulated(5, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let start = Instant::now();
        client.handler2(&1).unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO, "they take none by default");
        let mut faults = Faults::default();
        faults.travel_us = (500, 600);
        setup.network.set_faults(faults);
        let start = Instant::now();
        client.handler2(&1).unwrap();
        let both_ways = Duration::from_micros(1000)..=Duration::from_micros(1200);
        assert!(both_ways.contains(&start.elapsed()), "{:?}", start.elapsed());
    });
}

#[test]
fn impossible_faults_are_refused() {
    assert_words(
        || {
            let mut faults = Faults::default();
            faults.reply_loss = 1.5;
            Network::new().set_faults(faults);
        },
        &["1.5 is no probability"],
    );
}

#[test]
fn a_service_can_be_used_without_a_network() {
    let server = JunkServer::default();
    assert_eq!(server.handler1("5".into()), 5);
}

/// A service whose destructor uses labrt, as that of a server that ends its own tasks does.
struct Farewell(channel::Sender<&'static str>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.0.send("farewell");
    }
}

#[test]
fn a_server_that_a_call_outlives_is_dropped_outside_of_the_networks_lock() {
    on_both(|| {
        let network = Network::new();
        let (sender, dropped) = channel::unbounded();
        let farewell = Farewell(sender);
        let (answer, late) = channel::unbounded();
        let service = Service::new("S").method_later("M", move |(): (), reply| {
            let _keep = &farewell;
            answer.send(reply).unwrap();
        });
        network.add_server(0, Server::new().service(service));
        let end = network.make_end(0);
        network.connect(0, 0);
        network.enable(0, true);
        for how in ["answered", "dropped"] {
            let (done, result) = channel::bounded(1);
            end.call_then::<(), u8>("S.M", &(), move |r| done.send(r).unwrap());
            let reply: labrpc::Reply<u8> = late.recv().unwrap();
            if how == "dropped" {
                // Now the call has the last reference to the server.
                network.delete_server(0);
                drop(reply);
                assert_eq!(result.recv(), Ok(Err(NoReply)));
            } else {
                reply.send(1);
                assert_eq!(result.recv(), Ok(Ok(1)));
            }
        }
        assert_eq!(dropped.recv(), Ok("farewell"));
        network.cleanup();
    });
}
