//! What entries may look like in an AppendEntries.

use labgob::{Gob, Shape};
use raft_api::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::message::{AppendRequest, Entry};

/// The entries of an AppendEntries on the wire.
pub(crate) trait Entries: Gob + Send + Sync {
    fn dress(append: &AppendRequest) -> Self;
    fn undress(self) -> Vec<Entry>;
}

/// One entry on the wire.
pub(crate) trait DressedEntry: Gob + Send + Sync {
    /// The entry with this index, of that message.
    fn dress(entry: &Entry, index: u64, append: &AppendRequest) -> Self;
    fn undress(self) -> Entry;
}

impl<E: DressedEntry> Entries for Vec<E> {
    fn dress(append: &AppendRequest) -> Self {
        let entries = (append.prev.index + 1..).zip(&append.entries);
        entries.map(|(index, entry)| E::dress(entry, index, append)).collect()
    }

    fn undress(self) -> Vec<Entry> {
        self.into_iter().map(E::undress).collect()
    }
}

entry!(LogEntry { term, command });

/// At most one entry.
impl<E: DressedEntry> Entries for Option<E> {
    fn dress(append: &AppendRequest) -> Self {
        let entries = Vec::<E>::dress(append);
        assert!(entries.len() <= 1, "this message has room for one entry");
        entries.into_iter().next()
    }

    fn undress(self) -> Vec<Entry> {
        self.into_iter().map(E::undress).collect()
    }
}

/// Term and command without names.
impl DressedEntry for (u64, Bytes) {
    fn dress(entry: &Entry, _: u64, _: &AppendRequest) -> Self {
        (entry.term, entry.command.clone())
    }

    fn undress(self) -> Entry {
        let (term, command) = self;
        Entry { term, command }
    }
}

/// An entry as bytes that only its own Raft can read.
impl DressedEntry for Bytes {
    fn dress(entry: &Entry, _: u64, _: &AppendRequest) -> Self {
        labgob::encode(entry).into()
    }

    fn undress(self) -> Entry {
        labgob::decode(&self).expect("what was encoded here")
    }
}

/// All entries of a message as bytes.
impl Entries for Bytes {
    fn dress(append: &AppendRequest) -> Self {
        labgob::encode(&append.entries).into()
    }

    fn undress(self) -> Vec<Entry> {
        labgob::decode(&self).expect("what was encoded here")
    }
}

/// An entry with flags. One of them changes while the entry stays the same.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct FlaggedEntry {
    term: u64,
    command: Bytes,
    is_configuration: bool,
    /// The leader counted it as committed when it was sent.
    committed: bool,
}

impl DressedEntry for FlaggedEntry {
    fn dress(entry: &Entry, index: u64, append: &AppendRequest) -> Self {
        FlaggedEntry {
            term: entry.term,
            command: entry.command.clone(),
            is_configuration: false,
            committed: index <= append.commit,
        }
    }

    fn undress(self) -> Entry {
        Entry { term: self.term, command: self.command }
    }
}

/// An entry with its place, and with what somebody wanted to know while looking for a bug.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct BookkeptEntry {
    index: u64,
    term: u64,
    command: Bytes,
    /// Who has sent it: another one after each election.
    sent_by: usize,
    /// How many entries came with it.
    of: usize,
}

impl DressedEntry for BookkeptEntry {
    fn dress(entry: &Entry, index: u64, append: &AppendRequest) -> Self {
        BookkeptEntry {
            index,
            term: entry.term,
            command: entry.command.clone(),
            sent_by: append.leader,
            of: append.entries.len(),
        }
    }

    fn undress(self) -> Entry {
        Entry { term: self.term, command: self.command }
    }
}

/// A part of a log, as a type that writes its encoding by hand: on the wire it is the terms and the
/// commands of the entries, apart from each other.
#[derive(Clone, Debug)]
pub(crate) struct Segment(Vec<Entry>);

/// What a [`Segment`] looks like.
type Columns = (Vec<u64>, Vec<Bytes>);

impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let terms: Vec<u64> = self.0.iter().map(|entry| entry.term).collect();
        let commands: Vec<Bytes> = self.0.iter().map(|entry| entry.command.clone()).collect();
        (terms, commands).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Segment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Segment, D::Error> {
        let (terms, commands) = Columns::deserialize(deserializer)?;
        let entries = terms.into_iter().zip(commands);
        Ok(Segment(entries.map(|(term, command)| Entry { term, command }).collect()))
    }
}

impl Gob for Segment {
    const SHAPE: &'static Shape = Columns::SHAPE;
    const MIN_BYTES: usize = Columns::MIN_BYTES;
}

impl Entries for Segment {
    fn dress(append: &AppendRequest) -> Self {
        Segment(append.entries.clone())
    }

    fn undress(self) -> Vec<Entry> {
        self.0
    }
}
