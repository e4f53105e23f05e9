//! Deciding the operations of one object by one means after the other.

use crate::answer::{Limits, Means, Stopped, Work};
use crate::distinct;
use crate::model::{Known, Model, Seen, Step};
use crate::part::Item;
use crate::search::{self, Found, Observer, Searched};

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
                    None => Decided::Stopped { why: Stopped::NotDistinct, longest: 0 },
                },
                Means::Shortcut => self.shortcut(items),
                Means::Search => self.counted(search::search_soon(self.model, items, limits)),
            };
            if !matches!(decided, Decided::Stopped { .. }) {
                break;
            }
        }
        decided
    }

    /// Asks the model for a way of its own.
    fn shortcut(&self, items: &[Item<M>]) -> Decided {
        let seen: Vec<_> = items
            .iter()
            .map(|item| Seen {
                input: item.input,
                output: item.output,
                called: item.call,
                returned: item.has_returned().then_some(item.end),
            })
            .collect();
        match self.model.shortcut(&seen) {
            Known::Order(order) if is_right(self.model, items, &order) => {
                Decided::Order(order.into_iter().map(|place| items[place].operation).collect())
            }
            Known::Impossible => Decided::Impossible { culprit: None },
            Known::Order(_) | Known::Nothing => {
                Decided::Stopped { why: Stopped::NoShortcut, longest: 0 }
            }
        }
    }

    /// Searches, and shows the observer each dead end.
    pub(crate) fn search(
        &mut self,
        items: &[Item<M>],
        limits: &Limits,
        observer: &mut dyn Observer,
    ) -> Decided {
        self.counted(search::search(self.model, items, limits, observer))
    }

    fn counted(&mut self, searched: Searched) -> Decided {
        self.work.steps += searched.steps;
        self.work.bytes = self.work.bytes.max(searched.bytes);
        match searched.found {
            Found::Order(order) => Decided::Order(order),
            Found::Impossible { culprit } => Decided::Impossible { culprit: Some(culprit) },
            Found::Stopped(why) => Decided::Stopped { why, longest: searched.longest },
        }
    }
}

/// Whether these are all operations that returned, each once, and the order keeps time and has their outputs. Of a
/// model that is not deterministic that is not known.
fn is_right<M: Model>(model: &M, items: &[Item<M>], order: &[usize]) -> bool {
    let mut missing: Vec<bool> = vec![true; items.len()];
    let mut state = model.initial();
    let mut latest_call = 0;
    for &place in order {
        let Some(item) = items.get(place).filter(|_| missing[place]) else { return false };
        missing[place] = false;
        latest_call = latest_call.max(item.call);
        let step = model.advance(&mut state, item.input, item.output);
        if item.end < latest_call || step != Step::Unchanged {
            return false;
        }
    }
    !items.iter().zip(missing).any(|(item, missing)| missing && item.has_returned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{History, Operation};
    use crate::models::{Register, RegisterInput, RegisterOutput};
    use crate::part::split;

    #[test]
    fn what_a_model_says_is_an_order_is_looked_at() {
        let history = History::new(vec![
            Operation::new(1, 0, RegisterInput::Write(5), 1, RegisterOutput::Written),
            Operation::new(2, 2, RegisterInput::Write(6), 4, RegisterOutput::Written),
            Operation::new(3, 3, RegisterInput::Read, 5, RegisterOutput::Value(5)),
            Operation::pending(4, 0, RegisterInput::Write(7)),
        ])
        .unwrap();
        let model = Register { initial: 0 };
        let items = split(&model, &history).remove(0).1;
        // By their calls: the first two are the write of 5 and that of 7, which never returned.
        let place = |operation| items.iter().position(|item| item.operation == operation).unwrap();
        let [five, six, read, seven] = [0, 1, 2, 3].map(place);
        let is_right = |order: &[usize]| is_right(&model, &items, order);
        assert!(is_right(&[five, read, six]));
        assert!(is_right(&[seven, five, read, six]));
        assert!(is_right(&[five, read, seven, six]));
        // Another output; too late; one twice; one that is missing; one that there is not.
        assert!(!is_right(&[five, six, read]));
        assert!(!is_right(&[six, five, read]));
        assert!(!is_right(&[five, read, six, read]));
        assert!(!is_right(&[five, read]));
        assert!(!is_right(&[five, read, six, 4]));
    }
}
