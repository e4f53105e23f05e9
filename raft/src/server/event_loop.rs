//! The task that owns a [`Core`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labrpc::{NoReply, Reply, Returned};
use labrt::channel::{Receiver, RecvTimeoutError, Sender};
use labrt::rng::{RngExt, Stream};
use labrt::time::Instant;
use raft_api::{ApplyMsg, RaftState, Started};

use super::status::Status;
use crate::log::Entry;
use crate::message::{
    AppendEntriesArgs, AppendEntriesReply, RaftRpcClient, RequestVoteArgs, RequestVoteReply,
};
use crate::options::Options;
use crate::rules::{Core, Request, Ticket};
use crate::storage::Storage;

/// How many inputs are handled before their output is performed.
const MAX_BATCH: usize = 1024;

/// How many calls may be under way to one peer. One that is away lets a call fail after 7 s at most,
/// by when 64 heartbeats and some elections have come; more are under way only to a peer that takes
/// requests and does not answer, and then further ones are of no use to it.
pub(super) const MAX_CALLS: usize = 128;

/// All that can happen to a server, but for its timers.
pub(super) enum Input {
    RequestVote(RequestVoteArgs, Reply<RequestVoteReply>),
    AppendEntries(AppendEntriesArgs, Reply<AppendEntriesReply>),
    Voted(Returned<VoteCall, RequestVoteReply>),
    Appended(Returned<AppendCall, AppendEntriesReply>),
    Start(Bytes, Sender<Option<Started>>),
    /// Wakes the loop: the server is over.
    End,
}

/// Tells a RequestVote from others when it returns.
pub(super) struct VoteCall {
    to: usize,
    sent_in: u64,
}

impl From<Returned<VoteCall, RequestVoteReply>> for Input {
    fn from(returned: Returned<VoteCall, RequestVoteReply>) -> Input {
        Input::Voted(returned)
    }
}

/// Tells an AppendEntries from others when it returns.
pub(super) struct AppendCall {
    to: usize,
    ticket: Ticket,
}

impl From<Returned<AppendCall, AppendEntriesReply>> for Input {
    fn from(returned: Returned<AppendCall, AppendEntriesReply>) -> Input {
        Input::Appended(returned)
    }
}

/// An answer that waits until its reasons are saved.
enum Answer {
    Vote(Reply<RequestVoteReply>, RequestVoteReply),
    Append(Reply<AppendEntriesReply>, AppendEntriesReply),
    Start(Sender<Option<Started>>, Option<Started>),
}

/// Another server, to send requests to.
struct Peer {
    client: RaftRpcClient,
    /// How many calls to it are under way.
    calls: usize,
}

pub(super) struct EventLoop {
    core: Core,
    storage: Storage,
    options: Options,
    peers: Vec<Peer>,
    /// Where the results of calls go.
    inputs: Sender<Input>,
    committed: Sender<Vec<ApplyMsg>>,
    status: Arc<Status>,
    rng: Stream,
    /// When to start an election, unless this server leads.
    election_at: Instant,
    /// When to send heartbeats, if this server leads.
    heartbeat_at: Instant,
    answers: Vec<Answer>,
}

/// How a server reaches all that is around it.
pub(super) struct Surroundings {
    pub(super) peers: Vec<RaftRpcClient>,
    /// Into the loop's own queue.
    pub(super) inputs: Sender<Input>,
    pub(super) committed: Sender<Vec<ApplyMsg>>,
    pub(super) status: Arc<Status>,
}

impl EventLoop {
    pub(super) fn new(
        core: Core,
        storage: Storage,
        options: Options,
        rng: Stream,
        surroundings: Surroundings,
    ) -> EventLoop {
        let Surroundings { peers, inputs, committed, status } = surroundings;
        let now = Instant::now();
        EventLoop {
            core,
            storage,
            options,
            peers: peers.into_iter().map(|client| Peer { client, calls: 0 }).collect(),
            inputs,
            committed,
            status,
            rng,
            election_at: now,
            heartbeat_at: now,
            answers: Vec::new(),
        }
    }

