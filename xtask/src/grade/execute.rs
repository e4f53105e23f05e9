//! Running the tests of a student's crate, one test after the other, several runs at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use run_record::schedule::Choice;
use run_record::setting::Setting;
use test_runs::build::{Program, TestCase};
use test_runs::engine::{self, Runs};
use test_runs::plan;
use test_runs::platform;
use test_runs::process::{self, Item, Limits, NOT_ALONE};
use test_runs::room::Room;
use test_runs::run::{Run, without_numbers};
use test_runs::scratch::Scratch;

use super::args::Grade;
use super::outcome::{Counted, Outcome, plain};
use super::stops::Stop;

/// So many runs of each test are made first, each in a process of its own. If all of them hang in the same
/// way, the others need not be made: a run that hangs takes a long time.
const FIRST: usize = 3;
/// The most runs of a process: it may take the rest along when it dies, and they are made again.
const MOST_RUNS: usize = 10;
/// What a run may take. The simulation itself reports a task that computes for ever long before.
const HANG_AFTER: Duration = Duration::from_secs(60);
const MEMORY_MIB: u64 = 2048;

/// How tests are run.
pub(crate) struct Execution {
    scratch: Scratch,
    seeds: u64,
    base: u64,
    /// Doubts cost the points of a test.
    strict: bool,
    jobs: usize,
    limits: Limits,
    stop: Stop,
}

impl Execution {
    /// How a crate's tests are run, until it has to stop.
    pub(crate) fn new(grade: &Grade, room: Option<Room>, stop: Stop) -> Result<Execution> {
        let scratch = Scratch::new()?;
        if room.as_ref().is_some_and(Room::changes_user) {
            let cannot = || format!("cannot use {}", scratch.path().display());
            platform::let_nobody_through(scratch.path()).with_context(cannot)?;
        }
        Ok(Execution {
            scratch,
            seeds: grade.seeds,
            base: grade.seed,
            strict: grade.strict,
            jobs: crate::under_test::jobs(grade.jobs),
            limits: Limits {
                hang_after: HANG_AFTER,
                memory_mib: MEMORY_MIB,
                trace: None,
                coverage: false,
                room,
            },
            stop,
        })
    }

