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

#[cfg(test)]
mod tests {
    use super::*;

    const VOTE: News = News::Vote { term: 1, candidate: 0 };
    const SHOWN: News = News::Shown { term: 2, asked: 1 };

    fn often(choice: Choice, left: u32) -> Often {
        Often { choice, promises: [0; 3], left }
    }

    /// The first time of a run that is mixed to such a number.
    fn time(of: impl Fn(u64) -> bool) -> u64 {
        (0..).find(|us| of(mix(*us))).expect("there are many")
    }

    #[test]
    fn there_are_twelve_at_most_however_little_is_saved() {
        let mut often = often(Choice::Often, 12);
        for _ in 0..12 {
            assert!(!often.is_over() && often.is_time(&VOTE, true, 0));
        }
        assert!(often.is_over() && !often.is_time(&VOTE, true, 0));
    }

    #[test]
    fn the_first_two_promises_of_each_kind_are_tried_and_then_ever_fewer() {
        let mut often = often(Choice::Often, 12);
        let third = |rest: u64| time(|mixed| mixed % 3 == rest);
        for kind in [VOTE, SHOWN] {
            assert!(often.is_time(&kind, false, third(2)) && often.is_time(&kind, false, third(2)));
            assert!(!often.is_time(&kind, false, third(2)));
            // The fourth, by its time.
            assert!(often.is_time(&kind, false, time(|mixed| mixed % 4 == 1)));
        }
        assert_eq!(often.left, 6);
    }

    #[test]
    fn rarely_is_once_and_never_is_never() {
        let (hit, other) = (time(|it| it.is_multiple_of(16)), time(|it| it % 16 == 1));
        let mut rarely = often(Choice::Rarely, 1);
        assert!(!rarely.is_time(&VOTE, true, other) && !rarely.is_over());
        assert!(rarely.is_time(&VOTE, false, hit) && rarely.is_over());
        assert!(!rarely.is_time(&VOTE, true, hit));
        assert!(!often(Choice::Never, 1).is_time(&VOTE, true, hit));
    }
}
