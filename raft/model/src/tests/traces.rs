//! Counterexamples are told in words and as traces.

use std::collections::BTreeSet;

use run_record::trace::{Trace, What};
use trace_view::page;
use trace_view::terminal::{self, Options};

use super::{all, one_term};
use crate::{Counterexample, Mistake, Model, Start};

fn counterexample(mistake: Mistake, model: Model) -> Counterexample {
    all(&Model { mistake: Some(mistake), ..model }).counterexample.expect("it is found")
}

/// Some counterexamples that have something of everything.
fn counterexamples() -> [Counterexample; 4] {
    let figure_8 = Model { start: Start::Tails(1), terms: 4, commands: 3, ..one_term() };
    let snapshot = Model { snapshots: 1, crashes: 1, ..one_term() };
    let any = Model { commands: 2, duplicates: None, ..one_term() };
    [
        counterexample(Mistake::OldTermsCounted, figure_8),
        counterexample(Mistake::SnapshotNotSaved, snapshot),
        counterexample(Mistake::LateAppendErases, any),
        counterexample(Mistake::AnsweredFirst, Model { crashes: 1, ..one_term() }),
    ]
}

#[test]
fn a_counterexample_is_told_step_by_step() {
    let told = counterexample(Mistake::VoteNotSaved, Model { crashes: 1, ..one_term() });
    let words = told.words();
    let lines: Vec<&str> =
        words.lines().map(|line| line.split(" |").next().unwrap().trim()).collect();
    assert_eq!(lines[0], "1. server 0 hears of no leader and stands for election", "{words}");
    assert_eq!(lines.last(), Some(&told.violation.to_string().as_str()), "{words}");
    assert!(words.contains("crashes") && words.contains("comes back"), "{words}");
}

#[test]
fn a_counterexample_is_a_trace_that_can_be_shown() {
    for told in counterexamples() {
        let trace = told.trace("model-x", "cargo xtask model --mistake x");
        let check = told.violation.property.name();
        assert_eq!(trace.verdict().map(|verdict| verdict.check.as_str()), Some(check));
        let lines =
            trace.events.iter().map(|event| serde_json::to_string(event).expect("an event"));
        let text = [serde_json::to_string(&trace.header).expect("a header")];
        let text: Vec<String> = text.into_iter().chain(lines).collect();
        let read = Trace::parse(&(text.join("\n") + "\n")).expect("a trace");
        assert_eq!(read.events, trace.events);
        assert!(page::render(&trace).contains(check));
        let shown = terminal::view(&trace, &Options::default()).expect("a view").to_string();
        assert!(shown.contains(check), "{shown}");
    }
}

/// What arrives was sent, by whom the call belongs to, and each cause comes before what it leads to.
#[test]
fn what_arrives_in_a_trace_was_sent() {
    for told in counterexamples() {
        let trace = told.trace("model-x", "");
        let (mut sent, mut replied) = (BTreeSet::new(), BTreeSet::new());
        for event in &trace.events {
            assert!(event.cause.is_none_or(|cause| cause < event.n), "{event:?}");
            match event.what {
                What::Sent { call, .. } => assert!(sent.insert(call), "{event:?}"),
                What::Delivered { call } => assert!(sent.contains(&call), "{event:?}"),
                What::Replied { call, .. } => assert!(replied.insert(call), "{event:?}"),
                What::Returned { call } => assert!(replied.contains(&call), "{event:?}"),
                _ => {}
            }
        }
    }
}
