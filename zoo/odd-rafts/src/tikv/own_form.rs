//! The library's own form: one method for messages of every kind, and all of them go one way.

use std::sync::Arc;

use labgob::Gob;
use labrpc::{ClientEnd, Service};
use raft_api::Bytes;
use serde::{Deserialize, Serialize};
use tikv_raft::eraftpb::{Entry, Message, MessageType};

use super::{Answered, Form, Tikv};

pub(super) struct OwnForm;

/// The library's `Message`, without what only snapshots and reads need.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RaftMessage {
    msg_type: Kind,
    to: u64,
    from: u64,
    term: u64,
    log_term: u64,
    index: u64,
    entries: Vec<RaftEntry>,
    commit: u64,
    commit_term: u64,
    reject: bool,
    reject_hint: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RaftEntry {
    term: u64,
    index: u64,
    data: Bytes,
}

macro_rules! kinds {
    ($($kind:ident),*) => {
        /// What messages there are between servers whose log is never cut at its beginning.
        #[derive(Clone, Copy, Debug, Serialize, Deserialize, Gob)]
        #[expect(clippy::enum_variant_names, reason = "these are the library's names")]
        enum Kind {
            $($kind,)*
        }

        impl From<MessageType> for Kind {
            fn from(kind: MessageType) -> Kind {
                match kind {
                    $(MessageType::$kind => Kind::$kind,)*
                    other => unreachable!("nobody asks for a {other:?}"),
                }
            }
        }

        impl From<Kind> for MessageType {
            fn from(kind: Kind) -> MessageType {
                match kind {
                    $(Kind::$kind => MessageType::$kind,)*
                }
            }
        }
    };
}

kinds! {
    MsgAppend, MsgAppendResponse, MsgRequestVote, MsgRequestVoteResponse, MsgHeartbeat,
    MsgHeartbeatResponse, MsgRequestPreVote, MsgRequestPreVoteResponse
}

impl From<&Message> for RaftMessage {
    fn from(message: &Message) -> RaftMessage {
        let entry = |entry: &Entry| RaftEntry {
            term: entry.term,
            index: entry.index,
            data: entry.data.clone(),
        };
        RaftMessage {
            msg_type: message.msg_type.into(),
            to: message.to,
            from: message.from,
            term: message.term,
            log_term: message.log_term,
            index: message.index,
            entries: message.entries.iter().map(entry).collect(),
            commit: message.commit,
            commit_term: message.commit_term,
            reject: message.reject,
            reject_hint: message.reject_hint,
        }
    }
}

impl From<RaftMessage> for Message {
    fn from(wire: RaftMessage) -> Message {
        Message {
            msg_type: wire.msg_type.into(),
            to: wire.to,
            from: wire.from,
            term: wire.term,
            log_term: wire.log_term,
            index: wire.index,
            entries: wire.entries.into_iter().map(Entry::from).collect(),
            commit: wire.commit,
            commit_term: wire.commit_term,
            reject: wire.reject,
            reject_hint: wire.reject_hint,
            ..Message::default()
        }
    }
}

impl From<RaftEntry> for Entry {
    fn from(RaftEntry { term, index, data }: RaftEntry) -> Entry {
        Entry { term, index, data, ..Entry::default() }
    }
}

impl Form for OwnForm {
    fn send(&self, end: &ClientEnd, message: &Message, _answered: Answered) {
        // What became of it is not known, and not asked.
        end.call_then::<_, ()>("Raft.Step", &RaftMessage::from(message), drop);
    }

    fn service(&self, raft: Arc<Tikv>) -> Service {
        let step = move |message: RaftMessage| raft.take(message.into());
        Service::new("Raft").method("Step", step)
    }
}
