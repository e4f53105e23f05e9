//! Traces: everything that happened in one run, in the order in which it happened.
//!
//! A trace is a file of JSON objects, one a line ([NDJSON](https://github.com/ndjson/ndjson-spec)):
//! a [`Header`], then [`Event`]s, then a [`Footer`]. [`Trace::read`] and [`Trace::write`] are the two
//! ends; `docs/trace-format.md` describes it for readers in other languages.
//!
//! ```
//! use run_record::trace::{Event, Role, State, What};
//!
//! let state = State { role: Role::Leader, term: 3, vote: Some(1), commit: Some(0), log: None };
//! let event = Event {
//!     n: 7,
//!     us: 351_000,
//!     lane: Some(1),
//!     task: "raft".into(),
//!     cause: Some(5),
//!     what: What::State(state),
//! };
//! let line = serde_json::to_string(&event).unwrap();
//! assert_eq!(
//!     line,
//!     r#"{"n":7,"us":351000,"lane":1,"task":"raft","cause":5,"event":"state","role":"leader","term":3,"vote":1,"commit":0}"#
//! );
//! assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
//! ```

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Clock;

/// The version of the format that this crate reads and writes.
///
/// Fields and kinds of events may be added without a new version: a reader ignores fields that it
/// does not know, and shows events that it does not know as [`What::Unknown`].
pub const VERSION: u32 = 1;

/// The first line: which run it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format.
    pub trace: u32,
    /// The test's name, such as `figure_8_2C`.
    pub test: String,
    /// What the test's lines call it, such as `Figure 8`.
    pub title: String,
    /// The part of the lab.
    pub part: String,
    /// The package that the test belongs to.
    pub package: String,
    /// The clock it ran on.
    pub clock: Clock,
    /// The seed; none on the real clock.
    pub seed: Option<u64>,
    /// What was taken away from the test, as `LAB_SETTING` says it; none for the whole test.
    pub setting: Option<String>,
    /// The command that repeats the run.
    pub replay: String,
    /// The names of the lanes, by number. The servers come first.
    pub lanes: Vec<String>,
    /// How many of the lanes are servers of the cluster.
    pub servers: u32,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number. The first event of a run has 1; a trace that begins with a later one has lost
    /// those before.
    pub n: u64,
    /// Lab time in microseconds since the run began.
    pub us: u64,
    /// Whom it concerns: a number into [`Header::lanes`]. None for the tester and the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<u32>,
    /// The task that did it.
    pub task: String,
    /// The event that led to it: the delivery of the request or reply that its task was working on,
    /// the tester's call, or the like. None if a timer did, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen. `call` numbers the calls of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// The server in `lane` has sent a request.
    Sent {
        /// The call.
        call: u64,
        /// The lane it goes to.
        to: u32,
        /// Its name on the wire, such as `Raft.AppendEntries`.
        method: String,
        /// The arguments, field by field.
        args: Value,
        /// How many bytes they take.
        bytes: u64,
    },
    /// The network lets the request wait.
    Delayed {
        /// The call.
        call: u64,
        /// For how long, in microseconds.
        by_us: u64,
    },
    /// The network has lost the request or the reply.
    Lost {
        /// The call.
        call: u64,
        /// Which of the two.
        leg: Leg,
        /// The rule that decided it.
        why: Loss,
        /// After how many microseconds the caller will hear of it.
        fails_us: u64,
    },
    /// The request has reached the server in `lane`: its handler begins.
    Delivered {
        /// The call.
        call: u64,
    },
    /// The server in `lane` has answered.
    Replied {
        /// The call.
        call: u64,
        /// The reply, field by field.
        reply: Value,
        /// How many bytes it takes.
        bytes: u64,
    },
    /// The network holds the reply back, so that later ones overtake it.
    Late {
        /// The call.
        call: u64,
        /// For how long, in microseconds.
        by_us: u64,
    },
    /// The reply has reached the caller in `lane`.
    Returned {
        /// The call.
        call: u64,
    },
    /// The caller in `lane` has learned that no reply will come.
    Failed {
        /// The call.
        call: u64,
    },

    /// The server in `lane` has been started.
    Started,
    /// The server in `lane` has crashed.
    Crashed,
    /// The server in `lane` can reach all connected ones and they it.
    Connected,
    /// The server in `lane` can reach nobody.
    Disconnected,
    /// The network's conditions from now on.
    Network {
        /// Nothing is lost and requests arrive at once.
        reliable: bool,
        /// Many replies are late.
        long_reordering: bool,
        /// Calls that reach no server take seconds to fail.
        long_delays: bool,
    },

    /// The tester has offered a command to the server in `lane`.
    Offered {
        /// The command, for people to read.
        command: String,
        /// Where it will stand if it is committed; none if the server refused it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<u64>,
        /// The term the server gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<u64>,
    },
    /// The server in `lane` has applied a command.
    Applied {
        /// Its index.
        index: u64,
        /// The command, for people to read.
        command: String,
    },
    /// The server in `lane` has written to its persister.
    Saved {
        /// How many bytes its Raft state has now.
        bytes: u64,
    },
    /// The server in `lane` says what it is now.
    State(State),
    /// What the server in `lane` must be, by the messages it sends. Only of servers that never say
    /// so themselves.
    Inferred {
        /// Its role.
        role: Role,
        /// Its term.
        term: u64,
    },

    /// Something begins that takes time: a check of the tester, or whatever a user's code marks.
    Begin {
        /// Numbers it.
        span: u64,
        /// Whose it is.
        of: SpanOf,
        /// What is done.
        name: String,
    },
    /// It is over.
    End {
        /// Which.
        span: u64,
        /// What came of it.
        text: String,
    },
    /// A user's code, or the tester, has something to say.
    Note {
        /// A word to filter by.
        topic: String,
        /// The words.
        text: String,
    },
    /// A rule was broken.
    Violation {
        /// Which and how.
        verdict: Verdict,
    },
    /// A kind of event that this version does not know.
    #[serde(other)]
    Unknown,
}

