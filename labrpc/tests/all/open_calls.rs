//! What the report of a failed run says of calls that are open.

use std::time::Duration;

use labrpc::{Network, NoReply, Returned};
use labrt::world::Builder;
use labrt::{Failure, FailureKind, channel};

struct Ended;

impl From<Returned<(), u64>> for Ended {
    fn from(returned: Returned<(), u64>) -> Ended {
        assert_eq!(returned.result, Err(NoReply));
        Ended
    }
}

/// An event loop that leaves so many calls open to a peer that is away, and a few to another one.
fn leaves_open(world: Builder, calls: usize) -> Box<Failure> {
    let run = world.run(move || {
        let network = Network::new();
        network.set_long_delays(true);
        let end = network.make_end("a peer that is away");
        let (inputs, queue) = channel::unbounded::<Ended>();
        for _ in 0..calls {
            end.call_to::<u64, u64, _, _>("Peer.Ask", &1, (), &inputs);
        }
        for _ in 0..10 {
            end.call_then("Peer.Ask", &1_u64, |_: Result<u64, NoReply>| ());
        }
        while queue.recv().is_ok() {}
    });
    run.map(|_| ()).expect_err("it waits for too long")
}

/// How many calls of this file are open as the report says, and whether it names only one place.
fn open_calls(failure: &Failure) -> usize {
    assert_eq!(failure.kind, FailureKind::TimeLimit, "{failure}");
    let open: Vec<_> =
        failure.details.iter().filter_map(|line| line.split_once(" calls made at ")).collect();
    let [(count, place)] = open[..] else { panic!("few calls are not worth a line: {failure}") };
    assert!(place.starts_with("labrpc/tests/all/open_calls.rs:"), "{failure}");
    assert!(place.ends_with(" are open"), "{failure}");
    count.parse().expect("a number")
}

#[test]
fn a_report_counts_the_calls_that_no_task_waits_for() {
    const CALLS: usize = 50_000;
    let simulated = Builder::simulated(1).time_limit(Duration::from_millis(100));
    let open = open_calls(&leaves_open(simulated, CALLS));
    // They take up to 7 s to fail.
    assert!((CALLS * 9 / 10..=CALLS).contains(&open), "{open}");
    let open = open_calls(&leaves_open(Builder::real().time_limit(Duration::from_secs(1)), 10_000));
    assert!((100..=10_000).contains(&open), "{open}");
}
