//! The labs: which tests they have, what a part is worth, and what a crate for one must have.

/// A lab.
#[derive(Debug)]
pub(crate) struct Lab {
    /// As a user names it, such as `2`.
    pub(crate) number: &'static str,
    /// The package that stamps the tests out. Its own tests run them with the reference.
    pub(crate) suite: &'static str,
    /// What the tests are stamped out for, in the order of the suite's macro.
    pub(crate) types: &'static [Type],
    pub(crate) parts: &'static [Part],
}

/// A type that a crate must have.
#[derive(Debug)]
pub(crate) struct Type {
    /// What it is called unless somebody says otherwise.
    pub(crate) name: &'static str,
    /// What it must implement.
    pub(crate) implements: &'static str,
}

/// A part of a lab.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Its points, of a hundred.
    pub(crate) points: f64,
    /// No course has it: it is there to show mistakes, and is worth something only if somebody says so.
    pub(crate) ours: bool,
    /// In the order of the lab.
    pub(crate) tests: &'static [&'static str],
}

/// What the names of the tests end in that have faults which no part of a lab has.
pub(crate) const SOAK: &str = "_soak";

pub(crate) static LABS: [Lab; 3] = [
    Lab {
        number: "2",
        suite: "raft-tests",
        types: &[Type { name: "Raft", implements: "raft_api::Raft" }],
        parts: &[
            Part {
                name: "2A",
                points: 30.0,
                ours: false,
                tests: &[
                    "initial_election_2A",
                    "election_after_network_failure_2A",
                    "multiple_elections_2A",
                ],
            },
            Part {
                name: "2B",
                points: 35.0,
                ours: false,
                tests: &[
                    "basic_agreement_2B",
                    "rpc_byte_count_2B",
                    "progressive_failure_of_followers_2B",
                    "failure_of_leaders_2B",
                    "agreement_despite_follower_disconnection_2B",
                    "no_agreement_if_too_many_followers_disconnect_2B",
                    "concurrent_starts_2B",
                    "rejoin_of_partitioned_leader_2B",
                    "leader_backs_up_quickly_2B",
                    "rpc_counts_2B",
                ],
            },
            Part {
                name: "2C",
                points: 35.0,
                ours: false,
                tests: &[
                    "basic_persistence_2C",
                    "more_persistence_2C",
                    "partitioned_leader_and_one_follower_crash_2C",
                    "figure_8_2C",
                    "unreliable_agreement_2C",
                    "figure_8_unreliable_2C",
                    "churn_2C",
                    "unreliable_churn_2C",
                ],
            },
            Part {
                name: "2D",
                // Not every course has this part: whoever does says what it is worth.
                points: 0.0,
                ours: false,
                tests: &[
                    "snapshot_basic_2D",
                    "snapshot_install_2D",
                    "snapshot_install_unreliable_2D",
                    "snapshot_install_crash_2D",
                    "snapshot_install_unreliable_crash_2D",
                    "snapshot_all_crash_2D",
                    "snapshot_init_2D",
                ],
            },
            Part {
                name: "sizes",
                points: 0.0,
                ours: true,
                tests: &[
                    "agreement_of_1_sizes",
                    "agreement_of_2_sizes",
                    "agreement_of_4_sizes",
                    "agreement_of_6_sizes",
                ],
            },
            Part {
                name: "rare",
                points: 0.0,
                ours: true,
                tests: &[
                    "late_replies_rare",
                    "out_of_touch_rare",
                    "one_can_win_rare",
                    "end_of_reign_rare",
                    "busy_service_rare",
                ],
            },
            Part {
                name: "rare2D",
                points: 0.0,
                ours: true,
                tests: &["snapshot_lossy_rare2D", "snapshot_busy_rare2D", "snapshot_twice_rare2D"],
            },
            Part { name: "soak", points: 0.0, ours: true, tests: &["anything_soak"] },
        ],
    },
    Lab {
        number: "3",
        suite: "kv-tests",
        types: &[
            Type { name: "Server", implements: "kv_api::Server" },
            Type { name: "Clerk", implements: "kv_api::Clerk" },
        ],
        parts: &[
            Part {
                name: "3A",
                points: 50.0,
                ours: false,
                tests: &[
                    "basic_3A",
                    "speed_3A",
                    "concurrent_3A",
                    "unreliable_3A",
                    "unreliable_one_key_3A",
                    "one_partition_3A",
                    "many_partitions_one_client_3A",
                    "many_partitions_many_clients_3A",
                    "persist_one_client_3A",
                    "persist_concurrent_3A",
                    "persist_concurrent_unreliable_3A",
                    "persist_partition_3A",
                    "persist_partition_unreliable_3A",
                    "persist_partition_unreliable_linearizable_3A",
                ],
            },
            Part {
                name: "3B",
                points: 50.0,
                ours: false,
                tests: &[
                    "snapshot_rpc_3B",
                    "snapshot_size_3B",
                    "speed_3B",
                    "snapshot_recover_3B",
                    "snapshot_recover_many_clients_3B",
                    "snapshot_unreliable_3B",
                    "snapshot_unreliable_recover_3B",
                    "snapshot_unreliable_recover_concurrent_partition_3B",
                    "snapshot_unreliable_recover_concurrent_partition_linearizable_3B",
                ],
            },
            Part { name: "soak", points: 0.0, ours: true, tests: &["service_soak"] },
        ],
    },
    Lab {
        number: "4",
        suite: "shard-tests",
        types: &[
            Type { name: "Server", implements: "shard_api::Server" },
            Type { name: "Clerk", implements: "shard_api::Clerk" },
            Type { name: "Controller", implements: "shard_api::Controller" },
            Type { name: "ControllerClerk", implements: "shard_api::ControllerClerk" },
        ],
        parts: &[
            Part {
                name: "4A",
                points: 30.0,
                ours: false,
                tests: &["basic_4A", "multi_4A", "minimal_movement_again_4A"],
            },
            Part {
                name: "4B",
                points: 70.0,
                ours: false,
                tests: &[
                    "static_shards_4B",
                    "rejection_4B",
                    "join_leave_4B",
                    "snapshot_4B",
                    "miss_change_4B",
                    "concurrent_1_4B",
                    "concurrent_2_4B",
                    "concurrent_3_4B",
                    "unreliable_1_4B",
                    "unreliable_2_4B",
                    "unreliable_3_4B",
                    "challenge_1_delete_4B",
                    "challenge_2_unaffected_4B",
                    "challenge_2_partial_4B",
                ],
            },
            Part { name: "storm", points: 0.0, ours: true, tests: &["anything_storm"] },
            Part { name: "rare", points: 0.0, ours: true, tests: &["deletion_again_rare"] },
            Part { name: "soak", points: 0.0, ours: true, tests: &["shards_soak"] },
        ],
    },
];

