//! A cluster of cores, joined by messages that a test delivers, drops, repeats and reorders.
//!
//! Each server has a disk that holds what [`Output::unsaved`] told it to keep and nothing else. No
//! message leaves a server unless its disk agrees with its memory. A checker of the whole cluster
//! looks at every output.

use std::collections::BTreeMap;

use bytes::Bytes;
use raft::rules::{
    Core, InstallTicket, Output, Progress, ReadTicket, Request, Role, Ticket, Unsaved,
};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, ConfirmLeaderArgs, ConfirmLeaderReply, Entry, HardState,
    InstallSnapshotArgs, InstallSnapshotReply, Place, RequestVoteArgs, RequestVoteReply, Stored,
};
use raft_api::NoReadIndex;
use raft_checked::ClusterChecker;

use crate::common::{entries, log_behind, terms};
use crate::service::Service;

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) payload: Payload,
}

#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Vote(RequestVoteArgs),
    Voted { sent_in: u64, reply: RequestVoteReply },
    Append(AppendEntriesArgs, Ticket),
    Appended(Ticket, AppendEntriesReply),
    Install(InstallSnapshotArgs, InstallTicket),
    Installed(InstallTicket, InstallSnapshotReply),
    Confirm(ConfirmLeaderArgs, ReadTicket),
    Confirmed(ReadTicket, ConfirmLeaderReply),
}

/// What a server finds when it comes back.
#[derive(Clone, Debug, Default)]
struct Disk {
    hard: HardState,
    base: Place,
    entries: Vec<Entry>,
    snapshot: Bytes,
}

impl Disk {
    fn save(&mut self, core: &Core, unsaved: &Unsaved) {
        if unsaved.hard_state {
            self.hard = core.hard_state();
        }
        if unsaved.snapshot {
            self.base = core.log().base();
            self.entries = core.log().entries().to_vec();
            self.snapshot = core.snapshot().clone();
        } else if let Some(from) = unsaved.log_from {
            self.entries.truncate(usize::try_from(from - self.base.index - 1).unwrap());
            self.entries.extend_from_slice(core.log().from(from));
        }
    }

    fn holds(&self, core: &Core) -> bool {
        self.hard == core.hard_state()
            && self.base == core.log().base()
            && self.entries == core.log().entries()
            && self.snapshot == core.snapshot()
    }

    fn stored(&self) -> Stored {
        let log = log_behind(self.base, self.entries.clone());
        Stored { hard: self.hard, log, snapshot: self.snapshot.clone() }
    }
}

struct Server {
    /// None while the server is down.
    core: Option<Core>,
    disk: Disk,
    /// The service above it, since the last restart.
    service: Service,
}

pub(crate) struct Cluster {
    servers: Vec<Server>,
    network: Vec<Message>,
    checker: ClusterChecker,
    /// All commands that some service has applied.
    applied: Vec<Bytes>,
    /// How many snapshots of leaders have been installed.
    installed: u64,
    /// What came of reads without a log entry, since somebody asked.
    reads: Vec<(u64, Result<u64, NoReadIndex>)>,
    /// The most that was committed anywhere when each read came: a read sees all that.
    read_from: BTreeMap<u64, u64>,
    /// How many reads got an index.
    confirmed: u64,
}

impl Cluster {
    /// Servers without a past.
    pub(crate) fn new(servers: usize) -> Cluster {
        Cluster::with_logs(&vec![(0, &[][..]); servers])
    }

    /// Servers that come back, each in a term and with entries of these terms.
    pub(crate) fn with_logs(pasts: &[(u64, &[u64])]) -> Cluster {
        let past = |(term, terms): &(u64, &[u64])| Server {
            core: None,
            disk: Disk {
                hard: HardState { term: *term, voted_for: None },
                entries: entries(1, terms),
                ..Disk::default()
            },
            service: Service::default(),
        };
        let servers: Vec<_> = pasts.iter().map(past).collect();
        let mut cluster = Cluster {
            servers,
            network: Vec::new(),
            checker: ClusterChecker::default(),
            applied: Vec::new(),
            installed: 0,
            reads: Vec::new(),
            read_from: BTreeMap::new(),
            confirmed: 0,
        };
        (0..pasts.len()).for_each(|server| cluster.restart(server));
        cluster
    }

    pub(crate) fn core(&self, server: usize) -> &Core {
        self.servers[server].core.as_ref().unwrap_or_else(|| panic!("server {server} is down"))
    }

    /// The terms of a server's log.
    pub(crate) fn terms(&self, server: usize) -> Vec<u64> {
        terms(self.core(server).log())
    }

    /// The commit index of each server.
    pub(crate) fn commits(&self) -> Vec<u64> {
        (0..self.servers.len()).map(|server| self.core(server).commit_index()).collect()
    }

