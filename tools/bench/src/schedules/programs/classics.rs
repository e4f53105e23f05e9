//! Bugs of the kinds that published comparisons of schedulers measure with, in our words: how late or
//! how often somebody must come is a number, so that a scheduler's weakness shows.

use super::Code;
use crate::schedules::runtime::{Atomic, Handle, Mutex, Number, Runtime, race};

struct Pair<R: Runtime> {
    first: R::Number,
    second: R::Number,
}

/// So many setters write two numbers one after the other, and a checker reads both.
///
/// Bug: the checker does not expect one without the other.
/// Seen if: it reads after a setter's first write and before any setter's second one, however many
/// setters there are to come between.
fn reorder<R: Runtime>(code: Code, setters: usize) {
    let pair = R::Mutex::new(());
    let shared =
        std::sync::Arc::new((Pair::<R> { first: Atomic::new(0), second: Atomic::new(0) }, pair));
    let set = |_| {
        let shared = shared.clone();
        R::spawn(move || {
            let (pair, lock) = &*shared;
            let _both = code.if_mended(|| lock.lock());
            pair.first.store(1);
            pair.second.store(1);
        })
    };
    let mut tasks: Vec<R::Handle> = (0..setters).map(set).collect();
    let checked = shared.clone();
    tasks.push(R::spawn(move || {
        let (pair, lock) = &*checked;
        let _both = code.if_mended(|| lock.lock());
        let (first, second) = (pair.first.load(), pair.second.load());
        assert!(first == second, "one number is set and the other is not");
    }));
    tasks.into_iter().for_each(Handle::join);
}

pub(super) fn reorder_3<R: Runtime>(code: Code) {
    reorder::<R>(code, 3);
}

pub(super) fn reorder_10<R: Runtime>(code: Code) {
    reorder::<R>(code, 10);
}

struct Stages<R: Runtime> {
    code: Code,
    input: R::Mutex<usize>,
    output: R::Mutex<usize>,
}

/// So many workers put something in under one lock and then what follows from it under another; one
/// reader looks at both.
///
/// Bug: the reader believes that what is in has been worked on.
/// Seen if: it reads between the two stages of the first worker, and before any other has done both.
fn two_stages<R: Runtime>(code: Code, workers: usize) {
    let stages =
        std::sync::Arc::new(Stages::<R> { code, input: Mutex::new(0), output: Mutex::new(0) });
    let work = |_| {
        let stages = stages.clone();
        R::spawn(move || {
            *stages.input.lock() = 1;
            let input = *stages.input.lock();
            *stages.output.lock() = input + 1;
        })
    };
    let mut tasks: Vec<R::Handle> = (0..workers).map(work).collect();
    let read = stages.clone();
    tasks.push(R::spawn(move || {
        let input = *read.input.lock();
        if input != 0 {
            let output = *read.output.lock();
            assert!(read.code == Code::Mended || output == input + 1, "nothing was made of it");
        }
    }));
    tasks.into_iter().for_each(Handle::join);
}

pub(super) fn two_stages_2<R: Runtime>(code: Code) {
    two_stages::<R>(code, 2);
}

pub(super) fn two_stages_20<R: Runtime>(code: Code) {
    two_stages::<R>(code, 20);
}

struct Lazy<R: Runtime> {
    code: Code,
    value: R::Mutex<u32>,
    /// Held by each task as a whole in the mended form.
    turn: R::Mutex<()>,
}

impl<R: Runtime> Lazy<R> {
    fn add(&self, amount: u32) {
        let _turn = self.code.if_mended(|| self.turn.lock());
        *self.value.lock() += amount;
    }

    fn check(&self) {
        let _turn = self.code.if_mended(|| self.turn.lock());
        let value = *self.value.lock();
        assert!(self.code == Code::Mended || value < 3, "both were there before");
    }
}

