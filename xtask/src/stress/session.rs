//! One stress run: from the command line, or from the folder of one that was stopped, to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, bail, ensure};
use run_record::{Clock, file_name};
use test_runs::build::{Listed, TestCase};
use test_runs::engine::{self, Runs};
use test_runs::package::Package;
use test_runs::plan::{Goal, Plan, Shard};
use test_runs::platform;
use test_runs::process::Limits;
use test_runs::scratch::Scratch;

use super::args::{ClockArg, RunArgs};
use super::folder::{self, Folder, Line, Order};
use super::model::{Determinism, Group, Report, State, VERSION};
use super::program::Program;
use super::repeat::Again;
use super::subject::subject;
use super::tally::Tally;
use super::{conclude, micros, words};
use crate::progress::Display;
use crate::say::{counted, note};
use crate::under_test::{self, How};
use crate::{labs, shell, workspace};

/// How often the report is written while runs are made.
const REPORTED_EVERY: Duration = Duration::from_secs(10);

/// A run under way.
struct Session {
    order: Order,
    folder: Folder,
    tests: Vec<TestCase>,
    /// In words, that some tests are ignored, if some are.
    ignored: Option<String>,
    tallies: Vec<Tally>,
    /// How many runs are in the folder.
    kept: u64,
    /// How long it took before it was stopped the last time.
    earlier: Duration,
    start: Instant,
    reported: Instant,
}

/// Makes runs as the command line says; returns the exit code.
pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let package = args.which.find(&args.filters)?;
    // The report has them in it.
    for path in args.out.iter().chain([&package.dir]) {
        ensure!(
            path.to_str().is_some(),
            "{} is not UTF-8, and could not be written into a report: use a folder of another name",
            path.display()
        );
    }
    let stop = under_test::stop_on_signal()?;
    let found = find_tests(args, &package, &stop)?;
    let folder = match &args.out {
        Some(out) => Folder::new(out)?,
        None => {
            let parent = super::stress_folder(&package.dir)?;
            match &args.name {
                // What the user has given is not changed.
                Some(name) => Folder::new(&parent.join(name))?,
                None => Folder::new_in(&parent, &format!("run-{began}"))?,
            }
        }
    };
    let name = args.name.clone().unwrap_or_else(|| folder.name());
    let subject = subject(args, &package, Program::of(&found.tests)?);
    let args = args.clone();
    let order = Order { version: VERSION, name, began, subject, dir: package.dir, args };
    folder.write_json("plan.json", &order)?;
    Session::new(order, folder, found).go_on(&stop, Vec::new())
}

/// Goes on with the run of a folder; returns the exit code.
pub(crate) fn resume(path: &Path) -> Result<u8> {
    let order = folder::order(path)?;
    let package = Package { name: order.subject.package.clone(), dir: order.dir.clone() };
    let Some(then) = &order.subject.program else {
        bail!(
            "the runs in {} are of an earlier `cargo xtask stress`, which did not keep what program they are of: \
             nobody can tell whether it is the same now; begin anew, without --resume",
            path.display()
        );
    };
    // Before the tests are built: whoever comes too late is to know it soon.
    let folder = Folder::open(path)?;
    let stop = under_test::stop_on_signal()?;
    let found = find_tests(&order.args, &package, &stop)?;
    let mut now = Program::of(&found.tests)?;
    now.asked(&then.variables.keys().cloned().collect());
    if let Some(difference) = then.differs(&now) {
        bail!("{}", difference.since(&shell::quoted(path)));
    }
    let mut session = Session::new(order, folder, found);
    session.earlier =
        folder::report(path).map_or(Duration::ZERO, |report| Duration::from_micros(report.wall_us));
    let done = session.recall()?;
    session.go_on(&stop, done)
}

impl Session {
    fn new(order: Order, folder: Folder, found: Listed) -> Session {
        let ignored = under_test::ignored_in_words(&found);
        let tests = found.tests;
        let shard = order.args.shard.unwrap_or(Shard::WHOLE);
        let stops = order.subject.stops_at_failure;
        let tally =
            |test: &TestCase| Tally::new(&test.name, test.part(), test.program.clock, shard, stops);
        let tallies = tests.iter().map(tally).collect();
        let now = Instant::now();
        let earlier = Duration::ZERO;
        let kept = 0;
        Session { order, folder, tests, ignored, tallies, kept, earlier, start: now, reported: now }
    }

