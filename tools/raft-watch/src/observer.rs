//! What the group tells the watch: of servers that come and go, and of each step of each call.

use std::sync::Arc;

use ::persister::Persister;
use labrpc::{CallStep, KeptRequest, Leg, Message};
use labrt::observe;
use labtrace::{Role, What};
use run_record::coverage::Coverage;
use run_record::situations::Situations;
use tester::{Call, Obstacles, SaveCount, Watcher};

use super::bases::Began;
use super::calls::{self, Sent};
use super::judge::{Checked, Means};
use super::persister::{Look, SavedStates};
use super::second::Trial;
use super::understanding::{Encoded, Part, Request};
use super::{Inner, State, Watch, locks};

impl Watch {
    fn sent(&self, of: &Call<'_>, args: Message<'_>, blocking: bool) {
        let Call { from, instance, to, event } = *of;
        let call = event.call;
        if blocking {
            let Inner { members, senders_locks, .. } = &*self.inner;
            locks::check(members, senders_locks, (from, to), event.method);
        }
        let mut inferred = None;
        self.check("", of, |state| {
            // Taken here: on the real clock others may come first.
            let us = labtrace::now_us();
            let request = state.understanding.request(event.method, encoded(args));
            inferred = match &request {
                Request::Vote { term, .. } => Some((Role::Candidate, *term)),
                Request::Append(append) => Some((Role::Leader, append.term)),
                Request::Install(install) => Some((Role::Leader, install.term)),
                Request::Beat { term, .. } => Some((Role::Leader, *term)),
                Request::Stand | Request::Nothing | Request::Unknown => None,
            };
            let sent = Sent { call, from, instance, to, request, us };
            let checked = self.judge(state, |judge, means| judge.sent(sent, means));
            if let Some(sent) = state.judge.calls.get(call) {
                state.spotter.sent(call, from, to, sent.asked);
                // It may be another one's word.
                inferred = inferred.filter(|_| sent.asked.term().is_some());
            }
            state.second.sent(from, to, event, &state.judge);
            state.retries.sent(call, (from, to), event.method, args.bytes());
            checked
        });
        if let Some((role, term)) = inferred {
            self.infer(from, Some(role), term);
        }
    }

    fn replied(&self, of: &Call<'_>, call: u64, reply: Message<'_>) {
        let Call { to, event, .. } = *of;
        let (mut term, mut trials) = (None, Vec::new());
        self.check("the reply to ", of, |state| {
            let us = labtrace::now_us();
            let bytes = reply.bytes();
            if let Some(first) = state.retries.first(call, to, bytes) {
                state.judge.answers_again(call, first);
                // It is another reply all the same.
                let reply = state.understanding.reply(event.method, encoded(reply));
                state.spotter.replied(call, reply);
                return Ok(());
            }
            let reply = state.understanding.reply(event.method, encoded(reply));
            term = reply.term;
            state.spotter.replied(call, reply);
            self.judge(state, |judge, means| judge.replied(call, reply, us, means))?;
            if let Some(call) = state.judge.calls.get(call) {
                state.retries.answered(to, bytes, call);
            }
            let State { second, judge, saves, understanding, .. } = state;
            let saved = SavedStates::new(saves, self.inner.reading);
            trials = second.replied(call, reply, judge, &saved, understanding);
            Ok(())
        });
        for trial in trials {
            self.try_second(&trial);
        }
        if let Some(term) = term {
            self.infer(to, None, term);
        }
    }

    /// Applies rules, with all that they may look at.
    fn judge<R>(
        &self,
        state: &mut State,
        rules: impl FnOnce(&mut super::Judge, &mut Means<'_>) -> R,
    ) -> R {
        let State { understanding, judge, saves, .. } = state;
        let saved = SavedStates::new(saves, self.inner.reading);
        let mut means = Means { missing: understanding.missing(), saved };
        let checked = rules(judge, &mut means);
        let is_silent = means.saved.are_silent();
        let missing = understanding.missing_mut();
        if is_silent {
            let why = "`read_persisted` does not say what the saved state means".to_string();
            missing.note(Part::Saved, why);
        }
        judge.take_doubts().into_iter().for_each(|(part, why)| missing.note(part, why.to_string()));
        checked
    }

    /// Fails the run if a rule is broken by a message.
    fn check(&self, which: &str, of: &Call<'_>, rule: impl FnOnce(&mut State) -> Checked) {
        let checked = self.inner.state.with(rule);
        self.tell_what_is_not_judged();
        let Err(mut broken) = checked else { return };
        if observe::is_unwinding() {
            return; // this task has failed already, or its server has
        }
        let Call { from, to, event, .. } = *of;
        let method = event.method;
        broken.location = Some(format!("{which}{method} from server {from} to server {to}"));
        self.inner.members.fail(*broken);
    }

    /// Asks a second server whether it keeps what the first one has promised. Nothing else of the run
    /// happens meanwhile.
    fn try_second(&self, trial: &Trial) {
        if observe::is_unwinding() {
            return;
        }
        let mut read = |request: &KeptRequest, bytes: &[u8]| {
            let reply = encoded(request.reply(bytes));
            self.inner.state.with(|state| state.understanding.reply(request.method(), reply).yes)
        };
        match trial.run(&mut read) {
            Ok(None) => {}
            Ok(Some(broken)) => self.inner.members.fail(*broken),
            Err(words) => {
                self.inner.state.with(|state| {
                    let why = format!("a second server, made from what was saved, {words}");
                    state.understanding.missing_mut().note(Part::SecondServer, why);
                });
                self.tell_what_is_not_judged();
            }
        }
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
        let lane = self.inner.members.lane(server);
        if !self.session().keeps_events() || self.session().knows_state_of(lane) {
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
            self.session().record(Some(lane), What::Inferred { role, term });
        }
    }

    fn delivered(&self, call: u64) {
        self.inner.state.with(|state| {
            let us = labtrace::now_us();
            state.spotter.delivered(call);
            self.judge(state, |judge, means| judge.delivered(call, us, means));
        });
    }

    fn over(&self, (call, to): (u64, usize), failed: bool) {
        self.inner.state.with(|state| {
            let us = labtrace::now_us();
            state.spotter.over(call, failed);
            state.second.over(call);
            state.retries.over(call, to, failed);
            state.judge.over(call, failed, us);
        });
    }
}

impl Watcher for Watch {
    fn starting(
        &self,
        server: usize,
        instance: u64,
        persister: &Arc<dyn Persister>,
        saves: &SaveCount,
    ) {
        self.inner.state.with(|state| {
            state.spotter.started(server, instance);
            state.judge.started(server, instance);
            state.retries.started(server);
            state.saves[server].begin(persister.clone(), saves.clone());
            state.inferred[server] = (Role::Follower, state.judge.term(server));
            let bytes = persister.snapshot_size();
            let mut saves = SavedStates::new(&mut state.saves, self.inner.reading);
            let saved = saves.look(server, Look::Surely).filter(|_| instance > 1);
            if let Some(saved) = saved {
                state.judge.begins_in(server, saved.term, saved.voted_for);
            }
            if bytes > 0 {
                let upto = saves.look(server, Look::Surely).map_or(0, |saved| saved.log_base);
                state.judge.starts_with(server, Began { us: labtrace::now_us(), upto, bytes });
            }
        });
    }

