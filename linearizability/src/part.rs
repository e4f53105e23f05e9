//! The operations of one object, as the deciders see them.

use std::collections::BTreeMap;

use crate::history::{History, NEVER};
use crate::model::Model;

/// An operation of one object.
pub(crate) struct Item<'a, M: Model + ?Sized> {
    /// Its place in the history.
    pub(crate) operation: usize,
    /// The place of its call among all events of the history.
    pub(crate) call: u32,
    /// The same of its return; [`NEVER`] if there is none.
    pub(crate) end: u32,
    pub(crate) input: &'a M::Input,
    /// Nothing if it never returned.
    pub(crate) output: Option<&'a M::Output>,
}

impl<M: Model + ?Sized> Clone for Item<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Model + ?Sized> Copy for Item<'_, M> {}

impl<M: Model + ?Sized> Item<'_, M> {
    pub(crate) fn has_returned(&self) -> bool {
        self.end != NEVER
    }

    /// The same operation as if it had not returned.
    pub(crate) fn forgotten(mut self) -> Self {
        self.end = NEVER;
        self.output = None;
        self
    }
}

/// One operation of a history.
pub(crate) fn item<'a, M: Model>(
    history: &'a History<M::Input, M::Output>,
    operation: usize,
) -> Item<'a, M> {
    let of = &history.operations()[operation];
    Item {
        operation,
        call: history.call_place(operation),
        end: history.return_place(operation),
        input: &of.input,
        output: of.output(),
    }
}

/// Object by object, its operations in order of their calls.
pub(crate) fn split<'a, M: Model>(
    model: &M,
    history: &'a History<M::Input, M::Output>,
) -> Vec<(M::Key, Vec<Item<'a, M>>)> {
    let mut parts: BTreeMap<M::Key, Vec<Item<'a, M>>> = BTreeMap::new();
    for (place, operation) in history.operations().iter().enumerate() {
        parts.entry(model.key(&operation.input)).or_default().push(item(history, place));
    }
    for items in parts.values_mut() {
        items.sort_unstable_by_key(|item| item.call);
    }
    parts.into_iter().collect()
}

/// What was known just after the event at this place: later calls are not there, and what returned
/// later has not yet.
pub(crate) fn up_to<'a, M: Model>(items: &[Item<'a, M>], event: u32) -> Vec<Item<'a, M>> {
    let known = items.iter().filter(|item| item.call <= event);
    known.map(|item| if item.end <= event { *item } else { item.forgotten() }).collect()
}
