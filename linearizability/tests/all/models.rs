//! What each model says of each operation: the step, whether it only reads, and its words.

use std::fmt::Debug;

use crate::common::{Bag, Drawn, draw, history, random};
use linearizability::models::{
    CasInput, CasOutput, CasRegister, Kv, KvInput, KvOutput, Queue, QueueInput, QueueOutput,
    Register, RegisterInput, RegisterOutput, Unsplit, VersionedInput, VersionedKv, VersionedOutput,
    VersionedState,
};
use linearizability::{Model, Step};

/// Checks what becomes of this state by each of these operations.
fn steps<M: Model<State: Debug, Input: Debug, Output: Debug>>(
    model: &M,
    state: &M::State,
    expected: impl IntoIterator<Item = (M::Input, Option<M::Output>, Step<M::State>)>,
) {
    for (input, output, step) in expected {
        let about = format!("{input:?} -> {output:?} in {state:?}");
        assert_eq!(model.step(state, &input, output.as_ref()), step, "{about}");
    }
}

#[test]
fn a_register_gives_what_was_written_last() {
    use RegisterInput::{Read, Write};
    use RegisterOutput::{Value, Written};
    let model = Register { initial: 4 };
    assert_eq!(model.initial(), 4);
    let expected = [
        (Read, None, Step::Unchanged),
        (Read, Some(Value(5)), Step::Unchanged),
        (Read, Some(Value(6)), Step::Impossible),
        (Read, Some(Written), Step::Impossible),
        (Write(7), None, Step::To(7)),
        (Write(7), Some(Written), Step::To(7)),
        (Write(7), Some(Value(7)), Step::Impossible),
        (Write(5), Some(Value(5)), Step::Impossible),
    ];
    steps(&model, &5, expected);
}

#[test]
fn a_compare_and_set_succeeds_if_the_value_is_there_and_only_then() {
    use CasInput::{Cas, Read, Write};
    use CasOutput::{Swapped, Value, Written};
    let model = CasRegister { initial: 4 };
    assert_eq!(model.initial(), 4);
    let expected = [
        (Read, None, Step::Unchanged),
        (Read, Some(Value(5)), Step::Unchanged),
        (Read, Some(Value(6)), Step::Impossible),
        (Read, Some(Written), Step::Impossible),
        (Write(7), None, Step::To(7)),
        (Write(7), Some(Written), Step::To(7)),
        (Write(7), Some(Swapped(true)), Step::Impossible),
        (Cas { from: 5, to: 7 }, None, Step::To(7)),
        (Cas { from: 5, to: 7 }, Some(Swapped(true)), Step::To(7)),
        (Cas { from: 5, to: 7 }, Some(Swapped(false)), Step::Impossible),
        (Cas { from: 6, to: 7 }, None, Step::Unchanged),
        (Cas { from: 6, to: 7 }, Some(Swapped(false)), Step::Unchanged),
        (Cas { from: 6, to: 7 }, Some(Swapped(true)), Step::Impossible),
        (Cas { from: 5, to: 7 }, Some(Written), Step::Impossible),
    ];
    steps(&model, &5, expected);
}

fn get() -> KvInput {
    KvInput::Get { key: "k".into() }
}

fn put(value: &str) -> KvInput {
    KvInput::Put { key: "k".into(), value: value.into() }
}

fn append(value: &str) -> KvInput {
    KvInput::Append { key: "k".into(), value: value.into() }
}

fn text(text: &str) -> Option<KvOutput> {
    Some(KvOutput::Value(text.into()))
}

#[test]
fn an_append_goes_behind_what_is_there_and_a_put_replaces_it() {
    let to = |text: &str| Step::To(text.to_string());
    assert_eq!(Kv.initial(), "");
    let expected = [
        (get(), None, Step::Unchanged),
        (get(), text("ab"), Step::Unchanged),
        (get(), text("a"), Step::Impossible),
        (get(), Some(KvOutput::Done), Step::Impossible),
        (put("c"), None, to("c")),
        (put("c"), Some(KvOutput::Done), to("c")),
        (put("c"), text("ab"), Step::Impossible),
        (append("c"), None, to("abc")),
        (append("c"), Some(KvOutput::Done), to("abc")),
        (append("c"), text("ab"), to("abc")),
        (append("c"), text("abc"), Step::Impossible),
    ];
    steps(&Kv, &"ab".to_string(), expected);
}

fn versioned(value: &str, version: u64) -> VersionedState {
    VersionedState { value: value.into(), version }
}

