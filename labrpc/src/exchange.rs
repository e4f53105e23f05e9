//! What becomes of each call.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use labrt::node;
use labrt::observe::{self, Witness};
use labrt::rng::{self, Stream};
use labrt::sync::Leaf;
use labrt::thread::{self, Pool};
use labrt::time::Instant;

use crate::call::{Call, Calls, Done, Stage, Target, crowds, running};
use crate::copies::{Copies, Copy, CopyId};
use crate::ends::{EndId, EndRef, Ends};
use crate::faults::{self, Conditions, FaultCounts, Faults, ReplyFate};
use crate::name::Name;
use crate::observer::{self, CallStep, Label, Leg, Loss, Observer, Watch};
use crate::reply::{Answers, RawReply};
use crate::request::{Answer, CallId, Request};
use crate::server::Server;
use crate::timers::{Due, Timers};

/// What all handles of a network share: its ends and servers, and the calls under way.
pub(crate) struct Exchange {
    pub(crate) state: Leaf<State>,
    timers: Arc<Timers>,
    pool: Pool,
    watch: OnceLock<Watch>,
    itself: Weak<Exchange>,
}

/// What a network is at some moment.
pub(crate) struct State {
    pub(crate) faults: Faults,
    pub(crate) fault_counts: FaultCounts,
    pub(crate) conditions: Conditions,
    pub(crate) rng: Stream,
    pub(crate) ends: Ends,
    // Before the servers, which may wait for them when they are dropped.
    pub(crate) calls: Calls,
    pub(crate) copies: Copies,
    pub(crate) servers: BTreeMap<Name, Server>,
    pub(crate) total_count: u64,
    pub(crate) total_bytes: u64,
    pub(crate) cleaned_up: bool,
}

impl State {
    /// The server that an end reaches, or why it reaches none.
    fn target(&self, end: EndId) -> Result<Target, Loss> {
        let end = self.ends.get(end).filter(|end| end.enabled).ok_or(Loss::Disabled)?;
        let name = end.server.as_ref().ok_or(Loss::Disabled)?;
        let server = self.servers.get(name).ok_or(Loss::NoServer)?.clone();
        Ok(Target { name: name.clone(), server })
    }

    /// True if a call that an end made to this server object can still be answered.
    fn can_answer(&self, end: EndId, target: &Target) -> bool {
        self.ends.get(end).is_some_and(|end| end.enabled) && self.is_there(target)
    }

    /// True if this server object has not left the network.
    fn is_there(&self, target: &Target) -> bool {
        self.servers.get(&target.name).is_some_and(|server| server.same(&target.server))
    }

    /// How much longer a message from or to an end takes than others.
    fn slowness(&mut self, end: EndId) -> Duration {
        let range = self.ends.get(end).map_or((0, 0), |end| end.slowness);
        faults::micros(range, &mut self.rng)
    }

    /// Perhaps makes a copy of a request that reaches its server now: when it comes there, and which.
    fn copy(
        &mut self,
        request: &Request,
        target: &Target,
        label: &Option<Arc<Label>>,
    ) -> Option<(Duration, CopyId)> {
        let later = self.faults.copy(&mut self.rng, &mut self.fault_counts)?;
        let (request, target, label) = (request.clone(), target.clone(), label.clone());
        Some((later, self.copies.insert(Copy { request, target, label })))
    }
}

/// What is to be done about a call, outside of the lock.
enum Next {
    Run(Run),
    /// Starts the handler once more.
    RunCopy(Copy),
    Wait(Duration, Due, Pause, Option<Arc<Label>>),
    /// The whole call, so that what it holds is dropped outside of the lock: the last reference to a
    /// server may be among it, and with it goes code of the server's own. If it was just lost: why.
    Finish(Call, Answer, Option<Loss>),
    /// Drops a copy outside of the lock.
    Drop(Copy),
    Nothing,
}

/// A handler to be started.
struct Run {
    call: CallId,
    request: Request,
    server: Server,
    label: Option<Arc<Label>>,
    /// If the call cannot be answered any more, though the handler runs all the same: when that is to be
    /// noticed.
    check_at: Option<Instant>,
    /// How much later the request comes once more, and which copy that is.
    copy: Option<(Duration, CopyId)>,
}

