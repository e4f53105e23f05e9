//! Mistakes to choose from, so that it can be seen that the suite finds them.
//!
//! Both have one idea behind them: a leader has the whole queue, so why wait for the log? But a leader
//! does not know what others have executed since it was deposed, nor what it has not executed yet.

use std::sync::Arc;

use labrt::sync::Leaf;

use crate::message::{Outcome, Request};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A leader whose own queue is empty says so at once, without the log. It may have been deposed; and
    /// whoever asks again, since the reply with the last element was lost, never gets that element.
    EmptyAtOnce,
    /// A leader answers with the first element of its own queue at once, and takes it out later, through
    /// the log. Whoever asks meanwhile gets the same element.
    FirstAtOnce,
}

impl Mistake {
    /// All of them.
    pub const ALL: [Mistake; 2] = [Mistake::EmptyAtOnce, Mistake::FirstAtOnce];

    /// The mistake that the environment variable `QUEUE_MISTAKE` names; none if it is not set.
    ///
    /// It is read through labrt, so a failing test names it in the command that repeats the run.
    ///
    /// # Panics
    /// If there is no mistake of that name.
    pub fn chosen() -> Option<Mistake> {
        let name = labrt::env::var("QUEUE_MISTAKE")?;
        let found = Mistake::ALL.into_iter().find(|mistake| format!("{mistake:?}") == name);
        Some(found.unwrap_or_else(|| {
            panic!("QUEUE_MISTAKE={name} names no mistake; there are {:?}", Mistake::ALL)
        }))
    }

    /// What a leader with this mistake answers without the log, if it does.
    pub(crate) fn answer(self, request: &Request, front: &Front) -> Option<Outcome> {
        let front = front.get();
        let answers = match self {
            Mistake::EmptyAtOnce => front.is_none(),
            Mistake::FirstAtOnce => front.is_some(),
        };
        (answers && *request == Request::Dequeue).then_some(Outcome::Dequeued(front))
    }
}

/// The first element of a server's own queue, for its handlers to see. Clones show the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Front(Arc<Leaf<Option<String>>>);

impl Front {
    pub(crate) fn get(&self) -> Option<String> {
        self.0.with(|front| front.clone())
    }

    pub(crate) fn set(&self, first: Option<&String>) {
        self.0.with(|front| *front = first.cloned());
    }
}
