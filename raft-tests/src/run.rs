//! Running a test: on which clock, with which seeds, and what is said when it fails.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use labrt::world::{Builder, Event, Outcome};
use labrt::{Failure, FailureKind};
use labtrace::{Keep, Verdict};
use raft_api::Raft;
use run_record::setting::{Setting, Trouble};

use crate::cluster::{Cluster, Totals};
use crate::recorder::Recorder;
use crate::report::Lines;
use crate::seeds::Seeds;
use crate::trace_files::{self, Folder};
use crate::verdict::{self, Failed, Ran};
use raft_watch::Watch;

/// How much lab time a test may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// How many events of a run on the real clock are kept, in case it fails.
const REAL_RING: usize = 1 << 15;

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
    /// A folder of the build's that tests may write to, if cargo says which.
    pub scratch: Option<&'static str>,
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

    /// The command that repeats a run.
    pub(crate) fn replay(&self, seed: Option<u64>, setting: Setting) -> String {
        let mut command = self.command();
        if let Some(seed) = seed {
            command = format!("LAB_SEED={seed} {command}");
        }
        if !setting.is_whole() {
            command = format!("LAB_SETTING={setting} {command}");
        }
        command
    }
}

/// What a test's body may use beside its cluster.
#[derive(Clone)]
pub struct Context {
    lines: Arc<Lines>,
}

impl Context {
    /// For a body that is run outside of a test: what it says is only in its trace.
    pub fn silent() -> Context {
        Context { lines: Arc::new(Lines::silent()) }
    }

    /// Tells the user of something that is odd but no failure.
    pub fn warn(&self, text: &str) {
        labtrace::note("warning", text);
        self.lines.line(&format!("warning: {text}"));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

/// A test with all that its runs have in common.
struct Runner<'a, R: Raft> {
    test: &'a Test<R>,
    origin: Origin,
    setting: Setting,
    /// Where the trace of each run is to be written, if each is asked for.
    folder: Option<Folder>,
    recorder: Option<Recorder>,
}

/// Runs a test on the simulated clock, with the seeds that the environment asks for.
///
/// It ends with the first failure, unless records were asked for: then it goes on, so that the
/// records show every run. A run that has failed is made again with everything recorded, and leaves
/// its trace and a page behind.
///
/// # Panics
/// If it fails with one of them; the message holds the command that repeats that run.
pub fn simulated<R: Raft>(test: &Test<R>, origin: Origin) {
    let runner = Runner::from_environment(test, origin);
    let seeds = Seeds::from_environment();
    let (mut failed, mut said) = (0, BTreeSet::new());
    for (number, block) in seeds.blocks().into_iter().enumerate() {
        let setting = match runner.setting.is_whole() {
            true => String::new(),
            false => format!(", {}", runner.setting),
        };
        let title = format!("({}): {} ({block}{setting})", test.part, test.title);
        let lines = Arc::new(Lines::begin(title));
        let mut sums = Vec::new();
        for seed in block.iter() {
            let ran = runner.run_recorded(Some(seed), &lines);
            say_what_is_not_judged(&ran, &mut said, &lines);
            match ran.result {
                Ok(outcome) => sums.push(outcome.value),
                Err(failed) if runner.recorder.is_none() => {
                    runner.fail(&lines, seed, failed, ran.files)
                }
                Err(run) => {
                    lines.line(&format!("FAILED (seed {seed}): {}", run.verdict.words));
                    failed += 1;
                }
            }
        }
        // One run of each test, and of each block, is made twice. The reader of records does that
        // by itself.
        if runner.recorder.is_none() && (number == 0 || block.len() > 1) {
            runner.run_again(block.first(), &lines);
        }
        if !sums.is_empty() {
            lines.passed(&mean(&sums));
        }
    }
    assert!(failed == 0, "{failed} of {} runs failed", seeds.len());
}

/// Runs a test once on the real clock. If it fails, the end of its trace and a page are left behind.
///
/// # Panics
/// If it fails.
pub fn real<R: Raft>(test: &Test<R>, origin: Origin) {
    let runner = Runner::from_environment(test, origin);
    let lines = Arc::new(Lines::begin(format!("({}): {}", test.part, test.title)));
    let ran = runner.run_recorded(None, &lines);
    say_what_is_not_judged(&ran, &mut BTreeSet::new(), &lines);
    match ran.result {
        Ok(outcome) => lines.passed(&outcome.value),
        Err(failed) => say_and_panic(&lines, &runner.report(&failed, None, ran.files.as_ref())),
    }
}

/// Says which rules could not be judged: once for a test, not for each of its runs.
fn say_what_is_not_judged(ran: &Ran, said: &mut BTreeSet<String>, lines: &Lines) {
    for sentence in &ran.not_judged {
        if said.insert(sentence.clone()) {
            lines.line(sentence);
        }
    }
}

impl<'a, R: Raft> Runner<'a, R> {
    fn from_environment(test: &'a Test<R>, origin: Origin) -> Self {
        let setting = std::env::var(run_record::setting::VARIABLE).unwrap_or_default();
        let setting = setting.parse().unwrap_or_else(|words| {
            panic!("{}: {words}", run_record::setting::VARIABLE);
        });
        let (folder, recorder) = (Folder::from_environment(), Recorder::from_environment());
        Runner { test, origin, setting, folder, recorder }
    }

