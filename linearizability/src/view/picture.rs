//! What there is to see, in words and numbers.

use std::collections::BTreeMap;

use crate::answer::{Answer, Stopped, Undecided, Violation};
use crate::history::{History, NEVER};
use crate::model::{Model, Step};

/// A history with its answer, ready to be shown.
#[derive(Clone, Debug)]
pub struct Picture {
    pub(super) title: String,
    pub(super) claim: Claim,
    /// The objects in words, in order of their keys.
    pub(super) objects: Vec<String>,
    /// The operations, as the history has them.
    pub(super) bars: Vec<Bar>,
    /// Orders of operations of one object each.
    pub(super) orders: Vec<Vec<Placed>>,
    /// The operations that cannot be ordered.
    pub(super) core: Vec<usize>,
    pub(super) culprit: Option<usize>,
    pub(super) notes: Vec<Note>,
}

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) kind: ClaimKind,
    pub(super) headline: String,
    pub(super) more: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimKind {
    Good,
    Bad,
    Unsure,
}

/// An operation.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) client: u64,
    /// Its object's number.
    pub(super) object: usize,
    /// The places of call and return among all events.
    pub(super) places: (u32, Option<u32>),
    /// The times of both.
    pub(super) times: (u64, Option<u64>),
    pub(super) text: String,
    /// The longest order that contains it.
    pub(super) order: Option<usize>,
}

/// An operation in an order.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) operation: usize,
    /// What it is in this order, if it must have had another output here than it had in the end.
    pub(super) text: Option<String>,
    /// What it leaves; empty if the model has no words for it, if several states are possible, or if the states before
    /// it were too large to describe more.
    pub(super) state: String,
}

/// Something else that happened.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) lane: String,
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    pub(super) text: String,
}

/// How long a text may be. Longer ones lose their middle.
const LONGEST_TEXT: usize = 400;
/// Said of an operation in an order that ends before the operation returned.
const NOT_RETURNED: &str = " (not returned yet)";
/// How many operations all orders together may have. Beyond it the shorter orders are left out.
const MOST_PLACED: usize = 100_000;
/// How many bytes all states together may have that are put into words. A text that grows with each operation would
/// take hours; the states behind that are left out.
const MOST_DESCRIBED: usize = 1 << 28;

impl Picture {
    /// A picture of a history and what was found about it.
    pub fn new<M: Model>(
        title: &str,
        model: &M,
        history: &History<M::Input, M::Output>,
        answer: &Answer<M::Key>,
    ) -> Picture {
        let (objects, numbers) = objects(model, history);
        let bars = bars(model, history, &numbers);
        let mut picture = Picture {
            title: title.to_string(),
            claim: claim(model, history, answer),
            objects,
            bars,
            orders: Vec::new(),
            core: Vec::new(),
            culprit: None,
            notes: Vec::new(),
        };
        let orders = match answer {
            Answer::Linearizable(order) => by_object(order, &numbers),
            Answer::NotLinearizable(violation) => {
                picture.core.clone_from(&violation.operations);
                picture.culprit = Some(violation.culprit);
                violation.orders.clone()
            }
            Answer::Undecided(_) => Vec::new(),
        };
        picture.add_orders(model, history, &orders);
        picture
    }

    /// Adds something else that happened, from one time to another one or at once: a crash, a
    /// partition. It is drawn in the lane with this name.
    pub fn annotate(mut self, lane: &str, from: u64, to: Option<u64>, text: &str) -> Picture {
        let (lane, text) = (lane.to_string(), text.to_string());
        self.notes.push(Note { lane, from, to: to.map(|to| to.max(from)), text });
        self
    }

    fn add_orders<M: Model>(
        &mut self,
        model: &M,
        history: &History<M::Input, M::Output>,
        orders: &[Vec<usize>],
    ) {
        let (mut left, mut describe) = (MOST_PLACED, MOST_DESCRIBED);
        for order in orders {
            if !self.orders.is_empty() && order.len() > left {
                continue;
            }
            left = left.saturating_sub(order.len());
            for &operation in order {
                self.bars[operation].order.get_or_insert(self.orders.len());
            }
            self.orders.push(with_states(model, history, order, &mut describe));
        }
    }
}

