//! All tests of lab 4 with the reference, on the simulated clock.

shard_tests::suite!(
    simulated,
    shardkv::Server<raft::Raft, shardctrler::Clerk>,
    shardkv::Clerk<shardctrler::Clerk>,
    shardctrler::Server<raft::Raft>,
    shardctrler::Clerk
);
