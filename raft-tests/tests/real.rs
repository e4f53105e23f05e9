//! All tests of the lab, with the reference Raft, on the real clock.

raft_tests::suite!(real, raft_checked::CheckedRaft);
