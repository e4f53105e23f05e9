//! All tests of lab 4 with the reference, on the real clock.

shard_tests::suite!(
    real,
    shardkv::Server<raft::Raft, shardctrler::Clerk>,
    shardkv::Clerk<shardctrler::Clerk>,
    shardctrler::Server<raft::Raft>,
    shardctrler::Clerk
);
