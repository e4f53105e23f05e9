//! Channels with many senders and many receivers, in crossbeam's shapes and with its errors.
//!
//! A channel belongs to the clock it was made on. One made in a simulated world may leave it: from
//! outside, everything that need not block works (draining what a finished run left, say), and
//! what would block panics.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

pub use crossbeam::channel::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

use crate::context::{self, Clock};
use crate::sim::kernel::At;
use crate::time::{Instant, Until};

mod simulated;

/// A channel that holds any number of messages.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    make(None)
}

/// A channel that holds at most `capacity` messages; with 0 each send waits for its receiver.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    make(Some(capacity))
}

fn make<T>(capacity: Option<usize>) -> (Sender<T>, Receiver<T>) {
    context::with(|clock| match clock {
        Clock::Simulated(_) => {
            let (sender, receiver) = simulated::channel(capacity);
            (Sender(Flavour::Simulated(sender)), Receiver(Flavour::Simulated(receiver)))
        }
        Clock::Real => {
            let (sender, receiver) = match capacity {
                Some(capacity) => crossbeam::channel::bounded(capacity),
                None => crossbeam::channel::unbounded(),
            };
            (Sender(Flavour::Real(sender)), Receiver(Flavour::Real(receiver)))
        }
    })
}

#[derive(Clone)]
enum Flavour<R, S> {
    Real(R),
    Simulated(S),
}

/// The sending side. Clones send into the same channel; when all are gone it is disconnected.
pub struct Sender<T>(Flavour<crossbeam::channel::Sender<T>, simulated::Sender<T>>);

/// The receiving side. Clones take from the same channel: each message reaches one of them.
pub struct Receiver<T>(Flavour<crossbeam::channel::Receiver<T>, simulated::Receiver<T>>);

impl<T> Sender<T> {
    /// Waits for room and sends.
    ///
    /// # Errors
    /// Gives the message back if every receiver is gone.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        match self.send_until(message, Until::Never, Location::caller()) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Disconnected(message) | SendTimeoutError::Timeout(message)) => {
                Err(SendError(message))
            }
        }
    }

    /// Sends if there is room.
    ///
    /// # Errors
    /// Gives the message back if the channel is full or every receiver is gone.
    #[track_caller]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        match &self.0 {
            Flavour::Real(sender) => {
                context::checkpoint();
                sender.try_send(message)
            }
            Flavour::Simulated(sender) => sender.try_send(message, Location::caller()),
        }
    }

    /// Waits for room for at most `timeout` and sends.
    ///
    /// # Errors
    /// Gives the message back if the time is over or every receiver is gone.
    #[track_caller]
    pub fn send_timeout(&self, message: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, Until::After(timeout), Location::caller())
    }

    /// Waits for room until `deadline` and sends.
    ///
    /// # Errors
    /// Gives the message back if the time is over or every receiver is gone.
    #[track_caller]
    pub fn send_deadline(&self, message: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(message, Until::At(deadline), Location::caller())
    }

    fn send_until(&self, message: T, until: Until, at: At) -> Result<(), SendTimeoutError<T>> {
        match &self.0 {
            Flavour::Real(sender) => send_real(sender, message, until, at),
            Flavour::Simulated(sender) => sender.send(message, until, at),
        }
    }

    /// How many messages the channel holds at most; `None` if there is no limit.
    pub fn capacity(&self) -> Option<usize> {
        match &self.0 {
            Flavour::Real(sender) => sender.capacity(),
            Flavour::Simulated(sender) => sender.capacity(),
        }
    }

    /// How many messages wait in the channel.
    pub fn len(&self) -> usize {
        match &self.0 {
            Flavour::Real(sender) => sender.len(),
            Flavour::Simulated(sender) => sender.len(),
        }
    }

    /// True if no message waits in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn send_real<T>(
    sender: &crossbeam::channel::Sender<T>,
    message: T,
    until: Until,
    at: At,
) -> Result<(), SendTimeoutError<T>> {
    context::checkpoint();
    let mut message = match sender.try_send(message) {
        Ok(()) => return Ok(()),
        Err(TrySendError::Disconnected(message)) => {
            return Err(SendTimeoutError::Disconnected(message));
        }
        Err(TrySendError::Full(message)) => Some(message),
    };
    must_not_be_simulated("a send", at);
    let sent = context::in_slices(until.real(), |slice| {
        match sender.send_deadline(message.take().expect("given back"), slice) {
            Err(SendTimeoutError::Timeout(back)) => {
                message = Some(back);
                None
            }
            done => Some(done),
        }
    });
    sent.unwrap_or_else(|| Err(SendTimeoutError::Timeout(message.expect("given back"))))
}

impl<T> Receiver<T> {
    /// Waits for a message.
    ///
    /// # Errors
    /// If the channel is empty and every sender is gone.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_until(Until::Never, Location::caller()).map_err(|_| RecvError)
    }

    /// Takes a message if there is one.
    ///
    /// # Errors
    /// If the channel is empty; the error tells whether every sender is gone.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match &self.0 {
            Flavour::Real(receiver) => {
                context::checkpoint();
                receiver.try_recv()
            }
            Flavour::Simulated(receiver) => receiver.try_recv(Location::caller()),
        }
    }

    /// Waits for a message for at most `timeout`.
    ///
    /// # Errors
    /// If the time is over, or the channel is empty and every sender is gone.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(Until::After(timeout), Location::caller())
    }

    /// Waits for a message until `deadline`.
    ///
    /// # Errors
    /// If the time is over, or the channel is empty and every sender is gone.
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(Until::At(deadline), Location::caller())
    }

    fn recv_until(&self, until: Until, at: At) -> Result<T, RecvTimeoutError> {
        match &self.0 {
            Flavour::Real(receiver) => recv_real(receiver, until, at),
            Flavour::Simulated(receiver) => receiver.recv(until, at),
        }
    }

    /// An iterator that waits for each message and ends when every sender is gone.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// An iterator over the messages that are there.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// How many messages wait in the channel.
    pub fn len(&self) -> usize {
        match &self.0 {
            Flavour::Real(receiver) => receiver.len(),
            Flavour::Simulated(receiver) => receiver.len(),
        }
    }

    /// True if no message waits in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// No task of a simulated world can wait at a channel of the real clock: it would hold up all of them, and what
/// comes of it is up to the machine.
///
/// # Panics
/// In a simulated world.
fn must_not_be_simulated(what: &str, at: At) {
    context::with(|clock| match clock {
        Clock::Real => {}
        Clock::Simulated(_) => panic!(
            "{what} at {at} would block a simulated world: its channel was made outside, where the clock is \
             real; make it in the world"
        ),
    });
}

fn recv_real<T>(
    receiver: &crossbeam::channel::Receiver<T>,
    until: Until,
    at: At,
) -> Result<T, RecvTimeoutError> {
    context::checkpoint();
    match receiver.try_recv() {
        Ok(message) => return Ok(message),
        Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
        Err(TryRecvError::Empty) => must_not_be_simulated("a receive", at),
    }
    let received = context::in_slices(until.real(), |slice| match receiver.recv_deadline(slice) {
        Err(RecvTimeoutError::Timeout) => None,
        done => Some(done),
    });
    received.unwrap_or(Err(RecvTimeoutError::Timeout))
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender(self.0.clone())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({} waiting)", self.len())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({} waiting)", self.len())
    }
}

/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

/// The iterator of a receiver that is used up by it.
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
