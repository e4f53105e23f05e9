//! Part 2A on the real clock.

raft_tests::suite!(real, blocking_raft::BlockingRaft, "2A");
