use std::collections::BTreeMap;
use std::error::Error;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::Leaf;
use labrt::{Node, world};
use persister::Persister;
use raft::rules::{Core, Output, Warning};
use raft::storage;
use raft::{Observer, Options, Raft};
use raft_api::{ApplyMsg, Meaning, Persisted, RaftState, Started, TellReadIndex, Wire};

use crate::checker::ClusterChecker;
use crate::reporter::Reporter;

/// A [`Raft`] under the eyes of its cluster's [`ClusterChecker`].
///
/// The servers of a world whose nodes are called alike up to the last hyphen report to one checker:
/// `server 100-0` and `server 100-1`, and all those without a hyphen. Outside of a world each server has
/// one of its own.
#[derive(Debug)]
pub struct CheckedRaft(Arc<Raft>);

/// The checkers of a world, by the group of servers.
#[derive(Default)]
struct Checkers(Leaf<BTreeMap<String, Arc<ClusterChecker>>>);

/// The checker of the group that the calling server belongs to. If the group's first server has a past, it
/// is alone: somebody tries in a world of its own what comes back after a crash.
fn checker(has_past: bool) -> Arc<ClusterChecker> {
    let alone = || Arc::new(ClusterChecker::of_one_server());
    let Some(checkers) = world::local::<Checkers>() else { return alone() };
    let first = || if has_past { alone() } else { Arc::default() };
    let node = Node::current();
    let name = node.as_ref().map_or("", Node::name);
    let group = name.rsplit_once('-').map_or("", |(group, _)| group);
    checkers.0.with(|checkers| checkers.entry(group.to_string()).or_insert_with(first).clone())
}

/// What looks at one server.
struct Eyes {
    checker: Arc<ClusterChecker>,
    persister: Arc<dyn Persister>,
    reporter: Leaf<Reporter>,
    /// How often the server has saved something.
    saves: Leaf<u64>,
}

impl Eyes {
    /// Everything must be on stable storage. Looks at every small state, and the less often the
    /// larger it is, so that looking costs no more than the rest. A new snapshot is always looked at.
    fn check_saved(&self, core: &Core, output: &Output) {
        let me = core.me();
        let new_snapshot = output.unsaved.snapshot;
        assert!(
            self.persister.snapshot_size() == core.snapshot().len()
                && (!new_snapshot
                    || self.persister.read_snapshot().ok() == Some(core.snapshot().to_vec())),
            "server {me}: it is about to answer and send, but its snapshot is not saved"
        );
        let saves = self.saves.with(|saves| {
            *saves += 1;
            *saves
        });
        let entries = core.log().entries().len() as u64;
        if !new_snapshot && entries >= 8 && !saves.is_multiple_of(entries.max(64)) {
            return;
        }
        let bytes = self.persister.read_raft_state();
        let state = bytes.ok().and_then(|bytes| storage::restore(&bytes).ok());
        assert!(
            state.is_some_and(|(hard, log)| hard == core.hard_state() && log == *core.log()),
            "server {me}: it is about to answer and send, but its state is not saved"
        );
    }
}

impl Observer for Eyes {
    fn saved(&self, core: &Core, output: &Output) {
        self.check_saved(core, output);
        self.checker.saved(core, output);
        // Only the event loop comes here, so nobody misses the reporter meanwhile.
        let mut reporter = self.reporter.with(mem::take);
        reporter.report(core, &output.unsaved);
        self.reporter.with(|kept| *kept = reporter);
    }

    fn warning(&self, core: &Core, warning: Warning) {
        labtrace::note!("warning", "server {}: {warning}", core.me());
    }
}

impl raft_api::Raft for CheckedRaft {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<CheckedRaft>, Box<dyn Error + Send + Sync>> {
        let mut options = Options::default();
        options.observer = Arc::new(Eyes {
            checker: checker(persister.raft_state_size() > 0),
            persister: persister.clone(),
            reporter: Leaf::default(),
            saves: Leaf::default(),
        });
        Ok(Arc::new(CheckedRaft(Raft::open(peers, me, persister, apply, options)?)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.clone().services()
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.0.start(command)
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.0.snapshot(index, snapshot);
    }

    fn read_index(&self, tell: TellReadIndex) {
        self.0.read_index(tell);
    }

    fn read_message(message: &Wire<'_>) -> Meaning {
        Raft::read_message(message)
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        Raft::read_persisted(state)
    }

    fn read_appended(known: Persisted, appended: &[u8]) -> Option<Persisted> {
        Raft::read_appended(known, appended)
    }

    fn state(&self) -> RaftState {
        self.0.state()
    }

    fn kill(&self) {
        self.0.kill();
    }
}
