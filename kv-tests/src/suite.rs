//! All tests, by name.

use tester::{Columns, Run, Test, Totals};

use crate::generic::Generic;
use crate::part_3a::ONE_PARTITION;
use crate::subject::Subject;
use crate::{part_3a, part_3b, soak};

/// Stamps out all tests of the lab for a server that implements [`kv_api::Server`] and a clerk that
/// implements [`kv_api::Clerk`].
///
/// `suite!(simulated, my::Server, my::Clerk)` runs them on the simulated clock, `suite!(real, ...)` on
/// the real one. Each becomes a `#[test]` whose name ends in its part: `basic_3A`. With a part as last
/// argument, `suite!(simulated, my::Server, my::Clerk, "3A")`, only that part's. The swarm test, `"soak"`, is
/// there on the simulated clock only.
#[macro_export]
macro_rules! suite {
    (simulated, $server:ty, $clerk:ty) => {
        $crate::suite!(simulated, $server, $clerk, "lab");
        $crate::suite!(simulated, $server, $clerk, "soak");
    };
    (real, $server:ty, $clerk:ty) => {
        $crate::suite!(real, $server, $clerk, "lab");
    };
    ($clock:ident, $server:ty, $clerk:ty, "lab") => {
        $crate::suite!($clock, $server, $clerk, "3A");
        $crate::suite!($clock, $server, $clerk, "3B");
    };
    (simulated, $server:ty, $clerk:ty, "soak") => {
        $crate::tests! { simulated, $server, $clerk,
            service_soak
        }
    };
    ($clock:ident, $server:ty, $clerk:ty, "3A") => {
        $crate::tests! { $clock, $server, $clerk,
            basic_3A
            speed_3A
            concurrent_3A
            unreliable_3A
            unreliable_one_key_3A
            one_partition_3A
            many_partitions_one_client_3A
            many_partitions_many_clients_3A
            persist_one_client_3A
            persist_concurrent_3A
            persist_concurrent_unreliable_3A
            persist_partition_3A
            persist_partition_unreliable_3A
            persist_partition_unreliable_linearizable_3A
        }
    };
    ($clock:ident, $server:ty, $clerk:ty, "3B") => {
        $crate::tests! { $clock, $server, $clerk,
            snapshot_rpc_3B
            snapshot_size_3B
            speed_3B
            snapshot_recover_3B
            snapshot_recover_many_clients_3B
            snapshot_unreliable_3B
            snapshot_unreliable_recover_3B
            snapshot_unreliable_recover_concurrent_partition_3B
            snapshot_unreliable_recover_concurrent_partition_linearizable_3B
        }
    };
}

/// Stamps out tests; the inside of [`suite!`].
#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($clock:ident, $server:ty, $clerk:ty, $($name:ident)*) => {$(
        #[test]
        #[allow(non_snake_case, reason = "the name ends in the part of the lab")]
        fn $name() {
            let test = $crate::test(stringify!($name), $crate::Subject::of::<$server, $clerk>());
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

/// All tests as values, by name: for those who run them in a way of their own.
pub fn all_tests(subject: Subject) -> Vec<(&'static str, Test)> {
    let mut tests: Vec<(&'static str, Test)> = GENERIC
        .iter()
        .map(|(name, generic)| {
            let play = move |run: &Run| generic.play(subject, run);
            (*name, Test::new(part(name), generic.title(), play).with_columns(Columns::Calls))
        })
        .collect();
    let own: [Own; 7] = [
        ("speed_3A", "ops complete fast enough", |subject, run| part_3a::speed(subject, run, None)),
        (
            "unreliable_one_key_3A",
            "concurrent append to same key, unreliable",
            part_3a::unreliable_one_key,
        ),
        ("one_partition_3A", "majority, minority, heal", part_3a::one_partition),
        ("snapshot_rpc_3B", "InstallSnapshot RPC", part_3b::snapshot_rpc),
        ("snapshot_size_3B", "snapshot size is reasonable", part_3b::snapshot_size),
        ("speed_3B", "ops complete fast enough", |subject, run| {
            part_3a::speed(subject, run, Some(part_3b::MAX_RAFT_STATE))
        }),
        ("service_soak", "anything at once", soak::anything),
    ];
    tests.extend(own.map(|(name, title, body)| {
        let steps: &[&str] = if name == "one_partition_3A" { &ONE_PARTITION } else { &[] };
        let test = Test::new(part(name), title, move |run| body(subject, run)).in_steps(steps);
        (name, test.with_columns(Columns::Calls))
    }));
    tests
}

/// A test that is like no other: its name, its title, and what it does.
type Own = (&'static str, &'static str, fn(Subject, &Run) -> Totals);

/// The part that a test's name ends in.
fn part(name: &'static str) -> &'static str {
    name.rsplit('_').next().unwrap_or(name)
}

const ONE: Generic = Generic {
    clients: 1,
    servers: 5,
    unreliable: false,
    crash: false,
    partitions: false,
    max_raft_state: None,
    random_keys: false,
};
const MANY: Generic = Generic { clients: 5, ..ONE };
const RANDOM: Generic = Generic {
    clients: 15,
    servers: 7,
    unreliable: true,
    crash: true,
    partitions: true,
    max_raft_state: None,
    random_keys: true,
};

const fn snapshots(of: Generic) -> Generic {
    Generic { max_raft_state: Some(part_3b::MAX_RAFT_STATE), ..of }
}

const GENERIC: [(&str, Generic); 17] = [
    ("basic_3A", ONE),
    ("concurrent_3A", MANY),
    ("unreliable_3A", Generic { unreliable: true, ..MANY }),
    ("many_partitions_one_client_3A", Generic { partitions: true, ..ONE }),
    ("many_partitions_many_clients_3A", Generic { partitions: true, ..MANY }),
    ("persist_one_client_3A", Generic { crash: true, ..ONE }),
    ("persist_concurrent_3A", Generic { crash: true, ..MANY }),
    ("persist_concurrent_unreliable_3A", Generic { unreliable: true, crash: true, ..MANY }),
    ("persist_partition_3A", Generic { crash: true, partitions: true, ..MANY }),
    (
        "persist_partition_unreliable_3A",
        Generic { unreliable: true, crash: true, partitions: true, ..MANY },
    ),
    ("persist_partition_unreliable_linearizable_3A", RANDOM),
    ("snapshot_recover_3B", snapshots(Generic { crash: true, ..ONE })),
    ("snapshot_recover_many_clients_3B", snapshots(Generic { clients: 20, crash: true, ..ONE })),
    ("snapshot_unreliable_3B", snapshots(Generic { unreliable: true, ..MANY })),
    (
        "snapshot_unreliable_recover_3B",
        snapshots(Generic { unreliable: true, crash: true, ..MANY }),
    ),
    (
        "snapshot_unreliable_recover_concurrent_partition_3B",
        snapshots(Generic { unreliable: true, crash: true, partitions: true, ..MANY }),
    ),
    ("snapshot_unreliable_recover_concurrent_partition_linearizable_3B", snapshots(RANDOM)),
];