    /// Counts the runs that the folder has already; returns their numbers, by test.
    fn recall(&mut self) -> Result<Vec<BTreeSet<u64>>> {
        let key = |test: &TestCase| (test.name.clone(), test.program.clock);
        let places: BTreeMap<_, _> = self.tests.iter().map(key).zip(0..).collect();
        let mut done = vec![BTreeSet::new(); self.tests.len()];
        let path = self.folder.path().to_owned();
        folder::each_run(&path, |line| {
            let place = places.get(&(line.test.clone(), line.clock));
            let Some(&place) = place else {
                bail!("{} has runs of {}, which does not exist any more", path.display(), line.test)
            };
            let place: usize = place;
            if done[place].insert(line.run.index) {
                self.tallies[place].add(&line.run);
                self.kept += 1;
            }
            Ok(())
        })?;
        Ok(done)
    }

    /// Makes the runs that are not done yet, and reports.
    fn go_on(mut self, stop: &AtomicBool, done: Vec<BTreeSet<u64>>) -> Result<u8> {
        let args = self.order.args.clone();
        let jobs = jobs(&args);
        self.header(jobs, done.iter().map(|done| done.len() as u64).sum());
        self.write(State::Running, &Determinism::default())?;
        let scratch = Scratch::new()?;
        let limits = Limits {
            hang_after: args.hang_after,
            memory_mib: args.memory,
            trace: None,
            coverage: false,
            room: None,
        };
        let pin = args.load == 1 && args.clock == ClockArg::Sim;
        let settings = engine::Settings {
            jobs,
            limits: limits.clone(),
            fail_fast: args.fail_fast,
            pin,
            scratch: scratch.path(),
            stop,
        };
        let mut plan = Plan::new(&self.tests, args.seed, self.goal(), args.shard);
        for (place, done) in done.into_iter().enumerate() {
            plan.resume(place, done, self.tallies[place].report().failures);
        }
        if args.fail_fast && self.tallies.iter().any(|tally| tally.report().failures > 0) {
            // The failure has ended it already.
            plan.close_resumed();
        }
        let tests = self.tests.clone();
        let mut display = Display::new(tests.len(), jobs);
        let mut show = |plan: &Plan| display.show(&tests, plan);
        let made = engine::stream(&tests, plan, &settings, &mut |p, r| self.take(p, r), &mut show);
        display.finish();
        let again = Again { tests: &tests, jobs, limits: &limits, scratch: scratch.path(), stop };
        let repeated = made.and_then(|()| self.repeat(&again));
        let (state, determinism) = match &repeated {
            Ok(_) if stop.load(Ordering::Relaxed) => (State::Interrupted, Determinism::default()),
            Ok(determinism) => (State::Finished, determinism.clone()),
            Err(_) => (State::Failed, Determinism::default()),
        };
        let report = self.report(state, determinism);
        let history = super::stress_folder(&self.order.dir);
        let concluded = conclude(&report, &self.folder, history.ok().as_deref());
        // What went wrong first is what the user must know of.
        repeated.map(|_| ()).and(concluded).map_err(|error| self.told(&error, state))
    }

    /// When each test has been run often enough; what was done before counts.
    fn goal(&self) -> Goal {
        match self.order.args.goal() {
            Goal::Until(end) => Goal::Until(end.checked_sub(self.earlier).unwrap_or(end)),
            goal => goal,
        }
    }

