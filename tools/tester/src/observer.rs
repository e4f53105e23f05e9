//! What the network tells: each step of each call, for the trace and for those who watch a group.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{CallEvent, CallStep, Leg, Loss, Message, Name, Observer};
use labrt::observe::{self, Cause};
use labrt::sync::Leaf;
use labtrace::{Fact, What};
use persister::Persister;
use run_record::coverage::Coverage;
use run_record::setting::Trouble;
use run_record::situations::Situations;
use run_record::trace;
use rustc_hash::FxHashMap;

use crate::run::Run;
use crate::saves::SaveCount;

/// Sees the servers of a group from outside: when they come and go, and each step of each call
/// between them and from clients to them. It makes no step of a simulated run and takes no part in it.
///
/// It sees what it has a method for, and nothing else.
pub trait Watcher: Send + Sync {
    /// A new instance of a server is about to be made; the first one has number 1. This is what it
    /// saves to, and how often it has done so.
    fn starting(
        &self,
        _server: usize,
        _instance: u64,
        _persister: &Arc<dyn Persister>,
        _saves: &SaveCount,
    ) {
    }

    /// An instance of a server has saved something, on the calling task. It is saved, but the server has
    /// not heard so yet. As in [`call`](Watcher::call), a panic fails the run.
    fn saved(&self, _server: usize, _instance: u64) {}

    /// An instance of a server has crashed in the middle of a save, on the calling task; `kept`: what it was about
    /// to save is there all the same. That it has crashed is told when it has left the network.
    fn torn(&self, _server: usize, _kept: bool) {}

    /// A server has crashed: what it does from here on does not count, and what it saves is lost. While this
    /// runs it can save nothing, so it must neither wait nor call the server.
    fn crashed(&self, _server: usize) {}

    /// A server does nothing from now on (or goes on), though it has not crashed.
    fn paused(&self, _server: usize, _paused: bool) {}

    /// The clock of a server that is about to be made runs at so many thousandths of the usual speed.
    fn has_clock(&self, _server: usize, _thousandths: u32) {}

    /// What one server sends to another one reaches it from now on (or does not), should both run. It is told
    /// again and again, also if nothing has changed.
    fn way(&self, _from: usize, _to: usize, _open: bool) {}

    /// Something happens to a call from one server of the group to another, on the calling task and
    /// after it was recorded.
    ///
    /// A panic in it is a panic of the task and fails the run, which is how a rule fails it.
    fn call(&self, _call: &Call<'_>) {}

    /// The same of a call from a client to a server of the group.
    fn client_call(&self, _call: &ClientCall<'_>) {}

    /// What stands in the way of those who wait, at this moment of the run in microseconds. It is asked
    /// when the run has come to its time limit, and after its end: nothing is told in between.
    fn obstacles(&self, _us: u64) -> Obstacles {
        Obstacles::default()
    }

    /// Which situations its servers came into, and how often.
    fn situations(&self) -> Situations {
        Situations::new()
    }

    /// What was seen, for a search that wants to know whether a run is like another one.
    ///
    /// It is asked only in a run that [wants coverage](crate::Run::wants_coverage), which is known from the beginning.
    fn coverage(&self) -> Coverage {
        Coverage::default()
    }

    /// Which rules could not be judged, and why, in a sentence for each reason.
    fn not_judged(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What stands in the way of a run that makes no progress, as facts of a verdict. These are no
/// accusations: each may be in order by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// What clients wait for, and at whom. It comes before all that is said of servers.
    pub clients: Vec<Fact>,
    /// What is known of the servers. What stands in the way most comes first.
    pub servers: Vec<Fact>,
    /// The usual cause, if it is known better than from that the run has come to its time limit.
    pub hint: Option<String>,
}

/// A step of a call between two servers of a group.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The server that calls.
    pub from: usize,
    /// Which instance of it.
    pub instance: u64,
    /// The server that is called.
    pub to: usize,
    /// What happens.
    pub event: &'a CallEvent<'a>,
}

/// A step of a call from a client to a server of a group.
#[derive(Clone, Copy, Debug)]
pub struct ClientCall<'a> {
    /// The client's [number](crate::Client::number).
    pub client: u64,
    /// The server that is called.
    pub to: usize,
    /// What happens.
    pub event: &'a CallEvent<'a>,
}

/// Whose an end is.
#[derive(Clone, Copy)]
pub(crate) enum Party {
    Server(Member),
    Client(Caller),
}

impl Party {
    fn lane(self) -> u32 {
        match self {
            Party::Server(member) => member.lane,
            Party::Client(caller) => caller.lane,
        }
    }
}

/// A client.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) lane: u32,
    pub(crate) number: u64,
}

/// A server of a group.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) lane: u32,
    /// The number of its group.
    pub(crate) group: usize,
    /// Its number in the group.
    pub(crate) server: usize,
    /// Which instance of it, of an end.
    pub(crate) instance: u64,
}

/// Who is who on the network.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) ends: FxHashMap<Name, Party>,
    pub(crate) servers: FxHashMap<Name, Member>,
    /// By group.
    pub(crate) watchers: Vec<Watchers>,
    /// How many clients there have been.
    pub(crate) clients: u64,
}

