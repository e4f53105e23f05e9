//! How far the search has come, in time.
//!
//! The *frontier* is the first return of an operation that has no place in the order yet: until it has
//! one, nothing can be ordered that was called later. So all operations that returned before the
//! frontier are ordered, of those called after it none is, and what is left to say is which of those
//! under way at the frontier are. As operations under way at one time are few, and each has a *slot*
//! that is its own until it returns, that fits into a bit per slot, whatever the length of the
//! history.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bits::Bits;
use crate::model::Model;
use crate::part::Item;

/// A call or a return.
#[derive(Clone, Copy, Debug)]
struct Event {
    /// Which of the operations that returned.
    item: u32,
    is_return: bool,
}

/// The frontier, and what is ordered there.
pub(super) struct Place {
    events: Vec<Event>,
    /// The slot of each operation.
    slots: Vec<u32>,
    /// The event at the frontier; the number of events if all is ordered.
    at: usize,
    /// The slots of operations that were called before the frontier and did not return before it.
    open: Bits,
    /// Those of them whose operations are ordered.
    done: Bits,
    /// The operation in each slot.
    occupants: Vec<u32>,
}

impl Place {
    /// Before anything is ordered. All items have returned, and stand in order of their returns.
    pub(super) fn new<M: Model>(items: &[Item<M>]) -> Place {
        let events = events(items);
        let (slots, count) = assign_slots(&events, items.len());
        let mut place = Place {
            events,
            slots,
            at: 0,
            open: Bits::new(count),
            done: Bits::new(count),
            occupants: vec![0; count],
        };
        place.advance();
        place
    }

    /// Whether all is ordered.
    pub(super) fn is_done(&self) -> bool {
        self.at == self.events.len()
    }

    /// The frontier, as a place among the events.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The operation whose return is the frontier.
    pub(super) fn first(&self) -> Option<u32> {
        self.events.get(self.at).map(|event| event.item)
    }

    /// Which slots are ordered, as words.
    pub(super) fn done(&self) -> &Bits {
        &self.done
    }

    /// The operations that may come next, in the order of their slots.
    pub(super) fn candidates(&self) -> impl Iterator<Item = u32> + '_ {
        self.open.without(&self.done).map(|slot| self.occupants[slot as usize])
    }

    /// Orders a candidate next.
    pub(super) fn order(&mut self, item: u32) {
        self.done.insert(self.slots[item as usize]);
        self.advance();
    }

    /// Takes the last operation back, which was ordered when the frontier was here.
    pub(super) fn take_back(&mut self, item: u32, at: usize) {
        while self.at > at {
            self.at -= 1;
            let Event { item, is_return } = self.events[self.at];
            let slot = self.slots[item as usize];
            if is_return {
                self.open.insert(slot);
                self.done.insert(slot);
                self.occupants[slot as usize] = item;
            } else {
                self.open.remove(slot);
            }
        }
        self.done.remove(self.slots[item as usize]);
    }

    /// Moves the frontier to the first return of what is not ordered.
    fn advance(&mut self) {
        while let Some(&Event { item, is_return }) = self.events.get(self.at) {
            let slot = self.slots[item as usize];
            if !is_return {
                self.open.insert(slot);
                self.occupants[slot as usize] = item;
            } else if self.done.has(slot) {
                self.open.remove(slot);
                self.done.remove(slot);
            } else {
                break;
            }
            self.at += 1;
        }
    }
}

/// Calls and returns in order of time. The items are in order of their returns.
fn events<M: Model>(items: &[Item<M>]) -> Vec<Event> {
    let mut calls: Vec<u64> =
        (0..).zip(items).map(|(number, item)| u64::from(item.call) << 32 | number).collect();
    calls.sort_unstable();
    let mut calls = calls.into_iter().peekable();
    let mut events = Vec::with_capacity(2 * items.len());
    for (number, item) in (0..).zip(items) {
        while let Some(call) = calls.next_if(|call| call >> 32 < u64::from(item.end)) {
            events.push(Event { item: call as u32, is_return: false });
        }
        events.push(Event { item: number, is_return: true });
    }
    events
}

/// Gives each operation the lowest slot that is free at its call, and says how many there are.
fn assign_slots(events: &[Event], items: usize) -> (Vec<u32>, usize) {
    let mut slots = vec![0; items];
    let mut free = BinaryHeap::new();
    let mut count = 0;
    for event in events {
        let slot = &mut slots[event.item as usize];
        if event.is_return {
            free.push(Reverse(*slot));
        } else if let Some(Reverse(lowest)) = free.pop() {
            *slot = lowest;
        } else {
            *slot = count;
            count += 1;
        }
    }
    (slots, count as usize)
}
