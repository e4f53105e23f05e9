//! Messages as students write them, and what is understood of each.

use std::sync::Arc;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Peek, Serialize};
use raft_api::{Meaning, Wire};
use run_record::names::Name;

use super::plan::Plan;
use super::*;

macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
            #[serde(crate = "labgob::serde")]
            $(#[$meta])*
            struct $name { $($field: $ty),* }
        )*
    };
}

mod changed;
mod entries;
mod fields;
mod replies;
mod requests;
mod said;

pub(crate) use changed::kept;

messages! {
    Vote { term: u64, last_log_index: u64, last_log_term: u64 }
    Append {
        term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<(u64, u8, u8)>,
        leader_commit: u64,
    }
    Answer { term: u64, success: bool }
    /// It counts from 0, so that -1 is before all entries.
    Signed { term: i64, last_log_index: i64, last_log_term: i64 }
    Narrow { term: u64, last_log_index: u32, last_log_term: u64 }
    Inner { term: u64, last_log_index: u64, spare: u64 }
}

/// A value as it travels.
fn encoded<T: Gob>(value: &T) -> Encoded<'static> {
    let bytes: &'static [u8] = labgob::encode(value).leak();
    Encoded { bytes, shape: T::SHAPE, value: Peek::of::<T>(bytes) }
}

fn by_names() -> Understanding {
    Understanding::new(|_| Meaning::ByNames)
}

impl Understanding {
    fn asks<T: Gob>(&mut self, method: &str, value: &T) -> Request<'static> {
        self.request(method, encoded(value))
    }

    /// Term, index and term of a request for a vote.
    fn vote<T: Gob>(&mut self, value: &T) -> Option<(u64, u64, u64)> {
        match self.asks("Raft.RequestVote", value) {
            Request::Vote { term, last } => Some((term, last.index, last.term)),
            _ => None,
        }
    }

    /// Term, index and term before the entries, and what is committed, of an AppendEntries.
    fn append<T: Gob>(&mut self, value: &T) -> Option<(u64, u64, u64, Option<u64>)> {
        match self.asks("Raft.AppendEntries", value) {
            Request::Append(append) => {
                Some((append.term, append.prev.index, append.prev.term, append.commit))
            }
            _ => None,
        }
    }

    fn answers<T: Gob>(&mut self, value: &T) -> Reply {
        self.reply("Raft.AppendEntries", encoded(value))
    }

    /// Why a part is missing.
    fn lacking(&self, part: Part) -> String {
        let all = self.missing().sentences();
        assert_eq!((self.missing().lacks(part), all.len()), (true, 1), "{all:?}");
        all[0].split(", because ").nth(1).expect("it says why").to_string()
    }

    #[track_caller]
    fn assert_all_understood(&self) {
        assert_eq!(self.missing().sentences(), Vec::<String>::new());
    }
}
