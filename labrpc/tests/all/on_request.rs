//! Faults that are there on request only.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{Faults, NoReply, Server};
use labrt::time::Instant;
use labrt::{Node, channel, thread};

use crate::common::{JunkServer, JunkService, Setup, millis, on_both, on_simulated};

fn all_twice() -> Faults {
    let mut faults = Faults::default();
    faults.duplication = 1.0;
    faults.duplication_spread = 50;
    faults
}

#[test]
fn a_duplicated_request_is_handled_twice_and_answered_once() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.set_faults(all_twice());
        let replies: Vec<_> = (0..10).map(|n| client.handler2(&n)).collect();
        let expected = |n: i32| Ok(format!("handler2-{n}"));
        assert_eq!(replies, (0..10).map(expected).collect::<Vec<_>>());
        thread::sleep(millis(100));
        let mut handled = setup.junk.log2.lock().clone();
        handled.sort_unstable();
        assert_eq!(handled, (0..20).map(|place| place / 2).collect::<Vec<_>>());
        assert_eq!(setup.network.fault_counts().duplicates, 10);
        assert_eq!(setup.network.total_count(), 10, "a copy is no call");
    });
}

#[test]
fn no_more_requests_come_twice_than_the_limit_says() {
    on_simulated(10, || {
        let setup = Setup::new();
        let client = setup.client(1);
        let mut faults = all_twice();
        faults.most_duplicates = 3;
        setup.network.set_faults(faults);
        (0..10).for_each(|n| _ = client.handler2(&n));
        thread::sleep(millis(100));
        assert_eq!(setup.junk.log2.lock().len(), 13);
    });
}

#[test]
fn a_copy_never_reaches_another_server_of_that_name() {
    on_simulated(30, || {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.set_faults(all_twice());
        assert!(client.handler2(&1).is_ok());
        let second = Arc::<JunkServer>::default();
        setup.network.add_server(99, Server::new().service(JunkService::of(second.clone())));
        thread::sleep(millis(100));
        assert!(second.log2.lock().is_empty());
    });
}

#[test]
fn a_copy_never_reaches_a_server_that_has_left() {
    on_simulated(30, || {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.set_faults(all_twice());
        (0..10).for_each(|n| assert!(client.handler2(&n).is_ok()));
        setup.network.delete_server(99);
        // What has arrived by now is still handled.
        thread::sleep(Duration::from_micros(1));
        let handled = setup.junk.log2.lock().len();
        assert!(handled < 20, "copies are on their way");
        thread::sleep(millis(100));
        assert_eq!(setup.junk.log2.lock().len(), handled);
    });
}

#[test]
fn without_a_way_back_the_handler_runs_and_the_call_fails_late() {
    on_simulated(20, || {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.set_way_back(1, false);
        let began = Instant::now();
        assert_eq!(client.handler2(&1), Err(NoReply));
        assert!(began.elapsed() < millis(100));
        assert_eq!(*setup.junk.log2.lock(), [1], "the request has arrived");
        setup.network.set_long_delays(true);
        let began = Instant::now();
        (0..20).for_each(|n| assert_eq!(client.handler2(&n), Err(NoReply)));
        assert!(began.elapsed() > millis(7_000), "the caller waits as for nobody");
        setup.network.set_way_back(1, true);
        assert!(client.handler2(&2).is_ok());
        let other = setup.client(2);
        setup.network.set_way_back(1, false);
        assert!(other.handler2(&3).is_ok(), "another end has its own way back");
    });
}

#[test]
fn both_messages_of_a_slow_end_take_their_time() {
    on_simulated(20, || {
        let setup = Setup::new();
        let (slow, other) = (setup.client(1), setup.client(2));
        setup.network.set_slowness(1, 40_000, 50_000);
        let began = Instant::now();
        assert!(slow.handler2(&1).is_ok());
        let took = began.elapsed();
        assert!((millis(80)..=millis(110)).contains(&took), "{took:?}");
        let began = Instant::now();
        assert!(other.handler2(&1).is_ok());
        assert!(began.elapsed() < millis(10), "another end is as fast as ever");
        let mut faults = Faults::default();
        (faults.reordering, faults.reordering_spread) = (1.0, 0);
        setup.network.set_faults(faults);
        setup.network.set_long_reordering(true);
        let began = Instant::now();
        assert!(slow.handler2(&1).is_ok());
        let took = began.elapsed();
        assert!((millis(280)..=millis(310)).contains(&took), "a late reply is slow, too: {took:?}");
        setup.network.set_long_reordering(false);
        setup.network.set_slowness(1, 0, 0);
        let began = Instant::now();
        assert!(slow.handler2(&1).is_ok());
        assert!(began.elapsed() < millis(10));
    });
}

#[test]
fn a_paused_server_handles_nothing_and_holds_up_nobody_else() {
    on_simulated(30, || {
        let setup = Setup::new();
        let node = Node::new("paused");
        let junk = Arc::<JunkServer>::default();
        let server = Server::new().service(JunkService::of(junk.clone())).node(node.clone());
        setup.network.add_server("paused", server);
        let end = setup.network.make_end("to it");
        setup.network.connect("to it", "paused");
        setup.network.enable("to it", true);
        node.pause();
        let (sender, replies) = channel::unbounded();
        let inline = sender.clone();
        end.call_then("Junk.Inline", &1_u64, move |reply| {
            let _ = inline.send(reply == Ok(2_u64));
        });
        end.call_then("Junk.Handler2", &1, move |reply| {
            let _ = sender.send(reply == Ok("handler2-1".to_string()));
        });
        let client = setup.client(1);
        assert!(client.handler2(&2).is_ok(), "the network goes on, and the caller");
        thread::sleep(millis(500));
        assert!(junk.log2.lock().is_empty() && replies.is_empty());
        node.resume();
        assert_eq!((replies.recv(), replies.recv()), (Ok(true), Ok(true)));
    });
}
