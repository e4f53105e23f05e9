//! A failed run once more, in a process of its own.
//!
//! A run that fails may owe that to what earlier runs of its process left in a static, or to the order of
//! a map that each process draws anew. Then the command that is given to repeat it repeats something
//! else, and whoever types it must be told.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use run_record::choices::Case;
use run_record::schedule::{Choice, VARIABLE};
use run_record::{End, Record, choices, seal, setting};

use crate::test::Origin;
use crate::twice::CAUSES;
use crate::verdict::Failed;
use crate::{Setting, trace_files};

/// Says how a run ends in a process of its own, if that is not how it has failed here.
///
/// Says nothing if it cannot be known, as in a program that is not one of cargo's tests.
pub(crate) fn otherwise(
    origin: Origin,
    case: &Case,
    setting: Setting,
    schedule: Choice,
    failed: &Failed,
) -> Option<String> {
    let folder = tempfile::tempdir().ok()?;
    let records = folder.path().join("records");
    run(origin, case, setting, schedule, &records).ok()?;
    let text = std::fs::read_to_string(&records).ok()?;
    let ended = how(&text, origin.name, &failed.verdict.words, failed.failure.time)?;
    Some(format!("in a process of its own this run {ended}: {CAUSES}"))
}

/// Runs the test with one seed; it leaves its records in a file.
fn run(
    origin: Origin,
    case: &Case,
    setting: Setting,
    schedule: Choice,
    records: &Path,
) -> io::Result<()> {
    Command::new(std::env::current_exe()?)
        .args(["--exact", &origin.path()])
        .env(run_record::VARIABLE, records)
        .env("LAB_SEED", case.seed.to_string())
        .env(choices::VARIABLE, case.choices.to_string())
        .env(setting::VARIABLE, setting.to_string())
        .env(VARIABLE, schedule.to_string())
        .env_remove("LAB_SEEDS")
        .env_remove(seal::SEALED)
        // The trace is there already.
        .env_remove(trace_files::VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(drop)
}

/// How the recorded run of a test ended, if it did not fail with these words at this time.
fn how(records: &str, test: &str, words: &str, time: Duration) -> Option<String> {
    let mut begun = false;
    for line in records.lines() {
        match Record::from_line(line).ok()? {
            Record::Begin(begin) => begun |= begin.test == test,
            Record::End(end) if end.run.test == test => return unlike(&end, words, time),
            Record::End(_) => {}
        }
    }
    begun.then(|| "ends its process".to_string())
}

fn unlike(end: &End, words: &str, time: Duration) -> Option<String> {
    let Some(failure) = &end.failure else { return Some("passes".to_string()) };
    if failure.message == words && u128::from(end.lab_us) == time.as_micros() {
        return None;
    }
    let first = failure.message.lines().next().unwrap_or_default();
    let seconds = Duration::from_micros(end.lab_us).as_secs_f64();
    Some(format!("fails at {seconds:.6} s with `{first}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = r#"{"event":"begin","test":"churn","part":"2C","clock":"sim","seed":7}"#;

    #[test]
    fn a_run_without_an_end_has_taken_its_process_along() {
        let ended = |records, test| how(records, test, "words", Duration::ZERO);
        assert_eq!(ended(BEGIN, "churn").as_deref(), Some("ends its process"));
        assert_eq!(ended(BEGIN, "another test"), None);
        assert_eq!(ended("", "churn"), None, "a program that runs no such test says nothing");
        assert_eq!(ended("no record", "churn"), None);
    }
}
