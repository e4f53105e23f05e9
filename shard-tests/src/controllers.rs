//! The servers of a controller under test, and what can be done to them.

use std::fmt;
use std::time::Duration;

use labrt::thread;
use labrt::time::Instant;
use labtrace::verdict;
use raft_watch::AnyServer;
use service_watch::{Limits, Watch};
use tester::{Group, Members, Net};

use crate::admin::Admin;
use crate::changes::Changes;
use crate::subject::Subject;

/// A controller on a network. Clones are the same one.
#[derive(Clone)]
pub struct Controllers {
    subject: Subject,
    group: Group<AnyServer>,
    /// Its own, and not that of the store: a clerk of the store asks a controller too, in the middle of its operations,
    /// and what that replies answers none of them.
    watch: Watch,
    changes: Changes,
}

/// How long there may be no leader.
const ELECTION: Duration = Duration::from_secs(3);

impl Controllers {
    /// A controller of this name, whose servers do not run yet.
    pub fn new(subject: Subject, net: &Net, name: &str, servers: usize) -> Controllers {
        let group = Group::new(net, name, servers);
        let watch = Watch::of(net.run());
        let limits = Limits { state: None, snapshot: Some(0) };
        watch.add(&group, &raft_watch::Watch::of(subject.controller_raft, &group), limits);
        Controllers { subject, group, watch, changes: Changes::default() }
    }

    /// Starts all its servers and connects them with each other.
    ///
    /// # Panics
    /// If a server cannot be made.
    pub fn start_all(&self) {
        (0..self.servers()).for_each(|server| self.start(server));
    }

    /// Starts a server and connects it with the others.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn start(&self, server: usize) {
        self.start_alone(server);
        self.group.connect(server);
    }

    /// Starts a server. It is not connected with the others yet.
    ///
    /// # Panics
    /// If it cannot be made.
    pub(crate) fn start_alone(&self, server: usize) {
        let Controllers { subject, group, .. } = self;
        group.start(server, |seat| move || (subject.make_controller)(seat));
    }

    /// Starts a server, unless it runs.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn restart(&self, server: usize) {
        if !self.group.is_running(server) {
            self.start(server);
        }
    }

    /// Shuts a server down: it leaves the network and ends, and only what it has saved remains.
    pub fn shut_down(&self, server: usize) {
        self.group.crash(server);
    }

    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.group.servers()
    }

    /// The servers, whatever they are.
    pub(crate) fn group(&self) -> &Group<AnyServer> {
        &self.group
    }

    /// What its servers are called.
    pub fn members(&self) -> &Members {
        self.group.members()
    }

    /// A server that claims to lead, as soon as there is one.
    ///
    /// # Panics
    /// If there is none for 3 s.
    #[track_caller]
    pub fn wait_for_leader(&self) -> usize {
        let until = Instant::now() + ELECTION;
        loop {
            let leads = |server: &usize| leads(&self.group, *server);
            if let Some(leader) = (0..self.servers()).find(leads) {
                return leader;
            }
            if Instant::now() > until {
                let words = format!("no server of the controller leads after {ELECTION:?}");
                verdict("one leader", words).fail();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A new clerk, which reaches all servers.
    pub fn clerk(&self, name: &str) -> Admin {
        let ends = tester::Client::new(self.group.net(), name);
        let all: Vec<usize> = (0..self.servers()).collect();
        ends.connect(self.members(), &all);
        let clerk = (self.subject.make_controller_clerk)(ends.ends_to(self.members()));
        Admin::new(clerk, ends, self.watch.clone(), self.changes.clone())
    }

    /// Ends its servers.
    pub fn end(&self) {
        self.group.end();
    }

    /// Checks that what its clerks saw is what one machine could have shown them.
    ///
    /// # Panics
    /// If it is not.
    pub fn check_changes(&self) {
        self.changes.check(self.group.run());
    }
}

/// Whether a server claims to lead.
pub(crate) fn leads(group: &Group<AnyServer>, server: usize) -> bool {
    group.instance(server).and_then(|instance| instance.enter(AnyServer::leads)).unwrap_or(false)
}

impl fmt::Debug for Controllers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controllers").field("group", &self.group).finish_non_exhaustive()
    }
}
