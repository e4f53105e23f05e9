//! All tests, by name.

use tester::{Columns, Run, Test, Totals};

use crate::subject::Subject;
use crate::{part_4a, part_4b, rare, soak, storm};

/// Stamps out all tests of the lab for a store and a controller: types that implement
/// [`shard_api::Server`], [`shard_api::Clerk`], [`shard_api::Controller`] and
/// [`shard_api::ControllerClerk`], in this order.
///
/// `suite!(simulated, my::Server, my::Clerk, my::Controller, my::ControllerClerk)` runs them on the
/// simulated clock, `suite!(real, ...)` on the real one. Each becomes a `#[test]` whose name ends in
/// its part: `basic_4A`. With a part as last argument, only that part's: `"4A"`, `"4B"`, or `"storm"`, of
/// which the course has nothing; nor has it the test of a rare situation, `"rare"`, and the swarm test, `"soak"`, which
/// are there on the simulated clock only.
#[macro_export]
macro_rules! suite {
    (simulated, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty) => {
        $crate::suite!(simulated, $server, $clerk, $controller, $controller_clerk, "lab");
        $crate::suite!(simulated, $server, $clerk, $controller, $controller_clerk, "rare");
        $crate::suite!(simulated, $server, $clerk, $controller, $controller_clerk, "soak");
    };
    (real, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty) => {
        $crate::suite!(real, $server, $clerk, $controller, $controller_clerk, "lab");
    };
    ($clock:ident, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty, "lab") => {
        $crate::suite!($clock, $server, $clerk, $controller, $controller_clerk, "4A");
        $crate::suite!($clock, $server, $clerk, $controller, $controller_clerk, "4B");
        $crate::suite!($clock, $server, $clerk, $controller, $controller_clerk, "storm");
    };
    (simulated, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty, "rare") => {
        $crate::tests! { simulated, $crate::Subject::of::<$server, $clerk, $controller, $controller_clerk>(),
            deletion_again_rare
        }
    };
    (simulated, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty, "soak") => {
        $crate::tests! { simulated, $crate::Subject::of::<$server, $clerk, $controller, $controller_clerk>(),
            shards_soak
        }
    };
    ($clock:ident, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty, "4A") => {
        $crate::tests! { $clock, $crate::Subject::of::<$server, $clerk, $controller, $controller_clerk>(),
            basic_4A
            multi_4A
            minimal_movement_again_4A
        }
    };
    ($clock:ident, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty, "4B") => {
        $crate::tests! { $clock, $crate::Subject::of::<$server, $clerk, $controller, $controller_clerk>(),
            static_shards_4B
            rejection_4B
            join_leave_4B
            snapshot_4B
            miss_change_4B
            concurrent_1_4B
            concurrent_2_4B
            concurrent_3_4B
            unreliable_1_4B
            unreliable_2_4B
            unreliable_3_4B
            challenge_1_delete_4B
            challenge_2_unaffected_4B
            challenge_2_partial_4B
        }
    };
    ($clock:ident, $server:ty, $clerk:ty, $controller:ty, $controller_clerk:ty, "storm") => {
        $crate::tests! { $clock, $crate::Subject::of::<$server, $clerk, $controller, $controller_clerk>(),
            anything_storm
        }
    };
}

/// Stamps out tests; the inside of [`suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($clock:ident, $subject:expr, $($name:ident)*) => {$(
        #[test]
        #[allow(non_snake_case, reason = "the name ends in the part of the lab")]
        fn $name() {
            let test = $crate::test(stringify!($name), $subject);
            $crate::run::$clock(&test, $crate::run::origin!(stringify!($name)));
        }
    )*};
}

/// The test of this name, for these types.
///
/// # Panics
/// If there is none.
pub fn test(name: &str, subject: Subject) -> Test {
    let found = all_tests(subject).into_iter().find(|(of, _)| *of == name);
    found.unwrap_or_else(|| panic!("there is no test `{name}`")).1
}

/// A test: its name, its title, and what it does.
type Row = (&'static str, &'static str, fn(Subject, &Run) -> Totals);

/// All tests as values, by name: for those who run them in a way of their own.
pub fn all_tests(subject: Subject) -> Vec<(&'static str, Test)> {
    let rows: [Row; 20] = [
        ("basic_4A", "one group at a time", part_4a::basic),
        ("multi_4A", "several groups at once", part_4a::multi),
        ("minimal_movement_again_4A", "minimal movement again", part_4a::minimal_movement_again),
        ("static_shards_4B", "static shards", part_4b::static_shards),
        ("rejection_4B", "rejection", part_4b::rejection),
        ("join_leave_4B", "join then leave", part_4b::join_and_leave),
        ("snapshot_4B", "snapshots, join, and leave", part_4b::snapshots),
        ("miss_change_4B", "servers miss configuration changes", part_4b::missed_changes),
        ("concurrent_1_4B", "concurrent puts and configuration changes", part_4b::crashes),
        (
            "concurrent_2_4B",
            "more concurrent puts and configuration changes",
            part_4b::reconfigurations,
        ),
        ("concurrent_3_4B", "concurrent configuration change and restart", part_4b::restarts),
        ("unreliable_1_4B", "unreliable 1", part_4b::sequential),
        ("unreliable_2_4B", "unreliable 2", part_4b::appends),
        ("unreliable_3_4B", "unreliable 3", part_4b::linearizable),
        ("challenge_1_delete_4B", "shard deletion (challenge 1)", part_4b::delete),
        ("challenge_2_unaffected_4B", "unaffected shard access (challenge 2)", part_4b::unaffected),
        (
            "challenge_2_partial_4B",
            "partial migration shard access (challenge 2)",
            part_4b::partial,
        ),
        ("anything_storm", "anything changes and fails", storm::play),
        ("deletion_again_rare", "a deletion that comes again", rare::words_about_an_earlier_move),
        ("shards_soak", "anything at once", soak::anything),
    ];
    let test = |(name, title, body): Row| {
        let steps: &[&str] = match name {
            "basic_4A" => &part_4a::BASIC,
            "multi_4A" => &part_4a::MULTI,
            _ => &[],
        };
        let test = Test::new(part(name), title, move |run| body(subject, run)).in_steps(steps);
        (name, test.with_columns(Columns::Calls))
    };
    rows.map(test).into()
}

/// The part that a test's name ends in.
fn part(name: &'static str) -> &'static str {
    name.rsplit('_').next().unwrap_or(name)
}