    /// What a leader knows of a follower.
    pub(crate) fn progress(&self, leader: usize, follower: usize) -> &Progress {
        progress(self.core(leader), follower)
    }

    /// Lets a core handle something, and performs what comes out.
    pub(crate) fn step<R>(&mut self, server: usize, event: impl FnOnce(&mut Core) -> R) -> R {
        let core = self.servers[server].core.as_mut();
        let result = event(core.unwrap_or_else(|| panic!("server {server} is down")));
        self.perform(server, None);
        result
    }

    /// The order that the core asks for: save, then answer, then send, then apply.
    fn perform(&mut self, me: usize, answer: Option<Message>) {
        let server = &mut self.servers[me];
        let core = server.core.as_mut().expect("the server is up");
        core.replicate();
        let output = core.take_output();
        server.disk.save(core, &output.unsaved);
        self.checker.saved(core, &output);
        let Output { requests, installed, committed, reads, .. } = output;
        assert!(
            server.disk.holds(core),
            "server {me} is about to answer and send, but it did not ask to save all that changed"
        );
        self.network.extend(answer);
        for (id, index) in &reads {
            let least = self.read_from[id];
            assert!(
                index.is_err() || index.is_ok_and(|index| index >= least),
                "server {me}: read {id} at {index:?}, but up to {least} all was committed when it came"
            );
            self.confirmed += u64::from(index.is_ok());
        }
        self.reads.extend(reads);
        for (to, request) in requests {
            let payload = match request {
                Request::Vote(args) => Payload::Vote(args),
                Request::Append(args, ticket) => Payload::Append(args, ticket),
                Request::Install(args, ticket) => Payload::Install(args, ticket),
                Request::Confirm(args, ticket) => Payload::Confirm(args, ticket),
            };
            self.network.push(Message { from: me, to, payload });
        }
        if let Some(snapshot) = installed {
            server.service.install(&snapshot);
            self.installed += 1;
        }
        for index in committed.into_iter().flatten() {
            let entry = core.log().get(index).expect("what is to be applied is in the log");
            server.service.apply(index, &entry.command);
        }
        assert_eq!(
            server.service.index(),
            core.commit_index(),
            "server {me} applies what it commits"
        );
        server.service.agrees_with(&mut self.applied);
    }

    pub(crate) fn timeout(&mut self, server: usize) {
        self.step(server, Core::election_timeout);
    }

    pub(crate) fn heartbeat(&mut self, server: usize) {
        self.step(server, Core::heartbeat_timeout);
    }

    /// Gives a leader a command, which no other one equals.
    pub(crate) fn propose(&mut self, leader: usize) -> u64 {
        let core = self.core(leader);
        let command = format!("{}.{}", core.term(), core.log().last_index() + 1);
        let index = self.step(leader, |core| core.propose(command.into()));
        index.unwrap_or_else(|| panic!("server {leader} does not lead"))
    }

    /// The service of a server wants to read without a log entry.
    pub(crate) fn read(&mut self, server: usize, id: u64) {
        self.read_from.insert(id, self.applied.len() as u64);
        self.step(server, |core| core.read(id));
    }

    /// How many reads got an index.
    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// What came of reads since this was last called.
    pub(crate) fn take_reads(&mut self) -> Vec<(u64, Result<u64, NoReadIndex>)> {
        std::mem::take(&mut self.reads)
    }

    /// A server's service takes a snapshot of what it has applied up to this index.
    pub(crate) fn snapshot(&mut self, server: usize, index: u64) {
        let data = self.servers[server].service.snapshot(index);
        self.step(server, |core| core.take_snapshot(index, data));
    }

    /// The server loses all but its disk.
    pub(crate) fn crash(&mut self, server: usize) {
        self.servers[server].core = None;
    }

    /// The server comes back with what is on its disk.
    pub(crate) fn restart(&mut self, server: usize) {
        let stored = self.servers[server].disk.stored();
        self.servers[server].service = Service::restored(&stored.snapshot);
        self.servers[server].core = Some(Core::new(server, self.servers.len(), stored));
        self.perform(server, None);
    }

    /// How many snapshots of leaders have been installed.
    pub(crate) fn installed(&self) -> u64 {
        self.installed
    }

    pub(crate) fn is_up(&self, server: usize) -> bool {
        self.servers[server].core.is_some()
    }

    /// What is under way.
    pub(crate) fn network(&self) -> &[Message] {
        &self.network
    }

    /// Takes messages off the network: to drop them, to keep them for later, to repeat them.
    pub(crate) fn take(&mut self, which: impl Fn(&Message) -> bool) -> Vec<Message> {
        self.network.extract_if(.., |message| which(message)).collect()
    }

