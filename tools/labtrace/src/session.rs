//! What a run is recorded into.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use labgob::Shape;
use labrt::observe::{self, Cause};
use labrt::sync::Leaf;
use labrt::{Node, thread, world};
use run_record::trace::{self, Event, State, Verdict, What};

use crate::kept::Kept;
use crate::message::Message;
use crate::now_us;

/// Longer notes, names of spans and the like are cut off here, in bytes.
const LONGEST_TEXT: usize = 8 << 10;
/// What a client asks for and gets is cut off here, in bytes: there are many of them.
const LONGEST_OPERATION: usize = 400;

/// How many sessions of this process keep events. While there are none, nobody looks further.
static RECORDING: AtomicUsize = AtomicUsize::new(0);

/// How much of a run is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Its verdict only.
    Nothing,
    /// Every event; but of a run whose trace would be longer than some 40 MB, only the beginning and
    /// the end.
    All,
    /// The last so many events.
    Last(usize),
}

/// What one run is recorded into. Clones are the same session.
///
/// Made outside of the world, it is there after its end: [`enter`](Session::enter) it in the world's
/// main task, and ask for what it has when the world has ended.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    keep: Keep,
    lanes: Leaf<Vec<String>>,
    kept: Leaf<Kept>,
    /// What servers have said they are, but for their logs, by lane.
    stated: Leaf<BTreeMap<u32, State>>,
    verdict: Leaf<Option<Verdict>>,
    next_span: AtomicU64,
    next_op: AtomicU64,
    /// The run is over, whatever else happens in its world.
    closed: AtomicBool,
}

/// What a session has recorded.
#[derive(Debug)]
pub struct Recorded {
    /// The events, or the last of them.
    pub events: Vec<Event>,
    /// How many there were.
    pub total: u64,
}

/// The session of a world, as a value of the world. std's cell, since a look at labrt's is a step.
#[derive(Default)]
struct Slot(OnceLock<Session>);

/// The session of the caller's world, if it keeps events.
pub(crate) fn current_recording() -> Option<Session> {
    if RECORDING.load(Ordering::Relaxed) == 0 {
        return None;
    }
    current().filter(|session| session.inner.keep != Keep::Nothing)
}

fn current() -> Option<Session> {
    world::local::<Slot>()?.0.get().cloned()
}

/// Takes a verdict down, if the caller's world has a session and no earlier verdict.
#[track_caller]
pub(crate) fn deliver(mut verdict: Verdict) {
    let Some(session) = current() else { return };
    if observe::is_ending() {
        return; // the run has failed for another reason, and this came of that
    }
    let place = std::panic::Location::caller();
    verdict.us = now_us();
    verdict.task = thread::name().map(|name| match Node::current() {
        Some(node) => format!("task `{name}` of {}", node.name()),
        None => format!("task `{name}`"),
    });
    verdict.location.get_or_insert_with(|| place.to_string());
    let first = session.inner.verdict.with(|slot| {
        let first = slot.is_none();
        slot.get_or_insert_with(|| verdict.clone());
        first
    });
    if first && session.inner.keep != Keep::Nothing {
        session.add(verdict.servers.first().copied(), What::Violation { verdict }, None);
        session.close();
    }
}

impl Session {
    /// A session for a run whose servers and others have these names, by lane. There may be more
    /// lanes later, see [`add_lane`](Session::add_lane).
    pub fn new(keep: Keep, lanes: Vec<String>) -> Session {
        if keep != Keep::Nothing {
            RECORDING.fetch_add(1, Ordering::Relaxed);
        }
        Session {
            inner: Arc::new(Inner {
                keep,
                lanes: Leaf::new(lanes),
                kept: Leaf::new(Kept::new(keep)),
                stated: Leaf::default(),
                verdict: Leaf::default(),
                next_span: AtomicU64::new(1),
                next_op: AtomicU64::new(1),
                closed: AtomicBool::new(false),
            }),
        }
    }

    /// Adds somebody of this name that events can concern; returns the number of the lane.
    pub fn add_lane(&self, name: impl Into<String>) -> u32 {
        let number = self.inner.lanes.with(|lanes| {
            lanes.push(name.into());
            lanes.len() - 1
        });
        u32::try_from(number).expect("a run has few lanes")
    }

    /// The names of all lanes.
    pub fn lanes(&self) -> Vec<String> {
        self.inner.lanes.with(|lanes| lanes.clone())
    }