/// Why a call waits, for the observer.
#[derive(Clone, Copy)]
enum Pause {
    /// The request is lost; the caller will hear of it at the end of the wait.
    Lost(Loss),
    /// It is on its way, which is nothing to speak of.
    Travels,
    RequestDelayed,
    ReplyLate,
    /// The reply is lost on its way back; the caller will hear of it at the end of the wait.
    ReplyCut,
}

impl Pause {
    fn step(self, delay: Duration) -> Option<CallStep<'static>> {
        match self {
            Pause::Lost(why) => Some(CallStep::Lost { leg: Leg::Request, why, fails_after: delay }),
            Pause::Travels => None,
            Pause::RequestDelayed => Some(CallStep::Delayed(delay)),
            Pause::ReplyLate => Some(CallStep::Late(delay)),
            Pause::ReplyCut => {
                let (leg, why) = (Leg::Reply, Loss::NoWayBack);
                Some(CallStep::Lost { leg, why, fails_after: delay })
            }
        }
    }
}

impl Exchange {
    /// A network without ends and servers.
    pub(crate) fn new() -> Arc<Exchange> {
        let state = State {
            faults: Faults::default(),
            fault_counts: FaultCounts::default(),
            conditions: Conditions::default(),
            rng: rng::stream("labrpc network"),
            ends: Ends::default(),
            calls: Calls::default(),
            copies: Copies::default(),
            servers: BTreeMap::new(),
            total_count: 0,
            total_bytes: 0,
            cleaned_up: false,
        };
        let network = Arc::new_cyclic(|itself| Exchange {
            state: Leaf::new(state),
            timers: Arc::default(),
            pool: Pool::new("labrpc"),
            watch: OnceLock::new(),
            itself: itself.clone(),
        });
        let witness: Weak<Exchange> = network.itself.clone();
        observe::add_witness(witness);
        network
    }

    /// Has an observer told of everything; false if there is one already.
    pub(crate) fn watch(&self, observer: Box<dyn Observer>) -> bool {
        self.watch.set(Watch::new(observer)).is_ok()
    }

    /// Ends all calls, and every later one at once; forgets the servers.
    pub(crate) fn cleanup(&self) {
        let (calls, copies, servers) = self.state.with(|state| {
            state.cleaned_up = true;
            let (calls, copies) = (state.calls.take_all(), state.copies.take_all());
            (calls, copies, std::mem::take(&mut state.servers))
        });
        node::outside(|| {
            self.timers.close();
            for call in calls {
                self.finish(call, Answer::NoReply, Some(Loss::CleanedUp));
            }
        });
        // Last, since a server may wait in its destructor for a task of its own that makes a call.
        drop((copies, servers));
    }

    /// Has calls whose handler runs looked at, when their next regular look is due.
    pub(crate) fn check_running(&self, concerned: impl Fn(EndId, &Target) -> bool) {
        node::outside(|| self.schedule_checks(concerned));
    }

    fn schedule_checks(&self, concerned: impl Fn(EndId, &Target) -> bool) {
        let now = Instant::of_world();
        let checks = self.state.with(|state| {
            let every = state.faults.liveness_check;
            let running = running(&state.calls);
            let concerned = running.filter(|(_, end, target, _)| concerned(*end, target));
            let next = concerned.map(|(id, _, _, since)| {
                let looks = (now - since).as_nanos() / every.as_nanos().max(1) + 1;
                let after = every.checked_mul(u32::try_from(looks).unwrap_or(u32::MAX));
                // What lies too far ahead is never looked at.
                let at = after.and_then(|after| since.checked_add(after))?;
                Some((at, Due::Check(id)))
            });
            next.flatten().collect::<Vec<_>>()
        });
        for (at, due) in checks {
            self.schedule(at, due);
        }
    }

    /// Makes a call; `done` is called when it is over.
    #[track_caller]
    pub(crate) fn call(self: &Arc<Self>, end: &EndRef, request: Request, done: Done) {
        let at = Location::caller();
        let now = Instant::of_world();
        let label = self.sent(end, &request);
        let end = end.id;
        let next = self.state.with(|state| {
            state.total_count += 1;
            state.total_bytes += request.args.len() as u64;
            let conditions = state.conditions;
            let (stage, label_of_call) = (Stage::Lost, label.clone());
            let mut call = Call { end, at, conditions, done, stage, label: label_of_call };
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
            let mut fate = faults.request(conditions, rng, fault_counts);
            // What a slow link adds is no delay by the network: it is not counted as one, nor limited.
            let is_delayed = !conditions.reliable && !fate.delay.is_zero();
            fate.delay += state.slowness(end);
            if fate.lost {
                let due = Due::Fail(state.calls.insert(call));
                return Next::Wait(fate.delay, due, Pause::Lost(Loss::Dropped), label);
            }
            if conditions.reliable && fate.delay.is_zero() {
                let (server, copy) = (target.server.clone(), state.copy(&request, &target, &label));
                call.stage = Stage::Running { target, since: now, telling: label.is_some() };
                let (call, check_at) = (state.calls.insert(call), None);
                return Next::Run(Run { call, request, server, label, check_at, copy });
            }
            call.stage = Stage::Requested(request, target);
            let due = Due::Dispatch(state.calls.insert(call));
            let pause = if is_delayed { Pause::RequestDelayed } else { Pause::Travels };
            Next::Wait(fate.delay, due, pause, label)
        });
        self.go_on(next);
    }

