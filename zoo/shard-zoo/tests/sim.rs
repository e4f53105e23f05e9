//! All tests of lab 4 with the store and the controller whose mistake `SHARD_ZOO` names, on the
//! simulated clock; without it, with the correct ones.

shard_tests::suite!(
    simulated,
    shard_zoo::StudentShards<shard_zoo::Chosen, shard_zoo::StudentControllerClerk>,
    shard_zoo::StudentClerk<shard_zoo::Chosen, shard_zoo::StudentControllerClerk>,
    shard_zoo::StudentController<shard_zoo::Chosen>,
    shard_zoo::StudentControllerClerk
);
