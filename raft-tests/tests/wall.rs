//! All tests of the lab, with the reference Raft, on the real clock.
//!
//! The name is that of the clock on the wall, and comes after `sim`: cargo runs test targets in the order of
//! their names and stops after the first that fails. So a failure that a seed repeats comes first.

raft_tests::suite!(real, raft_checked::CheckedRaft);
