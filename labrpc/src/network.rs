use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use labrt::rng::{self, Stream};
use labrt::sync::Leaf;
use labrt::thread::{self, Pool};
use labrt::time::Instant;

use crate::call::{Answer, Call, CallId, Calls, Done, Request, Stage, Target};
use crate::client::ClientEnd;
use crate::faults::{Conditions, FaultCounts, Faults, ReplyFate};
use crate::name::Name;
use crate::observer::{CallStep, Label, Leg, Loss, Observer, Watch};
use crate::reply::RawReply;
use crate::server::Server;
use crate::timers::{Due, Timers};

/// A network of client ends and servers. Clones are the same network.
///
/// At first it is reliable, without reordering and without long delays. It belongs to the world it
/// was made in and ends with it, or when the last clone, end and handler are gone.
///
/// Go: the type `Network`.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

/// What all handles of a network share.
pub(crate) struct Inner {
    state: Leaf<State>,
    timers: Arc<Timers>,
    pool: Pool,
    watch: OnceLock<Watch>,
    itself: Weak<Inner>,
}

struct State {
    faults: Faults,
    fault_counts: FaultCounts,
    conditions: Conditions,
    rng: Stream,
    ends: Vec<End>,
    end_names: BTreeMap<Name, usize>,
    servers: BTreeMap<Name, Server>,
    calls: Calls,
    total_count: u64,
    total_bytes: u64,
    cleaned_up: bool,
}

struct End {
    name: Name,
    enabled: bool,
    server: Option<Name>,
}

impl State {
    /// The server that an end reaches, or why it reaches none.
    fn target(&self, end: usize) -> Result<Target, Loss> {
        let end = &self.ends[end];
        let name = end.server.as_ref().filter(|_| end.enabled).ok_or(Loss::Disabled)?;
        let server = self.servers.get(name).ok_or(Loss::NoServer)?.clone();
        Ok(Target { name: name.clone(), server })
    }

    /// True if a call that an end made to this server object can still be answered.
    fn can_answer(&self, end: usize, target: &Target) -> bool {
        self.ends[end].enabled
            && self.servers.get(&target.name).is_some_and(|server| server.same(&target.server))
    }
}

/// What is to be done about a call, outside of the lock.
enum Next {
    /// Starts the handler. If the call cannot be answered any more, though the handler runs all the
    /// same: when that is to be noticed.
    Run(CallId, Request, Server, Option<Arc<Label>>, Option<Instant>),
    Wait(Duration, Due, Pause, Option<Arc<Label>>),
    /// The whole call, so that what it holds is dropped outside of the lock: the last reference to a
    /// server may be among it, and with it goes code of the server's own. If it was just lost: why.
    Finish(Call, Answer, Option<Loss>),
    Nothing,
}

/// Why a call waits, for the observer.
#[derive(Clone, Copy)]
enum Pause {
    /// The request is lost; the caller will hear of it at the end of the wait.
    Lost(Loss),
    RequestDelayed,
    ReplyLate,
}

impl Pause {
    fn step(self, delay: Duration) -> CallStep<'static> {
        match self {
            Pause::Lost(why) => CallStep::Lost { leg: Leg::Request, why, fails_after: delay },
            Pause::RequestDelayed => CallStep::Delayed(delay),
            Pause::ReplyLate => CallStep::Late(delay),
        }
    }
}

impl Network {
    /// A network without ends and servers.
    #[expect(clippy::new_without_default, reason = "it starts something, which Default hides")]
    pub fn new() -> Network {
        let state = State {
            faults: Faults::default(),
            fault_counts: FaultCounts::default(),
            conditions: Conditions::default(),
            rng: rng::stream("labrpc network"),
            ends: Vec::new(),
            end_names: BTreeMap::new(),
            servers: BTreeMap::new(),
            calls: Calls::default(),
            total_count: 0,
            total_bytes: 0,
            cleaned_up: false,
        };
        let inner = Arc::new_cyclic(|itself| Inner {
            state: Leaf::new(state),
            timers: Arc::default(),
            pool: Pool::new("labrpc"),
            watch: OnceLock::new(),
            itself: itself.clone(),
        });
        Network { inner }
    }

