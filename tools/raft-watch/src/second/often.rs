//! How often there is a second server.

use run_record::mix;

use super::News;
use crate::RaftType;

/// The variable of the environment that says how often.
const VARIABLE: &str = "LAB_SECOND";

/// What the variable can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Never,
    Rarely,
    Often,
}

impl Choice {
    /// What the environment asks for; none if it asks for nothing.
    ///
    /// # Panics
    /// If it asks for something that there is not.
    fn from_environment() -> Option<Choice> {
        let text = labrt::env::var(VARIABLE)?;
        Some(match text.as_str() {
            "never" => Choice::Never,
            "rarely" => Choice::Rarely,
            "often" => Choice::Often,
            _ => panic!("{VARIABLE}={text} is none of never, rarely, often"),
        })
    }
}

/// Decides when there is one, so that it costs little.
///
/// Often: for the first promises of each kind, later ever more rarely, and whenever nothing was saved for a
/// promise; twelve in a run at most. Rarely: one in a run, or none. Which promises it is the time of the run
/// decides, so that other seeds try others.
#[derive(Debug)]
pub(crate) struct Often {
    choice: Choice,
    /// How many promises of each kind there were.
    promises: [u64; 3],
    /// How many more second servers there may be in this run.
    left: u32,
}

impl Often {
    /// For a Raft: often, if nobody knows what it saves.
    pub(crate) fn of(raft: RaftType) -> Often {
        let says = raft.read_persisted(&[]).is_some();
        let usual = if says { Choice::Rarely } else { Choice::Often };
        let choice = match labrt::world::is_simulated() {
            true => Choice::from_environment().unwrap_or(usual),
            false => Choice::Never,
        };
        let left = match choice {
            Choice::Never => 0,
            Choice::Rarely => 1,
            Choice::Often => 12,
        };
        Often { choice, promises: [0; 3], left }
    }

    /// There will be none any more in this run.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Whether there is to be one after this promise, made at this time of the run.
    pub(crate) fn is_time(&mut self, news: &News, saved_nothing: bool, us: u64) -> bool {
        let kind = match news {
            News::Vote { .. } => 0,
            News::Accepted { .. } => 1,
            News::Shown { .. } => 2,
        };
        self.promises[kind] += 1;
        let so_far = self.promises[kind];
        // Times of a run have much in common: so they are mixed.
        let by_time = match self.choice {
            Choice::Never => false,
            Choice::Rarely => mix(us).is_multiple_of(16),
            Choice::Often => saved_nothing || mix(us) % so_far < 2,
        };
        let is_time = self.left > 0 && by_time;
        self.left -= u32::from(is_time);
        is_time
    }
}