    /// A folder for files that are not kept.
    pub(crate) fn scratch(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// Set when it must end.
    pub(crate) fn stop(&self) -> &AtomicBool {
        self.stop.flag()
    }

    /// True if it must end now; the outcome says why.
    pub(crate) fn ends(&self, outcome: &mut Outcome) -> bool {
        if self.stop.interrupted() {
            outcome.interrupt();
            return true;
        }
        let Some(limit) = self.stop.over() else { return false };
        outcome.run_out_of_time(limit);
        true
    }

    /// The same, but for what has all its runs: then nothing has ended early.
    pub(crate) fn ends_before_all(&self, outcome: &mut Outcome) -> bool {
        !outcome.has_all() && self.ends(outcome)
    }

    /// Sees to it that the program can be started at all: if not, that is nobody's fault but ours. What goes wrong
    /// once it runs is returned in words.
    pub(crate) fn check(&self, program: &Program) -> Result<Option<String>> {
        process::check(program, &self.limits, self.scratch(), self.stop())
    }

    /// From now on it may take so long.
    pub(crate) fn begin_limit(&mut self, limit: Option<Duration>) {
        self.stop.limit(limit);
    }

    /// Makes all runs of a test, or as many as there is time for.
    pub(crate) fn run(&self, program: &Program, test: &str) -> Result<Counted> {
        let test = TestCase {
            name: test.to_string(),
            program: program.clone(),
            setting: Setting::default(),
            schedule: Choice::default(),
        };
        let item = |index| Item::new(index, Some(plan::seed(self.base, &test.name, index)));
        let items: Vec<Item> = (0..self.seeds).map(item).collect();
        let (first, rest) = items.split_at(items.len().min(FIRST));
        let mut runs = self.make(&test, first, 1)?;
        let given_up = is_given_up(&runs, first.len(), rest.len());
        if !given_up {
            let size = rest.len().div_ceil(self.jobs).clamp(1, MOST_RUNS);
            runs.extend(self.make(&test, rest, size)?);
        }
        runs.sort_by_key(|(run, _)| run.index);
        self.conclude(&test, &runs, given_up)
    }

    /// What comes of the runs of a test. It is not done before one of them was repeated.
    fn conclude(&self, test: &TestCase, runs: &Runs, given_up: bool) -> Result<Counted> {
        let mut counted = count(runs, given_up);
        let again = self.repeat(test, runs)?;
        let has_all = given_up || counted.runs == self.seeds;
        counted.done = has_all && again != Again::NotMade;
        if let Again::Other(words) = again {
            counted.doubts.push(words);
        }
        counted.void = self.strict && !counted.doubts.is_empty();
        Ok(counted)
    }

    /// Makes a run that passed once more, in a process of its own: one that came after others, if there is
    /// one.
    fn repeat(&self, test: &TestCase, runs: &Runs) -> Result<Again> {
        let passed = runs.iter().map(|(run, _)| run).filter(|run| run.failure.is_none());
        let Some(run) = passed.max_by_key(|run| run.before) else { return Ok(Again::Well) };
        let item = Item::new(run.index, run.seed);
        let made = self.make(test, &[item], 1)?;
        let Some((again, _)) = made.first() else { return Ok(Again::NotMade) };
        Ok(doubt(run, again).map_or(Again::Well, Again::Other))
    }

    /// Makes these runs, so many in each process.
    fn make(&self, test: &TestCase, items: &[Item], size: usize) -> Result<Runs> {
        let chunks: Vec<&[Item]> = items.chunks(size).collect();
        let made = engine::each(self.jobs, &chunks, |chunk| self.all_of(test, chunk));
        Ok(made.with_context(|| format!("while running {}", test.name))?.concat())
    }

    /// Makes these runs, with as many processes as it takes one after the other.
    fn all_of(&self, test: &TestCase, items: &[Item]) -> Result<Runs> {
        let (mut runs, mut left) = (Vec::new(), items.to_vec());
        while !left.is_empty() && !self.stop().load(Ordering::Relaxed) {
            let scratch = self.scratch.path();
            let finished = process::run(test, &left, &self.limits, scratch, self.stop())?;
            let among_others = left.len() > 1;
            left = finished.left;
            for (run, log) in finished.runs {
                match among_others && passes_alone(&run) {
                    // With more cores it would have been alone: what it does then counts.
                    true => runs.extend(self.all_of(test, &[Item::new(run.index, run.seed)])?),
                    false => runs.push((run, log)),
                }
            }
        }
        Ok(runs)
    }
}

/// What came of making a run again.
#[derive(Debug, PartialEq)]
enum Again {
    /// It was the same; or there was none to make again.
    Well,
    /// It was another one, in words.
    Other(String),
    /// It had to end before that.
    NotMade,
}

/// True if a run that failed among others passed when it was made alone, as far as its words can tell.
fn passes_alone(run: &Run) -> bool {
    run.failure.as_ref().is_some_and(|failure| failure.message.ends_with(NOT_ALONE))
}

/// What is to be said of a run that passed if it was another one when it was made again; nothing if it was the same, or
/// nobody knows since its process was killed, and not by us.
fn doubt(run: &Run, again: &Run) -> Option<String> {
    let seed = run.seed.unwrap_or_default();
    match &again.failure {
        Some(_) if again.was_killed() => None,
        Some(failure) => {
            let words = failure.message.lines().next().unwrap_or_default();
            Some(format!(
                "seed {seed} failed when it was repeated in a process of its own: {}: {}",
                failure.title(),
                plain(words)
            ))
        }
        None => (again.hash != run.hash).then(|| {
            format!(
                "seed {seed} gave another run when it was repeated in a process of its own: the code depends \
                 on something outside the simulation, or on what an earlier run has left"
            )
        }),
    }
}

/// True if all of the first runs of a test were made and hang alike, and there are others, which need not be made.
fn is_given_up(runs: &Runs, first: usize, rest: usize) -> bool {
    rest > 0 && runs.len() == first && hang_alike(runs)
}

/// True if these runs all hang, for what looks like one reason.
fn hang_alike(runs: &Runs) -> bool {
    let mut reasons = runs.iter().map(|(run, _)| {
        let failure = run.failure.as_ref()?;
        let hangs = ["hang", "stuck"].contains(&failure.kind.as_str());
        let first_line = failure.message.lines().next().unwrap_or_default();
        hangs.then(|| without_numbers(first_line))
    });
    match reasons.next() {
        Some(Some(first)) => reasons.all(|reason| reason.as_ref() == Some(&first)),
        _ => false,
    }
}

fn count(runs: &Runs, given_up: bool) -> Counted {
    let passed: Vec<&Run> =
        runs.iter().map(|(run, _)| run).filter(|run| run.failure.is_none()).collect();
    let mut failure = runs.iter().find_map(words);
    if let Some(words) = failure.as_mut().filter(|_| given_up) {
        words.push_str("\nall of the first runs hung like this, so no others were made");
    }
    // A run that failed may have ended before there was anything to judge.
    let not_judged = passed.iter().flat_map(|run| run.not_judged.iter().map(|words| plain(words)));
    let doubts = not_judged.collect::<BTreeSet<_>>().into_iter().collect();
    let (runs, passed) = (runs.len() as u64, passed.len() as u64);
    Counted { runs, passed, failure, doubts, ..Counted::default() }
}

/// What is said about a run that failed: the verdict as the test words it; or, if its process died in it,
/// how that came, and the words of the panic in its output. Then the command that repeats it.
fn words((run, log): &(Run, Option<String>)) -> Option<String> {
    let failure = run.failure.as_ref()?;
    if !failure.text.is_empty() {
        return Some(plain(&format!("{}\n{}", failure.text, failure.replay)));
    }
    let log = log.as_deref().unwrap_or_default();
    let lines = log.lines().skip_while(|line| !line.contains("panicked at ")).take(2);
    let panic: String = lines.map(|line| format!("\n{line}")).collect();
    Some(plain(&format!("{}: {}{panic}\n{}", failure.kind, failure.message, failure.replay)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use test_runs::process::KILLED_AGAIN;
    use test_runs::run::RunFailure;

    use super::super::print::Print;
    use super::super::stops::Signals;
    use super::*;
    use crate::labs::Lab;

    fn run(index: u64, failure: Option<(&str, &str)>) -> (Run, Option<String>) {
        let replay = format!("LAB_SEED={index} cargo test");
        let failure =
            failure.map(|(kind, message)| RunFailure { replay, ..RunFailure::new(kind, message) });
        (Run { failure, ..Run::unmeasured(index, Some(index)) }, None)
    }

    #[test]
    fn only_runs_that_hang_alike_are_a_reason_to_give_up() {
        let stuck = |index| run(index, Some(("stuck", &format!("no step for {index} s"))));
        assert!(hang_alike(&vec![stuck(20), stuck(21), stuck(22)]));
        assert!(!hang_alike(&vec![stuck(20), run(1, None), stuck(22)]));
        assert!(!hang_alike(&vec![stuck(20), run(1, Some(("hang", "it made no progress")))]));
        assert!(!hang_alike(&vec![run(0, Some(("panic", "x"))), run(1, Some(("panic", "x")))]));
        assert!(!hang_alike(&Vec::new()));
    }

    #[test]
    fn a_test_is_given_up_only_if_all_first_runs_were_made() {
        let stuck = |count: u64| -> Runs {
            (0..count).map(|index| run(index, Some(("stuck", "no step")))).collect()
        };
        assert!(is_given_up(&stuck(3), 3, 22));
        // It was to end in the middle of them.
        assert!(!is_given_up(&stuck(1), 3, 22) && !is_given_up(&Vec::new(), 3, 22));
        assert!(!is_given_up(&stuck(3), 3, 0), "there are no others");
    }

    #[test]
    fn only_what_the_code_does_is_held_against_a_run_that_is_made_again() {
        let hashed = |hash: Option<&str>, failure| {
            let (run, _) = run(7, failure);
            Run { hash: hash.map(String::from), ..run }
        };
        let words = |again| doubt(&hashed(Some("a"), None), &again);
        assert_eq!(words(hashed(Some("a"), None)), None);
        let said = words(hashed(Some("b"), None)).expect("it is another one");
        assert!(said.starts_with("seed 7 gave another run when it was repeated"), "{said}");
        let said = words(hashed(None, Some(("panic", "no\nmore")))).expect("it fails");
        assert!(said.ends_with("in a process of its own: panic: no"), "{said}");
        let killed = format!("the process died of signal 9{KILLED_AGAIN}");
        assert_eq!(words(hashed(None, Some(("crash", &killed)))), None);
        assert!(words(hashed(None, Some(("panic", &killed)))).is_some(), "the code can say so too");
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        grade: Grade,
    }

    fn execution(options: &[&str], room: Option<Room>) -> Execution {
        let grade = Line::parse_from([&["grade"], options].concat()).grade;
        Execution::new(&grade, room, Signals::default().stop()).expect("a folder")
    }

    #[test]
    fn as_many_processes_run_at_once_as_is_said() {
        assert_eq!(execution(&["--jobs", "3"], None).jobs, 3);
        assert!(execution(&[], None).jobs > 0);
    }

    #[test]
    fn what_is_done_has_not_run_out_of_time() {
        let weights = [("2A".to_string(), 30.0)].into();
        let lab = Lab::named("2").expect("a lab");
        let mut outcome = Outcome::new("x", lab, &weights, (1, 10.0), Print::default());
        let mut execution = execution(&[], None);
        execution.begin_limit(Some(Duration::ZERO));
        let done = || Counted { runs: 1, passed: 1, done: true, ..Counted::default() };
        (0..3).for_each(|place| outcome.take(place, done()));
        assert!(!execution.ends_before_all(&mut outcome));
        outcome.finish();
        assert_eq!((outcome.points, outcome.state()), (Some(30.0), "graded"));
        outcome.take(2, Counted::default());
        assert!(execution.ends_before_all(&mut outcome));
        assert!(outcome.state().starts_with("the time limit of 0s"), "{}", outcome.state());
    }

    #[test]
    fn a_test_is_not_done_before_a_run_of_it_was_repeated() {
        let mut execution = execution(&["--seeds", "3"], None);
        let program = Program {
            clock: run_record::Clock::Sim,
            // Nobody starts it.
            path: "/does/not/exist".into(),
            dir: "/does/not/exist".into(),
            replay: String::new(),
            kept: None,
            sources: Vec::new(),
        };
        let (setting, schedule) = (Setting::default(), Choice::default());
        let test = TestCase { name: "x_2A".to_string(), program, setting, schedule };
        execution.begin_limit(Some(Duration::ZERO));
        while !execution.stop().load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let made = |runs: Runs| execution.conclude(&test, &runs, false).expect("nothing is run");
        let passed = || (0..3).map(|index| run(index, None)).collect::<Runs>();
        let Counted { runs, passed: all, done, .. } = made(passed());
        assert_eq!((runs, all, done), (3, 3, false));
        // Of runs that have failed none is repeated.
        let failed = |index| run(index, Some(("panic", "x")));
        assert!(made((0..3).map(failed).collect()).done);
        assert!(!made(passed()[..2].to_vec()).done);
    }

    #[cfg(unix)]
    #[test]
    fn no_other_user_looks_into_the_folder_for_temporary_files() {
        use std::os::unix::fs::MetadataExt as _;

        for nobody in [false, true] {
            let room = Some(Room { nobody, ..Room::default() });
            let execution = execution(&[], room.clone());
            let data = std::fs::metadata(execution.scratch()).expect("it is there");
            let let_through = room.is_some_and(|room| room.changes_user());
            assert_eq!(data.mode() & 0o777, if let_through { 0o710 } else { 0o700 });
            assert_eq!(data.gid() == platform::NOBODY, let_through);
        }
    }

    #[test]
    fn the_first_failure_stands_for_all() {
        let runs =
            vec![run(0, None), run(1, Some(("panic", "\x1b[1mx"))), run(2, Some(("hang", "y")))];
        let Counted { runs: made, passed, failure, .. } = count(&runs, false);
        assert_eq!((made, passed), (3, 1));
        assert_eq!(failure.as_deref(), Some("panic: x\nLAB_SEED=1 cargo test"));
    }

    #[test]
    fn what_was_not_judged_is_said_once() {
        let mut runs = vec![run(0, None), run(1, None), run(2, Some(("panic", "x")))];
        for (run, _) in &mut runs {
            run.not_judged = vec!["not judged: a rule".to_string()];
        }
        runs[2].0.not_judged = vec!["not judged: nothing was seen".to_string()];
        assert_eq!(count(&runs, false).doubts, ["not judged: a rule"]);
    }

    #[test]
    fn a_failure_is_said_as_the_test_says_it() {
        let (mut failed, _) = run(1, Some(("panic", "a rule: words")));
        let output = "x\nthread 'main' panicked at src/lib.rs:1:\nI did not expect it\nmore\n";
        let died = (failed.clone(), Some(format!("how it died\n\n---- output ----\n{output}")));
        assert_eq!(
            words(&died).as_deref(),
            Some(
                "panic: a rule: words\nthread 'main' panicked at src/lib.rs:1:\nI did not expect \
                 it\nLAB_SEED=1 cargo test"
            )
        );
        let failure = failed.failure.as_mut().expect("it failed");
        failure.text = "a rule: words\n    - a fact".to_string();
        assert_eq!(
            words(&(failed, None)).as_deref(),
            Some("a rule: words\n    - a fact\nLAB_SEED=1 cargo test")
        );
    }
}
