//! Channels of a simulated world.
//!
//! Receivers wait on the channel's first key and senders on its second. A channel without capacity
//! has room for as many messages as receivers wait at this moment: a send into it is a hand-over. A
//! sender that finds nobody waiting there offers its message, and waits on a key of its own until a
//! receiver has taken it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use crate::context::{self, Clock};
use crate::observe::{self, Cause};
use crate::sim::kernel::{At, Kernel, Key, Op, ROOM, Receives, Touch, Waiting, Woken};
use crate::time::Until;

pub(super) fn channel<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    let queue = Queue {
        messages: VecDeque::new(),
        offers: VecDeque::new(),
        senders: 1,
        receivers: 1,
        waiting_receivers: 0,
        receivers_so_far: Receivers::Nobody,
    };
    let shared = Arc::new(Shared { queue: Mutex::new(queue), capacity });
    (Sender(shared.clone()), Receiver(shared))
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    capacity: Option<usize>,
}

struct Queue<T> {
    /// Each with what led to it; see [`crate::observe`].
    messages: VecDeque<(Option<Cause>, T)>,
    /// What senders that wait would hand over, if the channel has no capacity.
    offers: VecDeque<Offer<T>>,
    senders: usize,
    receivers: usize,
    waiting_receivers: usize,
    receivers_so_far: Receivers,
}

/// A message that its sender waits with.
struct Offer<T> {
    /// What the sender waits on. No two offers have the same.
    key: Key,
    cause: Option<Cause>,
    message: T,
}

/// Who has received up to now, by task; of a channel that can be full, for reports.
enum Receivers {
    Nobody,
    One(Receives),
    Many,
}

pub(super) struct Sender<T>(Arc<Shared<T>>);
pub(super) struct Receiver<T>(Arc<Shared<T>>);

impl<T> Shared<T> {
    fn receivers_key(&self) -> Key {
        Key::of(&self.queue)
    }

    fn senders_key(&self) -> Key {
        Key::second_of(&self.queue)
    }

    fn waiting(what: &'static str, at: At) -> Waiting {
        Waiting::new(what, std::any::type_name::<T>(), at)
    }

    /// The running task receives from the channel.
    fn received(&self) {
        if self.capacity.is_none() {
            return; // nobody ever waits for room
        }
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                let me = kernel.running_receives();
                let mut queue = self.queue.lock();
                queue.receivers_so_far = match queue.receivers_so_far {
                    Receivers::Nobody => Receivers::One(me),
                    Receivers::One(other) if other.task == me.task => Receivers::One(me),
                    _ => Receivers::Many,
                };
            }
        });
    }

    /// The task that has to receive before there is room, if only one has the receiver as it seems.
    fn only_receiver(&self) -> Option<Receives> {
        let queue = self.queue.lock();
        match queue.receivers_so_far {
            Receivers::One(task) if queue.receivers == 1 => Some(task),
            _ => None,
        }
    }

    fn notify(&self, key: Key) {
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                kernel.notify_one(key);
            }
        });
    }

    /// A side of the channel is gone: whoever waits for it must look.
    fn notify_all(&self, key: Key) {
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                kernel.notify_all(key);
            }
        });
    }

    fn push(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut queue = self.queue.lock();
        if queue.receivers == 0 {
            drop(queue);
            return Err(TrySendError::Disconnected(message));
        }
        let room = match self.capacity {
            None => usize::MAX,
            Some(0) => queue.waiting_receivers,
            Some(capacity) => capacity,
        };
        if queue.messages.len() >= room {
            drop(queue);
            return Err(TrySendError::Full(message));
        }
        queue.messages.push_back((observe::cause_of_message(), message));
        let somebody_waits = queue.waiting_receivers > 0;
        drop(queue);
        if somebody_waits {
            self.notify(self.receivers_key());
        }
        Ok(())
    }

    fn pop(&self) -> Result<T, TryRecvError> {
        let mut queue = self.queue.lock();
        let (cause, message, waits_on) = match queue.messages.pop_front() {
            Some((cause, message)) => {
                let waits_on = self.capacity.filter(|capacity| *capacity > 0);
                (cause, message, waits_on.map(|_| self.senders_key()))
            }
            None => match queue.offers.pop_front() {
                Some(Offer { key, cause, message }) => (cause, message, Some(key)),
                None if queue.senders == 0 => return Err(TryRecvError::Disconnected),
                None => return Err(TryRecvError::Empty),
            },
        };
        drop(queue);
        observe::message_taken(cause);
        if let Some(key) = waits_on {
            self.notify(key);
        }
        Ok(message)
    }

    /// How many messages wait here. One that was handed over is its receiver's already.
    fn len(&self) -> usize {
        if self.capacity == Some(0) { 0 } else { self.queue.lock().messages.len() }
    }

    /// Takes an offer back; none if a receiver has taken it.
    fn take_back(&self, key: Key) -> Option<T> {
        let mut queue = self.queue.lock();
        let place = queue.offers.iter().position(|offer| offer.key == key)?;
        queue.offers.remove(place).map(|offer| offer.message)
    }

    /// True if somebody can still take what is offered there.
    fn still_offers(&self, key: Key) -> bool {
        let queue = self.queue.lock();
        queue.receivers > 0 && queue.offers.iter().any(|offer| offer.key == key)
    }
}

/// Counts a step on the simulated clock.
fn step(op: Op, object: Key, at: At) {
    context::with(|clock| {
        if let Clock::Simulated(kernel) = clock {
            kernel.step(op, Touch::Changes(object), at);
        }
    });
}

