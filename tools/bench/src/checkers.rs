//! One history for each of the checkers that ours is measured against.
//!
//! All get the same operations, and nothing but the decision is measured. Those that know no operation
//! which never returned get it as one that returns last of all, with any output; for a write or a
//! compare-and-set that is the same.

use linearizability::models::{CasInput, CasOutput, CasRegister, Kv, KvInput, KvOutput};
use linearizability::read::Value;
use linearizability::{History, Limits, Model, Operation, Returned, is_linearizable};
use porcupine_rs::Operation as PorcupineOperation;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History as TodcHistory};
use todc_utils::specifications::Specification;

type Register = CasRegister<Option<i64>>;
type Input = CasInput<Option<i64>>;
type Output = CasOutput<Option<i64>>;

/// An operation of a register with what it got.
pub type Op = (Input, Option<Output>);

const MODEL: Register = CasRegister { initial: None };

/// What becomes of a register by an operation, if that is possible.
fn step(state: &Option<i64>, (input, output): &Op) -> Option<Option<i64>> {
    use linearizability::Step::{Impossible, To, ToAny, Unchanged};
    match MODEL.step(state, input, output.as_ref()) {
        Impossible | ToAny(_) => None,
        Unchanged => Some(*state),
        To(next) => Some(next),
    }
}

/// A history of one register with compare-and-set.
pub struct Etcd {
    /// For this workspace's checker.
    pub ours: History<Input, Output>,
    /// For todc-utils. Its checker takes it apart, so it wants a copy.
    pub todc: TodcHistory<Op>,
    porcupine: Vec<PorcupineOperation<Etcd>>,
    events: Vec<(u64, Op, bool)>,
}

impl Clone for Etcd {
    // Its traits ask for it; it is never called.
    fn clone(&self) -> Etcd {
        etcd_of(self.ours.clone())
    }
}

impl Etcd {
    /// The answer of this workspace's checker, without an explanation.
    pub fn ours(&self) -> bool {
        is_linearizable(&MODEL, &self.ours, &Limits::default()).expect("it is decided")
    }

    /// The answer of porcupine-rs.
    pub fn porcupine(&self) -> bool {
        porcupine_rs::check_operations(&self.porcupine)
    }

    /// The answer of todc-utils.
    pub fn todc(history: TodcHistory<Op>) -> bool {
        WGLChecker::<Etcd>::is_linearizable(history)
    }

    /// The answer of stateright, whose tester is told event by event.
    pub fn stateright(&self) -> bool {
        let mut tester = LinearizabilityTester::new(Cell(None));
        for (client, op, is_return) in &self.events {
            let told = match is_return {
                false => tester.on_invoke(*client, op.0.clone()),
                true => tester.on_return(*client, op.1.clone().expect("it returned")),
            };
            told.expect("clients do one thing at a time");
        }
        tester.is_consistent()
    }
}

impl Specification for Etcd {
    type State = Option<i64>;
    type Operation = Op;

    fn init() -> Option<i64> {
        None
    }

    fn apply(op: &Op, state: &Option<i64>) -> (bool, Option<i64>) {
        step(state, op).map_or((false, *state), |next| (true, next))
    }
}

impl porcupine_rs::Model for Etcd {
    type State = Option<i64>;
    type Op = Op;
    type Metadata = ();

    fn init() -> Option<i64> {
        None
    }

    fn step(state: &Option<i64>, op: &Op) -> (bool, Option<i64>) {
        step(state, op).map_or((false, *state), |next| (true, next))
    }
}

/// A register for stateright.
#[derive(Clone)]
struct Cell(Option<i64>);

impl SequentialSpec for Cell {
    type Op = Input;
    type Ret = Output;

    fn invoke(&mut self, input: &Input) -> Output {
        match input {
            CasInput::Read => CasOutput::Value(self.0),
            CasInput::Write(value) => {
                self.0 = *value;
                CasOutput::Written
            }
            CasInput::Cas { from, to } => {
                let found = self.0 == *from;
                if found {
                    self.0 = *to;
                }
                CasOutput::Swapped(found)
            }
        }
    }
}

/// A recorded history, with its values as numbers.
pub fn etcd(history: &History<CasInput<Value>, CasOutput<Value>>) -> Etcd {
    let value = |of: &Value| match of {
        Value::Int(number) => Some(*number),
        Value::Nil | Value::Other(_) => None,
    };
    let input = |of: &CasInput<Value>| match of {
        CasInput::Read => CasInput::Read,
        CasInput::Write(of) => CasInput::Write(value(of)),
        CasInput::Cas { from, to } => CasInput::Cas { from: value(from), to: value(to) },
    };
    let output = |of: &CasOutput<Value>| match of {
        CasOutput::Value(of) => CasOutput::Value(value(of)),
        CasOutput::Written => CasOutput::Written,
        CasOutput::Swapped(found) => CasOutput::Swapped(*found),
    };
    let operation = |of: &Operation<CasInput<Value>, CasOutput<Value>>| Operation {
        client: of.client,
        call: of.call,
        input: input(&of.input),
        returned: of.returned.as_ref().map(|of| Returned { at: of.at, output: output(&of.output) }),
    };
    let operations = history.operations().iter().map(operation).collect();
    etcd_of(History::new(operations).expect("its times are those of a history"))
}

