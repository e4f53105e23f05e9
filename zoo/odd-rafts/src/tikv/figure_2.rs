//! The library's messages by the names of Figure 2: appends and votes as calls with replies.
//! Heartbeats and the answers to them stay messages that go one way, since the library sends some of
//! the latter unasked.

use std::sync::Arc;

use labgob::Gob;
use labrpc::{ClientEnd, NoReply, Reply, Service};
use raft_api::Bytes;
use serde::{Deserialize, Serialize};
use tikv_raft::eraftpb::{Entry, Message, MessageType};

use super::node::{id, place};
use super::{Answered, Form, Tikv};

pub(super) struct Figure2;

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RequestVoteArgs {
    term: u64,
    candidate_id: usize,
    last_log_index: u64,
    last_log_term: u64,
    pre_vote: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RequestVoteReply {
    term: u64,
    vote_granted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct AppendEntriesArgs {
    term: u64,
    leader_id: usize,
    prev_log_index: u64,
    prev_log_term: u64,
    entries: Vec<LogEntry>,
    leader_commit: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct LogEntry {
    term: u64,
    command: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct AppendEntriesReply {
    term: u64,
    success: bool,
    match_index: u64,
    /// After a refusal, where the logs may agree: index and term.
    hint_index: u64,
    hint_term: u64,
}

/// A heartbeat, or the answer to one.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Heartbeat {
    term: u64,
    from: usize,
    commit: u64,
}

/// What answers a kind of request.
fn answer_to(kind: MessageType) -> MessageType {
    match kind {
        MessageType::MsgAppend => MessageType::MsgAppendResponse,
        MessageType::MsgRequestVote => MessageType::MsgRequestVoteResponse,
        MessageType::MsgRequestPreVote => MessageType::MsgRequestPreVoteResponse,
        other => unreachable!("a {other:?} is no request"),
    }
}

impl RequestVoteArgs {
    fn of(message: &Message) -> Self {
        RequestVoteArgs {
            term: message.term,
            candidate_id: place(message.from),
            last_log_index: message.index,
            last_log_term: message.log_term,
            pre_vote: message.msg_type == MessageType::MsgRequestPreVote,
        }
    }

    fn message(self, to: u64) -> Message {
        let kind = match self.pre_vote {
            true => MessageType::MsgRequestPreVote,
            false => MessageType::MsgRequestVote,
        };
        Message {
            msg_type: kind,
            from: id(self.candidate_id),
            to,
            term: self.term,
            index: self.last_log_index,
            log_term: self.last_log_term,
            ..Message::default()
        }
    }
}

impl RequestVoteReply {
    fn of(answer: &Message) -> Self {
        RequestVoteReply { term: answer.term, vote_granted: !answer.reject }
    }

    fn message(self, asked: &Message) -> Message {
        Message {
            msg_type: answer_to(asked.msg_type),
            from: asked.to,
            to: asked.from,
            term: self.term,
            reject: !self.vote_granted,
            ..Message::default()
        }
    }
}

impl AppendEntriesArgs {
    fn of(message: &Message) -> Self {
        let entry = |entry: &Entry| LogEntry { term: entry.term, command: entry.data.clone() };
        AppendEntriesArgs {
            term: message.term,
            leader_id: place(message.from),
            prev_log_index: message.index,
            prev_log_term: message.log_term,
            entries: message.entries.iter().map(entry).collect(),
            leader_commit: message.commit,
        }
    }

    fn message(self, to: u64) -> Message {
        let entries = (self.prev_log_index + 1..).zip(self.entries);
        let entry = |(index, LogEntry { term, command })| Entry {
            index,
            term,
            data: command,
            ..Entry::default()
        };
        Message {
            msg_type: MessageType::MsgAppend,
            from: id(self.leader_id),
            to,
            term: self.term,
            index: self.prev_log_index,
            log_term: self.prev_log_term,
            entries: entries.map(entry).collect(),
            commit: self.leader_commit,
            ..Message::default()
        }
    }
}

impl AppendEntriesReply {
    /// The library answers a leader of an earlier term with neither yes nor no: it shows the later
    /// term, and nothing else.
    fn of(answer: &Message, asked: &Message) -> Self {
        let success = !answer.reject && answer.term == asked.term;
        AppendEntriesReply {
            term: answer.term,
            success,
            match_index: if success { answer.index } else { 0 },
            hint_index: answer.reject_hint,
            hint_term: answer.log_term,
        }
    }

    fn message(self, asked: &Message) -> Message {
        Message {
            msg_type: MessageType::MsgAppendResponse,
            from: asked.to,
            to: asked.from,
            term: self.term,
            reject: !self.success,
            index: if self.success { self.match_index } else { asked.index },
            reject_hint: self.hint_index,
            log_term: self.hint_term,
            ..Message::default()
        }
    }
}

impl Heartbeat {
    fn of(message: &Message) -> Self {
        let Message { term, from, commit, .. } = *message;
        Heartbeat { term, from: place(from), commit }
    }

    fn message(self, msg_type: MessageType, to: u64) -> Message {
        let Heartbeat { term, from, commit } = self;
        Message { msg_type, from: id(from), to, term, commit, ..Message::default() }
    }
}

impl Form for Figure2 {
    fn send(&self, end: &ClientEnd, message: &Message, answered: Answered) {
        let asked = message.clone();
        match message.msg_type {
            MessageType::MsgAppend => {
                let then = move |reply: Result<AppendEntriesReply, NoReply>| {
                    if let Ok(reply) = reply {
                        answered(reply.message(&asked));
                    }
                };
                end.call_then("Raft.AppendEntries", &AppendEntriesArgs::of(message), then);
            }
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
                let then = move |reply: Result<RequestVoteReply, NoReply>| {
                    if let Ok(reply) = reply {
                        answered(reply.message(&asked));
                    }
                };
                end.call_then("Raft.RequestVote", &RequestVoteArgs::of(message), then);
            }
            MessageType::MsgHeartbeat => {
                end.call_then::<_, ()>("Raft.Heartbeat", &Heartbeat::of(message), drop);
            }
            // Also the answer to a heartbeat of an earlier term: there only the term counts.
            MessageType::MsgHeartbeatResponse | MessageType::MsgAppendResponse => {
                end.call_then::<_, ()>("Raft.HeartbeatReply", &Heartbeat::of(message), drop);
            }
            // An answer that nobody waits for: the call that asked for it has failed.
            _ => {}
        }
    }

    fn service(&self, raft: Arc<Tikv>) -> Service {
        let me = raft.id();
        let one_way = |kind: MessageType| {
            let raft = raft.clone();
            move |heartbeat: Heartbeat| raft.take(heartbeat.message(kind, me))
        };
        let (heartbeats, answers) =
            (one_way(MessageType::MsgHeartbeat), one_way(MessageType::MsgHeartbeatResponse));
        let votes = raft.clone();
        Service::new("Raft")
            .method_later("RequestVote", move |args: RequestVoteArgs, reply: Reply<_>| {
                if let Some(answer) = ask(&votes, args.message(me)) {
                    reply.send(RequestVoteReply::of(&answer));
                }
            })
            .method_later("AppendEntries", move |args: AppendEntriesArgs, reply: Reply<_>| {
                let asked = args.message(me);
                if let Some(answer) = ask(&raft, asked.clone()) {
                    reply.send(AppendEntriesReply::of(&answer, &asked));
                }
            })
            .method("Heartbeat", heartbeats)
            .method("HeartbeatReply", answers)
    }
}

/// Takes a request and returns the answer to it, if there is one; sends whatever else it leads to.
fn ask(raft: &Tikv, request: Message) -> Option<Message> {
    let (from, kind) = (request.from, answer_to(request.msg_type));
    let mut messages = raft.step(request);
    let answers = |message: &Message| message.to == from && message.msg_type == kind;
    let answer = messages.iter().position(answers).map(|place| messages.remove(place));
    raft.send_all(messages);
    answer
}
