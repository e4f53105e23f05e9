//! A client's side: servers are asked one after the other, until one of them has done it.
//!
//! Only the server that leads can execute a request, and no client knows which one that is. So it
//! asks the server that answered last, and goes round when that one does not lead, cannot be
//! reached, or says nothing for a while: a leader that is cut off from the others says nothing for as
//! long as the cut lasts. Such a call stays open, and whichever server answers first counts. A write
//! that two servers were asked for still happens once, if it has a number ([`once`](crate::once)).
//!
//! What is asked, and which replies count as answers, each service says itself.

use std::time::Duration;

use labrpc::Returned;
use labrt::channel::{self, Receiver, Sender};
use labrt::thread;
use labrt::time::Instant;

/// How long a client waits for one server before it asks the next one as well. Longer than a leader
/// needs to have something committed, even on a bad network.
const PATIENCE: Duration = Duration::from_millis(700);

/// How long it waits when all servers have said that they do not lead: about as long as an election
/// takes.
const PAUSE: Duration = Duration::from_millis(50);

/// What a server said to a call, with its place among the servers.
pub type Answer<R> = Returned<usize, R>;

/// The servers of one cluster, as a client of theirs sees them: a `C`, a typed client, for each.
#[derive(Clone, Debug)]
pub struct Servers<C> {
    clients: Vec<C>,
    /// The place of the server that answered last.
    leader: usize,
}

impl<C> Servers<C> {
    /// These servers, of which the first is asked first.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(clients: Vec<C>) -> Servers<C> {
        assert!(!clients.is_empty(), "a client needs at least one server to ask");
        Servers { clients, leader: 0 }
    }

    /// Asks one server after the other, round and round, until one has done it.
    ///
    /// `call` starts a call to a server with the place as its tag (`client.get_to(&args, place,
    /// answers)`). `done` is what a reply gives, or `None` if the next server is to be asked: that one
    /// did not lead.
    pub fn ask<R, T>(
        &mut self,
        call: impl Fn(&C, usize, &Sender<Answer<R>>),
        done: impl Fn(R) -> Option<T>,
    ) -> T {
        let (sender, answers) = channel::unbounded();
        loop {
            if let Some(value) = self.go_round(&sender, &answers, &call, &done) {
                return value;
            }
            thread::sleep(PAUSE);
        }
    }

    /// As [`ask`](Servers::ask), but each server is asked only once. `None` if none has done it: a
    /// call may be under way still, and be executed later.
    pub fn ask_each<R, T>(
        &mut self,
        call: impl Fn(&C, usize, &Sender<Answer<R>>),
        done: impl Fn(R) -> Option<T>,
    ) -> Option<T> {
        let (sender, answers) = channel::unbounded();
        self.go_round(&sender, &answers, &call, &done)
    }

    fn go_round<R, T>(
        &mut self,
        sender: &Sender<Answer<R>>,
        answers: &Receiver<Answer<R>>,
        call: &impl Fn(&C, usize, &Sender<Answer<R>>),
        done: &impl Fn(R) -> Option<T>,
    ) -> Option<T> {
        for _ in 0..self.clients.len() {
            call(&self.clients[self.leader], self.leader, sender);
            if let Some((place, value)) = self.wait(answers, done) {
                self.leader = place;
                return Some(value);
            }
            self.leader = (self.leader + 1) % self.clients.len();
        }
        None
    }

    /// Waits until some server has done it; not longer than the one that was asked last may take,
    /// and no longer if that one says no.
    fn wait<R, T>(
        &self,
        answers: &Receiver<Answer<R>>,
        done: &impl Fn(R) -> Option<T>,
    ) -> Option<(usize, T)> {
        let until = Instant::now() + PATIENCE;
        while let Ok(Returned { tag: place, result }) = answers.recv_deadline(until) {
            if let Some(value) = result.ok().and_then(done) {
                return Some((place, value));
            }
            if place == self.leader {
                break;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use labrpc::NoReply;

    use super::*;

    /// What a server does with a question.
    #[derive(Clone, Copy, Debug)]
    enum Server {
        /// It says no.
        Follower,
        /// It is unreachable.
        Gone,
        /// It does it, after a while.
        Leader { after_ms: u64 },
    }
    use Server::{Follower, Gone, Leader};

    /// Runs `f` with these servers and a call to them; returns how long it took, too.
    fn asking<T: Send + 'static>(
        servers: Vec<Server>,
        f: impl FnOnce(&mut Servers<Server>, &dyn Fn(&Server, usize, &Sender<Answer<bool>>)) -> T
        + Send
        + 'static,
    ) -> (T, Duration) {
        let run = move || {
            let call = |server: &Server, tag: usize, answers: &Sender<Answer<bool>>| {
                let (after, result) = match *server {
                    Follower => (0, Ok(false)),
                    Gone => (80, Err(NoReply)),
                    Leader { after_ms } => (after_ms, Ok(true)),
                };
                let answers = answers.clone();
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(after));
                    let _ = answers.send(Returned { tag, result });
                });
            };
            let began = Instant::now();
            let value = f(&mut Servers::new(servers), &call);
            (value, began.elapsed())
        };
        labrt::simulate(1, run).expect("nothing fails").value
    }

    fn yes(done: bool) -> Option<()> {
        done.then_some(())
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn whoever_answered_last_is_asked_first() {
        let servers = vec![Follower, Gone, Leader { after_ms: 5 }];
        let ((first, second), all) = asking(servers, |servers, call| {
            let began = Instant::now();
            servers.ask(call, yes);
            let first = began.elapsed();
            servers.ask(call, yes);
            (first, began.elapsed() - first)
        });
        assert_eq!((first, second, all), (ms(85), ms(5), ms(90)));
    }

    #[test]
    fn while_a_server_is_silent_the_next_one_is_asked_too_and_the_first_answer_counts() {
        let servers = vec![Leader { after_ms: 710 }, Leader { after_ms: 1000 }];
        let (leader, time) = asking(servers, |servers, call| {
            servers.ask(call, yes);
            servers.leader
        });
        assert_eq!((leader, time), (0, ms(710)));
    }

    #[test]
    fn an_answer_of_an_earlier_round_still_counts() {
        let servers = vec![Follower, Leader { after_ms: 760 }];
        let (_, time) = asking(servers, |servers, call| servers.ask(call, yes));
        assert_eq!(time, ms(760), "asked at 0, given up at 700, the next round began at 750");
    }

    #[test]
    fn a_question_to_each_ends_after_one_round() {
        let (said, time) =
            asking(vec![Follower, Gone], |servers, call| servers.ask_each(call, yes));
        assert_eq!((said, time), (None, ms(80)));
    }

    #[test]
    fn a_question_to_each_ends_with_the_first_that_does_it() {
        let servers = vec![Follower, Gone, Leader { after_ms: 5 }, Leader { after_ms: 1 }];
        let ((said, leader), time) = asking(servers, |servers, call| {
            let said = servers.ask_each(call, yes);
            (said, servers.leader)
        });
        assert_eq!((said, leader, time), (Some(()), 2, ms(85)));
    }
}
