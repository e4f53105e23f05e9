//! What a decision may take, what it took, and who gets what of it.

use std::fmt::Debug;

use crate::common::{Bag, Drawn, Ops, draw, history, random};
use crate::counted::Counted;
use linearizability::models::{
    CasRegister, Kv, KvInput, KvOutput, Queue, Register, RegisterInput, RegisterOutput,
    VersionedInput, VersionedKv, VersionedOutput, VersionedState,
};
use linearizability::view::Picture;
use linearizability::{
    Answer, History, Limits, Means, Operation, Recorder, Stopped, Work, check, check_by,
    is_linearizable,
};

#[test]
fn the_work_is_what_the_model_was_asked_and_little_more() {
    fn counts<M: Drawn + Debug>() {
        for seed in 0..500 {
            let operations = draw::<M>(&mut random(seed));
            let model = Counted::new(M::model());
            let history = history::<M>(&operations);
            let report = check(&model, &history, &Limits::default());
            let asked = model.steps();
            let returned = |operation: &Operation<_, _>| operation.output().is_some();
            if report.answer.is_linearizable() && operations.iter().all(returned) {
                assert_eq!(report.work.steps, asked, "{history:#?}");
            }
            // Where something never returned, or is left out to explain, there are tables. They take little.
            assert!(
                (asked..=asked * 11 / 10 + 1).contains(&report.work.steps),
                "{asked} {:?}",
                report.work
            );
        }
    }
    counts::<Register<u8>>();
    counts::<CasRegister<u8>>();
    counts::<Kv>();
    counts::<VersionedKv>();
    counts::<Queue<u8>>();
    counts::<Bag>();
}

/// Writes that never returned: at each point any of them may have been used, and to know whether fewer were takes longer
/// than the model does.
#[test]
fn what_the_tables_take_counts_too() {
    let write = |n: u8| Operation::pending(n.into(), 0, RegisterInput::Write(n));
    let read = |n: u64, value: u8| {
        let value = RegisterOutput::Value(value);
        Operation::new(99, 10 * n, RegisterInput::Read, 10 * n + 5, value)
    };
    let reads = (1..20).map(|n| read(n, (n * 7 % 22) as u8 + 1));
    let all: Vec<_> = (1..=22).map(write).chain(reads).chain([read(20, 99)]).collect();
    let history = history::<Register<u8>>(&all);
    let model = Counted::new(Register { initial: 0 });
    let limits = Limits { steps: 4_000_000, ..Limits::default() };
    let report = check_by(&model, &history, &[Means::Search], &limits);
    assert!(matches!(report.answer, Answer::Undecided(_)), "{:?}", report.answer);
    assert!((4_000_000..4_010_000).contains(&report.work.steps), "{:?}", report.work);
    assert!(model.steps() < 2_000_000, "the model was asked {} times", model.steps());
}

#[test]
fn reads_that_fit_are_placed_only_as_long_as_there_are_steps() {
    // All under way at once; to find the next one that fits, all others are asked, too.
    let read = |n: u64| {
        let value = RegisterOutput::Value(if n < 1000 { 9 } else { 0 });
        Operation::new(n, 0, RegisterInput::Read, 10, value)
    };
    let history = history::<Register<u8>>(&(0..2000).map(read).collect::<Vec<_>>());
    let limits = Limits { steps: 5_000, bytes: u64::MAX };
    let report = check_by(&Register { initial: 0 }, &history, &[Means::Search], &limits);
    assert!(!report.answer.is_linearizable());
    // A decision and an explanation; each looks at all once more at most.
    assert!(report.work.steps < 20_000, "{:?}", report.work);
}

/// Puts of one key all at once, of which each may have failed, and a value that nobody wrote: no order,
/// and many to try.
fn hard_key(key: &str, first_client: u64, puts: u64) -> Ops<VersionedKv> {
    let key = || key.to_string();
    let put = |n: u64| {
        let input = VersionedInput::Put { key: key(), value: n.to_string(), version: n % 20 };
        Operation::new(first_client + n, 0, input, 10, VersionedOutput::Maybe)
    };
    let never_there = VersionedState { value: "nobody's".into(), version: 5 };
    let get = VersionedInput::Get { key: key() };
    let seen = VersionedOutput::Value(never_there);
    let get = Operation::new(first_client + puts, 0, get, 10, seen);
    (0..puts).map(put).chain([get]).collect()
}