/// The objects in words, and the number of each operation's object.
fn objects<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
) -> (Vec<String>, Vec<usize>) {
    let keys: Vec<_> =
        history.operations().iter().map(|operation| model.key(&operation.input)).collect();
    let mut numbers: BTreeMap<&M::Key, usize> = keys.iter().map(|key| (key, 0)).collect();
    numbers.values_mut().enumerate().for_each(|(number, of)| *of = number);
    let words = numbers.keys().map(|key| shorten(model.describe_key(key))).collect();
    (words, keys.iter().map(|key| numbers[key]).collect())
}

fn bars<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    objects: &[usize],
) -> Vec<Bar> {
    let bar = |(place, &object): (usize, &usize)| {
        let operation = &history.operations()[place];
        let end = history.return_place(place);
        Bar {
            client: operation.client,
            object,
            places: (history.call_place(place), (end != NEVER).then_some(end)),
            times: (operation.call, operation.returned.as_ref().map(|returned| returned.at)),
            text: shorten(model.describe(&operation.input, operation.output())),
            order: None,
        }
    };
    objects.iter().enumerate().map(bar).collect()
}

/// The order of all operations as one for each object.
fn by_object(order: &[usize], objects: &[usize]) -> Vec<Vec<usize>> {
    let mut orders: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &operation in order {
        orders.entry(objects[operation]).or_default().push(operation);
    }
    orders.into_values().collect()
}

/// An order with the state after each operation, as long as only one is possible, and all of them have no more than so
/// many bytes.
fn with_states<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    order: &[usize],
    left: &mut usize,
) -> Vec<Placed> {
    let mut state = Some(model.initial());
    let place = |&operation: &usize| {
        let of = &history.operations()[operation];
        let mut text = None;
        if let Some(known) = &mut state {
            // An operation that is in the order before its return may have had any output.
            let step = match model.step(known, &of.input, of.output()) {
                Step::Impossible => {
                    text = Some(shorten(model.describe(&of.input, None)) + NOT_RETURNED);
                    model.step(known, &of.input, None)
                }
                step => step,
            };
            match step {
                Step::Unchanged => {}
                Step::To(next) => *known = next,
                Step::Impossible | Step::ToAny(_) => state = None,
            }
        }
        if let Some(known) = &state {
            match left.checked_sub(model.state_bytes(known)) {
                Some(rest) => *left = rest,
                None => state = None,
            }
        }
        let state = state.as_ref().map(|state| shorten(model.describe_state(state)));
        Placed { operation, text, state: state.unwrap_or_default() }
    };
    order.iter().map(place).collect()
}

fn claim<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    answer: &Answer<M::Key>,
) -> Claim {
    match answer {
        Answer::Linearizable(order) => good(order.len(), history.len()),
        Answer::NotLinearizable(violation) => bad(model, violation),
        Answer::Undecided(undecided) => unsure(model, history, undecided),
    }
}

fn good(ordered: usize, all: usize) -> Claim {
    let more = match all - ordered {
        0 => format!("All {all} operations fit into one order."),
        _ => format!(
            "{ordered} of {all} operations fit into one order. What is left out never returned, and need not \
             have happened."
        ),
    };
    Claim { kind: ClaimKind::Good, headline: "Linearizable".into(), more: vec![more] }
}

/// What an object is called. Where there is only one, it needs no name.
fn name<M: Model>(model: &M, key: &M::Key) -> Option<String> {
    Some(shorten(model.describe_key(key))).filter(|key| key != "()")
}

