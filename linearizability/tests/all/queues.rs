//! Long histories of queues, which no search decides.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use linearizability::models::{Queue, QueueInput, QueueOutput};
use linearizability::{
    Answer, History, Known, Limits, Means, Model, Seen, Step, Violation, check, check_by,
};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use QueueInput::{Dequeue, Enqueue};
use QueueOutput::{Dequeued, Enqueued};

type Operation = linearizability::Operation<QueueInput<u32>, QueueOutput<u32>>;

/// What clients do with a queue at the same time, all of it right. Of a hundred operations so many are enqueues, and so
/// many never return.
fn draw(seed: u64, length: usize, enqueues: u32, lost: u32) -> Vec<Operation> {
    let random = &mut Xoshiro256PlusPlus::seed_from_u64(seed);
    let clients = random.random_range(2..=10);
    let mut queue = VecDeque::new();
    // By client: the operation, and its output if it has taken effect.
    let mut under_way: BTreeMap<u64, (Operation, Option<QueueOutput<u32>>)> = BTreeMap::new();
    let (mut operations, mut next_client) = (Vec::new(), 100);
    let (mut now, mut started) = (0, 0);
    while started < length || !under_way.is_empty() {
        now += 1;
        let client = random.random_range(0..clients);
        match under_way.get_mut(&client) {
            None if started < length => {
                let input = match random.random_range(0..100) < enqueues {
                    true => Enqueue(started as u32),
                    false => Dequeue,
                };
                under_way.insert(client, (Operation::pending(client, now, input), None));
                started += 1;
            }
            None => {}
            Some((operation, output @ None)) => {
                *output = Some(match operation.input {
                    Enqueue(value) => {
                        queue.push_back(value);
                        Enqueued
                    }
                    Dequeue => Dequeued(queue.pop_front()),
                });
            }
            Some((operation, output)) => {
                let (mut operation, output) = (operation.clone(), output.take());
                under_way.remove(&client);
                if random.random_range(0..100) < lost {
                    // Whoever gave up goes on as another client.
                    operation.client = next_client;
                    next_client += 1;
                } else {
                    let output = output.expect("it has taken effect");
                    operation.returned = Some(linearizability::Returned { at: now, output });
                }
                operations.push(operation);
            }
        }
    }
    operations
}

fn history(operations: &[Operation]) -> History<QueueInput<u32>, QueueOutput<u32>> {
    History::new(operations.to_vec()).expect("the times are right")
}

fn shortcut(operations: &[Operation]) -> Answer<()> {
    let limits = Limits { steps: 10_000, bytes: 1 << 20 };
    check_by(&Queue::new(), &history(operations), &[Means::Shortcut], &limits).answer
}

/// How many of a hundred histories of this kind the shortcut decides, all of which are right.
fn decided(enqueues: u32, lost: u32) -> usize {
    let of = |seed: u64| match shortcut(&draw(seed, 400, enqueues, lost)) {
        Answer::Linearizable(_) => true,
        Answer::Undecided(_) => false,
        Answer::NotLinearizable(violation) => panic!("seed {seed}: {violation:?}"),
    };
    (0..100).filter(|seed| of(*seed)).count()
}

#[test]
fn right_histories_need_no_search() {
    // Growing, nearly always empty, and both by turns; and some with clients that give up.
    for (enqueues, lost, least) in
        [(60, 0, 100), (30, 0, 100), (50, 0, 100), (60, 5, 100), (50, 5, 95), (30, 5, 95)]
    {
        let decided = decided(enqueues, lost);
        assert!(decided >= least, "{enqueues} % enqueues, {lost} % lost: {decided}");
    }
}

