//! Bugs in the use of locks.

use std::collections::BTreeMap;

use super::Code;
use crate::schedules::runtime::{Atomic, Mutex, Runtime, race};

struct Count<R: Runtime> {
    code: Code,
    total: R::Mutex<u32>,
}

impl<R: Runtime> Count<R> {
    fn add_one(&self) {
        match self.code {
            Code::Mended => *self.total.lock() += 1,
            Code::Buggy => {
                let before = *self.total.lock();
                *self.total.lock() = before + 1;
            }
        }
    }
}

/// Two tasks add one to a count.
///
/// Bug: the count is read and written under the lock, but the lock is free in between.
/// Seen if: both tasks are in between at one time.
pub(super) fn lost_update<R: Runtime>(code: Code) {
    let count =
        race::<R, _>(Count::<R> { code, total: Mutex::new(0) }, &[Count::add_one, Count::add_one]);
    assert_eq!(*count.total.lock(), 2, "an update got lost");
}

struct Sums<R: Runtime> {
    values: R::Mutex<(u32, u32)>,
}

impl<R: Runtime> Sums<R> {
    const STEPS: usize = 4;

    fn add_to_left(&self) {
        for _ in 0..Self::STEPS {
            let mut values = self.values.lock();
            values.0 += values.1;
        }
    }

    fn add_to_right(&self) {
        for _ in 0..Self::STEPS {
            let mut values = self.values.lock();
            values.1 += values.0;
        }
    }
}

/// Two tasks add one of two numbers to the other, each in its direction, four times.
///
/// Bug: the greatest sum is taken for one that cannot be.
/// Seen if: the tasks take turns at every single addition.
pub(super) fn alternation<R: Runtime>(code: Code) {
    let sums = race::<R, _>(
        Sums::<R> { values: Mutex::new((1, 1)) },
        &[Sums::add_to_left, Sums::add_to_right],
    );
    let (left, right) = *sums.values.lock();
    let limit = if code == Code::Mended { 55 } else { 54 };
    assert!(left.max(right) <= limit, "{left} and {right}: above the limit");
}

struct Office<R: Runtime> {
    code: Code,
    /// How many lines each clerk has written.
    journals: [R::Mutex<u32>; 2],
    orders: R::Mutex<u32>,
    stock: R::Mutex<u32>,
}

impl<R: Runtime> Office<R> {
    const LINES: u32 = 18;
    /// The line that announces the only delivery, which comes one line later.
    const ANNOUNCED: u32 = 9;

    fn deliver(&self) {
        let mut orders = self.orders.lock();
        let mut stock = self.stock.lock();
        *orders += 1;
        *stock += 1;
    }

    fn cancel(&self) {
        if self.code == Code::Mended {
            let _orders = self.orders.lock();
            let _stock = self.stock.lock();
        } else {
            let _stock = self.stock.lock();
            let _orders = self.orders.lock();
        }
    }

    fn deliver_once(&self) {
        for line in 1..=Self::LINES {
            *self.journals[0].lock() = line;
            if line == Self::ANNOUNCED + 1 {
                self.deliver();
            }
        }
    }

    fn cancel_what_is_announced(&self) {
        for line in 1..=Self::LINES {
            *self.journals[1].lock() = line;
            if line % 3 == 0 {
                let seen = *self.journals[0].lock();
                if seen == Self::ANNOUNCED {
                    self.cancel();
                }
            }
        }
    }
}

/// Two clerks write journals. One delivers something once; the other reads what the first writes, and
/// cancels a delivery that has just been announced.
///
/// Bug: cancelling locks the stock before the orders, delivering the orders before the stock.
/// Seen if: the announcement is read before the next line is written, and then both clerks are between
/// their two locks at one time. Nearly all steps are about the journals.
pub(super) fn rare_order<R: Runtime>(code: Code) {
    race::<R, _>(
        Office::<R> {
            code,
            journals: [Mutex::new(0), Mutex::new(0)],
            orders: Mutex::new(0),
            stock: Mutex::new(0),
        },
        &[Office::deliver_once, Office::cancel_what_is_announced],
    );
}

struct Table<R: Runtime> {
    code: Code,
    forks: [R::Mutex<()>; 3],
}

