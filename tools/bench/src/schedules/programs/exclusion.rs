//! Bugs in hand-written locks.

use super::{Code, PATIENCE};
use crate::schedules::runtime::{Atomic, Number, Runtime, race};

struct Peterson<R: Runtime> {
    code: Code,
    wants: [R::Flag; 2],
    /// Who goes first if both want to.
    turn: R::Number,
    inside: R::Number,
}

impl<R: Runtime> Peterson<R> {
    fn enter(&self, me: usize) {
        let other = 1 - me;
        match self.code {
            Code::Mended => {
                self.wants[me].store(true);
                self.turn.store(other);
            }
            Code::Buggy => {
                self.turn.store(other);
                self.wants[me].store(true);
            }
        }
        for _ in 0..PATIENCE {
            if !self.wants[other].load() || self.turn.load() == me {
                let others = self.inside.fetch_add(1);
                assert_eq!(others, 0, "both tasks are inside");
                self.inside.fetch_sub(1);
                break;
            }
            R::yield_now();
        }
        self.wants[me].store(false);
    }
}

/// Two tasks enter a section one at a time, by Peterson's algorithm.
///
/// Bug: a task lets the other go first before it says that it wants to enter itself.
/// Seen if: the other does both and enters in between, and is still inside when the first one enters
/// by its turn.
pub(super) fn peterson<R: Runtime>(code: Code) {
    race::<R, _>(
        Peterson::<R> {
            code,
            wants: [Atomic::new(false), Atomic::new(false)],
            turn: Atomic::new(0),
            inside: Atomic::new(0),
        },
        &[|lock| lock.enter(0), |lock| lock.enter(1)],
    );
}

/// A lock for many readers or one writer, around a pair of equal numbers.
struct ReadWriteLock<R: Runtime> {
    code: Code,
    readers: R::Number,
    writing: R::Flag,
    pair: [R::Number; 2],
}

impl<R: Runtime> ReadWriteLock<R> {
    fn begin_to_read(&self) -> bool {
        for _ in 0..PATIENCE {
            self.readers.fetch_add(1);
            if !self.writing.load() {
                return true;
            }
            self.readers.fetch_sub(1);
            R::yield_now();
        }
        false
    }

    fn end_to_read(&self) {
        if self.code == Code::Buggy && self.readers.load() <= 1 {
            self.readers.store(0);
        } else {
            self.readers.fetch_sub(1);
        }
    }

    fn read(&self) {
        if self.begin_to_read() {
            let [first, second] = &self.pair;
            assert_eq!(first.load(), second.load(), "a writer is inside together with a reader");
            self.end_to_read();
        }
    }

    fn write(&self) {
        self.writing.store(true);
        for _ in 0..PATIENCE {
            if self.readers.load() == 0 {
                self.pair.iter().for_each(|number| number.store(1));
                break;
            }
            R::yield_now();
        }
        self.writing.store(false);
    }
}

/// Two readers and a writer share a lock that counts its readers.
///
/// Bug: a reader that finds itself the last one sets the count to zero, in a second step.
/// Seen if: the other reader comes in between, so that it is inside without being counted, and the
/// writer enters and changes one number of the pair between the reader's two looks.
pub(super) fn last_reader<R: Runtime>(code: Code) {
    race::<R, _>(
        ReadWriteLock::<R> {
            code,
            readers: Atomic::new(0),
            writing: Atomic::new(false),
            pair: [Atomic::new(0), Atomic::new(0)],
        },
        &[ReadWriteLock::read, ReadWriteLock::read, ReadWriteLock::write],
    );
}