/// Changes one dequeue, so that the history is wrong in one of four ways.
fn spoil(operations: &mut Vec<Operation>, way: usize) -> bool {
    let out: Vec<usize> = (0..operations.len())
        .filter(|place| matches!(operations[*place].output(), Some(Dequeued(Some(_)))))
        .collect();
    let ends = |operation: &Operation| operation.returned.as_ref().map_or(u64::MAX, |end| end.at);
    let set = |operation: &mut Operation, value| {
        operation.returned.as_mut().expect("it returned").output = Dequeued(value);
    };
    let middle = out[out.len() / 2];
    let until = ends(&operations[middle]);
    match way {
        // A value that nobody put in.
        0 => set(&mut operations[middle], Some(1_000_000)),
        // One that another one has got, too.
        1 => {
            let other = operations[out[0]].output().cloned();
            let Some(Dequeued(other)) = other else { return false };
            set(&mut operations[middle], other);
        }
        // Two that come out in the wrong order.
        2 => {
            let later = out.iter().find(|place| operations[**place].call > until).copied();
            let Some(later) = later else { return false };
            let outputs = [middle, later].map(|place| operations[place].output().cloned());
            let [Some(Dequeued(one)), Some(Dequeued(other))] = outputs else { return false };
            // They went in one after the other.
            let enqueue = |value: Option<u32>| {
                let input = Enqueue(value.expect("there is one"));
                operations.iter().find(|operation| operation.input == input).expect("it went in")
            };
            if ends(enqueue(one)) >= enqueue(other).call {
                return false;
            }
            set(&mut operations[middle], other);
            set(&mut operations[later], one);
        }
        // One that finds nothing, while one value was in all the time.
        _ => {
            let last = operations.iter().map(|operation| operation.call.max(ends(operation)));
            let last = last.filter(|at| *at < u64::MAX).max().unwrap_or(0);
            operations.extend([
                Operation::new(900, last + 1, Enqueue(2_000_000), last + 2, Enqueued),
                Operation::new(900, last + 3, Dequeue, last + 4, Dequeued(None)),
            ]);
        }
    }
    true
}

/// When the return comes up to just before which there is an order.
fn certain_at(operations: &[Operation]) -> u64 {
    let up_to = |at: u64| {
        let known = operations.iter().filter(|operation| operation.call <= at).cloned();
        let known = known.map(|mut operation| {
            operation.returned = operation.returned.filter(|returned| returned.at <= at);
            operation
        });
        known.collect::<Vec<_>>()
    };
    let mut ends: Vec<u64> =
        operations.iter().filter_map(|operation| Some(operation.returned.as_ref()?.at)).collect();
    ends.sort_unstable();
    ends[ends.partition_point(|end| !shortcut(&up_to(*end)).is_violation())]
}

#[test]
fn wrong_histories_need_no_search_and_are_explained() {
    let mut of_way = [0; 4];
    for seed in 0..12 {
        for (way, count) in of_way.iter_mut().enumerate() {
            let mut operations = draw(seed, 150, 55, 0);
            if !spoil(&mut operations, way) {
                continue;
            }
            *count += 1;
            let answer = shortcut(&operations);
            assert!(answer.is_violation(), "seed {seed}, way {way}: {answer:?}");
            let limits = Limits { steps: 100_000, ..Limits::default() };
            let report = check(&Queue::new(), &history(&operations), &limits);
            let Answer::NotLinearizable(violation) = report.answer else { panic!("{report:?}") };
            if way == 0 {
                // That one alone is enough, and all that came before it has an order.
                assert_eq!(violation.operations, [violation.culprit]);
                assert!(violation.minimal);
            }
            let longest = violation.orders.first().expect("there is one").len();
            let end = certain_at(&operations);
            let culprit = operations[violation.culprit].returned.as_ref().expect("it returned");
            assert!(culprit.at >= end, "seed {seed}, way {way}: there is an order until {end}");
            let known = |operation: &&Operation| {
                operation.returned.as_ref().is_some_and(|returned| returned.at < end)
            };
            let known = operations.iter().filter(known).count();
            assert!(longest >= known, "seed {seed}, way {way}: {longest} of {known}");
        }
    }
    assert!(of_way.iter().all(|count| *count >= 5), "{of_way:?}");
}

