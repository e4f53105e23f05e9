//! What a simulated world promises: a run is a pure function of its seed, and it finds what it is
//! meant to find.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the tests look at worlds from outside"
)]

use std::time::Duration;

use labrt::Failure;
use labrt::world::{Outcome, Trace};

mod clocks;
mod ends;
mod failures;
mod found;
mod kills;
mod pauses;
mod schedule;
mod waits;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn trace<T>(outcome: Result<Outcome<T>, Box<Failure>>) -> Trace {
    match outcome {
        Ok(outcome) => outcome.trace.expect("a simulated run has a trace"),
        Err(failure) => panic!("{failure}"),
    }
}
