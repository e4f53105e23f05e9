//! The network's clockwork: one task that performs what is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use labrt::sync::{Condvar, Mutex};
use labrt::time::Instant;

use crate::copies::CopyId;
use crate::request::CallId;

/// What is due at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The request reaches its server.
    Dispatch(CallId),
    /// The reply reaches the caller.
    Deliver(CallId),
    /// The call fails.
    Fail(CallId),
    /// It is looked whether the call can still be answered.
    Check(CallId),
    /// A copy of a request reaches its server.
    Copy(CopyId),
}

#[derive(Default)]
pub(crate) struct Timers {
    state: Mutex<State>,
    /// Signals an earlier deadline than all others, or the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    heap: BinaryHeap<Reverse<(Instant, u64, Due)>>,
    next_serial: u64,
    started: bool,
    closed: bool,
}

impl Timers {
    /// Has `due` performed at this moment. True if this is the first one ever, so that the task
    /// that performs them has to be started.
    pub(crate) fn schedule(&self, at: Instant, due: Due) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        let first = state.heap.peek().is_none_or(|Reverse((earliest, ..))| at < *earliest);
        let serial = state.next_serial;
        state.next_serial += 1;
        state.heap.push(Reverse((at, serial, due)));
        let start = !std::mem::replace(&mut state.started, true);
        drop(state);
        if first {
            self.changed.notify_one();
        }
        start
    }

    /// Waits until something is due; `None` when the network has come to its end.
    pub(crate) fn next(&self) -> Option<Due> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            match state.heap.peek() {
                None => self.changed.wait(&mut state),
                Some(Reverse((at, ..))) if *at <= Instant::of_world() => {
                    return state.heap.pop().map(|Reverse((_, _, due))| due);
                }
                Some(Reverse((at, ..))) => {
                    let at = *at;
                    self.changed.wait_until(&mut state, at);
                }
            }
        }
    }

    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.heap.clear();
        drop(state);
        self.changed.notify_all();
    }
}
