//! A trace on a terminal: one column per server, time downwards.
//!
//! ```no_run
//! use run_record::trace::Trace;
//! use trace_view::terminal::{Options, render};
//!
//! let trace = Trace::read("run.ndjson".as_ref())?;
//! let options = Options { only: vec!["vote".into(), "leader".into()], ..Options::default() };
//! print!("{}", render(&trace, &options)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! First comes the verdict, then which run it was; then the events, and a summary.
//!
//! - An event stands in the column of the server that it concerns, one event a line; where columns
//!   are narrow, it runs over into those beside it. What the tester and the network do to no server
//!   in particular stands across all columns.
//! - A message that arrives at the moment it was sent is one line, where it arrives: `←1 AE t3 +2`.
//!   One that takes time has a line where it is sent, `→2 AE t3 +2`, and one where it arrives. One
//!   that is lost has one line where it is sent: `✗→2 AE t3 lost`.
//! - When a role or a term changes anywhere, the line shows what all servers are.
//! - A client that has asked for something has a bar beside the columns until it has its answer.
//! - What a server says of its shards shows what has come (`+3`) and gone (`-7`). A configuration
//!   stands across all columns.
//! - The line that runs down a column shows at any time whether its server leads, is cut off or
//!   crashed.
//!
//! Nothing in a trace can steer the terminal: what would is shown as an escape.

mod bars;
mod calls;
mod head;
mod layout;
mod line;
mod logs;
mod message;
mod options;
mod parts;
mod select;
mod shards;
mod state;
mod story;
mod summary;
mod text;
mod topic;

use std::fmt;

use run_record::trace::{Event, Trace};

use crate::replay::Replay;
use bars::Bars;
use layout::{DIM, Gutter, Layout};
use line::{Line, Teller};
pub use logs::logs;
pub use options::{Error, Options, parse_time};
use select::Filter;
use state::cell;
pub use topic::Topic;

/// After so many lines, the servers' names are repeated.
const PAGE: usize = 50;
/// Fewer events than this are left out without a word, if they are within the view.
const FEW: usize = 12;

/// A trace as it was asked to be shown. [`Display`](fmt::Display) writes it, line by line, to
/// wherever it goes.
pub struct View<'t> {
    trace: &'t Trace,
    options: Options,
    filter: Filter,
}

/// The whole view as text.
///
/// # Errors
/// If the options ask for what the trace does not have.
pub fn render(trace: &Trace, options: &Options) -> Result<String, Error> {
    Ok(view(trace, options)?.to_string())
}

/// Understands the options.
///
/// # Errors
/// If they ask for what the trace does not have.
pub fn view<'t>(trace: &'t Trace, options: &Options) -> Result<View<'t>, Error> {
    let stories = story::Stories::new(trace);
    let filter = Filter::new(trace, &stories, options)?;
    Ok(View { trace, options: options.clone(), filter })
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let View { trace, options, .. } = self;
        for line in head::lines(trace, options) {
            writeln!(f, "{line}")?;
        }
        if let Some(index) = trace.verdict().and_then(|verdict| verdict.index)
            && logs::some(trace)
        {
            // What differs is seen beside the others.
            let all = Options { server: Vec::new(), ..options.clone() };
            write!(f, "\n{}", logs(trace, index, 3, None, &all))?;
        }
        if options.events {
            writeln!(f)?;
            for line in head::legend(trace, options) {
                writeln!(f, "{line}")?;
            }
            writeln!(f)?;
            self.events(f)?;
        }
        writeln!(f)?;
        for line in summary::lines(trace, options) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// What has been left out since the last line.
#[derive(Default)]
struct Omitted {
    events: usize,
    heartbeats: usize,
    from: u64,
}

/// Writes lines of events one below the other.
struct Printer<'a, 't> {
    trace: &'t Trace,
    layout: Layout,
    bars: Bars,
    out: &'a mut dyn fmt::Write,
    lines: usize,
    last_us: Option<u64>,
}

