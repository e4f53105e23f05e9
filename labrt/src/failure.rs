//! Why a run failed, in words somebody can act on.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Why a run of a world failed.
///
/// Its [`Display`](fmt::Display) form is what to show a user: the first line says what happened to
/// which task at what time, the rest holds details, and the last line names the seed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The seed of the run; `None` on the real clock.
    pub seed: Option<u64>,
    /// When it happened, since the world began.
    pub time: Duration,
    /// The task it happened to, if it happened to one.
    pub task: Option<String>,
    /// What happened: for a panic, its own words.
    pub message: String,
    /// Where in the source, as `file:line:column`.
    pub location: Option<String>,
    /// Further lines: which task waits for what, and who holds it.
    pub details: Vec<String>,
    /// How many switches of task were forced by then; 0 on the real clock.
    pub forced_switches: u64,
}

/// Said where a panic cannot be a failure of the run only.
pub(crate) const ENDS_PROCESS: &str =
    "a panic in a destructor while another panic, or a kill, unwinds its task ends the process";

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// A task panicked.
    Panic,
    /// Tasks wait for each other in a circle, or no task can run and no timer is set.
    Deadlock,
    /// A task makes calls for ever without letting simulated time pass.
    Spinning,
    /// The world makes no step on the wall clock: a task blocks or computes outside labrt.
    Stuck,
    /// The world ran for longer than its limit.
    TimeLimit,
    /// The main function has returned, but the destructors of the tasks left do not come to an end.
    Teardown,
    /// There is no memory for the stack of another task: mostly, something starts tasks without end.
    NoMemory,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailureKind::Panic => "panic",
            FailureKind::Deadlock => "deadlock",
            FailureKind::Spinning => "spinning",
            FailureKind::Stuck => "stuck",
            FailureKind::TimeLimit => "time limit",
            FailureKind::Teardown => "stuck at the end",
            FailureKind::NoMemory => "no memory",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s", self.kind, self.time.as_secs_f64())?;
        if let Some(task) = &self.task {
            write!(f, " in {task}")?;
        }
        if let Some(location) = &self.location {
            write!(f, ", {location}")?;
        }
        write!(f, ": {}", self.message)?;
        for line in &self.details {
            write!(f, "\n    {line}")?;
        }
        if let Some(seed) = self.seed {
            write!(f, "\n    seed {seed}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// What is called just before a panic in a destructor ends the process; see
/// [`Builder::last_words`](crate::world::Builder::last_words).
#[derive(Clone)]
pub(crate) struct LastWords(Arc<dyn Fn(&Failure) + Send + Sync>);

impl LastWords {
    pub(crate) fn new(say: impl Fn(&Failure) + Send + Sync + 'static) -> LastWords {
        LastWords(Arc::new(say))
    }

    pub(crate) fn say(&self, failure: &Failure) {
        (self.0)(failure);
    }
}

impl Default for LastWords {
    fn default() -> LastWords {
        LastWords::new(|failure| {
            // Not by a macro: a test runner would keep the text to itself and die with it.
            let _ = writeln!(std::io::stderr(), "\n{failure}");
        })
    }
}

impl fmt::Debug for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastWords")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_name_each_kind_of_failure() {
        let docs = include_str!("../../docs/stress.md");
        let next = |kind: &FailureKind| match kind {
            FailureKind::Panic => Some(FailureKind::Deadlock),
            FailureKind::Deadlock => Some(FailureKind::Spinning),
            FailureKind::Spinning => Some(FailureKind::Stuck),
            FailureKind::Stuck => Some(FailureKind::TimeLimit),
            FailureKind::TimeLimit => Some(FailureKind::Teardown),
            FailureKind::Teardown => Some(FailureKind::NoMemory),
            FailureKind::NoMemory => None,
        };
        for kind in std::iter::successors(Some(FailureKind::Panic), next) {
            assert!(docs.contains(&format!("`{kind}`")), "docs/stress.md has no {kind}");
        }
    }
}
