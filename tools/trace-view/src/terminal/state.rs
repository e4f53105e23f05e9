//! What servers are, and how they change.

use run_record::trace::{Event, LogBase, LogChange, Role, State, What};

use super::line::{Line, Teller};
use super::parts::Parts;
use super::shards;
use super::topic::Topic;
use crate::grouped;
use crate::replay::{Log, Replay, Server};

/// How many entries of a change are shown.
const MOST_ENTRIES: usize = 8;

/// A glyph for a server's role.
pub(super) fn glyph(role: Role) -> &'static str {
    match role {
        Role::Leader => "●",
        Role::Candidate => "◌",
        Role::Follower => "○",
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Leader => "leader",
        Role::Candidate => "candidate",
        Role::Follower => "follower",
    }
}

/// What a server is, in one cell: `● t3 4/6`, with its commit index and its last log index.
pub(super) fn cell(server: &Server<'_>) -> Parts {
    if !server.up {
        return Parts::new("✗");
    }
    let cut = if server.connected { "" } else { "╌" };
    let role = server.role.map_or("", glyph);
    let term = server.term.map(|term| format!("t{term}"));
    let known = server.reports || server.applied > 0;
    let commit = server.commit.unwrap_or(server.applied);
    let log = known.then(|| format!("{commit}/{}", server.log.last()));
    let base = Some(server.log.base()).filter(|base| *base > 0).map(|base| format!("b{base}"));
    let shards = server.shards.map(|shards| format!("s{}", shards::list(shards.serves)));
    let parts = Parts::new(format!("{role}{cut}")).with_some(0, term).with_some(5, log);
    parts.with_some(6, base).with_some(7, shards)
}

impl<'t> Teller<'t> {
    /// How a server has changed.
    pub(super) fn state(&self, replay: &Replay<'t>, event: &'t Event, state: &State) -> Line {
        let unknown = Server::default();
        let lane = event.lane.unwrap_or(u32::MAX);
        let before = replay.server(lane).unwrap_or(&unknown);
        let (mut topics, mut parts) = (Vec::new(), Parts::default());
        let (role, term) = (before.role != Some(state.role), before.term != Some(state.term));
        if role || term {
            parts = parts.with(0, format!("{} t{}", glyph(state.role), state.term));
            // The glyph says it, and to whom it does not, the word.
            parts = parts.with_some(5, role.then(|| word(state.role).to_string()));
            topics.extend(role.then_some(Topic::Leader));
            topics.extend(term.then_some(Topic::Term));
        }
        if let Some(vote) = state.vote.filter(|_| term || before.vote != state.vote) {
            let itself = vote == lane;
            let whom = if itself { "itself".into() } else { vote.to_string() };
            // That candidates vote for themselves goes without saying.
            let rank = if itself && state.role == Role::Candidate { 6 } else { 1 };
            parts = parts.with(rank, format!("votes {whom}"));
            topics.push(Topic::Vote);
        }
        let known = before.reports.then_some(&before.log);
        if let Some((words, entries)) = state.log.as_ref().and_then(|c| change(known, c)) {
            parts = parts.with(0, words).with(7, entries);
            topics.push(Topic::Log);
        }
        let base = state.log.as_ref().and_then(|log| log.base);
        if let Some(LogBase { index, term }) = base.filter(|base| base.index != before.log.base()) {
            parts = parts.with(0, format!("base {index}:{term}"));
            topics.push(Topic::Snapshot);
        }
        if let Some(commit) = state.commit.filter(|commit| before.commit.unwrap_or(0) != *commit) {
            parts = parts.with(1, format!("commit {commit}"));
            topics.push(Topic::Commit);
        }
        let quiet = topics.is_empty();
        if quiet {
            parts = parts.with(0, "as before");
            topics.push(Topic::Term);
        }
        let at = replay.position();
        let shown = if self.one_by_one { 0 } else { self.stories.shows(at).count() };
        if shown > 0 {
            parts = parts.with(2, "saved").with_some(6, self.snapshot_saved_with(at));
            topics.push(Topic::Save);
        }
        Line {
            column: event.lane.map(|lane| lane as usize),
            topics,
            own: None,
            parts,
            states: role || term,
            lanes: event.lane.into_iter().collect(),
            call: None,
            events: 1 + shown,
            quiet,
        }
    }
}

impl Teller<'_> {
    /// The snapshot that is saved along with the state at this place.
    fn snapshot_saved_with(&self, at: usize) -> Option<String> {
        let bytes = self.stories.shows(at).find_map(|other| match self.trace.events[other].what {
            What::Saved { snapshot, .. } => snapshot,
            _ => None,
        });
        bytes.map(|bytes| format!("with a snapshot of {} B", grouped(bytes)))
    }
}

/// In words how a log changes, and the new entries; none if it stays as it is.
fn change(log: Option<&Log<'_>>, change: &LogChange) -> Option<(String, String)> {
    let mut from = change.from.max(1);
    let mut new = change.entries.as_slice();
    let text = |entries: &[run_record::trace::LogEntry]| {
        let entries = entries.iter().take(MOST_ENTRIES);
        entries.map(|e| format!("{}:{}", e.term, e.command)).collect::<Vec<_>>().join(" ")
    };
    let Some(log) = log else {
        let last = from.saturating_sub(1).saturating_add(new.len() as u64);
        return (last > 0).then(|| (format!("log up to {last}"), text(new)));
    };
    // A change may begin with what was there already.
    while let [first, rest @ ..] = new
        && log
            .get(from)
            .is_some_and(|has| (has.term, has.command) == (Some(first.term), &first.command))
    {
        (from, new) = (from.saturating_add(1), rest);
    }
    let gone = log.last().saturating_add(1).saturating_sub(from);
    let count = new.len() as u64;
    let place = match count {
        0 | 1 => format!("[{from}]"),
        _ => format!("[{from}..{}]", from.saturating_add(count - 1)),
    };
    let words = match (gone, count) {
        (0, 0) => return None,
        (gone, 0) => format!("log -{gone} → {}", from - 1),
        (0, count) => format!("log +{count} {place}"),
        (gone, count) => format!("log -{gone} +{count} {place}"),
    };
    Some((words, text(new)))
}
