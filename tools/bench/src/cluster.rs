//! A cluster of our cores in memory: messages are moved from inbox to inbox, nothing is encoded and
//! nothing gets lost.

use std::sync::Arc;

use bytes::Bytes;
use persister::MemoryPersister;
use raft::rules::{Core, InstallTicket, Output, Request, Ticket, Unsaved};
use raft::storage::Storage;
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Entry, HardState, InstallSnapshotArgs,
    InstallSnapshotReply, RequestVoteArgs, RequestVoteReply, Stored,
};

/// What keeps a server's persistent state.
pub trait Store {
    /// An empty one.
    fn empty() -> Self;
    /// Saves what has changed.
    fn save(&mut self, core: &Core, unsaved: &Unsaved);
}

/// Keeps entries as they are, as tikv's `MemStorage` does.
#[derive(Debug, Default)]
pub struct Plain {
    hard: HardState,
    base: u64,
    entries: Vec<Entry>,
}

impl Store for Plain {
    fn empty() -> Plain {
        Plain::default()
    }

    fn save(&mut self, core: &Core, unsaved: &Unsaved) {
        if unsaved.hard_state {
            self.hard = core.hard_state();
        }
        if unsaved.snapshot {
            self.base = core.log().base().index;
            self.entries = core.log().entries().to_vec();
        } else if let Some(from) = unsaved.log_from {
            self.entries.truncate((from - self.base) as usize - 1);
            self.entries.extend_from_slice(core.log().from(from));
        }
    }
}

/// Encodes records for a persister, as the server does.
impl Store for Storage {
    fn empty() -> Storage {
        Storage::open(Arc::new(MemoryPersister::new())).expect("memory can be read").0
    }

    fn save(&mut self, core: &Core, unsaved: &Unsaved) {
        Storage::save(self, core, unsaved).expect("memory can be written");
    }
}

enum Message {
    Vote(RequestVoteArgs),
    Voted(u64, RequestVoteReply),
    Append(AppendEntriesArgs, Ticket),
    Appended(Ticket, AppendEntriesReply),
    Install(InstallSnapshotArgs, InstallTicket),
    Installed(InstallTicket, InstallSnapshotReply),
}

struct Server<S> {
    core: Core,
    store: S,
    inbox: Vec<(usize, Message)>,
    applied: Vec<Bytes>,
}

/// A cluster, led by its first server.
pub struct Cluster<S> {
    servers: Vec<Server<S>>,
}

impl<S: Store> Cluster<S> {
    /// A cluster that has elected its leader.
    ///
    /// # Panics
    /// If it has not.
    pub fn new(servers: usize) -> Cluster<S> {
        let server = |me| Server {
            core: Core::new(me, servers, Stored::default()),
            store: S::empty(),
            inbox: Vec::new(),
            applied: Vec::new(),
        };
        let mut cluster = Cluster { servers: (0..servers).map(server).collect() };
        cluster.servers[0].core.election_timeout();
        cluster.run();
        assert!(cluster.servers[0].core.is_leader(), "the first server is elected");
        cluster
    }

    /// How many entries there are in the leader's log.
    pub fn log_length(&self) -> u64 {
        self.servers[0].core.log().entries().len() as u64
    }

    /// Proposes commands together and goes on until the leader has applied them.
    ///
    /// # Panics
    /// If it does not.
    pub fn commit(&mut self, commands: Vec<Vec<u8>>) {
        let leader = &mut self.servers[0];
        leader.applied.clear();
        let count = commands.len();
        for command in commands {
            leader.core.propose(Bytes::from(command)).expect("it leads");
        }
        self.run();
        assert_eq!(self.servers[0].applied.len(), count, "all is committed and applied");
    }

    /// Every service takes a snapshot of so many bytes of all that its server has committed.
    pub fn snapshot(&mut self, size: usize) {
        let data = Bytes::from(vec![2; size]);
        for me in 0..self.servers.len() {
            let core = &mut self.servers[me].core;
            core.take_snapshot(core.commit_index(), data.clone());
            self.perform(me, Vec::new());
        }
    }

    /// Goes on until no message is left.
    fn run(&mut self) {
        for me in 0..self.servers.len() {
            self.perform(me, Vec::new());
        }
        while let Some(me) = self.servers.iter().position(|server| !server.inbox.is_empty()) {
            let answers = self.servers[me].handle_all();
            self.perform(me, answers);
        }
    }

    /// Save, answer, send, apply.
    fn perform(&mut self, me: usize, answers: Vec<(usize, Message)>) {
        let server = &mut self.servers[me];
        server.core.replicate();
        let Output { unsaved, requests, committed, .. } = server.core.take_output();
        server.store.save(&server.core, &unsaved);
        if let Some(indexes) = committed {
            let entries = indexes.map(|index| server.core.log().get(index).expect("it has it"));
            server.applied.extend(entries.map(|entry| entry.command.clone()));
        }
        for (to, answer) in answers {
            self.servers[to].inbox.push((me, answer));
        }
        for (to, request) in requests {
            let message = match request {
                Request::Vote(args) => Message::Vote(args),
                Request::Append(args, ticket) => Message::Append(args, ticket),
                Request::Install(args, ticket) => Message::Install(args, ticket),
                Request::Confirm(..) => unreachable!("nobody reads"),
            };
            self.servers[to].inbox.push((me, message));
        }
    }
}

impl<S> Server<S> {
    fn handle_all(&mut self) -> Vec<(usize, Message)> {
        let mut answers = Vec::new();
        for (from, message) in std::mem::take(&mut self.inbox) {
            match message {
                Message::Vote(args) => {
                    let reply = self.core.request_vote(&args);
                    answers.push((from, Message::Voted(args.term, reply)));
                }
                Message::Append(args, ticket) => {
                    let reply = self.core.append_entries(&args);
                    answers.push((from, Message::Appended(ticket, reply)));
                }
                Message::Install(args, ticket) => {
                    let reply = self.core.install_snapshot(&args);
                    answers.push((from, Message::Installed(ticket, reply)));
                }
                Message::Voted(sent_in, reply) => self.core.vote_reply(from, sent_in, &reply),
                Message::Appended(ticket, reply) => self.core.append_reply(from, ticket, &reply),
                Message::Installed(ticket, reply) => {
                    self.core.install_reply(from, ticket, &reply);
                }
            }
        }
        answers
    }
}