/// Two tasks add to a number and a third one looks at it.
///
/// Bug: the third takes for granted that it comes before one of them.
/// Seen if: it comes last. No switch inside of any task is needed.
pub(super) fn lazy<R: Runtime>(code: Code) {
    race::<R, _>(
        Lazy::<R> { code, value: Mutex::new(0), turn: Mutex::new(()) },
        &[|lazy| lazy.add(1), |lazy| lazy.add(2), Lazy::check],
    );
}

struct Slots<R: Runtime> {
    code: Code,
    next: R::Number,
    taken: [R::Flag; 16],
}

impl<R: Runtime> Slots<R> {
    fn take(&self) {
        let slot = match self.code {
            Code::Mended => self.next.fetch_add(1),
            Code::Buggy => {
                let slot = self.next.load();
                self.next.store(slot + 1);
                slot
            }
        };
        assert!(!self.taken[slot].swap(true), "two tasks have the same slot");
    }
}

/// Sixteen tasks take a slot each.
///
/// Bug: the number of the next free slot is read and written apart.
/// Seen if: two of the tasks, whichever, are between the two at one time.
pub(super) fn sixteen_slots<R: Runtime>(code: Code) {
    let slots = Slots::<R> {
        code,
        next: Atomic::new(0),
        taken: std::array::from_fn(|_| Atomic::new(false)),
    };
    race::<R, _>(slots, &[Slots::take as fn(&Slots<R>); 16]);
}

struct Ring<R: Runtime> {
    code: Code,
    lock: R::Mutex<()>,
    written: R::Number,
    read: R::Number,
    cells: [R::Number; 2],
}

impl<R: Runtime> Ring<R> {
    const ITEMS: usize = 3;

    fn write(&self) {
        for item in 1..=Self::ITEMS {
            let _all = self.code.if_mended(|| self.lock.lock());
            let written = self.written.load();
            if written - self.read.load() == self.cells.len() {
                return; // it is full, and who reads has given up
            }
            let cell = &self.cells[written % self.cells.len()];
            if self.code == Code::Mended {
                cell.store(item);
                self.written.store(written + 1);
            } else {
                self.written.store(written + 1);
                cell.store(item);
            }
        }
    }

    fn read(&self) {
        let mut expected = 1;
        for _ in 0..Self::ITEMS {
            let _all = self.code.if_mended(|| self.lock.lock());
            let read = self.read.load();
            if self.written.load() == read {
                continue;
            }
            let item = self.cells[read % self.cells.len()].load();
            assert_eq!(item, expected, "what was read is not what was written");
            expected += 1;
            self.read.store(read + 1);
        }
    }
}

/// A task writes into a ring of two cells and another one reads.
///
/// Bug: a cell counts as written before it is.
/// Seen if: the reader comes between the two.
pub(super) fn ring<R: Runtime>(code: Code) {
    race::<R, _>(
        Ring::<R> {
            code,
            lock: Mutex::new(()),
            written: Atomic::new(0),
            read: Atomic::new(0),
            cells: [Atomic::new(0), Atomic::new(0)],
        },
        &[Ring::write, Ring::read],
    );
}

struct Accounts<R: Runtime> {
    code: Code,
    accounts: [R::Mutex<u32>; 5],
}

impl<R: Runtime> Accounts<R> {
    fn send(&self, from: usize) {
        let to = (from + 1) % self.accounts.len();
        let (first, second) = match self.code {
            Code::Mended => (from.min(to), from.max(to)),
            Code::Buggy => (from, to),
        };
        let mut first = self.accounts[first].lock();
        let mut second = self.accounts[second].lock();
        (*first, *second) = (*first + 1, *second + 1);
    }
}

/// Five tasks lock two of five accounts each, in a circle.
///
/// Bug: the order of the locks is that of the transfer.
/// Seen if: each task has one lock before any has two.
pub(super) fn five_in_a_circle<R: Runtime>(code: Code) {
    race::<R, _>(
        Accounts::<R> { code, accounts: std::array::from_fn(|_| Mutex::new(0)) },
        &[
            |all| all.send(0),
            |all| all.send(1),
            |all| all.send(2),
            |all| all.send(3),
            |all| {
                all.send(4);
            },
        ],
    );
}
