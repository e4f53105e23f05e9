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

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Clock;

mod file;
mod shorten;
pub use file::{Trace, TraceError, write_whole};
pub use shorten::{cut, items_left_out, left_out};

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
    /// The network has made a copy of the request that arrives now.
    Duplicated {
        /// The call.
        call: u64,
        /// How much later the copy arrives, in microseconds.
        by_us: u64,
    },
    /// The copy has reached the server in `lane`: its handler begins once more.
    DeliveredAgain {
        /// The call.
        call: u64,
    },
    /// The server in `lane` has answered the copy, which nobody hears.
    RepliedAgain {
        /// The call.
        call: u64,
        /// The reply, field by field.
        reply: Value,
        /// How many bytes it takes.
        bytes: u64,
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
    /// The server in `lane` does nothing from now on, until it goes on or crashes.
    Paused,
    /// The server in `lane` goes on.
    Resumed,
    /// What the server in `lane` sends reaches another one from now on, or does not; the other direction is
    /// as it was.
    OneWay {
        /// The lane of the other one.
        to: u32,
        /// Nothing reaches it.
        cut: bool,
    },
    /// Messages between the server in `lane` and another one take so much longer from now on.
    Slow {
        /// The lane of the other one.
        to: u32,
        /// At most, in microseconds; 0 if they are as fast as others.
        by_us: u64,
    },
    /// The clock of the server in `lane`, which starts now, does not run as others do.
    Clock {
        /// Its speed, in thousandths of the usual one.
        thousandths: u32,
    },
    /// The server in `lane` crashes in the middle of a save.
    Torn {
        /// What it was saving is there all the same.
        kept: bool,
    },
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
    /// The service above the server in `lane` has given it a snapshot.
    Snapshot {
        /// The last index whose command is in it.
        index: u64,
        /// How many bytes it has.
        bytes: u64,
    },
    /// The service above the server in `lane` has taken over a snapshot, which takes the place of all
    /// that it has applied.
    Installed {
        /// The last index whose command is in it.
        index: u64,
        /// The term of that index; none of the snapshot that the server had stored when it was started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<u64>,
        /// How many bytes it has.
        bytes: u64,
    },
    /// The server in `lane` has written to its persister.
    Saved {
        /// How many bytes its Raft state has now.
        bytes: u64,
        /// How many bytes the snapshot has that it has saved together with its Raft state; none if it
        /// has saved no snapshot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<u64>,
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

    /// The server in `lane` says what its group does with the shards, after the entry of its log that
    /// it has executed last. What it does not name it has nothing of.
    Shards {
        /// The number of the group.
        group: u64,
        /// The number of the configuration that it has come to.
        config: u64,
        /// The shards of which it answers clients.
        serves: Vec<u32>,
        /// The shards of which it has data and answers nobody.
        keeps: Vec<u32>,
    },
    /// There is a configuration of this number, the tester has learned.
    Configured {
        /// Its number.
        config: u64,
        /// The number of the group of each shard; 0 for nobody.
        owners: Vec<u64>,
    },

    /// The client in `lane` begins an operation: it asks the service for something, with as many
    /// calls as it takes.
    Called {
        /// Numbers the operations of a run.
        op: u64,
        /// What it asks for, for people to read.
        text: String,
    },
    /// The operation is done. One without this event was not answered by the end of the run.
    Answered {
        /// Which.
        op: u64,
        /// What came of it, for people to read; empty if there is nothing to say.
        text: String,
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
    /// The run was too long: events are missing between the last one with a lower number and
    /// `until_us`. Those of them that are here all the same are the last that still hold then.
    LeftOut {
        /// How many are missing.
        events: u64,
        /// When the last of them happened, in microseconds.
        until_us: u64,
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
    /// Nothing that the server sends reaches the caller.
    NoWayBack,
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
    /// Where the log begins: a snapshot has taken the place of what was up to there. None for a log
    /// that begins where it did before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<LogBase>,
}

/// The last entry that a snapshot holds: the log begins behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBase {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
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
