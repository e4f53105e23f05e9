//! Running a test: on which clock, with which seeds, and what is said when it fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use labrt::world::{Builder, Outcome, Trace};
use labrt::{Failure, FailureKind};
use labtrace::{Keep, Verdict};
use run_record::choices::Case;
use run_record::coverage;
use run_record::setting::{Setting, Trouble};

use crate::recorder::Recorder;
use crate::report::Lines;
use crate::run::Run;
use crate::schedule::Chosen;
use crate::seeds::Seeds;
use crate::test::{Origin, Test, Totals};
use crate::trace_files::{self, Folder};
use crate::twice;
use crate::verdict::{self, Failed, Ran};
use crate::{afresh, foreign};

/// How much lab time a test may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(120);

/// How many events of a run on the real clock are kept, in case it fails.
const REAL_RING: usize = 1 << 15;

/// A test with all that its runs have in common.
struct Runner<'a> {
    test: &'a Test,
    origin: Origin,
    setting: Setting,
    schedule: Chosen,
    /// Where the trace of each run is to be written, if each is asked for.
    folder: Option<Folder>,
    recorder: Option<Recorder>,
    /// Records are to say what was seen.
    covers: bool,
}

/// Runs a test on the simulated clock, with the seeds that the environment asks for.
///
/// It ends with the first failure, unless records were asked for: then it goes on, so that the
/// records show every run. A run that has failed is made again with everything recorded, and leaves
/// its trace and a page behind.
///
/// # Panics
/// If it fails with one of them; the message holds the command that repeats that run.
pub fn simulated(test: &Test, origin: Origin) {
    let runner = Runner::from_environment(test, origin);
    let seeds = Seeds::from_environment();
    let (mut failed, mut said) = (0, BTreeSet::new());
    for (number, block) in seeds.blocks().into_iter().enumerate() {
        let lines = runner.begin(Some(block.to_string()));
        let (mut sums, mut first) = (Vec::new(), None);
        for case in block.iter() {
            let ran = runner.run_recorded(Some(case), &lines);
            say_what_is_missing(&ran, &mut said, &lines);
            match ran.result {
                Ok(outcome) => {
                    sums.push(ran.steps);
                    first = first.or(outcome.trace.map(|trace| (case, trace)));
                }
                Err(failed) if runner.recorder.is_none() => {
                    runner.say_steps(&[ran.steps], &lines);
                    runner.fail(&lines, case, failed, ran.files)
                }
                Err(run) => {
                    let words = verdict::said(&run.verdict.words);
                    lines.line(&format!("FAILED ({case}): {words}"));
                    failed += 1;
                }
            }
        }
        // One run of each test, and of each block, is made twice. The reader of records does that
        // by itself.
        if let Some((case, trace)) = first
            && runner.recorder.is_none()
            && (number == 0 || block.len() > 1)
        {
            runner.run_again(case, &trace, &lines);
        }
        if !sums.is_empty() {
            runner.say_steps(&sums, &lines);
        }
    }
    assert!(failed == 0, "{failed} of {} runs failed", seeds.len());
}

/// Runs a test once on the real clock. If it fails, the end of its trace and a page are left behind.
///
/// # Panics
/// If it fails.
pub fn real(test: &Test, origin: Origin) {
    let runner = Runner::from_environment(test, origin);
    let lines = runner.begin(None);
    let ran = runner.run_recorded(None, &lines);
    say_what_is_missing(&ran, &mut BTreeSet::new(), &lines);
    match ran.result {
        Ok(_) => runner.say_steps(&[ran.steps], &lines),
        Err(failed) => {
            runner.say_steps(&[ran.steps], &lines);
            say_and_panic(&lines, &runner.report(&failed, None, ran.files.as_ref()))
        }
    }
}

