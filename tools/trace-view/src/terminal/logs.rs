//! The servers' logs side by side.

use run_record::trace::{Trace, What};

use super::layout::{DIM, PLAIN, Paint, Row};
use super::options::Options;
use super::parts::Parts;
use super::text;
use super::topic::Topic;
use crate::fields;
use crate::groups;
use crate::replay::{Entry, MOST_SERVERS, Replay, Server};

/// More rows than this to each side are of no use to anybody.
const MOST_AROUND: u64 = 500;

/// The servers' logs around an index: one row per index, one column per server. If there are several
/// groups, those of the group that the verdict is about; with [`Options::server`], those of these servers.
///
/// It shows them as they were at the time `us` or, without one, when the verdict was given. Each entry
/// is `term:command`, followed by `c` if the server has it committed and `a` if it has applied it; where a
/// snapshot has taken its place stands `snapshot`, in the last such row with the term. A
/// row begins with `=` if all servers that have the entry agree on it, and with `≠` if not; then each
/// entry that differs from the most common one has a `≠` of its own.
pub fn logs(trace: &Trace, index: u64, around: u64, us: Option<u64>, options: &Options) -> String {
    let replay = at(trace, us);
    let around = around.min(MOST_AROUND);
    let paint = Paint::of(options);
    let mut lanes = groups::of_verdict(trace);
    if !options.server.is_empty() {
        lanes = options.server.iter().map(|server| *server as usize).collect();
    }
    let of_group = |lane: &usize| replay.servers().get(*lane).map(|server| (*lane, server));
    let (lanes, servers): (Vec<usize>, Vec<&Server<'_>>) =
        lanes.iter().filter_map(of_group).unzip();
    let label = index.saturating_add(around).to_string().len().max(5) + 4;
    let room = options.columns().saturating_sub(label) / servers.len().max(1);
    let column = room.clamp(9, 30);
    let mut out = String::new();
    let title = format!("logs around index {index} at {} s", text::moment(replay.us()));
    let marks = "(term:command, c committed, a applied)";
    out += &format!("{} {}\n", paint.paint("1", &title), paint.paint(DIM, marks));
    let mut head = Row::new(paint);
    for (number, (lane, server)) in lanes.iter().zip(&servers).enumerate() {
        head.go_to(label + number * column);
        let state = super::state::cell(server).whole();
        let name = Parts::new(groups::short(trace, *lane)).with(1, state);
        head.add(DIM, &name.within(column - 1));
    }
    out += &format!("{}\n", head.end());
    // Index 0 is no entry.
    for row in index.saturating_sub(around).max(1)..=index.saturating_add(around) {
        let entries: Vec<Option<Entry<'_>>> = servers.iter().map(|s| s.log.get(row)).collect();
        // Before all logs begin there is nothing to see.
        let begins = servers.iter().any(|server| server.log.base() == row);
        if entries.iter().all(Option::is_none) && row != index && !begins {
            continue;
        }
        let usual = most_common(&entries);
        let differs = |entry: &Entry<'_>| usual.is_some_and(|usual| !agree(usual, *entry));
        let differ = entries.iter().flatten().any(differs);
        let mark = match (differ, usual) {
            (true, _) => "≠",
            (false, Some(_)) => "=",
            (false, None) => " ",
        };
        let mut line = Row::new(paint);
        let arrow = if row == index { "▶" } else { " " };
        let style = if differ { Topic::Verdict.colour() } else { PLAIN };
        line.add(style, &format!("{arrow}{row:>w$} {mark}", w = label - 4));
        for (number, (server, entry)) in servers.iter().zip(&entries).enumerate() {
            line.go_to(label + number * column);
            let differs = entry.as_ref().is_some_and(differs);
            let style = if differs { Topic::Verdict.colour() } else { PLAIN };
            line.add(style, &cell(server, row, *entry, differs, column - 1));
        }
        out += &format!("{}\n", line.end());
    }
    out
}

/// The servers when the verdict was given, or at another time.
fn at(trace: &Trace, us: Option<u64>) -> Replay<'_> {
    let mut replay = Replay::new(trace);
    if let (None, Some(verdict)) = (us, trace.verdict()) {
        // At the very moment of the verdict, other things may happen after it.
        let is_it = |what: &What| matches!(what, What::Violation { verdict: v } if v == verdict);
        if trace.events.iter().any(|event| is_it(&event.what)) {
            while replay.step().is_some_and(|event| !is_it(&event.what)) {}
            return replay;
        }
    }
    replay.run_to(us.or(trace.verdict().map(|verdict| verdict.us)).unwrap_or(u64::MAX));
    replay
}

/// What a server has at an index.
fn cell(
    server: &Server<'_>,
    row: u64,
    entry: Option<Entry<'_>>,
    differs: bool,
    most: usize,
) -> String {
    let Some(entry) = entry else {
        return match row {
            _ if row > server.log.last() => "-".into(),
            _ if row <= server.log.base() => in_snapshot(server, row, most),
            _ => "?".into(),
        };
    };
    let committed = server.commit.is_some_and(|commit| row <= commit);
    let marks = [(committed, "c"), (row <= server.applied, "a"), (differs, " ≠")];
    let marks: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
    let term = entry.term.map_or(String::new(), |term| format!("{term}:"));
    let command = text::clean(entry.command);
    match marks.as_str() {
        "" => text::cut(&format!("{term}{command}"), most),
        marks => {
            let room = most.saturating_sub(text::width(marks) + 1);
            format!("{} {marks}", text::cut(&format!("{term}{command}"), room))
        }
    }
}

/// What a snapshot has taken the place of. Of the last one of these the term is known.
fn in_snapshot(server: &Server<'_>, row: u64, most: usize) -> String {
    let term = server.log.base_term().filter(|_| row == server.log.base());
    let words = Parts::new("snapshot").with_some(1, term.map(|term| format!("t{term}")));
    words.within(most)
}

/// True if two entries can be the same one.
fn agree(one: Entry<'_>, other: Entry<'_>) -> bool {
    let terms = one.term.is_none() || other.term.is_none() || one.term == other.term;
    terms && one.command == other.command
}

/// The entry that most servers agree with; of several such ones the first.
fn most_common<'t>(entries: &[Option<Entry<'t>>]) -> Option<Entry<'t>> {
    let votes = |entry: &Entry<'_>| entries.iter().flatten().filter(|e| agree(**e, *entry)).count();
    let best = entries.iter().flatten().map(votes).max()?;
    entries.iter().flatten().copied().find(|entry| votes(entry) == best)
}

/// True if there are logs to show.
pub(super) fn some(trace: &Trace) -> bool {
    let base = fields::base(trace);
    let known = |what: &What| match what {
        What::State(_) | What::Applied { .. } | What::Installed { .. } => true,
        What::Offered { index, .. } => index.is_some(),
        What::Sent { args, .. } => !fields::numbered_entries(args, base).is_empty(),
        _ => false,
    };
    let server =
        |lane: Option<u32>| lane.is_some_and(|l| l < trace.header.servers.min(MOST_SERVERS));
    trace.events.iter().any(|event| known(&event.what) && server(event.lane))
}
