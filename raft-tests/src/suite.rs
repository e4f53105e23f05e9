use crate::run::Test;

/// Stamps out all tests of the lab for a type that implements [`raft_api::Raft`].
///
/// `suite!(simulated, my::Raft)` runs them on the simulated clock, `suite!(real, my::Raft)` on the
/// real one. Each becomes a `#[test]` whose name ends in its part: `initial_election_2A`. With a part as
/// third argument, `suite!(simulated, my::Raft, "2A")`, only that part's. The tests of
/// [rare situations](crate::rare) and the [swarm test](crate::soak) are there on the simulated clock only.
#[macro_export]
macro_rules! suite {
    (simulated, $raft:ty) => {
        $crate::suite!(simulated, $raft, "lab");
        $crate::suite!(simulated, $raft, "rare");
        $crate::suite!(simulated, $raft, "soak");
    };
    (real, $raft:ty) => {
        $crate::suite!(real, $raft, "lab");
    };
    ($clock:ident, $raft:ty, "lab") => {
        $crate::suite!($clock, $raft, "2A");
        $crate::suite!($clock, $raft, "2B");
        $crate::suite!($clock, $raft, "2C");
        $crate::suite!($clock, $raft, "2D");
        $crate::suite!($clock, $raft, "sizes");
    };
    (real, $raft:ty, "rare") => {
        compile_error!("the rare situations are there on the simulated clock only");
    };
    (real, $raft:ty, "soak") => {
        compile_error!("the swarm test is there on the simulated clock only");
    };
    ($clock:ident, $raft:ty, "rare") => {
        $crate::tests! { $clock, $raft,
            "rare" rare {
                late_replies_rare: late_replies, "replies to a former reign", 5, false;
                out_of_touch_rare: out_of_touch, "a newer term in replies only", 3, false;
                one_can_win_rare: one_can_win, "only one server can win", 9, false;
                end_of_reign_rare:
                    starts_at_the_end_of_a_reign, "commands at the end of a reign", 3, false;
                busy_service_rare:
                    commands_for_a_busy_service, "commands for a busy service", 3, false;
            }
            "rare2D" rare {
                snapshot_lossy_rare2D:
                    snapshots_on_a_lossy_network, "snapshots basic (unreliable)", 3, true;
                snapshot_busy_rare2D:
                    snapshot_for_a_busy_service, "a snapshot for a busy service", 3, false;
                snapshot_twice_rare2D:
                    snapshots_that_come_twice, "snapshots that come twice", 3, false;
            }
        }
    };
    ($clock:ident, $raft:ty, "soak") => {
        $crate::tests! { $clock, $raft,
            "soak" soak {
                anything_soak: anything, "anything at once", 0, false;
            }
        }
    };
    ($clock:ident, $raft:ty, "2A") => {
        $crate::tests! { $clock, $raft,
            "2A" part_2a {
                initial_election_2A: initial_election, "initial election", 3, false;
                election_after_network_failure_2A:
                    election_after_network_failure, "election after network failure", 3, false;
                multiple_elections_2A: multiple_elections, "multiple elections", 7, false;
            }
        }
    };
    ($clock:ident, $raft:ty, "2B") => {
        $crate::tests! { $clock, $raft,
            "2B" part_2b {
                basic_agreement_2B: basic_agreement, "basic agreement", 3, false;
                rpc_byte_count_2B: rpc_byte_count, "RPC byte count", 3, false;
                progressive_failure_of_followers_2B: progressive_failure_of_followers,
                    "test progressive failure of followers", 3, false;
                failure_of_leaders_2B: failure_of_leaders, "test failure of leaders", 3, false;
                agreement_despite_follower_disconnection_2B:
                    agreement_despite_follower_disconnection,
                    "agreement despite follower disconnection", 3, false;
                no_agreement_if_too_many_followers_disconnect_2B:
                    no_agreement_if_too_many_followers_disconnect,
                    "no agreement if too many followers disconnect", 5, false;
                concurrent_starts_2B: concurrent_starts, "concurrent Start()s", 3, false;
                rejoin_of_partitioned_leader_2B:
                    rejoin_of_partitioned_leader, "rejoin of partitioned leader", 3, false;
                leader_backs_up_quickly_2B: leader_backs_up_quickly,
                    "leader backs up quickly over incorrect follower logs", 5, false;
                rpc_counts_2B: rpc_counts, "RPC counts aren't too high", 3, false;
            }
        }
    };
    ($clock:ident, $raft:ty, "2C") => {
        $crate::tests! { $clock, $raft,
            "2C" part_2c {
                basic_persistence_2C: basic_persistence, "basic persistence", 3, false;
                more_persistence_2C: more_persistence, "more persistence", 5, false;
                partitioned_leader_and_one_follower_crash_2C:
                    partitioned_leader_and_one_follower_crash,
                    "partitioned leader and one follower crash, leader restarts", 3, false;
                figure_8_2C: figure_8, "Figure 8", 5, false;
                unreliable_agreement_2C: unreliable_agreement, "unreliable agreement", 5, true;
                figure_8_unreliable_2C: figure_8_unreliable, "Figure 8 (unreliable)", 5, true;
                churn_2C: churn, "churn", 5, false;
                unreliable_churn_2C: churn, "unreliable churn", 5, true;
            }
        }
    };
    ($clock:ident, $raft:ty, "2D") => {
        $crate::tests! { $clock, $raft,
            "2D" part_2d {
                snapshot_basic_2D: snapshots_basic, "snapshots basic", 3, false;
                snapshot_install_2D:
                    install_snapshots_disconnect, "install snapshots (disconnect)", 3, false;
                snapshot_install_unreliable_2D:
                    install_snapshots_disconnect, "install snapshots (disconnect+unreliable)", 3, true;
                snapshot_install_crash_2D:
                    install_snapshots_crash, "install snapshots (crash)", 3, false;
                snapshot_install_unreliable_crash_2D:
                    install_snapshots_crash, "install snapshots (unreliable+crash)", 3, true;
                snapshot_all_crash_2D:
                    crash_and_restart_all, "crash and restart all servers", 3, false;
                snapshot_init_2D:
                    snapshot_initialization, "snapshot initialization after crash", 3, false;
            }
        }
    };
    ($clock:ident, $raft:ty, "sizes") => {
        $crate::tests! { $clock, $raft,
            "sizes" sizes {
                agreement_of_1_sizes: alone, "one server alone", 1, false;
                agreement_of_2_sizes: half_is_no_majority, "half is no majority", 2, false;
                agreement_of_4_sizes: half_is_no_majority, "half is no majority", 4, false;
                agreement_of_6_sizes: half_is_no_majority, "half is no majority", 6, false;
            }
        }
    };
}

