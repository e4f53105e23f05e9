//! The service above a server: it keeps all commands, and so does its snapshot.

use bytes::Bytes;
use raft::Snapshot;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    /// The commands, from index 1 on.
    applied: Vec<Bytes>,
}

impl Service {
    /// The service that finds this snapshot on its disk.
    pub(crate) fn restored(snapshot: &[u8]) -> Service {
        match snapshot {
            [] => Service::default(),
            _ => Service { applied: labgob::decode(snapshot).expect("a service has written it") },
        }
    }

    /// The index of the last command it knows.
    pub(crate) fn index(&self) -> u64 {
        self.applied.len() as u64
    }

    pub(crate) fn apply(&mut self, index: u64, command: &Bytes) {
        assert_eq!(index, self.index() + 1, "a command out of order");
        self.applied.push(command.clone());
    }

    pub(crate) fn install(&mut self, snapshot: &Snapshot) {
        let new = Service::restored(&snapshot.data);
        assert_eq!(new.index(), snapshot.last.index, "the snapshot says what it holds");
        assert!(new.index() > self.index(), "a snapshot takes the service back");
        *self = new;
    }

    /// A snapshot of all up to this index.
    pub(crate) fn snapshot(&self, index: u64) -> Bytes {
        let held = &self.applied[..usize::try_from(index).expect("a test has few commands")];
        labgob::encode(&held.to_vec()).into()
    }

    /// No two services differ at any index, whether they know it from a command or a snapshot.
    pub(crate) fn agrees_with(&self, all: &mut Vec<Bytes>) {
        let common = self.applied.len().min(all.len());
        assert_eq!(self.applied[..common], all[..common], "two services differ");
        all.extend_from_slice(&self.applied[common..]);
    }
}
