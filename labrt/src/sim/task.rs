//! What a simulated world knows of a task: what it is, where it is, and what it waits for.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::op::Op;
use crate::node::Node;
use crate::observe::Cause;
use crate::sync::{Kinds, Takers};

/// A place in source code, for reports.
pub(crate) type At = &'static Location<'static>;

/// What a task runs. Panics are caught inside; the result is the words of one, if there was one.
pub(crate) type Body = Box<dyn FnOnce() -> Option<String> + Send>;

/// What a task can wait on. Addresses serve to find a waiter, never to order anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// An object in memory (it cannot move while somebody waits on it).
    Object(usize),
    /// The second queue of an object that has two (a channel's senders).
    Second(usize),
    /// The end of the task with this serial number.
    Exit(u64),
}

impl Key {
    pub(crate) fn of<T: ?Sized>(object: &T) -> Key {
        Key::Object(std::ptr::from_ref(object).cast::<()>() as usize)
    }

    pub(crate) fn second_of<T: ?Sized>(object: &T) -> Key {
        Key::Second(std::ptr::from_ref(object).cast::<()>() as usize)
    }
}

/// What a task waits for that wants to send into a full channel.
pub(crate) const ROOM: &str = "room in a channel";

/// What a task waits for that wants to write what a lock guards.
pub(crate) const TO_WRITE: &str = "a RwLock (to write)";

/// What a blocked task waits for, in words, for the deadlock report.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) what: &'static str,
    /// The type of what is locked or sent; empty if there is none.
    pub(crate) type_name: &'static str,
    pub(crate) at: At,
    /// The task that has to receive first, as far as that is known.
    pub(crate) receiver: Option<Receives>,
}

/// A task that has received from a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receives {
    pub(crate) task: u64,
    /// How many tasks it had started by then: one that it has started since may have the receiver.
    started_others: u64,
}

impl Receives {
    /// That this task receives now.
    pub(super) fn of(task: &Task) -> Receives {
        Receives { task: task.serial, started_others: task.started_others }
    }

    /// Whether this is the task that receives, as it seems.
    pub(super) fn is(&self, task: &Task) -> bool {
        (self.task, self.started_others) == (task.serial, task.started_others)
    }
}

impl Waiting {
    pub(crate) fn new(what: &'static str, type_name: &'static str, at: At) -> Waiting {
        Waiting { what, type_name, at, receiver: None }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if self.type_name.is_empty() { Ok(()) } else { write!(f, " of {}", self.type_name) }
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Notified,
    TimedOut,
}

pub(crate) enum Status {
    /// Has the turn, or waits for it.
    Ready,
    Blocked {
        key: Option<Key>,
        waiting: Waiting,
        /// When the wait began.
        since: Duration,
    },
}

/// A lock some task holds.
pub(crate) struct Held {
    pub(crate) key: Key,
    pub(crate) at: At,
    /// Others may hold it too: a share of a lock.
    pub(crate) shared: bool,
    /// See [`Takers::number`].
    pub(crate) number: u64,
    /// What kinds of tasks had wanted it.
    pub(crate) wanted_by: Kinds,
    /// It is a share of a lock that nobody had wanted for himself alone.
    pub(crate) harmless: bool,
}

/// Names a task: slots are used again, serial numbers are not.
#[derive(Clone, Copy)]
pub(crate) struct TaskId {
    pub(super) slot: usize,
    pub(crate) serial: u64,
}

pub(crate) struct Task {
    pub(crate) serial: u64,
    pub(crate) name: Arc<str>,
    pub(crate) node: Option<Node>,
    pub(crate) status: Status,
    pub(crate) held: Vec<Held>,
    /// Where it was started.
    pub(crate) started: At,
    /// Where it last called into this crate.
    pub(crate) last: At,
    pub(super) body: Option<Body>,
    pub(super) woken: Woken,
    /// The key whose notification made it ready, until it has the turn.
    pub(super) notified: Option<Key>,
    /// The timer of its wait; 0 if it has none.
    pub(super) timer: u64,
    /// When that is due.
    pub(super) due: Duration,
    /// The heap's entry for it; all others of its slot are void.
    pub(super) queued: Queued,
    /// A panic is unwinding its stack: it is not ended a second time, and its destructors may
    /// lock, wait and sleep like any other code.
    pub(super) unwinding: bool,
    /// How often it has caught the panic that ends it.
    pub(super) caught_kills: u32,
    /// How many tasks it has started.
    pub(super) started_others: u64,
    /// It runs code that no pause of a node holds up.
    pub(super) unpaused: bool,
    /// It is a handler: somebody waits for what it does.
    pub(super) serving: bool,
    /// Its panics since it was last seen not to be unwinding, noted by the panic hook. All but the
    /// first began in a destructor that the first one runs.
    pub(super) panics: Vec<PanicBegun>,
    /// What led to what it is doing; see [`crate::observe`].
    pub(crate) cause: Option<Cause>,
    /// The cause of the task that woke it last.
    pub(super) woken_by: Option<Cause>,
}

/// What is known when a panic begins.
pub(super) struct PanicBegun {
    pub(super) words: String,
    /// Where.
    pub(super) at: Option<String>,
    /// The task's title at that moment: it may panic as the guest of another node.
    pub(super) title: String,
    /// Tasks that had long waited for a lock.
    pub(super) waits: Vec<String>,
}

impl Task {
    /// One that has not begun; what led to it is what led to who starts it.
    pub(super) fn new(
        serial: u64,
        name: Arc<str>,
        node: Option<Node>,
        body: Body,
        at: At,
        cause: Option<Cause>,
    ) -> Task {
        Task {
            serial,
            name,
            node,
            status: Status::Ready,
            held: Vec::new(),
            started: at,
            last: at,
            body: Some(body),
            woken: Woken::Notified,
            notified: None,
            timer: 0,
            due: Duration::ZERO,
            queued: Queued::default(),
            unwinding: false,
            caught_kills: 0,
            started_others: 0,
            unpaused: false,
            serving: false,
            panics: Vec::new(),
            cause,
            woken_by: None,
        }
    }

    /// It is not being unwound any more.
    pub(super) fn unwound(&mut self) {
        self.unwinding = false;
        self.panics.clear();
    }

    /// It holds the lock `key` from here on.
    pub(super) fn take(&mut self, key: Key, op: Op, at: At, takers: &Takers) {
        match self.serving {
            true => takers.add_handler(),
            false => takers.add(self.started),
        }
        let shared = op == Op::Read;
        if !shared {
            takers.add_alone();
        }
        let (number, wanted_by) = (takers.number(), takers.are());
        let harmless = shared && !takers.any_alone();
        self.held.push(Held { key, at, shared, number, wanted_by, harmless });
    }

    /// It does not hold the lock `key` any more, taken last.
    pub(super) fn release(&mut self, key: Key) {
        if let Some(place) = self.held.iter().rposition(|held| held.key == key) {
            self.held.swap_remove(place);
        }
    }

    /// True if nothing but a notification can end its wait.
    pub(super) fn waits_without_limit(&self) -> bool {
        self.timer == 0 && matches!(self.status, Status::Blocked { .. })
    }
}

/// What a task knows of its entry in the heap of timers.
#[derive(Default)]
pub(super) struct Queued {
    /// Its number: that of the timer it was made for. 0 if there is no entry.
    pub(super) id: u64,
    pub(super) at: Duration,
}