impl View<'_> {
    fn events(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let skip = match self.options.max_lines {
            Some(most) => self.count().saturating_sub(most),
            None => 0,
        };
        let bars = Bars::new(self.trace);
        let layout = Layout::new(self.trace, &self.options, bars.width());
        let mut printer = Printer { trace: self.trace, layout, bars, out, lines: 0, last_us: None };
        let (mut omitted, mut passed, mut hidden) = (Omitted::default(), 0, 0);
        self.walk(|replay, event, line, passes| {
            passed += usize::from(passes);
            if !passes || passed <= skip {
                omitted.add(replay, &line);
                hidden += line.events;
                return Ok(());
            }
            printer.omitted(&omitted, event.us)?;
            omitted = Omitted { from: event.us, ..Omitted::default() };
            printer.line(replay, event, &line)
        })?;
        let end = self.trace.events.last().map_or(0, |event| event.us);
        printer.omitted(&omitted, end)?;
        if printer.lines == 0 {
            writeln!(out, "{}", layout.omitted("no event passes the filters"))?;
        }
        if hidden > 0 {
            let words = format!("{} not shown", text::counted(hidden, "event"));
            let remedy = if self.filter.by_itself { "; --all shows everything" } else { "" };
            writeln!(out, "{}", layout.omitted(&format!("in all, {words}{remedy}")))?;
        }
        Ok(())
    }

    /// How many lines pass the filters.
    fn count(&self) -> usize {
        let mut lines = 0;
        let counted = self.walk(|_, _, _, passes| {
            lines += usize::from(passes);
            Ok(())
        });
        counted.map_or(0, |()| lines)
    }

    /// Goes through all lines; the replay is past the line's event.
    fn walk(
        &self,
        mut each: impl FnMut(&Replay<'_>, &Event, Line, bool) -> fmt::Result,
    ) -> fmt::Result {
        let mut replay = Replay::new(self.trace);
        let mut teller = Teller::new(self.trace, self.options.one_story());
        while let Some(event) = replay.peek() {
            let line = teller.line(&replay);
            replay.step();
            if let Some(line) = line {
                let passes = self.filter.passes(&replay, event, &line);
                each(&replay, event, line, passes)?;
            }
        }
        Ok(())
    }
}

impl Omitted {
    fn add(&mut self, replay: &Replay<'_>, line: &Line) {
        if self.events == 0 && self.from == 0 {
            self.from = replay.us();
        }
        self.events += line.events;
        if line.topics.contains(&Topic::Heartbeat) {
            self.heartbeats += line.events;
        }
    }
}

impl Printer<'_, '_> {
    /// Tells what has been left out up to this time, if it is much.
    fn omitted(&mut self, omitted: &Omitted, us: u64) -> fmt::Result {
        if omitted.events < FEW {
            return Ok(());
        }
        let what = match omitted.heartbeats == omitted.events {
            true => "of heartbeats".into(),
            false if omitted.heartbeats == 0 => String::new(),
            false => format!("({} of heartbeats)", text::count(omitted.heartbeats)),
        };
        let time = text::span(us.saturating_sub(omitted.from));
        let events = text::counted(omitted.events, "event");
        let words = format!("··· {events} {what} in {time} not shown");
        writeln!(self.out, "{}", self.layout.omitted(&words.replace("  ", " ")))
    }

    fn line(&mut self, replay: &Replay<'_>, event: &Event, line: &Line) -> fmt::Result {
        if self.lines.is_multiple_of(PAGE) {
            writeln!(self.out, "{}", self.layout.head(self.trace, &self.bars.head(self.trace)))?;
        }
        self.lines += 1;
        let gutter = Gutter {
            number: event.n,
            us: Some(event.us).filter(|us| self.last_us != Some(*us)),
            bars: self.bars.at(replay, event),
            since: self.last_us.and_then(|last| event.us.checked_sub(last)).filter(|us| *us > 0),
        };
        self.last_us = Some(event.us);
        let style = line.topics.first().map_or(DIM, |topic| topic.colour());
        let text = match line.column {
            None => self.layout.across(gutter, style, &line.parts),
            Some(column) => {
                let main = (column, style, &line.parts);
                self.layout.columns(gutter, replay.servers(), main, |other| {
                    replay.servers().get(other).filter(|_| line.states).map(cell)
                })
            }
        };
        writeln!(self.out, "{text}")
    }
}
