//! Columns: where they begin, what stands in them, and how it is painted.

use run_record::trace::{Role, Trace};

use super::options::Options;
use super::parts::Parts;
use super::text;
use crate::replay::{MOST_SERVERS, Server};

/// Grey that can be read on black and on white.
pub(super) const DIM: &str = "38;5;244";
/// A leader's lifeline.
const LEADS: &str = "1;38;5;166";
/// As the terminal shows text anyway.
pub(super) const PLAIN: &str = "";

/// What colours are there, and which characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    pub(super) colour: bool,
    pub(super) ascii: bool,
}

impl Paint {
    pub(super) fn of(options: &Options) -> Paint {
        Paint { colour: options.colour, ascii: options.ascii }
    }

    /// A clean text in a style.
    pub(super) fn paint(self, style: &str, text: &str) -> String {
        let text = if self.ascii { text::ascii(text) } else { text.to_string() };
        match self.colour && !style.is_empty() && !text.trim().is_empty() {
            true => format!("\x1b[{style}m{text}\x1b[0m"),
            false => text,
        }
    }
}

/// A line that grows to the right.
pub(super) struct Row {
    paint: Paint,
    out: String,
    at: usize,
}

impl Row {
    pub(super) fn new(paint: Paint) -> Row {
        Row { paint, out: String::new(), at: 0 }
    }

    /// Adds a text.
    pub(super) fn add(&mut self, style: &str, text: &str) {
        self.at += text::width(text);
        self.out.push_str(&self.paint.paint(style, text));
    }

    /// Goes on at this column; false if the line is longer already.
    pub(super) fn go_to(&mut self, column: usize) -> bool {
        let missing = column.checked_sub(self.at);
        self.out.extend(std::iter::repeat_n(' ', missing.unwrap_or(0)));
        self.at = self.at.max(column);
        missing.is_some()
    }

    /// The line as it is, without spaces at its end.
    pub(super) fn end(self) -> String {
        self.out.trim_end().to_string()
    }
}

/// Where what stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// How many columns there are for servers.
    pub(super) servers: usize,
    /// How wide each of them is, its lifeline included.
    pub(super) column: usize,
    /// How many digits the number of an event has; none are shown where there is no room.
    numbers: Option<usize>,
    /// Whether the time since the line before is shown.
    deltas: bool,
    /// How much room the bars of clients take.
    bars: usize,
    /// How wide all of it is.
    pub(super) total: usize,
    wide: bool,
    pub(super) paint: Paint,
}

/// The first columns of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Gutter {
    pub(super) number: u64,
    /// The time, if it is another one than in the line before.
    pub(super) us: Option<u64>,
    pub(super) since: Option<u64>,
    /// The bars of clients.
    pub(super) bars: String,
}

const TIME: usize = 10;
const DELTA: usize = 8;
const LEAST_COLUMN: usize = 8;
/// Wider columns are too far apart for the eye.
const MOST_COLUMN: usize = 46;
/// A text may run over into the columns beside it, where nothing stands in its line, up to this.
const LEAST_TEXT: usize = 30;
/// The last column has none beside it, and so is at least this wide.
const LEAST_LAST: usize = 20;

impl Layout {
    /// How it is for a trace whose clients' bars take so much room.
    pub(super) fn new(trace: &Trace, options: &Options, bars: usize) -> Layout {
        let total = options.columns();
        let servers = trace.header.servers.min(MOST_SERVERS) as usize;
        let roomy = total >= 100 || options.wide || options.one_story();
        let last = trace.events.last().map_or(1, |event| event.n);
        let mut layout = Layout {
            servers,
            column: 0,
            numbers: roomy.then(|| last.to_string().len()),
            deltas: total >= 100,
            bars,
            total,
            // A few lines have all the room there is.
            wide: options.wide || options.one_story(),
            paint: Paint::of(options),
        };
        let room = total.saturating_sub(layout.gutter());
        let column = match room / servers.max(1) {
            column if column < LEAST_LAST => {
                room.saturating_sub(LEAST_LAST) / servers.saturating_sub(1).max(1)
            }
            column => column,
        };
        layout.column = column.clamp(LEAST_COLUMN, MOST_COLUMN);
        layout
    }

    /// How wide the first columns are, with the space behind them.
    pub(super) fn gutter(&self) -> usize {
        let numbers = self.numbers.map_or(0, |digits| digits + 1);
        numbers + TIME + if self.deltas { 1 + DELTA } else { 0 } + 1 + self.bars
    }