/// All that watch one group.
pub(crate) type Watchers = Arc<[Arc<dyn Watcher>]>;

/// The two sides of a call, and who watches the group of the server that is called.
struct Sides {
    from: Option<Party>,
    to: Option<Member>,
    watchers: Option<Watchers>,
}

impl Book {
    fn sides(&self, event: &CallEvent<'_>) -> Sides {
        let from = self.ends.get(event.end).copied();
        let to = event.server.and_then(|name| self.servers.get(name)).copied();
        let watchers = from.zip(to).and_then(|(from, to)| match from {
            Party::Server(from) if from.group != to.group => None,
            _ => Some(self.watchers[to.group].clone()),
        });
        Sides { from, to, watchers }
    }
}

impl Sides {
    /// Tells those who watch.
    fn tell(&self, event: &CallEvent<'_>) {
        let (Some(from), Some(to), Some(watchers)) = (self.from, self.to, &self.watchers) else {
            return;
        };
        let to = to.server;
        for watcher in watchers.iter() {
            match from {
                Party::Server(Member { server, instance, .. }) => {
                    watcher.call(&Call { from: server, instance, to, event });
                }
                Party::Client(Caller { number, .. }) => {
                    watcher.client_call(&ClientCall { client: number, to, event });
                }
            }
        }
    }
}

/// Tells the trace and the watchers of what happens to calls.
pub(crate) struct Sight {
    run: Run,
    book: Arc<Leaf<Book>>,
}

impl Sight {
    pub(crate) fn new(run: Run, book: Arc<Leaf<Book>>) -> Sight {
        Sight { run, book }
    }

    /// Records a step, if the run is recorded.
    fn record(&self, event: &CallEvent<'_>, sides: &Sides) -> Option<Cause> {
        let session = self.run.session();
        if !session.keeps_events() {
            return None;
        }
        let call = event.call;
        let (from, to) = (sides.from.map(Party::lane), sides.to.map(|member| member.lane));
        let message = |lane: u32, what: What, message: Message<'_>| {
            session.record_message(Some(lane), what, message.bytes(), message.shape())
        };
        match event.step {
            CallStep::Sent { args, .. } => message(from?, sent(event, to?, args), args),
            CallStep::Replied(reply) => message(to?, replied(call, reply), reply),
            CallStep::Delivered => session.record(to, What::Delivered { call }),
            CallStep::Delayed(by) => {
                session.record(from, What::Delayed { call, by_us: micros(by) })
            }
            CallStep::RepliedAgain(reply) => message(to?, replied_again(call, reply), reply),
            CallStep::Duplicated(by) => {
                session.record(from, What::Duplicated { call, by_us: micros(by) })
            }
            CallStep::DeliveredAgain => session.record(to, What::DeliveredAgain { call }),
            CallStep::Late(by) => session.record(to, What::Late { call, by_us: micros(by) }),
            CallStep::Lost { leg, why, fails_after } => {
                let lane = if leg == Leg::Request { from } else { to };
                session.record(lane, lost(call, leg, why, fails_after))
            }
            CallStep::Returned => session.record(from, What::Returned { call }),
            CallStep::Failed => session.record(from, What::Failed { call }),
            _ => None,
        }
    }

    fn count(&self, step: CallStep<'_>) {
        match step {
            CallStep::Delayed(_) => self.run.count(Trouble::Delays),
            CallStep::Late(_) => self.run.count(Trouble::Reorders),
            CallStep::Duplicated(_) => self.run.count(Trouble::Duplicates),
            CallStep::Lost { why: Loss::Dropped, .. } => self.run.count(Trouble::Losses),
            _ => {}
        }
    }
}

impl Observer for Sight {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        let sides = self.book.with(|book| book.sides(event));
        self.count(event.step);
        let cause = self.record(event, &sides);
        // What destructors still do is not part of the run.
        if !observe::is_ending() {
            sides.tell(event);
        }
        cause
    }
}

fn sent(event: &CallEvent<'_>, to: u32, args: Message<'_>) -> What {
    What::Sent {
        call: event.call,
        to,
        method: event.method.to_string(),
        args: serde_json::Value::Null,
        bytes: args.bytes().len() as u64,
    }
}

fn replied(call: u64, reply: Message<'_>) -> What {
    What::Replied { call, reply: serde_json::Value::Null, bytes: reply.bytes().len() as u64 }
}

fn replied_again(call: u64, reply: Message<'_>) -> What {
    let bytes = reply.bytes().len() as u64;
    What::RepliedAgain { call, reply: serde_json::Value::Null, bytes }
}

fn lost(call: u64, leg: Leg, why: Loss, fails_after: Duration) -> What {
    let leg = match leg {
        Leg::Request => trace::Leg::Request,
        Leg::Reply => trace::Leg::Reply,
    };
    let why = match why {
        Loss::Dropped => trace::Loss::Dropped,
        Loss::Disabled => trace::Loss::Disconnected,
        Loss::NoServer => trace::Loss::NoServer,
        Loss::Gone => trace::Loss::Gone,
        Loss::CleanedUp => trace::Loss::Ended,
        Loss::NoWayBack => trace::Loss::NoWayBack,
        _ => trace::Loss::Unanswered,
    };
    What::Lost { call, leg, why, fails_us: micros(fails_after) }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
