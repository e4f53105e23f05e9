//! All tests on the simulated clock, with the Raft that has no bug (or the one that
//! the environment variable RAFT_ZOO names).

raft_tests::suite!(simulated, raft_zoo::Chosen, "2A");
raft_tests::suite!(simulated, raft_zoo::Chosen, "2B");
raft_tests::suite!(simulated, raft_zoo::Chosen, "2C");
raft_tests::suite!(simulated, raft_zoo::Chosen, "sizes");
