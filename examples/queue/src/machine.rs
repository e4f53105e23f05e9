//! The machine: the queue itself.

use std::collections::VecDeque;

use labgob::DecodeError;
use rsm::{Bytes, Machine};

use crate::message::{Outcome, Request};
use crate::mistake::Front;

/// The elements, first to last.
#[derive(Debug, Default)]
pub(crate) struct Fifo {
    elements: VecDeque<String>,
    /// For the mistakes only: what they look at.
    front: Front,
}

impl Fifo {
    /// An empty queue that shows its first element there.
    pub(crate) fn new(front: Front) -> Fifo {
        Fifo { elements: VecDeque::new(), front }
    }
}

impl Machine for Fifo {
    type Request = Request;
    type Reply = Outcome;

    fn apply(&mut self, request: Request) -> Outcome {
        let outcome = match request {
            Request::Enqueue(element) => {
                self.elements.push_back(element);
                Outcome::Enqueued
            }
            Request::Dequeue => Outcome::Dequeued(self.elements.pop_front()),
        };
        self.front.set(self.elements.front());
        outcome
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.elements))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.elements = labgob::decode(snapshot)?;
        self.front.set(self.elements.front());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enqueue(fifo: &mut Fifo, element: &str) {
        assert_eq!(fifo.apply(Request::Enqueue(element.into())), Outcome::Enqueued);
    }

    fn dequeue(fifo: &mut Fifo) -> Option<String> {
        let Outcome::Dequeued(first) = fifo.apply(Request::Dequeue) else { panic!("a Dequeue") };
        first
    }

    #[test]
    fn first_in_first_out() {
        let mut fifo = Fifo::default();
        assert_eq!(dequeue(&mut fifo), None);
        enqueue(&mut fifo, "a");
        enqueue(&mut fifo, "b");
        assert_eq!(dequeue(&mut fifo).as_deref(), Some("a"));
        enqueue(&mut fifo, "c");
        assert_eq!(dequeue(&mut fifo).as_deref(), Some("b"));
        assert_eq!(dequeue(&mut fifo).as_deref(), Some("c"));
        assert_eq!(dequeue(&mut fifo), None);
    }

    #[test]
    fn a_snapshot_has_the_elements_in_their_order() {
        let mut fifo = Fifo::default();
        enqueue(&mut fifo, "a");
        enqueue(&mut fifo, "b");
        let mut restored = Fifo::default();
        enqueue(&mut restored, "of before");
        restored.restore(&fifo.snapshot()).expect("it is one");
        assert!(restored.restore(b"nonsense").is_err());
        assert_eq!(dequeue(&mut restored).as_deref(), Some("a"));
        assert_eq!(dequeue(&mut restored).as_deref(), Some("b"));
        assert_eq!(dequeue(&mut restored), None);
    }
}