/// The kernel to block in.
///
/// # Panics
/// Outside a simulated world.
fn in_world<R>(at: At, what: &str, f: impl FnOnce(&Kernel) -> R) -> R {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => f(kernel),
        Clock::Real => panic!(
            "{what} at {at} would block outside the simulated world that the channel was made in"
        ),
    })
}

impl<T> Sender<T> {
    pub(super) fn try_send(&self, message: T, at: At) -> Result<(), TrySendError<T>> {
        step(Op::Send, self.0.receivers_key(), at);
        self.0.push(message)
    }

    pub(super) fn send(&self, message: T, until: Until, at: At) -> Result<(), SendTimeoutError<T>> {
        step(Op::Send, self.0.receivers_key(), at);
        let message = match self.0.push(message) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(message)) => {
                return Err(SendTimeoutError::Disconnected(message));
            }
            Err(TrySendError::Full(message)) => message,
        };
        in_world(at, "a send", |kernel| match self.0.capacity {
            Some(0) => self.offer(kernel, message, until, at),
            _ => self.wait_for_room(kernel, message, until, at),
        })
    }

    /// Waits until a receiver has taken the message.
    fn offer(
        &self,
        kernel: &Kernel,
        message: T,
        until: Until,
        at: At,
    ) -> Result<(), SendTimeoutError<T>> {
        // Something with an address of its own for as long as this waits.
        let here = 0u8;
        let (shared, key) = (&*self.0, Key::of(&here));
        let offer = Offer { key, cause: observe::cause_of_message(), message };
        shared.queue.lock().offers.push_back(offer);
        let offered = Offered { shared, key };
        let deadline = until.simulated(kernel);
        let mut waiting = Shared::<T>::waiting(ROOM, at);
        let mut woken = Woken::Notified;
        while woken == Woken::Notified && shared.still_offers(key) {
            waiting.receiver = shared.only_receiver();
            woken = kernel.wait(key, waiting, deadline);
        }
        match offered.take_back() {
            None => Ok(()),
            Some(message) if woken == Woken::TimedOut => Err(SendTimeoutError::Timeout(message)),
            Some(message) => Err(SendTimeoutError::Disconnected(message)),
        }
    }

    fn wait_for_room(
        &self,
        kernel: &Kernel,
        mut message: T,
        until: Until,
        at: At,
    ) -> Result<(), SendTimeoutError<T>> {
        let deadline = until.simulated(kernel);
        let mut waiting = Shared::<T>::waiting(ROOM, at);
        loop {
            waiting.receiver = self.0.only_receiver();
            let woken = kernel.wait(self.0.senders_key(), waiting, deadline);
            message = match self.0.push(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(message)) => {
                    return Err(SendTimeoutError::Disconnected(message));
                }
                Err(TrySendError::Full(message)) => message,
            };
            if woken == Woken::TimedOut {
                return Err(SendTimeoutError::Timeout(message));
            }
        }
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        self.0.capacity
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Receiver<T> {
    pub(super) fn try_recv(&self, at: At) -> Result<T, TryRecvError> {
        step(Op::Receive, self.0.receivers_key(), at);
        self.0.received();
        self.0.pop()
    }

    pub(super) fn recv(&self, until: Until, at: At) -> Result<T, RecvTimeoutError> {
        step(Op::Receive, self.0.receivers_key(), at);
        self.0.received();
        match self.0.pop() {
            Ok(message) => Ok(message),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                in_world(at, "a receive", |kernel| self.wait_for_message(kernel, until, at))
            }
        }
    }

    fn wait_for_message(
        &self,
        kernel: &Kernel,
        until: Until,
        at: At,
    ) -> Result<T, RecvTimeoutError> {
        let deadline = until.simulated(kernel);
        let waiting = Shared::<T>::waiting("a message from a channel", at);
        let _waiting = WaitingReceiver::new(&self.0);
        loop {
            let woken = kernel.wait(self.0.receivers_key(), waiting, deadline);
            match self.0.pop() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) if woken == Woken::TimedOut => {
                    return Err(RecvTimeoutError::Timeout);
                }
                Err(TryRecvError::Empty) => {}
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// An offer, which is taken back however the wait with it ends.
struct Offered<'a, T> {
    shared: &'a Shared<T>,
    key: Key,
}

impl<T> Offered<'_, T> {
    fn take_back(&self) -> Option<T> {
        self.shared.take_back(self.key)
    }
}

impl<T> Drop for Offered<'_, T> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}

/// Counts a receiver as waiting, however its wait ends.
struct WaitingReceiver<'a, T>(&'a Shared<T>);

impl<'a, T> WaitingReceiver<'a, T> {
    fn new(shared: &'a Shared<T>) -> WaitingReceiver<'a, T> {
        shared.queue.lock().waiting_receivers += 1;
        WaitingReceiver(shared)
    }
}

impl<T> Drop for WaitingReceiver<'_, T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.waiting_receivers -= 1;
        // What was handed over to a task that is ended before it has looked is gone with it.
        let room = queue.waiting_receivers;
        let orphans = self.0.capacity == Some(0) && queue.messages.len() > room;
        let gone = if orphans { queue.messages.pop_back() } else { None };
        drop(queue);
        drop(gone);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.0.queue.lock().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.0.queue.lock().receivers += 1;
        Receiver(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.senders -= 1;
        if queue.senders == 0 {
            drop(queue);
            self.0.notify_all(self.0.receivers_key());
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.receivers -= 1;
        if queue.receivers == 0 {
            // Nobody can receive them any more; their destructors run outside the lock.
            let left = std::mem::take(&mut queue.messages);
            let offers: Vec<Key> = queue.offers.iter().map(|offer| offer.key).collect();
            drop(queue);
            self.0.notify_all(self.0.senders_key());
            offers.into_iter().for_each(|key| self.0.notify(key));
            drop(left);
        }
    }
}