    /// Some runs of a test have ended.
    fn take(&mut self, place: usize, runs: Runs) -> Result<()> {
        let test = &self.tests[place];
        let mut is_news = false;
        if let Some(program) = &mut self.order.subject.program {
            for (run, _) in &runs {
                is_news |= program.asked(&run.asked);
            }
        }
        // Before the runs: with what they depend on they can be gone on with, and not without.
        if is_news {
            self.folder.write_json("plan.json", &self.order)?;
        }
        for (mut run, log) in runs {
            if let Some(failure) = &mut run.failure {
                failure.log = Some(log_file(&test.name, test.program.clock, run.index));
            }
            // Of many alike failures, only some keep theirs.
            self.tallies[place].shed(&mut run);
            let failure = run.failure.as_mut().filter(|failure| failure.log.is_some());
            if let (Some(failure), Some(log)) = (failure, log)
                && let Some(file) = &failure.log
                && let Err(error) = self.folder.write(file, &log)
            {
                // The run is what counts. Of a disk that is full, its line will tell.
                note(&format!(
                    "stress: there is no log of run {} of {}: {error:#}",
                    run.index, test.name
                ));
                failure.log = None;
            }
            let line = Line { test: test.name.clone(), clock: test.program.clock, run };
            self.folder.append(std::slice::from_ref(&line))?;
            // Only what is kept is counted: otherwise the two would not agree.
            self.tallies[place].add(&line.run);
            self.kept += 1;
        }
        if self.reported.elapsed() >= REPORTED_EVERY {
            self.write(State::Running, &Determinism::default())?;
            self.reported = Instant::now();
        }
        Ok(())
    }

    /// Makes some runs again, unless the user wants to end.
    fn repeat(&mut self, again: &Again<'_>) -> Result<Determinism> {
        if again.stop.load(Ordering::Relaxed) {
            return Ok(Determinism::default());
        }
        let mut determinism = again.passed(&self.tallies)?;
        let of = |(test, tally)| -> Vec<(&TestCase, &mut Group)> {
            let test: &TestCase = test;
            let tally: &mut Tally = tally;
            tally.groups_mut().iter_mut().map(|group| (test, group)).collect()
        };
        let mut groups: Vec<_> = self.tests.iter().zip(&mut self.tallies).flat_map(of).collect();
        determinism.untried = again.failed(&mut groups)?;
        Ok(determinism)
    }

    fn report(&self, state: State, determinism: Determinism) -> Report {
        let Order { name, began, subject, args, .. } = &self.order;
        let shard = args.shard.map(|shard| format!("{}/{}", shard.k, shard.n));
        Report {
            version: VERSION,
            name: name.clone(),
            began: *began,
            wall_us: micros(self.earlier + self.start.elapsed()),
            state,
            subject: subject.clone(),
            shards: shard.into_iter().collect(),
            missing: Vec::new(),
            jobs: jobs(args) as u64,
            tests: self.tallies.iter().map(|tally| tally.report().clone()).collect(),
            determinism,
        }
    }

    fn write(&self, state: State, determinism: &Determinism) -> Result<()> {
        self.folder.write_json("report.json", &self.report(state, determinism.clone()))
    }

    /// Why it could not be brought to its end, and what is there all the same.
    fn told(&self, error: &anyhow::Error, state: State) -> anyhow::Error {
        let folder = shell::quoted(self.folder.path());
        match state {
            State::Finished => anyhow!("{error:#}\nAll was done; the report is in {folder}"),
            _ => anyhow!(
                "{error:#}\nThis says nothing about the code under test. {} runs are kept in {folder}; \
                 to go on: cargo xtask stress --resume {folder}",
                self.kept
            ),
        }
    }

    fn header(&self, jobs: usize, done: u64) {
        let Order { args, subject, .. } = &self.order;
        let clocks: Vec<&str> = [(Clock::Sim, "simulated"), (Clock::Real, "real")]
            .into_iter()
            .filter(|(clock, _)| args.clock.all().contains(clock))
            .map(|(_, name)| name)
            .collect();
        let dir = self.order.dir.display();
        note(&format!(
            "stress: {} of {} in {dir} on the {} clock, {}, {jobs} at once, base seed {}",
            counted(self.tests.len() as u64, "test"),
            subject.package,
            clocks.join(" and the "),
            subject.goal,
            subject.seed
        ));
        if let Some(ignored) = &self.ignored {
            note(&format!("stress: {ignored}"));
        }
        if done > 0 {
            note(&format!("stress: {} made already", counted(done, "run")));
        }
        if let Some(absent) = platform::ABSENT {
            note(&format!("stress: note: {absent}"));
        }
    }
}

