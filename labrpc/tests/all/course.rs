//! The tests of the course's package, on both clocks.

use std::time::Duration;

use crate::common::{JunkArgs, JunkReply, Setup, millis, on_both};
use labrpc::NoReply;
use labrt::rng::{self, RngExt};
use labrt::time::Instant;
use labrt::{channel, thread};

#[test]
fn basic_calls_with_two_types() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        assert_eq!(client.handler2(&111), Ok("handler2-111".to_string()));
        assert_eq!(client.handler1(&"9099".to_string()), Ok(9099));
        assert_eq!(*setup.junk.log1.lock(), ["9099"]);
    });
}

#[test]
fn structs_travel() {
    on_both(|| {
        let client = Setup::new().client(1);
        // The network is gone with its setup: nothing answers, and nothing hangs.
        assert_eq!(client.handler4(&JunkArgs { x: 1 }), Err(NoReply));
        let setup = Setup::new();
        let reply = setup.client(1).handler4(&JunkArgs { x: 7 });
        assert_eq!(reply, Ok(JunkReply { x: "pointer 7".into() }));
        assert_eq!(setup.client(2).nothing(&()), Ok(()));
    });
}

#[test]
fn a_disabled_end_gets_no_reply() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.enable(1, false);
        assert_eq!(client.handler2(&111), Err(NoReply));
        assert!(setup.junk.log2.lock().is_empty());
        setup.network.enable(1, true);
        assert_eq!(client.handler1(&"9099".to_string()), Ok(9099));
    });
}

#[test]
fn calls_are_counted() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        for i in 0..17 {
            assert_eq!(client.handler2(&i), Ok(format!("handler2-{i}")));
        }
        assert_eq!(setup.network.count(99), 17);
        assert_eq!(setup.network.total_count(), 17);
    });
}

#[test]
fn bytes_are_counted() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        for _ in 0..17 {
            let args = "x".repeat(128);
            assert_eq!(client.handler6(&args), Ok(128));
        }
        let requests = setup.network.total_bytes();
        assert!((17 * 128..=17 * 160).contains(&requests), "{requests}");
        for n in 90..107 {
            assert_eq!(client.handler7(&n).map(|reply| reply.len() as u64), Ok(n));
        }
        let replies = setup.network.total_bytes() - requests;
        let payload: u64 = (90..107).sum();
        assert!((payload..=payload + 17 * 20).contains(&replies), "{replies}, not {payload}");
    });
}

#[test]
fn many_ends_call_at_once() {
    on_both(|| {
        let setup = Setup::new();
        let (sender, results) = channel::unbounded();
        for end in 0..20 {
            let (client, sender) = (setup.client(end), sender.clone());
            thread::spawn(move || {
                for j in 0..10 {
                    let arg = end as i32 * 100 + j;
                    assert_eq!(client.handler2(&arg), Ok(format!("handler2-{arg}")));
                }
                sender.send(10).unwrap();
            });
        }
        let total: u64 = (0..20).map(|_| results.recv().unwrap()).sum();
        assert_eq!(total, 200);
        assert_eq!(setup.network.count(99), 200);
    });
}

#[test]
fn an_unreliable_network_loses_some_calls() {
    on_both(|| {
        let setup = Setup::new();
        setup.network.set_reliable(false);
        let (sender, results) = channel::unbounded();
        for end in 0..300 {
            let (client, sender) = (setup.client(end), sender.clone());
            thread::spawn(move || {
                let arg = end as i32 * 100;
                let reply = client.handler2(&arg);
                if let Ok(reply) = &reply {
                    assert_eq!(*reply, format!("handler2-{arg}"));
                }
                sender.send(u32::from(reply.is_ok())).unwrap();
            });
        }
        let total: u32 = (0..300).map(|_| results.recv().unwrap()).sum();
        assert!(total < 300, "all succeeded");
        assert!(total > 150, "only {total} succeeded; the expectation is 243");
    });
}

#[test]
fn one_end_makes_many_calls_at_once() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, results) = channel::unbounded();
        for i in 0..20 {
            let (client, sender) = (client.clone(), sender.clone());
            thread::spawn(move || {
                assert_eq!(client.handler2(&i), Ok(format!("handler2-{i}")));
                sender.send(()).unwrap();
            });
        }
        for _ in 0..20 {
            results.recv().unwrap();
        }
        let mut log = setup.junk.log2.lock().clone();
        log.sort_unstable();
        assert_eq!(log, (0..20).collect::<Vec<_>>());
        assert_eq!(setup.network.count(99), 20);
    });
}

#[test]
fn calls_delayed_while_disabled_hold_up_none_made_after_enabling() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.enable(1, false);
        let (sender, failed) = channel::unbounded();
        for i in 0..20 {
            let (client, sender) = (client.clone(), sender.clone());
            thread::spawn(move || {
                sender.send(client.handler2(&i)).unwrap();
            });
        }
        thread::sleep(millis(100));
        let start = Instant::now();
        setup.network.enable(1, true);
        assert_eq!(client.handler2(&111), Ok("handler2-111".to_string()));
        assert!(start.elapsed() < millis(30), "it took {:?}", start.elapsed());
        for _ in 0..20 {
            assert_eq!(failed.recv().unwrap(), Err(NoReply));
        }
        assert_eq!(setup.network.count(99), 1);
    });
}

#[test]
fn a_call_stuck_in_a_handler_fails_soon_after_its_server_is_deleted() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let (sender, result) = channel::unbounded();
        thread::spawn(move || sender.send(client.handler3(&99)).unwrap());
        thread::sleep(millis(1000));
        assert!(result.try_recv().is_err(), "the handler takes 20 s");
        setup.network.delete_server(99);
        // The next look is at most 100 ms away; the rest is for a busy machine, on the real clock.
        assert_eq!(result.recv_timeout(millis(150)), Ok(Err(NoReply)));
    });
}

#[test]
fn long_delays_can_be_switched_while_calls_are_under_way() {
    on_both(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.enable(1, false);
        let mut draws = rng::stream("test");
        let (sender, results) = channel::unbounded();
        for i in 0..50 {
            setup.network.set_long_delays(draws.random_bool(0.5));
            let (client, sender) = (client.clone(), sender.clone());
            thread::spawn(move || sender.send(client.handler2(&i)).unwrap());
            thread::sleep(millis(1));
        }
        setup.network.set_long_delays(false);
        setup.network.enable(1, true);
        assert_eq!(client.handler2(&1), Ok("handler2-1".to_string()));
        setup.network.cleanup();
        for _ in 0..50 {
            let result = results.recv_timeout(Duration::from_secs(1));
            assert_eq!(result, Ok(Err(NoReply)), "cleanup ends what is under way");
        }
    });
}
