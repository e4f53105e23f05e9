//! What the network tells the watch: each step of each call.

use std::time::Duration;

use labrpc::{CallEvent, CallStep, Leg, Loss, Message, Name, Observer};
use labrt::observe::{self, Cause};
use labtrace::{Role, What};
use run_record::setting::Trouble;
use run_record::trace;

use super::judge::{Checked, Means, Sent};
use super::understanding::{Encoded, Part, Request};
use super::{State, Watch, lane, locks};

impl Watch {
    fn sent(&self, event: &CallEvent<'_>, args: Message<'_>, blocking: bool) -> Option<Cause> {
        let call = event.call;
        let (from, instance) = self.inner.state.with(|state| state.ends.get(event.end).copied())?;
        let to = number(event.server)?;
        let what = || What::Sent {
            call,
            to: lane(to),
            method: event.method.to_string(),
            args: serde_json::Value::Null,
            bytes: args.bytes().len() as u64,
        };
        let cause = self.record_message(from, what, args);
        if blocking {
            locks::check(from, event.method);
        }
        let us = labtrace::now_us();
        let mut inferred = None;
        self.check("", event, |state| {
            let request = state.understanding.request(event.method, encoded(args));
            inferred = match &request {
                Request::Vote { term, .. } => Some((Role::Candidate, *term)),
                Request::Append(append) => Some((Role::Leader, append.term)),
                Request::Beat { term, .. } => Some((Role::Leader, *term)),
                Request::Nothing | Request::Unknown => None,
            };
            let sent = Sent { call, from, instance, to, request, us };
            self.judge(state, |judge, means| judge.sent(sent, means))
        });
        if let Some((role, term)) = inferred {
            self.infer(from, Some(role), term);
        }
        cause
    }

    fn replied(&self, event: &CallEvent<'_>, reply: Message<'_>) -> Option<Cause> {
        let call = event.call;
        let to = number(event.server)?;
        let what = || What::Replied {
            call,
            reply: serde_json::Value::Null,
            bytes: reply.bytes().len() as u64,
        };
        let cause = self.record_message(to, what, reply);
        let us = labtrace::now_us();
        let mut term = None;
        self.check("the reply to ", event, |state| {
            let reply = state.understanding.reply(event.method, encoded(reply));
            term = reply.term;
            self.judge(state, |judge, means| judge.replied(call, reply, us, means))
        });
        if let Some(term) = term {
            self.infer(to, None, term);
        }
        cause
    }

