//! A register that is read and written.

use std::fmt::Debug;
use std::hash::Hash;

use super::plain::{self, Says};
use super::values::Values;
use crate::model::{Access, Known, Model, Seen, Step};

/// A register.
#[derive(Clone, Debug, Default)]
pub struct Register<V> {
    /// What it holds at first.
    pub initial: V,
}

/// What a client asks of a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterInput<V> {
    /// What does it hold?
    Read,
    /// It shall hold this.
    Write(V),
}

/// What a client gets of a [`Register`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOutput<V> {
    /// What it held.
    Value(V),
    /// It is written.
    Written,
}

impl<V: Clone + Eq + Hash + Debug> Model for Register<V> {
    type Key = ();
    type State = V;
    type Input = RegisterInput<V>;
    type Output = RegisterOutput<V>;

    fn key(&self, _: &Self::Input) {}

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn step(&self, state: &V, input: &Self::Input, output: Option<&Self::Output>) -> Step<V> {
        match (input, output) {
            (RegisterInput::Read, Some(RegisterOutput::Value(value))) if value == state => {
                Step::Unchanged
            }
            (RegisterInput::Read, None) => Step::Unchanged,
            (RegisterInput::Write(value), None | Some(RegisterOutput::Written)) => {
                Step::To(value.clone())
            }
            _ => Step::Impossible,
        }
    }

    fn reads_only(&self, input: &Self::Input, _: Option<&Self::Output>) -> bool {
        *input == RegisterInput::Read
    }

    fn accesses(
        &self,
        operations: &[(&Self::Input, Option<&Self::Output>)],
    ) -> Option<Vec<Access>> {
        let mut values = Values::new(&self.initial);
        let access = |&(input, output): &(&Self::Input, Option<&Self::Output>)| {
            Some(match (input, output) {
                (RegisterInput::Read, None) => Access::Nothing,
                (RegisterInput::Read, Some(RegisterOutput::Value(value))) => {
                    Access::Read(values.number(value))
                }
                (RegisterInput::Write(value), None | Some(RegisterOutput::Written)) => {
                    Access::Write(values.number(value))
                }
                _ => return None,
            })
        };
        operations.iter().map(access).collect()
    }

    fn shortcut(&self, operations: &[Seen<'_, Self::Input, Self::Output>]) -> Known {
        plain::look(operations, &&self.initial, |seen| match (seen.input, seen.output) {
            (_, Some(RegisterOutput::Value(value))) => Says::Saw(value),
            (RegisterInput::Write(value), _) => Says::MayHaveMade(value),
            _ => Says::Nothing,
        })
    }

    fn describe(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        match (input, output) {
            (RegisterInput::Read, Some(RegisterOutput::Value(value))) => {
                format!("read -> {value:?}")
            }
            (RegisterInput::Read, _) => "read".into(),
            (RegisterInput::Write(value), _) => format!("write {value:?}"),
        }
    }

    fn describe_state(&self, state: &V) -> String {
        format!("{state:?}")
    }
}
