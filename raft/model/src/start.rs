//! How a cluster begins.

use bytes::Bytes;
use raft::rules::Core;
use raft::{AppendEntriesArgs, Entry, HardState, Log, Place, Stored};

use crate::event::command;
use crate::history::History;
use crate::server::Server;

/// How a cluster begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// New servers.
    #[default]
    New,
    /// As after (b) in Figure 8 of the paper, with all servers just restarted in term 2 and nothing under
    /// way: server 0 has led term 1 and server 1 term 2, each has an entry of its term, and nobody else
    /// has one.
    Figure8,
}

impl Start {
    /// The servers, and what is known of their past.
    pub(crate) fn cluster(self, servers: usize) -> (Vec<Server>, History) {
        let pasts: Vec<(u64, Option<usize>, Vec<Entry>)> = match self {
            Start::New => vec![(0, None, Vec::new()); servers],
            Start::Figure8 => {
                let past = |me| match me {
                    0 => (2, None, vec![entry(1, 0)]),
                    1 => (2, Some(1), vec![entry(2, 1)]),
                    _ => (2, Some(1), Vec::new()),
                };
                (0..servers).map(past).collect()
            }
        };
        let leaders = (0..self.terms()).map(|term| Some(term as usize)).collect();
        let history = History { leaders, committed: Vec::new() };
        let server = |(me, (term, voted_for, entries))| {
            let hard = HardState { term, voted_for };
            let log = log_behind(Place::default(), entries);
            Server::new(me, servers, Stored { hard, log, snapshot: Bytes::new() })
        };
        (pasts.into_iter().enumerate().map(server).collect(), history)
    }

    /// How many terms there were.
    pub(crate) fn terms(self) -> u8 {
        match self {
            Start::New => 0,
            Start::Figure8 => 2,
        }
    }

    /// How many commands clients have given.
    pub(crate) fn commands(self) -> u8 {
        self.terms()
    }
}

fn entry(term: u64, number: u8) -> Entry {
    Entry { term, command: command(number) }
}

/// A log of these entries, the first of which follows `base`. Only a core fills a log, so a leader is
/// played to one.
pub(crate) fn log_behind(base: Place, entries: Vec<Entry>) -> Log {
    let log = Log::behind(base);
    let Some(term) = entries.last().map(|last| last.term) else { return log };
    let args = AppendEntriesArgs {
        term,
        leader: 1,
        prev_log_index: base.index,
        prev_log_term: base.term,
        entries,
        leader_commit: 0,
    };
    let snapshot = if base.index > 0 { Bytes::from_static(b"-") } else { Bytes::new() };
    let mut core = Core::new(0, 2, Stored { log, snapshot, ..Stored::default() });
    assert!(core.append_entries(&args).success, "no leader could send these entries: {args:?}");
    core.log().clone()
}
