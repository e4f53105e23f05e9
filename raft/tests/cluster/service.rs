//! The service above a server: it keeps all commands, and puts them into snapshots.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrt::channel::Receiver;
use labrt::sync::Leaf;
use labrt::thread;
use raft_api::{ApplyMsg, Raft};

/// What services do with what they get.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// How long a service takes for each message.
    pub(crate) pace: Duration,
    /// It gives its server a snapshot when (index + 1) is a multiple of this; never if it is 0.
    pub(crate) snapshot_every: u64,
}

/// The service of one life of a server.
#[derive(Debug, Default)]
pub(crate) struct Service {
    held: Leaf<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The commands, from index 1 on.
    applied: Vec<Bytes>,
    installed: u64,
}

impl Service {
    /// The service that finds this snapshot on its disk.
    pub(crate) fn restored(snapshot: &[u8]) -> Arc<Service> {
        let applied = match snapshot {
            [] => Vec::new(),
            _ => decoded(snapshot),
        };
        Arc::new(Service { held: Leaf::new(Held { applied, installed: 0 }) })
    }

    pub(crate) fn applied(&self) -> Vec<Bytes> {
        self.held.with(|held| held.applied.clone())
    }

    pub(crate) fn installed(&self) -> u64 {
        self.held.with(|held| held.installed)
    }

    /// Takes messages as long as there are any, and sees to it that they are one sequence.
    pub(crate) fn read(
        &self,
        messages: &Receiver<ApplyMsg>,
        raft: &impl Raft,
        Habits { pace, snapshot_every }: Habits,
    ) {
        for message in messages.iter() {
            match message {
                ApplyMsg::Command { index, command } => {
                    self.apply(index, command);
                    if snapshot_every > 0 && (index + 1).is_multiple_of(snapshot_every) {
                        let snapshot = labgob::encode(&self.applied());
                        raft.snapshot(index, snapshot.into());
                    }
                }
                ApplyMsg::Snapshot { index, snapshot, .. } => self.install(index, &snapshot),
                other => panic!("a message of another kind: {other:?}"),
            }
            thread::sleep(pace);
        }
    }

    fn apply(&self, index: u64, command: Bytes) {
        self.held.with(|held| {
            assert_eq!(index, held.applied.len() as u64 + 1, "out of order");
            held.applied.push(command);
        });
    }

    fn install(&self, index: u64, snapshot: &[u8]) {
        let new = decoded(snapshot);
        self.held.with(|held| {
            assert_eq!(index, new.len() as u64, "the snapshot of another index");
            assert!(new.len() > held.applied.len(), "a snapshot takes the service back");
            assert!(new.starts_with(&held.applied), "a snapshot of other commands");
            held.applied = new;
            held.installed += 1;
        });
    }
}

fn decoded(snapshot: &[u8]) -> Vec<Bytes> {
    labgob::decode(snapshot).expect("a service has written it")
}