/// The layer between Raft and a service, as the course has had it since 2025. It has a skeleton and tests, and no
/// points. It is none of [`LABS`]: some of its tests have names of lab 4.
pub(crate) static LAYER: Lab = Lab {
    number: "rsm",
    suite: RSM_SUITE,
    types: &[Type { name: "Rsm<rsm_tests::Counter>", implements: "rsm_api::Server" }],
    parts: &[
        Part {
            name: "4A",
            points: 0.0,
            ours: false,
            tests: &[
                "basic_4A",
                "concurrent_4A",
                "leader_failure_4A",
                "leader_partition_4A",
                "restart_replay_4A",
                "shutdown_4A",
                "restart_submit_4A",
            ],
        },
        Part {
            name: "4C",
            points: 0.0,
            ours: false,
            tests: &["snapshot_4C", "snapshot_behind_4C"],
        },
    ],
};

impl Lab {
    /// The lab, or the layer, that a user wants to begin.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn to_begin(name: &str) -> Result<&'static Lab, String> {
        let layer = LAYER.number;
        match Lab::named(name) {
            Err(_) if name == layer => Ok(&LAYER),
            named => named.map_err(|words| format!("{words}, {layer}")),
        }
    }

    /// The lab that a user names.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn named(number: &str) -> Result<&'static Lab, String> {
        let known = LABS.iter().map(|lab| lab.number).collect::<Vec<_>>().join(", ");
        let found = LABS.iter().find(|lab| lab.number == number);
        found.ok_or_else(|| format!("there is no lab `{number}`; there are {known}"))
    }

    /// The lab that a test of this name belongs to.
    pub(crate) fn of(test: &str) -> Option<&'static Lab> {
        LABS.iter().find(|lab| lab.has(test))
    }

    fn has(&self, test: &str) -> bool {
        self.parts.iter().any(|part| part.tests.contains(&test))
    }

    /// A part by its name.
    pub(crate) fn part(&self, name: &str) -> Option<&'static Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The tests of these parts, in the order of the lab.
    pub(crate) fn tests_of(&self, parts: &[&str]) -> Vec<&'static str> {
        let parts = self.parts.iter().filter(|part| parts.contains(&part.name));
        parts.flat_map(|part| part.tests).copied().collect()
    }
}

