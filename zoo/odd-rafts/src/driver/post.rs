//! Sending and receiving, with the habits that have to do with it.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::rng::{self, RngExt};
use labrt::sync::RwLock;
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

/// With the habit `one_entry`, how often and after how long a request is looked at once more whose
/// entry follows one that is missing: as often as there are messages on their way, and for as long as
/// an unreliable network holds some of them back.
const PATIENCE: usize = 16;
const LOOK_AGAIN: Duration = Duration::from_millis(3);

/// When a restarted server says its last words: it must have been connected by then.
const AFTER_RESTART: Duration = Duration::from_millis(60);

/// The way to the other servers.
pub(crate) struct Post {
    habits: Habits,
    dress: &'static dyn Dress,
    me: usize,
    ends: Arc<[ClientEnd]>,
    /// What is locked with the habit `locked_while_sent`, by peer.
    locks: Vec<RwLock<()>>,
}

impl Post {
    pub(crate) fn new(odd: &Odd, me: usize, ends: Vec<ClientEnd>) -> Post {
        let locks = ends.iter().map(|_| RwLock::default()).collect();
        Post { habits: odd.habits(), dress: odd.dress(), me, ends: ends.into(), locks }
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
            Request::Vote(_) | Request::TimeoutNow(_) => false,
            Request::Append(append) => {
                append.entries.iter().map(|entry| entry.command.len()).sum::<usize>() > LONG
            }
            Request::Install(_) => false,
        };
        if self.habits.duplicates && !long { 2 } else { 1 }
    }

    /// Sends a request once and waits for the reply.
    pub(crate) fn call(&self, to: usize, request: &Request) -> Option<Reply> {
        let _shared = self.habits.locked_while_sent.then(|| self.locks[to].read());
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

impl<H: Handler> Paced<H> {
    /// Handles a request again and again while what comes before its entry may be on its way.
    fn request_patiently(&self, request: &Request) -> Option<Reply> {
        let mut reply = self.handler.request(request.clone())?;
        for _ in 0..PATIENCE {
            if !reply.waits_for_entries() {
                break;
            }
            thread::sleep(LOOK_AGAIN);
            reply = self.handler.request(request.clone())?;
        }
        Some(reply)
    }
}

impl<H: Handler> Handler for Paced<H> {
    fn request(&self, request: Request) -> Option<Reply> {
        if self.habits.slow_handlers {
            pause();
        }
        let reply = match self.habits.one_entry {
            true => self.request_patiently(&request),
            false => self.handler.request(request),
        };
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

#[cfg(test)]
mod tests {
    use labrt::sync::Mutex;
    use labrt::time::Instant;

    use super::*;
    use crate::message::{AppendRequest, Entry, Place, VoteReply, VoteRequest};

    fn post(name: &str) -> Post {
        Post::new(&name.parse().expect("a name of the zoo"), 0, Vec::new())
    }

    fn vote() -> Request {
        Request::Vote(VoteRequest { term: 1, candidate: 0, last: Place::default(), pre: false })
    }

    fn append(length: usize) -> Request {
        let entries = vec![Entry { term: 1, command: vec![0; length].into() }];
        let prev = Place::default();
        Request::Append(AppendRequest { term: 1, leader: 0, prev, entries, commit: 0 })
    }

    #[test]
    fn duplicates_are_of_short_requests() {
        let copies = |post: &Post| [vote(), append(10), append(5000)].map(|one| post.copies(&one));
        assert_eq!(copies(&post("plain")), [1, 1, 1]);
        assert_eq!(copies(&post("duplicates")), [2, 2, 1]);
    }

    /// Notes when it was asked.
    struct Clock(Arc<Mutex<Instant>>);

    impl Handler for Clock {
        fn request(&self, _: Request) -> Option<Reply> {
            *self.0.lock() = Instant::now();
            Some(Reply::Vote(VoteReply { term: 1, asked: 1, pre: false, granted: true }))
        }

        fn reply(&self, _: usize, _: Reply) {}
    }

    /// Whether some of many requests wait before they are handled, and some replies after that.
    fn waits(name: &str) -> (bool, bool) {
        let habits = post(name).habits;
        let world = labrt::simulate(1, move || {
            let asked = Arc::new(Mutex::new(Instant::now()));
            let paced = Paced { habits, handler: Clock(asked.clone()) };
            let (mut before, mut after) = (false, false);
            for _ in 0..20 {
                let began = Instant::now();
                paced.request(vote());
                let asked = *asked.lock();
                before |= asked > began;
                after |= Instant::now() > asked;
            }
            (before, after)
        });
        world.expect("nothing can fail").value
    }

    #[test]
    fn handlers_and_replies_may_be_slow() {
        assert_eq!(waits("plain"), (false, false));
        assert_eq!(waits("slow_handlers"), (true, false));
        assert_eq!(waits("slow_replies"), (false, true));
    }
}