fn put_at(value: &str, version: u64) -> VersionedInput {
    VersionedInput::Put { key: "k".into(), value: value.into(), version }
}

#[test]
fn a_versioned_put_counts_the_version_up_if_it_knows_it() {
    use VersionedOutput::{Maybe, NoKey, Value, Written, WrongVersion};
    let get = || VersionedInput::Get { key: "k".into() };
    assert_eq!(VersionedKv.initial(), versioned("", 0));
    let there = [
        (get(), None, Step::Unchanged),
        (get(), Some(Value(versioned("a", 2))), Step::Unchanged),
        (get(), Some(Value(versioned("a", 1))), Step::Impossible),
        (get(), Some(Value(versioned("b", 2))), Step::Impossible),
        (get(), Some(NoKey), Step::Impossible),
        (get(), Some(Maybe), Step::Impossible),
        (put_at("b", 2), None, Step::To(versioned("b", 3))),
        (put_at("b", 2), Some(Written), Step::To(versioned("b", 3))),
        (put_at("b", 2), Some(Maybe), Step::To(versioned("b", 3))),
        (put_at("b", 2), Some(WrongVersion), Step::Impossible),
        (put_at("b", 2), Some(NoKey), Step::Impossible),
        (put_at("b", 1), None, Step::Unchanged),
        (put_at("b", 1), Some(WrongVersion), Step::Unchanged),
        (put_at("b", 3), Some(Maybe), Step::Unchanged),
        (put_at("b", 1), Some(Written), Step::Impossible),
        (put_at("b", 1), Some(NoKey), Step::Impossible),
        (put_at("b", 0), Some(WrongVersion), Step::Unchanged),
    ];
    steps(&VersionedKv, &versioned("a", 2), there);
    let absent = [
        (get(), Some(NoKey), Step::Unchanged),
        (get(), Some(Value(versioned("", 0))), Step::Impossible),
        (put_at("b", 0), Some(Written), Step::To(versioned("b", 1))),
        (put_at("b", 1), None, Step::Unchanged),
        (put_at("b", 1), Some(NoKey), Step::Unchanged),
        (put_at("b", 1), Some(WrongVersion), Step::Impossible),
        (put_at("b", 1), Some(Maybe), Step::Impossible),
        (put_at("b", 0), Some(NoKey), Step::Impossible),
    ];
    steps(&VersionedKv, &versioned("", 0), absent);
}

#[test]
fn a_queue_gives_the_first_that_is_in_it() {
    use QueueInput::{Dequeue, Enqueue};
    use QueueOutput::{Dequeued, Enqueued};
    let model = Queue::<u8>::new();
    assert!(model.initial().is_empty());
    let two = [
        (Enqueue(7), None, Step::To([5, 6, 7].into())),
        (Enqueue(7), Some(Enqueued), Step::To([5, 6, 7].into())),
        (Enqueue(7), Some(Dequeued(None)), Step::Impossible),
        (Dequeue, None, Step::To([6].into())),
        (Dequeue, Some(Dequeued(Some(5))), Step::To([6].into())),
        (Dequeue, Some(Dequeued(Some(6))), Step::Impossible),
        (Dequeue, Some(Dequeued(None)), Step::Impossible),
        (Dequeue, Some(Enqueued), Step::Impossible),
    ];
    steps(&model, &[5, 6].into(), two);
    let none = [
        (Enqueue(7), Some(Enqueued), Step::To([7].into())),
        (Dequeue, None, Step::Unchanged),
        (Dequeue, Some(Dequeued(None)), Step::Unchanged),
        (Dequeue, Some(Dequeued(Some(5))), Step::Impossible),
        (Dequeue, Some(Enqueued), Step::Impossible),
    ];
    steps(&model, &[].into(), none);
    let one = [(Dequeue, Some(Dequeued(Some(5))), Step::To([].into()))];
    steps(&model, &[5].into(), one);
}

