//! Tests of [`raft_tests`] and of the rules below it. They have a package of their own, so that who runs
//! the suite need not build them.
