//! Running a test: on which clock, with which seeds, and what is said when it fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrt::world::{Builder, Event, Outcome};
use labrt::{Failure, FailureKind};
use raft_api::Raft;

use crate::cluster::{Cluster, Totals};
use crate::recorder::Recorder;
use crate::report::Lines;
use crate::seeds::Seeds;

/// How much lab time a test may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// A test of the suite for the Raft `R`.
#[derive(Debug)]
pub struct Test<R: Raft> {
    /// Its part of the lab, such as `2A`.
    pub part: &'static str,
    /// What its lines call it.
    pub title: &'static str,
    /// How many servers it runs.
    pub servers: usize,
    /// Whether the network loses and delays.
    pub unreliable: bool,
    /// What it does.
    pub body: fn(&Cluster<R>, &Context),
}

/// Where a test was stamped out, to name the command that repeats it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The package.
    pub package: &'static str,
    /// The crate: the test target's name, or the package's own.
    pub krate: &'static str,
    /// The module path of the test's function.
    pub module: &'static str,
    /// The name of the test's function.
    pub name: &'static str,
}

impl Origin {
    /// The command that runs this test alone.
    fn command(&self) -> String {
        let own = self.krate == self.package.replace('-', "_");
        let target = if own { "--lib".to_string() } else { format!("--test {}", self.krate) };
        let module = self.module.split_once("::").map_or("", |(_, inner)| inner);
        let path =
            if module.is_empty() { self.name.into() } else { format!("{module}::{}", self.name) };
        format!("cargo test -p {} {target} -- --exact {path}", self.package)
    }
}

/// What a test's body may use beside its cluster.
#[derive(Clone)]
pub struct Context {
    lines: Arc<Lines>,
}