#[test]
fn an_unsplit_map_keeps_the_states_that_are_not_the_first() {
    let of = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect()
    };
    let state = of(&[("j", "x"), ("k", "ab")]);
    let expected = [
        (get(), text("ab"), Step::Unchanged),
        (get(), text("x"), Step::Impossible),
        (append("c"), None, Step::To(of(&[("j", "x"), ("k", "abc")]))),
        (put(""), None, Step::To(of(&[("j", "x")]))),
        (KvInput::Get { key: "l".into() }, text(""), Step::Unchanged),
        (KvInput::Get { key: "l".into() }, text("x"), Step::Impossible),
    ];
    steps(&Unsplit(Kv), &state, expected);
    assert_eq!(Unsplit(Kv).initial(), of(&[]));
    // One that is not deterministic stays so.
    let numbers = |numbers: &[u8]| numbers.iter().copied().collect();
    let bag = [((), numbers(&[1, 2]))].into_iter().collect();
    let taken = Step::ToAny(
        [[2], [1]].iter().map(|left| [((), numbers(left))].into_iter().collect()).collect(),
    );
    steps(&Unsplit(Bag), &bag, [(crate::common::BagInput::Take, Some(true), taken)]);
}

#[test]
fn what_only_reads_is_known() {
    fn reads<M: Model>(model: &M, input: M::Input, output: Option<M::Output>) -> bool {
        model.reads_only(&input, output.as_ref())
    }
    let register = Register { initial: 0 };
    assert!(reads(&register, RegisterInput::Read, None));
    assert!(reads(&register, RegisterInput::Read, Some(RegisterOutput::Value(1))));
    assert!(!reads(&register, RegisterInput::Write(1), Some(RegisterOutput::Written)));

    let cas = CasRegister { initial: 0 };
    let swap = || CasInput::Cas { from: 1, to: 2 };
    assert!(reads(&cas, CasInput::Read, None));
    assert!(reads(&cas, swap(), Some(CasOutput::Swapped(false))));
    assert!(!reads(&cas, swap(), Some(CasOutput::Swapped(true))));
    assert!(!reads(&cas, swap(), None));
    assert!(!reads(&cas, CasInput::Write(1), None));

    assert!(reads(&Kv, get(), None) && reads(&Unsplit(Kv), get(), None));
    assert!(!reads(&Kv, append("a"), text("")) && !reads(&Unsplit(Kv), append("a"), text("")));
    assert!(!reads(&Kv, put("a"), None));

    assert!(reads(&VersionedKv, VersionedInput::Get { key: "k".into() }, None));
    assert!(reads(&VersionedKv, put_at("a", 1), Some(VersionedOutput::NoKey)));
    assert!(reads(&VersionedKv, put_at("a", 1), Some(VersionedOutput::WrongVersion)));
    assert!(!reads(&VersionedKv, put_at("a", 1), Some(VersionedOutput::Maybe)));
    assert!(!reads(&VersionedKv, put_at("a", 1), Some(VersionedOutput::Written)));
    assert!(!reads(&VersionedKv, put_at("a", 1), None));

    let queue = Queue::<u8>::new();
    assert!(reads(&queue, QueueInput::Dequeue, Some(QueueOutput::Dequeued(None))));
    assert!(!reads(&queue, QueueInput::Dequeue, Some(QueueOutput::Dequeued(Some(1)))));
    assert!(!reads(&queue, QueueInput::Dequeue, None));
    assert!(!reads(&queue, QueueInput::Enqueue(1), Some(QueueOutput::Enqueued)));
}

/// Goes through histories, with and without their outputs, and compares what a model says of the
/// states on the way in different words.
fn says_the_same<M: Drawn>() {
    let model = M::model();
    for seed in 0..1_000 {
        let history = history::<M>(&draw::<M>(&mut random(seed)));
        let mut state = model.initial();
        for operation in history.operations() {
            let (input, output) = (&operation.input, operation.output());
            for output in [None, output] {
                let step = model.step(&state, input, output);
                let about = format!("{input:?} -> {output:?} in {state:?}: {step:?}");
                let mut place = state.clone();
                let advanced = model.advance(&mut place, input, output);
                match &step {
                    Step::To(next) => assert_eq!((&advanced, &place), (&Step::Unchanged, next)),
                    step => assert_eq!((&advanced, &place), (step, &state), "{about}"),
                }
                let is_read = matches!(step, Step::Unchanged | Step::Impossible);
                assert!(is_read || !model.reads_only(input, output), "{about}");
            }
            match model.step(&state, input, output) {
                Step::To(next) => state = next,
                Step::ToAny(any) => state = any[seed as usize % any.len()].clone(),
                Step::Unchanged | Step::Impossible => {}
            }
        }
    }
}

#[test]
fn a_step_in_place_is_the_same_step_and_what_only_reads_changes_nothing() {
    says_the_same::<Register<u8>>();
    says_the_same::<CasRegister<u8>>();
    says_the_same::<Kv>();
    says_the_same::<Unsplit<Kv>>();
    says_the_same::<VersionedKv>();
    says_the_same::<Queue<u8>>();
    says_the_same::<Bag>();
}