fn bad<M: Model>(model: &M, violation: &Violation<M::Key>) -> Claim {
    let whose = name(model, &violation.key).map_or(String::new(), |key| format!(" of {key}"));
    let first = match violation.operations.len() {
        1 => format!(
            "This operation{whose} has no place, whatever the others called before its return did."
        ),
        count => format!(
            "These {count} operations{whose} have no order, whatever the others did: even if none of \
             those had returned."
        ),
    };
    let second = if violation.minimal {
        "Without any one of them there would be an order."
    } else {
        "There may be fewer that suffice: the search for them came to its bound."
    };
    let mut more = vec![first];
    if violation.operations.len() > 1 {
        more.push(second.into());
    }
    Claim { kind: ClaimKind::Bad, headline: "Not linearizable".into(), more }
}

fn unsure<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    undecided: &Undecided<M::Key>,
) -> Claim {
    const SHOWN: usize = 5;
    let decided = format!(
        "{} of {} objects are linearizable, with {} of {} operations.",
        undecided.decided_objects,
        undecided.decided_objects + undecided.open.len(),
        undecided.decided_operations,
        history.len()
    );
    let mut more = vec![decided];
    for open in undecided.open.iter().take(SHOWN) {
        let why = match open.stopped {
            Stopped::Steps => "the limit of steps was reached",
            Stopped::Bytes => "the limit of memory was reached",
            Stopped::NotDistinct => "its values are not distinct",
            Stopped::NoShortcut => "its model knows no way of its own",
        };
        let which = name(model, &open.key).map_or(String::new(), |key| format!("Open: {key}. "));
        more.push(format!(
            "{which}An order of {} of its {} operations was found; {why}.",
            open.ordered, open.operations
        ));
    }
    if undecided.open.len() > SHOWN {
        more.push(format!("And {} more objects.", undecided.open.len() - SHOWN));
    }
    Claim { kind: ClaimKind::Unsure, headline: "Undecided".into(), more }
}

/// A text without its middle, if it is long.
fn shorten(text: String) -> String {
    let length = text.chars().count();
    if length <= LONGEST_TEXT {
        return text;
    }
    let half = LONGEST_TEXT / 2;
    let begin: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(length - half).collect();
    format!("{begin} ... {end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Kv, KvInput, KvOutput, Register, RegisterInput, RegisterOutput};
    use crate::{Limits, Operation, check};

    #[test]
    fn states_are_described_as_long_as_there_is_room_for_them() {
        let append = |n: u64| {
            let input = KvInput::Append { key: "k".into(), value: "x".repeat(100) };
            Operation::new(n, 2 * n, input, 2 * n + 1, KvOutput::Done)
        };
        let history = History::new((0..40).map(append).collect()).expect("a history");
        let order: Vec<usize> = (0..40).collect();
        let described = |mut left: usize| {
            let placed = with_states(&Kv, &history, &order, &mut left);
            placed.iter().take_while(|placed| !placed.state.is_empty()).count()
        };
        assert_eq!(described(MOST_DESCRIBED), 40);
        // Ten states have 100, 200, ... 1,000 bytes, and a little more.
        assert_eq!(described(5_500 + 10 * 50), 10);
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        assert_eq!(shorten("short".into()), "short");
        let long = shorten("ä".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST_TEXT + 5);
        assert!(long.starts_with("ä") && long.ends_with("ä"));
    }

    #[test]
    fn the_only_object_has_no_name_where_it_is_undecided() {
        let write = |client: u64| {
            let input = RegisterInput::Write(1);
            Operation::new(client, 0, input, 1, RegisterOutput::Written)
        };
        let history = History::new(vec![write(0), write(1)]).expect("a history");
        let model = Register { initial: 0 };
        let answer = check(&model, &history, &Limits { steps: 0, ..Limits::default() }).answer;
        let claim = claim(&model, &history, &answer);
        assert_eq!(
            claim.more,
            [
                "0 of 1 objects are linearizable, with 0 of 2 operations.",
                "An order of 0 of its 2 operations was found; the limit of steps was reached."
            ]
        );
    }
}
