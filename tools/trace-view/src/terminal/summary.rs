//! What comes after the events: what each server has done, and who led when.

use std::collections::{BTreeMap, BTreeSet};

use run_record::names::Name;
use run_record::trace::{Event, Leg, Loss, Role, Trace, What};

use super::layout::{DIM, PLAIN, Paint, Row};

use super::options::Options;
use super::story;
use super::text;
use super::topic::Topic;
use crate::fields::{Kind, is_pre_vote, number, object};
use crate::groups;
use crate::replay::{Replay, Server};

/// The rows of the table that count something; one that is zero everywhere is left out.
const ROWS: [&str; 17] = [
    "sent RV",
    "sent AE",
    "sent HB",
    "sent IS",
    "sent other",
    "lost",
    "lost: cut",
    "lost: down",
    "lost: gone",
    "unanswered",
    "lost: end",
    "elections",
    "won",
    "restarts",
    "applied",
    "snapshots",
    "installed",
];

/// Who led, in which term, and from when to when.
struct Reign {
    term: u64,
    leader: usize,
    from: u64,
    to: Option<u64>,
}

#[derive(Default)]
struct Sums {
    /// By row and server.
    counts: BTreeMap<(&'static str, usize), usize>,
    /// The lanes that have been started.
    started: BTreeSet<Option<u32>>,
    reigns: Vec<Reign>,
    /// By term, who has sent messages of it as a candidate or a leader does.
    stood: BTreeSet<(u64, usize)>,
    /// How long a moment is.
    moment_us: u64,
    /// Since when nobody leads whom others can hear.
    without: Option<u64>,
    longest: Option<(u64, u64)>,
}

/// The lines of the summary.
pub(super) fn lines(trace: &Trace, options: &Options) -> Vec<String> {
    let paint = Paint::of(options);
    let mut replay = Replay::new(trace);
    let begin = trace.events.first().filter(|event| event.n > 1).map_or(0, |event| event.us);
    let moment_us = story::moment_us(trace);
    let mut sums = Sums { without: Some(begin), moment_us, ..Sums::default() };
    while let Some(event) = replay.peek() {
        sums.count(&replay, event);
        let before: Vec<_> = replay.servers().iter().map(|s| (s.leads(), s.role, s.term)).collect();
        replay.step();
        sums.roles(&replay, event.us, &before);
    }
    let end = trace.footer.as_ref().map_or(replay.us(), |footer| footer.end_us.max(replay.us()));
    sums.gap(end, true);
    let winners: Vec<usize> = sums.reigns.iter().map(|reign| reign.leader).collect();
    winners.into_iter().for_each(|leader| sums.add("won", u32::try_from(leader).ok()));
    let mut out = vec![paint.paint("1", "summary")];
    out.extend(table(trace, &sums, replay.servers(), options, paint));
    out.extend(sums.leaders(trace, options.columns(), paint));
    out
}

impl Sums {
    fn add(&mut self, row: &'static str, server: Option<u32>) {
        if let Some(server) = server {
            *self.counts.entry((row, server as usize)).or_default() += 1;
        }
    }

    fn count(&mut self, replay: &Replay<'_>, event: &Event) {
        match &event.what {
            What::Sent { method, args, .. } => {
                let kind = Kind::of(method, args);
                if let (Some(lane), Some(term)) = (event.lane, number(object(args), Name::Term))
                    && kind != Kind::Other
                    && !is_pre_vote(method, args)
                {
                    self.stood.insert((term, lane as usize));
                }
                let row = match kind {
                    Kind::Vote => "sent RV",
                    Kind::Append => "sent AE",
                    Kind::Heartbeat => "sent HB",
                    Kind::Snapshot => "sent IS",
                    Kind::Other => "sent other",
                };
                self.add(row, event.lane);
            }
            What::Lost { call, leg, why, .. } => {
                let call = replay.call(*call);
                let sender = call.and_then(|call| match leg {
                    Leg::Request => call.from,
                    Leg::Reply => Some(call.to),
                });
                let row = match why {
                    Loss::Dropped => "lost",
                    Loss::Disconnected | Loss::NoWayBack => "lost: cut",
                    Loss::NoServer => "lost: down",
                    Loss::Gone => "lost: gone",
                    Loss::Unanswered => "unanswered",
                    Loss::Ended => "lost: end",
                };
                self.add(row, sender);
            }
            What::Started if self.started.replace(event.lane).is_some() => {
                self.add("restarts", event.lane);
            }
            What::Applied { .. } => self.add("applied", event.lane),
            What::Snapshot { .. } => self.add("snapshots", event.lane),
            What::Installed { .. } => self.add("installed", event.lane),
            _ => {}
        }
    }