    /// Makes this the session of the caller's world. Does nothing outside a world.
    ///
    /// # Panics
    /// If the world has one already.
    pub fn enter(&self) {
        if let Some(slot) = world::local::<Slot>() {
            let fresh = slot.0.set(self.clone()).is_ok();
            assert!(fresh, "a world is recorded into one session");
        }
    }

    /// Why the run failed, if a verdict was given.
    pub fn verdict(&self) -> Option<Verdict> {
        self.inner.verdict.with(|verdict| verdict.clone())
    }

    /// Fails the run if a verdict was given: the code under test may have caught its panic.
    ///
    /// # Panics
    /// With the verdict's words, if there is one.
    pub fn fail_if_judged(&self) {
        if let Some(verdict) = self.verdict() {
            panic!("{}", verdict.words);
        }
    }

    /// Takes what was recorded out of the session.
    pub fn take(&self) -> Recorded {
        let kept = self.inner.kept.with(|kept| std::mem::replace(kept, Kept::new(self.inner.keep)));
        Recorded { total: kept.total, events: kept.into_events() }
    }

    /// Records something together with a message, which goes into the event's `args` or `reply`.
    ///
    /// Long lists and texts in it are shortened.
    pub fn record_message(
        &self,
        lane: Option<u32>,
        what: What,
        bytes: &[u8],
        shape: &'static Shape,
    ) -> Option<Cause> {
        if self.inner.keep == Keep::Nothing {
            return None;
        }
        self.add(lane, what, Some(Message::new(bytes, shape)))
    }

    /// Changes an event that was recorded before, if it is still kept: its outcome is known now.
    pub fn amend(&self, event: Option<Cause>, change: impl FnOnce(&mut What)) {
        let Some(n) = event.map(Cause::get) else { return };
        self.inner.kept.with(|kept| {
            if let Some(event) = kept.get_mut(n) {
                change(&mut event.what);
            }
        });
    }

    /// True if the server of this lane has said what it is.
    pub fn knows_state_of(&self, lane: u32) -> bool {
        self.inner.stated.with(|stated| stated.contains_key(&lane))
    }

    /// Records something that concerns the server of this lane, or none in particular.
    pub fn record(&self, lane: Option<u32>, what: What) -> Option<Cause> {
        if self.keeps_events() { self.add(lane, what, None) } else { None }
    }

    /// The run is over: nothing that happens from here on is recorded.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Relaxed);
    }

    /// True if it keeps events.
    pub fn keeps_events(&self) -> bool {
        self.inner.keep != Keep::Nothing
    }

    /// The number of the lane that is called like the node.
    pub(crate) fn lane_of(&self, node: &Node) -> Option<u32> {
        let place = |lanes: &mut Vec<String>| lanes.iter().position(|lane| lane == node.name());
        u32::try_from(self.inner.lanes.with(place)?).ok()
    }

    /// A number for an operation of a client that is about to begin.
    pub fn next_op(&self) -> u64 {
        self.inner.next_op.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn next_span(&self) -> u64 {
        self.inner.next_span.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn add(
        &self,
        lane: Option<u32>,
        mut what: What,
        message: Option<Message>,
    ) -> Option<Cause> {
        // What destructors still do is not part of the run.
        if self.inner.closed.load(Ordering::Relaxed) || observe::is_ending() {
            return None;
        }
        if let (Some(lane), What::State(state)) = (lane, &what)
            && !self.is_news(lane, state)
        {
            return None;
        }
        shorten(&mut what);
        let us = now_us();
        let task = thread::name().as_deref().unwrap_or("").to_string();
        let cause = observe::cause().map(Cause::get);
        let n = self.inner.kept.with(|kept| {
            let n = kept.total + 1;
            kept.push(Event { n, us, lane, task, cause, what }, message);
            n
        });
        Cause::new(n)
    }

    /// Whether a server says anything about itself that it has not said.
    fn is_news(&self, lane: u32, state: &State) -> bool {
        let now = State { log: None, ..state.clone() };
        let before = self.inner.stated.with(|stated| stated.insert(lane, now));
        before.is_none_or(|before| before != *state)
    }
}

/// Cuts off long texts.
fn shorten(what: &mut What) {
    match what {
        What::Note { text, .. } | What::End { text, .. } => trace::cut(text, LONGEST_TEXT),
        What::Begin { name, .. } => trace::cut(name, LONGEST_TEXT),
        What::Called { text, .. } | What::Answered { text, .. } => {
            trace::cut(text, LONGEST_OPERATION);
        }
        What::Violation { verdict } => verdict.shorten(LONGEST_TEXT),
        _ => {}
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.keep != Keep::Nothing {
            RECORDING.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("keep", &self.inner.keep).finish_non_exhaustive()
    }
}
