//! Traces as files.

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::{Event, Footer, Header, VERSION, Verdict};

/// The greatest number of an event: beyond it JavaScript does not know all whole numbers.
const MOST_NUMBER: u64 = (1 << 53) - 1;

/// A whole trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Which run it was.
    pub header: Header,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// How it ended; none if the file breaks off.
    pub footer: Option<Footer>,
}

/// Why a file is no trace.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// It cannot be read.
    Io(io::Error),
    /// It was written by a later version of this program.
    Version(u32),
    /// A line is not what the format says.
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong with it.
        error: String,
    },
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TraceError::Io(error) => write!(f, "{error}"),
            TraceError::Version(version) => write!(
                f,
                "it has version {version} of the format, and this program knows version {VERSION}: \
                 use a newer one, or make the trace again"
            ),
            TraceError::Line { line: 1, error } => {
                write!(f, "it does not begin like a trace: {error}")
            }
            TraceError::Line { line, error } => write!(f, "line {line}: {error}"),
        }
    }
}

impl std::error::Error for TraceError {}

impl From<io::Error> for TraceError {
    fn from(error: io::Error) -> TraceError {
        TraceError::Io(error)
    }
}

impl Trace {
    /// Reads a trace from a file.
    ///
    /// A last line that breaks off is left out, and so is what else is missing: such a file belongs
    /// to a process that was killed while it wrote.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a trace.
    pub fn read(path: &Path) -> Result<Trace, TraceError> {
        Trace::parse(&String::from_utf8_lossy(&fs::read(path)?))
    }

    /// Reads a trace from its text; see [`read`](Trace::read).
    ///
    /// # Errors
    /// If it is not a trace.
    pub fn parse(text: &str) -> Result<Trace, TraceError> {
        let whole_last_line = text.ends_with('\n');
        let mut lines = (1..).zip(text.lines()).peekable();
        let (_, first) = lines.next().unwrap_or((1, ""));
        check_version(first)?;
        let header: Header = from_json(1, first)?;
        let (mut events, mut footer) = (Vec::new(), None);
        while let Some((line, text)) = lines.next() {
            if text.trim().is_empty() {
                continue;
            }
            let is_last = lines.peek().is_none();
            let parsed = match text.starts_with("{\"end_us\"") {
                true => from_json(line, text).map(|end| footer = Some(end)),
                false => event_from(line, text).map(|event| events.push(event)),
            };
            match parsed {
                Err(_) if is_last && !whole_last_line => {}
                other => other?,
            }
        }
        Ok(Trace { header, events, footer })
    }

    /// Writes the trace to a file, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_whole(path, |out| self.write_lines(out))
    }

    fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        line(out, &self.header)?;
        self.events.iter().try_for_each(|event| line(out, event))?;
        self.footer.iter().try_for_each(|footer| line(out, footer))
    }

    /// Why the run failed, if it did and the trace says so.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.footer.as_ref()?.verdict.as_ref()
    }
}

/// Writes a file, whole or not at all: under another name first, beside it.
///
/// # Errors
/// If the file cannot be written; what was there before is there still.
pub fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    // Whoever else writes the same file at the same time has another draft.
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}-{number}.tmp", std::process::id()));
    let write = || {
        let mut out = BufWriter::new(fs::File::create(&draft)?);
        content(&mut out)?;
        out.flush()?;
        drop(out);
        fs::rename(&draft, path)
    };
    let written = write();
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn line(mut out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")
}

/// Before anything else, since another version may have other fields.
fn check_version(first: &str) -> Result<(), TraceError> {
    #[derive(Deserialize)]
    struct Version {
        trace: u32,
    }
    match from_json::<Version>(1, first)?.trace {
        VERSION => Ok(()),
        other => Err(TraceError::Version(other)),
    }
}

fn from_json<'a, T: Deserialize<'a>>(line: usize, text: &'a str) -> Result<T, TraceError> {
    serde_json::from_str(text).map_err(|error| TraceError::Line { line, error: error.to_string() })
}