    /// Ends all calls under way, and every later one at once, with [`NoReply`](crate::NoReply);
    /// forgets the servers.
    ///
    /// A server that holds ends of the network it is on keeps that network alive, and is kept alive
    /// by it: this is what frees them.
    pub fn cleanup(&self) {
        let (calls, servers) = self.inner.state.with(|state| {
            state.cleaned_up = true;
            (state.calls.take_all(), std::mem::take(&mut state.servers))
        });
        self.inner.timers.close();
        drop(servers);
        for call in calls {
            self.inner.finish(call, Answer::NoReply, Some(Loss::CleanedUp));
        }
    }

    /// Has an observer told of everything that happens to the calls made from now on.
    ///
    /// # Panics
    /// If the network has an observer already.
    #[track_caller]
    pub fn watch(&self, observer: impl Observer + 'static) {
        let watch = Watch::new(Box::new(observer));
        assert!(self.inner.watch.set(watch).is_ok(), "the network has an observer already");
    }

    /// A new end, neither enabled nor connected.
    ///
    /// # Panics
    /// If there is an end of this name.
    #[track_caller]
    pub fn make_end(&self, name: impl Into<Name>) -> ClientEnd {
        let name = name.into();
        let place = self.inner.state.with(|state| {
            let place = state.ends.len();
            if state.end_names.contains_key(&name) {
                return None;
            }
            state.ends.push(End { name: name.clone(), enabled: false, server: None });
            state.end_names.insert(name.clone(), place);
            Some(place)
        });
        match place {
            Some(place) => ClientEnd::new(self.inner.clone(), place),
            None => panic!("there is a client end named `{name}` already; each needs its own name"),
        }
    }

    /// Connects an end to the server of this name, which need not exist yet.
    ///
    /// # Panics
    /// If there is no end of this name.
    #[track_caller]
    pub fn connect(&self, end: impl Into<Name>, server: impl Into<Name>) {
        let server = server.into();
        self.change_end(&end.into(), |end| end.server = Some(server));
    }

    /// Enables or disables an end.
    ///
    /// # Panics
    /// If there is no end of this name.
    #[track_caller]
    pub fn enable(&self, end: impl Into<Name>, enabled: bool) {
        let place = self.change_end(&end.into(), |end| end.enabled = enabled);
        if !enabled {
            self.check_running(|end, _| end == place);
        }
    }

    #[track_caller]
    fn change_end(&self, name: &Name, change: impl FnOnce(&mut End)) -> usize {
        let place = self.inner.state.with(|state| {
            let place = *state.end_names.get(name)?;
            change(&mut state.ends[place]);
            Some(place)
        });
        place.unwrap_or_else(|| panic!("there is no client end named `{name}`"))
    }

    /// Adds a server, or replaces the one of this name: calls whose handler the old one runs fail.
    pub fn add_server(&self, name: impl Into<Name>, server: Server) {
        let name = name.into();
        self.inner.state.with(|state| state.servers.insert(name.clone(), server));
        self.check_running(|_, target| target.name == name);
    }

    /// Deletes a server, if there is one of this name: calls whose handler it runs fail.
    pub fn delete_server(&self, name: impl Into<Name>) {
        let name = name.into();
        self.inner.state.with(|state| state.servers.remove(&name));
        self.check_running(|_, target| target.name == name);
    }

    /// Has calls whose handler runs looked at, when their next regular look is due.
    fn check_running(&self, concerned: impl Fn(usize, &Target) -> bool) {
        let now = Instant::now();
        let checks = self.inner.state.with(|state| {
            let every = state.faults.liveness_check;
            let running = state.calls.running();
            let concerned = running.filter(|(_, end, target, _)| concerned(*end, target));
            let next = concerned.map(|(id, _, _, since)| {
                let looks = (now - since).as_nanos() / every.as_nanos().max(1) + 1;
                (since + every * u32::try_from(looks).unwrap_or(u32::MAX), Due::Check(id))
            });
            next.collect::<Vec<_>>()
        });
        for (at, due) in checks {
            let start = self.inner.timers.schedule(at, due);
            self.inner.start_timers(start);
        }
    }

