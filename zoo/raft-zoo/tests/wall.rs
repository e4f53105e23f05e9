//! All tests on the real clock, with the Raft that has no bug (or the one that
//! the environment variable RAFT_ZOO names).

raft_tests::suite!(real, raft_zoo::Chosen, "2A");
raft_tests::suite!(real, raft_zoo::Chosen, "2B");
raft_tests::suite!(real, raft_zoo::Chosen, "2C");
raft_tests::suite!(real, raft_zoo::Chosen, "sizes");
