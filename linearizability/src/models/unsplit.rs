//! Many objects as one.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::model::{Model, Step};

/// All objects of a model as one, whose state is a map from keys to states.
///
/// The answer is the same as that of the model itself, and much dearer. It is here to show that, and
/// to compare with other checkers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsplit<M>(pub M);

impl<M: Model> Model for Unsplit<M>
where
    M::Key: Hash,
    M::State: Debug,
{
    type Key = ();
    /// Objects that were never touched, or are as they were at first, are not in it.
    type State = BTreeMap<M::Key, M::State>;
    type Input = M::Input;
    type Output = M::Output;

    fn key(&self, _: &M::Input) {}

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(
        &self,
        state: &Self::State,
        input: &M::Input,
        output: Option<&M::Output>,
    ) -> Step<Self::State> {
        let key = self.0.key(input);
        let step = match state.get(&key) {
            Some(of_key) => self.0.step(of_key, input, output),
            None => self.0.step(&self.0.initial(), input, output),
        };
        let with = |next: M::State| {
            let mut all = state.clone();
            if next == self.0.initial() {
                all.remove(&key);
            } else {
                all.insert(key.clone(), next);
            }
            all
        };
        match step {
            Step::Impossible => Step::Impossible,
            Step::Unchanged => Step::Unchanged,
            Step::To(next) => Step::To(with(next)),
            Step::ToAny(any) => Step::ToAny(any.into_iter().map(with).collect()),
        }
    }

    fn reads_only(&self, input: &M::Input, output: Option<&M::Output>) -> bool {
        self.0.reads_only(input, output)
    }

    fn state_bytes(&self, state: &Self::State) -> usize {
        let of_each =
            |(_, state): (&M::Key, &M::State)| size_of::<M::Key>() + self.0.state_bytes(state);
        size_of::<Self::State>() + state.iter().map(of_each).sum::<usize>()
    }

    fn describe(&self, input: &M::Input, output: Option<&M::Output>) -> String {
        self.0.describe(input, output)
    }

    fn describe_state(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}
