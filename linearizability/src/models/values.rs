//! Numbers for values, as [`Access`](crate::Access) wants them.

use std::hash::Hash;

use crate::search::states::States;

/// Values and their numbers. The initial one is 0.
pub(super) struct Values<V>(States<V>);

impl<V: Clone + Eq + Hash> Values<V> {
    pub(super) fn new(initial: &V) -> Values<V> {
        let mut states = States::new();
        states.number(initial.clone());
        Values(states)
    }

    pub(super) fn number(&mut self, value: &V) -> u32 {
        self.0.number(value.clone()).0
    }
}
