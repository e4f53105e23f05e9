//! A clerk: it asks one server after the other, and first the one that answered last.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use labrpc::ClientEnd;
use labrt::rng::{self, RngExt};
use labrt::thread;

use crate::message::{Answer, Err, Kind, Op, RpcClient};
use crate::{Choice, Mistake};

/// How long it waits when all servers have been asked.
const PAUSE: Duration = Duration::from_millis(50);

/// A clerk as a student of the course would write it, with the mistake `M`.
pub struct StudentClerk<M: Choice> {
    servers: Vec<RpcClient>,
    leader: usize,
    client: u64,
    number: u64,
    choice: PhantomData<M>,
}

impl<M: Choice> StudentClerk<M> {
    fn ask(&mut self, kind: Kind, key: &str, value: &str) -> String {
        if M::mistake() != Some(Mistake::OneNumberForAll) || kind != Kind::Append {
            self.number += 1;
        }
        let (key, value) = (key.to_string(), value.to_string());
        let mut op = Op { kind, key, value, client: self.client, number: self.number };
        loop {
            for _ in 0..self.servers.len() {
                match self.servers[self.leader].execute(&op) {
                    Ok(Answer { err: Err::Ok, value }) => return value,
                    Ok(_) => {}
                    Err(_) if M::mistake() == Some(Mistake::NewNumberOnRetry) => {
                        self.number += 1;
                        op.number = self.number;
                    }
                    Err(_) => {}
                }
                self.leader = (self.leader + 1) % self.servers.len();
            }
            thread::sleep(PAUSE);
        }
    }
}

impl<M: Choice> kv_api::Clerk for StudentClerk<M> {
    fn make(servers: Vec<ClientEnd>) -> Self {
        let servers = servers.into_iter().map(RpcClient::new).collect();
        let client = rng::stream("student's clerk").random();
        StudentClerk { servers, leader: 0, client, number: 0, choice: PhantomData }
    }

    fn get(&mut self, key: &str) -> String {
        self.ask(Kind::Get, key, "")
    }

    fn put(&mut self, key: &str, value: &str) {
        self.ask(Kind::Put, key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.ask(Kind::Append, key, value);
    }
}

impl<M: Choice> fmt::Debug for StudentClerk<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudentClerk").field("mistake", &M::mistake()).finish_non_exhaustive()
    }
}