    /// Runs the test once and leaves a record of it, if somebody has asked for one.
    fn run_recorded(&self, seed: Option<u64>, lines: &Arc<Lines>) -> Ran {
        let keep = match (&self.folder, seed) {
            (Some(_), _) => Keep::All,
            (None, Some(_)) => Keep::Nothing,
            (None, None) => Keep::Last(REAL_RING),
        };
        let Some(recorder) = &self.recorder else { return self.run(seed, keep, lines) };
        let running = recorder.begin(self.origin.name, self.test.part, seed);
        let ran = self.run(seed, keep, lines);
        recorder.end(running, &ran, |failed| self.report(failed, seed, ran.files.as_ref()));
        ran
    }

    /// Runs the test once and writes its trace, if each run's is asked for or it has failed.
    fn run(&self, seed: Option<u64>, keep: Keep, lines: &Arc<Lines>) -> Ran {
        let world = seed.map_or_else(Builder::real, Builder::simulated);
        let watch = Watch::of::<R>(self.test.servers, keep, self.setting);
        let result = self.run_watched(world, &watch, lines);
        let mut troubles = watch.troubles();
        let result = match result {
            Ok(outcome) => {
                let forced = outcome.trace.as_ref().map_or(0, |trace| trace.forced_switches);
                troubles.set(Trouble::Switches, forced);
                Ok(outcome)
            }
            Err(failure) => {
                troubles.set(Trouble::Switches, failure.forced_switches);
                let verdict = verdict::of(&failure, watch.session().verdict());
                Err(Failed { failure, verdict })
            }
        };
        let failed = result.as_ref().err().map(|failed| &failed.verdict);
        let wanted = self.folder.is_some() || (failed.is_some() && self.recorder.is_none());
        let files = (wanted && keep != Keep::Nothing)
            .then(|| self.write_trace(seed, watch.session(), failed));
        Ran { result, troubles, not_judged: watch.not_judged(), files }
    }

    fn run_watched(
        &self,
        world: Builder,
        watch: &Watch,
        lines: &Arc<Lines>,
    ) -> Result<Outcome<Totals>, Box<Failure>> {
        let Test { servers, unreliable, body, .. } = *self.test;
        let (context, watch) = (Context { lines: lines.clone() }, watch.clone());
        let session = watch.session().clone();
        let switches = self.setting.limit(Trouble::Switches).unwrap_or(u64::MAX);
        world.time_limit(TIME_LIMIT).forced_switches(switches).run(move || {
            let cluster = Cluster::watched(servers, unreliable, watch);
            body(&cluster, &context);
            let totals = cluster.totals();
            session.close();
            cluster.cleanup();
            totals
        })
    }

    fn write_trace(
        &self,
        seed: Option<u64>,
        session: &labtrace::Session,
        verdict: Option<&Verdict>,
    ) -> Result<trace_files::Files, String> {
        let about = trace_files::About {
            test: self.origin.name,
            title: self.test.title,
            part: self.test.part,
            package: self.origin.package,
            servers: self.test.servers,
            seed,
            setting: self.setting,
            replay: self.origin.replay(seed, self.setting),
        };
        let usual = Folder::usual(self.origin.scratch);
        trace_files::write(self.folder.as_ref().unwrap_or(&usual), &about, session, verdict)
    }

