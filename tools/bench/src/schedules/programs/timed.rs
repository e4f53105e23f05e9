//! Bugs that depend on time, for labrt alone: shuttle's sleep lets no time pass.

use std::time::Duration;

use labrt::sync::{Arc, Mutex};
use labrt::thread;
use labrt::time::Instant;

use super::Code;

/// Two tasks sleep and then add one to a count; the second sleeps longer by `apart`.
///
/// Bug: the count is read and written under the lock, but the lock is free in between.
/// Seen if: the second task wakes up while the first is in between. If they sleep apart, a simulated
/// clock must for that let a timer fire while a task could go on, as a real clock does.
fn lost_update(code: Code, apart: Duration) {
    let total = Arc::new(Mutex::new(0));
    let deadline = Instant::now() + Duration::from_millis(10);
    let start = |deadline| {
        let total = total.clone();
        thread::spawn(move || {
            thread::sleep_until(deadline);
            match code {
                Code::Mended => *total.lock() += 1,
                Code::Buggy => {
                    let before = *total.lock();
                    *total.lock() = before + 1;
                }
            }
        })
    };
    for task in [start(deadline), start(deadline + apart)] {
        task.join().expect("the tasks do not panic");
    }
    assert_eq!(*total.lock(), 2, "an update got lost");
}

pub(super) fn equal_deadlines(code: Code) {
    lost_update(code, Duration::ZERO);
}

pub(super) fn a_nanosecond_apart(code: Code) {
    lost_update(code, Duration::from_nanos(1));
}

pub(super) fn a_microsecond_apart(code: Code) {
    lost_update(code, Duration::from_micros(1));
}