/// Says which rules could not be judged, and that a trace or a page could not be written: once for a test, not
/// for each of its runs.
fn say_what_is_missing(ran: &Ran, said: &mut BTreeSet<String>, lines: &Lines) {
    for sentence in &ran.not_judged {
        if said.insert(sentence.clone()) {
            lines.line(sentence);
        }
    }
    let missing: Vec<(&str, &String)> = match &ran.files {
        Some(Err(words)) => vec![("trace", words)],
        Some(Ok(trace_files::Files { page, papers, .. })) => {
            let papers = papers.iter().map(|(name, paper)| (*name, paper));
            let all = [("page", page)].into_iter().chain(papers);
            all.filter_map(|(name, file)| Some((name, file.as_ref().err()?))).collect()
        }
        None => Vec::new(),
    };
    // Each failed run says so in its report.
    for (what, words) in missing.into_iter().filter(|_| ran.result.is_ok()) {
        if said.insert(format!("no {what}")) {
            lines.line(&format!("warning: there is no {what}: {words}"));
        }
    }
}

impl<'a> Runner<'a> {
    fn from_environment(test: &'a Test, origin: Origin) -> Self {
        let setting = std::env::var(run_record::setting::VARIABLE).unwrap_or_default();
        let setting = setting.parse().unwrap_or_else(|words| {
            panic!("{}: {words}", run_record::setting::VARIABLE);
        });
        let (folder, recorder) = (Folder::from_environment(), Recorder::from_environment());
        let schedule = Chosen::from_environment();
        let covers = recorder.is_some() && std::env::var_os(coverage::VARIABLE).is_some();
        Runner { test, origin, setting, schedule, folder, recorder, covers }
    }

    /// Writes the first line of some runs: with these seeds, if they have any.
    fn begin(&self, seeds: Option<String>) -> Arc<Lines> {
        let Test { part, title, steps, .. } = self.test;
        let title = steps.first().copied().unwrap_or(title);
        let setting = (!self.setting.is_whole()).then(|| self.setting.to_string());
        let choice = self.schedule.choice();
        let schedule = (seeds.is_some() && !choice.is_default()).then(|| choice.to_string());
        let details: Vec<String> = seeds.into_iter().chain(setting).chain(schedule).collect();
        let details = match details.is_empty() {
            true => String::new(),
            false => format!(" ({})", details.join(", ")),
        };
        Arc::new(Lines::begin(part, title, details))
    }

    /// Writes the last line of each step that these runs have done, and the first one of the next.
    fn say_steps(&self, runs: &[Vec<Totals>], lines: &Lines) {
        let done = runs.iter().map(Vec::len).min().unwrap_or(0);
        for step in 0..done {
            let sums: Vec<Totals> = runs.iter().map(|run| run[step]).collect();
            lines.passed(self.test.columns, &Totals::mean(&sums));
            if let Some(title) = self.test.steps.get(step + 1) {
                lines.go_on(title);
            }
        }
    }

    /// Runs the test once and leaves a record of it, if somebody has asked for one.
    fn run_recorded(&self, case: Option<&Case>, lines: &Arc<Lines>) -> Ran {
        let keep = match (&self.folder, case) {
            (Some(_), _) => Keep::All,
            (None, Some(_)) => Keep::Nothing,
            (None, None) => Keep::Last(REAL_RING),
        };
        let Some(recorder) = &self.recorder else { return self.run(case, keep, lines) };
        let running = recorder.begin(self.origin.name, self.test.part, case);
        let ran = self.run(case, keep, lines);
        recorder.end(running, &ran, |failed| self.report(failed, case, ran.files.as_ref()));
        ran
    }