fn find_tests(args: &RunArgs, package: &Package, stop: &AtomicBool) -> Result<Listed> {
    let RunArgs { release, schedule, soak, .. } = *args;
    let how = How { clocks: args.clock.all(), release, schedule };
    let end = if soak { labs::SOAK } else { "" };
    under_test::find_ending(package, &args.filters, end, how, stop)
}

fn jobs(args: &RunArgs) -> usize {
    let cores = under_test::jobs(None) as u64;
    let usual = match args.clock {
        ClockArg::Sim => cores,
        // A real test sleeps for all but a hundredth of its time.
        ClockArg::Real | ClockArg::Both => cores * 8,
    };
    usize::try_from(args.jobs.unwrap_or(usual) * args.load).unwrap_or(1)
}

/// A run's folder, by its path or by its name. A run that had no time to report, or no room, has a plan.
pub(crate) fn folder_of(named: &Path) -> PathBuf {
    let is_run =
        |folder: &Path| ["report.json", "plan.json"].iter().any(|file| folder.join(file).exists());
    if is_run(named) {
        return named.to_owned();
    }
    let here = super::stress_folder(Path::new(".")).map(|parent| parent.join(named));
    match here {
        Ok(here) if is_run(&here) => here,
        _ => match super::stress_folder(&workspace()) {
            Ok(parent) => parent.join(named),
            Err(_) => named.to_owned(),
        },
    }
}

/// Where in the folder the log of a failed run is.
fn log_file(test: &str, clock: Clock, index: u64) -> String {
    format!("logs/{}-{}-{index}.txt", file_name(test), words::clock(clock))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use test_runs::run::Run;

    use super::*;
    use crate::stress::model::tests::{report, run};
    use crate::under_test::tests::no_program;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: RunArgs,
    }

    /// A session of one test that nobody runs, in this folder.
    fn session(out: &Path) -> Session {
        let order = Order {
            version: VERSION,
            name: "r".into(),
            began: 0,
            subject: report("r", Vec::new()).subject,
            dir: out.to_owned(),
            args: CommandLine::parse_from(["stress"]).args,
        };
        let program = no_program();
        let (setting, schedule) = Default::default();
        let test = TestCase { name: "a_2A".into(), program, setting, schedule };
        let found = Listed { tests: vec![test], ignored: Vec::new() };
        Session::new(order, Folder::new(out).expect("a folder"), found)
    }

    #[test]
    fn a_log_that_cannot_be_written_costs_that_log_alone() {
        let top = tempfile::tempdir().expect("a folder");
        let out = top.path().join("out");
        let mut session = session(&out);
        fs::create_dir(out.join("logs/a_2A-sim-1.txt")).expect("something is in its place");
        let runs = [None, Some("no"), Some("no"), None].into_iter().zip(0..);
        let runs = runs.map(|(failure, index)| (run(index, failure), failure.map(String::from)));
        session.take(0, runs.collect()).expect("the runs can be written");
        let mut kept: Vec<Run> = Vec::new();
        folder::each_run(&out, |line| {
            kept.push(line.run);
            Ok(())
        })
        .expect("they can be read");
        assert_eq!((session.kept, session.tallies[0].report().runs), (4, 4));
        assert_eq!(kept.iter().map(|run| run.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let log = |index: usize| kept[index].failure.as_ref().expect("it failed").log.clone();
        assert_eq!((log(1), log(2)), (None, Some("logs/a_2A-sim-2.txt".into())));
        assert_eq!(fs::read_to_string(out.join("logs/a_2A-sim-2.txt")).expect("a log"), "no");
    }

    #[test]
    fn a_log_has_a_name_that_every_system_takes() {
        assert_eq!(log_file("figure_8_2C", Clock::Sim, 3), "logs/figure_8_2C-sim-3.txt");
        assert_eq!(log_file("storms::churn_2C", Clock::Real, 0), "logs/storms.churn_2C-real-0.txt");
    }
}
