//! How a simulated test chooses the next task to run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The environment variable that holds a [`Choice`].
pub const VARIABLE: &str = "LAB_SCHEDULE";

/// The changes of priority that PCT is asked for at most, and one more.
const DEEPEST: u32 = 100;

/// What the seeds of [`Choice::Mixed`] choose from, each as often as the others.
const MIXED: [Schedule; 4] =
    [Schedule::Walk, Schedule::Pct { depth: 3 }, Schedule::Pos, Schedule::Surw];

/// A way to choose the next task; labrt's documentation says how each of them works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// `walk`: a random walk.
    #[default]
    Walk,
    /// `pct:3`: random priorities; the number is how many operations have to come in a certain order.
    Pct {
        /// That number, from 1 to 100.
        depth: u32,
    },
    /// `pos`: partial order sampling.
    Pos,
    /// `surw`: selectively uniform random walk.
    Surw,
}

/// What the variable says: one schedule for all runs, or one by each run's seed.
///
/// ```
/// use run_record::schedule::{Choice, Schedule};
///
/// let choice: Choice = "pct:3".parse().unwrap();
/// assert_eq!(choice.of_seed(7), Schedule::Pct { depth: 3 });
/// assert!("fast".parse::<Choice>().unwrap_err().contains("there are walk, pct:3"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Choice {
    /// This one.
    One(Schedule),
    /// `mixed`: the seed decides.
    Mixed,
}

impl Default for Choice {
    fn default() -> Choice {
        Choice::One(Schedule::default())
    }
}

impl Choice {
    /// The schedule of a run with this seed.
    pub fn of_seed(self, seed: u64) -> Schedule {
        match self {
            Choice::One(schedule) => schedule,
            Choice::Mixed => MIXED[(seed % MIXED.len() as u64) as usize],
        }
    }

    /// True if it is what a test has without the variable.
    pub fn is_default(self) -> bool {
        self == Choice::default()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Walk => f.write_str("walk"),
            Schedule::Pct { depth } => write!(f, "pct:{depth}"),
            Schedule::Pos => f.write_str("pos"),
            Schedule::Surw => f.write_str("surw"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::One(schedule) => schedule.fmt(f),
            Choice::Mixed => f.write_str("mixed"),
        }
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> String {
        choice.to_string()
    }
}

impl TryFrom<String> for Choice {
    type Error = String;

    fn try_from(text: String) -> Result<Choice, String> {
        text.parse()
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        match text.trim() {
            "walk" => Ok(Schedule::Walk),
            "pos" => Ok(Schedule::Pos),
            "surw" => Ok(Schedule::Surw),
            other => {
                let depth = other.strip_prefix("pct:").and_then(|depth| depth.parse().ok());
                let depth = depth.filter(|depth| (1..=DEEPEST).contains(depth));
                let depth = depth.ok_or_else(|| wrong(text, ""))?;
                Ok(Schedule::Pct { depth })
            }
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Choice, String> {
        match text.trim() {
            "mixed" => Ok(Choice::Mixed),
            other => other.parse().map(Choice::One).map_err(|_: String| {
                wrong(text, ", and mixed, with which each seed has one of them")
            }),
        }
    }
}

fn wrong(text: &str, more: &str) -> String {
    format!(
        "`{text}` is no schedule; there are walk, pct:3 (or another number from 1 to {DEEPEST}), pos \
         and surw{more}"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn schedules_are_read_as_they_are_written() {
        for choice in MIXED.map(Choice::One).into_iter().chain([Choice::Mixed]) {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!(" pct:10 ".parse(), Ok(Schedule::Pct { depth: 10 }));
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_the_names_of_all() {
        for wrong in ["", "Walk", "pct", "pct:", "pct:0", "pct:101", "pct:x", "pos:3", "random"] {
            let words = wrong.parse::<Choice>().expect_err("it makes no sense");
            for name in ["walk", "pct:3", "pos", "surw", "mixed"] {
                assert!(words.contains(&format!("`{wrong}`")) && words.contains(name), "{words}");
            }
            let words = wrong.parse::<Schedule>().expect_err("it makes no sense");
            assert!(!words.contains("mixed"), "{words}");
        }
    }

    #[test]
    fn seeds_in_a_row_have_all_schedules() {
        let names: BTreeSet<String> =
            (4..8).map(|seed| Choice::Mixed.of_seed(seed).to_string()).collect();
        assert_eq!(names.len(), MIXED.len());
        assert_eq!(Choice::One(Schedule::Pos).of_seed(5), Schedule::Pos);
    }
}