/// Puts of one key one after the other.
fn easy_key(key: &str, first_client: u64, puts: u64) -> Ops<VersionedKv> {
    let put = |n: u64| {
        let input = VersionedInput::Put { key: key.into(), value: n.to_string(), version: n };
        Operation::new(first_client + n, n, input, n + 1, VersionedOutput::Written)
    };
    (0..puts).map(put).collect()
}

#[test]
fn an_object_that_is_too_hard_leaves_the_others_their_steps() {
    // Smaller ones come first.
    for hard in [19, 40] {
        let operations = [hard_key("hard", 0, hard), easy_key("easy", 100, 30)].concat();
        let history = history::<VersionedKv>(&operations);
        let limits = Limits { steps: 10_000, bytes: 1 << 30 };
        let report = check_by(&VersionedKv, &history, &[Means::Search], &limits);
        let Answer::Undecided(undecided) = report.answer else { panic!("{report:?}") };
        assert_eq!((undecided.decided_objects, undecided.decided_operations), (1, 30));
        assert_eq!(undecided.open.len(), 1);
        assert_eq!(undecided.open[0].key, "hard");
        assert_eq!(undecided.open[0].operations, hard as usize + 1);
    }
}

#[test]
fn hard_objects_share_the_steps_and_use_them_up() {
    let keys = ["a", "b", "c", "d"];
    let operations: Vec<_> =
        (0..).zip(keys).flat_map(|(n, key)| hard_key(key, 100 * n, 40)).collect();
    let history = history::<VersionedKv>(&operations);
    let limits = Limits { steps: 10_000, bytes: 1 << 30 };
    let report = check_by(&VersionedKv, &history, &[Means::Search], &limits);
    let Answer::Undecided(undecided) = report.answer else { panic!("{report:?}") };
    let open: Vec<_> = undecided.open.iter().map(|open| (&open.key[..], open.stopped)).collect();
    assert_eq!(open, keys.map(|key| (key, Stopped::Steps)));
    assert_eq!((undecided.decided_objects, undecided.decided_operations), (0, 0));
    assert_eq!(report.work.objects, 4);
    // Each is looked at after a move, not after a step.
    assert!((10_000..10_400).contains(&report.work.steps), "{:?}", report.work);
}

/// Writes of one value each, all at once, and a read of a value that nobody wrote: no order, and many
/// to try.
fn hard(writes: u64) -> Ops<Register<u8>> {
    let write =
        |n| Operation::new(n, 0, RegisterInput::Write(n as u8 % 100), 10, RegisterOutput::Written);
    let mut operations: Vec<_> = (0..writes).map(write).collect();
    operations.push(Operation::new(writes, 0, RegisterInput::Read, 10, RegisterOutput::Value(200)));
    operations
}

#[test]
fn limits_end_the_search_and_only_the_search() {
    let history = history::<Register<u8>>(&hard(200));
    let model = Register { initial: 0 };
    let by = |limits: &Limits| check_by(&model, &history, &[Means::Search], limits);
    for (limits, why) in [
        (Limits { steps: 100_000, bytes: u64::MAX }, Stopped::Steps),
        (Limits { steps: u64::MAX, bytes: 1 << 20 }, Stopped::Bytes),
    ] {
        let report = by(&limits);
        let Answer::Undecided(undecided) = &report.answer else { panic!("{report:?}") };
        assert_eq!(undecided.open.len(), 1);
        assert_eq!(undecided.open[0].stopped, why);
        assert_eq!((undecided.open[0].operations, undecided.open[0].ordered), (201, 200));
        let Work { objects, steps, bytes } = report.work;
        assert_eq!(objects, 1);
        assert!((1_000..=limits.steps.saturating_add(1_000)).contains(&steps), "{report:?}");
        assert!((1_000..=limits.bytes.saturating_mul(2)).contains(&bytes), "{report:?}");
        assert!(!report.answer.is_linearizable() && !report.answer.is_violation());
        assert_eq!(report, by(&limits));
    }
}

#[test]
fn an_explanation_takes_no_more_steps_than_the_decision_may() {
    // It may have become certain with any return from that of the wrong read on, and to decide whether
    // it had is as hard each time as the first decision.
    let mut operations = hard_key("hard", 0, 10);
    operations.extend((0..20).map(|n| {
        let input = VersionedInput::Put { key: "hard".into(), value: "later".into(), version: 0 };
        Operation::new(50, 20 + 2 * n, input, 21 + 2 * n, VersionedOutput::Maybe)
    }));
    let history = history::<VersionedKv>(&operations);
    let decision = {
        let model = Counted::new(VersionedKv);
        assert_eq!(is_linearizable(&model, &history, &Limits::default()), Some(false));
        model.steps()
    };
    for more in [0, decision / 2] {
        let limits = Limits { steps: decision + more, ..Limits::default() };
        let report = check(&VersionedKv, &history, &limits);
        let Answer::NotLinearizable(violation) = &report.answer else { panic!("{report:?}") };
        let most = decision + limits.steps;
        // What is asked between two looks at the limit comes on top.
        assert!(report.work.steps < most + most / 10, "{decision}, {:?}", report.work);
        assert!(violation.operations.contains(&violation.culprit));
    }
}