    fn saved(&self, server: usize, instance: u64) {
        let checked = self.inner.state.with(|state| {
            let us = labtrace::now_us();
            state.spotter.saved(server, instance);
            self.judge(state, |judge, means| judge.saved(server, instance, us, means))
        });
        if !observe::is_unwinding() {
            self.fail_if_broken(checked, || format!("what server {server} saves"));
        }
    }

    fn torn(&self, server: usize, kept: bool) {
        self.inner.state.with(|state| state.spotter.torn(server, kept));
    }

    fn crashed(&self, server: usize) {
        self.inner.state.with(|state| {
            state.spotter.crashed(server);
            state.judge.crashed(server);
        });
    }

    fn paused(&self, server: usize, paused: bool) {
        self.inner.state.with(|state| state.judge.paused(server, paused, labtrace::now_us()));
    }

    fn has_clock(&self, server: usize, thousandths: u32) {
        self.inner.state.with(|state| state.judge.has_clock(server, thousandths));
    }

    fn way(&self, from: usize, to: usize, open: bool) {
        self.inner.state.with(|state| state.spotter.way(from, to, open));
    }

    fn call(&self, of: &Call<'_>) {
        let call = of.event.call;
        match of.event.step {
            CallStep::Sent { args, blocking } => self.sent(of, args, blocking),
            CallStep::Replied(reply) => self.replied(of, call, reply),
            CallStep::Delivered => self.delivered(call),
            CallStep::Duplicated(_) => self.inner.state.with(|state| {
                state.judge.duplicated(call);
                state.spotter.duplicated(call);
                state.retries.duplicated(call);
            }),
            CallStep::DeliveredAgain => {
                let copy = self.inner.state.with(|state| state.judge.copy_arrives(call));
                copy.into_iter().for_each(|copy| self.delivered(copy));
            }
            CallStep::RepliedAgain(reply) => {
                let copy = calls::copy_of(call);
                self.replied(of, copy, reply);
                self.inner.state.with(|state| {
                    state.judge.copy_is_over(copy);
                    state.spotter.copy_is_over(copy);
                    state.retries.copy_is_over(call);
                });
            }
            CallStep::Lost { leg: Leg::Request, .. } => {
                self.inner.state.with(|state| state.spotter.lost(call));
            }
            CallStep::Returned => self.over((call, of.to), false),
            CallStep::Failed => self.over((call, of.to), true),
            _ => {}
        }
    }

    fn obstacles(&self, us: u64) -> Obstacles {
        // What tasks wait for stands in the failure itself.
        let facts = self.obstacles_at(us, &[]);
        let servers = self.inner.members.facts(facts);
        Obstacles { servers, ..Obstacles::default() }
    }

    fn situations(&self) -> Situations {
        self.inner.state.with(|state| state.spotter.seen())
    }

    fn coverage(&self) -> Coverage {
        self.inner.state.with(|state| state.spotter.coverage())
    }

    fn not_judged(&self) -> Vec<String> {
        self.inner.state.with(|state| {
            let mut missing = state.understanding.missing().clone();
            if !state.judge.has_seen_append() && !missing.lacks(Part::Appends) {
                missing.note(Part::Appends, "no AppendEntries was seen".to_string());
            }
            if !state.judge.has_seen_vote() && !missing.lacks(Part::Votes) {
                missing.note(Part::Votes, "no RequestVote was seen".to_string());
            }
            missing.sentences()
        })
    }
}

fn encoded(message: Message<'_>) -> Encoded<'_> {
    Encoded { bytes: message.bytes(), shape: message.shape(), value: message.peek() }
}
