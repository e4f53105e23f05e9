//! The history: a line of JSON for each finished run, so that a trend over many can be drawn.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result};
use run_record::Clock;
use serde::{Deserialize, Serialize};

use crate::stress::model::{Report, TestReport};
use crate::stress::table::words::date;

/// What the history keeps of a stress run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// When it began, in words and in seconds since 1970.
    pub(crate) date: String,
    pub(crate) began: u64,
    pub(crate) package: String,
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    pub(crate) tests: Vec<TestEntry>,
}

/// What the history keeps of a test: the medians of the runs that passed, none if there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TestEntry {
    pub(crate) test: String,
    pub(crate) clock: Clock,
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    pub(crate) lab_us: Option<u64>,
    pub(crate) wall_us: Option<u64>,
    pub(crate) cpu_us: Option<u64>,
    pub(crate) rpcs: Option<u64>,
    pub(crate) bytes: Option<u64>,
}

impl Entry {
    /// The entry of a report.
    fn of(report: &Report) -> Entry {
        Entry {
            name: report.name.clone(),
            date: date(report.began),
            began: report.began,
            package: report.subject.package.clone(),
            runs: report.runs(),
            failures: report.failures(),
            tests: report.tests.iter().map(TestEntry::of).collect(),
        }
    }
}

impl TestEntry {
    /// The entry of a test.
    fn of(test: &TestReport) -> TestEntry {
        TestEntry {
            test: test.test.clone(),
            clock: test.clock,
            runs: test.runs,
            failures: test.failures,
            lab_us: test.lab_us.percentile(50),
            wall_us: test.wall_us.percentile(50),
            cpu_us: test.cpu_us.percentile(50),
            rpcs: test.rpcs.percentile(50),
            bytes: test.bytes.percentile(50),
        }
    }
}

/// Appends a run to the history, which is made if it does not exist. What stands there already, as of a run that
/// somebody wanted to go on with, is not there twice.
///
/// # Errors
/// If the file cannot be read or written.
pub(crate) fn append(file: &Path, report: &Report) -> Result<()> {
    let context = || format!("cannot write the history {}", file.display());
    fs::create_dir_all(file.parent().unwrap_or(file)).with_context(context)?;
    let line = serde_json::to_string(&Entry::of(report)).with_context(context)?;
    let known = bytes(file).with_context(context)?;
    if known.split(|byte| *byte == b'\n').any(|known| known == line.as_bytes()) {
        return Ok(());
    }
    // A line that was torn must not tear this one too.
    let torn = known.last().is_some_and(|last| *last != b'\n');
    let line = format!("{}{line}\n", if torn { "\n" } else { "" });
    let mut to = OpenOptions::new().append(true).create(true).open(file).with_context(context)?;
    to.write_all(line.as_bytes()).with_context(context)
}

/// Reads the history; none if there is no such file.
///
/// A line that ends too early was torn by the end of its process, and is left out.
///
/// # Errors
/// If the file cannot be read, or if a line is something else.
#[cfg_attr(not(test), expect(dead_code, reason = "for what will draw the trend"))]
pub(crate) fn read(file: &Path) -> Result<Vec<Entry>> {
    let bytes = bytes(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut entries = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(entry) => entries.push(entry),
            Err(error) if error.is_eof() => {}
            Err(error) => {
                let place = format!("line {} of {}", number + 1, file.display());
                return Err(error).with_context(|| format!("{place} is not of a history"));
            }
        }
    }
    Ok(entries)
}

/// What a file has; nothing if it does not exist.
fn bytes(file: &Path) -> io::Result<Vec<u8>> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::stress::model::tests::{report, run};

    /// A file of its own for each test.
    fn file(name: &str) -> PathBuf {
        let file = std::env::temp_dir().join(format!("{name}-{}.jsonl", std::process::id()));
        let _ = fs::remove_file(&file);
        file
    }

    #[test]
    fn what_is_appended_is_read_back() {
        let file = file("history-append");
        assert!(read(&file).unwrap().is_empty());
        let runs = vec![run(0, None), run(1, Some("no")), run(2, None), run(4, None)];
        append(&file, &report("a", runs)).unwrap();
        append(&file, &report("b", vec![run(0, Some("no"))])).unwrap();
        let entries = read(&file).unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].name.as_str(), entries[0].runs, entries[0].failures), ("a", 4, 1));
        assert_eq!(entries[0].date, "2023-11-14 22:13:20 UTC");
        assert_eq!(entries[0].tests[0].lab_us, Some(1_000_004), "rounded");
        assert_eq!(entries[0].tests[0].rpcs, Some(52));
        assert_eq!(entries[1].tests[0].lab_us, None);
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_torn_line_costs_no_other() {
        let file = file("history-torn");
        append(&file, &report("ä", vec![run(0, None)])).unwrap();
        let whole = fs::read(&file).unwrap();
        for length in 1..whole.len() {
            fs::write(&file, [&whole[..], &whole[..length]].concat()).unwrap();
            // Without its end of line, the last one is whole.
            let expected = if length == whole.len() - 1 { 2 } else { 1 };
            assert_eq!(read(&file).unwrap().len(), expected, "torn at {length}");
            append(&file, &report("c", vec![run(0, None)])).unwrap();
            let entries = read(&file).unwrap();
            assert_eq!((entries.len(), &*entries[expected].name), (expected + 1, "c"));
        }
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn another_file_is_refused() {
        let file = file("history-other");
        fs::write(&file, "{\"name\": \"a\"}\n").unwrap();
        let error = read(&file).unwrap_err().to_string();
        assert!(error.starts_with("line 1 of ") && error.ends_with("is not of a history"));
        fs::remove_file(file).unwrap();
    }
}
