//! All tests of the crate from outside but those of what the compiler refuses, as one program.

mod call_to;
mod common;
mod course;
mod endings;
mod extremes;
mod observer;
mod on_request;
mod open_calls;
mod rules;
mod statistics;