#[test]
fn a_state_counts_with_the_memory_behind_it() {
    let text = String::from("0123456789");
    let size = size_of::<String>() + text.capacity();
    assert_eq!(Kv.state_bytes(&text), size);
    let state = VersionedState { value: text.clone(), version: 1 };
    assert_eq!(VersionedKv.state_bytes(&state), size + size_of::<u64>());
    let queue = std::collections::VecDeque::<u64>::with_capacity(10);
    let behind = queue.capacity() * 8;
    assert_eq!(Queue::new().state_bytes(&queue), size_of_val(&queue) + behind);
    let all = [("a".to_string(), text.clone()), ("b".to_string(), text)].into_iter().collect();
    let each = size_of::<String>() + size;
    assert_eq!(Unsplit(Kv).state_bytes(&all), size_of_val(&all) + 2 * each);
    assert_eq!(Register { initial: 0_u64 }.state_bytes(&1), 8);
}

#[test]
fn operations_and_states_have_words() {
    fn words<M: Model>(model: &M, input: M::Input, output: Option<M::Output>) -> String {
        model.describe(&input, output.as_ref())
    }
    let register = Register { initial: 0 };
    assert_eq!(words(&register, RegisterInput::Read, None), "read");
    assert_eq!(words(&register, RegisterInput::Read, Some(RegisterOutput::Value(3))), "read -> 3");
    assert_eq!(words(&register, RegisterInput::Write(3), None), "write 3");
    assert_eq!(register.describe_state(&3), "3");
    assert_eq!(register.describe_key(&()), "()");

    let cas = CasRegister { initial: 0 };
    let swap = || CasInput::Cas { from: 1, to: 2 };
    assert_eq!(words(&cas, CasInput::Read, None), "read");
    assert_eq!(words(&cas, CasInput::Read, Some(CasOutput::Value(3))), "read -> 3");
    assert_eq!(words(&cas, CasInput::Write(3), Some(CasOutput::Written)), "write 3");
    assert_eq!(words(&cas, swap(), Some(CasOutput::Swapped(false))), "cas 1 to 2 -> failed");
    assert_eq!(words(&cas, swap(), Some(CasOutput::Swapped(true))), "cas 1 to 2");
    assert_eq!(cas.describe_state(&3), "3");

    assert_eq!(words(&Kv, get(), text("a")), "get \"k\" -> \"a\"");
    assert_eq!(words(&Unsplit(Kv), put("a"), None), "put \"k\" \"a\"");
    assert_eq!(words(&Kv, append("a"), Some(KvOutput::Done)), "append \"k\" \"a\"");
    assert_eq!(Kv.describe_state(&"a".into()), "\"a\"");
    assert_eq!(Kv.describe_key(&"k".into()), "\"k\"");
    let all = [("k".to_string(), "a".to_string())].into_iter().collect();
    assert_eq!(Unsplit(Kv).describe_state(&all), "{\"k\": \"a\"}");

    use VersionedOutput::{Maybe, NoKey, Value, Written, WrongVersion};
    let get = |output| words(&VersionedKv, VersionedInput::Get { key: "k".into() }, output);
    let put = |output| words(&VersionedKv, put_at("a", 2), output);
    assert_eq!(get(None), "get \"k\"");
    assert_eq!(get(Some(NoKey)), "get \"k\" -> no key");
    assert_eq!(get(Some(Value(versioned("a", 2)))), "get \"k\" -> \"a\" at 2");
    assert_eq!(put(Some(Written)), "put \"k\" \"a\" at 2");
    assert_eq!(put(Some(WrongVersion)), "put \"k\" \"a\" at 2 -> wrong version");
    assert_eq!(put(Some(Maybe)), "put \"k\" \"a\" at 2 -> maybe");

    let queue = Queue::<u8>::new();
    let dequeue = |output| words(&queue, QueueInput::Dequeue, output);
    assert_eq!(words(&queue, QueueInput::Enqueue(1), None), "enqueue 1");
    assert_eq!(dequeue(None), "dequeue");
    assert_eq!(dequeue(Some(QueueOutput::Dequeued(None))), "dequeue -> empty");
    assert_eq!(dequeue(Some(QueueOutput::Dequeued(Some(1)))), "dequeue -> 1");
    assert_eq!(queue.describe_state(&[1, 2].into()), "[1, 2]");
    assert_eq!(Bag.describe_state(&Bag.initial()), "", "a model need not describe its states");
}
