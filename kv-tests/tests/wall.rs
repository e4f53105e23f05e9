//! All tests of lab 3 with the reference, on the real clock.

kv_tests::suite!(real, kv::Server<raft::Raft>, kv::Clerk);