/// Many operations that never returned, of which an order needs a few: those that were called last.
#[test]
fn an_order_with_few_of_many_that_never_returned_is_found() {
    // Appends of texts that were appended before, so that values are not distinct.
    let append = |client: u64, text: &str| {
        Operation::pending(client, 0, KvInput::Append { key: "x".into(), value: text.into() })
    };
    for needed in [1, 2, 3] {
        let mut operations: Ops<Kv> =
            (0..40).map(|client| append(client, &format!("a{} ", client % 20))).collect();
        let all: String = (0..needed).map(|n| format!("a{} ", 19 - n)).collect();
        let get = KvInput::Get { key: "x".into() };
        operations.push(Operation::new(99, 1, get, 2, KvOutput::Value(all)));
        let limits = Limits { steps: 1_000_000, bytes: 1 << 28 };
        let report = check(&Kv, &history::<Kv>(&operations), &limits);
        let Answer::Linearizable(order) = report.answer else { panic!("{needed}: {report:?}") };
        assert_eq!(order.len(), needed + 1);
        assert!(report.work.steps <= 1_000_000 + 100, "{:?}", report.work);
    }
}

/// Appends one after the other, of which two are alike, and a get of a text that nobody can have put together.
fn hard_explanation() -> History<KvInput, KvOutput> {
    let key = || "x".to_string();
    let mut recorder = Recorder::new();
    for n in 0..8 {
        let value = format!("<{}>", if n == 1 { 0 } else { n });
        let append = recorder.call(n, KvInput::Append { key: key(), value });
        recorder.returned(append, KvOutput::Done);
    }
    let get = recorder.call(8, KvInput::Get { key: key() });
    recorder.returned(get, KvOutput::Value("zzz".into()));
    recorder.finish().unwrap()
}

#[test]
fn an_explanation_has_a_bound_that_larger_limits_do_not_lift() {
    let history = hard_explanation();
    let by = |steps| {
        let limits = Limits { steps, ..Limits::default() };
        check_by(&Kv, &history, &[Means::Search], &limits)
    };
    let report = by(Limits::default().steps);
    let Answer::NotLinearizable(violation) = &report.answer else { panic!("{report:?}") };
    assert!(!violation.minimal);
    assert!(report.work.steps < 2_000_000, "{:?}", report.work);
    assert_eq!(by(u64::MAX), report);
    let text = Picture::new("bounded", &Kv, &history, &report.answer).text();
    assert!(text.contains("the search for them came to its bound"), "{text}");
}

/// A get of a text that nobody can have put together, after appends of which two are alike, so that values are not
/// distinct: a search would try all orders of them.
#[test]
fn a_text_that_nobody_put_together_is_found_without_a_search_and_is_enough() {
    let key = || "x".to_string();
    for (appends, never_return) in [(14, true), (14, false), (1000, false)] {
        // Nobody's; one append once more than it was called; and one of a time to come.
        for text in ["zzz", "<0><0><0>", "<0><later>"] {
            let mut recorder = Recorder::new();
            for n in 0..appends {
                let value = format!("<{}>", if n == 1 { 0 } else { n });
                let append = recorder.call(n, KvInput::Append { key: key(), value });
                if !never_return {
                    recorder.returned(append, KvOutput::Done);
                }
            }
            let get = recorder.call(appends, KvInput::Get { key: key() });
            recorder.returned(get, KvOutput::Value(text.into()));
            recorder.call(0, KvInput::Append { key: key(), value: "<later>".into() });
            // Enough for an explanation in which not all orders of those before it are shown.
            let limits = Limits { steps: 300_000, ..Limits::default() };
            let report = check(&Kv, &recorder.finish().unwrap(), &limits);
            let Answer::NotLinearizable(violation) = &report.answer else { panic!("{report:?}") };
            assert_eq!((violation.culprit, violation.minimal), (get.place(), true), "{text}");
            assert_eq!(violation.operations, [get.place()], "{text}");
        }
    }
}
