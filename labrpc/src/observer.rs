//! Watching a network: what becomes of each call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use labgob::{Peek, Shape, View};
use labrt::observe::{self, Cause};

use crate::kept::KeptRequest;
use crate::name::Name;
use crate::request::{GobType, MethodType};

/// Sees everything that happens to the calls of a network, for traces and checkers. See
/// [`Network::watch`](crate::Network::watch).
pub trait Observer: Send + Sync {
    /// Something happens to a call, on the calling task; outside of every lock of the network.
    ///
    /// What it returns counts as the cause of what follows (see [`labrt::observe`]): of what the
    /// handler does after [`CallStep::Delivered`], and of what the caller does after
    /// [`CallStep::Returned`] and [`CallStep::Failed`]. Elsewhere it is ignored.
    ///
    /// It must neither block nor make a call. A panic in it is a panic of the task: in a world it
    /// fails the run, which is how a checker fails it. Elsewhere the call may stay open for ever.
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause>;
}

/// Something happens to a call.
#[derive(Clone, Copy, Debug)]
pub struct CallEvent<'a> {
    /// The call's number: 1 for the first one that the observer sees.
    pub call: u64,
    /// The caller's end.
    pub end: &'a Name,
    /// The server that the end was connected to when the call was made.
    pub server: Option<&'a Name>,
    /// The method's name on the wire, such as `Raft.AppendEntries`.
    pub method: &'a str,
    /// What happens to it.
    pub step: CallStep<'a>,
    pub(crate) label: &'a Label,
}

impl CallEvent<'_> {
    /// A copy of the request, to be made again; none after the first step.
    pub fn keep(&self) -> Option<KeptRequest> {
        let CallStep::Sent { args, .. } = self.step else { return None };
        let (method, types) = (self.label.method.clone(), self.label.types);
        Some(KeptRequest { method, types, args: args.bytes().to_vec() })
    }
}

/// What can happen to a call. The first step is `Sent`, the last `Returned` or `Failed`, but for those of a
/// copy of its request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CallStep<'a> {
    /// The caller makes it.
    Sent {
        /// The arguments.
        args: Message<'a>,
        /// Whether the calling task blocks until it is over.
        blocking: bool,
    },
    /// The network is unreliable and delays the request, which arrives after so long: never zero, and with what
    /// the link takes. A link that is [slow](crate::Network::set_slowness) delays nothing by itself.
    Delayed(Duration),
    /// Request or reply are lost, so the call will fail.
    Lost {
        /// Which of the two.
        leg: Leg,
        /// The rule that decided it.
        why: Loss,
        /// When it will fail, from now on.
        fails_after: Duration,
    },
    /// The request arrives: its handler is about to run.
    Delivered,
    /// The network has made a copy of the request, which arrives so much later.
    Duplicated(Duration),
    /// The copy arrives: the handler is about to run once more.
    DeliveredAgain,
    /// The handler has answered.
    Replied(Message<'a>),
    /// The handler has answered the copy, which nobody hears.
    RepliedAgain(Message<'a>),
    /// The reply waits for so long before it arrives.
    Late(Duration),
    /// The reply reaches the caller.
    Returned,
    /// The caller learns that there will be no reply.
    Failed,
}

/// One of the two messages of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// From the caller to the server.
    Request,
    /// From the server to the caller.
    Reply,
}

/// Why a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// The network is unreliable and dropped it.
    Dropped,
    /// The caller's end is disabled or connected to nothing.
    Disabled,
    /// There is no server of that name.
    NoServer,
    /// Since the request arrived, the end was disabled, or the server deleted or replaced.
    Gone,
    /// The handler gave its right to answer up: it panicked, was killed, or dropped its
    /// [`Reply`](crate::Reply).
    Unanswered,
    /// The network has been cleaned up.
    CleanedUp,
    /// Nothing comes back to the caller's end.
    NoWayBack,
}

/// The arguments or the reply of a call, as they travel.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    ty: GobType,
}

impl<'a> Message<'a> {
    pub(crate) fn new(bytes: &'a [u8], ty: GobType) -> Message<'a> {
        Message { bytes, ty }
    }

    /// Its encoding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its type's name.
    pub fn type_name(&self) -> &'static str {
        self.ty.name
    }

    /// Its type's shape, for those who keep the encoding and look at it later.
    pub fn shape(&self) -> &'static Shape {
        self.ty.shape
    }

    /// Looks into it where it lies.
    pub fn peek(&self) -> Option<Peek<'a>> {
        let (header, value) = self.bytes.split_first_chunk()?;
        let is_whole = u32::from_le_bytes(*header) == self.ty.fingerprint;
        is_whole.then(|| Peek::part(self.ty.shape, value))
    }

    /// What it holds, field by field.
    pub fn view(&self) -> View {
        self.peek().and_then(|peek| peek.view()).unwrap_or(View::Nothing)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.ty.name, self.view())
    }
}

/// What the events of one call have in common.
#[derive(Debug)]
pub(crate) struct Label {
    number: u64,
    end: Name,
    server: Option<Name>,
    method: Arc<str>,
    types: MethodType,
}

/// A network's observer, and how it is told.
pub(crate) struct Watch {
    observer: Box<dyn Observer>,
    calls: AtomicU64,
}

impl Watch {
    pub(crate) fn new(observer: Box<dyn Observer>) -> Watch {
        Watch { observer, calls: AtomicU64::new(0) }
    }

    /// The label of a new call.
    pub(crate) fn label(
        &self,
        (end, server): (Name, Option<Name>),
        method: Arc<str>,
        types: MethodType,
    ) -> Arc<Label> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Arc::new(Label { number, end, server, method, types })
    }

    pub(crate) fn sent(&self, label: &Label, args: &[u8], blocking: bool) {
        let args = Message::new(args, label.types.args);
        self.tell(label, CallStep::Sent { args, blocking });
    }

    pub(crate) fn replied_again(&self, label: &Label, reply: &[u8]) {
        self.tell(label, CallStep::RepliedAgain(Message::new(reply, label.types.reply)));
    }

    pub(crate) fn replied(&self, label: &Label, reply: &[u8]) {
        self.tell(label, CallStep::Replied(Message::new(reply, label.types.reply)));
    }

    /// Tells the observer and returns the cause of what follows.
    pub(crate) fn tell(&self, label: &Label, step: CallStep<'_>) -> Option<Cause> {
        let Label { number, end, server, method, .. } = label;
        let server = server.as_ref();
        let event = CallEvent { call: *number, end, server, method, step, label };
        self.observer.observe(&event)
    }

    /// Tells the observer and runs `f`, which the step leads to.
    pub(crate) fn tell_and_run<R>(
        &self,
        label: &Label,
        step: CallStep<'_>,
        f: impl FnOnce() -> R,
    ) -> R {
        led_to(self.tell(label, step), f)
    }
}

/// Runs `f`, which this cause has led to, if there is one.
pub(crate) fn led_to<R>(cause: Option<Cause>, f: impl FnOnce() -> R) -> R {
    match cause {
        None => f(),
        cause => observe::with_cause(cause, f),
    }
}
