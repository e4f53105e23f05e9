//! All tests of a replicated state machine with the reference, on the real clock.

rsm_tests::suite!(real, rsm::Rsm<rsm_tests::Counter, raft::Raft>);
