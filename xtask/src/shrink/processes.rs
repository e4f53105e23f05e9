//! Making runs: test processes, several at once, each for some seeds.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use run_record::choices::Choices;
use run_record::setting::{Setting, Trouble};
use test_runs::build::TestCase;
use test_runs::process::{self, Item, Limits};
use test_runs::run::Run;

use super::absent::Seen;
use super::case::{Outcome, outcome};
use super::trials::{Halt, World};

/// The most seeds of a process: one that dies takes the rest along, which are run again.
const MOST_SEEDS: usize = 50;

/// The world of a test program.
#[derive(Clone)]
pub(crate) struct Processes {
    pub(crate) test: TestCase,
    /// From when on all runs draw other numbers than their seeds would.
    pub(crate) choices: Choices,
    pub(crate) limits: Limits,
    pub(crate) jobs: usize,
    /// A folder for files that are not kept.
    pub(crate) scratch: PathBuf,
    /// Set by Ctrl-C.
    pub(crate) stop: Arc<AtomicBool>,
    /// When to give up.
    pub(crate) deadline: Option<Instant>,
    /// What was seen in the runs. The reference's runs have the same.
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl World for Processes {
    fn run(&mut self, setting: &Setting, seeds: &[u64]) -> Result<Vec<Outcome>, Halt> {
        let test = TestCase { setting: *setting, ..self.test.clone() };
        let items: Vec<Item> =
            (0..).zip(seeds).map(|(index, &seed)| self.item(index, seed)).collect();
        let size = items.len().div_ceil(self.jobs).clamp(1, MOST_SEEDS);
        let chunks = Mutex::new(items.chunks(size));
        // What ends the processes: Ctrl-C, the deadline, or an error of another one.
        let cut = AtomicBool::new(false);
        let (send, receive) = mpsc::channel();
        let work = |send: mpsc::Sender<Result<Part>>| {
            let next = || chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some(chunk) = next() {
                if cut.load(Ordering::Relaxed) {
                    return;
                }
                // Nobody listens any more if another one has failed.
                let _ = send.send(self.all_of(&test, chunk, &cut));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(items.len().div_ceil(size)) {
                let send = send.clone();
                scope.spawn(|| work(send));
            }
            // If all workers end, there is nothing more to wait for.
            drop(send);
            let result = self.collect(&receive, items.len());
            cut.store(true, Ordering::Relaxed);
            result
        })
    }
}

/// The outcomes of some runs, by their place in the list that was asked for.
type Part = Vec<(usize, Outcome)>;

impl Processes {
    fn item(&self, index: u64, seed: u64) -> Item {
        Item { choices: self.choices.clone(), ..Item::new(index, Some(seed)) }
    }

    /// Waits for all outcomes, or for a reason to wait no longer.
    fn collect(
        &self,
        parts: &mpsc::Receiver<Result<Part>>,
        count: usize,
    ) -> Result<Vec<Outcome>, Halt> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; count];
        let mut missing = count;
        while missing > 0 {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Halt::Interrupted);
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Halt::Budget);
            }
            match parts.recv_timeout(Duration::from_millis(20)) {
                Ok(part) => {
                    for (place, outcome) in part.map_err(Halt::Broken)? {
                        outcomes[place] = Some(outcome);
                        missing -= 1;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(Halt::Broken(anyhow!("runs of {} got lost", self.test.name)));
                }
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    /// Makes these runs, with as many processes as it takes one after the other.
    fn all_of(&self, test: &TestCase, items: &[Item], cut: &AtomicBool) -> Result<Part> {
        let mut part = Vec::new();
        let mut left = items.to_vec();
        while !left.is_empty() && !cut.load(Ordering::Relaxed) {
            let finished = process::run(test, &left, &self.limits, &self.scratch, cut)
                .with_context(|| format!("while running {}", test.name))?;
            let ended = finished.runs.iter();
            part.extend(ended.map(|(run, _)| (run.index as usize, self.outcome(test, run))));
            left = finished.left;
        }
        Ok(part)
    }

    fn outcome(&self, test: &TestCase, run: &Run) -> Outcome {
        if let Some(troubles) = &run.troubles {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.add(&test.setting, troubles, run.failure.is_none());
        }
        outcome(run)
    }

    /// The kinds of trouble that the test does not have, as far as is known.
    pub(crate) fn absent(&self) -> Vec<Trouble> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.absent(&self.test.name)
    }

    /// Makes one run, however long it takes, and has it write a trace.
    pub(crate) fn once(
        &self,
        setting: &Setting,
        seed: u64,
        patience: Duration,
        trace: Option<PathBuf>,
    ) -> Result<Outcome, Halt> {
        let test = TestCase { setting: *setting, ..self.test.clone() };
        let limits = Limits { hang_after: patience, trace, ..self.limits.clone() };
        let items = [self.item(0, seed)];
        let finished = process::run(&test, &items, &limits, &self.scratch, &self.stop)
            .map_err(Halt::Broken)?;
        match finished.runs.first() {
            Some((run, _)) => Ok(self.outcome(&test, run)),
            None => Err(Halt::Interrupted),
        }
    }
}
