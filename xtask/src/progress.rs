//! What is shown while a plan is carried out.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use test_runs::build::TestCase;
use test_runs::plan::Plan;

use crate::say::{counted, note};

/// One line per test on a terminal; elsewhere a line of plain text now and then.
pub(crate) struct Display {
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    jobs: u32,
    seen: Vec<(u64, u64)>,
    said: Instant,
}

/// How often plain lines are written.
const PLAIN: Duration = Duration::from_secs(10);

impl Display {
    pub(crate) fn new(tests: usize, jobs: usize) -> Display {
        let bars = std::io::stderr().is_terminal().then(|| (MultiProgress::new(), Vec::new()));
        let jobs = u32::try_from(jobs.max(1)).unwrap_or(u32::MAX);
        Display { bars, jobs, seen: vec![(0, 0); tests], said: Instant::now() }
    }

    /// Shows how far the plan for these tests is.
    pub(crate) fn show(&mut self, tests: &[TestCase], plan: &Plan) {
        for (place, test) in tests.iter().enumerate() {
            self.update(place, &test.name, plan.status(place), plan.total());
        }
    }

    /// A test has now so many runs and failures.
    fn update(
        &mut self,
        place: usize,
        name: &str,
        (runs, failures, rest): (u64, u64, Option<Duration>),
        total: Option<u64>,
    ) {
        self.seen[place] = (runs, failures);
        let Some((all, bars)) = &mut self.bars else {
            if place == 0 && self.said.elapsed() >= PLAIN {
                self.said = Instant::now();
                let runs: u64 = self.seen.iter().map(|(runs, _)| runs).sum();
                let failures: u64 = self.seen.iter().map(|(_, failures)| failures).sum();
                note(&format!("{}, {}", counted(runs, "run"), counted(failures, "failure")));
            }
            return;
        };
        if bars.len() == place {
            let bar = all.add(ProgressBar::new(total.unwrap_or(0)));
            let style = ProgressStyle::with_template("{prefix:47} {bar:20} {pos:>6} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(name.to_string());
            bars.push(bar);
        }
        let rate = if runs == 0 { 0.0 } else { 100.0 * failures as f64 / runs as f64 };
        // The processes share what is left of all tests; this is this test's own part of it.
        let left = rest.map(|rest| format!(", {:.0} s left", (rest / self.jobs).as_secs_f64()));
        bars[place].set_position(runs);
        let left = left.unwrap_or_default();
        bars[place].set_message(format!("{failures} failed, {rate:.2} %{left}"));
    }

    /// Nothing more will come.
    pub(crate) fn finish(&mut self) {
        if let Some((all, _)) = &self.bars {
            let _ = all.clear();
        }
    }
}
