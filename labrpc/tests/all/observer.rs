//! What an observer of a network is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use labrpc::{
    CallEvent, CallStep, Faults, KeptRequest, Network, NoReply, Observer, Reply, Server, Service,
    labgob,
};
use labrt::observe::{self, Cause};
use labrt::sync::Leaf;
use labrt::time::Instant;
use labrt::{Outcome, channel, simulate, thread};

/// Writes down what it is told and gives out the numbers of its lines as causes.
#[derive(Clone, Default)]
struct Log(Arc<Leaf<Vec<String>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        self.0.with(|lines| lines.clone())
    }
}

impl Observer for Log {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        let step = match event.step {
            CallStep::Sent { args, blocking } => {
                format!("sent {} blocking={blocking}", args.view())
            }
            CallStep::Replied(reply) => format!("replied {}", reply.view()),
            CallStep::RepliedAgain(reply) => format!("replied again {}", reply.view()),
            other => format!("{other:?}"),
        };
        let time = observe::elapsed().expect("in a world").as_millis();
        let server = event.server.map_or("nobody".to_string(), ToString::to_string);
        let line =
            format!("{time} #{} {}->{server} {} {step}", event.call, event.end, event.method);
        self.0.with(|lines| {
            lines.push(line);
            Cause::new(lines.len() as u64)
        })
    }
}

/// A network with an end `c`, connected to the server `s`, which doubles numbers.
fn network(log: &Log) -> (Network, labrpc::ClientEnd) {
    let network = Network::new();
    network.watch(log.clone());
    let end = network.make_end("c");
    network.connect("c", "s");
    network.enable("c", true);
    let service = Service::new("Math")
        .method("Double", |n: u32| 2 * n)
        .method("Cause", |(): ()| observe::cause().map(Cause::get));
    network.add_server("s", Server::new().service(service));
    (network, end)
}

fn faults(change: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    change(&mut faults);
    faults
}

fn simulated<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    simulate(7, main).expect("nothing fails")
}

#[test]
fn a_call_that_succeeds_is_seen_at_each_step() {
    let log = Log::default();
    let seen = log.clone();
    simulated(move || {
        let (_network, end) = network(&log);
        assert_eq!(end.call::<u32, u32>("Math.Double", &21), Ok(42));
    });
    let expected = [
        "0 #1 c->s Math.Double sent 21 blocking=true",
        "0 #1 c->s Math.Double Delivered",
        "0 #1 c->s Math.Double replied 42",
        "0 #1 c->s Math.Double Returned",
    ];
    assert_eq!(seen.lines(), expected);
}

#[test]
fn of_a_request_that_comes_twice_both_answers_are_seen() {
    for seed in 0..200 {
        let log = Log::default();
        let seen = log.clone();
        let run = simulate(seed, move || {
            let (network, end) = network(&log);
            network.set_faults(faults(|faults| {
                (faults.duplication, faults.duplication_spread) = (1.0, 0);
            }));
            // When the second one is made, the task that lets copies arrive is there already.
            for _ in 0..2 {
                assert_eq!(end.call::<u32, u32>("Math.Double", &21), Ok(42));
                thread::sleep(Duration::from_millis(100));
            }
        });
        run.expect("nothing fails");
        let lines = seen.lines();
        for call in ["#1", "#2"] {
            let of_call = lines.iter().filter(|line| line.contains(call));
            let steps = of_call.filter_map(|line| Some(line.split_once("Math.Double ")?.1));
            let copy = ["Duplicated(0ns)", "Delivered", "DeliveredAgain", "replied again 42"];
            let of_copy: Vec<_> = steps.clone().filter(|step| copy.contains(step)).collect();
            assert_eq!(of_copy, copy, "seed {seed}: {lines:?}");
            let answers = steps.filter(|step| *step == "replied 42").count();
            assert_eq!(answers, 1, "seed {seed}: {lines:?}");
        }
    }
}

#[test]
fn what_the_observer_returns_is_the_cause_of_what_follows() {
    simulated(|| {
        let log = Log::default();
        let (_network, end) = network(&log);
        // Line 2 is the delivery, which the handler sees; line 4 the return, which the caller sees.
        assert_eq!(end.call::<(), Option<u64>>("Math.Cause", &()), Ok(Some(2)));
        assert_eq!(observe::cause(), Cause::new(4));
    });
}

/// Takes its time to see one of the steps.
struct Slow {
    slow_at: &'static str,
    reached: channel::Sender<()>,
    failed: AtomicBool,
    steps: Arc<Leaf<Vec<&'static str>>>,
}

