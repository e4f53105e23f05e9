//! How the worlds of a test choose the next task.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use labrt::schedule::Work;
use labrt::world::{Builder, Change};
use run_record::choices::{self, Case, Choices};
use run_record::schedule::{Choice, Schedule, VARIABLE};

/// The seed of the run that finds out how much there is to do.
const ESTIMATE_SEED: u64 = 0;

/// What was chosen for the runs of a test.
pub(crate) struct Chosen {
    choice: Choice,
    /// How much a run of the test has to do, once somebody has wanted to know.
    work: OnceCell<Arc<Work>>,
}

impl Chosen {
    /// What the environment asks for.
    ///
    /// # Panics
    /// If it asks for something that there is not.
    pub(crate) fn from_environment() -> Chosen {
        let text = std::env::var(VARIABLE).ok();
        let choice = text.map(|text| text.parse()).transpose();
        let choice = choice.unwrap_or_else(|words| panic!("{VARIABLE}: {words}"));
        Chosen { choice: choice.unwrap_or_default(), work: OnceCell::new() }
    }

    /// What was chosen for all runs.
    pub(crate) fn choice(&self) -> Choice {
        self.choice
    }

    /// The world of a run. `estimate` makes a run in a world for what its tasks do, if that is wanted:
    /// once for all runs, always with the same seed, so that a later process knows the same.
    pub(crate) fn world(&self, case: &Case, estimate: impl FnOnce(Builder) -> Work) -> Builder {
        let world = Builder::simulated(case.seed).changes(changes(&case.choices));
        let schedule = on_labrt(self.choice.of_seed(case.seed));
        if !schedule.wants_work() {
            return world.schedule(schedule);
        }
        let find_out = || Arc::new(estimate(Builder::simulated(ESTIMATE_SEED)));
        world.schedule(schedule).work(self.work.get_or_init(find_out).clone())
    }
}

/// The changes of a run, as labrt has them.
fn changes(choices: &Choices) -> Vec<Change> {
    let change = |one: &choices::Change| Change {
        at: Duration::from_micros(one.us),
        number: u64::from(one.number),
    };
    choices.changes().iter().map(change).collect()
}

/// A schedule, by its name in a setting, as labrt has it.
pub fn on_labrt(schedule: Schedule) -> labrt::Schedule {
    match schedule {
        Schedule::Walk => labrt::Schedule::Walk,
        Schedule::Pct { depth } => labrt::Schedule::Pct { depth },
        Schedule::Pos => labrt::Schedule::Pos,
        Schedule::Surw => labrt::Schedule::Surw,
    }
}