    /// Compares the servers with what they were before an event.
    fn roles(
        &mut self,
        replay: &Replay<'_>,
        us: u64,
        before: &[(bool, Option<Role>, Option<u64>)],
    ) {
        for (number, (server, (led, role, term))) in replay.servers().iter().zip(before).enumerate()
        {
            if (server.leads(), server.role, server.term) == (*led, *role, *term) {
                continue;
            }
            let new = server.role != *role || server.term != *term;
            if new && server.role == Some(Role::Candidate) {
                self.add("elections", u32::try_from(number).ok());
            }
            if *led && (!server.leads() || server.term != *term) {
                self.steps_down(number, us);
            }
            if server.leads() && (!*led || server.term != *term) {
                let term = server.term.unwrap_or(0);
                self.reigns.push(Reign { term, leader: number, from: us, to: None });
            }
        }
        let led = replay.servers().iter().any(|server| server.leads() && server.reachable());
        self.gap(us, led);
    }

    /// A reign ends. Some servers say a new term a moment before they say that they have stepped down: that was
    /// none, unless the server has stood for election in that term or sent entries of it.
    fn steps_down(&mut self, leader: usize, us: u64) {
        let open = |reign: &Reign| reign.leader == leader && reign.to.is_none();
        let Some(place) = self.reigns.iter().rposition(open) else { return };
        let reign = &mut self.reigns[place];
        reign.to = Some(us);
        let length = us.saturating_sub(reign.from);
        if length <= self.moment_us && !self.stood.contains(&(reign.term, leader)) {
            self.reigns.remove(place);
        }
    }

    /// Notes whether there is a leader from now on.
    fn gap(&mut self, us: u64, led: bool) {
        match (self.without, led) {
            (None, false) => self.without = Some(us),
            (Some(from), true) => {
                self.without = None;
                let length = |(from, to): (u64, u64)| to.saturating_sub(from);
                if self.longest.is_none_or(|longest| length((from, us)) > length(longest)) {
                    self.longest = Some((from, us));
                }
            }
            _ => {}
        }
    }