impl<R: Runtime> Table<R> {
    fn dine(&self, philosopher: usize) {
        let (mut first, mut second) = (philosopher, (philosopher + 1) % 3);
        if self.code == Code::Mended && second < first {
            std::mem::swap(&mut first, &mut second);
        }
        let _first = self.forks[first].lock();
        let _second = self.forks[second].lock();
    }
}

/// Three philosophers take the fork on their left and then the one on their right.
///
/// Bug: nobody begins with the other fork.
/// Seen if: each has taken one fork before anybody takes a second.
pub(super) fn philosophers<R: Runtime>(code: Code) {
    race::<R, _>(
        Table::<R> { code, forks: std::array::from_fn(|_| Mutex::new(())) },
        &[|table| table.dine(0), |table| table.dine(1), |table| table.dine(2)],
    );
}

struct Sessions<R: Runtime> {
    code: Code,
    by_user: R::Mutex<BTreeMap<u32, u32>>,
}

impl<R: Runtime> Sessions<R> {
    fn open(&self, session: u32) {
        const USER: u32 = 7;
        if self.code == Code::Mended {
            self.by_user.lock().entry(USER).or_insert(session);
            return;
        }
        let is_there = self.by_user.lock().contains_key(&USER);
        if !is_there {
            let replaced = self.by_user.lock().insert(USER, session);
            assert_eq!(replaced, None, "the user had a session already");
        }
    }
}

/// Two tasks open a session for a user who has none.
///
/// Bug: looking and inserting take the lock once each.
/// Seen if: both look before one inserts.
pub(super) fn check_then_act<R: Runtime>(code: Code) {
    race::<R, _>(
        Sessions::<R> { code, by_user: Mutex::new(BTreeMap::new()) },
        &[|sessions| sessions.open(1), |sessions| sessions.open(2)],
    );
}

struct Bank<R: Runtime> {
    code: Code,
    savings: R::Mutex<u32>,
    spending: R::Mutex<u32>,
}

impl<R: Runtime> Bank<R> {
    fn transfer(&self) {
        for _ in 0..2 {
            match self.code {
                Code::Mended => {
                    let mut savings = self.savings.lock();
                    let mut spending = self.spending.lock();
                    *savings -= 10;
                    *spending += 10;
                }
                Code::Buggy => {
                    *self.savings.lock() -= 10;
                    *self.spending.lock() += 10;
                }
            }
        }
    }

    fn audit(&self) {
        let savings = self.savings.lock();
        let spending = self.spending.lock();
        assert_eq!(*savings + *spending, 200, "money is made or lost");
    }
}

/// A task moves money between two accounts while another one adds them up.
///
/// Bug: money that is being moved is in neither account.
/// Seen if: the sum is made between the two halves of a transfer.
pub(super) fn transfer<R: Runtime>(code: Code) {
    race::<R, _>(
        Bank::<R> { code, savings: Mutex::new(100), spending: Mutex::new(100) },
        &[Bank::transfer, Bank::audit],
    );
}

struct Guarded<R: Runtime> {
    code: Code,
    right: R::Mutex<()>,
    wrong: R::Mutex<()>,
    total: R::Number,
}

impl<R: Runtime> Guarded<R> {
    fn add_one(&self) {
        let before = self.total.load();
        self.total.store(before + 1);
    }

    fn under_the_right_lock(&self) {
        let _held = self.right.lock();
        self.add_one();
    }

    fn under_the_wrong_lock(&self) {
        let lock = if self.code == Code::Mended { &self.right } else { &self.wrong };
        let _held = lock.lock();
        self.add_one();
    }
}

/// Four tasks add one to a count that a lock guards.
///
/// Bug: the fourth takes another lock.
/// Seen if: it and one of the others are between their read and their write at one time.
pub(super) fn wrong_lock<R: Runtime>(code: Code) {
    let count = race::<R, _>(
        Guarded::<R> { code, right: Mutex::new(()), wrong: Mutex::new(()), total: Atomic::new(0) },
        &[
            Guarded::under_the_right_lock,
            Guarded::under_the_right_lock,
            Guarded::under_the_right_lock,
            Guarded::under_the_wrong_lock,
        ],
    );
    assert_eq!(count.total.load(), 4, "an update got lost");
}
