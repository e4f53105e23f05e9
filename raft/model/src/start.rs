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
    /// So many elections later: server 0 has led the first so many terms and server 1 one more, each has an
    /// entry of each term that it has led, and nobody else has any. All have just been restarted in the
    /// last of these terms, and nothing is under way. With 1 this is as after (b) in Figure 8 of the paper.
    Tails(u8),
}

impl Start {
    /// The servers, and what is known of their past.
    pub(crate) fn cluster(self, servers: usize) -> (Vec<Server>, History) {
        let last = self.terms();
        let past = |me: usize| match (self, me) {
            (Start::New, _) => (HardState::default(), Vec::new()),
            (Start::Tails(tails), 0) => {
                let entries = (1..=tails).map(entry).collect();
                (HardState { term: last.into(), voted_for: None }, entries)
            }
            (Start::Tails(_), _) => {
                let entries = if me == 1 { vec![entry(last)] } else { Vec::new() };
                (HardState { term: last.into(), voted_for: Some(1) }, entries)
            }
        };
        let leaders = (1..=last).map(|term| Some(usize::from(term == last))).collect();
        let history = History { leaders, committed: Vec::new() };
        let server = |me| {
            let (hard, entries) = past(me);
            let log = log_behind(Place::default(), entries);
            Server::new(me, servers, Stored { hard, log, snapshot: Bytes::new() })
        };
        ((0..servers).map(server).collect(), history)
    }

    /// How many terms there were.
    pub(crate) fn terms(self) -> u8 {
        match self {
            Start::New => 0,
            Start::Tails(tails) => tails + 1,
        }
    }

    /// How many commands clients have given: one in each term.
    pub(crate) fn commands(self) -> u8 {
        self.terms()
    }
}

/// The entry of a term that had one command only.
fn entry(term: u8) -> Entry {
    Entry { term: term.into(), command: command(term - 1) }
}

/// A log of these entries, the first of which follows `base`. Only a core fills a log, so a leader is
/// played to one.
pub(crate) fn log_behind(base: Place, entries: Vec<Entry>) -> Log {
    let log = Log::behind(base);
    let Some(term) = entries.last().map(|last| last.term) else { return log };
    let args = AppendEntriesArgs {
        term,
        leader_id: 1,
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
