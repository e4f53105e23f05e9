//! Operations that never returned. They may come at any time after their calls, or never.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use std::cell::Cell;
use std::hash::BuildHasher;

use super::Bits;
use crate::model::Model;
use crate::part::Item;

/// The operations that never returned, and which of them are used.
///
/// Those that ask for the same form a class. As they have the same effect, those that were called
/// first are used first.
pub(super) struct Optional<'a, M: Model> {
    items: Vec<Item<'a, M>>,
    /// The items of each class, in order of their calls.
    classes: Vec<Vec<u32>>,
    /// How many of each class are used.
    counts: Vec<usize>,
    used: Bits,
    count: usize,
    /// How many classes were looked at in vain.
    looked: Cell<u64>,
}

impl<'a, M: Model> Optional<'a, M> {
    /// Those of the items that never returned, but for reads: nobody knows what they read, so they
    /// say nothing. All stand in order of their calls.
    pub(super) fn new(model: &M, all: &[Item<'a, M>]) -> Optional<'a, M> {
        let pending = all.iter().copied().filter(|item| !item.has_returned());
        let items: Vec<_> = pending.filter(|item| !model.reads_only(item.input, None)).collect();
        let classes = classes(&items);
        Optional {
            used: Bits::new(items.len()),
            count: 0,
            counts: vec![0; classes.len()],
            looked: Cell::new(0),
            items,
            classes,
        }
    }

    pub(super) fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The first class from this one on of which an unused operation was called before this event.
    pub(super) fn next_class(&self, from: u32, event: u32) -> Option<u32> {
        let is_called = |item: u32| self.items[item as usize].call < event;
        for class in from..self.classes.len() as u32 {
            let (items, used) = (&self.classes[class as usize], self.counts[class as usize]);
            if items.get(used).is_some_and(|&next| is_called(next)) {
                return Some(class);
            }
            if !is_called(items[0]) {
                // Classes are in order of their first calls.
                return None;
            }
            self.looked.set(self.looked.get() + 1);
        }
        None
    }

    /// How many classes were looked at in vain.
    pub(super) fn looked(&self) -> u64 {
        self.looked.get()
    }

    /// What the operations of a class ask for.
    pub(super) fn input(&self, class: u32) -> &'a M::Input {
        self.items[self.classes[class as usize][0] as usize].input
    }

    /// The place in the history of a class's operation.
    pub(super) fn operation(&self, class: u32, number: usize) -> usize {
        self.items[self.classes[class as usize][number] as usize].operation
    }

    /// Uses one more of this class.
    pub(super) fn take(&mut self, class: u32) {
        let count = &mut self.counts[class as usize];
        self.used.insert(self.classes[class as usize][*count]);
        *count += 1;
        self.count += 1;
    }

    /// Uses one less.
    pub(super) fn take_back(&mut self, class: u32) {
        let count = &mut self.counts[class as usize];
        *count -= 1;
        self.count -= 1;
        self.used.remove(self.classes[class as usize][*count]);
    }

    /// How many are used.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Which are used.
    pub(super) fn used(&self) -> &Bits {
        &self.used
    }
}

fn classes<M: Model>(items: &[Item<M>]) -> Vec<Vec<u32>> {
    let mut classes: Vec<Vec<u32>> = Vec::new();
    let mut table: HashTable<usize> = HashTable::new();
    let hash = |input: &M::Input| FxBuildHasher.hash_one(input);
    for (number, item) in (0..).zip(items) {
        let input = |class: usize, classes: &[Vec<u32>]| items[classes[class][0] as usize].input;
        let wanted = hash(item.input);
        if let Some(&class) = table.find(wanted, |&class| input(class, &classes) == item.input) {
            classes[class].push(number);
        } else {
            classes.push(vec![number]);
            let all = &classes;
            table.insert_unique(wanted, all.len() - 1, |&class| hash(input(class, all)));
        }
    }
    classes
}