/// An event whose number everybody reads exactly: pages count on with it in JavaScript.
fn event_from(line: usize, text: &str) -> Result<Event, TraceError> {
    let event: Event = from_json(line, text)?;
    match event.n {
        0..=MOST_NUMBER => Ok(event),
        n => {
            let error = format!("an event has the number {n}: there can be at most {MOST_NUMBER}");
            Err(TraceError::Line { line, error })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use crate::trace::{Leg, LogChange, Loss, Role, State, What};

    fn trace() -> Trace {
        let header = Header {
            trace: VERSION,
            test: "figure_8_2C".into(),
            title: "Figure 8".into(),
            part: "2C".into(),
            package: "raft-tests".into(),
            clock: Clock::Sim,
            seed: Some(7),
            setting: None,
            replay: "LAB_SEED=7 cargo test".into(),
            lanes: vec!["server 0".into(), "server 1".into()],
            servers: 2,
        };
        let event = |n, what| Event {
            n,
            us: n * 1000,
            lane: Some(0),
            task: "raft".into(),
            cause: None,
            what,
        };
        let args = serde_json::json!({"term": u64::MAX, "candidate": 0});
        let verdict = Verdict { check: "Election Safety".into(), ..Verdict::default() };
        let whats = [
            What::Started,
            What::Sent { call: 1, to: 1, method: "Raft.RequestVote".into(), args, bytes: 9 },
            What::Lost { call: 1, leg: Leg::Request, why: Loss::NoServer, fails_us: 99_000 },
            What::State(State {
                role: Role::Candidate,
                term: 1,
                vote: None,
                commit: None,
                log: Some(LogChange { from: 1, entries: Vec::new(), base: None }),
            }),
            What::Shards { group: 100, config: 3, serves: vec![0, 9], keeps: Vec::new() },
            What::Configured { config: 4, owners: vec![100, 0] },
            What::Violation { verdict: verdict.clone() },
        ];
        let events = (1..).zip(whats).map(|(n, what)| event(n, what)).collect();
        let footer = Some(Footer { end_us: 7000, events: 7, verdict: Some(verdict) });
        Trace { header, events, footer }
    }

    fn text(trace: &Trace) -> String {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("t.ndjson");
        trace.write(&path).expect("it can be written");
        assert_eq!(&Trace::read(&path).expect("it can be read"), trace);
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "a draft is left");
        fs::read_to_string(&path).expect("it can be read")
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(text(&trace()).lines().count(), 9);
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_it_has() {
        let whole = text(&trace());
        for end in whole.find('\n').unwrap() + 1..whole.len() - 1 {
            let part = Trace::parse(&whole[..end]).expect("the beginning of a trace");
            assert!(part.events.len() <= 7 && part.footer.is_none());
        }
    }

    #[test]
    fn what_is_no_trace_is_refused_in_words() {
        let words = |text: &str| Trace::parse(text).expect_err("it is no trace").to_string();
        assert!(words("").starts_with("it does not begin like a trace"), "{}", words(""));
        assert!(words("{\"a\":1}\n").contains("missing field `trace`"));
        assert!(words("{\"trace\":2}\n").contains("version 2"));
        let whole = text(&trace());
        let broken = whole.replacen("\"us\":2000", "\"us\":x", 1);
        assert!(words(&broken).starts_with("line 3:"), "{}", words(&broken));
    }

    #[test]
    fn an_event_whose_number_javascript_would_round_is_refused() {
        let whole = text(&trace());
        let numbered =
            |n: u64| Trace::parse(&whole.replacen("{\"n\":1,", &format!("{{\"n\":{n},"), 1));
        assert_eq!(numbered((1 << 53) - 1).expect("a trace").events[0].n, (1 << 53) - 1);
        for n in [1 << 53, u64::MAX] {
            let words = numbered(n).expect_err("it is too great").to_string();
            assert!(words.starts_with("line 2: ") && words.contains(&n.to_string()), "{words}");
        }
    }

    #[test]
    fn events_of_a_later_version_are_kept_as_unknown() {
        let later = r#"{"n":6,"us":6000,"task":"t","event":"teleported","to":3}"#;
        let event: Event = serde_json::from_str(later).expect("an event");
        assert_eq!(event.what, What::Unknown);
    }

    #[test]
    fn a_file_that_is_written_in_part_leaves_what_was_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("t.html");
        fs::write(&path, "before").expect("it can be written");
        let torn = write_whole(&path, |out| {
            out.write_all(b"half a page")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(torn.expect_err("it fails").to_string(), "the disk is full");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "before");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "a draft is left");
    }

    #[test]
    fn a_trace_that_cannot_be_written_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(trace().write(&dir.path().join("no such folder/t.ndjson")).is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
    }
}
