//! Running a test: on which clock, with which seeds, and what is said when it fails.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrt::world::{Builder, Event, Outcome};
use labrt::{Failure, FailureKind};
use raft_api::Raft;

use crate::cluster::{Cluster, Totals};
use crate::report::Lines;

/// How much lab time a test may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// How many seeds a simulated test runs with, unless `LAB_SEEDS` says otherwise.
const DEFAULT_SEEDS: u64 = 4;

/// With up to so many seeds each run has its own lines; with more, each block of that many.
const LINES_EACH: u64 = 10;
const BLOCK: u64 = 100;

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

/// Which seeds to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seeds {
    first: u64,
    count: u64,
}

impl Seeds {
    /// What the environment asks for.
    ///
    /// # Panics
    /// If a variable is set to what is no number.
    fn from_environment() -> Seeds {
        match (read_number("LAB_SEED"), read_number("LAB_SEEDS")) {
            (None, count) => Seeds { first: 0, count: count.unwrap_or(DEFAULT_SEEDS) },
            (Some(first), count) => Seeds { first, count: count.unwrap_or(1) },
        }
    }

    fn iter(self) -> impl Iterator<Item = u64> {
        (0..self.count).map(move |n| self.first.wrapping_add(n))
    }

    /// The seeds in pieces that have lines of their own.
    fn blocks(self) -> Vec<Seeds> {
        let size = if self.count <= LINES_EACH { 1 } else { BLOCK };
        let starts = (0..self.count).step_by(size as usize);
        let block =
            |at| Seeds { first: self.first.wrapping_add(at), count: size.min(self.count - at) };
        starts.map(block).collect()
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "seed {}", self.first),
            count => write!(f, "seeds {} to {}", self.first, self.first.wrapping_add(count - 1)),
        }
    }
}

fn read_number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    match text.parse() {
        Ok(0) if variable == "LAB_SEEDS" => panic!("LAB_SEEDS=0 would test nothing"),
        Ok(number) => Some(number),
        Err(_) => panic!("{variable} must be a whole number, not `{text}`"),
    }
}

/// Runs a test on the simulated clock, with the seeds that the environment asks for.
///
/// # Panics
/// If it fails with one of them; the message holds the command that repeats that run.
pub fn simulated<R: Raft>(test: &Test<R>, origin: Origin) {
    let seeds = Seeds::from_environment();
    for (number, block) in seeds.blocks().into_iter().enumerate() {
        let title = format!("({}): {} ({block})", test.part, test.title);
        let lines = Arc::new(Lines::begin(title));
        let mut sums = Vec::new();
        for seed in block.iter() {
            let outcome = run(Builder::simulated(seed), test, &lines);
            let totals = outcome.unwrap_or_else(|failure| fail(&lines, &failure, origin)).value;
            sums.push(totals);
        }
        // One run of each test, and of each block, is made twice.
        if number == 0 || block.count > 1 {
            run_again(test, block.first, &lines, origin);
        }
        lines.passed(&mean(&sums));
    }
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
    match run(Builder::real(), test, &lines) {
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
    let budget = match failure.kind {
        FailureKind::TimeLimit => "\n    a test may take 120 s of lab time",
        _ => "",
    };
    let again = match failure.seed {
        Some(seed) => format!("replay: {}", replay(seed, origin)),
        None => format!("run again: {}", origin.command()),
    };
    panic!("{failure}{budget}\n    {again}");
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

    #[test]
    fn few_seeds_have_lines_each_and_many_come_in_blocks() {
        let few = Seeds { first: 3, count: 2 }.blocks();
        assert_eq!(few, [Seeds { first: 3, count: 1 }, Seeds { first: 4, count: 1 }]);
        let many = Seeds { first: 0, count: 250 }.blocks();
        assert_eq!(many.iter().map(|block| block.count).collect::<Vec<_>>(), [100, 100, 50]);
        assert_eq!(many[2].to_string(), "seeds 200 to 249");
        assert_eq!(many.iter().flat_map(|block| block.iter()).collect::<Vec<_>>().len(), 250);
    }
}