    /// Whether requests arrive at once and nothing is lost. Default: reliable.
    pub fn set_reliable(&self, reliable: bool) {
        self.inner.state.with(|state| state.conditions.reliable = reliable);
    }

    /// Whether many replies are late by 0.2 s and more. Default: no.
    pub fn set_long_reordering(&self, on: bool) {
        self.inner.state.with(|state| state.conditions.long_reordering = on);
    }

    /// Whether calls that reach no server take up to 7 s to fail. Default: no.
    pub fn set_long_delays(&self, on: bool) {
        self.inner.state.with(|state| state.conditions.long_delays = on);
    }

    /// The switches as they are.
    pub fn conditions(&self) -> Conditions {
        self.inner.state.with(|state| state.conditions)
    }

    /// Sets the probabilities and delays of everything that goes wrong.
    ///
    /// # Panics
    /// If a probability is not between 0 and 1, or a range ends before it begins.
    #[track_caller]
    pub fn set_faults(&self, faults: Faults) {
        for probability in [faults.request_loss, faults.reply_loss, faults.reordering] {
            assert!((0.0..=1.0).contains(&probability), "{probability} is no probability");
        }
        let ranges =
            [faults.request_delay, faults.unreachable_delay, faults.unreachable_long_delay];
        for (least, most) in ranges {
            assert!(least <= most, "a delay of {least} to {most} ms is no range");
        }
        self.inner.state.with(|state| state.faults = faults);
    }

    /// How often the network has lost, delayed or held back a message of its own accord.
    pub fn fault_counts(&self) -> FaultCounts {
        self.inner.state.with(|state| state.fault_counts)
    }

    /// How many calls the server of this name has been given.
    ///
    /// # Panics
    /// If there is no server of this name.
    #[track_caller]
    pub fn count(&self, server: impl Into<Name>) -> u64 {
        let name = server.into();
        let count = self.inner.state.with(|state| state.servers.get(&name).map(Server::count));
        count.unwrap_or_else(|| panic!("there is no server named `{name}`"))
    }

    /// How many calls have been made.
    pub fn total_count(&self) -> u64 {
        self.inner.state.with(|state| state.total_count)
    }

    /// How many bytes of arguments were sent and of replies were delivered.
    pub fn total_bytes(&self) -> u64 {
        self.inner.state.with(|state| state.total_bytes)
    }
}

impl Inner {
    /// Makes a call; `done` is called when it is over.
    pub(crate) fn call(self: &Arc<Self>, end: usize, request: Request, done: Done) {
        let now = Instant::now();
        let label = self.sent(end, &request);
        let next = self.state.with(|state| {
            state.total_count += 1;
            state.total_bytes += request.args.len() as u64;
            let conditions = state.conditions;
            let mut call = Call { end, conditions, done, stage: Stage::Lost, label: label.clone() };
            if state.cleaned_up {
                return Next::Finish(call, Answer::NoReply, Some(Loss::CleanedUp));
            }
            let target = match state.target(end) {
                Ok(target) => target,
                Err(why) => {
                    let delay = state.faults.unreachable(conditions, &mut state.rng);
                    let due = Due::Fail(state.calls.insert(call));
                    return Next::Wait(delay, due, Pause::Lost(why), label);
                }
            };
            let State { faults, rng, fault_counts, .. } = state;
            let fate = faults.request(conditions, rng, fault_counts);
            if fate.lost {
                let due = Due::Fail(state.calls.insert(call));
                return Next::Wait(fate.delay, due, Pause::Lost(Loss::Dropped), label);
            }
            if conditions.reliable {
                let server = target.server.clone();
                call.stage = Stage::Running { target, since: now };
                return Next::Run(state.calls.insert(call), request, server, label, None);
            }
            call.stage = Stage::Requested(request, target);
            let due = Due::Dispatch(state.calls.insert(call));
            Next::Wait(fate.delay, due, Pause::RequestDelayed, label)
        });
        self.go_on(next);
    }

