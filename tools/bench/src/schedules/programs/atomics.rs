//! Bugs in the order of operations on atomics.

use super::{Code, PATIENCE};
use crate::schedules::runtime::{Atomic, Mutex, Number, Runtime, race};

struct Lamp<R: Runtime> {
    code: Code,
    /// Odd while the lamp is lit.
    changes: R::Number,
    /// What the mended form holds during a flash and during a look.
    turn: R::Mutex<()>,
}

impl<R: Runtime> Lamp<R> {
    fn flash(&self) {
        for flash in 0..3 {
            let _turn = self.code.if_mended(|| self.turn.lock());
            self.changes.store(2 * flash + 1);
            self.changes.store(2 * flash + 2);
        }
    }

    fn look(&self) {
        let seen = [(); 3].map(|()| {
            let _turn = self.code.if_mended(|| self.turn.lock());
            self.changes.load()
        });
        assert_ne!(seen, [1, 3, 5], "each look met a flash");
    }
}

/// A lamp flashes three times while somebody looks at it three times.
///
/// Bug: that each look meets another flash is taken for something that cannot be.
/// Seen if: the turn goes to the watcher at three places, each while the lamp is lit, and back at
/// three, each after one look.
pub(super) fn three_windows<R: Runtime>(code: Code) {
    race::<R, _>(
        Lamp::<R> { code, changes: Atomic::new(0), turn: Mutex::new(()) },
        &[Lamp::flash, Lamp::look],
    );
}

/// Two numbers that are to be equal for every reader.
struct Pair<R: Runtime> {
    code: Code,
    first: R::Number,
    second: R::Number,
    lock: R::Mutex<()>,
}

impl<R: Runtime> Pair<R> {
    fn new(code: Code) -> Self {
        Pair { code, first: Atomic::new(0), second: Atomic::new(0), lock: Mutex::new(()) }
    }

    fn write(&self, value: usize) {
        let _held = self.code.if_mended(|| self.lock.lock());
        self.first.store(value);
        self.second.store(value);
    }

    fn read(&self) -> (usize, usize) {
        let _held = self.code.if_mended(|| self.lock.lock());
        (self.first.load(), self.second.load())
    }
}

/// A task publishes two numbers that belong together, and another one reads both.
///
/// Bug: there is no lock around either.
/// Seen if: one of them makes a step while the other is between its two.
pub(super) fn half_published<R: Runtime>(code: Code) {
    race::<R, _>(
        Pair::<R>::new(code),
        &[
            |pair| {
                pair.write(1);
                pair.write(2);
            },
            |pair| {
                let (first, second) = pair.read();
                assert_eq!(first, second, "the pair is half published");
            },
        ],
    );
}

/// Six tasks publish the same pair.
///
/// Bug: as before; but only a pair whose second half is missing counts.
/// Seen if: the reader makes both its steps after a first half and before any second half. The more
/// writers there are, the sooner one of them closes that window.
pub(super) fn six_writers<R: Runtime>(code: Code) {
    let mut tasks: Vec<fn(&Pair<R>)> = vec![|pair| pair.write(1); 6];
    tasks.push(|pair| assert_ne!(pair.read(), (1, 0), "the pair is half published"));
    race::<R, _>(Pair::<R>::new(code), &tasks);
}

struct Lazy<R: Runtime> {
    code: Code,
    ready: R::Flag,
    value: R::Number,
    lock: R::Mutex<()>,
}

impl<R: Runtime> Lazy<R> {
    fn get(&self) {
        if !self.ready.load() {
            let _held = self.lock.lock();
            if !self.ready.load() {
                self.initialise();
            }
        }
        assert_eq!(self.value.load(), 7, "a value that is not there yet");
    }

    fn initialise(&self) {
        match self.code {
            Code::Mended => {
                self.value.store(7);
                self.ready.store(true);
            }
            Code::Buggy => {
                self.ready.store(true);
                self.value.store(7);
            }
        }
    }
}

