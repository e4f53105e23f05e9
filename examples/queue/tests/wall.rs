//! The suite on the real clock.

#[macro_use]
mod suite;

tests!(real);
