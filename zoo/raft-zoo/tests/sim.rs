//! All tests on the simulated clock, with the Raft that has no bug (or the one that
//! the environment variable RAFT_ZOO names).

raft_tests::suite!(simulated, raft_zoo::Chosen);
