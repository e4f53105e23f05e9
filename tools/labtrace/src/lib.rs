//! Notes, intervals and states for the trace of a run, and verdicts.
//!
//! When a test of the lab is traced, the tester records what it sees from outside: messages,
//! crashes, checks, applied commands. With this crate the code under test adds what only it knows.
//! Nothing here is a step of a simulated run, so a traced run is the same as one that is not; and
//! while nothing is traced, a call costs a look at one variable.
//!
//! ```
//! use labtrace::{Role, State};
//!
//! # let (term, me) = (3, 1u32);
//! // Words for people; `timer` is the topic to filter by.
//! labtrace::note!("timer", "no leader heard of, starting election {term}");
//!
//! // Something that takes time: from here to the end of the block.
//! {
//!     let span = labtrace::span("gathering votes");
//!     // ...
//!     span.end("elected");
//! }
//!
//! // What the server is now: shows up as role, term and vote in pages and on terminals.
//! labtrace::state(|| State {
//!     role: Role::Leader,
//!     term,
//!     vote: Some(me),
//!     commit: Some(7),
//!     log: None,
//! });
//! ```
//!
//! # Verdicts
//!
//! [`fail`] ends a run with a [`Verdict`]: which rule was broken, and the facts that do not fit
//! together. It panics with the verdict's words; whoever runs the world finds the whole verdict in
//! its [`Session`].
//!
//! # Recording
//!
//! A [`Session`] is what one run is recorded into: everything ([`Keep::All`]), the end of it
//! ([`Keep::Last`]), or nothing but its verdict ([`Keep::Nothing`]). What it keeps is bounded, however
//! long the run is and whatever its messages hold.

mod kept;
mod message;
mod session;

use std::fmt::Display;

use labrt::Node;
use labrt::observe::Cause;

pub use run_record::trace::{
    Fact, LogBase, LogChange, LogEntry, Role, SpanOf, State, Verdict, What,
};
pub use session::{Keep, Recorded, Session};

/// True if the caller's world is being traced.
pub fn is_on() -> bool {
    session::current_recording().is_some()
}

/// Records something; returns what counts as the cause of what follows. Does nothing unless the
/// caller's world is traced.
///
/// `lane` is the number of the server that it concerns; none for the caller's own server.
pub fn record(lane: Option<u32>, what: impl FnOnce() -> What) -> Option<Cause> {
    let session = session::current_recording()?;
    let lane = lane.or_else(|| session.lane_of(&Node::current()?));
    session.add(lane, what(), None)
}

/// Says what the calling server is now. Does nothing unless the caller's world is traced.
///
/// Call it whenever role, term, vote, commit index or log have changed, where the change becomes
/// visible to others: after it was saved, before a message tells of it. What is as before is not
/// recorded again.
pub fn state(state: impl FnOnce() -> State) {
    record(None, || What::State(state()));
}

/// The end of a log from an index on, for [`State::log`]: terms and commands. Of a log whose beginning
/// is in a snapshot, say so in [`LogChange::base`].
pub fn log_change<'a>(from: u64, entries: impl IntoIterator<Item = (u64, &'a [u8])>) -> LogChange {
    let entry = |(term, command): (u64, &[u8])| LogEntry { term, command: show(command) };
    LogChange { from, entries: entries.into_iter().map(entry).collect(), base: None }
}

/// Adds words for people; see the macro [`note!`](crate::note!), which formats them only if somebody
/// listens.
pub fn note(topic: &str, text: impl Display) {
    record(None, || What::Note { topic: topic.to_string(), text: text.to_string() });
}

/// Adds words for people to the trace: a topic to filter by, and a text as in [`format!`].
///
/// While nothing is traced the text is not even formatted.
#[macro_export]
macro_rules! note {
    ($topic:expr, $($text:tt)+) => {
        if $crate::is_on() {
            $crate::note($topic, ::core::format_args!($($text)+));
        }
    };
}

/// Something that takes time, from here to the end of the span that is returned.
pub fn span(name: impl Display) -> Span {
    Span::begin(SpanOf::User, &name)
}

/// An interval of the trace. It ends when it is dropped, or with words by [`end`](Span::end).
#[derive(Debug)]
pub struct Span {
    /// Its number; none if nothing is traced.
    number: Option<u64>,
}

