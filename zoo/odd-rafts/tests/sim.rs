//! All tests on the simulated clock, with the plain Raft (or the one that the environment variable
//! ODD_RAFT names).

raft_tests::suite!(simulated, odd_rafts::OddRaft);
