//! Random histories.

use std::fmt::Debug;

use linearizability::models::{
    CasInput, CasOutput, CasRegister, Kv, KvInput, KvOutput, Queue, QueueInput, QueueOutput,
    Register, RegisterInput, RegisterOutput, Unsplit, VersionedInput, VersionedKv, VersionedOutput,
};
use linearizability::{History, Model, Operation, Step};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

pub(crate) type Ops<M> = Vec<Operation<<M as Model>::Input, <M as Model>::Output>>;

/// Random numbers that are the same everywhere.
pub(crate) fn random(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// A model whose operations can be drawn.
pub(crate) trait Drawn:
    Model<Input: Clone + Debug, Output: Clone + Debug, State: Debug>
{
    fn model() -> Self;
    /// What the operation number `n` of a history asks for.
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> Self::Input;
    /// What it gets: right in this state, or anything.
    fn output(
        random: &mut Xoshiro256PlusPlus,
        input: &Self::Input,
        state: &Self::State,
    ) -> Self::Output;
}

/// A short history with few clients: outputs are those of a run in some order, but some are wrong.
pub(crate) fn draw<M: Drawn>(random: &mut Xoshiro256PlusPlus) -> Ops<M> {
    draw_by::<M>(random, M::input, M::output)
}

/// The same with inputs and outputs that are drawn otherwise.
pub(crate) fn draw_by<M: Drawn>(
    random: &mut Xoshiro256PlusPlus,
    draw_input: impl Fn(&mut Xoshiro256PlusPlus, usize) -> M::Input,
    draw_output: impl Fn(&mut Xoshiro256PlusPlus, &M::Input, &M::State) -> M::Output,
) -> Ops<M> {
    let model = M::model();
    let clients = random.random_range(1..=4);
    let length = random.random_range(1..=7);
    let mut states = std::collections::BTreeMap::new();
    let mut clock: Vec<u64> = (0..clients).map(|_| random.random_range(0..4)).collect();
    let mut drawn = Vec::new();
    for n in 0..length {
        let client = random.random_range(0..clients);
        let call = clock[client];
        let at = call + random.random_range(0..8);
        let moment = random.random_range(call..=at);
        clock[client] = at + random.random_range(0..3);
        drawn.push((moment, client as u64, call, at, draw_input(random, n)));
    }
    drawn.sort_by_key(|(moment, ..)| *moment);
    let mut operations = Vec::new();
    for (_, client, call, at, input) in drawn {
        let state = states.entry(model.key(&input)).or_insert_with(|| model.initial());
        let is_lost = random.random_bool(0.15);
        if is_lost && random.random_bool(0.5) {
            operations.push(Operation::pending(client, call, input));
            continue;
        }
        let output = draw_output(random, &input, state);
        let next = match model.step(state, &input, Some(&output)) {
            Step::To(next) => Some(next),
            Step::ToAny(any) => any.get(random.random_range(0..any.len().max(1))).cloned(),
            Step::Unchanged | Step::Impossible => None,
        };
        if let Some(next) = next {
            *state = next;
        }
        if is_lost {
            operations.push(Operation::pending(client, call, input));
        } else {
            operations.push(Operation::new(client, call, input, at, output));
        }
    }
    operations
}

pub(crate) fn history<M: Drawn>(operations: &Ops<M>) -> History<M::Input, M::Output> {
    History::new(operations.clone()).expect("the times are right")
}

/// One of the values that a history may have: few, or a new one.
fn value(random: &mut Xoshiro256PlusPlus, n: usize) -> u8 {
    if random.random_bool(0.6) { n as u8 + 10 } else { random.random_range(0..3) }
}

impl Drawn for Register<u8> {
    fn model() -> Self {
        Register { initial: 0 }
    }
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> RegisterInput<u8> {
        match random.random_bool(0.5) {
            true => RegisterInput::Read,
            false => RegisterInput::Write(value(random, n)),
        }
    }
    fn output(
        random: &mut Xoshiro256PlusPlus,
        input: &RegisterInput<u8>,
        state: &u8,
    ) -> RegisterOutput<u8> {
        match input {
            RegisterInput::Read if random.random_bool(0.1) => {
                let n = random.random_range(0..4);
                RegisterOutput::Value(value(random, n))
            }
            RegisterInput::Read => RegisterOutput::Value(*state),
            RegisterInput::Write(_) => RegisterOutput::Written,
        }
    }
}

impl Drawn for CasRegister<u8> {
    fn model() -> Self {
        CasRegister { initial: 0 }
    }
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> CasInput<u8> {
        match random.random_range(0..3) {
            0 => CasInput::Read,
            1 => CasInput::Write(value(random, n)),
            _ => {
                let before = random.random_range(0..4);
                CasInput::Cas { from: value(random, before), to: value(random, n) }
            }
        }
    }
    fn output(random: &mut Xoshiro256PlusPlus, input: &CasInput<u8>, state: &u8) -> CasOutput<u8> {
        match input {
            CasInput::Read if random.random_bool(0.1) => {
                CasOutput::Value(random.random_range(0..3))
            }
            CasInput::Read => CasOutput::Value(*state),
            CasInput::Write(_) => CasOutput::Written,
            CasInput::Cas { from, .. } => {
                CasOutput::Swapped((from == state) != random.random_bool(0.1))
            }
        }
    }
}

impl Drawn for Kv {
    fn model() -> Self {
        Kv
    }
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> KvInput {
        let key = if random.random_bool(0.8) { "a" } else { "b" }.to_string();
        let text = match random.random_range(0..40) {
            0 => String::new(),
            1 => "x".into(),
            2 => "xx".into(),
            _ => format!("<{n}>"),
        };
        match random.random_range(0..10) {
            0..=4 => KvInput::Get { key },
            5 => KvInput::Put { key, value: text },
            _ => KvInput::Append { key, value: text },
        }
    }
    fn output(random: &mut Xoshiro256PlusPlus, input: &KvInput, state: &String) -> KvOutput {
        match input {
            KvInput::Get { .. } if random.random_bool(0.1) => {
                let mut text = state.clone();
                match random.random_range(0..4) {
                    0 => text.clear(),
                    1 => text.push_str(&format!("<{}>", random.random_range(0..5))),
                    2 => text.truncate(text.len().saturating_sub(3)),
                    _ => text = text.get(3..).unwrap_or_default().to_string() + &text,
                }
                KvOutput::Value(text)
            }
            KvInput::Get { .. } => KvOutput::Value(state.clone()),
            KvInput::Append { .. } if random.random_bool(0.2) => KvOutput::Value(state.clone()),
            KvInput::Put { .. } | KvInput::Append { .. } => KvOutput::Done,
        }
    }
}

impl Drawn for Unsplit<Kv> {
    fn model() -> Self {
        Unsplit(Kv)
    }
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> KvInput {
        Kv::input(random, n)
    }
    fn output(random: &mut Xoshiro256PlusPlus, input: &KvInput, state: &Self::State) -> KvOutput {
        Kv::output(random, input, state.get(&Kv.key(input)).unwrap_or(&String::new()))
    }
}

impl Drawn for VersionedKv {
    fn model() -> Self {
        VersionedKv
    }
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> VersionedInput {
        let key = if random.random_bool(0.8) { "a" } else { "b" }.to_string();
        match random.random_bool(0.4) {
            true => VersionedInput::Get { key },
            false => VersionedInput::Put {
                key,
                value: format!("{}", n / 2),
                version: random.random_range(0..3),
            },
        }
    }
    fn output(
        random: &mut Xoshiro256PlusPlus,
        input: &VersionedInput,
        state: &Self::State,
    ) -> VersionedOutput {
        use VersionedOutput::{Maybe, NoKey, Value, Written, WrongVersion};
        if random.random_bool(0.1) {
            let any = [Maybe, NoKey, WrongVersion, Written, Value(state.clone())];
            return any[random.random_range(0..5)].clone();
        }
        match input {
            VersionedInput::Get { .. } if state.version == 0 => NoKey,
            VersionedInput::Get { .. } => Value(state.clone()),
            VersionedInput::Put { version, .. } if *version == state.version => {
                if random.random_bool(0.3) { Maybe } else { Written }
            }
            VersionedInput::Put { .. } if state.version == 0 => NoKey,
            VersionedInput::Put { .. } => {
                if random.random_bool(0.3) {
                    Maybe
                } else {
                    WrongVersion
                }
            }
        }
    }
}

impl Drawn for Queue<u8> {
    fn model() -> Self {
        Queue::new()
    }
    fn input(random: &mut Xoshiro256PlusPlus, n: usize) -> QueueInput<u8> {
        match random.random_bool(0.5) {
            true => QueueInput::Enqueue(value(random, n)),
            false => QueueInput::Dequeue,
        }
    }
    fn output(
        random: &mut Xoshiro256PlusPlus,
        input: &QueueInput<u8>,
        state: &Self::State,
    ) -> QueueOutput<u8> {
        match input {
            QueueInput::Enqueue(_) => QueueOutput::Enqueued,
            QueueInput::Dequeue if random.random_bool(0.3) => {
                let back = state.back().copied();
                QueueOutput::Dequeued(back.filter(|_| random.random_bool(0.6)).or(Some(11)))
            }
            QueueInput::Dequeue => QueueOutput::Dequeued(state.front().copied()),
        }
    }
}

/// A set of numbers from which `Take` takes any, and does not say which: what it leaves is open.
#[derive(Clone, Debug)]
pub(crate) struct Bag;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BagInput {
    Add(u8),
    Take,
    Has(u8),
}

impl Model for Bag {
    type Key = ();
    type State = std::collections::BTreeSet<u8>;
    type Input = BagInput;
    type Output = bool;

    fn key(&self, _: &BagInput) {}
    fn initial(&self) -> Self::State {
        Self::State::new()
    }
    fn step(
        &self,
        state: &Self::State,
        input: &BagInput,
        output: Option<&bool>,
    ) -> Step<Self::State> {
        let right = match input {
            BagInput::Add(_) => true,
            BagInput::Take => !state.is_empty(),
            BagInput::Has(number) => state.contains(number),
        };
        if output.is_some_and(|output| *output != right) {
            return Step::Impossible;
        }
        match input {
            BagInput::Add(number) => Step::To(state.iter().copied().chain([*number]).collect()),
            BagInput::Has(_) => Step::Unchanged,
            BagInput::Take if state.is_empty() => Step::Unchanged,
            BagInput::Take => {
                let without = |number| state.iter().copied().filter(|of| of != number).collect();
                Step::ToAny(state.iter().map(without).collect())
            }
        }
    }
    fn reads_only(&self, input: &BagInput, _: Option<&bool>) -> bool {
        matches!(input, BagInput::Has(_))
    }
    fn describe(&self, input: &BagInput, output: Option<&bool>) -> String {
        format!("{input:?} -> {output:?}")
    }
}

impl Drawn for Bag {
    fn model() -> Self {
        Bag
    }
    fn input(random: &mut Xoshiro256PlusPlus, _: usize) -> BagInput {
        match random.random_range(0..5) {
            0 | 1 => BagInput::Add(random.random_range(0..4)),
            2 => BagInput::Take,
            _ => BagInput::Has(random.random_range(0..4)),
        }
    }
    fn output(random: &mut Xoshiro256PlusPlus, input: &BagInput, state: &Self::State) -> bool {
        let right = match input {
            BagInput::Add(_) => true,
            BagInput::Take => !state.is_empty(),
            BagInput::Has(number) => state.contains(number),
        };
        right != random.random_bool(0.05)
    }
}