    /// Tells the observer, if there is one, of a new call.
    fn sent(&self, end: usize, request: &Request) -> Option<Arc<Label>> {
        let watch = self.watch.get()?;
        let names = self.state.with(|state| {
            let end = &state.ends[end];
            (end.name.clone(), end.server.clone())
        });
        let label = watch.label(names, request.method.clone(), request.types);
        watch.sent(&label, &request.args, request.blocking);
        Some(label)
    }

    /// The observer, if it knows the call.
    fn watched<'a>(&'a self, label: &'a Option<Arc<Label>>) -> Option<(&'a Watch, &'a Label)> {
        Some((self.watch.get()?, label.as_deref()?))
    }

    fn go_on(self: &Arc<Self>, next: Next) {
        match next {
            Next::Run(id, request, server, label, check_at) => {
                if let Some(at) = check_at {
                    let start = self.timers.schedule(at, Due::Check(id));
                    self.start_timers(start);
                }
                let reply = RawReply::new(self.clone(), id);
                let run = || server.dispatch(&self.pool, request, reply);
                match self.watched(&label) {
                    Some((watch, label)) => watch.tell_and_run(label, CallStep::Delivered, run),
                    None => run(),
                }
            }
            Next::Wait(delay, due, pause, label) => {
                if let Some((watch, label)) = self.watched(&label) {
                    watch.tell(label, pause.step(delay));
                }
                let start = self.timers.schedule_after(delay, due);
                self.start_timers(start);
            }
            Next::Finish(call, answer, lost) => self.finish(call, answer, lost),
            Next::Nothing => {}
        }
    }

    /// Tells the caller how the call ended; if the reply was lost just now: why.
    fn finish(&self, call: Call, answer: Answer, lost: Option<Loss>) {
        let Call { done, label, .. } = call;
        let Some((watch, label)) = self.watched(&label) else { return self.tell(done, answer) };
        if let Some(why) = lost {
            let step = CallStep::Lost { leg: Leg::Reply, why, fails_after: Duration::ZERO };
            watch.tell(label, step);
        }
        let last = match &answer {
            Answer::Reply(_) => CallStep::Returned,
            Answer::NoReply | Answer::Misuse(_) => CallStep::Failed,
        };
        watch.tell_and_run(label, last, || self.tell(done, answer));
    }

    /// Tells the caller how its call ended. Whose task this is does not matter: code of the caller's
    /// gets one of its own.
    fn tell(&self, done: Done, answer: Answer) {
        match done {
            Done::Message(send) => send(answer),
            Done::Function(function, None) => self.pool.run(move || function(answer)),
            Done::Function(function, Some(node)) => self.pool.run(move || {
                // A dead node's functions are dropped.
                let _ = node.enter(|| function(answer));
            }),
        }
    }

    /// Starts the task that performs what is due, when the first timer is set.
    fn start_timers(&self, start: bool) {
        if !start {
            return;
        }
        let (timers, network) = (self.timers.clone(), self.itself.clone());
        self.pool.run(move || {
            while let Some(due) = timers.next() {
                let Some(network) = network.upgrade() else { return };
                // An observer's panic fails the run, but must not hold up other calls for ever.
                let _ = thread::Builder::new().run_here(|| network.perform(due));
            }
        });
    }

    fn perform(self: &Arc<Self>, due: Due) {
        let now = Instant::now();
        let next = self.state.with(|state| match due {
            Due::Dispatch(id) => dispatch(state, id, now),
            Due::Deliver(id) => deliver(state, id),
            Due::Fail(id) => finish(state, id, Answer::NoReply, None),
            Due::Check(id) => check(state, id),
        });
        self.go_on(next);
    }

    /// The handler of a call has answered, or given up.
    pub(crate) fn answer(self: &Arc<Self>, id: CallId, answer: Answer) {
        if let (Some(watch), Answer::Reply(bytes)) = (self.watch.get(), &answer)
            && let Some(label) = self.state.with(|state| state.calls.get_mut(id)?.label.clone())
        {
            watch.replied(&label, bytes);
        }
        let (next, _target) = self.state.with(|state| match answer {
            Answer::Reply(bytes) => reply(state, id, bytes),
            other => (finish(state, id, other, Some(Loss::Unanswered)), None),
        });
        self.go_on(next);
    }

    /// Runs a short task that belongs to the network.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.pool.run(job);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.timers.close();
    }
}

