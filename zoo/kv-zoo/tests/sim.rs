//! All tests of lab 3 with the service whose mistake `KV_ZOO` names, on the simulated clock; without it,
//! with the correct one.

kv_tests::suite!(
    simulated,
    kv_zoo::StudentKv<kv_zoo::Chosen>,
    kv_zoo::StudentClerk<kv_zoo::Chosen>
);
