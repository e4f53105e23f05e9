//! Part 4B: the groups that serve the shards.

mod challenges;
mod concurrent;
mod moves;
mod standing;
mod unreliable;

use std::time::Duration;

use labrt::thread;
use labtrace::verdict;

use crate::cluster::Cluster;

pub(crate) use challenges::{delete, partial, unaffected};
pub(crate) use concurrent::{crashes, reconfigurations, restarts};
pub(crate) use moves::{join_and_leave, missed_changes, snapshots};
pub(crate) use standing::{rejection, static_shards};
pub(crate) use unreliable::{appends, linearizable, sequential};

fn sleep(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

/// Checks that no server has saved much more Raft state than it should; or, if there is no limit, that
/// none has made a snapshot.
///
/// # Panics
/// If one has.
#[track_caller]
fn check_logs(cluster: &Cluster, max_raft_state: Option<usize>) {
    for (server, state, snapshot) in cluster.saved() {
        match max_raft_state {
            Some(most) if state > 8 * most => {
                let words = format!("{server}: logs were not trimmed ({state} > 8*{most})");
                verdict("log size", words)
                    .hint("snapshots that are not made, or Raft does not drop what they cover")
                    .fail();
            }
            None if snapshot > 0 => {
                let words = format!("{server} has made a snapshot, and was never to make one");
                verdict("snapshot size", words).fail();
            }
            _ => {}
        }
    }
}
