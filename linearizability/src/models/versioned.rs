//! A map in which each value has a version, which a write must know.

use super::plain::{self, Says};
use crate::model::{Known, Model, Seen, Step};

/// A map from text to text with versions: a write says which version it replaces, and fails if
/// another one is there. The version of a key counts its writes; 0 means that the key is absent.
///
/// Each key is an object of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct VersionedKv;

/// The value of a key and how often it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VersionedState {
    /// The value, empty if the key is absent.
    pub value: String,
    /// How often it was written.
    pub version: u64,
}

/// What a client asks of a [`VersionedKv`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VersionedInput {
    /// What is there?
    Get {
        /// Where.
        key: String,
    },
    /// This shall be there, if this is the version that is there now.
    Put {
        /// Where.
        key: String,
        /// What.
        value: String,
        /// What it replaces.
        version: u64,
    },
}

/// What a client gets of a [`VersionedKv`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VersionedOutput {
    /// What is there.
    Value(VersionedState),
    /// Nothing is there: of a get, and of a put of a version other than 0.
    NoKey,
    /// It is written.
    Written,
    /// Another version is there.
    WrongVersion,
    /// Either of the last two: the client had to ask several times and does not know.
    Maybe,
}

impl Model for VersionedKv {
    type Key = String;
    type State = VersionedState;
    type Input = VersionedInput;
    type Output = VersionedOutput;

    fn key(&self, input: &VersionedInput) -> String {
        let (VersionedInput::Get { key } | VersionedInput::Put { key, .. }) = input;
        key.clone()
    }

    fn initial(&self) -> VersionedState {
        VersionedState::default()
    }

    fn step(
        &self,
        state: &VersionedState,
        input: &VersionedInput,
        output: Option<&VersionedOutput>,
    ) -> Step<VersionedState> {
        use VersionedOutput::{Maybe, NoKey, Value, Written, WrongVersion};
        let absent = state.version == 0;
        let (value, version) = match input {
            VersionedInput::Get { .. } => {
                let fits = match output {
                    None => true,
                    Some(NoKey) => absent,
                    Some(Value(value)) => !absent && value == state,
                    Some(_) => false,
                };
                return if fits { Step::Unchanged } else { Step::Impossible };
            }
            VersionedInput::Put { value, version, .. } => (value, *version),
        };
        if version == state.version {
            return match output {
                None | Some(Written | Maybe) => {
                    Step::To(VersionedState { value: value.clone(), version: version + 1 })
                }
                Some(_) => Step::Impossible,
            };
        }
        match output {
            None => Step::Unchanged,
            Some(NoKey) if absent => Step::Unchanged,
            Some(WrongVersion | Maybe) if !absent => Step::Unchanged,
            Some(_) => Step::Impossible,
        }
    }

    fn reads_only(&self, input: &VersionedInput, output: Option<&VersionedOutput>) -> bool {
        let failed = [Some(&VersionedOutput::NoKey), Some(&VersionedOutput::WrongVersion)];
        matches!(input, VersionedInput::Get { .. }) || failed.contains(&output)
    }

    fn shortcut(&self, operations: &[Seen<'_, VersionedInput, VersionedOutput>]) -> Known {
        // A value with its version, of which nobody sees the first.
        plain::look(operations, &("", 0), |seen| match (seen.input, seen.output) {
            (_, Some(VersionedOutput::Value(state))) => Says::Saw((&*state.value, state.version)),
            (VersionedInput::Put { value, version, .. }, _) => {
                Says::MayHaveMade((&**value, version.saturating_add(1)))
            }
            _ => Says::Nothing,
        })
    }

    fn state_bytes(&self, state: &VersionedState) -> usize {
        size_of::<VersionedState>() + state.value.capacity()
    }

    fn describe(&self, input: &VersionedInput, output: Option<&VersionedOutput>) -> String {
        let asked = match input {
            VersionedInput::Get { key } => format!("get {key:?}"),
            VersionedInput::Put { key, value, version } => {
                format!("put {key:?} {value:?} at {version}")
            }
        };
        let got = match output {
            None | Some(VersionedOutput::Written) => return asked,
            Some(VersionedOutput::Value(state)) => self.describe_state(state),
            Some(VersionedOutput::NoKey) => "no key".into(),
            Some(VersionedOutput::WrongVersion) => "wrong version".into(),
            Some(VersionedOutput::Maybe) => "maybe".into(),
        };
        format!("{asked} -> {got}")
    }

    fn describe_state(&self, state: &VersionedState) -> String {
        format!("{:?} at {}", state.value, state.version)
    }
}