fn dispatch(state: &mut State, id: CallId, now: Instant) -> Next {
    let Some(call) = state.calls.get_mut(id) else { return Next::Nothing };
    match std::mem::replace(&mut call.stage, Stage::Lost) {
        Stage::Requested(request, target) => {
            let (server, end, label) = (target.server.clone(), call.end, call.label.clone());
            call.stage = Stage::Running { target: target.clone(), since: now };
            // What cut it off while the request was under way could not be noticed then.
            let cut_off = !state.can_answer(end, &target);
            let check_at = cut_off.then(|| now + state.faults.liveness_check);
            Next::Run(id, request, server, label, check_at)
        }
        _ => unreachable!("a request is dispatched once"),
    }
}

/// Also returns what the call was made to, to be dropped outside of the lock.
fn reply(state: &mut State, id: CallId, bytes: Vec<u8>) -> (Next, Option<Target>) {
    let Some(call) = state.calls.get_mut(id) else { return (Next::Nothing, None) };
    let (end, conditions, label) = (call.end, call.conditions, call.label.clone());
    let Stage::Running { target, .. } = std::mem::replace(&mut call.stage, Stage::Replied(bytes))
    else {
        unreachable!("a reply handle is used up by answering");
    };
    if !state.can_answer(end, &target) {
        return (finish(state, id, Answer::NoReply, Some(Loss::Gone)), Some(target));
    }
    let State { faults, rng, fault_counts, .. } = state;
    let next = match faults.reply(conditions, rng, fault_counts) {
        ReplyFate::Delivered => deliver(state, id),
        ReplyFate::Late(delay) => Next::Wait(delay, Due::Deliver(id), Pause::ReplyLate, label),
        ReplyFate::Lost => finish(state, id, Answer::NoReply, Some(Loss::Dropped)),
    };
    (next, Some(target))
}

fn deliver(state: &mut State, id: CallId) -> Next {
    let Some(mut call) = state.calls.remove(id) else { return Next::Nothing };
    let Stage::Replied(bytes) = std::mem::replace(&mut call.stage, Stage::Lost) else {
        unreachable!("only a reply is delivered")
    };
    state.total_bytes += bytes.len() as u64;
    Next::Finish(call, Answer::Reply(bytes), None)
}

fn check(state: &mut State, id: CallId) -> Next {
    let Some(call) = state.calls.get_mut(id) else { return Next::Nothing };
    let Stage::Running { target, .. } = &call.stage else { return Next::Nothing };
    let (end, target) = (call.end, target.clone());
    match state.can_answer(end, &target) {
        true => Next::Nothing,
        false => finish(state, id, Answer::NoReply, Some(Loss::Gone)),
    }
}

fn finish(state: &mut State, id: CallId, answer: Answer, lost: Option<Loss>) -> Next {
    match state.calls.remove(id) {
        Some(call) => Next::Finish(call, answer, lost),
        None => Next::Nothing,
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.state.with(|state| {
            f.debug_struct("Network")
                .field("ends", &state.end_names.keys().collect::<Vec<_>>())
                .field("servers", &state.servers.keys().collect::<Vec<_>>())
                .field("conditions", &state.conditions)
                .finish_non_exhaustive()
        })
    }
}
