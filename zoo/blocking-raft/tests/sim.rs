//! Part 2A on the simulated clock.

raft_tests::suite!(simulated, blocking_raft::BlockingRaft, "2A");
