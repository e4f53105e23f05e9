//! What the servers of a group are called.

use std::sync::Arc;

use labrpc::Name;
use labtrace::{Fact, Verdict};

/// The servers of a group, by their numbers in it: what they are called on the network and in traces.
#[derive(Clone, Debug)]
pub struct Members {
    group: Arc<str>,
    first_lane: u32,
    count: usize,
}

impl Members {
    /// The servers of a group whose lanes begin with `first_lane`.
    pub(crate) fn new(group: &str, first_lane: u32, count: usize) -> Members {
        Members { group: group.into(), first_lane, count }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The name of the group; empty if it is the only one.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The name of a server on the network: its number, after that of its group.
    pub fn name(&self, server: usize) -> Name {
        Name::from(self.address(server))
    }

    /// The name of a server's node, which is also that of its lane.
    pub fn node_name(&self, server: usize) -> String {
        node_name(&self.address(server))
    }

    fn address(&self, server: usize) -> String {
        address(&self.group, server)
    }

    /// The number of a server's lane.
    pub fn lane(&self, server: usize) -> u32 {
        self.first_lane + number(server)
    }

    /// Facts about servers of this group, which have their numbers in it, as a whole run has them: with
    /// lanes, and with the name of the group.
    pub fn facts(&self, facts: Vec<Fact>) -> Vec<Fact> {
        let of_run = |mut fact: Fact| {
            if !self.group.is_empty() {
                fact.text = format!("group {}: {}", self.group, fact.text);
            }
            fact.server = fact.server.map(|server| server + self.first_lane);
            fact
        };
        facts.into_iter().map(of_run).collect()
    }

    /// Ends the run with a verdict about servers of this group, by their numbers in it.
    ///
    /// # Panics
    /// Always, as [`labtrace::fail`] does.
    #[track_caller]
    pub fn fail(&self, mut verdict: Verdict) -> ! {
        if !self.group.is_empty() {
            verdict.words = format!("group {}: {}", self.group, verdict.words);
        }
        let numbers = verdict.facts.iter_mut().filter_map(|fact| fact.server.as_mut());
        numbers.chain(&mut verdict.servers).for_each(|server| *server += self.first_lane);
        labtrace::fail(verdict)
    }
}

pub(crate) fn address(group: &str, server: usize) -> String {
    if group.is_empty() { server.to_string() } else { format!("{group}-{server}") }
}

pub(crate) fn node_name(address: &str) -> String {
    format!("server {address}")
}

fn number(server: usize) -> u32 {
    u32::try_from(server).expect("a group has few servers")
}
