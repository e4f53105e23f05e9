//! Histories from files: Jepsen's and Porcupine's.
//!
//! A file is either EDN, one map for each event, as Jepsen's `history.edn` (one after the other, or in
//! one vector), or lines of Jepsen's log:
//!
//! ```text
//! {:process 0, :type :invoke, :f :append, :key "a", :value "x"}
//! INFO  jepsen.util - 0  :invoke  :write  3
//! ```
//!
//! The order of the events counts, not their times. An event is an `:invoke`, or how it ended:
//!
//! - `:ok`: the operation returned.
//! - `:fail`: it did not happen. It is left out.
//! - `:info`: nobody knows. It never returned.
//!
//! An operation that has no end is taken as one that never returned, as is one whose process goes on
//! after `:info`. Events whose process is a keyword (`:nemesis`) are no operations; a file that has no
//! others is refused. So is an end with another `:key` than its `:invoke`, and an `:ok` with another value,
//! unless it is the value that was read; both may leave out what was asked for. And so is a map that has a key or a
//! value in quotes at one place and without them at another one.

mod edn;
mod events;
mod operations;

pub use operations::{Value, cas_register, kv, queue, register};

/// Why a file cannot be read as a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ReadError {
    /// Where.
    pub line: usize,
    /// What is wrong there, and what would be right.
    pub problem: String,
}

impl ReadError {
    fn new(line: usize, problem: impl Into<String>) -> ReadError {
        ReadError { line, problem: problem.into() }
    }
}

/// Text of the file for a message: short, and with nothing in it that steers a terminal.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let short: String = text.chars().take(MOST).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("`{}{dots}`", short.escape_debug())
}
