//! Code that runs as a guest of a task, in a node of its own.

use labrt::sync::{Arc, Mutex};
use labrt::world::Builder;
use labrt::{Node, simulate, thread};

use crate::{NEVER, millis};

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
    assert!(failure.location.unwrap().contains("endings/guests.rs"));
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