    /// Tells the observer, if there is one, of a new call.
    fn sent(&self, end: &EndRef, request: &Request) -> Option<Arc<Label>> {
        let watch = self.watch.get()?;
        let server = self.state.with(|state| state.ends.get(end.id)?.server.clone());
        let label = watch.label((end.name.clone(), server), request.method.clone(), request.types);
        watch.sent(&label, &request.args, request.blocking);
        Some(label)
    }

    /// The observer, if it knows the call.
    fn watched<'a>(&'a self, label: &'a Option<Arc<Label>>) -> Option<(&'a Watch, &'a Label)> {
        Some((self.watch.get()?, label.as_deref()?))
    }

    fn go_on(self: &Arc<Self>, next: Next) {
        match next {
            Next::Run(run) => self.start_handler(run),
            Next::RunCopy(Copy { request, target, label }) => {
                let reply = RawReply::to_copy(self.clone(), label.clone());
                let run = || target.server.dispatch(&self.pool, request, reply);
                self.tell_and_run(&label, CallStep::DeliveredAgain, run);
            }
            Next::Wait(delay, due, pause, label) => {
                if let (Some((watch, label)), Some(step)) =
                    (self.watched(&label), pause.step(delay))
                {
                    watch.tell(label, step);
                }
                node::outside(|| self.schedule_in(delay, due));
            }
            Next::Finish(call, answer, lost) => self.finish(call, answer, lost),
            Next::Drop(copy) => drop(copy),
            Next::Nothing => {}
        }
    }

    fn start_handler(self: &Arc<Self>, run: Run) {
        let Run { call, request, server, label, check_at, copy } = run;
        let reply = RawReply::new(self.clone(), call);
        let cause = self.watched(&label).and_then(|(watch, label)| {
            if let Some((later, _)) = copy {
                watch.tell(label, CallStep::Duplicated(later));
            }
            let cause = watch.tell(label, CallStep::Delivered);
            self.state
                .with(|state| state.calls.get_mut(call).into_iter().for_each(Call::end_telling));
            cause
        });
        node::outside(|| {
            if let Some(at) = check_at {
                self.schedule(at, Due::Check(call));
            }
            observer::led_to(cause, || server.dispatch(&self.pool, request, reply));
            if let Some((later, copy)) = copy {
                self.schedule_in(later, Due::Copy(copy));
            }
        });
    }

    /// Tells the observer, if it knows the call, and runs `f`, which the step leads to.
    fn tell_and_run(&self, label: &Option<Arc<Label>>, step: CallStep<'_>, f: impl FnOnce()) {
        match self.watched(label) {
            Some((watch, label)) => watch.tell_and_run(label, step, f),
            None => f(),
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
        node::outside(|| match done {
            Done::Message(send) => send(answer),
            Done::Function(function, None) => self.pool.run(move || function(answer)),
            Done::Function(function, Some(node)) => self.pool.run(move || {
                // A dead node's functions are dropped.
                let _ = node.enter(|| function(answer));
            }),
        });
    }

    /// Has something performed at this moment.
    ///
    /// A caller's task does this for all, so it is done [outside](node::outside) of its node: if that is killed or
    /// paused half way, the network must not be left with a call that has no timer, or with a timer that nobody
    /// knows of.
    fn schedule(&self, at: Instant, due: Due) {
        if self.timers.schedule(at, due) {
            self.start_timers();
        }
    }

    /// The same after so long. What lies too far ahead never happens.
    fn schedule_in(&self, delay: Duration, due: Due) {
        if let Some(at) = Instant::of_world().checked_add(delay) {
            self.schedule(at, due);
        }
    }

    /// Starts the task that performs what is due.
    fn start_timers(&self) {
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
        let now = Instant::of_world();
        let next = self.state.with(|state| match due {
            Due::Dispatch(id) => dispatch(state, id, now),
            Due::Deliver(id) => deliver(state, id),
            Due::Fail(id) => finish(state, id, Answer::NoReply, None),
            Due::Check(id) => check(state, id),
            Due::Copy(id) => copy_arrives(state, id),
        });
        self.go_on(next);
    }

    /// Runs a short task that belongs to the network.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.pool.run(job);
    }
}

