//! A hunt under way: several processes, each with a batch of the test whose turn it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use run_record::choices::Case;
use test_runs::build::TestCase;
use test_runs::run::Run;
use trace_view::{clean, grouped};

use super::batch::Place;
use super::corpus::{Folder, Found, Subject};
use super::report;
use super::search::Search;
use crate::say::{counted, note};

/// How often it is said how far the hunt is, and the corpus is written.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// When a hunt ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) end: Option<Instant>,
    /// Runs of each test; those of earlier hunts do not count.
    pub(crate) runs: Option<u64>,
}

/// What all workers share.
pub(crate) struct Session<'a> {
    tests: &'a [TestCase],
    limits: Limits,
    place: &'a Place<'a>,
    folder: &'a Folder,
    subject: &'a Subject,
    /// The options of the hunt that `trace` and `shrink` have too.
    again: String,
    /// Of tests that are not in this hunt; they stay in the corpus.
    others: Vec<Search>,
    state: Mutex<State>,
}

struct State {
    /// One for each test.
    searches: Vec<Search>,
    /// How many runs of each test this hunt has handed out.
    handed_out: Vec<u64>,
    /// How many runs this hunt has made.
    made: u64,
    /// What is said of the failure of each test that has failed, by its place.
    found: BTreeMap<usize, String>,
    said: Instant,
    error: Option<anyhow::Error>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        tests: &'a [TestCase],
        limits: Limits,
        place: &'a Place<'a>,
        (folder, subject): (&'a Folder, &'a Subject),
        again: String,
    ) -> Result<Session<'a>> {
        let mut known = folder.read(subject)?;
        let mut search = |test: &TestCase| {
            let place = known.iter().position(|search| search.test() == test.name);
            let new = || Search::new(&test.name, subject.seed, subject.kinds.clone());
            place.map_or_else(new, |place| known.swap_remove(place))
        };
        let searches: Vec<Search> = tests.iter().map(&mut search).collect();
        let handed_out = vec![0; searches.len()];
        let (found, said) = (BTreeMap::new(), Instant::now());
        let state = Mutex::new(State { searches, handed_out, made: 0, found, said, error: None });
        Ok(Session { tests, limits, place, folder, subject, again, others: known, state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Searches until all is found, or the time is over; then the corpus is written. What is said of each
    /// failure, also if the hunt could not be brought to its end.
    ///
    /// # Errors
    /// Beside it: if runs or files cannot be made, or the end came before the first run.
    pub(crate) fn run(&self, jobs: usize) -> (Vec<String>, Result<()>) {
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| self.work());
            }
        });
        let mut state = self.lock();
        let error = state.error.take();
        let written = self.write(&state);
        note(&state.line());
        let found = std::mem::take(&mut state.found).into_values().collect();
        // What went wrong first is what the user must know of.
        let ended = error.map_or(Ok(()), Err).and(written).and_then(|()| {
            // It must not look as if nothing had failed.
            ensure!(
                state.made > 0,
                "no run was made: the hunt was over before the first had ended; give it more time"
            );
            Ok(())
        });
        (found, ended)
    }

    fn work(&self) {
        while let Some((test, cases)) = self.hand_out() {
            let runs = self.place.run(&self.tests[test], cases);
            let mut state = self.lock();
            if let Err(error) = runs.and_then(|runs| self.take(&mut state, test, runs)) {
                state.error.get_or_insert(error);
            }
        }
    }

    /// The next batch: of the test with the fewest runs in this hunt.
    fn hand_out(&self) -> Option<(usize, Vec<Case>)> {
        let mut state = self.lock();
        let late = self.limits.end.is_some_and(|end| Instant::now() >= end);
        if late || state.error.is_some() || self.place.is_stopped() {
            return None;
        }
        let most = self.limits.runs.unwrap_or(u64::MAX);
        let wanting = (0..self.tests.len())
            .filter(|test| !state.found.contains_key(test) && state.handed_out[*test] < most);
        let test = wanting.min_by_key(|test| state.handed_out[*test])?;
        let left = most - state.handed_out[test];
        let cases = state.searches[test].next(left);
        state.handed_out[test] += cases.len() as u64;
        Some((test, cases))
    }

    /// A batch is done.
    fn take(&self, state: &mut State, test: usize, runs: Vec<(Case, Run, String)>) -> Result<()> {
        for (case, run, log) in runs {
            state.searches[test].learn(&case, &run);
            state.made += 1;
            if run.failure.is_some() && !state.found.contains_key(&test) {
                let (words, kept) = self.tell(state, test, &case, &run, &log);
                state.found.insert(test, words);
                kept?;
            }
        }
        if state.said.elapsed() >= SAID_EVERY {
            state.said = Instant::now();
            note(&state.line());
            self.write(state)?;
        }
        Ok(())
    }

    fn write(&self, state: &State) -> Result<()> {
        let all = state.searches.iter().chain(&self.others).cloned().collect();
        self.folder.write(self.subject, all)
    }

    /// Keeps a failure. What is said of it, which does not depend on whether it could be kept.
    fn tell(
        &self,
        state: &State,
        test: usize,
        case: &Case,
        run: &Run,
        log: &str,
    ) -> (String, Result<()>) {
        let Some(failure) = &run.failure else { return (String::new(), Ok(())) };
        let name = &self.tests[test].name;
        let found = Found {
            test: name.clone(),
            case: case.clone(),
            runs: state.searches[test].runs,
            verdict: failure.title().to_string(),
            replay: failure.replay.clone(),
        };
        note(&clean(&noted(&found)));
        let kept = self.folder.add(&found, log);
        let file = kept.as_deref().ok();
        (report::of(&found, failure, self.subject.schedule, &self.again, file), kept.map(drop))
    }
}

