//! A client's side.

use std::time::Duration;

use labrpc::{ClientEnd, Returned};
use labrt::channel::{self, Receiver, Sender};
use labrt::rng::{self, RngExt};
use labrt::thread;
use labrt::time::Instant;

use crate::message::{
    GetArgs, GetReply, KeyValueClient, Op, Outcome, PutAppendArgs, PutAppendReply,
};

/// How long a clerk waits for one server before it asks the next one as well. Longer than a leader
/// needs to have something committed, even on a bad network.
const PATIENCE: Duration = Duration::from_millis(700);

/// How long it waits when all servers have said that they do not lead: about as long as an election
/// takes.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes calls to the service, one at a time.
///
/// It asks the server that answered last, and goes round when that one does not lead, cannot be
/// reached, or says nothing for a while: a leader that is cut off from the others says nothing for as
/// long as the cut lasts. Such a call stays open, and whichever server answers first counts. A write
/// that two servers were asked for still happens once, since it has a number.
///
/// Go: the type `Clerk`.
#[derive(Debug)]
pub struct Clerk {
    servers: Vec<KeyValueClient>,
    /// The place of the server that answered last.
    leader: usize,
    /// Who this is, to the servers.
    client: u64,
    /// How many writes it has made.
    writes: u64,
}

impl kv_api::Clerk for Clerk {
    /// # Panics
    /// If there is no server.
    fn make(servers: Vec<ClientEnd>) -> Clerk {
        assert!(!servers.is_empty(), "a clerk needs at least one server to ask");
        let servers = servers.into_iter().map(KeyValueClient::new).collect();
        let client = rng::stream("clerk").random();
        Clerk { servers, leader: 0, client, writes: 0 }
    }

    fn get(&mut self, key: &str) -> String {
        let args = GetArgs { key: key.to_string() };
        self.ask(
            |server, place, answers| server.get_to(&args, place, answers),
            |GetReply { outcome, value }| (outcome != Outcome::WrongLeader).then_some(value),
        )
    }

    fn put(&mut self, key: &str, value: &str) {
        self.write(Op::Put, key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.write(Op::Append, key, value);
    }
}

/// What a server said to a call, with its place in the clerk's list.
type Answer<R> = Returned<usize, R>;

impl Clerk {
    fn write(&mut self, op: Op, key: &str, value: &str) {
        self.writes += 1;
        let args = PutAppendArgs {
            key: key.to_string(),
            value: value.to_string(),
            op,
            client: self.client,
            number: self.writes,
        };
        self.ask(
            |server, place, answers| server.put_append_to(&args, place, answers),
            |PutAppendReply { outcome }| (outcome != Outcome::WrongLeader).then_some(()),
        );
    }

    /// Asks one server after the other, until one has done it. `done` is what a reply gives, or
    /// `None` if that server does not lead.
    fn ask<R, T>(
        &mut self,
        call: impl Fn(&KeyValueClient, usize, &Sender<Answer<R>>),
        done: impl Fn(R) -> Option<T>,
    ) -> T {
        let (sender, answers) = channel::unbounded();
        let mut asked = 0;
        loop {
            call(&self.servers[self.leader], self.leader, &sender);
            if let Some((place, value)) = self.wait(&answers, &done) {
                self.leader = place;
                return value;
            }
            asked += 1;
            self.leader = (self.leader + 1) % self.servers.len();
            if asked % self.servers.len() == 0 {
                thread::sleep(PAUSE);
            }
        }
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