/// Calls that nobody waits for with a task of their own are seen in no other part of a report.
impl Witness for Exchange {
    fn lines(&self) -> Vec<String> {
        self.state.with(|state| crowds(&state.calls))
    }
}

impl Answers for Exchange {
    fn answer(self: Arc<Self>, id: CallId, answer: Answer) {
        if let (Some(watch), Answer::Reply(bytes)) = (self.watch.get(), &answer)
            && let Some(label) = self.state.with(|state| state.calls.get_mut(id)?.begin_telling())
        {
            watch.replied(&label, bytes);
        }
        let (next, _target) = self.state.with(|state| match answer {
            Answer::Reply(bytes) => reply(state, id, bytes),
            other => (finish(state, id, other, Some(Loss::Unanswered)), None),
        });
        self.go_on(next);
    }

    fn answer_copy(self: Arc<Self>, label: Option<Arc<Label>>, answer: Answer) {
        if let (Some((watch, label)), Answer::Reply(bytes)) = (self.watched(&label), answer) {
            watch.replied_again(label, &bytes);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.timers.close();
    }
}

fn dispatch(state: &mut State, id: CallId, now: Instant) -> Next {
    let Some(call) = state.calls.get_mut(id) else { return Next::Nothing };
    match std::mem::replace(&mut call.stage, Stage::Lost) {
        Stage::Requested(request, target) => {
            let (server, end, label) = (target.server.clone(), call.end, call.label.clone());
            let telling = label.is_some();
            call.stage = Stage::Running { target: target.clone(), since: now, telling };
            // What cut it off while the request was under way could not be noticed then.
            let cut_off = !state.can_answer(end, &target);
            let check_at = cut_off.then(|| now.checked_add(state.faults.liveness_check)).flatten();
            let copy = state.copy(&request, &target, &label);
            Next::Run(Run { call: id, request, server, label, check_at, copy })
        }
        _ => unreachable!("a request is dispatched once"),
    }
}

/// A copy goes to the very server that its request has reached, or to none.
fn copy_arrives(state: &mut State, id: CopyId) -> Next {
    match state.copies.remove(id) {
        Some(copy) if state.is_there(&copy.target) => Next::RunCopy(copy),
        Some(copy) => Next::Drop(copy),
        None => Next::Nothing,
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
    if !state.ends.get(end).is_some_and(|end| end.way_back) {
        let delay = state.faults.unreachable(conditions, &mut state.rng);
        return (Next::Wait(delay, Due::Fail(id), Pause::ReplyCut, label), Some(target));
    }
    let slowness = state.slowness(end);
    let State { faults, rng, fault_counts, .. } = state;
    let next = match faults.reply(conditions, rng, fault_counts) {
        ReplyFate::Delivered => match faults.travel(rng) + slowness {
            Duration::ZERO => deliver(state, id),
            delay => Next::Wait(delay, Due::Deliver(id), Pause::Travels, label),
        },
        ReplyFate::Late(delay) => {
            let delay = delay.saturating_add(slowness);
            Next::Wait(delay, Due::Deliver(id), Pause::ReplyLate, label)
        }
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
    let Stage::Running { target, telling, .. } = &call.stage else { return Next::Nothing };
    let (end, target, telling) = (call.end, target.clone(), *telling);
    match state.can_answer(end, &target) {
        true => Next::Nothing,
        // An observer is told first that the request arrives and what is answered, then of the call's end.
        false if telling => {
            Next::Wait(state.faults.liveness_check, Due::Check(id), Pause::Travels, None)
        }
        false => finish(state, id, Answer::NoReply, Some(Loss::Gone)),
    }
}

fn finish(state: &mut State, id: CallId, answer: Answer, lost: Option<Loss>) -> Next {
    match state.calls.remove(id) {
        Some(call) => Next::Finish(call, answer, lost),
        None => Next::Nothing,
    }
}
