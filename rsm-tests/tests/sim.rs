//! All tests of a replicated state machine with the reference, on the simulated clock.

rsm_tests::suite!(simulated, rsm::Rsm<rsm_tests::Counter, raft::Raft>);