    fn leaders(&self, trace: &Trace, width: usize, paint: Paint) -> Vec<String> {
        const MOST: usize = 12;
        let mut out = Vec::new();
        let labelled = |label: &str, words: &str, style: &str| {
            let lines = text::wrap(words, width.saturating_sub(12).max(20));
            let label = |number| if number == 0 { label } else { "" };
            let line = |(number, line): (usize, &String)| {
                let label = paint.paint(DIM, &format!("{:<12}", label(number)));
                format!("{label}{}", paint.paint(style, line))
            };
            lines.iter().enumerate().map(line).collect::<Vec<_>>()
        };
        let reign = |reign: &Reign| {
            let to = reign.to.map_or("the end".into(), |to| format!("{} s", seconds(to)));
            let leader = name(trace, reign.leader);
            format!("t{} server {leader} ({} s to {to})", reign.term, seconds(reign.from))
        };
        let skipped = self.reigns.len().saturating_sub(MOST);
        let mut words: Vec<String> = self.reigns.iter().skip(skipped).map(reign).collect();
        if skipped > 0 {
            words.insert(0, format!("{} before", text::count(skipped)));
        }
        if words.is_empty() {
            words.push("none in any term that is known".into());
        }
        out.extend(labelled("leaders", &words.join(", "), PLAIN));
        let mut by_term: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
        for reign in &self.reigns {
            let group = groups::of(trace, reign.leader);
            let leaders = by_term.entry((reign.term, group)).or_default();
            if !leaders.contains(&reign.leader) {
                leaders.push(reign.leader);
            }
        }
        for ((term, _), leaders) in by_term.iter().filter(|(_, leaders)| leaders.len() > 1) {
            let leaders: Vec<String> = leaders.iter().map(|lane| name(trace, *lane)).collect();
            let words = format!("≠ term {term} has more than one leader: {}", leaders.join(", "));
            out.extend(labelled("", &words, Topic::Verdict.colour()));
        }
        // Several groups have a leader each.
        let longest = self.longest.filter(|(from, to)| to > from && groups::is_one(trace));
        if let Some((from, to)) = longest {
            let length = text::span(to - from);
            let words = format!("{length} at most, from {} s to {} s", seconds(from), seconds(to));
            out.extend(labelled("no leader", &words, PLAIN));
        }
        out
    }
}

/// A server's short name.
fn name(trace: &Trace, lane: usize) -> String {
    text::clean(&groups::short(trace, lane))
}

fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us % 1_000_000 / 1000)
}

/// The rows of the table.
fn table(
    trace: &Trace,
    sums: &Sums,
    servers: &[Server<'_>],
    options: &Options,
    paint: Paint,
) -> Vec<String> {
    const LABEL: usize = 12;
    let room = options.columns().saturating_sub(LABEL) / servers.len().max(1);
    let column = room.clamp(8, 14);
    let row = |label: &str, style: &str, cells: Vec<String>| {
        let mut row = Row::new(paint);
        row.add(DIM, label);
        for (number, cell) in cells.iter().enumerate() {
            row.go_to(LABEL + number * column);
            row.add(style, &format!("{cell:>w$}", w = column - 2));
        }
        row.end()
    };
    let mut out = Vec::new();
    let numbers = 0..servers.len();
    let name = |number: usize| {
        let short = self::name(trace, number);
        let long = format!("server {short}");
        if text::width(&long) < column { long } else { short }
    };
    out.push(row("", DIM, numbers.clone().map(name).collect()));
    for name in ROWS {
        let counts: Vec<usize> =
            numbers.clone().map(|n| sums.counts.get(&(name, n)).copied().unwrap_or(0)).collect();
        if counts.iter().any(|count| *count > 0) {
            let cells = counts.iter().map(|count| match count {
                0 => "-".into(),
                count => text::count(*count),
            });
            out.push(row(name, PLAIN, cells.collect()));
        }
    }
    let cells = |of: &dyn Fn(&Server<'_>) -> Option<u64>| {
        servers.iter().map(|s| of(s).map_or("?".into(), |n| n.to_string())).collect::<Vec<_>>()
    };
    out.push(row("term", PLAIN, cells(&|server| server.term)));
    if servers.iter().any(|server| server.commit.is_some()) {
        out.push(row("commit", PLAIN, cells(&|server| server.commit)));
    }
    if servers.iter().any(|server| server.log.base() > 0) {
        out.push(row("base", PLAIN, cells(&|server| Some(server.log.base()))));
    }
    // Nobody hears what a service of labs 3 and 4 applies.
    let says = |server: &Server<'_>| server.reports || server.applied > 0;
    if servers.iter().any(says) {
        let last = |server: &Server<'_>| says(server).then(|| server.log.last());
        out.push(row("last log", PLAIN, cells(&last)));
    }
    if servers.iter().any(|server| server.applied > 0) {
        out.push(row("last applied", PLAIN, cells(&|server| Some(server.applied))));
    }
    out
}
