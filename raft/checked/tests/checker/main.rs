//! The checker and the observed server: what they find, and what they tell.

mod crashes;
mod traces;
mod verdicts;
