//! The challenges: lost shards are deleted, and what needs not wait is served.

use labtrace::{VerdictBuilder, verdict};
use service_watch::Limits;
use shard_api::shard_of;
use tester::{Run, Totals};

use super::sleep;
use crate::cluster::{Cluster, Layout};
use crate::data::Data;
use crate::subject::Subject;

/// Keys and bytes of each value, where shards are to be deleted.
const KEYS: usize = 30;
const LENGTH: usize = 1000;

/// How many of the keys are read again and again: their values may also be in a table of duplicates.
const READ: usize = 3;

/// The most bytes that all servers may have saved: on three replicas all values once, those that were
/// read twice, and some more.
const MOST: usize = 3 * ((KEYS - READ) * LENGTH + 2 * READ * LENGTH + 6000);

/// Who loses a shard deletes it.
pub(crate) fn delete(subject: Subject, run: &Run) -> Totals {
    // A snapshot after every entry; what servers have saved is looked at in the end.
    let course = Layout::of_course(false, Some(1));
    let cluster = Cluster::with(subject, run, Layout { limits: Limits::default(), ..course });
    cluster.join(&[0]);
    let mut data = Data::put(&cluster, KEYS, LENGTH);
    let check = |data: &mut Data| (0..READ).for_each(|key| data.check(key));
    check(&mut data);
    for _ in run.rounds(2) {
        cluster.join(&[1]);
        cluster.leave(&[0]);
        cluster.join(&[2]);
        sleep(3000);
        check(&mut data);
        cluster.leave(&[1]);
        cluster.join(&[0]);
        cluster.leave(&[2]);
        sleep(3000);
        check(&mut data);
    }
    cluster.join(&[1]);
    cluster.join(&[2]);
    for _ in 0..3 {
        sleep(1000);
        check(&mut data);
    }
    cluster.shards().check_deleted();
    check_saved(&cluster);
    data.verify();
    drop(data);
    cluster.finish()
}

#[track_caller]
fn check_saved(cluster: &Cluster) {
    let saved = cluster.saved();
    let total: usize = saved.iter().map(|(_, state, snapshot)| state + snapshot).sum();
    if total > MOST {
        let words = format!("snapshots and Raft states have {total} bytes, {MOST} are enough");
        let fact = |broken: VerdictBuilder, (server, state, snapshot): &(String, usize, usize)| {
            broken.fact(None, format!("{server}: Raft state {state}, snapshot {snapshot} bytes"))
        };
        let broken = saved.iter().fold(verdict("deleted shards", words), fact);
        broken
            .hint(
                "a shard is to be deleted as soon as its new owner has it; by an entry of the log, so \
                 that all servers of the group delete it, and no crash lets it be forgotten",
            )
            .fail();
    }
}

/// Shards that a change does not concern are served while it cannot be completed.
pub(crate) fn unaffected(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, true, Some(100));
    cluster.join(&[0]);
    let mut data = Data::of_one_value(&cluster, 10, "100");
    cluster.join(&[1]);
    let owned = keys_of(&cluster, &data, 1);
    sleep(1000);
    owned.iter().for_each(|key| data.set(*key, "101".to_string()));
    cluster.shut_down_group(0);
    cluster.leave(&[0]); // so group 1 can never have the other shards
    sleep(1000);
    use_each(&mut data, &owned, "-1");
    drop(data);
    cluster.finish()
}

/// Shards that have come are served while others of the same change cannot come.
pub(crate) fn partial(subject: Subject, run: &Run) -> Totals {
    let cluster = Cluster::new(subject, run, true, Some(100));
    cluster.join(&[0, 1, 2]);
    sleep(1000);
    let mut data = Data::of_one_value(&cluster, 10, "100");
    let owned = keys_of(&cluster, &data, 2);
    cluster.shut_down_group(0);
    cluster.leave(&[0, 2]); // group 1 can have the shards of group 2, and not those of group 0
    sleep(1000);
    use_each(&mut data, &owned, "-2");
    drop(data);
    cluster.finish()
}

/// The keys whose shards a group has in the latest configuration.
///
/// # Panics
/// If there are none.
#[track_caller]
fn keys_of(cluster: &Cluster, data: &Data, group: usize) -> Vec<usize> {
    let config = cluster.latest();
    let has = |key: &usize| config.shards[shard_of(&key.to_string())] == cluster.gid(group);
    let keys: Vec<usize> = data.keys().into_iter().filter(has).collect();
    if keys.is_empty() {
        let words = format!("group {} has joined, and has no shards", cluster.gid(group));
        verdict("balance", words).fail();
    }
    keys
}

/// Reads each key, gives it another value, and reads that.
#[track_caller]
fn use_each(data: &mut Data, keys: &[usize], more: &str) {
    for &key in keys {
        data.check(key);
        data.set(key, format!("{}{more}", data.value(key)));
        data.check(key);
    }
}
