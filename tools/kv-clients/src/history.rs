//! What clients saw, and whether it can be.

use std::sync::Arc;

use labrt::sync::Leaf;
use labtrace::{Fact, verdict};
use linearizability::models::{Kv, KvInput, KvOutput};
use linearizability::view::Picture;
use linearizability::{Answer, Limits, Recorder, Ticket, Undecided, Violation};
use service_watch::{Operation, Watch};
use tester::{Judged, Run};

use crate::client::words;

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

/// A call, as others know it.
#[derive(Clone, Copy)]
struct Call {
    /// The client's lane in the run's trace.
    lane: u32,
    /// What the watch of the service knows it by.
    operation: Operation,
    /// When it began and ended, in microseconds of lab time.
    began: u64,
    ended: Option<u64>,
}

/// How much work a history may be. Those of the suite need a small part of it.
const LIMITS: Limits = Limits { steps: 20_000_000, bytes: 1 << 29 };

impl History {
    /// A client calls. Its lane, and the operation for the watch of the service, are these.
    pub(crate) fn calls(
        &self,
        client: u64,
        (lane, operation): (u32, Operation),
        input: KvInput,
    ) -> Ticket {
        let us = labtrace::now_us();
        self.inner.with(|inner| {
            inner.calls.push(Call { lane, operation, began: us, ended: None });
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
    /// The order in which the log has them is tried first. Only if it does not fit, another one is
    /// looked for: a service may be right without doing as its log says.
    ///
    /// # Panics
    /// If they are not.
    pub fn check(&self, run: &Run, watch: &Watch) {
        if run.judged() < Judged::ByHistories {
            return;
        }
        let Inner { recorder, calls } = self.inner.with(std::mem::take);
        let history = recorder.finish().expect("each client makes one call at a time");
        let order = order_of_log(&calls, watch);
        let report = linearizability::check_with_witness(&Kv, &history, &order, &LIMITS);
        match &report.answer {
            Answer::Linearizable(_) => {}
            Answer::Undecided(undecided) => run.warn(&words_of_undecided(undecided)),
            Answer::NotLinearizable(violation) => {
                let picture = Picture::new("calls of clerks", &Kv, &history, &report.answer);
                run.leave("history", "html", picture.page());
                fail(&history, &calls, violation, watch)
            }
        }
    }
}

/// The calls that have entries in the log, in the order of these.
fn order_of_log(calls: &[Call], watch: &Watch) -> Vec<usize> {
    let placed = calls.iter().enumerate();
    let placed = placed.filter_map(|(number, call)| Some((watch.place(call.operation)?, number)));
    let mut placed: Vec<_> = placed.collect();
    placed.sort_unstable();
    placed.into_iter().map(|(_, number)| number).collect()
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
    watch: &Watch,
) -> ! {
    let Violation { key, culprit, operations, .. } = violation;
    let words = format!("history is not linearizable: no order of the calls of key {key:?} fits");
    let mut broken = verdict("linearizability", words);
    if let Some(place) = watch.place(calls[*culprit].operation) {
        broken = broken.index(place.index);
    }
    for &place in operations {
        let operation = &history.operations()[place];
        let call = calls[place];
        let until = call.ended.map_or("not answered by the end of the run".to_string(), |us| {
            let got = operation.output().map(words::got).filter(|got| !got.is_empty());
            format!(
                "until {}{}",
                seconds(us),
                got.map_or(String::new(), |got| format!(", got {got}"))
            )
        });
        let mark = if place == *culprit { "; here it became certain" } else { "" };
        let (client, asked) = (operation.client, words::asked(&operation.input));
        let text = format!("client {client}: {asked}, {until}{mark}");
        broken = broken.with_fact(Fact { text, us: Some(call.began), server: Some(call.lane) });
        for behind in watch.behind(call.operation) {
            broken = broken.with_fact(behind);
        }
    }
    for fact in not_as_the_log_says(history, calls, violation, watch) {
        broken = broken.with_fact(fact);
    }
    broken.hint(crate::values::WRONG_VALUE).fail()
}

/// What the log says about what was read: appends that stand in it, were acknowledged before, and are
/// missing in what was read. Those that the verdict names anyway are left out.
fn not_as_the_log_says(
    history: &linearizability::History<KvInput, KvOutput>,
    calls: &[Call],
    violation: &Violation<String>,
    watch: &Watch,
) -> Vec<Fact> {
    let culprit = &history.operations()[violation.culprit];
    let Some(KvOutput::Value(read)) = culprit.output() else { return Vec::new() };
    let began = calls[violation.culprit].began;
    // What a Put stands behind is gone.
    let puts = history.operations().iter().zip(calls).filter_map(|(operation, call)| {
        let KvInput::Put { key, .. } = &operation.input else { return None };
        watch.place(call.operation).filter(|_| *key == violation.key)
    });
    let last_put = puts.max();
    let mut facts = Vec::new();
    for (number, (operation, call)) in history.operations().iter().zip(calls).enumerate() {
        let KvInput::Append { key, value } = &operation.input else { continue };
        let acknowledged = call.ended.is_some_and(|ended| ended < began);
        let named = violation.operations.contains(&number);
        if *key != violation.key || named || !acknowledged || read.contains(value.as_str()) {
            continue;
        }
        let place = watch.place(call.operation).filter(|place| Some(*place) > last_put);
        let Some(place) = place else { continue };
        let text = format!(
            "client {}: Append {key:?} {value:?}, acknowledged at {}, stands at index {} and is not in \
             what was read",
            operation.client,
            seconds(call.ended.unwrap_or_default()),
            place.index
        );
        facts.push((call.began, Fact { text, us: Some(call.began), server: Some(call.lane) }));
    }
    // The latest ones tell enough.
    const SHOWN: usize = 3;
    facts.sort_by_key(|(began, _)| *began);
    facts.into_iter().rev().take(SHOWN).map(|(_, fact)| fact).collect()
}

fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}
