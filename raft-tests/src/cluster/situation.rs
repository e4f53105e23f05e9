//! What is known of the servers when a test is not content.

use std::collections::{BTreeMap, BTreeSet};

use labtrace::VerdictBuilder;
use persister::Persister;
use raft_api::Persisted;
use raft_watch::of_several;

use super::{Cluster, reader};

/// Facts for verdicts.
impl Cluster {
    /// What stands in the way, and what is known of each server, as facts of a verdict.
    pub(super) fn situation(&self, broken: VerdictBuilder) -> VerdictBuilder {
        let terms = self.inner.watch.terms();
        let applied =
            self.inner.applied.with(|all| all.logs.iter().map(Vec::len).collect::<Vec<_>>());
        let mut alike: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for server in 0..self.servers() {
            let place = match (self.is_running(server), self.is_connected(server)) {
                (false, _) => "down",
                (true, false) => "cut off",
                (true, true) => "connected",
            };
            let term = match &terms {
                // What it says is not understood.
                None => String::new(),
                Some(terms) if terms[server] == 0 => ", sent no message".into(),
                Some(terms) => format!(", showed term {}", terms[server]),
            };
            let text = format!("{place}{term}, {}", self.progress(server, applied[server]));
            alike.entry(text).or_default().insert(server);
        }
        let situations = alike.iter().map(|(text, who)| {
            let is = if who.len() == 1 { "is" } else { "are" };
            of_several(who, &format!("{is} {text}"))
        });
        let obstacles = self.inner.watch.obstacles();
        obstacles.into_iter().chain(situations).fold(broken, VerdictBuilder::with_fact)
    }

    /// How far a server has come; in part 2D also what it has saved.
    fn progress(&self, server: usize, applied: usize) -> String {
        let applied = format!("applied {applied} entries");
        if !self.inner.snapshots {
            return applied;
        }
        let saved = self.inner.group.persister(server);
        let snapshot = saved.read_snapshot().expect("memory can be read");
        let snapshot = match reader::index_of(&snapshot) {
            _ if snapshot.is_empty() => "no snapshot".into(),
            Some(index) => format!("a snapshot up to {index}"),
            None => "a snapshot that cannot be read".into(),
        };
        let state =
            self.inner.raft.read_persisted(&saved.read_raft_state().expect("memory can be read"));
        let log = state.map(|Persisted { log_base, log_terms, .. }| match log_terms.len() as u64 {
            0 => format!(" and an empty log behind {log_base}"),
            count => format!(" and a log from {} to {}", log_base + 1, log_base + count),
        });
        format!("{applied}, saved {snapshot}{}", log.unwrap_or_default())
    }
}