/// The package with the tests that words are about, such as `3A` or `speed_3A`.
pub(crate) fn suite_with<S: AsRef<str>>(words: &[S]) -> &'static str {
    about(words).unwrap_or(&LABS[0]).suite
}

/// The suite with the tests that a word is about, if that is another one than this suite.
pub(crate) fn other_suite(suite: &str, word: &str) -> Option<&'static str> {
    let other = about(&[word]).map(|lab| lab.suite).filter(|other| *other != suite);
    other.filter(|_| suites().any(|known| known == suite))
}

/// What words are about: of names that a lab and the layer both have, the lab.
fn about<S: AsRef<str>>(words: &[S]) -> Option<&'static Lab> {
    let all = || LABS.iter().chain([&LAYER]);
    let words = || words.iter().map(AsRef::as_ref);
    // Some parts of several labs have one name, but no two tests of labs have.
    let named = words().find_map(|word: &str| all().find(|lab| lab.has(word)));
    let about = |lab: &&Lab| {
        words().any(|word: &str| lab.parts.iter().any(|part| word.ends_with(part.name)))
    };
    named.or_else(|| all().find(about))
}

/// The tests of the layer below a service: no lab of the course has them.
const RSM_SUITE: &str = "rsm-tests";

/// The packages whose own tests run a reference.
fn suites() -> impl Iterator<Item = &'static str> {
    LABS.iter().map(|lab| lab.suite).chain([RSM_SUITE])
}

/// The package whose own tests run the reference in a test of this name, for a package with these dependencies; none
/// if that is the package itself, or one that has nothing to do with a lab. Suites have tests of one name: it is the
/// suite that the package depends on.
pub(crate) fn reference(
    package: &str,
    dependencies: &[String],
    test: &str,
) -> Option<&'static str> {
    if suites().any(|suite| suite == package) {
        return None;
    }
    let by_name = Lab::of(test).map(|lab| lab.suite);
    let known = |suite: &&str| dependencies.iter().any(|one| one == suite);
    by_name.into_iter().chain(suites()).find(known).or(by_name)
}

