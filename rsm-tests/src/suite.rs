//! All tests, by name.

use tester::{Columns, Run, Test, Totals};

use crate::subject::Subject;
use crate::{part_4a, part_4c};

/// Stamps out all tests for a type that implements [`rsm_api::Server`] with the machine
/// [`Counter`](crate::Counter).
///
/// `suite!(simulated, my::Rsm<rsm_tests::Counter>)` runs them on the simulated clock, `suite!(real, ...)`
/// on the real one. Each becomes a `#[test]` whose name ends in its part: `basic_4A`. With a part as last
/// argument, `suite!(simulated, my::Rsm<rsm_tests::Counter>, "4A")`, only that part's.
#[macro_export]
macro_rules! suite {
    ($clock:ident, $server:ty) => {
        $crate::suite!($clock, $server, "4A");
        $crate::suite!($clock, $server, "4C");
    };
    ($clock:ident, $server:ty, "4A") => {
        $crate::tests! { $clock, $server,
            basic_4A
            concurrent_4A
            leader_failure_4A
            leader_partition_4A
            restart_replay_4A
            shutdown_4A
            restart_submit_4A
        }
    };
    ($clock:ident, $server:ty, "4C") => {
        $crate::tests! { $clock, $server,
            snapshot_4C
            snapshot_behind_4C
        }
    };
}

/// Stamps out tests; the inside of [`suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($clock:ident, $server:ty, $($name:ident)*) => {$(
        #[test]
        #[allow(non_snake_case, reason = "the name ends in the part of the lab")]
        fn $name() {
            let test = $crate::test(stringify!($name), $crate::Subject::of::<$server>());
            $crate::run::$clock(&test, $crate::run::origin!(stringify!($name)));
        }
    )*};
}

/// The test of this name, for this server.
///
/// # Panics
/// If there is none.
pub fn test(name: &str, subject: Subject) -> Test {
    let found = all_tests(subject).into_iter().find(|(of, _)| *of == name);
    found.unwrap_or_else(|| panic!("there is no test `{name}`")).1
}

/// All tests as values, by name: for those who run them in a way of their own.
pub fn all_tests(subject: Subject) -> Vec<(&'static str, Test)> {
    let tests: [Named; 9] = [
        ("basic_4A", "RSM basic", part_4a::basic),
        ("concurrent_4A", "concurrent submit", part_4a::concurrent),
        ("leader_failure_4A", "leader failure", part_4a::leader_failure),
        ("leader_partition_4A", "leader partition", part_4a::leader_partition),
        ("restart_replay_4A", "restart", part_4a::restart_replay),
        ("shutdown_4A", "shutdown", part_4a::shutdown),
        ("restart_submit_4A", "restart and submit", part_4a::restart_submit),
        ("snapshot_4C", "creating and restoring snapshot", part_4c::snapshot),
        ("snapshot_behind_4C", "snapshot for a server that was away", part_4c::snapshot_behind),
    ];
    let part = |name: &'static str| name.rsplit('_').next().unwrap_or(name);
    tests
        .map(|(name, title, body)| {
            let title = format!("{title} (reliable network)");
            let test = Test::new(part(name), title, move |run| body(subject, run));
            (name, test.with_columns(Columns::Named))
        })
        .into()
}

/// A test's name, its title, and what it does.
type Named = (&'static str, &'static str, fn(Subject, &Run) -> Totals);
