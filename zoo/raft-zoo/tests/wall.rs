//! All tests on the real clock, with the Raft that has no bug (or the one that
//! the environment variable RAFT_ZOO names).

raft_tests::suite!(real, raft_zoo::Chosen);
