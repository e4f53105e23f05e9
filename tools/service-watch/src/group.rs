//! One group of a service's servers: what it tells the watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use labrpc::CallStep;
use persister::Persister;
use raft_watch::Bookmark;
use run_record::coverage::Coverage;
use run_record::situations::{Counts, Situations};
use tester::{Call, ClientCall, Members, Obstacles, SaveCount, Watcher};

use crate::operations::{Operation, Reply};
use crate::sizes::{Limits, Size};
use crate::tries::Answer;
use crate::waiting::Waiting;
use crate::{State, Watch};

/// What is known of a group.
pub(crate) struct Seen {
    pub(crate) members: Members,
    /// What watches the Rafts of its servers.
    pub(crate) below: raft_watch::Watch,
    pub(crate) bookmark: Bookmark,
    pub(crate) limits: Limits,
    pub(crate) servers: Vec<ServerSeen>,
    /// Replies on their way to clients, by their calls. They arrive also if their server crashes.
    replies: BTreeMap<u64, Reply>,
}

/// What is known of one server.
#[derive(Default)]
pub(crate) struct ServerSeen {
    /// Requests of clients that have reached it and that it has not answered, by their calls.
    pub(crate) waiting: BTreeMap<u64, Waiting>,
    /// When it is looked at again, in microseconds.
    pub(crate) next_look: u64,
    /// When it was looked at last.
    pub(crate) last_look: u64,
    /// What it saves to, while it runs.
    pub(crate) persister: Option<Arc<dyn Persister>>,
    pub(crate) size: Size,
}

impl Seen {
    pub(crate) fn new(members: Members, below: raft_watch::Watch, limits: Limits) -> Seen {
        let servers = (0..members.count()).map(|_| ServerSeen::default()).collect();
        let (bookmark, replies) = (Bookmark::default(), BTreeMap::new());
        Seen { members, below, bookmark, limits, servers, replies }
    }

    /// Its servers hear of leaders, and nobody can tell what they know to be committed.
    pub(crate) fn hides_what_is_known(&self) -> bool {
        let mut servers = 0..self.members.count();
        servers.len() > 1
            && servers.any(|server| self.below.heard(server).is_some())
            && self.below.can_know(0).is_none()
    }
}

/// What sees the events of a group.
pub(crate) struct Eye {
    pub(crate) watch: Watch,
    pub(crate) group: usize,
}

impl Eye {
    /// Shows the situations of all groups, for which the first one speaks.
    fn of_all_groups<R>(&self, show: impl FnOnce(&Counts) -> R) -> Option<R> {
        if self.group > 0 {
            return None;
        }
        self.watch.inner.with(|state| {
            state.read_entries();
            Some(show(state.spotter.seen()))
        })
    }

    fn look(&self, server: usize) {
        let us = labtrace::now_us();
        let check = |state: &mut State| state.check_waiting(self.group, server, us);
        let checked = self.watch.inner.with(check);
        self.watch.fail_if_broken(checked);
    }

    fn server<T>(&self, server: usize, change: impl FnOnce(&mut ServerSeen) -> T) -> T {
        self.watch.inner.with(|state| change(&mut state.groups[self.group].servers[server]))
    }
}

impl Watcher for Eye {
    fn starting(&self, server: usize, _: u64, persister: &Arc<dyn Persister>, _: &SaveCount) {
        let persister = Some(persister.clone());
        self.server(server, |seen| *seen = ServerSeen { persister, ..ServerSeen::default() });
    }

    fn saved(&self, server: usize, _: u64) {
        let us = labtrace::now_us();
        let check = |state: &mut State| state.check_sizes(self.group, server, us);
        let checked = self.watch.inner.with(check);
        self.watch.fail_if_broken(checked);
    }

    fn crashed(&self, server: usize) {
        self.server(server, |seen| *seen = ServerSeen::default());
    }

    fn call(&self, call: &Call<'_>) {
        match call.event.step {
            CallStep::Sent { .. } => self.look(call.from),
            CallStep::Replied(_) => self.look(call.to),
            _ => {}
        }
    }

    fn client_call(&self, of: &ClientCall<'_>) {
        let ClientCall { client, to: server, event } = *of;
        let (call, us) = (event.call, labtrace::now_us());
        self.watch.inner.with(|state| {
            if let Some(operation) = state.operations.open_of(client) {
                operation.tries.see((self.group, server), call, event.step, us);
            }
            state.spot((self.group, server), client, call, event.step);
        });
        match event.step {
            CallStep::Delivered => self.watch.inner.with(|state| {
                let operation = state.spotter.operation_of(self.group, call);
                let seen = &mut state.groups[self.group];
                let term = seen.below.shown_term(server);
                let waiting = Waiting::new((client, operation), event.method, term, us);
                seen.servers[server].waiting.insert(call, waiting);
            }),
            CallStep::Replied(reply) => self.watch.inner.with(|state| {
                let seen = &mut state.groups[self.group];
                let (group, known) = (self.group, seen.below.can_know(server));
                seen.servers[server].waiting.remove(&call);
                let answer = Some(Answer::of(reply));
                let reply = Reply { group, server, us, known, answer, is_another: false };
                seen.replies.insert(call, reply);
            }),
            CallStep::Returned => self.watch.inner.with(|state| state.returned(self.group, of)),
            CallStep::Lost { .. } | CallStep::Failed => self.watch.inner.with(|state| {
                if let CallStep::Failed = event.step {
                    state.failed((self.group, server), client, call, us);
                }
                let seen = &mut state.groups[self.group];
                seen.servers[server].waiting.remove(&call);
                seen.replies.remove(&call);
            }),
            _ => {}
        }
    }

    fn obstacles(&self, us: u64) -> Obstacles {
        let (clients, hint) = self.watch.inner.with(|state| {
            // What clients wait for is said once, by the first group.
            let (mut facts, mut hint) = (Vec::new(), None);
            if self.group == 0 {
                state.read_entries();
                facts.extend(state.clients_wait(us));
                hint = state.why_clients_wait(us).map(str::to_string);
            }
            facts.extend(state.servers_keep_waiting(self.group, us));
            (facts, hint)
        });
        // What is known of the Rafts below is said by what watches them.
        Obstacles { clients, hint, ..Obstacles::default() }
    }

    fn situations(&self) -> Situations {
        self.of_all_groups(Counts::all).unwrap_or_default()
    }

    fn coverage(&self) -> Coverage {
        self.of_all_groups(|seen| seen.coverage().clone()).unwrap_or_default()
    }

    fn not_judged(&self) -> Vec<String> {
        if self.group > 0 {
            return Vec::new();
        }
        self.watch.inner.with(|state| state.not_judged())
    }
}

impl State {
    /// A reply has reached its client.
    fn returned(&mut self, group: usize, of: &ClientCall<'_>) {
        let reply = self.groups[group].replies.remove(&of.event.call);
        if let (Some(reply), Some(operation)) =
            (reply, self.open_of(of.client, group, of.event.call))
        {
            operation.replies.push(reply);
            operation.failed = None;
        }
    }

    /// A client learns that a call to a server has failed.
    fn failed(&mut self, to: (usize, usize), client: u64, call: u64, us: u64) {
        if let Some(operation) = self.open_of(client, to.0, call) {
            operation.failed = Some((to, us));
        }
    }

    /// The operation that a client has under way, if this call was made for it and not for what is done by now.
    fn open_of(&mut self, client: u64, group: usize, call: u64) -> Option<&mut Operation> {
        let of = self.spotter.operation_of(group, call)?;
        if self.operations.number_of(client) != Some(of) {
            return None;
        }
        self.operations.open_of(client)
    }
}