    /// Loses requests, and lets their senders know, as the network does.
    pub(crate) fn lose(&mut self, which: impl Fn(&Message) -> bool) {
        for Message { from, to, payload } in self.take(which) {
            let Some(core) = &mut self.servers[from].core else { continue };
            match payload {
                Payload::Append(_, ticket) => core.append_failed(to, ticket),
                Payload::Install(_, ticket) => core.install_failed(to, ticket),
                _ => {}
            }
        }
    }

    /// Drops the newest messages, but for this many older ones.
    pub(crate) fn truncate_network(&mut self, keep: usize) {
        self.network.truncate(keep);
    }

    /// Puts messages back that were taken.
    pub(crate) fn put_back(&mut self, messages: Vec<Message>) {
        self.network.extend(messages);
    }

    /// Hands a message to its receiver. One that is down does not get it.
    pub(crate) fn deliver(&mut self, message: Message) {
        let Message { from, to, payload } = message;
        let Some(core) = self.servers[to].core.as_mut() else { return };
        let answer = match payload {
            Payload::Vote(args) => {
                Some(Payload::Voted { sent_in: args.term, reply: core.request_vote(&args) })
            }
            Payload::Append(args, ticket) => {
                Some(Payload::Appended(ticket, core.append_entries(&args)))
            }
            Payload::Install(args, ticket) => {
                Some(Payload::Installed(ticket, core.install_snapshot(&args)))
            }
            Payload::Confirm(args, ticket) => {
                Some(Payload::Confirmed(ticket, core.confirm_leader(&args)))
            }
            Payload::Confirmed(ticket, reply) => {
                core.confirm_reply(from, ticket, &reply);
                None
            }
            Payload::Installed(ticket, reply) => {
                core.install_reply(from, ticket, &reply);
                None
            }
            Payload::Voted { sent_in, reply } => {
                core.vote_reply(from, sent_in, &reply);
                None
            }
            Payload::Appended(ticket, reply) => {
                core.append_reply(from, ticket, &reply);
                None
            }
        };
        self.perform(to, answer.map(|payload| Message { from: to, to: from, payload }));
    }

    /// Delivers these messages and what follows from them, oldest first, until none is left.
    pub(crate) fn deliver_where(&mut self, which: impl Fn(&Message) -> bool) {
        for _ in 0..10_000 {
            let Some(place) = self.network.iter().position(&which) else { return };
            let message = self.network.remove(place);
            self.deliver(message);
        }
        panic!("the servers do not come to rest: {:?}", self.network);
    }

    pub(crate) fn deliver_all(&mut self) {
        self.deliver_where(|_| true);
    }

    /// Has a server elected by all that are up.
    pub(crate) fn elect(&mut self, server: usize) {
        self.timeout(server);
        self.deliver_all();
        assert!(self.core(server).is_leader(), "server {server} is not elected");
    }
}

/// What a leader knows of a follower.
pub(crate) fn progress(core: &Core, follower: usize) -> &Progress {
    match core.role() {
        Role::Leader { progress, .. } => &progress[follower],
        role => panic!("server {} does not lead, it is a {role:?}", core.me()),
    }
}

/// The messages from one server to another.
pub(crate) fn from_to(from: usize, to: usize) -> impl Fn(&Message) -> bool {
    move |message| message.from == from && message.to == to
}

/// The messages between two servers, in either direction.
pub(crate) fn between(a: usize, b: usize) -> impl Fn(&Message) -> bool {
    move |message| from_to(a, b)(message) || from_to(b, a)(message)
}

/// All AppendEntries that a core sends at the end of a round.
pub(crate) fn appends(core: &mut Core) -> Vec<(usize, AppendEntriesArgs, Ticket)> {
    let append = |(to, request)| match request {
        Request::Append(args, ticket) => Some((to, args, ticket)),
        Request::Vote(_) | Request::Install(..) | Request::Confirm(..) => None,
    };
    core.replicate();
    core.take_output().requests.into_iter().filter_map(append).collect()
}

/// A leader of the term after `term`, elected by all others, and its first heartbeats.
pub(crate) fn leader(
    servers: usize,
    term: u64,
    terms: &[u64],
) -> (Core, Vec<(usize, AppendEntriesArgs, Ticket)>) {
    let mut core = crate::common::core(0, servers, term, terms);
    core.election_timeout();
    let reply = RequestVoteReply { term: term + 1, vote_granted: true };
    (1..servers).for_each(|peer| core.vote_reply(peer, term + 1, &reply));
    assert!(core.is_leader(), "{servers} votes elect nobody");
    let first = appends(&mut core);
    (core, first)
}

/// A reply that says yes.
pub(crate) fn accepted(term: u64) -> AppendEntriesReply {
    AppendEntriesReply { term, success: true, conflict: None }
}
