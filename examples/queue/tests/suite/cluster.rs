//! Servers of the queue under test, and what can be done to them.

use std::sync::Arc;
use std::time::Duration;

use labrpc::Service;
use labrt::thread;
use labtrace::verdict;
use queue_example::{Mistake, Server};
use raft_watch::RaftType;
use tester::{Group, Net, Run, Seat, Totals};

use super::leaves_once::LeavesOnce;

/// How many servers there are.
pub(crate) const SERVERS: usize = 3;

/// How many bytes a server's log should stay below.
const MAX_RAFT_STATE: usize = 1000;

/// Three servers on a network of their own, all running and connected.
pub(crate) struct Cluster {
    group: Group<Slot>,
    mistake: Option<Mistake>,
}

/// A server in a slot of the tester's.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Server>);

impl tester::Server for Slot {
    fn services(&self) -> Vec<Service> {
        self.0.clone().services()
    }

    fn kill(&self) {
        self.0.kill();
    }
}

impl Cluster {
    /// Starts and connects all servers; then the network becomes unreliable, if it shall.
    pub(crate) fn new(run: &Run, unreliable: bool, mistake: Option<Mistake>) -> Cluster {
        let net = Net::of_service(run);
        let group = Group::new(&net, "", SERVERS);
        // All rules for Raft, at every message. It watches from within the group.
        let _ = raft_watch::Watch::of(RaftType::of::<raft::Raft>(), &group);
        group.watch(Arc::new(LeavesOnce::default()));
        let cluster = Cluster { group, mistake };
        cluster.restart_all();
        cluster.connect_all();
        net.set_reliable(!unreliable);
        cluster
    }

    /// The servers.
    pub(crate) fn group(&self) -> &Group<Slot> {
        &self.group
    }

    /// Crashes all servers, and starts them again a little later. They are not connected yet.
    pub(crate) fn restart_all(&self) {
        (0..SERVERS).for_each(|server| self.group.crash(server));
        thread::sleep(Duration::from_millis(300));
        for server in 0..SERVERS {
            let mistake = self.mistake;
            self.group.start(server, |Seat { ends, me, persister, .. }| {
                move || {
                    let made = Server::make(ends, me, persister, Some(MAX_RAFT_STATE), mistake)?;
                    Ok(Slot(made))
                }
            });
        }
    }

    /// Connects every server with every other one.
    pub(crate) fn connect_all(&self) {
        let all: Vec<usize> = (0..SERVERS).collect();
        self.group.partition(&[&all]);
    }

    /// Splits the servers into two parts. Clients still reach both.
    pub(crate) fn partition(&self, one: &[usize], other: &[usize]) {
        self.group.partition(&[one, other]);
    }

    /// Checks that no server's log is much longer than it should be.
    pub(crate) fn check_sizes(&self) {
        for server in 0..SERVERS {
            let size = self.group.state_size(server);
            if size > 8 * MAX_RAFT_STATE {
                let words = format!("logs were not trimmed ({size} > 8*{MAX_RAFT_STATE})");
                verdict("log size", words)
                    .fact(server, format!("{size} bytes of Raft state"))
                    .fail();
            }
        }
    }

    /// Ends all servers and the network; returns what the test's last line says.
    pub(crate) fn finish(&self) -> Totals {
        let net = self.group.net();
        let totals = net.totals(SERVERS, net.operations());
        self.group.run().session().close();
        self.group.end();
        net.cleanup();
        totals
    }
}
