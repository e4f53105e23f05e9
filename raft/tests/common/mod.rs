//! Cores, logs and messages in short, for the tests of the rules.

use bytes::Bytes;
use raft::rules::Core;
use raft::{
    AppendEntriesArgs, Entry, HardState, InstallSnapshotArgs, Log, Place, RequestVoteArgs, Stored,
};

/// The entry of this term at this index: the same command wherever a test asks for it, as Log
/// Matching demands.
pub(crate) fn entry(term: u64, index: u64) -> Entry {
    Entry { term, command: format!("{term}.{index}").into() }
}

/// Entries of these terms, the first at this index, which may be an impossible one.
pub(crate) fn entries(first: u64, terms: &[u64]) -> Vec<Entry> {
    (0..).zip(terms).map(|(more, &term)| entry(term, first.wrapping_add(more))).collect()
}

/// A log of these entries, the first of which follows `base`. A log is filled by a leader, so one is
/// played here.
pub(crate) fn log_behind(base: Place, entries: Vec<Entry>) -> Log {
    let term = entries.last().map_or(base.term.max(1), |last| last.term);
    let args = AppendEntriesArgs {
        term,
        leader_id: 1,
        prev_log_index: base.index,
        prev_log_term: base.term,
        entries,
        leader_commit: 0,
    };
    let log = Log::behind(base);
    let mut core = Core::new(0, 2, Stored { log, snapshot: snapshot(base), ..Stored::default() });
    assert!(core.append_entries(&args).success, "no leader could send these entries: {args:?}");
    core.log().clone()
}

/// Server `me` of a cluster, just restarted in this term without a vote, with entries of these
/// terms.
pub(crate) fn core(me: usize, servers: usize, term: u64, terms: &[u64]) -> Core {
    core_behind(Place::default(), me, servers, term, terms)
}

/// The same, with a log that begins behind `base`.
pub(crate) fn core_behind(
    base: Place,
    me: usize,
    servers: usize,
    term: u64,
    terms: &[u64],
) -> Core {
    let hard = HardState { term, voted_for: None };
    let log = log_behind(base, entries(base.index + 1, terms));
    let mut core = Core::new(me, servers, Stored { hard, log, snapshot: snapshot(base) });
    core.take_output();
    core
}

/// The snapshot of a log with this base: some bytes, and none if it has all its entries.
pub(crate) fn snapshot(base: Place) -> Bytes {
    match base.index {
        0 => Bytes::new(),
        index => format!("all up to {index}").into(),
    }
}

/// An InstallSnapshot whose last entry is `last`, an (index, term).
pub(crate) fn install(term: u64, leader: u32, last: (u64, u64)) -> InstallSnapshotArgs {
    let data = snapshot(Place { index: last.0, term: last.1 });
    InstallSnapshotArgs {
        term,
        leader_id: leader,
        last_included_index: last.0,
        last_included_term: last.1,
        data,
    }
}

/// The terms of a log's entries.
pub(crate) fn terms(log: &Log) -> Vec<u64> {
    log.entries().iter().map(|entry| entry.term).collect()
}

/// A RequestVote of a candidate whose log ends with this (index, term).
pub(crate) fn request_vote(term: u64, candidate: u32, last: (u64, u64)) -> RequestVoteArgs {
    RequestVoteArgs { term, candidate_id: candidate, last_log_index: last.0, last_log_term: last.1 }
}

/// An AppendEntries with entries of these terms behind the entry `prev`, an (index, term).
pub(crate) fn append(
    term: u64,
    leader: u32,
    prev: (u64, u64),
    terms: &[u64],
    leader_commit: u64,
) -> AppendEntriesArgs {
    let entries = entries(prev.0.wrapping_add(1), terms);
    AppendEntriesArgs {
        term,
        leader_id: leader,
        prev_log_index: prev.0,
        prev_log_term: prev.1,
        entries,
        leader_commit,
    }
}
