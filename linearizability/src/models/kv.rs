//! A map from text to text, with append.

use crate::model::{Access, Known, Model, Seen, Step};

use super::{chain, texts};

/// A map from text to text: get, put, append. An absent key has the empty text.
///
/// Each key is an object of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kv;

/// What a client asks of a [`Kv`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KvInput {
    /// What is there?
    Get {
        /// Where.
        key: String,
    },
    /// This shall be there.
    Put {
        /// Where.
        key: String,
        /// What.
        value: String,
    },
    /// This shall be there behind what is there.
    Append {
        /// Where.
        key: String,
        /// What.
        value: String,
    },
}

/// What a client gets of a [`Kv`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KvOutput {
    /// What is there; of an append, what was there before, if the service says so.
    Value(String),
    /// It is written.
    Done,
}

impl Model for Kv {
    type Key = String;
    type State = String;
    type Input = KvInput;
    type Output = KvOutput;

    fn key(&self, input: &KvInput) -> String {
        let (KvInput::Get { key } | KvInput::Put { key, .. } | KvInput::Append { key, .. }) = input;
        key.clone()
    }

    fn initial(&self) -> String {
        String::new()
    }

    fn step(&self, state: &String, input: &KvInput, output: Option<&KvOutput>) -> Step<String> {
        if !is_possible(state, input, output) {
            return Step::Impossible;
        }
        match input {
            KvInput::Get { .. } => Step::Unchanged,
            KvInput::Put { value, .. } => Step::To(value.clone()),
            KvInput::Append { value, .. } => {
                let mut next = String::with_capacity(state.len() + value.len());
                next.push_str(state);
                next.push_str(value);
                Step::To(next)
            }
        }
    }

    fn advance(
        &self,
        state: &mut String,
        input: &KvInput,
        output: Option<&KvOutput>,
    ) -> Step<String> {
        if !is_possible(state, input, output) {
            return Step::Impossible;
        }
        match input {
            KvInput::Get { .. } => {}
            KvInput::Put { value, .. } => value.clone_into(state),
            KvInput::Append { value, .. } => state.push_str(value),
        }
        Step::Unchanged
    }

    fn reads_only(&self, input: &KvInput, _: Option<&KvOutput>) -> bool {
        matches!(input, KvInput::Get { .. })
    }

    fn accesses(&self, operations: &[(&KvInput, Option<&KvOutput>)]) -> Option<Vec<Access>> {
        texts::accesses(operations)
    }

    fn shortcut(&self, operations: &[Seen<'_, KvInput, KvOutput>]) -> Known {
        chain::look(operations)
    }

    fn state_bytes(&self, state: &String) -> usize {
        size_of::<String>() + state.capacity()
    }

    fn describe(&self, input: &KvInput, output: Option<&KvOutput>) -> String {
        let asked = match input {
            KvInput::Get { key } => format!("get {key:?}"),
            KvInput::Put { key, value } => format!("put {key:?} {value:?}"),
            KvInput::Append { key, value } => format!("append {key:?} {value:?}"),
        };
        match output {
            Some(KvOutput::Value(value)) => format!("{asked} -> {value:?}"),
            _ => asked,
        }
    }

    fn describe_state(&self, state: &String) -> String {
        format!("{state:?}")
    }
}

/// Whether an operation can have this output in this state.
fn is_possible(state: &str, input: &KvInput, output: Option<&KvOutput>) -> bool {
    match (input, output) {
        (_, None) => true,
        (KvInput::Put { .. } | KvInput::Append { .. }, Some(KvOutput::Done)) => true,
        (KvInput::Get { .. } | KvInput::Append { .. }, Some(KvOutput::Value(value))) => {
            value == state
        }
        _ => false,
    }
}
