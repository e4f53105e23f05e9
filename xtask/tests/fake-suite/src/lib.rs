//! Nothing: the fake suite is in `tests/sim.rs`.