impl Observer for Slow {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        let step = match event.step {
            CallStep::Delivered => "delivered",
            CallStep::Replied(_) => "replied",
            CallStep::Failed => "failed",
            _ => return None,
        };
        if step == self.slow_at {
            self.reached.send(()).expect("somebody waits");
            let until = Instant::now() + Duration::from_millis(400);
            while !self.failed.load(Ordering::SeqCst) && Instant::now() < until {
                std::hint::spin_loop();
            }
        }
        self.failed.fetch_or(step == "failed", Ordering::SeqCst);
        self.steps.with(|steps| steps.push(step));
        None
    }
}

/// What is seen of a call that is cut off while the observer sees one of the steps.
fn seen_of_a_call_that_is_cut_off(
    slow_at: &'static str,
    handler: fn(Reply<()>),
) -> Vec<&'static str> {
    let (reached, is_reached) = channel::unbounded();
    let steps = Arc::new(Leaf::default());
    let network = Network::new();
    network.watch(Slow { slow_at, reached, failed: AtomicBool::new(false), steps: steps.clone() });
    let end = network.make_end("c");
    network.connect("c", "s");
    network.enable("c", true);
    let service = Service::new("S").method_later("M", move |(): (), reply| handler(reply));
    network.add_server("s", Server::new().service(service));
    let caller = thread::spawn(move || end.call::<(), ()>("S.M", &()));
    is_reached.recv().expect("it comes to that");
    network.enable("c", false);
    assert_eq!(caller.join().expect("it ends"), Err(NoReply));
    steps.with(|steps| steps.clone())
}

/// On the real clock, where others go on while an observer is told: who forgets a call at its end would not
/// know what the handler does.
#[test]
fn a_request_arrives_before_its_call_fails() {
    let late = |reply: Reply<()>| {
        thread::sleep(Duration::from_secs(2));
        reply.send(());
    };
    assert_eq!(seen_of_a_call_that_is_cut_off("delivered", late), ["delivered", "failed"]);
}

/// Likewise.
#[test]
fn an_answer_is_seen_before_its_call_fails() {
    let seen = seen_of_a_call_that_is_cut_off("replied", |reply| reply.send(()));
    assert_eq!(seen, ["delivered", "replied", "failed"]);
}

#[test]
fn each_way_to_fail_is_named() {
    let log = Log::default();
    let seen = log.clone();
    simulated(move || {
        let (network, end) = network(&log);
        let call = || end.call::<u32, u32>("Math.Double", &1);
        network.enable("c", false);
        assert_eq!(call(), Err(NoReply));
        network.enable("c", true);
        network.connect("c", "x");
        assert_eq!(call(), Err(NoReply));
        network.connect("c", "s");
        network.set_reliable(false);
        network.set_faults(faults(|faults| faults.request_loss = 1.0));
        assert_eq!(call(), Err(NoReply));
        network.set_faults(faults(|faults| (faults.request_loss, faults.reply_loss) = (0.0, 1.0)));
        assert_eq!(call(), Err(NoReply));
        network.set_reliable(true);
        let slow = Service::new("Math").method("Double", |n: u32| {
            thread::sleep(Duration::from_secs(9));
            n
        });
        network.add_server("s", Server::new().service(slow));
        let gone = network.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            gone.delete_server("s");
        });
        assert_eq!(call(), Err(NoReply));
        let silent =
            Service::new("Math").method_later("Double", |_: u32, _: labrpc::Reply<u32>| {});
        network.add_server("s", Server::new().service(silent));
        assert_eq!(call(), Err(NoReply));
        network.cleanup();
        assert_eq!(call(), Err(NoReply));
    });
    let lines = seen.lines();
    for (call, leg, why) in [
        (1, "Request", "Disabled"),
        (2, "Request", "NoServer"),
        (3, "Request", "Dropped"),
        (4, "Reply", "Dropped"),
        (5, "Reply", "Gone"),
        (6, "Reply", "Unanswered"),
        (7, "Reply", "CleanedUp"),
    ] {
        let of_call = |line: &&String| line.contains(&format!(" #{call} "));
        let lost = format!("Lost {{ leg: {leg}, why: {why}");
        let steps: Vec<_> = lines.iter().filter(of_call).collect();
        assert!(steps.iter().any(|line| line.contains(&lost)), "{lost}: {steps:#?}");
        assert!(steps.last().is_some_and(|line| line.ends_with("Failed")), "{steps:#?}");
    }
}

#[test]
fn late_replies_and_delayed_requests_are_seen() {
    let log = Log::default();
    let seen = log.clone();
    simulated(move || {
        let (network, end) = network(&log);
        network.set_reliable(false);
        network.set_long_reordering(true);
        network.set_faults(faults(|faults| {
            faults.request_delay = (3, 3);
            (faults.request_loss, faults.reply_loss) = (0.0, 0.0);
            (faults.reordering, faults.reordering_spread) = (1.0, 0);
        }));
        assert_eq!(end.call::<u32, u32>("Math.Double", &1), Ok(2));
    });
    let expected = [
        "0 #1 c->s Math.Double sent 1 blocking=true",
        "0 #1 c->s Math.Double Delayed(3ms)",
        "3 #1 c->s Math.Double Delivered",
        "3 #1 c->s Math.Double replied 2",
        "3 #1 c->s Math.Double Late(200ms)",
        "203 #1 c->s Math.Double Returned",
    ];
    assert_eq!(seen.lines(), expected);
}

