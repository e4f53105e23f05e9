//! All tests of the crate from outside, as one program: each one more would compile the checker once more for each model.

mod accesses;
mod brute;
mod common;
mod counted;
mod limits;
mod models;
mod page;
mod properties;
mod queues;
mod read;
mod recorded;
mod steps;
mod violation;
mod witness;
