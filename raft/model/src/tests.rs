//! The search, its sizes, and what it must find.

mod leaders;
mod mistakes;
mod situations;
mod spaces;
mod traces;

use crate::{Found, Limits, Model, check};

/// All states of a small model.
fn all(model: &Model) -> Found {
    let found = check(model, &Limits { states: 1_000_000, ..Limits::default() }, &mut |_| {});
    assert!(found.exhausted || found.counterexample.is_some(), "not small: {}", model.words());
    found
}

/// A model of three servers that stays in term 1 and has a command.
fn one_term() -> Model {
    Model { terms: 1, ..Model::default() }
}
