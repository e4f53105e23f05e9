//! What a test of the lab leaves behind about each of its runs, for programs to read.
//!
//! If the variable [`VARIABLE`] names a file, each run of a test appends two lines to it, each a JSON
//! object: a [`Record::Begin`] when it starts, so that a killed process leaves behind which run it
//! was in, and a [`Record::End`]. `cargo xtask stress` is the reader.
//!
//! ```
//! use run_record::{Begin, Clock, Record};
//!
//! let (test, part) = ("figure_8_2C".into(), "2C".into());
//! let run = Begin { test, part, clock: Clock::Sim, seed: Some(7), choices: Default::default() };
//! let line = Record::Begin(run).to_line();
//! assert!(line.starts_with(r#"{"event":"begin","test":"figure_8_2C","part":"2C","clock":"sim","seed":7"#));
//! assert!(matches!(Record::from_line(&line), Ok(Record::Begin(_))));
//! ```
//!
//! Whoever does not trust the code under test asks for records that are [sealed](seal).
//!
//! The other thing a run may leave behind is a [`trace`] of all that happened in it.
//!
//! Times are in microseconds. A field may be added at any time; a reader ignores what it does not
//! know. This crate knows nothing about how records are made or used.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub mod choices;
pub mod coverage;
mod mix;
pub mod names;
pub mod schedule;
pub mod seal;
pub mod setting;
pub mod shell;
pub mod situations;
pub mod trace;

pub use mix::mix;

/// The environment variable that names the file to append to.
pub const VARIABLE: &str = "LAB_RECORDS";

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// A run starts.
    Begin(Begin),
    /// A run has ended.
    End(Box<End>),
}

/// Which run it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The test's name, such as `figure_8_2C`.
    pub test: String,
    /// The part of the lab.
    pub part: String,
    /// The clock it runs on.
    pub clock: Clock,
    /// The seed; none on the real clock.
    pub seed: Option<u64>,
    /// From when on it drew other numbers than that.
    #[serde(default, skip_serializing_if = "choices::Choices::is_empty")]
    pub choices: choices::Choices,
}

/// What a run was like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Which run it was.
    #[serde(flatten)]
    pub run: Begin,
    /// Lab time: that of the test's own clock.
    pub lab_us: u64,
    /// Wall time.
    pub wall_us: u64,
    /// CPU time of the process meanwhile.
    pub cpu_us: u64,
    /// How many servers there were.
    pub servers: u64,
    /// RPCs sent.
    pub rpcs: u64,
    /// Bytes of arguments sent and replies delivered.
    pub bytes: u64,
    /// Entries committed.
    pub committed: u64,
    /// The hash over all steps of a simulated run; hexadecimal, since JSON's numbers are too short.
    pub hash: Option<String>,
    /// How the next task was chosen, as [`schedule::Schedule`] says it; none on the real clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// How many troubles of each kind there were, up to its end or its failure.
    #[serde(default)]
    pub troubles: setting::Counts,
    /// Which situations the servers came into, by [`situations::Situation::key`], and how often. None on
    /// a clock or in a lab where nobody looks for them.
    #[serde(default, skip_serializing_if = "situations::Situations::is_empty")]
    pub situations: situations::Situations,
    /// What was seen in it, if somebody has asked for that.
    #[serde(default, skip_serializing_if = "coverage::Coverage::is_empty")]
    pub coverage: coverage::Coverage,
    /// Which rules could not be judged, and why, in a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<String>,
    /// The names of the variables of the environment that its process had asked for by then, set or not.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub asked: BTreeSet<String>,
    /// Why it failed, if it did. The counters before the troubles are 0 then.
    pub failure: Option<FailureRecord>,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// The kind, such as `panic` or `deadlock`.
    pub kind: String,
    /// What happened, in one sentence.
    pub message: String,
    /// Where in the source.
    pub location: Option<String>,
    /// The whole report, with the command that repeats the run.
    pub text: String,
    /// The rule or check that the run failed by: see [`trace::Verdict::check`].
    #[serde(default)]
    pub check: String,
}

/// The clock a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The simulated clock.
    Sim,
    /// The real clock.
    Real,
}

/// What a file about a test is called, by the test's whole path: that of a test in a module is
/// unlike that of another one of the same name elsewhere, and no system refuses it.
///
/// ```
/// use run_record::file_name;
///
/// assert_eq!(file_name("figure_8_2C"), "figure_8_2C");
/// assert_eq!(file_name("storms::churn_2C"), "storms.churn_2C");
/// ```
pub fn file_name(test: &str) -> String {
    // No name of a test or a module has a dot in it.
    test.replace("::", ".")
}

impl Record {
    /// The record as one line, without its end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a record has text and numbers only")
    }

    /// Reads a line.
    ///
    /// # Errors
    /// If it is not a record.
    pub fn from_line(line: &str) -> Result<Record, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// Appends the record to a file, in one write.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append_to(&self, file: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(file)?;
        file.write_all(format!("{}\n", self.to_line()).as_bytes())
    }
}
