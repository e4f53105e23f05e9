//! Leaving records of runs behind, if a program has asked for them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use cpu_time::ProcessTime;
use labrt::time::Instant;
use run_record::choices::Case;
use run_record::seal::Writer;
use run_record::{Begin, Clock, End, FailureRecord, Record};

use crate::verdict::{Failed, Ran};

/// How many variables are named in a record, and how long their names may be: no program has more.
const MOST_NAMES: usize = 200;
const LONGEST_NAME: usize = 200;

/// Appends to the file that the environment names.
pub(crate) struct Recorder {
    writer: RefCell<Writer>,
}

/// A run that has begun.
pub(crate) struct Running {
    begin: Begin,
    wall: Instant,
    cpu: ProcessTime,
}

impl Recorder {
    /// `None` if nobody has asked for records.
    pub(crate) fn from_environment() -> Option<Recorder> {
        let writer = Writer::from_environment().unwrap_or_else(|error| {
            panic!(
                "the key for records cannot be read ({error}): it is read once, so a test function calls the \
                 tester once"
            )
        })?;
        Some(Recorder { writer: RefCell::new(writer) })
    }

    pub(crate) fn begin(&self, name: &str, part: &str, case: Option<&Case>) -> Running {
        let clock = if case.is_some() { Clock::Sim } else { Clock::Real };
        let (seed, choices) = (case.map(|case| case.seed), case.map(|case| case.choices.clone()));
        let choices = choices.unwrap_or_default();
        let begin = Begin { test: name.to_string(), part: part.to_string(), clock, seed, choices };
        self.append(&Record::Begin(begin.clone()));
        Running { begin, wall: Instant::now(), cpu: ProcessTime::now() }
    }

    /// Records how a run went; `text` is the whole report of a failure.
    pub(crate) fn end(&self, running: Running, ran: &Ran, text: impl FnOnce(&Failed) -> String) {
        let Running { begin, wall, cpu } = running;
        let outcome = ran.result.as_ref().ok();
        let totals = outcome.map(|outcome| outcome.value);
        let failed = ran.result.as_ref().err();
        let lab = totals.map(|totals| totals.time).or(failed.map(|failed| failed.failure.time));
        let trace = outcome.and_then(|outcome| outcome.trace.as_ref());
        self.append(&Record::End(Box::new(End {
            run: begin,
            lab_us: micros(lab.unwrap_or_default()),
            wall_us: micros(wall.elapsed()),
            cpu_us: micros(cpu.elapsed()),
            servers: totals.map_or(0, |totals| totals.servers as u64),
            rpcs: totals.map_or(0, |totals| totals.rpcs),
            bytes: totals.map_or(0, |totals| totals.bytes),
            committed: totals.map_or(0, |totals| totals.operations),
            hash: trace.map(|trace| format!("{:016x}", trace.hash)),
            schedule: ran.schedule.clone(),
            troubles: ran.troubles,
            situations: ran.situations.clone(),
            coverage: ran.coverage.clone(),
            not_judged: ran.not_judged.clone(),
            asked: asked(),
            failure: failed.map(|failed| FailureRecord {
                kind: failed.kind().to_string(),
                message: failed.verdict.words.clone(),
                location: failed.failure.location.clone(),
                text: text(failed),
                check: failed.verdict.check.clone(),
            }),
        })));
    }

    fn append(&self, record: &Record) {
        let mut writer = self.writer.borrow_mut();
        if let Err(error) = writer.append(record) {
            panic!("cannot write a record to {}: {error}", writer.file().display());
        }
    }
}

/// The variables that were asked for. Code that makes names up, one after the other, does not fill the file.
fn asked() -> BTreeSet<String> {
    let names = labrt::env::names().into_iter().filter(|name| name.len() <= LONGEST_NAME);
    names.take(MOST_NAMES).collect()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