impl Context {
    /// Tells the user of something that is odd but no failure.
    pub fn warn(&self, text: &str) {
        self.lines.line(&format!("warning: {text}"));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

/// Runs a test on the simulated clock, with the seeds that the environment asks for.
///
/// It ends with the first failure, unless records were asked for: then it goes on, so that the
/// records show every run.
///
/// # Panics
/// If it fails with one of them; the message holds the command that repeats that run.
pub fn simulated<R: Raft>(test: &Test<R>, origin: Origin) {
    let recorder = Recorder::from_environment();
    let seeds = Seeds::from_environment();
    let mut failed = 0;
    for (number, block) in seeds.blocks().into_iter().enumerate() {
        let title = format!("({}): {} ({block})", test.part, test.title);
        let lines = Arc::new(Lines::begin(title));
        let mut sums = Vec::new();
        for seed in block.iter() {
            match recorded(recorder.as_ref(), test, origin, Some(seed), &lines) {
                Ok(outcome) => sums.push(outcome.value),
                Err(failure) if recorder.is_none() => fail(&lines, &failure, origin),
                Err(failure) => {
                    lines.line(&format!("FAILED (seed {seed}): {}", failure.message));
                    failed += 1;
                }
            }
        }
        // One run of each test, and of each block, is made twice. The reader of records does that
        // by itself.
        if recorder.is_none() && (number == 0 || block.len() > 1) {
            run_again(test, block.first(), &lines, origin);
        }
        if !sums.is_empty() {
            lines.passed(&mean(&sums));
        }
    }
    assert!(failed == 0, "{failed} of {} runs failed", seeds.len());
}

/// Runs a test once and leaves a record of it.
fn recorded<R: Raft>(
    recorder: Option<&Recorder>,
    test: &Test<R>,
    origin: Origin,
    seed: Option<u64>,
    lines: &Arc<Lines>,
) -> Result<Outcome<Totals>, Box<Failure>> {
    let world = seed.map_or_else(Builder::real, Builder::simulated);
    let Some(recorder) = recorder else { return run(world, test, lines) };
    let running = recorder.begin(origin.name, test.part, seed);
    let result = run(world, test, lines);
    recorder.end(running, &result, |failure| report(failure, origin));
    result
}

/// Makes a run twice, with all events recorded, and compares.
fn run_again<R: Raft>(test: &Test<R>, seed: u64, lines: &Arc<Lines>, origin: Origin) {
    let record = || {
        let outcome = run(Builder::simulated(seed).record_events(true), test, lines);
        let outcome = outcome.unwrap_or_else(|failure| fail(lines, &failure, origin));
        outcome.trace.expect("a simulated run has a trace")
    };
    let (one, two) = (record(), record());
    if one == two {
        return;
    }
    let both = one.events.iter().zip(&two.events);
    let first = both.clone().position(|(one, two)| one != two);
    let place = first.unwrap_or(one.events.len().min(two.events.len()));
    let message = format!(
        "two runs with seed {seed} differ: the code depends on something outside the simulation \
         (the order of a HashMap, an address, std's clock or threads). At step {place} one had \
         {} and the other {}",
        show_event(one.events.get(place)),
        show_event(two.events.get(place))
    );
    lines.line("FAILED: two runs with the same seed differ");
    panic!("{message}\n    replay: {}", replay(seed, origin));
}

fn show_event(event: Option<&Event>) -> String {
    match event {
        Some(Event { time, task, op }) => {
            format!("{op:?} of task {task} at {:.6} s", time.as_secs_f64())
        }
        None => "ended".to_string(),
    }
}

/// Runs a test once on the real clock.
///
/// # Panics
/// If it fails.
pub fn real<R: Raft>(test: &Test<R>, origin: Origin) {
    let lines = Arc::new(Lines::begin(format!("({}): {}", test.part, test.title)));
    match recorded(Recorder::from_environment().as_ref(), test, origin, None, &lines) {
        Ok(outcome) => lines.passed(&outcome.value),
        Err(failure) => fail(&lines, &failure, origin),
    }
}

fn run<R: Raft>(
    world: Builder,
    test: &Test<R>,
    lines: &Arc<Lines>,
) -> Result<Outcome<Totals>, Box<Failure>> {
    let Test { servers, unreliable, body, .. } = *test;
    let context = Context { lines: lines.clone() };
    world.time_limit(TIME_LIMIT).run(move || {
        let cluster = Cluster::new(servers, unreliable);
        body(&cluster, &context);
        let totals = cluster.totals();
        cluster.cleanup();
        totals
    })
}

fn fail(lines: &Lines, failure: &Failure, origin: Origin) -> ! {
    lines.line(&format!("FAILED: {}", failure.message));
    panic!("{}", report(failure, origin));
}

/// All that is known about a failure, and the command that repeats the run.
fn report(failure: &Failure, origin: Origin) -> String {
    let budget = match failure.kind {
        FailureKind::TimeLimit => "\n    a test may take 120 s of lab time",
        _ => "",
    };
    let again = match failure.seed {
        Some(seed) => format!("replay: {}", replay(seed, origin)),
        None => format!("run again: {}", origin.command()),
    };
    format!("{failure}{budget}\n    {again}")
}

fn replay(seed: u64, origin: Origin) -> String {
    format!("LAB_SEED={seed} {}", origin.command())
}

/// The mean of several runs, rounded.
fn mean(sums: &[Totals]) -> Totals {
    let runs = sums.len().max(1) as u64;
    let average = |of: fn(&Totals) -> u64| (sums.iter().map(of).sum::<u64>() + runs / 2) / runs;
    Totals {
        time: sums.iter().map(|totals| totals.time).sum::<Duration>() / runs as u32,
        servers: sums.first().map_or(0, |totals| totals.servers),
        rpcs: average(|totals| totals.rpcs),
        bytes: average(|totals| totals.bytes),
        committed: average(|totals| totals.committed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(krate: &'static str, module: &'static str) -> Origin {
        Origin { package: "my-raft", krate, module, name: "initial_election_2A" }
    }

    #[test]
    fn the_replay_command_names_package_target_and_test() {
        let integration = replay(7, origin("sim", "sim"));
        let expected = "LAB_SEED=7 cargo test -p my-raft --test sim -- --exact initial_election_2A";
        assert_eq!(integration, expected);
        let unit = origin("my_raft", "my_raft::tests").command();
        assert_eq!(unit, "cargo test -p my-raft --lib -- --exact tests::initial_election_2A");
    }
}
