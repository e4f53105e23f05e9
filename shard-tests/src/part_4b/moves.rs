//! One client, while groups join and leave.

use tester::{Run, Totals};

use super::{check_logs, sleep};
use crate::cluster::Cluster;
use crate::data::Data;
use crate::subject::Subject;

/// From how many bytes of saved Raft state on a snapshot is due, where there are snapshots.
const MAX_RAFT_STATE: usize = 1000;

/// Shards move to who joins, and from who leaves.
pub(crate) fn join_and_leave(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, None);
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, 10, 5);
    data.verify();
    cluster.join(&[1]);
    data.verify_and_append(5);
    cluster.leave(&[0]);
    data.verify_and_append(5);
    sleep(1000);
    check_logs(&cluster, None);
    cluster.shut_down_group(0);
    data.verify();
    drop(data);
    cluster.finish()
}

/// The same with snapshots, and at the end all crash.
pub(crate) fn snapshots(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, Some(MAX_RAFT_STATE));
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, 30, 20);
    data.verify();
    cluster.join(&[1]);
    cluster.join(&[2]);
    cluster.leave(&[0]);
    data.verify_and_append(20);
    cluster.leave(&[1]);
    cluster.join(&[0]);
    data.verify_and_append(20);
    sleep(1000);
    data.verify();
    sleep(1000);
    check_logs(&cluster, Some(MAX_RAFT_STATE));
    let all = cluster.all();
    all.iter().for_each(|group| cluster.shut_down_group(*group));
    all.iter().for_each(|group| cluster.start_group(*group));
    data.verify();
    drop(data);
    cluster.finish()
}

/// Of each group one server, and then another one, is away while the configuration changes.
pub(crate) fn missed_changes(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, false, Some(MAX_RAFT_STATE));
    let all = cluster.all();
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, 10, 20);
    data.verify();
    cluster.join(&[1]);
    all.iter().for_each(|group| cluster.shut_down(*group, 0));
    cluster.join(&[2]);
    cluster.leave(&[1]);
    cluster.leave(&[0]);
    data.verify_and_append(20);
    cluster.join(&[1]);
    data.verify_and_append(20);
    all.iter().for_each(|group| cluster.start(*group, 0));
    data.verify_and_append(20);
    sleep(2000);
    all.iter().for_each(|group| cluster.shut_down(*group, 1));
    cluster.join(&[0]);
    cluster.leave(&[2]);
    data.verify_and_append(20);
    all.iter().for_each(|group| cluster.start(*group, 1));
    data.verify();
    drop(data);
    cluster.finish()
}