/// What is said of a failure as soon as it is found: enough to make its run again.
fn noted(found: &Found) -> String {
    let Found { test, case, runs, verdict, .. } = found;
    format!("{test} has failed in run {runs} ({case}): {verdict}")
}

/// A suite with a watch of its own may tell of nothing. Then runs are as good as drawn.
fn unguided(made: u64, seen: u64) -> &'static str {
    match (made, seen) {
        (1.., 0) => {
            " (who watches these tests tells of nothing that could be new, so nothing guides the hunt: \
              `tester::Watcher::coverage` and `situations`)"
        }
        _ => "",
    }
}

impl State {
    fn line(&self) -> String {
        let sum = |of: fn(&Search) -> u64| self.searches.iter().map(of).sum::<u64>();
        let seen = sum(|search| search.seen() as u64);
        format!(
            "{}{}, {} seen, {} kept, of {} a run has failed{}",
            counted(self.made, "run"),
            self.earlier(sum(|search| search.runs)),
            counted(seen, "different thing"),
            counted(sum(|search| search.parents() as u64), "run"),
            counted(self.found.len() as u64, "test"),
            unguided(self.made, seen)
        )
    }

    /// What is said of the runs that earlier hunts have made.
    fn earlier(&self, all: u64) -> String {
        match all.saturating_sub(self.made) {
            0 => String::new(),
            earlier => format!(" after {} of earlier hunts", grouped(earlier)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;

    use test_runs::run::RunFailure;

    use super::*;

    #[test]
    fn a_hunt_that_nothing_guides_says_so() {
        assert!(unguided(5, 0).contains("nothing guides the hunt"));
        assert_eq!([unguided(5, 1), unguided(0, 0)], ["", ""]);
    }

    fn test() -> TestCase {
        let program = test_runs::build::Program {
            clock: run_record::Clock::Sim,
            path: PathBuf::new(),
            dir: PathBuf::new(),
            replay: String::new(),
            kept: None,
            sources: Vec::new(),
        };
        let (setting, schedule) = (Default::default(), Default::default());
        TestCase { name: "churn_2C".into(), program, setting, schedule }
    }

    #[test]
    fn a_failure_is_told_although_the_hunt_breaks() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(&top.path().join("hunt")).expect("a folder");
        let subject = Subject {
            package: "my-raft".into(),
            seed: 1,
            schedule: Default::default(),
            setting: String::new(),
            kinds: Default::default(),
        };
        let limits = test_runs::process::Limits {
            hang_after: SAID_EVERY,
            memory_mib: 1024,
            trace: None,
            coverage: false,
            room: None,
        };
        let place = Place { limits, scratch: top.path(), stop: &AtomicBool::new(false) };
        let tests = [test()];
        let limits = Limits { end: None, runs: Some(0) };
        let hunt = Session::new(&tests, limits, &place, (&folder, &subject), String::new());
        let hunt = hunt.expect("a hunt");
        let case = Case { seed: 42, choices: Default::default() };
        let failure = RunFailure { replay: "LAB_SEED=42".into(), ..RunFailure::new("panic", "no") };
        let run = Run { failure: Some(failure), ..Run::unmeasured(0, Some(42)) };
        // The log of the failure cannot be written.
        std::fs::create_dir(folder.path().join("churn_2C-42-1.txt")).expect("a folder");
        let taken = hunt.take(&mut hunt.lock(), 0, vec![(case, run, String::new())]);
        let error = taken.expect_err("it cannot be kept");
        hunt.lock().error.get_or_insert(error);
        let (found, ended) = hunt.run(1);
        let words = format!("{:#}", ended.expect_err("it is broken"));
        assert!(words.starts_with("cannot write to"), "{words}");
        let [one] = found.as_slice() else { panic!("{found:?}") };
        let lines = ["churn_2C: no\n", "replay   LAB_SEED=42\n", "log      could not be kept\n"];
        assert!(lines.iter().all(|line| one.contains(line)), "{one}");
    }

    #[test]
    fn what_is_noted_of_a_failure_names_its_run() {
        let found = Found {
            test: "churn_2C".into(),
            case: Case { seed: 42, choices: "1.5:7".parse().expect("choices") },
            runs: 412,
            verdict: "deadlock".into(),
            replay: String::new(),
        };
        let words = "churn_2C has failed in run 412 (seed 42, choices 1.500000:7): deadlock";
        assert_eq!(noted(&found), words);
    }
}
