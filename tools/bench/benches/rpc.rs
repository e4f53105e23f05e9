//! A call that says back what it is told: on the real clock beside a bare ping-pong of two threads,
//! and on the simulated clock.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "benches measure the real clock, and some measure against its own threads and channels"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bench::{each, fact, only_tests, ratio};
use criterion::{Criterion, criterion_group, criterion_main};
use crossbeam::channel;
use labrpc::{Network, Reply, Returned, Server};
use labrt::world::{Builder, Outcome};

#[labrpc::service]
trait Echo {
    /// As a task of its own.
    fn task(&self, word: u64) -> u64;
    /// Within the call.
    #[rpc(inline)]
    fn inline(&self, word: u64, reply: Reply<u64>);
}

struct Parrot;

impl Echo for Parrot {
    fn task(&self, word: u64) -> u64 {
        word
    }

    fn inline(&self, word: u64, reply: Reply<u64>) {
        reply.send(word);
    }
}

/// Which of the forms of calls and handlers.
#[derive(Clone, Copy, Debug)]
struct Form {
    name: &'static str,
    caller: Caller,
    inline: bool,
}

/// How the caller hears of the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// It waits for each call.
    Waits,
    /// A function hears of each of 64 calls made at once.
    Function,
    /// Messages from 64 calls made at once come into its queue.
    Channel,
}

const FORMS: [Form; 6] = [
    Form { name: "blocking call", caller: Caller::Waits, inline: false },
    Form { name: "blocking call, inline handler", caller: Caller::Waits, inline: true },
    Form { name: "call_then", caller: Caller::Function, inline: false },
    Form { name: "call_then, inline handler", caller: Caller::Function, inline: true },
    Form { name: "call_to", caller: Caller::Channel, inline: false },
    Form { name: "call_to, inline handler", caller: Caller::Channel, inline: true },
];

const WINDOW: u64 = 64;

/// Makes so many calls on a network of their own; returns how long they took.
fn echo(form: Form, calls: u64) -> Duration {
    let network = Network::new();
    network.add_server("server", Server::new().service(EchoService::of(Arc::new(Parrot))));
    let client = EchoClient::new(network.make_end("client"));
    network.connect("client", "server");
    network.enable("client", true);
    // The first uses of a type are checked, and the first call starts a thread.
    call(&client, form, WINDOW);

    let began = Instant::now();
    call(&client, form, calls);
    let took = began.elapsed();
    network.cleanup();
    took
}

fn call(client: &EchoClient, form: Form, calls: u64) {
    let mut left = calls;
    while left > 0 {
        let count = left.min(WINDOW);
        left -= count;
        match form.caller {
            Caller::Waits => call_one_by_one(client, form.inline, count),
            Caller::Function => call_with_functions(client, form.inline, count),
            Caller::Channel => call_with_a_channel(client, form.inline, count),
        }
    }
}

fn call_one_by_one(client: &EchoClient, inline: bool, calls: u64) {
    for word in 0..calls {
        let reply = if inline { client.inline(&word) } else { client.task(&word) };
        assert_eq!(reply, Ok(word));
    }
}

fn call_with_functions(client: &EchoClient, inline: bool, calls: u64) {
    let (sender, all) = labrt::channel::bounded(1);
    let answered = Arc::new(AtomicU64::new(0));
    for word in 0..calls {
        let (sender, answered) = (sender.clone(), answered.clone());
        let then = move |reply| {
            assert_eq!(reply, Ok(word));
            if answered.fetch_add(1, Ordering::Relaxed) + 1 == calls {
                sender.send(()).expect("the caller waits");
            }
        };
        match inline {
            true => client.inline_then(&word, then),
            false => client.task_then(&word, then),
        }
    }
    all.recv().expect("the last reply is the signal");
}

fn call_with_a_channel(client: &EchoClient, inline: bool, calls: u64) {
    let (inputs, queue) = labrt::channel::unbounded::<Returned<u64, u64>>();
    for word in 0..calls {
        match inline {
            true => client.inline_to(&word, word, &inputs),
            false => client.task_to(&word, word, &inputs),
        }
    }
    for _ in 0..calls {
        let Returned { tag, result } = queue.recv().expect("each call is answered");
        assert_eq!(result, Ok(tag));
    }
}

/// A message there and back between two threads, over crossbeam's channels.
fn ping_pong(rounds: u64) -> Duration {
    let (there, pings) = channel::bounded::<u64>(1);
    let (back, pongs) = channel::bounded::<u64>(1);
    let other = std::thread::spawn(move || pings.iter().try_for_each(|word| back.send(word)));
    let round = |word| {
        there.send(word).expect("the other thread lives");
        assert_eq!(pongs.recv(), Ok(word));
    };
    (0..WINDOW).for_each(round);
    let began = Instant::now();
    (0..rounds).for_each(round);
    let took = began.elapsed();
    drop(there);
    other.join().expect("it does not panic").expect("it ends when we do");
    took
}

fn in_world(world: Builder, form: Form, calls: u64) -> Outcome<Duration> {
    // All calls happen at one moment of simulated time.
    let world = world.steps_per_instant(u64::MAX);
    world.run(move || echo(form, calls)).unwrap_or_else(|failure| panic!("{failure}"))
}

fn simulated(form: Form, calls: u64) -> Outcome<Duration> {
    // The seed would draw how often a switch is forced; one in 16 steps is a common value.
    in_world(Builder::simulated(1).switch_every(16), form, calls)
}

/// Steps of the simulation's kernel per call.
fn steps(form: Form) -> f64 {
    let steps = |calls| simulated(form, calls).trace.expect("it is simulated").steps;
    (steps(20 * WINDOW) - steps(10 * WINDOW)) as f64 / (10 * WINDOW) as f64
}

fn real(c: &mut Criterion) {
    let mut group = c.benchmark_group("rpc real");
    group.bench_function("ping-pong", |b| b.iter_custom(ping_pong));
    for form in FORMS {
        group.bench_function(form.name, |b| b.iter_custom(|calls| echo(form, calls)));
    }
    group.bench_function("blocking call, in a world", |b| {
        b.iter_custom(|calls| in_world(Builder::real(), FORMS[0], calls).value);
    });
    group.finish();

    let calls = if only_tests() { 100 } else { 4_000 };
    let base = || each(ping_pong(calls), calls);
    for form in FORMS {
        let goal = if form.caller == Caller::Waits { "1.5" } else { "none" };
        let name = format!("rpc real: {} / ping-pong", form.name);
        ratio(&name, goal, || each(echo(form, calls), calls), base);
    }
    let world = || each(in_world(Builder::real(), FORMS[0], calls).value, calls);
    ratio("rpc real: blocking call in a world / ping-pong", "1.5", world, base);
}

fn sim(c: &mut Criterion) {
    let mut group = c.benchmark_group("rpc simulated");
    for form in FORMS {
        group.bench_function(form.name, |b| b.iter_custom(|calls| simulated(form, calls).value));
    }
    group.finish();
    for form in FORMS {
        let name = format!("rpc simulated: steps of a {}", form.name);
        fact(&name, &format!("{:.2}; goal 3", steps(form)));
    }
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
}

criterion_group! { name = benches; config = quick(); targets = real, sim }
criterion_main!(benches);