    /// Runs the test once and writes its trace, if each run's is asked for or it has failed.
    fn run(&self, case: Option<&Case>, keep: Keep, lines: &Arc<Lines>) -> Ran {
        let world = case.map_or_else(Builder::real, |case| self.world(case));
        let run = Run::with_lines(keep, self.setting, self.covers, lines.clone());
        let result = self.run_in(world, case, &run);
        let mut troubles = run.troubles();
        let mut steps = run.steps();
        let result = match result {
            Ok(mut outcome) => {
                steps.push(outcome.value);
                outcome.value = Totals::whole(&steps);
                let forced = outcome.trace.as_ref().map_or(0, |trace| trace.forced_switches);
                troubles.set(Trouble::Switches, forced);
                Ok(outcome)
            }
            Err(failure) => {
                troubles.set(Trouble::Switches, failure.forced_switches);
                let verdict = verdict::of(&failure, &run);
                Err(Failed { failure, verdict })
            }
        };
        let failed = result.as_ref().err().map(|failed| &failed.verdict);
        let wanted = self.folder.is_some() || (failed.is_some() && self.recorder.is_none());
        let files = (wanted && keep != Keep::Nothing).then(|| self.write_trace(case, &run, failed));
        let schedule = case.map(|case| self.schedule.choice().of_seed(case.seed).to_string());
        let (situations, coverage) = (run.situations(), run.coverage());
        let not_judged = run.not_judged();
        Ran { result, steps, schedule, troubles, situations, coverage, not_judged, files }
    }

    /// The world of a simulated run.
    fn world(&self, case: &Case) -> Builder {
        self.schedule.world(case, |world| {
            let (test, run) = (self.test.clone(), Run::new(Keep::Nothing, self.setting));
            let switches = run.limit(Trouble::Switches);
            let world = world.time_limit(TIME_LIMIT).forced_switches(switches);
            world.estimate(move || test.play(&run))
        })
    }

    fn run_in(
        &self,
        world: Builder,
        case: Option<&Case>,
        run: &Run,
    ) -> Result<Outcome<Totals>, Box<Failure>> {
        let (test, run) = (self.test.clone(), run.clone());
        let switches = run.limit(Trouble::Switches);
        let world = world.time_limit(TIME_LIMIT).forced_switches(switches);
        let replay: Arc<str> = self.replay(case).into();
        let world = world.last_words(last_words(case, &run, replay.clone())).replay(replay);
        world.run(move || test.play(&run))
    }

    fn write_trace(
        &self,
        case: Option<&Case>,
        run: &Run,
        verdict: Option<&Verdict>,
    ) -> Result<trace_files::Files, String> {
        let about = trace_files::About {
            test: self.origin.name,
            path: self.origin.path(),
            title: &self.test.title,
            part: self.test.part,
            package: self.origin.package,
            servers: run.servers(),
            seed: case.map(|case| case.seed),
            setting: self.setting,
            replay: self.replay(case),
        };
        let usual = Folder::usual(self.origin.scratch, self.origin.package);
        let folder = self.folder.as_ref().unwrap_or(&usual);
        trace_files::caught(|| trace_files::write(folder, &about, run, verdict))
    }

    /// Says all about a simulated run that has failed, after it was made again with everything
    /// recorded.
    fn fail(
        &self,
        lines: &Arc<Lines>,
        case: &Case,
        failed: Failed,
        files: Option<Result<trace_files::Files, String>>,
    ) -> ! {
        // To be stuck once more would take as long again.
        let stuck = failed.failure.kind == FailureKind::Stuck;
        let files = match files.is_none() && !stuck {
            true => {
                let again = self.run(Some(case), Keep::All, lines);
                match again.result {
                    Err(second) if second.is_as(&failed) => again.files,
                    _ => {
                        let words = "the same seed gave another run when it was recorded: the code \
                                     depends on something outside the simulation";
                        Some(Err(format!("{words}{}", foreign_lines(foreign::Trouble::Differed))))
                    }
                }
            }
            false => files,
        };
        let mut report = self.report(&failed, Some(case), files.as_ref());
        if !stuck
            && let Some(words) =
                afresh::otherwise(self.origin, case, self.setting, self.schedule.choice(), &failed)
        {
            report.push_str(&format!("\n    careful: {words}"));
        }
        say_and_panic(lines, &report)
    }

