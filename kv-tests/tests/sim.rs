//! All tests of lab 3 with the reference, on the simulated clock.

kv_tests::suite!(simulated, kv::Server<raft::Raft>, kv::Clerk);
