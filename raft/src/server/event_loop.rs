//! The task that owns a [`Core`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use labrpc::{NoReply, Returned};
use labrt::channel::{Receiver, RecvTimeoutError, Sender};
use labrt::rng::{RngExt, Stream};
use labrt::time::Instant;
use raft_api::{ApplyMsg, RaftState, Started, TellReadIndex};

use super::input::{Answer, AppendCall, ConfirmCall, Input, InstallCall, VoteCall};
use super::status::Status;
use crate::message::RaftRpcClient;
use crate::options::Options;
use crate::rules::{Core, Output, Request};
use crate::storage::Storage;
use crate::stored::Snapshot;

/// How many inputs are handled before their output is performed.
const MAX_BATCH: usize = 1024;

/// How many calls may be under way to one peer. One that is away lets a call fail after 7 s at most,
/// by when 64 heartbeats and some elections have come; more are under way only to a peer that takes
/// requests and does not answer, and then further ones are of no use to it.
pub(super) const MAX_CALLS: usize = 128;

/// A reader asks the others which term they are in only while so few calls are under way to one: a peer that is slow
/// for a while must still find heartbeats among what has come meanwhile, however much is read.
const MAX_CALLS_BEFORE_CONFIRMING: usize = MAX_CALLS / 4;

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
    to_applier: Sender<Vec<ApplyMsg>>,
    status: Arc<Status>,
    rng: Stream,
    /// When to start an election, unless this server leads.
    election_at: Instant,
    /// When to send heartbeats, if this server leads.
    heartbeat_at: Instant,
    answers: Vec<Answer>,
    /// Whom to tell of the reads that the core has not answered, by what they are called.
    reads: BTreeMap<u64, TellReadIndex>,
    /// What the last read was called.
    last_read: u64,
}

/// How a server reaches all that is around it.
pub(super) struct Surroundings {
    pub(super) peers: Vec<RaftRpcClient>,
    /// Into the loop's own queue.
    pub(super) inputs: Sender<Input>,
    pub(super) to_applier: Sender<Vec<ApplyMsg>>,
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
        let Surroundings { peers, inputs, to_applier, status } = surroundings;
        let now = Instant::now();
        EventLoop {
            core,
            storage,
            options,
            peers: peers.into_iter().map(|client| Peer { client, calls: 0 }).collect(),
            inputs,
            to_applier,
            status,
            rng,
            election_at: now,
            heartbeat_at: now,
            answers: Vec::new(),
            reads: BTreeMap::new(),
            last_read: 0,
        }
    }

    /// Goes on until the server is over.
    pub(super) fn run(&mut self, queue: &Receiver<Input>) {
        self.start_timers(Instant::now());
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
                let more = handled < MAX_BATCH && !queue.is_empty();
                next = more.then(|| queue.try_recv().ok()).flatten();
            }
            // After the messages: a heartbeat that has come in time is no reason for an election,
            // even if this task was slow to look.
            let now = Instant::now();
            let output = self.core.output();
            if output.reset_election_timer || output.elected.is_some() {
                self.start_timers(now);
            }
            self.look_at_timers(now);
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
            Input::InstallSnapshot(args, reply) => {
                let answer = self.core.install_snapshot(&args);
                self.answers.push(Answer::Install(reply, answer));
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
            Input::Installed(Returned { tag: InstallCall { to, ticket }, result }) => {
                self.peers[to].calls -= 1;
                match result {
                    Ok(reply) => self.core.install_reply(to, ticket, &reply),
                    Err(NoReply) => self.core.install_failed(to, ticket),
                }
            }
            Input::ConfirmLeader(args, reply) => {
                let answer = self.core.confirm_leader(&args);
                self.answers.push(Answer::Confirm(reply, answer));
            }
            Input::Confirmed(Returned { tag: ConfirmCall { to, ticket }, result }) => {
                self.peers[to].calls -= 1;
                // Without a reply the next heartbeat asks again.
                if let Ok(reply) = result {
                    self.core.confirm_reply(to, ticket, &reply);
                }
            }
            Input::Read(tell) => {
                self.last_read += 1;
                self.reads.insert(self.last_read, tell);
                self.core.read(self.last_read);
            }
            Input::Snapshot(index, snapshot, saved) => {
                self.core.take_snapshot(index, snapshot);
                self.answers.push(Answer::Snapshot(saved));
            }
            Input::Start(command, answer) => {
                let term = self.core.term();
                let started = self.core.propose(command).map(|index| Started { index, term });
                self.answers.push(Answer::Start(answer, started));
            }
            Input::End => {}
        }
    }

    fn look_at_timers(&mut self, now: Instant) {
        if self.core.is_leader() {
            if now >= self.heartbeat_at {
                //= leaders.heartbeat, lab.heartbeats
                self.core.heartbeat_timeout();
                self.heartbeat_at = now + self.options.heartbeat;
            }
        } else if now >= self.election_at {
            self.core.election_timeout();
            self.start_timers(now);
        }
    }

    /// Performs what the core has decided: save, then answer, then send, then apply. False if the
    /// server is over: then nobody is told of what was saved last.
    fn perform(&mut self) -> bool {
        let output = self.core.take_output();
        for warning in &output.warnings {
            self.options.observer.warning(&self.core, *warning);
        }
        //= state.saved
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
        self.answers.drain(..).for_each(Answer::send);
        for (read, index) in &output.reads {
            let tell = self.reads.remove(read).expect("it was not answered before");
            tell(*index);
        }
        let to_apply = self.to_apply(&output);
        for (to, request) in output.requests {
            self.send(to, request);
        }
        if !to_apply.is_empty() {
            // Without an applier there is no service any more.
            let _ = self.to_applier.send(to_apply);
        }
        true
    }

    /// What the service is told of: a snapshot, then what follows it.
    fn to_apply(&self, output: &Output) -> Vec<ApplyMsg> {
        let snapshot = output.installed.clone().map(|Snapshot { last, data }| {
            let (index, term) = (last.index, last.term);
            ApplyMsg::Snapshot { index, term, snapshot: data }
        });
        //= all.apply
        // What has become committed is behind the log's base.
        let commands = output.committed.clone().map(|indexes| {
            let entries = self.core.log().from(*indexes.start());
            indexes.zip(entries).map(|(index, entry)| {
                let command = entry.command.clone();
                ApplyMsg::Command { index, command }
            })
        });
        snapshot.into_iter().chain(commands.into_iter().flatten()).collect()
    }

    /// Both timers begin anew; which one counts depends on what the server is.
    fn start_timers(&mut self, now: Instant) {
        let (least, most) = self.options.election_timeout_ms;
        //= candidates.random, lab.election-time
        self.election_at = now + Duration::from_millis(self.rng.random_range(least..=most));
        self.heartbeat_at = now + self.options.heartbeat;
    }

    /// Sends a request, unless too many are under way: then it is as if the network had lost it.
    fn send(&mut self, to: usize, request: Request) {
        let peer = &mut self.peers[to];
        let most = match request {
            Request::Confirm(..) => MAX_CALLS_BEFORE_CONFIRMING,
            _ => MAX_CALLS,
        };
        if peer.calls >= most {
            if let Request::Install(_, ticket) = request {
                self.core.install_failed(to, ticket);
            }
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
            Request::Install(args, ticket) => {
                peer.client.install_snapshot_to(&args, InstallCall { to, ticket }, &self.inputs);
            }
            Request::Confirm(args, ticket) => {
                peer.client.confirm_leader_to(&args, ConfirmCall { to, ticket }, &self.inputs);
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
