//! What the benches share.
//!
//! A ratio says more than a time, and only if both sides were measured in one run: the machine may
//! be busy with something else a minute later. So beside criterion's numbers each bench prints
//! ratios, measured by [`ratio`] in many short rounds in which the two sides take turns.
//!
//! [`schedules`] is no bench: it counts how many schedules it takes to find a bug.
//!
//! `docs/performance.md` says how to run the benches and what came out.

#![cfg(feature = "measure")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "benches measure the real clock, and some measure against its own threads and channels"
)]

use std::time::Duration;

pub mod checkers;
pub mod cluster;
pub mod cpu;
pub mod kv;
pub mod schedules;
pub mod shards;
pub mod suite;
pub mod tikv;

/// True if the benches are to run once, to see that they work: `cargo measure -- --test`.
pub fn only_tests() -> bool {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    has("--test") || !has("--bench")
}

/// True if the command line asks for benches whose name contains something that `name` lacks.
fn is_filtered_out(name: &str) -> bool {
    // What follows an option may be its value; cargo itself puts `--bench` last.
    let words: Vec<String> = std::env::args().collect();
    let filters = words.windows(2).filter(|pair| !pair.iter().any(|word| word.starts_with('-')));
    filters.map(|pair| &pair[1]).any(|filter| !name.contains(filter.as_str()))
}

/// Measures two things in turn, many times, and prints the median of the ratios.
///
/// Each function does its work as often as it likes and returns how long one took.
pub fn ratio(
    name: &str,
    goal: &str,
    ours: impl FnMut() -> Duration,
    theirs: impl FnMut() -> Duration,
) {
    ratio_of(31, name, goal, ours, theirs);
}

/// As [`ratio`], with so many rounds: for what takes seconds.
pub fn ratio_of(
    rounds: usize,
    name: &str,
    goal: &str,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) {
    if is_filtered_out(name) {
        return;
    }
    let rounds = if only_tests() { 1 } else { rounds };
    let mut times: Vec<(f64, f64)> = (0..rounds)
        .map(|round| {
            // Whoever goes second may find warmer caches: each does half of the time.
            if round % 2 == 0 {
                let ours = ours();
                (ours.as_secs_f64(), theirs().as_secs_f64())
            } else {
                let theirs = theirs();
                (ours().as_secs_f64(), theirs.as_secs_f64())
            }
        })
        .collect();
    times.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let at = |part: usize| times[(times.len() - 1) * part / 4];
    let of = |(ours, theirs): (f64, f64)| ours / theirs;
    println!(
        "ratio  {name}: {:.2} (quartiles {:.2} and {:.2}; {} to {}); goal {goal}",
        of(at(2)),
        of(at(1)),
        of(at(3)),
        show(at(2).0),
        show(at(2).1),
    );
}

/// Prints a number that is no time.
pub fn fact(name: &str, value: &str) {
    if !is_filtered_out(name) {
        println!("fact   {name}: {value}");
    }
}

/// The middle and the 99th of a hundred, of sorted times.
pub fn quantiles(times: &[Duration]) -> String {
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    format!("{}, {}", short(at(50)), short(at(99)))
}

/// A time, for a table.
pub fn short(time: Duration) -> String {
    match time.as_secs_f64() * 1e6 {
        us if us < 1000.0 => format!("{us:.0} µs"),
        us => format!("{:.2} ms", us / 1000.0),
    }
}

fn show(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s => format!("{:.2} ms", s * 1e3),
    }
}

/// How long one of `count` took, from how long all did.
pub fn each(all: Duration, count: u64) -> Duration {
    Duration::from_secs_f64(all.as_secs_f64() / count as f64)
}

/// Runs something in a simulated world, in a run of which nothing is kept.
///
/// # Panics
/// If it fails.
pub(crate) fn in_world<T: Send + 'static>(
    main: impl FnOnce(&tester::Run) -> T + Send + 'static,
) -> T {
    let outcome = labrt::simulate(0, move || {
        let run = tester::Run::silent();
        run.enter();
        main(&run)
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}")).value
}