impl Span {
    /// Begins one; [`span`] is for users' own.
    pub fn begin(of: SpanOf, name: &dyn Display) -> Span {
        let number = session::current_recording().map(|session| {
            let number = session.next_span();
            let what = What::Begin { span: number, of, name: name.to_string() };
            let lane = Node::current().and_then(|node| session.lane_of(&node));
            session.add(lane, what, None);
            number
        });
        Span { number }
    }

    /// Ends it, with what came of it.
    pub fn end(mut self, text: impl Display) {
        self.finish(&text);
    }

    fn finish(&mut self, text: &dyn Display) {
        if let Some(span) = self.number.take() {
            record(None, || What::End { span, text: text.to_string() });
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.finish(&"");
    }
}

/// Ends the run: a rule was broken.
///
/// The first verdict of a run counts. Time and task are filled in, and the caller's place in the
/// source, unless the verdict names another one.
///
/// # Panics
/// Always, with the verdict's words: that is what fails the world.
#[track_caller]
pub fn fail(verdict: Verdict) -> ! {
    let words = verdict.words.clone();
    session::deliver(verdict);
    panic!("{words}");
}

/// Bytes of a command for people: themselves if they are text, else hexadecimal; cut off when long.
pub fn show(command: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = labgob::View::Bytes(command[..command.len().min(LONGEST)].to_vec()).to_string();
    match command.len() {
        0..=LONGEST => text,
        length => format!("{text}... ({length} bytes)"),
    }
}

/// Collects the parts of a verdict.
///
/// ```
/// # use labtrace::verdict;
/// let verdict = verdict("agreement", "one(7) failed to reach agreement")
///     .hint("no leader could commit it")
///     .fact(None, "nobody applied index 3")
///     .build();
/// assert_eq!(verdict.check, "agreement");
/// ```
pub fn verdict(check: impl Into<String>, words: impl Into<String>) -> VerdictBuilder {
    let verdict = Verdict { check: check.into(), words: words.into(), ..Verdict::default() };
    VerdictBuilder { verdict }
}

/// See [`verdict`].
#[derive(Clone, Debug)]
pub struct VerdictBuilder {
    verdict: Verdict,
}

impl VerdictBuilder {
    /// What usually leads to this.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> VerdictBuilder {
        self.verdict.hint = Some(hint.into());
        self
    }

    /// The log index that it is about.
    #[must_use]
    pub fn index(mut self, index: u64) -> VerdictBuilder {
        self.verdict.index = Some(index);
        self
    }

    /// One of the facts that do not fit together, with the server that it is about.
    #[must_use]
    pub fn fact(self, server: impl Into<Option<usize>>, text: impl Into<String>) -> VerdictBuilder {
        self.add_fact(server.into(), None, text.into())
    }

    /// A fact that came about at this moment of the run, in microseconds.
    #[must_use]
    pub fn fact_at(self, us: u64, server: usize, text: impl Into<String>) -> VerdictBuilder {
        self.add_fact(Some(server), Some(us), text.into())
    }

    /// A fact that is known already.
    #[must_use]
    pub fn with_fact(mut self, fact: Fact) -> VerdictBuilder {
        self.verdict.facts.push(fact);
        self
    }

    fn add_fact(mut self, server: Option<usize>, us: Option<u64>, text: String) -> VerdictBuilder {
        let server = server.and_then(|server| u32::try_from(server).ok());
        if let Some(server) = server.filter(|server| !self.verdict.servers.contains(server)) {
            self.verdict.servers.push(server);
        }
        self.verdict.facts.push(Fact { text, us, server });
        self
    }

    /// Where it was noticed, in words, if the place in the checker's own source says nothing.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> VerdictBuilder {
        self.verdict.location = Some(place.into());
        self
    }

    /// A further line.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> VerdictBuilder {
        self.verdict.details.push(line.into());
        self
    }

    /// The verdict.
    pub fn build(self) -> Verdict {
        self.verdict
    }

    /// [`fail`]s with it.
    ///
    /// # Panics
    /// Always.
    #[track_caller]
    pub fn fail(self) -> ! {
        fail(self.build())
    }
}

/// Lab time in microseconds since the caller's world began; 0 outside a world.
pub fn now_us() -> u64 {
    let elapsed = labrt::observe::elapsed().unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
