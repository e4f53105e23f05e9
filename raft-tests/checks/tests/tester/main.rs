//! The tester: what it must say, and what it must let pass.
//!
//! One program, since each one with the whole suite in it takes long to build.

mod fakes;
mod one_server;
mod parts;
mod settings;
mod several;
mod snapshots;
mod traces;
mod watch;
