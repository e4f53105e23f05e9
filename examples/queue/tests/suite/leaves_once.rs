//! A rule that is checked at every event: no element leaves the queue twice.

use std::collections::BTreeMap;

use labrpc::CallStep;
use labrt::sync::Leaf;
use labtrace::{VerdictBuilder, now_us, verdict};
use queue_example::{Outcome, Request};
use rsm::once::Numbered;
use tester::{ClientCall, Watcher};

/// Looks at each answer to a clerk, at the moment when a server gives it. So a run ends where it went
/// wrong, and not when the history is checked at its end.
///
/// The same element may be given twice to the same request: that is what a clerk gets who asks again.
#[derive(Default)]
pub(crate) struct LeavesOnce(Leaf<State>);

#[derive(Default)]
struct State {
    /// By call: the request that it carries.
    requests: BTreeMap<u64, Name>,
    /// By element: to which request it was given, where and when.
    left: BTreeMap<String, (Name, usize, u64)>,
}

/// A request, by its client and its number.
type Name = (u64, u64);

impl State {
    /// A step of a call to this server; returns what is broken.
    fn see(
        &mut self,
        server: usize,
        call: u64,
        step: CallStep<'_>,
        us: u64,
    ) -> Option<VerdictBuilder> {
        match step {
            CallStep::Sent { args, .. } => {
                let sent: Numbered<Request> = labgob::decode(args.bytes()).expect("a request");
                self.requests.insert(call, (sent.client, sent.number));
            }
            CallStep::Replied(reply) => {
                let outcome: Option<Outcome> = labgob::decode(reply.bytes()).expect("an answer");
                let Some(Outcome::Dequeued(Some(element))) = outcome else { return None };
                // Nothing, if the call has failed meanwhile: nobody hears this answer.
                let name = *self.requests.get(&call)?;
                let (before, at, then) =
                    *self.left.entry(element.clone()).or_insert((name, server, us));
                if before != name {
                    let words = format!("server {server} gives {element:?} away, which had left");
                    let broken = verdict("an element leaves once", words);
                    let given =
                        |(client, number)| format!("given to request {number} of clerk {client:x}");
                    let broken = broken.fact_at(then, at, given(before));
                    return Some(broken.fact_at(us, server, given(name)));
                }
            }
            CallStep::Returned | CallStep::Failed => _ = self.requests.remove(&call),
            _ => {}
        }
        None
    }
}

impl Watcher for LeavesOnce {
    fn client_call(&self, call: &ClientCall<'_>) {
        let (event, us) = (call.event, now_us());
        // The verdict ends the task, so it must not be given within the closure.
        if let Some(broken) = self.0.with(|state| state.see(call.to, event.call, event.step, us)) {
            broken.hint("a dequeue that was answered before it was executed").fail();
        }
    }
}
