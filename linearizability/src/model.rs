//! What an object does when nothing is concurrent.

use std::fmt;
use std::hash::Hash;

/// A sequential object: what each operation may answer in each state, and what it leaves behind.
///
/// Many services are made of objects that have nothing to do with each other, such as the keys of a
/// map. A model describes *one* of them; [`key`](Model::key) says which one an operation is for. A
/// history is linearizable if and only if the operations of each object are (this is why
/// linearizability is a useful property), so each is decided by itself, which is much cheaper.
///
/// ```
/// use linearizability::{Model, Step};
///
/// /// A counter: `add` answers with the sum.
/// struct Counter;
///
/// impl Model for Counter {
///     type Key = ();
///     type State = i64;
///     type Input = i64;
///     type Output = i64;
///
///     fn key(&self, _: &i64) {}
///     fn initial(&self) -> i64 {
///         0
///     }
///     fn step(&self, sum: &i64, add: &i64, output: Option<&i64>) -> Step<i64> {
///         match output {
///             Some(output) if *output != sum + add => Step::Impossible,
///             _ => Step::To(sum + add),
///         }
///     }
///     fn describe(&self, add: &i64, output: Option<&i64>) -> String {
///         format!("add {add} -> {output:?}")
///     }
/// }
/// ```
pub trait Model {
    /// Which object an operation is for; `()` if there is only one.
    type Key: Ord + Clone + fmt::Debug;
    /// The state of one object. Two states that are equal must behave alike for ever.
    type State: Clone + Eq + Hash;
    /// What a client asks for. Equal inputs must have equal effects.
    type Input: Eq + Hash;
    /// What it gets.
    type Output;

    /// The object that an operation is for.
    fn key(&self, input: &Self::Input) -> Self::Key;

    /// The state in which each object begins.
    fn initial(&self) -> Self::State;

    /// What becomes of a state by an operation with this output, if that is possible.
    ///
    /// Without an output the operation never returned: any output is possible, so the answer is
    /// every state that it may leave.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<Self::State>;

    /// The same in place, for models whose states are large: a state that was changed where it lies
    /// is [`Step::Unchanged`]. If the step is impossible or may lead to several states, `state` must
    /// stay as it was.
    ///
    /// Only the verification of a witness uses it, which goes back to no earlier state.
    fn advance(
        &self,
        state: &mut Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<Self::State> {
        match self.step(state, input, output) {
            Step::To(next) => {
                *state = next;
                Step::Unchanged
            }
            other => other,
        }
    }

    /// Whether this operation changes no state whatever, so that a step is [`Step::Impossible`] or
    /// [`Step::Unchanged`] in *every* state. Saying so makes the search much faster; it must be true.
    fn reads_only(&self, _input: &Self::Input, _output: Option<&Self::Output>) -> bool {
        false
    }

    /// The operations of one object as reads and writes of *distinct* values, if they are that: see
    /// [`Access`]. Then the decision takes polynomial time ([`Means::Distinct`](crate::Means)). One access for each
    /// operation, in their order: a check panics if there are more or fewer.
    ///
    /// `None` if they are not; that is always right.
    fn accesses(
        &self,
        _operations: &[(&Self::Input, Option<&Self::Output>)],
    ) -> Option<Vec<Access>> {
        None
    }

    /// What the model itself knows of the operations of one object, which come in order of their calls. Some objects
    /// have ways that are faster than any search, such as a queue of distinct values; and often it is plain that there
    /// is no order, such as when a value was read that nobody wrote.
    ///
    /// An order is checked before it is believed. [`Known::Impossible`] is believed; [`Known::Nothing`] is always
    /// right.
    fn shortcut(&self, _operations: &[Seen<'_, Self::Input, Self::Output>]) -> Known {
        Known::Nothing
    }

    /// About how many bytes of memory a state takes, for the limit in bytes.
    fn state_bytes(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// An operation in a few words: `put x 3`. Without an output it never returned.
    fn describe(&self, input: &Self::Input, output: Option<&Self::Output>) -> String;

    /// An object in a few words.
    fn describe_key(&self, key: &Self::Key) -> String {
        format!("{key:?}")
    }

    /// A state in a few words; empty if there is nothing to say.
    fn describe_state(&self, _state: &Self::State) -> String {
        String::new()
    }
}

/// What an operation does to a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<S> {
    /// It cannot have this output in this state.
    Impossible,
    /// It leaves the state as it is.
    Unchanged,
    /// It leaves this state.
    To(S),
    /// It leaves one of these states, and nobody knows which: the model is not deterministic. No
    /// state at all means [`Step::Impossible`].
    ToAny(Vec<S>),
}

/// An operation of one object, with its place in time.
#[derive(Debug)]
pub struct Seen<'a, I, O> {
    /// What the client asked for.
    pub input: &'a I,
    /// What it got; nothing if the operation never returned.
    pub output: Option<&'a O>,
    /// The place of its call among all calls and returns of the history. Each has a place of its own.
    pub called: u32,
    /// The place of its return; nothing if it never returned.
    pub returned: Option<u32>,
}

/// What a model knows of the operations of an object, without a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// They have no order.
    Impossible,
    /// They have this one, as places in the list that was asked about. Who never returned may be left out.
    Order(Vec<usize>),
}

/// An operation of an object whose values are distinct: no two operations write the same value.
///
/// Values are numbers here, any that are different; 0 is the one that the object has at first. What counts is that whoever
/// reads a value knows which operation wrote it. A value may be all that the object holds: appending
/// to a text is an update from the text before to the text after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is possible only if the object has this value, and changes nothing.
    Read(u32),
    /// It gives the object this value, whatever it had before.
    Write(u32),
    /// It is possible only if the object has the value `from`, and makes it `to`.
    Update {
        /// What the object had.
        from: u32,
        /// What it has then.
        to: u32,
    },
    /// It is possible in any state, and changes nothing.
    Nothing,
}
