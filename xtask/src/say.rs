//! Words for the user while a run goes on.

use std::fmt::Display;
use std::io::{self, BufWriter, Write as _};

use anyhow::{Context, Result};
use trace_view::{clean_lines, grouped};

/// Says a line on standard error. Nobody need listen: a run is worth more than its words. What could steer a terminal
/// is taken out: it may quote the code under test.
pub(crate) fn note(words: &str) {
    let _ = writeln!(io::stderr(), "{}", clean_lines(words));
}

/// How many of something: `1 run`, `2,000 runs`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Prints a result. Whoever has stopped reading has seen enough.
///
/// # Errors
/// If it cannot be written for another reason, such as a full disk.
pub(crate) fn print(text: impl Display) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
