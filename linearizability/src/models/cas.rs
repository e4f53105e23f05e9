//! A register with compare-and-set.

use std::fmt::Debug;
use std::hash::Hash;

use super::plain::{self, Says};
use super::values::Values;
use crate::model::{Access, Known, Model, Seen, Step};

/// A register with compare-and-set, as etcd and others offer it.
#[derive(Clone, Debug, Default)]
pub struct CasRegister<V> {
    /// What it holds at first.
    pub initial: V,
}

/// What a client asks of a [`CasRegister`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CasInput<V> {
    /// What does it hold?
    Read,
    /// It shall hold this.
    Write(V),
    /// If it holds `from`, it shall hold `to`.
    Cas {
        /// What it must hold.
        from: V,
        /// What it shall hold then.
        to: V,
    },
}

/// What a client gets of a [`CasRegister`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CasOutput<V> {
    /// What it held.
    Value(V),
    /// It is written.
    Written,
    /// Whether it held `from`.
    Swapped(bool),
}

impl<V: Clone + Eq + Hash + Debug> Model for CasRegister<V> {
    type Key = ();
    type State = V;
    type Input = CasInput<V>;
    type Output = CasOutput<V>;

    fn key(&self, _: &Self::Input) {}

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn step(&self, state: &V, input: &Self::Input, output: Option<&Self::Output>) -> Step<V> {
        match (input, output) {
            (CasInput::Read, None) => Step::Unchanged,
            (CasInput::Read, Some(CasOutput::Value(value))) if value == state => Step::Unchanged,
            (CasInput::Write(value), None | Some(CasOutput::Written)) => Step::To(value.clone()),
            (CasInput::Cas { from, to }, None | Some(CasOutput::Swapped(true)))
                if from == state =>
            {
                Step::To(to.clone())
            }
            (CasInput::Cas { from, .. }, None | Some(CasOutput::Swapped(false)))
                if from != state =>
            {
                Step::Unchanged
            }
            _ => Step::Impossible,
        }
    }

    fn reads_only(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        *input == CasInput::Read || output == Some(&CasOutput::Swapped(false))
    }

    fn accesses(
        &self,
        operations: &[(&Self::Input, Option<&Self::Output>)],
    ) -> Option<Vec<Access>> {
        let mut values = Values::new(&self.initial);
        let access = |&(input, output): &(&Self::Input, Option<&Self::Output>)| {
            Some(match (input, output) {
                (CasInput::Read, None) => Access::Nothing,
                (CasInput::Read, Some(CasOutput::Value(value))) => {
                    Access::Read(values.number(value))
                }
                (CasInput::Write(value), None | Some(CasOutput::Written)) => {
                    Access::Write(values.number(value))
                }
                // One that failed saw some value, but not which.
                (CasInput::Cas { from, to }, None | Some(CasOutput::Swapped(true))) => {
                    Access::Update { from: values.number(from), to: values.number(to) }
                }
                _ => return None,
            })
        };
        operations.iter().map(access).collect()
    }

    fn shortcut(&self, operations: &[Seen<'_, Self::Input, Self::Output>]) -> Known {
        plain::look(operations, &&self.initial, |seen| match (seen.input, seen.output) {
            (_, Some(CasOutput::Value(value))) => Says::Saw(value),
            (CasInput::Write(value) | CasInput::Cas { to: value, .. }, _) => {
                Says::MayHaveMade(value)
            }
            _ => Says::Nothing,
        })
    }

    fn describe(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        match (input, output) {
            (CasInput::Read, Some(CasOutput::Value(value))) => format!("read -> {value:?}"),
            (CasInput::Read, _) => "read".into(),
            (CasInput::Write(value), _) => format!("write {value:?}"),
            (CasInput::Cas { from, to }, Some(CasOutput::Swapped(false))) => {
                format!("cas {from:?} to {to:?} -> failed")
            }
            (CasInput::Cas { from, to }, _) => format!("cas {from:?} to {to:?}"),
        }
    }

    fn describe_state(&self, state: &V) -> String {
        format!("{state:?}")
    }
}