/// One of the two messages of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// From the caller to the server.
    Request,
    /// From the server to the caller.
    Reply,
}

/// Why a message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The unreliable network dropped it.
    Dropped,
    /// Caller or server is disconnected.
    Disconnected,
    /// There is no such server: it has crashed.
    NoServer,
    /// Since the request was delivered, caller or server were disconnected, or the server crashed.
    Gone,
    /// The handler gave no answer.
    Unanswered,
    /// The network came to its end.
    Ended,
}

/// Whose span it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanOf {
    /// The tester checks or waits for something.
    Tester,
    /// A user's own.
    User,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It follows.
    Follower,
    /// It gathers votes.
    Candidate,
    /// It leads.
    Leader,
}

/// What a server says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its role.
    pub role: Role,
    /// Its current term.
    pub term: u64,
    /// Whom it has voted for in this term; null for nobody.
    pub vote: Option<u32>,
    /// Its commit index, if it has one yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// How its log has changed since it last said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogChange>,
}

/// The log ends like this now: what was at `from` and behind it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChange {
    /// An index; the first entry has 1.
    pub from: u64,
    /// The entries from there on.
    pub entries: Vec<LogEntry>,
}

/// An entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its term.
    pub term: u64,
    /// Its command, for people to read.
    pub command: String,
}

/// Why a run failed: which check, when, who, and the facts that do not fit together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule that was broken or the check that was not met: `Election Safety`, `agreement`,
    /// `deadlock`. Runs with the same `check` failed in the same way.
    pub check: String,
    /// What happened, in one sentence.
    pub words: String,
    /// When, in microseconds of lab time since the run began.
    pub us: u64,
    /// The servers it concerns.
    pub servers: Vec<u32>,
    /// What does not fit together.
    pub facts: Vec<Fact>,
    /// What usually leads to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The log index that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The task in which it was noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Where in the source it was noticed, as `file:line:column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Further lines: which task waits for what, and who holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// One of the facts of a [`Verdict`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The fact, as a sentence that begins with who: `server 2 applied 104 at index 3`.
    pub text: String,
    /// When it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub us: Option<u64>,
    /// The server it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u32>,
}

/// The last line: how the run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// When, in microseconds of lab time since the run began.
    pub end_us: u64,
    /// How many events there were, kept or not.
    pub events: u64,
    /// Why it failed, if it did.
    pub verdict: Option<Verdict>,
}

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
                false => from_json(line, text).map(|event| events.push(event)),
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
        let draft = path.with_extension("ndjson.tmp");
        let written = self.write_lines(&draft).and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            // What is left of it is of no use; that it cannot be removed changes nothing.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    fn write_lines(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(fs::File::create(path)?);
        line(&mut out, &self.header)?;
        self.events.iter().try_for_each(|event| line(&mut out, event))?;
        if let Some(footer) = &self.footer {
            line(&mut out, footer)?;
        }
        out.flush()
    }

    /// Why the run failed, if it did and the trace says so.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.footer.as_ref()?.verdict.as_ref()
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
                log: Some(LogChange { from: 1, entries: Vec::new() }),
            }),
            What::Violation { verdict: verdict.clone() },
        ];
        let events = (1..).zip(whats).map(|(n, what)| event(n, what)).collect();
        let footer = Some(Footer { end_us: 5000, events: 5, verdict: Some(verdict) });
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
        assert_eq!(text(&trace()).lines().count(), 7);
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_it_has() {
        let whole = text(&trace());
        for end in whole.find('\n').unwrap() + 1..whole.len() - 1 {
            let part = Trace::parse(&whole[..end]).expect("the beginning of a trace");
            assert!(part.events.len() <= 5 && part.footer.is_none());
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
    fn events_of_a_later_version_are_kept_as_unknown() {
        let later = r#"{"n":6,"us":6000,"task":"t","event":"teleported","to":3}"#;
        let event: Event = serde_json::from_str(later).expect("an event");
        assert_eq!(event.what, What::Unknown);
    }

    #[test]
    fn a_trace_that_cannot_be_written_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(trace().write(&dir.path().join("no such folder/t.ndjson")).is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
    }
}
