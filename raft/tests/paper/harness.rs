//! A cluster of cores, joined by messages that a test delivers, drops, repeats and reorders.
//!
//! Each server has a disk that holds what [`Output::unsaved`] told it to keep and nothing else. No
//! message leaves a server unless its disk agrees with its memory. A checker of the whole cluster
//! looks at every output.

use raft::rules::{Core, Output, Progress, Request, Role, Ticket, Unsaved};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Entry, HardState, RequestVoteArgs, RequestVoteReply,
};
use raft_checked::ClusterChecker;

use crate::common::{entries, log_with, terms};

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
}

/// What a server finds when it comes back.
#[derive(Clone, Debug, Default)]
struct Disk {
    hard: HardState,
    entries: Vec<Entry>,
}

impl Disk {
    fn save(&mut self, core: &Core, unsaved: &Unsaved) {
        if unsaved.hard_state {
            self.hard = core.hard_state();
        }
        if let Some(from) = unsaved.log_from {
            self.entries.truncate(usize::try_from(from - 1).unwrap());
            self.entries.extend_from_slice(core.log().from(from));
        }
    }
}

struct Server {
    /// None while the server is down.
    core: Option<Core>,
    disk: Disk,
    /// How far the service above has been told of commands, since the last restart.
    applied: u64,
}

pub(crate) struct Cluster {
    servers: Vec<Server>,
    network: Vec<Message>,
    checker: ClusterChecker,
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
            },
            applied: 0,
        };
        let servers: Vec<_> = pasts.iter().map(past).collect();
        let checker = ClusterChecker::default();
        let mut cluster = Cluster { servers, network: Vec::new(), checker };
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
        (0..self.servers.len()).map(|server| self.core(server).commit()).collect()
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
        let Output { requests, committed, .. } = output;
        assert!(
            server.disk.hard == core.hard_state() && server.disk.entries == core.log().entries(),
            "server {me} is about to answer and send, but it did not ask to save all that changed"
        );
        self.network.extend(answer);
        for (to, request) in requests {
            let payload = match request {
                Request::Vote(args) => Payload::Vote(args),
                Request::Append(args, ticket) => Payload::Append(args, ticket),
            };
            self.network.push(Message { from: me, to, payload });
        }
        if let Some(indexes) = committed {
            assert_eq!(*indexes.start(), server.applied + 1, "server {me} applies out of order");
            server.applied = *indexes.end();
        }
        assert_eq!(server.applied, core.commit(), "server {me} applies other than it commits");
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

    /// The server loses all but its disk.
    pub(crate) fn crash(&mut self, server: usize) {
        self.servers[server].core = None;
    }

    /// The server comes back with what is on its disk.
    pub(crate) fn restart(&mut self, server: usize) {
        let Disk { hard, entries } = self.servers[server].disk.clone();
        let core = Core::new(server, self.servers.len(), hard, log_with(entries));
        self.servers[server].core = Some(core);
        self.servers[server].applied = 0;
        self.perform(server, None);
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
            if let (Payload::Append(_, ticket), Some(core)) =
                (payload, &mut self.servers[from].core)
            {
                core.append_failed(to, ticket);
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
        Role::Leader { progress } => &progress[follower],
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
        Request::Vote(_) => None,
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