/// A history of 12 operations of four clients, right or not.
pub fn short_history(seed: u64) -> Etcd {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut state = Cell(None);
    let mut free = [0; 4];
    let operation = |n: u64| {
        let client = random.random_range(0..4);
        let call = free[client as usize].max(4 * n);
        let at = call + random.random_range(1..20);
        free[client as usize] = at + 1;
        let any = |random: &mut Xoshiro256PlusPlus| Some(random.random_range(0..3));
        let input = match random.random_range(0..4) {
            0 | 1 => CasInput::Read,
            2 => CasInput::Write(any(&mut random)),
            _ => CasInput::Cas { from: any(&mut random), to: any(&mut random) },
        };
        let output = match state.invoke(&input) {
            CasOutput::Value(_) if random.random_bool(0.02) => CasOutput::Value(any(&mut random)),
            output => output,
        };
        Operation::new(client, call, input, at, output)
    };
    etcd_of(History::new((0..12).map(operation).collect()).expect("the times are right"))
}

/// The same history for each checker. Each operation has its own number as its client where a client
/// may not go on after one that never returned.
fn etcd_of(ours: History<Input, Output>) -> Etcd {
    let last = ours.operations().iter().map(|of| of.returned.as_ref().map_or(of.call, |of| of.at));
    let last = last.max().unwrap_or(0) + 1;
    let end = |of: &Operation<Input, Output>| of.returned.as_ref().map_or(last, |of| of.at);
    let op = |of: &Operation<Input, Output>| (of.input.clone(), of.output().cloned());
    // A read that never returned says nothing.
    let says = |of: &&Operation<Input, Output>| of.returned.is_some() || of.input != CasInput::Read;
    let operations: Vec<_> = ours.operations().iter().filter(says).collect();

    let porcupine = |of: &&Operation<Input, Output>| PorcupineOperation {
        client_id: None,
        call_time: of.call as i64,
        return_time: end(of) as i64,
        op: op(of),
        metadata: None,
    };
    let mut events = Vec::new();
    for (number, of) in operations.iter().enumerate() {
        events.push((of.call, false, number, of));
        events.push((end(of), true, number, of));
    }
    events.sort_unstable_by_key(|&(time, is_return, number, _)| (time, is_return, number));
    let action = |&(_, is_return, number, of): &(u64, bool, usize, &&_)| {
        let action = if is_return { Action::Response(op(of)) } else { Action::Call(op(of)) };
        (number, action)
    };
    let told = events.iter().filter(|(_, is_return, _, of)| !is_return || of.returned.is_some());
    Etcd {
        todc: TodcHistory::from_actions(events.iter().map(action).collect()),
        porcupine: operations.iter().map(porcupine).collect(),
        events: told.map(|(_, is_return, _, of)| (of.client, op(of), *is_return)).collect(),
        ours,
    }
}

/// A map as one object, for porcupine-rs.
#[derive(Clone)]
pub struct WholeKv;

/// The history of a map for porcupine-rs.
pub struct PorcupineKv(Vec<PorcupineOperation<WholeKv>>);

impl PorcupineKv {
    /// Its answer.
    pub fn is_linearizable(&self) -> bool {
        porcupine_rs::check_operations(&self.0)
    }
}

impl porcupine_rs::Model for WholeKv {
    type State = std::collections::BTreeMap<String, String>;
    type Op = (KvInput, KvOutput);
    type Metadata = ();

    fn init() -> Self::State {
        Self::State::new()
    }

    fn step(state: &Self::State, (input, output): &Self::Op) -> (bool, Self::State) {
        let mut next = state.clone();
        match input {
            KvInput::Get { key } => {
                let value = state.get(key).cloned().unwrap_or_default();
                return (*output == KvOutput::Value(value), next);
            }
            KvInput::Put { key, value } => {
                next.insert(key.clone(), value.clone());
            }
            KvInput::Append { key, value } => next.entry(key.clone()).or_default().push_str(value),
        }
        (true, next)
    }
}

/// The history of a map whose operations have all returned, for porcupine-rs.
pub fn porcupine_kv(history: &History<<Kv as Model>::Input, <Kv as Model>::Output>) -> PorcupineKv {
    let operation = |of: &Operation<KvInput, KvOutput>| {
        let returned = of.returned.as_ref().expect("all have returned");
        PorcupineOperation {
            client_id: None,
            call_time: of.call as i64,
            return_time: returned.at as i64,
            op: (of.input.clone(), returned.output.clone()),
            metadata: None,
        }
    };
    PorcupineKv(history.operations().iter().map(operation).collect())
}
