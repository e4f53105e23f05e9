//! What lies at the ends of what can be set, and of a network's life.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Faults, Network, NoReply, Returned, Server, Service};
use labrt::sync::Mutex;
use labrt::time::Instant;
use labrt::world::Builder;
use labrt::{channel, simulate, thread};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An end to a server that answers after so long.
fn end_to_a_server(network: &Network, after: Duration) -> ClientEnd {
    let service = Service::new("S").method("Echo", move |n: u32| {
        thread::sleep(after);
        n
    });
    network.add_server("server", Server::new().service(service));
    let end = network.make_end("end");
    network.connect("end", "server");
    network.enable("end", true);
    end
}

fn with_faults(network: &Network, change: impl FnOnce(&mut Faults)) {
    let mut faults = Faults::default();
    change(&mut faults);
    network.set_faults(faults);
}

#[test]
fn a_network_that_never_looks_whether_a_call_can_be_answered_lets_it_end_with_its_reply() {
    let play = || {
        let network = Network::new();
        with_faults(&network, |faults| faults.liveness_check = Duration::MAX);
        let end = end_to_a_server(&network, millis(50));
        let call = thread::spawn(move || end.call::<u32, u32>("S.Echo", &1));
        thread::sleep(millis(10));
        network.enable("end", false);
        call.join().expect("it ends")
    };
    for builder in [Builder::simulated(1), Builder::real()] {
        // What is cut off gets no reply, but learns so only with the reply.
        assert_eq!(builder.run(play).expect("nothing fails").value, Err(NoReply));
    }
}

#[test]
fn a_delay_may_be_as_long_as_can_be() {
    let play = || {
        let network = Network::new();
        with_faults(&network, |faults| {
            (faults.reordering, faults.reordering_delay) = (1.0, u64::MAX);
        });
        network.set_long_reordering(true);
        let end = end_to_a_server(&network, Duration::ZERO);
        thread::spawn(move || end.call::<u32, u32>("S.Echo", &1));
        thread::sleep(millis(10));
        network.cleanup();
    };
    for builder in [Builder::simulated(1), Builder::real()] {
        builder.run(play).expect("nothing fails");
    }
}

/// A server with a task of its own, which makes a call; it waits for that task when it is dropped.
struct Caller(Mutex<Option<thread::JoinHandle<()>>>);

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.0.lock().take().map(thread::JoinHandle::join);
    }
}

fn add_caller(network: &Network, task: thread::JoinHandle<()>) {
    let caller = Arc::new(Caller(Mutex::new(Some(task))));
    let service = Service::new("C").method("Nothing", move |(): ()| drop(caller.clone()));
    network.add_server("caller", Server::new().service(service));
}

#[test]
fn a_network_that_nobody_has_any_more_ends_calls_before_servers() {
    let outcome = simulate(1, || {
        let network = Network::new();
        with_faults(&network, |faults| faults.unreachable_delay = (1_000_000, 1_000_000));
        let end = end_to_a_server(&network, Duration::ZERO);
        network.enable("end", false);
        let task = thread::spawn(move || {
            let (to, results) = channel::unbounded::<Returned<(), u32>>();
            end.call_to::<u32, u32, _, _>("S.Echo", &1, (), &to);
            drop((end, to));
            assert!(results.recv().is_err(), "nobody answers any more");
        });
        add_caller(&network, task);
        thread::sleep(millis(10));
        drop(network);
    });
    let elapsed = outcome.expect("nothing fails").elapsed;
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
}

#[test]
fn at_the_end_calls_end_before_servers() {
    let outcome = simulate(1, || {
        let network = Network::new();
        let end = end_to_a_server(&network, Duration::from_secs(1000));
        add_caller(&network, thread::spawn(move || _ = end.call::<u32, u32>("S.Echo", &1)));
        thread::sleep(millis(10));
        network.cleanup();
    });
    let elapsed = outcome.expect("nothing fails").elapsed;
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
}

/// Nobody can know earlier that there will be none.
#[test]
fn a_call_whose_reply_is_lost_takes_as_long_as_its_handler() {
    let handler_takes = Duration::from_secs(20);
    let play = move || {
        let network = Network::new();
        with_faults(&network, |faults| {
            (faults.request_delay, faults.request_loss, faults.reply_loss) = ((0, 0), 0.0, 1.0);
        });
        network.set_reliable(false);
        let end = end_to_a_server(&network, handler_takes);
        let called = Instant::now();
        (end.call::<u32, u32>("S.Echo", &1), called.elapsed())
    };
    let (result, took) = labrt::simulate(1, play).expect("nothing fails").value;
    assert_eq!((result, took), (Err(NoReply), handler_takes));
}