    /// The command that repeats a run.
    fn replay(&self, case: Option<&Case>) -> String {
        let schedule = case.map(|case| self.schedule.choice().of_seed(case.seed));
        self.origin.replay(case, self.setting, schedule.unwrap_or_default())
    }

    /// All that is known about a failure: the verdict, and how to see it again.
    fn report(
        &self,
        failed: &Failed,
        case: Option<&Case>,
        files: Option<&Result<trace_files::Files, String>>,
    ) -> String {
        let foreign = case.map(|_| foreign_lines(foreign::Trouble::Failed)).unwrap_or_default();
        let mut report = report(failed, &foreign, case, &self.replay(case));
        match files {
            Some(Ok(files)) => {
                let line = |name, path: &Path| format!("\n    {name}: {}", path.display());
                report.push_str(&line("trace", &files.trace));
                let papers = files.papers.iter().map(|(name, paper)| (*name, paper));
                for (name, file) in [("page", &files.page)].into_iter().chain(papers) {
                    report.push_str(&match file {
                        Ok(path) => line(name, path),
                        Err(words) => format!("\n    there is no {name}: {words}"),
                    });
                }
            }
            Some(Err(words)) => report.push_str(&format!("\n    there is no trace: {words}")),
            None => {}
        }
        report
    }

    /// Makes a run again and compares. If it is not the same, two more runs whose steps are recorded tell
    /// where they part.
    fn run_again(&self, case: &Case, first: &Trace, lines: &Arc<Lines>) {
        let run = |recorded| {
            let world = self.world(case).record_events(recorded);
            let run = Run::with_lines(Keep::Nothing, self.setting, false, lines.clone());
            match self.run_in(world, Some(case), &run) {
                Ok(outcome) => outcome.trace.expect("a simulated run has a trace"),
                Err(failure) => {
                    let verdict = verdict::of(&failure, &run);
                    self.fail(lines, case, Failed { failure, verdict }, None)
                }
            }
        };
        let second = run(false);
        if second == *first {
            return;
        }
        let words = twice::difference(case.seed, [first, &second], [&run(true), &run(true)]);
        // Tasks have names, and who gives them may write anything.
        let words = verdict::said(&words);
        lines.line("FAILED: two runs with the same seed differ");
        let foreign = foreign_lines(foreign::Trouble::Differed);
        let replay = self.replay(Some(case));
        panic!("{words}{foreign}\n    replay: {replay}");
    }
}

/// What has failed, what more is to be said of it, and the command that repeats it.
fn report(failed: &Failed, more: &str, case: Option<&Case>, replay: &str) -> String {
    let report = verdict::text(&failed.verdict, failed.kind()) + more;
    match case {
        Some(case) => format!("{report}\n    {case}\n    replay: {replay}"),
        None => format!("{report}\n    run again: {replay}"),
    }
}

/// What the package under test uses that a simulation does not control, as lines of a report.
fn foreign_lines(trouble: foreign::Trouble) -> String {
    // Cargo runs each test in its package's folder, and whoever else runs one does so too.
    let lines = foreign::lines(Path::new("."), trouble);
    lines.iter().map(|line| format!("\n    {line}")).collect()
}

/// What is said when a panic in a destructor is about to end the process: what came first, and how
/// to see it again. Nobody else will be there to say it.
fn last_words(case: Option<&Case>, run: &Run, replay: Arc<str>) -> impl Fn(&Failure) + use<> {
    let (case, run) = (case.cloned(), run.clone());
    move |failure| {
        let verdict = verdict::of(failure, &run);
        let failed = Failed { failure: Box::new(failure.clone()), verdict };
        run.lines().line(&format!("FAILED: {}", report(&failed, "", case.as_ref(), &replay)));
    }
}

/// Says why a test has failed, past the capture of the test harness, and fails it.
fn say_and_panic(lines: &Lines, report: &str) -> ! {
    lines.line(&format!("FAILED: {report}"));
    panic!("{report}");
}
