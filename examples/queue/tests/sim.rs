//! The suite on the simulated clock.

#[macro_use]
mod suite;

tests!(simulated);
