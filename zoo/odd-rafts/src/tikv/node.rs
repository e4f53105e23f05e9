//! The library's node, with what it needs around it.

use std::error::Error;
use std::sync::Arc;

use labrt::channel::Sender;
use labrt::rng::{self, RngExt, Stream};
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, RaftState, Started};
use tikv_raft::eraftpb::{Entry, Message};
use tikv_raft::{Config, INVALID_ID, RawNode, StateRole};

use super::store::{Saved, Store};

/// Election timeouts in ticks: 350 to 850 ms.
const ELECTION: std::ops::Range<usize> = 14..34;

/// Heartbeats in ticks: seven a second, so that those and their answers fit the lab's limits.
const HEARTBEAT: usize = 6;

pub(super) struct Node {
    raw: RawNode<Store>,
    persister: Arc<dyn Persister>,
    applier: Sender<ApplyMsg>,
    /// How many commands were handed to the service.
    applied: u64,
    /// The election timeout that was drawn here, and the term and role that it was drawn for.
    timeout: usize,
    drawn_for: (u64, StateRole),
    rng: Stream,
}

/// The library counts servers from 1.
pub(super) fn id(place: usize) -> u64 {
    place as u64 + 1
}

pub(super) fn place(id: u64) -> usize {
    id as usize - 1
}

impl Node {
    pub(super) fn new(
        (me, servers): (usize, usize),
        pre_vote: bool,
        persister: Arc<dyn Persister>,
        applier: Sender<ApplyMsg>,
    ) -> Result<Node, Box<dyn Error + Send + Sync>> {
        let config = Config {
            id: id(me),
            election_tick: ELECTION.start,
            min_election_tick: ELECTION.start,
            max_election_tick: ELECTION.end,
            heartbeat_tick: HEARTBEAT,
            max_size_per_msg: 1 << 20,
            pre_vote,
            // Commands that come together are sent together, and what is committed is told with
            // the next message: the lab counts RPCs.
            batch_append: true,
            skip_bcast_commit: true,
            ..Config::default()
        };
        let store = Store::new(Saved::restore(&persister.read_raft_state()?)?, servers);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, store, &logger)?;
        let drawn_for = (raw.raft.term, raw.raft.state);
        let rng = rng::node_stream();
        let mut node = Node { raw, persister, applier, applied: 0, timeout: 0, drawn_for, rng };
        node.draw_timeout();
        Ok(node)
    }

    pub(super) fn tick(&mut self) {
        self.raw.tick();
        self.keep_timeout();
    }

    pub(super) fn step(&mut self, message: Message) {
        let raft = &self.raw.raft;
        let (term, led, waited) = (raft.term, self.leads(), raft.election_elapsed);
        // What it refuses to look at, it does not answer either.
        let _ = self.raw.step(message);
        let raft = &self.raw.raft;
        let found_nobody = raft.vote == INVALID_ID && raft.leader_id == INVALID_ID;
        if raft.term > term && !led && found_nobody {
            self.wait_on(waited);
        }
        self.keep_timeout();
    }

    /// The library lets a later term alone start the timer anew, Figure 2 does not. Where one server only has the
    /// log to be elected, the others could put it off for long.
    fn wait_on(&mut self, waited: usize) {
        self.raw.raft.election_elapsed = waited;
        self.drawn_for = self.role();
    }

    /// The library has drawn a new timeout if its term or role has changed.
    fn keep_timeout(&mut self) {
        let now = self.role();
        if std::mem::replace(&mut self.drawn_for, now) != now {
            self.draw_timeout();
        }
        self.raw.raft.set_randomized_election_timeout(self.timeout);
    }

    fn role(&self) -> (u64, StateRole) {
        (self.raw.raft.term, self.raw.raft.state)
    }

    fn leads(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    fn draw_timeout(&mut self) {
        self.timeout = self.rng.random_range(ELECTION);
        self.raw.raft.set_randomized_election_timeout(self.timeout);
    }

    /// Offers a command; none is taken by a server that does not lead.
    pub(super) fn propose(&mut self, command: &Bytes) -> Option<Started> {
        if !self.leads() {
            return None; // the library would pass it on to the leader
        }
        assert!(!command.is_empty(), "a command without a byte is what the library appends itself");
        self.raw.propose(Vec::new(), command.to_vec()).ok()?;
        Some(Started { index: self.commands(), term: self.raw.raft.term })
    }

    /// How many commands the log holds: those that are stored, and those that are not yet.
    fn commands(&self) -> u64 {
        let log = &self.raw.raft.raft_log;
        let stored = log.store.commands_before(log.unstable.offset);
        let unstable = log.unstable.entries.iter().filter(|entry| !entry.data.is_empty()).count();
        stored + unstable as u64
    }

    pub(super) fn state(&self) -> RaftState {
        RaftState { term: self.raw.raft.term, is_leader: self.leads() }
    }

    /// Saves, applies, and returns what is to be sent: as the library's documentation says.
    pub(super) fn flush(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while self.raw.has_ready() {
            let mut ready = self.raw.ready();
            messages.extend(ready.take_messages());
            self.apply(ready.take_committed_entries());
            let store = self.raw.mut_store();
            store.append(ready.entries());
            if let Some(hard) = ready.hs() {
                store.set_hard_state(hard);
            }
            if ready.hs().is_some() || !ready.entries().is_empty() {
                self.save();
            }
            messages.extend(ready.take_persisted_messages());
            let mut light = self.raw.advance(ready);
            if let Some(commit) = light.commit_index() {
                self.raw.mut_store().set_commit(commit);
                self.save();
            }
            messages.extend(light.take_messages());
            self.apply(light.take_committed_entries());
            self.raw.advance_apply();
        }
        messages
    }

    fn save(&mut self) {
        let saved = self.raw.store().encoded();
        if let Err(error) = self.persister.save_raft_state(&saved) {
            panic!("the server stops, because its state cannot be saved: {error}");
        }
    }

    fn apply(&mut self, committed: Vec<Entry>) {
        for entry in committed.into_iter().filter(|entry| !entry.data.is_empty()) {
            self.applied += 1;
            let (index, command) = (self.applied, entry.data);
            // The applier ends when the service no longer listens.
            let _ = self.applier.send(ApplyMsg::Command { index, command });
        }
    }
}

#[cfg(test)]
mod tests {
    use persister::MemoryPersister;
    use tikv_raft::eraftpb::MessageType;

    use super::*;

    fn message(kind: MessageType, term: u64) -> Message {
        Message { msg_type: kind, term, from: id(1), to: id(0), reject: true, ..Message::default() }
    }

    /// How long the server has waited, and for how long it waits.
    fn timer(node: &Node) -> (usize, usize) {
        (node.raw.raft.election_elapsed, node.timeout)
    }

    #[test]
    fn a_later_term_alone_starts_no_timer_anew() {
        labrt::simulate(1, || {
            let (applier, _applied) = labrt::channel::unbounded();
            let persister = Arc::new(MemoryPersister::new());
            let mut node = Node::new((0, 3), false, persister, applier).expect("a new server");
            (0..5).for_each(|_| node.tick());
            let before = timer(&node);
            node.step(message(MessageType::MsgRequestVoteResponse, 7));
            assert_eq!((node.raw.raft.term, timer(&node)), (7, before));
            node.step(message(MessageType::MsgHeartbeat, 7));
            assert_eq!(timer(&node).0, 0, "a leader does");
        })
        .expect("no failure");
    }
}
