//! All tests on the simulated clock, with the Raft that has no bug.

raft_tests::suite!(simulated, raft_zoo::Correct);
