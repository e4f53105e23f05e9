//! Messages that go one way: a reply is a call of its own, and what carried the request is answered
//! with nothing. So a reply has to say by itself whose it is and what it answers.

use std::sync::Arc;

use labgob::Gob;
use labrpc::{ClientEnd, Returned, Service};
use labrt::channel::Sender;
use serde::{Deserialize, Serialize};

use super::entries::LogEntry;
use super::installing::InstallSnapshotArgs;
use super::plain::AppendEntriesArgs;
use super::transfer::{self, TimeoutNowArgs};
use super::votes::marked::PreVoteArgs;
use super::{AsksAppend, AsksInstall, AsksVote, Dress, Handler};
use crate::driver::Event;
use crate::message::{
    AppendReply, Hint, InstallReply, InstallSubject, Outcome, Reply, Request, Subject, VoteReply,
};

/// The names are those of the plain dress.
pub(crate) struct OneWay;

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct RequestVoteReply {
    term: u64,
    from: usize,
    vote_granted: bool,
    pre_vote: bool,
    /// The term of the request.
    asked: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct AppendEntriesReply {
    term: u64,
    from: usize,
    success: bool,
    match_index: u64,
    conflict_term: Option<u64>,
    conflict_index: Option<u64>,
    /// The request: its term, and what was before and at the end of its entries.
    asked: u64,
    prev_log_index: u64,
    last_log_index: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct InstallSnapshotReply {
    term: u64,
    from: usize,
    success: bool,
    /// The request: its term, the snapshot's last index, and where the part ended.
    asked: u64,
    last_included_index: u64,
    end: u64,
    done: bool,
}

impl InstallSnapshotReply {
    fn dress(from: usize, reply: &InstallReply) -> Self {
        let InstallReply { term, about, taken } = *reply;
        let InstallSubject { term: asked, last, end, done } = about;
        InstallSnapshotReply {
            term,
            from,
            success: taken,
            asked,
            last_included_index: last,
            end,
            done,
        }
    }

    fn undress(&self) -> InstallReply {
        let (last, end, done) = (self.last_included_index, self.end, self.done);
        let about = InstallSubject { term: self.asked, last, end, done };
        InstallReply { term: self.term, about, taken: self.success }
    }
}

impl RequestVoteReply {
    fn dress(from: usize, reply: &VoteReply) -> Self {
        let VoteReply { term, asked, pre, granted } = *reply;
        RequestVoteReply { term, from, vote_granted: granted, pre_vote: pre, asked }
    }

    fn undress(&self) -> VoteReply {
        let (term, asked, pre) = (self.term, self.asked, self.pre_vote);
        VoteReply { term, asked, pre, granted: self.vote_granted }
    }
}

impl AppendEntriesReply {
    fn dress(from: usize, reply: &AppendReply) -> Self {
        let hint = reply.hint();
        let Subject { term: asked, prev, last } = reply.about;
        let match_index = match reply.outcome {
            Outcome::Accepted { upto } => upto,
            Outcome::Refused { .. } => 0,
        };
        AppendEntriesReply {
            term: reply.term,
            from,
            success: reply.is_yes(),
            match_index,
            conflict_term: hint.and_then(|hint| hint.term),
            conflict_index: hint.map(|hint| hint.index),
            asked,
            prev_log_index: prev,
            last_log_index: last,
        }
    }

    fn undress(&self) -> AppendReply {
        let (prev, last) = (self.prev_log_index, self.last_log_index);
        let about = Subject { term: self.asked, prev, last };
        let hint = self.conflict_index.map(|index| Hint { term: self.conflict_term, index });
        let outcome = match self.success {
            true => Outcome::Accepted { upto: self.match_index },
            false => Outcome::Refused { hint },
        };
        AppendReply::read(self.term, about, outcome)
    }
}

type Append = AppendEntriesArgs<Vec<LogEntry>>;

impl Dress for OneWay {
    fn call(&self, end: &ClientEnd, request: &Request) -> Option<Reply> {
        // What becomes of it is not known: it is no answer.
        let _: Result<(), _> = match request {
            Request::Vote(vote) => end.call("Raft.RequestVote", &PreVoteArgs::dress(vote)),
            Request::Append(append) => end.call("Raft.AppendEntries", &Append::dress(append)),
            Request::Install(install) => {
                end.call("Raft.InstallSnapshot", &InstallSnapshotArgs::dress(install))
            }
            Request::TimeoutNow(asked) => {
                end.call(transfer::METHOD, &TimeoutNowArgs::dress(*asked))
            }
        };
        None
    }

    fn call_to(&self, end: &ClientEnd, to: usize, request: &Request, events: &Sender<Event>) {
        match request {
            Request::Vote(vote) => {
                let args = PreVoteArgs::dress(vote);
                end.call_to::<_, (), _, _>("Raft.RequestVote", &args, Sent(to), events);
            }
            Request::Append(append) => {
                let args = Append::dress(append);
                end.call_to::<_, (), _, _>("Raft.AppendEntries", &args, Sent(to), events);
            }
            Request::Install(install) => {
                let args = InstallSnapshotArgs::dress(install);
                end.call_to::<_, (), _, _>("Raft.InstallSnapshot", &args, Sent(to), events);
            }
            Request::TimeoutNow(asked) => {
                let args = TimeoutNowArgs::dress(*asked);
                end.call_to::<_, (), _, _>(transfer::METHOD, &args, Sent(to), events);
            }
        }
    }

    fn reply(&self, end: &ClientEnd, from: usize, reply: &Reply) {
        match reply {
            Reply::Vote(vote) => {
                let reply = RequestVoteReply::dress(from, vote);
                end.call_then::<_, ()>("Raft.RequestVoteReply", &reply, drop);
            }
            Reply::Append(append) => {
                let reply = AppendEntriesReply::dress(from, append);
                end.call_then::<_, ()>("Raft.AppendEntriesReply", &reply, drop);
            }
            Reply::Install(install) => {
                let reply = InstallSnapshotReply::dress(from, install);
                end.call_then::<_, ()>("Raft.InstallSnapshotReply", &reply, drop);
            }
            // Its answer is the candidacy.
            Reply::TimeoutNow(_) => {}
        }
    }

    fn service(&self, handler: Arc<dyn Handler>, me: usize, ends: Arc<[ClientEnd]>) -> Service {
        let answer = {
            let handler = handler.clone();
            move |to: usize, request: Request| {
                if let Some(reply) = handler.request(request) {
                    OneWay.reply(&ends[to], me, &reply);
                }
            }
        };
        let (answer_append, answer_install) = (answer.clone(), answer.clone());
        let (vote_replies, install_replies) = (handler.clone(), handler.clone());
        let asked = handler.clone();
        Service::new("Raft")
            .method("RequestVote", move |args: PreVoteArgs| {
                let vote = args.undress();
                answer(vote.candidate, Request::Vote(vote));
            })
            .method("AppendEntries", move |args: Append| {
                let append = args.undress();
                answer_append(append.leader, Request::Append(append));
            })
            .method("InstallSnapshot", move |args: InstallSnapshotArgs| {
                let install = args.undress();
                answer_install(install.leader, Request::Install(install));
            })
            .method("TimeoutNow", move |args: TimeoutNowArgs| {
                asked.request(Request::TimeoutNow(args.undress()));
            })
            .method("InstallSnapshotReply", move |reply: InstallSnapshotReply| {
                install_replies.reply(reply.from, Reply::Install(reply.undress()));
            })
            .method("RequestVoteReply", move |reply: RequestVoteReply| {
                vote_replies.reply(reply.from, Reply::Vote(reply.undress()));
            })
            .method("AppendEntriesReply", move |reply: AppendEntriesReply| {
                handler.reply(reply.from, Reply::Append(reply.undress()));
            })
    }
}

/// A message is out of the way: to whom it went.
pub(crate) struct Sent(usize);

impl From<Returned<Sent, ()>> for Event {
    fn from(returned: Returned<Sent, ()>) -> Event {
        let Sent(to) = returned.tag;
        Event::Answer(to, None)
    }
}
