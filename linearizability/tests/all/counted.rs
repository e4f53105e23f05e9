//! Models that are watched.

use std::cell::Cell;

use linearizability::{Model, Step};

/// A model that counts how often it is asked for a step, and knows nothing of distinct values.
#[derive(Debug)]
pub(crate) struct Counted<M> {
    model: M,
    steps: Cell<u64>,
}

impl<M> Counted<M> {
    pub(crate) fn new(model: M) -> Counted<M> {
        Counted { model, steps: Cell::new(0) }
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps.get()
    }
}

impl<M: Model> Model for Counted<M> {
    type Key = M::Key;
    type State = M::State;
    type Input = M::Input;
    type Output = M::Output;

    fn key(&self, input: &M::Input) -> M::Key {
        self.model.key(input)
    }
    fn initial(&self) -> M::State {
        self.model.initial()
    }
    fn step(
        &self,
        state: &M::State,
        input: &M::Input,
        output: Option<&M::Output>,
    ) -> Step<M::State> {
        self.steps.set(self.steps.get() + 1);
        self.model.step(state, input, output)
    }
    fn reads_only(&self, input: &M::Input, output: Option<&M::Output>) -> bool {
        self.model.reads_only(input, output)
    }
    fn describe(&self, input: &M::Input, output: Option<&M::Output>) -> String {
        self.model.describe(input, output)
    }
}