/// A queue that counts the operations that it is asked about.
#[derive(Debug)]
struct Asked {
    queue: Queue<u32>,
    operations: Cell<usize>,
}

impl Model for Asked {
    type Key = ();
    type State = VecDeque<u32>;
    type Input = QueueInput<u32>;
    type Output = QueueOutput<u32>;

    fn key(&self, _: &Self::Input) {}
    fn initial(&self) -> Self::State {
        self.queue.initial()
    }
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<Self::State> {
        self.queue.step(state, input, output)
    }
    fn advance(
        &self,
        state: &mut Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<Self::State> {
        self.queue.advance(state, input, output)
    }
    fn shortcut(&self, operations: &[Seen<'_, Self::Input, Self::Output>]) -> Known {
        self.operations.set(self.operations.get() + operations.len());
        self.queue.shortcut(operations)
    }
    fn describe(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        self.queue.describe(input, output)
    }
}

/// Explains a violation; and how many operations all questions together had.
fn explained(operations: &[Operation]) -> (Violation<()>, usize) {
    let model = Asked { queue: Queue::new(), operations: Cell::new(0) };
    let limits = Limits { steps: 10_000, bytes: 1 << 28 };
    let report = check(&model, &history(operations), &limits);
    let Answer::NotLinearizable(violation) = report.answer else { panic!("{report:?}") };
    (violation, model.operations.get())
}

/// One after the other, each by a client of its own; those without an output never return.
fn in_turn(operations: Vec<(QueueInput<u32>, Option<QueueOutput<u32>>)>) -> Vec<Operation> {
    let of = |(client, (input, output))| match output {
        Some(output) => Operation::new(client, 2 * client, input, 2 * client + 1, output),
        None => Operation::pending(client, 2 * client, input),
    };
    (0..).zip(operations).map(of).collect()
}

/// Values in order, but the last two.
fn last_two_swapped(
    count: u32,
) -> impl Iterator<Item = (QueueInput<u32>, Option<QueueOutput<u32>>)> {
    let values = (0..count - 2).chain([count - 1, count - 2]);
    values.map(|value| (Dequeue, Some(Dequeued(Some(value)))))
}

#[test]
fn two_values_in_the_wrong_order_are_told_by_the_two() {
    for count in [3, 10, 100] {
        let enqueues = (0..count).map(|value| (Enqueue(value), Some(Enqueued)));
        let operations = in_turn(enqueues.chain(last_two_swapped(count)).collect());
        let (violation, _) = explained(&operations);
        assert!(violation.minimal);
        let last = operations.len() - 1;
        if count == 100 {
            // The value that went in first of the two, and both that came out.
            let all = [count as usize - 2, last - 1, last];
            assert_eq!((violation.culprit, &violation.operations[..]), (last, &all[..]));
        } else {
            assert_eq!(violation.culprit, last - 1, "few tell it with the first return");
        }
        let longest = violation.orders.first().expect("there is one").len();
        assert!(longest >= last - 1, "{count} values: {longest}");
    }
}

/// (The documentation of `Violation::minimal`: "no more than 50,000,000".)
#[test]
fn what_an_explanation_asks_about_is_bounded() {
    let count = 2_000;
    let open = |value| (Enqueue(value), (value >= count - 2).then_some(Enqueued));
    let never_returned = (0..count).map(open).chain(last_two_swapped(count));
    let nothing = (0..count).map(|_| (Dequeue, Some(Dequeued(None))));
    let returned = (0..count).map(|value| (Enqueue(value), Some(Enqueued)));
    let after_nothing = nothing.chain(returned).chain(last_two_swapped(count));
    for operations in [never_returned.collect(), after_nothing.collect()] {
        let (violation, asked) = explained(&in_turn(operations));
        assert!(asked <= 50_000_000, "{asked} operations");
        assert!(violation.minimal && violation.operations.len() <= 4, "{violation:?}");
    }
}