    fn start(&self, gutter: Gutter) -> Row {
        let mut row = Row::new(self.paint);
        if let Some(digits) = self.numbers {
            row.add(DIM, &format!("{:>digits$} ", gutter.number));
        }
        if let Some(us) = gutter.us {
            row.add(PLAIN, &format!("{:>TIME$}", text::moment(us)));
        }
        if let Some(since) = gutter.since.filter(|_| self.deltas) {
            row.add(DIM, &format!(" {:>DELTA$}", format!("+{}", text::span(since))));
        }
        row.go_to(self.gutter() - self.bars);
        row.add(PLAIN, &gutter.bars);
        row.go_to(self.gutter());
        row
    }

    /// A line across all columns.
    pub(super) fn across(&self, gutter: Gutter, style: &str, parts: &Parts) -> String {
        let mut row = self.start(gutter);
        let room = self.total.saturating_sub(self.gutter());
        row.add(style, &if self.wide { parts.whole() } else { parts.within(room) });
        row.end()
    }

    /// A line that tells of what is not shown.
    pub(super) fn omitted(&self, words: &str) -> String {
        let mut row = Row::new(self.paint);
        row.go_to(self.gutter());
        row.add(DIM, &text::cut(words, self.total.saturating_sub(self.gutter())));
        row.end()
    }

    /// A line with a text in one column, and maybe something in the others.
    pub(super) fn columns(
        &self,
        gutter: Gutter,
        servers: &[Server<'_>],
        main: (usize, &str, &Parts),
        others: impl Fn(usize) -> Option<Parts>,
    ) -> String {
        let mut row = self.start(gutter);
        for column in 0..self.servers {
            // The text may have run over into this column.
            let start = self.gutter() + column * self.column;
            if !row.go_to(start) {
                continue;
            }
            let (glyph, style) = servers.get(column).map_or((" ", PLAIN), lifeline);
            row.add(style, glyph);
            let (style, parts) = match others(column) {
                _ if column == main.0 => (main.1, main.2.clone()),
                Some(parts) => (DIM, parts),
                None => continue,
            };
            row.add(PLAIN, self.spacer());
            let used = 1 + self.spacer().len();
            let alone = column == main.0 && (column + 1..self.servers).all(|o| others(o).is_none());
            let room = match (alone, column + 1 == self.servers) {
                (true, _) => self.column.max(LEAST_TEXT).min(self.total.saturating_sub(start)),
                (false, true) => self.column.max(self.total.saturating_sub(start)).min(LEAST_TEXT),
                (false, false) => self.column,
            };
            let whole = self.wide && column == main.0;
            let room = room.saturating_sub(used);
            row.add(style, &if whole { parts.whole() } else { parts.within(room) });
        }
        row.end()
    }

    /// What stands between a lifeline and a text, if there is room.
    fn spacer(&self) -> &'static str {
        if self.column > 14 { " " } else { "" }
    }

    /// The line above the columns.
    pub(super) fn head(&self, trace: &Trace, bars: &str) -> String {
        let mut row = Row::new(self.paint);
        if let Some(digits) = self.numbers {
            row.add(DIM, &format!("{:>digits$} ", "n"));
        }
        row.add(DIM, &format!("{:>TIME$}", "s"));
        row.go_to(self.gutter() - self.bars);
        row.add(DIM, bars);
        for column in 0..self.servers {
            row.go_to(self.gutter() + column * self.column + 1);
            let name = trace.header.lanes.get(column).map(|name| text::clean(name));
            let name = name.unwrap_or_else(|| format!("server {column}"));
            let room = self.column - 1 - self.spacer().len();
            // Of `server 3` in a narrow column, the 3 is what matters.
            let name = match name.rsplit_once(' ') {
                Some((_, last)) if text::width(&name) >= room => last,
                _ => &name,
            };
            row.add("1", &format!("{}{}", self.spacer(), text::cut(name, room)));
        }
        row.end()
    }
}

/// The line that runs down a server's column shows what it is.
fn lifeline(server: &Server<'_>) -> (&'static str, &'static str) {
    match (server.up, server.connected, server.role == Some(Role::Leader)) {
        (false, ..) => (" ", PLAIN),
        (true, true, true) => ("┃", LEADS),
        (true, true, false) => ("│", DIM),
        (true, false, true) => ("┋", LEADS),
        (true, false, false) => ("┊", DIM),
    }
}
