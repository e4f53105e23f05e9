//! Telling the trace what servers save.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use labrt::Node;
use labrt::rng::RngExt;
use labrt::sync::Leaf;
use labtrace::{Session, What};
use persister::{MemoryPersister, PersistError, Persister, Save};
use run_record::setting::Trouble;

use crate::net::{Net, WeakNet};
use crate::observer::Watchers;

/// How often an instance of a server has saved something. Clones are the same count.
#[derive(Clone, Debug, Default)]
pub struct SaveCount(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: AtomicU64,
    /// Those with a snapshot.
    snapshots: AtomicU64,
}

impl SaveCount {
    /// How often up to now. A save counts before the server hears that it is done.
    pub fn get(&self) -> u64 {
        self.0.all.load(Ordering::Relaxed)
    }

    /// How often a snapshot was saved, be it the same one as before.
    pub fn snapshots(&self) -> u64 {
        self.0.snapshots.load(Ordering::Relaxed)
    }

    /// Something has been saved.
    pub fn add(&self) {
        self.0.all.fetch_add(1, Ordering::Relaxed);
    }

    fn add_snapshot(&self) {
        self.0.snapshots.fetch_add(1, Ordering::Relaxed);
    }
}

/// What one instance of a server saves to.
///
/// A save is one moment, and so is a crash: it comes before or after each save. What was saved before it
/// remains; what is saved later is lost, though the dead instance does not notice.
pub(crate) struct Store {
    pub(crate) persister: Arc<MemoryPersister>,
    /// Held by a save, and by the crash.
    moment: Leaf<()>,
}

impl Store {
    pub(crate) fn new(persister: MemoryPersister) -> Arc<Store> {
        Arc::new(Store { persister: Arc::new(persister), moment: Leaf::default() })
    }

    fn save<T>(&self, save: impl FnOnce(&MemoryPersister) -> T) -> T {
        self.moment.with(|()| save(&self.persister))
    }

    /// The instance crashes at the moment in which `tell` says so to all who watch. Returns what remains.
    ///
    /// If these were two moments, what the handler of a request saves that arrives between them would
    /// remain: a watcher would find in the successor's log what was sent to nobody alive.
    pub(crate) fn crash(&self, tell: impl FnOnce()) -> Arc<Store> {
        self.moment.with(|()| {
            tell();
            Store::new(self.persister.copy())
        })
    }
}

/// A crash in the middle of a save that is yet to come.
pub(crate) struct Tear {
    /// The next save is torn.
    pub(crate) armed: Arc<Leaf<bool>>,
    /// The network must not live until the server's last task ends: its end is steps of a run.
    pub(crate) net: WeakNet,
    pub(crate) node: Node,
}

impl Tear {
    /// The network, if the save that begins now is to be torn.
    fn is_due(&self) -> Option<Net> {
        let net = self.armed.with(std::mem::take).then(|| self.net.get())??;
        net.run().may(Trouble::TornSaves).then_some(net)
    }
}

/// A server's persister that counts each save and tells the trace of it.
pub(crate) struct WatchedPersister {
    pub(crate) store: Arc<Store>,
    pub(crate) count: SaveCount,
    pub(crate) session: Session,
    pub(crate) lane: u32,
    pub(crate) watchers: Watchers,
    /// Its number in the group, and which instance of it.
    pub(crate) server: (usize, u64),
    pub(crate) tear: Tear,
}

impl WatchedPersister {
    /// Crashes the server in this save, if that is to be so: then this does not return.
    fn perhaps_tear(&self, save: Save<'_>) {
        let Some(net) = self.tear.is_due() else { return };
        let mut draw = |below| net.draw(|rng| rng.random_range(0..below));
        // Who draws may wait, which a save must not. It does not matter which moment this is: the instance ends here.
        let kept = self.store.persister.save_torn(save, &mut draw);
        drop(net);
        self.session.record(Some(self.lane), What::Torn { kept });
        self.watchers.iter().for_each(|watcher| watcher.torn(self.server.0, kept));
        self.tear.node.kill();
    }

    /// The Raft state was saved, and perhaps a snapshot of so many bytes.
    fn saved(
        &self,
        result: Result<(), PersistError>,
        snapshot: Option<usize>,
    ) -> Result<(), PersistError> {
        self.count.add();
        if snapshot.is_some() {
            self.count.add_snapshot();
        }
        if result.is_ok() {
            let bytes = self.raft_state_size() as u64;
            let snapshot = snapshot.map(|bytes| bytes as u64);
            self.session.record(Some(self.lane), What::Saved { bytes, snapshot });
            for watcher in self.watchers.iter() {
                watcher.saved(self.server.0, self.server.1);
            }
        }
        result
    }
}

impl Persister for WatchedPersister {
    fn save_raft_state(&self, state: &[u8]) -> Result<(), PersistError> {
        self.perhaps_tear(Save::State(state));
        self.saved(self.store.save(|inner| inner.save_raft_state(state)), None)
    }

    fn append_raft_state(&self, record: &[u8]) -> Result<(), PersistError> {
        self.perhaps_tear(Save::Append(record));
        self.saved(self.store.save(|inner| inner.append_raft_state(record)), None)
    }

    fn read_raft_state(&self) -> Result<Vec<u8>, PersistError> {
        self.store.persister.read_raft_state()
    }

    fn raft_state_size(&self) -> usize {
        self.store.persister.raft_state_size()
    }

    fn save_state_and_snapshot(&self, state: &[u8], snapshot: &[u8]) -> Result<(), PersistError> {
        self.perhaps_tear(Save::Both(state, snapshot));
        let result = self.store.save(|inner| inner.save_state_and_snapshot(state, snapshot));
        self.saved(result, Some(snapshot.len()))
    }

    fn read_snapshot(&self) -> Result<Vec<u8>, PersistError> {
        self.store.persister.read_snapshot()
    }

    fn snapshot_size(&self) -> usize {
        self.store.persister.snapshot_size()
    }
}