/// Stamps out tests; the inside of [`suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    (table, $any:ty, $($part:literal $module:ident {
        $($name:ident: $body:ident, $title:literal, $servers:literal, $unreliable:literal;)*
    })*) => {
        vec![$($((
            stringify!($name),
            $crate::run::Test {
                part: $part,
                title: $title,
                servers: $servers,
                unreliable: $unreliable,
                body: $crate::$module::$body,
            },
        ),)*)*]
    };
    ($clock:ident, $raft:ty, $($part:literal $module:ident {
        $($name:ident: $body:ident, $title:literal, $servers:literal, $unreliable:literal;)*
    })*) => {$($(
        #[test]
        #[allow(non_snake_case, reason = "the name ends in the part of the lab")]
        fn $name() {
            let test = $crate::run::Test {
                part: $part,
                title: $title,
                servers: $servers,
                unreliable: $unreliable,
                body: $crate::$module::$body,
            };
            let raft = $crate::RaftType::of::<$raft>();
            $crate::run::$clock(&test, raft, $crate::run::origin!(stringify!($name)));
        }
    )*)*};
}

/// All tests of the lab as values, by the names that [`suite!`](crate::suite) gives them: for those
/// who run them in a way of their own.
pub fn all_tests() -> Vec<(&'static str, Test)> {
    let mut tests = crate::suite!(table, _, "2A");
    tests.extend(crate::suite!(table, _, "2B"));
    tests.extend(crate::suite!(table, _, "2C"));
    tests.extend(crate::suite!(table, _, "2D"));
    tests.extend(crate::suite!(table, _, "sizes"));
    tests
}

/// The tests of rare situations and the swarm test in the same form: they are no tests of the lab.
pub fn simulated_tests() -> Vec<(&'static str, Test)> {
    let mut tests = crate::suite!(table, _, "rare");
    tests.extend(crate::suite!(table, _, "soak"));
    tests
}
