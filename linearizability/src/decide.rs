//! Deciding the operations of one object by one means after the other.

use crate::answer::{Limits, Means, Stopped, Work};
use crate::distinct;
use crate::model::Model;
use crate::part::Item;
use crate::search::{self, Found, Nobody, Observer};

/// What is known of the operations of one object.
pub(crate) enum Decided {
    /// An order, as places in the history.
    Order(Vec<usize>),
    /// There is none. If it is known, the operation whose return no order reaches.
    Impossible { culprit: Option<usize> },
    /// Not known. The longest order had so many operations.
    Stopped { why: Stopped, longest: usize },
}

/// Decides, and counts the work.
pub(crate) struct Decider<'a, M: Model> {
    pub(crate) model: &'a M,
    /// The means, in the order in which they are tried.
    pub(crate) means: &'a [Means],
    pub(crate) work: Work,
}

impl<M: Model> Decider<'_, M> {
    /// Decides within these limits.
    pub(crate) fn decide(&mut self, items: &[Item<M>], limits: &Limits) -> Decided {
        let mut decided = Decided::Stopped { why: Stopped::NotDistinct, longest: 0 };
        for means in self.means {
            decided = match means {
                Means::Distinct => match distinct::decide(self.model, items) {
                    Some(Some(order)) => Decided::Order(order),
                    Some(None) => Decided::Impossible { culprit: None },
                    None => continue,
                },
                Means::Search => self.search(items, limits, &mut Nobody),
            };
            if !matches!(decided, Decided::Stopped { .. }) {
                break;
            }
        }
        decided
    }

    /// Searches, and shows the observer each dead end.
    pub(crate) fn search(
        &mut self,
        items: &[Item<M>],
        limits: &Limits,
        observer: &mut dyn Observer,
    ) -> Decided {
        let searched = search::search(self.model, items, limits, observer);
        self.work.steps += searched.steps;
        self.work.bytes = self.work.bytes.max(searched.bytes);
        match searched.found {
            Found::Order(order) => Decided::Order(order),
            Found::Impossible { culprit } => Decided::Impossible { culprit: Some(culprit) },
            Found::Stopped(why) => Decided::Stopped { why, longest: searched.longest },
        }
    }
}
