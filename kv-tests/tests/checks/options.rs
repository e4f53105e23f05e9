//! The reference with what can be chosen beyond the course passes the tests that it may concern.

use std::num::NonZeroUsize;

use kv_tests::Subject;
use kv_tests::run::{origin, simulated};
use raft::Raft;

use crate::chosen::scenario::leaders_change;
use crate::chosen::{Choice, Chosen, ReadIndex};

/// Requests share log entries.
struct Batches;

impl Choice for Batches {
    const READ_INDEX: bool = false;
    const BATCH: Option<NonZeroUsize> = NonZeroUsize::new(64);
}

/// All of it at once.
struct Both;

impl Choice for Both {
    const READ_INDEX: bool = true;
    const BATCH: Option<NonZeroUsize> = NonZeroUsize::new(64);
}

mod read_index {
    use super::*;

    #[test]
    fn reads_while_leaders_change() {
        let test = leaders_change::<Chosen<ReadIndex, Raft>>();
        simulated(&test, origin!("reads_while_leaders_change"));
    }

    /// How many bytes the log has grown by for fifty Gets.
    fn growth<S: kv_api::Server>() -> usize {
        let outcome = labrt::simulate(1, || {
            let subject = Subject::of::<S, kv::Clerk>();
            let run = tester::Run::silent();
            run.enter();
            let cluster = kv_tests::Cluster::new(subject, &run, 3, false, None);
            let mut client = cluster.client(&cluster.all());
            client.put("k", "v");
            let before = cluster.log_size();
            (0..50).for_each(|_| client.check("k", "v"));
            let grown = cluster.log_size() - before;
            cluster.finish();
            grown
        });
        outcome.expect("nothing fails").value
    }

    #[test]
    fn reads_leave_no_entry() {
        assert_eq!(growth::<Chosen<ReadIndex, Raft>>(), 0);
        assert!(growth::<kv::Server<Raft>>() > 1000);
    }

    kv_tests::tests! { simulated, Chosen<ReadIndex, Raft>, kv::Clerk,
        speed_3A
        one_partition_3A
        many_partitions_many_clients_3A
        persist_partition_unreliable_linearizable_3A
        snapshot_unreliable_recover_concurrent_partition_linearizable_3B
    }
}

mod batches {
    use super::*;

    kv_tests::tests! { simulated, Chosen<Batches, Raft>, kv::Clerk,
        unreliable_one_key_3A
        persist_partition_unreliable_3A
        snapshot_recover_many_clients_3B
        snapshot_unreliable_recover_concurrent_partition_linearizable_3B
    }
}

mod both {
    use super::*;

    kv_tests::tests! { simulated, Chosen<Both, Raft>, kv::Clerk,
        speed_3B
        one_partition_3A
        snapshot_unreliable_recover_concurrent_partition_linearizable_3B
    }
}

mod both_on_the_real_clock {
    use super::*;

    kv_tests::tests! { real, Chosen<Both, Raft>, kv::Clerk,
        speed_3B
        snapshot_unreliable_recover_concurrent_partition_linearizable_3B
    }
}