/// How many delays are counted, and of how many an observer is told, if ten calls are made under these conditions.
fn delays(slowness: (u64, u64), change: fn(&mut Faults)) -> (u64, usize) {
    let log = Log::default();
    let seen = log.clone();
    let counted = simulated(move || {
        let (network, end) = network(&log);
        network.set_reliable(false);
        network.set_slowness("c", slowness.0, slowness.1);
        network.set_faults(faults(|faults| {
            (faults.request_loss, faults.reply_loss) = (0.0, 0.0);
            change(faults);
        }));
        for _ in 0..10 {
            assert_eq!(end.call::<u32, u32>("Math.Double", &1), Ok(2));
        }
        network.fault_counts().delays
    });
    let told = seen.lines().iter().filter(|line| line.contains("Delayed")).count();
    (counted.value, told)
}

#[test]
fn what_a_slow_link_takes_is_no_delay() {
    assert_eq!(delays((5000, 5000), |faults| faults.most_delays = 0), (0, 0));
    assert_eq!(delays((5000, 5000), |faults| faults.request_delay = (0, 0)), (0, 0));
    assert_eq!(delays((0, 0), |faults| faults.most_delays = 0), (0, 0));
    assert_eq!(delays((5000, 5000), |faults| faults.request_delay = (3, 3)), (10, 10));
}

#[test]
fn watching_does_not_change_a_run() {
    let run = |watch: bool| {
        let outcome = simulated(move || {
            let log = Log::default();
            let (network, end) = match watch {
                true => network(&log),
                false => {
                    let network = Network::new();
                    let end = network.make_end("c");
                    network.connect("c", "s");
                    network.enable("c", true);
                    let service = Service::new("Math").method("Double", |n: u32| 2 * n);
                    network.add_server("s", Server::new().service(service));
                    (network, end)
                }
            };
            network.set_reliable(false);
            let tasks: Vec<_> = (0..20)
                .map(|n| {
                    let end = end.clone();
                    thread::spawn(move || end.call::<u32, u32>("Math.Double", &n).is_ok())
                })
                .collect();
            tasks.into_iter().map(|task| task.join().expect("it ends")).collect()
        });
        let results: Vec<bool> = outcome.value;
        (results, outcome.trace)
    };
    assert_eq!(run(true), run(false));
}

/// Keeps each request.
#[derive(Clone, Default)]
struct Keeper(Arc<Leaf<Vec<KeptRequest>>>);

impl Observer for Keeper {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        let kept = event.keep();
        assert_eq!(kept.is_some(), matches!(event.step, CallStep::Sent { .. }));
        self.0.with(|all| all.extend(kept));
        None
    }
}

#[test]
fn a_request_can_be_kept_and_made_again() {
    simulated(|| {
        let keeper = Keeper::default();
        let (network, end) = network(&Log::default());
        let watched = Network::new();
        watched.watch(keeper.clone());
        let other = watched.make_end("c");
        assert_eq!(other.call::<u32, u32>("Math.Double", &4), Err(NoReply));
        let kept = keeper.0.with(|all| all.pop()).expect("it was kept");
        assert_eq!(
            (kept.method(), kept.peek().and_then(|args| args.number())),
            ("Math.Double", Some(4))
        );
        assert_eq!(format!("{kept:?}"), "Math.Double u32 4");

        let double = |request: &KeptRequest| {
            let bytes = end.call_kept(request).expect("it is answered");
            kept.reply(&bytes).peek().and_then(|reply| reply.number())
        };
        assert_eq!(double(&kept), Some(8));
        assert_eq!(double(&kept.with(labgob::encode(&5u32))), Some(10));
        drop(network);
        assert_eq!(other.call_kept(&kept), Err(NoReply));
    });
}

#[test]
fn faults_can_be_limited_in_number() {
    let counts = |faults: Faults| {
        simulated(move || {
            let log = Log::default();
            let (network, end) = network(&log);
            network.set_reliable(false);
            network.set_long_reordering(true);
            network.set_faults(faults);
            for n in 0..200 {
                let _ = end.call::<u32, u32>("Math.Double", &n);
            }
            network.fault_counts()
        })
        .value
    };
    let all = counts(Faults::default());
    assert!(all.losses > 10 && all.delays > 100 && all.reorderings > 50, "{all:?}");
    let few = counts(faults(|faults| {
        (faults.most_losses, faults.most_delays, faults.most_reorderings) = (3, 2, 0);
    }));
    assert_eq!((few.losses, few.delays, few.reorderings), (3, 2, 0));
}
