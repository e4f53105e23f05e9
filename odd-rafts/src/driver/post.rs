//! Sending and receiving, with the habits that have to do with it.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::rng::{self, RngExt};
use labrt::thread;

use super::Event;
use crate::choice::Odd;
use crate::dress::{Dress, Handler};
use crate::habits::Habits;
use crate::message::{Reply, Request};

/// How long the habits `slow_handlers` and `slow_replies` wait at most, in ms.
const SLOW: u64 = 20;

/// With the habit `duplicates`, requests whose commands are longer than this are sent once: the lab
/// lets each command go to each server about once.
const LONG: usize = 1000;

/// When a restarted server says its last words: it must have been connected by then.
const AFTER_RESTART: Duration = Duration::from_millis(60);

/// The way to the other servers.
pub(crate) struct Post {
    habits: Habits,
    dress: &'static dyn Dress,
    me: usize,
    ends: Arc<[ClientEnd]>,
}

impl Post {
    pub(crate) fn new(odd: &Odd, me: usize, ends: Vec<ClientEnd>) -> Post {
        Post { habits: odd.habits(), dress: odd.dress(), me, ends: ends.into() }
    }

    pub(crate) fn me(&self) -> usize {
        self.me
    }

    pub(crate) fn servers(&self) -> usize {
        self.ends.len()
    }

    /// How often a request is to be sent.
    pub(crate) fn copies(&self, request: &Request) -> usize {
        let long = match request {
            Request::Vote(_) => false,
            Request::Append(append) => {
                append.entries.iter().map(|entry| entry.command.len()).sum::<usize>() > LONG
            }
        };
        if self.habits.duplicates && !long { 2 } else { 1 }
    }

    /// Sends a request once and waits for the reply.
    pub(crate) fn call(&self, to: usize, request: &Request) -> Option<Reply> {
        self.dress.call(&self.ends[to], request)
    }

    /// Sends a request, as often as is the habit. Its end will be an event.
    pub(crate) fn send(&self, to: usize, request: &Request, events: &Sender<Event>) {
        for _ in 0..self.copies(request) {
            self.dress.call_to(&self.ends[to], to, request, events);
        }
    }

    /// Says again what was said before a crash.
    pub(crate) fn repeat(self: &Arc<Self>, last_words: Vec<(usize, Reply)>) {
        if last_words.is_empty() {
            return;
        }
        let post = self.clone();
        thread::spawn(move || {
            thread::sleep(AFTER_RESTART);
            for (to, reply) in last_words {
                post.dress.reply(&post.ends[to], post.me, &reply);
            }
        });
    }

    /// The service by which the others reach a server.
    pub(crate) fn service(&self, handler: impl Handler + 'static) -> Service {
        let paced = Paced { habits: self.habits, handler };
        self.dress.service(Arc::new(paced), self.me, self.ends.clone())
    }
}

/// A handler that takes its time, with the habits for it. No lock is held meanwhile.
struct Paced<H> {
    habits: Habits,
    handler: H,
}

impl<H: Handler> Handler for Paced<H> {
    fn request(&self, request: Request) -> Option<Reply> {
        if self.habits.slow_handlers {
            pause();
        }
        let reply = self.handler.request(request);
        if self.habits.slow_replies {
            pause();
        }
        reply
    }

    fn reply(&self, from: usize, reply: Reply) {
        self.handler.reply(from, reply);
    }
}

fn pause() {
    let pause = rng::node_stream().random_range(0..=SLOW);
    thread::sleep(Duration::from_millis(pause));
}
