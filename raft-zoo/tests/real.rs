//! All tests on the real clock, with the Raft that has no bug.

raft_tests::suite!(real, raft_zoo::Correct);