/// The place of a test among all of all labs.
pub(crate) fn place(test: &str) -> Option<usize> {
    let parts = LABS.iter().flat_map(|lab| lab.parts);
    parts.flat_map(|part| part.tests).position(|name| *name == test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_are_those_of_the_suites() {
        let suites = [
            include_str!("../../raft-tests/src/suite.rs"),
            include_str!("../../kv-tests/src/suite.rs"),
            include_str!("../../shard-tests/src/suite.rs"),
            include_str!("../../rsm-tests/src/suite.rs"),
        ];
        assert_eq!(suites.len(), LABS.len() + 1);
        for (lab, suite) in LABS.iter().chain([&LAYER]).zip(suites) {
            for part in lab.parts {
                let ending = format!("_{}", part.name);
                let words = suite.split(|c: char| !c.is_alphanumeric() && c != '_');
                let mut stamped: Vec<&str> = words.filter(|word| word.ends_with(&ending)).collect();
                stamped.sort_unstable();
                stamped.dedup();
                let mut listed = part.tests.to_vec();
                listed.sort_unstable();
                assert_eq!(listed, stamped, "{}", part.name);
            }
        }
    }

    #[test]
    fn each_lab_is_worth_a_hundred_points() {
        for lab in &LABS {
            assert_eq!(lab.parts.iter().map(|part| part.points).sum::<f64>(), 100.0);
        }
    }

    #[test]
    fn a_test_is_compared_with_the_one_of_the_same_suite() {
        let with = |package: &str, dependency: &str, test: &str| {
            reference(package, &[dependency.to_string(), "serde".to_string()], test)
        };
        assert_eq!(with("my-rsm", "rsm-tests", "basic_4A"), Some("rsm-tests"));
        assert_eq!(with("my-shards", "shard-tests", "basic_4A"), Some("shard-tests"));
        assert_eq!(with("zoo", "raft-tests", "no_test_of_ours"), Some("raft-tests"));
        assert_eq!(with("by-other-ways", "my-suites", "speed_3A"), Some("kv-tests"));
        assert_eq!(with("own-service", "tester", "no_test_of_ours"), None);
        for suite in suites() {
            assert_eq!(with(suite, "raft-tests", "basic_4A"), None, "{suite}");
        }
    }

    #[test]
    fn labs_are_found_by_number_and_by_test() {
        assert_eq!(Lab::named("3").map(|lab| lab.suite), Ok("kv-tests"));
        assert!(Lab::named("9").is_err_and(|words| words.ends_with("there are 2, 3, 4")));
        assert!(Lab::named("rsm").is_err());
        assert_eq!(Lab::to_begin("rsm").map(|lab| lab.suite), Ok("rsm-tests"));
        assert_eq!(Lab::to_begin("4").map(|lab| lab.suite), Ok("shard-tests"));
        assert!(Lab::to_begin("9").is_err_and(|words| words.ends_with("there are 2, 3, 4, rsm")));
        assert_eq!(Lab::of("speed_3B").map(|lab| lab.number), Some("3"));
        assert_eq!(Lab::of("agreement_of_1_sizes").map(|lab| lab.number), Some("2"));
        assert_eq!(Lab::of("a_test_of_somebody_s").map(|lab| lab.number), None);
        assert!(place("initial_election_2A") < place("basic_3A"));
        assert_eq!(place("no such test"), None);
        assert_eq!(suite_with(&["3B"]), "kv-tests");
        assert_eq!(suite_with(&["churn", "speed_3A"]), "kv-tests");
        assert_eq!(suite_with(&["4A"]), "shard-tests");
        assert_eq!(suite_with(&["anything_storm"]), "shard-tests");
        assert_eq!(suite_with(&["service_soak"]), "kv-tests");
        assert_eq!(suite_with(&["shards_soak"]), "shard-tests");
        assert_eq!(suite_with(&["churn"]), "raft-tests");
        // The layer's, where no lab has a test or a part of the name.
        for words in
            ["4C", "snapshot_4C", "snapshot_behind_4C", "leader_partition_4A", "concurrent_4A"]
        {
            assert_eq!(suite_with(&[words]), "rsm-tests", "{words}");
        }
        assert_eq!(suite_with(&["basic_4A"]), "shard-tests");
        assert_eq!(other_suite("raft-tests", "3A"), Some("kv-tests"));
        assert_eq!(other_suite("shard-tests", "4C"), Some("rsm-tests"));
        assert_eq!(other_suite("kv-tests", "3A"), None);
        assert_eq!(other_suite("kv-tests", "churn"), None);
        assert_eq!(other_suite("my-raft", "3A"), None);
    }
}
