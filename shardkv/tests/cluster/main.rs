//! A controller, groups and clerks on one network, in simulated worlds.

mod controller;
mod endings;
mod moves;
mod storm;
mod world;
