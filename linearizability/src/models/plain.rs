//! What is plainly wrong: a value was read that nobody wrote.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::model::{Known, Seen};

/// What an operation says of values.
pub(super) enum Says<V> {
    /// It has seen this one.
    Saw(V),
    /// It may have made this one the value, at any time after its call.
    MayHaveMade(V),
    Nothing,
}

/// Impossible if somebody saw a value that is not the first one and that nobody could have made by then.
pub(super) fn look<'a, I, O, V: Eq + Hash>(
    operations: &'a [Seen<'_, I, O>],
    initial: &V,
    says: impl Fn(&'a Seen<'_, I, O>) -> Says<V>,
) -> Known {
    // When each value could have been made first.
    let mut made: FxHashMap<V, u32> = FxHashMap::default();
    for operation in operations {
        if let Says::MayHaveMade(value) = says(operation) {
            // They come in order of their calls.
            made.entry(value).or_insert(operation.called);
        }
    }
    let is_unexplained = |operation: &'a Seen<'_, I, O>| match (says(operation), operation.returned)
    {
        (Says::Saw(value), Some(returned)) if value != *initial => {
            made.get(&value).is_none_or(|made| *made > returned)
        }
        _ => false,
    };
    match operations.iter().any(is_unexplained) {
        true => Known::Impossible,
        false => Known::Nothing,
    }
}