    /// Applies rules, with all that they may look at.
    fn judge(
        &self,
        state: &mut State,
        rules: impl FnOnce(&mut super::Judge, &mut Means<'_>) -> Checked,
    ) -> Checked {
        let State { understanding, judge, saves, .. } = state;
        let read = self.inner.read_persisted;
        let mut silent = false;
        let mut saved = |server: usize, look| {
            let saved = saves[server].look(read, look);
            silent |= saves[server].is_silent();
            saved
        };
        let mut means = Means { missing: understanding.missing(), saved: &mut saved };
        let checked = rules(judge, &mut means);
        if silent {
            let why = "`read_persisted` does not say what the saved state means".to_string();
            understanding.missing_mut().note(Part::Saved, why);
        }
        checked
    }

    fn record_message(
        &self,
        server: usize,
        what: impl FnOnce() -> What,
        message: Message<'_>,
    ) -> Option<Cause> {
        if !self.session().keeps_events() {
            return None;
        }
        let (bytes, shape) = (message.bytes(), message.shape());
        self.session().record_message(Some(lane(server)), what(), bytes, shape)
    }

    /// Fails the run if a rule is broken by a message.
    fn check(&self, which: &str, event: &CallEvent<'_>, rule: impl FnOnce(&mut State) -> Checked) {
        let checked = self.inner.state.with(rule);
        self.tell_what_is_not_judged();
        let Err(mut broken) = checked else { return };
        if observe::is_unwinding() {
            return; // this task has failed already, or its server has
        }
        let from = self.inner.state.with(|state| state.ends.get(event.end).copied());
        if let (Some((from, _)), Some(to)) = (from, number(event.server)) {
            let method = event.method;
            broken.location = Some(format!("{which}{method} from server {from} to server {to}"));
        }
        labtrace::fail(*broken);
    }

    /// Tells the trace of what is not understood, at the moment when that turns out.
    fn tell_what_is_not_judged(&self) {
        if !self.session().keeps_events() {
            return;
        }
        let sentences = self.inner.state.with(|state| {
            let missing = state.understanding.missing();
            let told = std::mem::replace(&mut state.told, missing.count());
            if told < missing.count() { missing.sentences() } else { Vec::new() }
        });
        for text in sentences {
            self.session().record(None, What::Note { topic: "not judged".into(), text });
        }
    }

    /// Records what a server must be by its messages, if it does not say so itself. Without a role,
    /// a later term than it was known in makes it a follower.
    fn infer(&self, server: usize, role: Option<Role>, term: u64) {
        if !self.session().keeps_events() || self.session().knows_state_of(lane(server)) {
            return;
        }
        let changed = self.inner.state.with(|state| {
            let known = &mut state.inferred[server];
            let new = match role {
                Some(role) => (role, term),
                None if term > known.1 => (Role::Follower, term),
                None => *known,
            };
            let changed = new.1 >= known.1 && new != *known;
            if changed {
                *known = new;
            }
            changed.then_some(new)
        });
        if let Some((role, term)) = changed {
            self.record(server, What::Inferred { role, term });
        }
    }

    fn trouble(&self, trouble: Trouble) {
        self.inner.state.with(|state| {
            state.troubles.set(trouble, state.troubles.get(trouble) + 1);
        });
    }
}

impl Observer for Watch {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        let call = event.call;
        let from = || Some(self.inner.state.with(|state| state.ends.get(event.end).copied())?.0);
        let session = self.session();
        let at = |server: Option<usize>, what| session.record(server.map(lane), what);
        match event.step {
            CallStep::Sent { args, blocking } => self.sent(event, args, blocking),
            CallStep::Replied(reply) => self.replied(event, reply),
            CallStep::Delivered => {
                let us = labtrace::now_us();
                self.inner.state.with(|state| state.judge.delivered(call, us));
                at(number(event.server), What::Delivered { call })
            }
            CallStep::Delayed(by) => {
                if by > Duration::ZERO {
                    self.trouble(Trouble::Delays);
                }
                at(from(), What::Delayed { call, by_us: micros(by) })
            }
            CallStep::Late(by) => {
                self.trouble(Trouble::Reorders);
                at(number(event.server), What::Late { call, by_us: micros(by) })
            }
            CallStep::Lost { leg, why, fails_after } => {
                if why == Loss::Dropped {
                    self.trouble(Trouble::Losses);
                }
                let server = if leg == Leg::Request { from() } else { number(event.server) };
                at(server, lost(call, leg, why, fails_after))
            }
            CallStep::Returned => {
                self.over(call, false);
                at(from(), What::Returned { call })
            }
            CallStep::Failed => {
                self.over(call, true);
                at(from(), What::Failed { call })
            }
            _ => None,
        }
    }
}

impl Watch {
    fn over(&self, call: u64, failed: bool) {
        let us = labtrace::now_us();
        self.inner.state.with(|state| state.judge.over(call, failed, us));
    }
}

fn encoded(message: Message<'_>) -> Encoded<'_> {
    Encoded { bytes: message.bytes(), shape: message.shape(), value: message.peek() }
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
        _ => trace::Loss::Unanswered,
    };
    What::Lost { call, leg, why, fails_us: micros(fails_after) }
}

/// The server that goes by this name on the network.
fn number(name: Option<&Name>) -> Option<usize> {
    name?.to_string().parse().ok()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