    /// Goes on until the server is over.
    pub(super) fn run(&mut self, queue: &Receiver<Input>) {
        self.start_timers();
        while self.perform() {
            let timer = if self.core.is_leader() { self.heartbeat_at } else { self.election_at };
            let mut next = match queue.recv_deadline(timer) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut handled = 0;
            while let Some(input) = next {
                self.handle(input);
                handled += 1;
                next = if handled < MAX_BATCH { queue.try_recv().ok() } else { None };
            }
            // After the messages: a heartbeat that has come in time is no reason for an election,
            // even if this task was slow to look.
            let output = self.core.output();
            if output.reset_election_timer || output.elected.is_some() {
                self.start_timers();
            }
            self.look_at_timers();
            self.core.replicate();
        }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::RequestVote(args, reply) => {
                let answer = self.core.request_vote(&args);
                self.answers.push(Answer::Vote(reply, answer));
            }
            Input::AppendEntries(args, reply) => {
                let answer = self.core.append_entries(&args);
                self.answers.push(Answer::Append(reply, answer));
            }
            Input::Voted(Returned { tag: VoteCall { to, sent_in }, result }) => {
                self.peers[to].calls -= 1;
                // Without a reply the next election asks again.
                if let Ok(reply) = result {
                    self.core.vote_reply(to, sent_in, &reply);
                }
            }
            Input::Appended(Returned { tag: AppendCall { to, ticket }, result }) => {
                self.peers[to].calls -= 1;
                match result {
                    Ok(reply) => self.core.append_reply(to, ticket, &reply),
                    Err(NoReply) => self.core.append_failed(to, ticket),
                }
            }
            Input::Start(command, answer) => {
                let term = self.core.term();
                let started = self.core.propose(command).map(|index| Started { index, term });
                self.answers.push(Answer::Start(answer, started));
            }
            Input::End => {}
        }
    }

    fn look_at_timers(&mut self) {
        let now = Instant::now();
        if self.core.is_leader() {
            if now >= self.heartbeat_at {
                self.core.heartbeat_timeout();
                self.heartbeat_at = now + self.options.heartbeat;
            }
        } else if now >= self.election_at {
            self.core.election_timeout();
            self.start_timers();
        }
    }

    /// Performs what the core has decided: save, then answer, then send, then apply. False if the
    /// server is over: then nobody is told of what was saved last.
    fn perform(&mut self) -> bool {
        let output = self.core.take_output();
        for warning in &output.warnings {
            self.options.observer.warning(&self.core, *warning);
        }
        if let Err(error) = self.storage.save(&self.core, &output.unsaved) {
            // It must neither answer nor send anything any more.
            let me = self.core.me();
            panic!("server {me} stops, because its state cannot be saved: {error}");
        }
        if self.status.is_over() {
            return false;
        }
        self.options.observer.saved(&self.core, &output);
        let is_leader = self.core.is_leader();
        self.status.show(RaftState { term: self.core.term(), is_leader });
        for answer in self.answers.drain(..) {
            match answer {
                Answer::Vote(reply, answer) => reply.send(answer),
                Answer::Append(reply, answer) => reply.send(answer),
                // Whoever asked may have been killed.
                Answer::Start(reply, started) => drop(reply.send(started)),
            }
        }
        for (to, request) in output.requests {
            self.send(to, request);
        }
        if let Some(indexes) = output.committed {
            // They were not committed before, so they are behind the log's base.
            let entries = self.core.log().from(*indexes.start());
            let message = |(index, entry): (u64, &Entry)| {
                let command = entry.command.clone();
                ApplyMsg::Command { index, command }
            };
            // Without an applier there is no service any more.
            let _ = self.committed.send(indexes.zip(entries).map(message).collect());
        }
        true
    }

    /// Both timers begin anew; which one counts depends on what the server is.
    fn start_timers(&mut self) {
        let now = Instant::now();
        let (least, most) = self.options.election_timeout_ms;
        self.election_at = now + Duration::from_millis(self.rng.random_range(least..=most));
        self.heartbeat_at = now + self.options.heartbeat;
    }

    /// Sends a request, unless too many are under way: then it is as if the network had lost it.
    fn send(&mut self, to: usize, request: Request) {
        let peer = &mut self.peers[to];
        if peer.calls == MAX_CALLS {
            return;
        }
        peer.calls += 1;
        match request {
            Request::Vote(args) => {
                let call = VoteCall { to, sent_in: args.term };
                peer.client.request_vote_to(&args, call, &self.inputs);
            }
            Request::Append(args, ticket) => {
                peer.client.append_entries_to(&args, AppendCall { to, ticket }, &self.inputs);
            }
        }
    }
}

impl Drop for EventLoop {
    /// However the loop ends, also by a panic or with its node: it leads no more.
    fn drop(&mut self) {
        self.status.end();
    }
}
