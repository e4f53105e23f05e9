//! The lines of a test, written past the capture of the test harness.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use labrt::sync::Leaf;
use trace_view::clean_lines;

use crate::test::Totals;

/// Which test wrote last: tests run side by side, and a line that follows another test's must say
/// whose it is.
static LAST: AtomicU64 = AtomicU64::new(0);
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Nobody's number.
const SILENT: u64 = u64::MAX;

/// What the last line of a test shows, as the course has it in each lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// Seconds, servers, RPCs, entries that were committed: lab 2.
    #[default]
    Entries,
    /// The same, with the bytes of the RPCs before the entries: part 2D.
    BytesAndEntries,
    /// Seconds, servers, RPCs, calls of clerks: labs 3 and 4.
    Calls,
    /// As [`Calls`](Columns::Calls), each with its name: the labs of 2025.
    Named,
}

/// The lines of one run.
pub(crate) struct Lines {
    /// The part of the lab.
    part: String,
    title: Leaf<String>,
    /// Seeds and settings.
    details: String,
    id: u64,
}

impl Lines {
    /// Writes a test's first line.
    pub(crate) fn begin(part: &str, title: &str, details: String) -> Lines {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (part, title) = (part.to_string(), Leaf::new(title.to_string()));
        let lines = Lines { part, title, details, id };
        lines.first();
        lines
    }

    /// Writes the first line of a test's next step.
    pub(crate) fn go_on(&self, title: &str) {
        self.title.with(|own| title.clone_into(own));
        self.first();
    }

    fn first(&self) {
        LAST.store(self.id, Ordering::Relaxed);
        write(&format!("{} ...\n", self.name()));
    }

    fn name(&self) -> String {
        let Lines { part, title, details, .. } = self;
        title.with(|title| format!("Test ({part}): {title}{details}"))
    }

    /// Lines that are not written.
    pub(crate) fn silent() -> Lines {
        let empty = String::new;
        Lines { part: empty(), title: Leaf::default(), details: empty(), id: SILENT }
    }

    /// Writes a line of this test. Nothing in it steers a terminal: code under test may have had a word in it.
    pub(crate) fn line(&self, text: &str) {
        if self.id == SILENT {
            return;
        }
        let text = clean_lines(text);
        let follows = LAST.swap(self.id, Ordering::Relaxed) == self.id;
        match follows {
            true => write(&format!("  ... {text}\n")),
            false => write(&format!("{} ... {text}\n", self.name())),
        }
    }

    /// Writes the last line of a test that has passed.
    pub(crate) fn passed(&self, columns: Columns, totals: &Totals) {
        self.line(&passed(columns, totals));
    }
}

/// The last line of a test that has passed.
fn passed(columns: Columns, totals: &Totals) -> String {
    let Totals { time, servers, rpcs, bytes, operations } = totals;
    let time = time.as_secs_f64();
    match columns {
        Columns::Entries => format!("Passed --  {time:4.1}  {servers} {rpcs:4} {operations:4}"),
        Columns::BytesAndEntries => {
            format!("Passed --  {time:4.1}  {servers} {rpcs:4} {bytes:7} {operations:4}")
        }
        Columns::Calls => format!("Passed --  {time:4.1}  {servers} {rpcs:5} {operations:4}"),
        Columns::Named => format!(
            "Passed --  time {time:4.1}s #peers {servers} #RPCs {rpcs:5} #Ops {operations:4}"
        ),
    }
}

/// Writes to standard output as a whole. That nobody listens is no reason to fail.
fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_columns_are_those_of_the_course() {
        let time = Duration::from_millis(3140);
        let totals = Totals { time, servers: 3, rpcs: 58, bytes: 9012, operations: 7 };
        let line = |columns| passed(columns, &totals);
        assert_eq!(line(Columns::Entries), "Passed --   3.1  3   58    7");
        assert_eq!(line(Columns::BytesAndEntries), "Passed --   3.1  3   58    9012    7");
        assert_eq!(line(Columns::Calls), "Passed --   3.1  3    58    7");
        assert_eq!(line(Columns::Named), "Passed --  time  3.1s #peers 3 #RPCs    58 #Ops    7");
    }
}
