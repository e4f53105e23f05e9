//! What must not change an answer, and what limits do.

use crate::common::{Bag, Drawn, Ops, draw, history, random};
use linearizability::models::{CasRegister, Kv, Queue, Register, VersionedKv};
use linearizability::{Answer, Limits, Means, Operation, Returned, check, check_by};

const HISTORIES: u64 = 1_000;

/// Whether the answer is yes or no.
fn answer<M: Drawn>(operations: &Ops<M>) -> bool {
    let answer = check(&M::model(), &history::<M>(operations), &Limits::default()).answer;
    let yes = match &answer {
        Answer::Linearizable(_) => true,
        Answer::NotLinearizable(_) => false,
        Answer::Undecided(undecided) => panic!("{undecided:?}"),
    };
    assert_eq!((answer.is_linearizable(), answer.is_violation()), (yes, !yes));
    yes
}

/// Checks that a change of the history leaves the answer as it is.
fn holds_for<M: Drawn>(change: impl Fn(u64, Ops<M>) -> Ops<M>) {
    for seed in 0..HISTORIES {
        let operations = draw::<M>(&mut random(seed));
        let changed = change(seed, operations.clone());
        assert_eq!(answer::<M>(&operations), answer::<M>(&changed), "{operations:#?} {changed:#?}");
    }
}

/// Checks it for every model.
macro_rules! for_every_model {
    ($change:ident) => {
        holds_for::<Register<u8>>(|seed, operations| $change(seed, operations));
        holds_for::<CasRegister<u8>>(|seed, operations| $change(seed, operations));
        holds_for::<Kv>(|seed, operations| $change(seed, operations));
        holds_for::<VersionedKv>(|seed, operations| $change(seed, operations));
        holds_for::<Queue<u8>>(|seed, operations| $change(seed, operations));
        holds_for::<Bag>(|seed, operations| $change(seed, operations));
    };
}

type Anything<I, O> = Vec<Operation<I, O>>;

fn with_times<I, O>(operations: Anything<I, O>, change: impl Fn(u64) -> u64) -> Anything<I, O> {
    let changed = |mut operation: Operation<I, O>| {
        operation.call = change(operation.call);
        if let Some(returned) = &mut operation.returned {
            returned.at = change(returned.at);
        }
        operation
    };
    operations.into_iter().map(changed).collect()
}

#[test]
fn stretched_time_changes_nothing() {
    fn stretch<I, O>(seed: u64, operations: Anything<I, O>) -> Anything<I, O> {
        with_times(operations, |time| time * time * 1000 + seed)
    }
    for_every_model!(stretch);
}

#[test]
fn other_names_of_clients_change_nothing() {
    fn rename<I, O>(seed: u64, mut operations: Anything<I, O>) -> Anything<I, O> {
        operations
            .iter_mut()
            .for_each(|operation| operation.client = u64::MAX - seed - operation.client);
        operations
    }
    for_every_model!(rename);
}

#[test]
fn the_order_of_the_list_changes_nothing() {
    fn reverse<I, O>(_: u64, mut operations: Anything<I, O>) -> Anything<I, O> {
        operations.reverse();
        operations
    }
    for_every_model!(reverse);
}

#[test]
fn a_linearizable_beginning_changes_nothing() {
    // What leaves the object as it was at first. The rest comes later.
    fn put_before<I: Clone, O: Clone>(
        beginning: &[(I, O)],
        operations: Anything<I, O>,
    ) -> Anything<I, O> {
        let mut all = with_times(operations, |time| time + 1000);
        for (n, (input, output)) in (0..).zip(beginning) {
            all.push(Operation::new(9, 2 * n, input.clone(), 2 * n + 1, output.clone()));
        }
        all
    }
    use linearizability::models::{
        CasInput, CasOutput, KvInput, KvOutput, QueueInput, QueueOutput, RegisterInput,
        RegisterOutput,
    };
    let register = [
        (RegisterInput::Write(77), RegisterOutput::Written),
        (RegisterInput::Read, RegisterOutput::Value(77)),
        (RegisterInput::Write(0), RegisterOutput::Written),
    ];
    holds_for::<Register<u8>>(|_, operations| put_before(&register, operations));
    let cas = [
        (CasInput::Cas { from: 0, to: 77 }, CasOutput::Swapped(true)),
        (CasInput::Cas { from: 0, to: 78 }, CasOutput::Swapped(false)),
        (CasInput::Write(0), CasOutput::Written),
    ];
    holds_for::<CasRegister<u8>>(|_, operations| put_before(&cas, operations));
    let key = || "a".to_string();
    let kv = [
        (KvInput::Append { key: key(), value: "z".into() }, KvOutput::Done),
        (KvInput::Get { key: key() }, KvOutput::Value("z".into())),
        (KvInput::Put { key: key(), value: String::new() }, KvOutput::Done),
    ];
    holds_for::<Kv>(|_, operations| put_before(&kv, operations));
    let queue = [
        (QueueInput::Enqueue(77), QueueOutput::Enqueued),
        (QueueInput::Dequeue, QueueOutput::Dequeued(Some(77))),
        (QueueInput::Dequeue, QueueOutput::Dequeued(None)),
    ];
    holds_for::<Queue<u8>>(|_, operations| put_before(&queue, operations));
}

#[test]
fn less_knowledge_never_makes_a_violation() {
    fn forget<M: Drawn>() {
        for seed in 0..HISTORIES {
            let mut operations = draw::<M>(&mut random(seed));
            let before = answer::<M>(&operations);
            let last = operations.len() - 1;
            operations[seed as usize % (last + 1)].returned = None;
            assert!(!before || answer::<M>(&operations), "{operations:#?}");
        }
    }
    forget::<Register<u8>>();
    forget::<CasRegister<u8>>();
    forget::<Kv>();
    forget::<VersionedKv>();
    forget::<Queue<u8>>();
    forget::<Bag>();
}

#[test]
fn an_answer_is_the_same_every_time() {
    for seed in 0..HISTORIES {
        let operations = draw::<Kv>(&mut random(seed));
        for means in [&[Means::Distinct, Means::Search][..], &[Means::Search]] {
            let report = || check_by(&Kv, &history::<Kv>(&operations), means, &Limits::default());
            assert_eq!(report(), report(), "orders, explanations and work included");
        }
    }
}

#[test]
fn nothing_and_what_never_returned_are_linearizable() {
    assert!(answer::<Kv>(&vec![]));
    use linearizability::models::{QueueInput, QueueOutput};
    let pending = vec![
        Operation::pending(1, 0, QueueInput::Enqueue(1)),
        Operation::pending(1, 1, QueueInput::Dequeue),
    ];
    assert!(answer::<Queue<u8>>(&pending));
    let mut seen = pending;
    let returned = Some(Returned { at: 5, output: QueueOutput::Dequeued(Some(1)) });
    seen.push(Operation { client: 2, call: 3, input: QueueInput::Dequeue, returned });
    assert!(answer::<Queue<u8>>(&seen), "the enqueue took effect");
}