    /// Says all about a simulated run that has failed, after it was made again with everything
    /// recorded.
    fn fail(
        &self,
        lines: &Arc<Lines>,
        seed: u64,
        failed: Failed,
        files: Option<Result<trace_files::Files, String>>,
    ) -> ! {
        // To be stuck once more would take as long again.
        let again = files.is_none() && failed.failure.kind != FailureKind::Stuck;
        let files = match again {
            true => {
                let again = self.run(Some(seed), Keep::All, lines);
                match again.result {
                    Err(second) if second.verdict.words == failed.verdict.words => again.files,
                    _ => {
                        let words = "the same seed gave another run when it was recorded: the code \
                                     depends on something outside the simulation";
                        Some(Err(words.to_string()))
                    }
                }
            }
            false => files,
        };
        say_and_panic(lines, &self.report(&failed, Some(seed), files.as_ref()))
    }

    /// All that is known about a failure: the verdict, and how to see it again.
    fn report(
        &self,
        failed: &Failed,
        seed: Option<u64>,
        files: Option<&Result<trace_files::Files, String>>,
    ) -> String {
        let mut report = verdict::text(&failed.verdict, failed.kind());
        match seed {
            Some(seed) => report.push_str(&format!("\n    seed {seed}\n    replay: ")),
            None => report.push_str("\n    run again: "),
        }
        report.push_str(&self.origin.replay(seed, self.setting));
        match files {
            Some(Ok(files)) => report.push_str(&format!(
                "\n    trace: {}\n    page: {}",
                files.trace.display(),
                files.page.display()
            )),
            Some(Err(words)) => report.push_str(&format!("\n    there is no trace: {words}")),
            None => {}
        }
        report
    }

    /// Makes a run twice, with all steps recorded, and compares.
    fn run_again(&self, seed: u64, lines: &Arc<Lines>) {
        let record = || {
            let world = Builder::simulated(seed).record_events(true);
            let watch = Watch::of::<R>(self.test.servers, Keep::Nothing, self.setting);
            match self.run_watched(world, &watch, lines) {
                Ok(outcome) => outcome.trace.expect("a simulated run has a trace"),
                Err(failure) => {
                    let verdict = verdict::of(&failure, watch.session().verdict());
                    self.fail(lines, seed, Failed { failure, verdict }, None)
                }
            }
        };
        let (one, two) = (record(), record());
        if one == two {
            return;
        }
        let both = one.events.iter().zip(&two.events);
        let first = both.clone().position(|(one, two)| one != two);
        let place = first.unwrap_or(one.events.len().min(two.events.len()));
        let message = format!(
            "two runs with seed {seed} differ: the code depends on something outside the \
             simulation (the order of a HashMap, an address, std's clock or threads). At step \
             {place} one had {} and the other {}",
            show_event(one.events.get(place)),
            show_event(two.events.get(place))
        );
        lines.line("FAILED: two runs with the same seed differ");
        panic!("{message}\n    replay: {}", self.origin.replay(Some(seed), self.setting));
    }
}

fn show_event(event: Option<&Event>) -> String {
    match event {
        Some(Event { time, task, op }) => {
            format!("{op:?} of task {task} at {:.6} s", time.as_secs_f64())
        }
        None => "ended".to_string(),
    }
}

/// Says why a test has failed, past the capture of the test harness, and fails it.
fn say_and_panic(lines: &Lines, report: &str) -> ! {
    lines.line(&format!("FAILED: {report}"));
    panic!("{report}");
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
        let name = "initial_election_2A";
        Origin { package: "my-raft", krate, module, name, scratch: None }
    }

    #[test]
    fn the_replay_command_names_package_target_and_test() {
        let integration = origin("sim", "sim").replay(Some(7), Setting::default());
        let expected = "LAB_SEED=7 cargo test -p my-raft --test sim -- --exact initial_election_2A";
        assert_eq!(integration, expected);
        let unit = origin("my_raft", "my_raft::tests").command();
        assert_eq!(unit, "cargo test -p my-raft --lib -- --exact tests::initial_election_2A");
    }

    #[test]
    fn the_replay_command_repeats_the_setting() {
        let setting =
            Setting::default().with(Trouble::Cuts, Some(1)).with(Trouble::Losses, Some(0));
        let replay = origin("sim", "sim").replay(Some(7), setting);
        assert!(replay.starts_with("LAB_SETTING=losses=0,cuts=1 LAB_SEED=7 cargo"), "{replay}");
    }
}