/// Three tasks ask for a value that the first one makes.
///
/// Bug: the flag that the value is there is set before the value.
/// Seen if: a task makes both its first look at the flag and its read of the value in between.
pub(super) fn double_checked<R: Runtime>(code: Code) {
    race::<R, _>(
        Lazy::<R> { code, ready: Atomic::new(false), value: Atomic::new(0), lock: Mutex::new(()) },
        &[Lazy::get, Lazy::get, Lazy::get],
    );
}

struct Parcel<R: Runtime> {
    code: Code,
    there: R::Flag,
}

impl<R: Runtime> Parcel<R> {
    fn put(&self) {
        self.there.store(true);
    }

    fn take(&self) {
        R::yield_now();
        if self.code == Code::Mended {
            while !self.there.load() {
                R::yield_now();
            }
        }
        assert!(self.there.load(), "the other task has not run");
    }
}

/// A task hands something over to another one, which yields once before it takes it.
///
/// Bug: to yield is taken for a promise that the other task has run.
/// Seen if: it has not.
pub(super) fn hand_over<R: Runtime>(code: Code) {
    race::<R, _>(Parcel::<R> { code, there: Atomic::new(false) }, &[Parcel::take, Parcel::put]);
}

struct Driver<R: Runtime> {
    code: Code,
    stopping: R::Flag,
    stopped: R::Flag,
    pending: R::Number,
}

impl<R: Runtime> Driver<R> {
    fn request(&self) {
        // The mended form counts first, so that whoever stops sees either the request or its end.
        let counted = self.code.if_mended(|| self.pending.fetch_add(1)).is_some();
        if !self.stopping.load() {
            if !counted {
                self.pending.fetch_add(1);
            }
            assert!(!self.stopped.load(), "a request to a driver that has stopped");
            self.pending.fetch_sub(1);
        } else if counted {
            self.pending.fetch_sub(1);
        }
    }

    fn stop(&self) {
        self.stopping.store(true);
        for _ in 0..PATIENCE {
            if self.pending.load() == 0 {
                return self.stopped.store(true);
            }
            R::yield_now();
        }
    }
}

/// A driver is stopped while a request comes in.
///
/// Bug: a request looks whether the driver is stopping before it counts as pending.
/// Seen if: the driver stops in between, from beginning to end.
pub(super) fn stop<R: Runtime>(code: Code) {
    race::<R, _>(
        Driver::<R> {
            code,
            stopping: Atomic::new(false),
            stopped: Atomic::new(false),
            pending: Atomic::new(0),
        },
        &[Driver::request, Driver::request, Driver::stop],
    );
}

struct Ring<R: Runtime> {
    code: Code,
    token_at: [R::Flag; 4],
    /// What the mended form holds while the token moves and while it is looked for.
    lock: R::Mutex<()>,
}

impl<R: Runtime> Ring<R> {
    fn pass_on(&self) {
        let stations = self.token_at.len();
        for step in 0..2 * stations {
            let _held = self.code.if_mended(|| self.lock.lock());
            self.token_at[step % stations].store(false);
            self.token_at[(step + 1) % stations].store(true);
        }
    }

    fn is_lost(&self) -> bool {
        let _held = self.code.if_mended(|| self.lock.lock());
        !self.token_at.iter().any(Atomic::load)
    }

    fn watch(&self) {
        if self.is_lost() && self.is_lost() {
            panic!("a second token is made");
        }
    }
}

/// A token goes round a ring of four stations; a watchdog makes a new one if it is lost.
///
/// Bug: the watchdog looks at one station after the other, and so can miss a token that moves.
/// Seen if: it misses the token twice in a row, which is how careful it is.
pub(super) fn token_ring<R: Runtime>(code: Code) {
    let token_at = std::array::from_fn(|station| Atomic::new(station == 0));
    race::<R, _>(Ring::<R> { code, token_at, lock: Mutex::new(()) }, &[Ring::pass_on, Ring::watch]);
}
