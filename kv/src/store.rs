//! The machine: keys and their values.

use std::collections::BTreeMap;

use bytes::Bytes;
use labgob::{DecodeError, Gob};
use rsm::once::{Numbered, Once};
use rsm::{Machine, Readable};
use serde::{Deserialize, Serialize};

use crate::message::Op;

/// What stands in the log.
///
/// Reading twice does no harm, so only writes have numbers, and no value is kept for an answer that
/// may have to be given again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Request {
    Get { key: String },
    Write(Numbered<Write>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) op: Op,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Value(Option<String>),
    Written,
}

/// Keys and values, with what is known of the clerks' writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Once<Values>);

impl Store {
    fn get(&self, key: &str) -> Reply {
        Reply::Value(self.0.machine().0.get(key).cloned())
    }
}

impl Readable for Store {
    fn is_read(request: &Request) -> bool {
        matches!(request, Request::Get { .. })
    }

    fn read(&self, request: &Request) -> Reply {
        match request {
            Request::Get { key } => self.get(key),
            Request::Write(write) => unreachable!("{write:?} is no read"),
        }
    }
}

impl Machine for Store {
    type Request = Request;
    type Reply = Reply;

    fn apply(&mut self, request: Request) -> Reply {
        match request {
            Request::Get { key } => self.get(&key),
            Request::Write(write) => {
                // `None`: the clerk has written again since, so it has had this answer.
                let _ = self.0.apply(write);
                Reply::Written
            }
        }
    }

    fn snapshot(&self) -> Bytes {
        self.0.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.0.restore(snapshot)
    }
}

/// Keys and values alone.
#[derive(Clone, Debug, Default)]
struct Values(BTreeMap<String, String>);

impl Machine for Values {
    type Request = Write;
    type Reply = ();

    fn apply(&mut self, Write { key, value, op }: Write) {
        let there = self.0.entry(key).or_default();
        match op {
            Op::Put => *there = value,
            Op::Append => there.push_str(&value),
        }
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.0))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.0 = labgob::decode(snapshot)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u64, op: Op, value: &str) -> Request {
        let write = Write { key: "k".into(), value: value.into(), op };
        Request::Write(Numbered { client: 7, number, request: write })
    }

    fn get(store: &mut Store) -> Reply {
        store.apply(Request::Get { key: "k".into() })
    }

    fn value(text: &str) -> Reply {
        Reply::Value(Some(text.into()))
    }

    #[test]
    fn put_replaces_and_append_adds() {
        let mut store = Store::default();
        assert_eq!(get(&mut store), Reply::Value(None));
        store.apply(write(1, Op::Append, "a"));
        assert_eq!(get(&mut store), value("a"), "an Append to nothing is a Put");
        store.apply(write(2, Op::Append, "b"));
        assert_eq!(get(&mut store), value("ab"));
        store.apply(write(3, Op::Put, "c"));
        assert_eq!(get(&mut store), value("c"));
    }

    #[test]
    fn a_write_that_comes_again_is_answered_and_changes_nothing() {
        let mut store = Store::default();
        store.apply(write(1, Op::Append, "a"));
        store.apply(write(2, Op::Append, "b"));
        assert_eq!(store.apply(write(2, Op::Append, "b")), Reply::Written);
        assert_eq!(store.apply(write(1, Op::Append, "a")), Reply::Written);
        assert_eq!(get(&mut store), value("ab"));
    }

    #[test]
    fn a_snapshot_has_the_values_and_what_was_written() {
        let mut store = Store::default();
        store.apply(write(1, Op::Append, "a"));
        let mut restored = Store::default();
        restored.restore(&store.snapshot()).expect("it is one");
        restored.apply(write(1, Op::Append, "a"));
        assert_eq!(get(&mut restored), value("a"));
        assert!(restored.restore(b"nonsense").is_err());
        assert_eq!(get(&mut restored), value("a"), "what cannot be read changes nothing");
    }
}
