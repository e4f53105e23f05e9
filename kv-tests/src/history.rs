//! What clients saw, and whether it can be.

use std::sync::Arc;

use labrt::sync::Leaf;
use labtrace::{Fact, verdict};
use linearizability::models::{Kv, KvInput, KvOutput};
use linearizability::{Answer, Limits, Model, Recorder, Ticket, Undecided, Violation};
use tester::Run;

/// The calls of a run's clients, with the order of their beginnings and ends. Clones are the same
/// history.
#[derive(Clone, Default)]
pub struct History {
    inner: Arc<Leaf<Inner>>,
}

#[derive(Default)]
struct Inner {
    recorder: Recorder<KvInput, KvOutput>,
    calls: Vec<Call>,
}

/// A call, as the run's trace has it.
#[derive(Clone, Copy)]
struct Call {
    /// The client's lane.
    lane: u32,
    /// When it began and ended, in microseconds of lab time.
    began: u64,
    ended: Option<u64>,
}

/// How much work a history may be. Those of the suite need a small part of it.
const LIMITS: Limits = Limits { steps: 20_000_000, bytes: 1 << 29 };

impl History {
    /// A client calls, which has this lane.
    pub(crate) fn calls(&self, client: u64, lane: u32, input: KvInput) -> Ticket {
        let us = labtrace::now_us();
        self.inner.with(|inner| {
            inner.calls.push(Call { lane, began: us, ended: None });
            inner.recorder.call(client, input)
        })
    }

    /// A call has returned.
    pub(crate) fn returned(&self, ticket: Ticket, output: KvOutput) {
        let us = labtrace::now_us();
        self.inner.with(|inner| {
            inner.calls[ticket.place()].ended = Some(us);
            inner.recorder.returned(ticket, output);
        });
    }

    /// Checks that all calls together are linearizable. Of what cannot be decided the run is told.
    ///
    /// # Panics
    /// If they are not.
    pub fn check(&self, run: &Run) {
        let Inner { recorder, calls } = self.inner.with(std::mem::take);
        let history = recorder.finish().expect("each client makes one call at a time");
        match linearizability::check(&Kv, &history, &LIMITS).answer {
            Answer::Linearizable(_) => {}
            Answer::Undecided(undecided) => run.warn(&words_of_undecided(&undecided)),
            Answer::NotLinearizable(violation) => fail(&history, &calls, &violation),
        }
    }
}

fn words_of_undecided(undecided: &Undecided<String>) -> String {
    let Undecided { decided_objects, decided_operations, open } = undecided;
    let open: Vec<String> = open
        .iter()
        .map(|open| {
            let (key, ordered, operations) = (&open.key, open.ordered, open.operations);
            format!("{key:?} (up to {ordered} of {operations} calls)")
        })
        .collect();
    format!(
        "whether the history is linearizable is decided for {decided_objects} keys with \
         {decided_operations} calls, and not for {}",
        open.join(", ")
    )
}

fn fail(
    history: &linearizability::History<KvInput, KvOutput>,
    calls: &[Call],
    violation: &Violation<String>,
) -> ! {
    let Violation { key, culprit, operations, .. } = violation;
    let words = format!("history is not linearizable: no order of the calls of key {key:?} fits");
    let mut broken = verdict("linearizability", words);
    for &place in operations {
        let operation = &history.operations()[place];
        let what = Kv.describe(&operation.input, operation.output());
        let Call { lane, began, ended } = calls[place];
        let until =
            ended.map_or("never returned".to_string(), |us| format!("until {}", seconds(us)));
        let mark = if place == *culprit { "; here it became certain" } else { "" };
        let client = operation.client;
        let text = format!("client {client}: {what}, {until}{mark}");
        broken = broken.with_fact(Fact { text, us: Some(began), server: Some(lane) });
    }
    broken.hint(crate::client::WRONG_VALUE).fail()
}

fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}
