//! A queue: first in, first out.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::fifo;
use crate::model::{Known, Model, Seen, Step};

/// A queue that is empty at first.
#[derive(Clone, Debug)]
pub struct Queue<V>(PhantomData<V>);

impl<V> Queue<V> {
    /// The model.
    pub fn new() -> Queue<V> {
        Queue(PhantomData)
    }
}

impl<V> Default for Queue<V> {
    fn default() -> Queue<V> {
        Queue::new()
    }
}

/// What a client asks of a [`Queue`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueInput<V> {
    /// This shall be the last.
    Enqueue(V),
    /// Which is the first? It is taken out.
    Dequeue,
}

/// What a client gets of a [`Queue`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueueOutput<V> {
    /// It is in.
    Enqueued,
    /// What was the first; nothing if the queue was empty.
    Dequeued(Option<V>),
}

impl<V: Clone + Eq + Hash + Debug> Model for Queue<V> {
    type Key = ();
    type State = VecDeque<V>;
    type Input = QueueInput<V>;
    type Output = QueueOutput<V>;

    fn key(&self, _: &Self::Input) {}

    fn initial(&self) -> VecDeque<V> {
        VecDeque::new()
    }

    fn step(
        &self,
        state: &VecDeque<V>,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<VecDeque<V>> {
        // What is impossible is most of what is asked, and needs no copy.
        match (input, output) {
            (QueueInput::Dequeue, Some(QueueOutput::Dequeued(first)))
                if first.as_ref() != state.front() =>
            {
                Step::Impossible
            }
            _ => {
                let mut next = state.clone();
                match self.advance(&mut next, input, output) {
                    Step::Unchanged if matches!(input, QueueInput::Dequeue) && state.is_empty() => {
                        Step::Unchanged
                    }
                    Step::Unchanged => Step::To(next),
                    other => other,
                }
            }
        }
    }

    fn advance(
        &self,
        state: &mut VecDeque<V>,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Step<VecDeque<V>> {
        match (input, output) {
            (QueueInput::Enqueue(value), None | Some(QueueOutput::Enqueued)) => {
                state.push_back(value.clone());
            }
            (QueueInput::Dequeue, None) => {
                state.pop_front();
            }
            (QueueInput::Dequeue, Some(QueueOutput::Dequeued(first)))
                if first.as_ref() == state.front() =>
            {
                state.pop_front();
            }
            _ => return Step::Impossible,
        }
        Step::Unchanged
    }

    fn reads_only(&self, input: &Self::Input, output: Option<&Self::Output>) -> bool {
        *input == QueueInput::Dequeue && output == Some(&QueueOutput::Dequeued(None))
    }

    fn shortcut(&self, operations: &[Seen<'_, Self::Input, Self::Output>]) -> Known {
        fifo::decide(operations)
    }

    fn state_bytes(&self, state: &VecDeque<V>) -> usize {
        size_of::<VecDeque<V>>() + state.capacity() * size_of::<V>()
    }

    fn describe(&self, input: &Self::Input, output: Option<&Self::Output>) -> String {
        match (input, output) {
            (QueueInput::Enqueue(value), _) => format!("enqueue {value:?}"),
            (QueueInput::Dequeue, Some(QueueOutput::Dequeued(Some(value)))) => {
                format!("dequeue -> {value:?}")
            }
            (QueueInput::Dequeue, Some(_)) => "dequeue -> empty".into(),
            (QueueInput::Dequeue, None) => "dequeue".into(),
        }
    }

    fn describe_state(&self, state: &VecDeque<V>) -> String {
        format!("{state:?}")
    }
}
