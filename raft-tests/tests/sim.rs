//! All tests of the lab, with the reference Raft, on the simulated clock.

raft_tests::suite!(simulated, raft_checked::CheckedRaft);
