//! A clerk of the store: it asks the group that has the shard, and then the controller again.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use labrpc::ClientEnd;
use labrt::rng::{self, RngExt};
use labrt::thread;
use shard_api::{Config, ControllerClerk, MakeEnd, shard_of};

use crate::message::{Answer, Err, Kind, Op, StoreClient};
use crate::{Choice, Mistake};

/// How long it waits before it asks the controller again.
const PAUSE: Duration = Duration::from_millis(100);

/// A clerk as a student of the course would write it, with the mistake `M`. It asks the controller
/// through a clerk `C`.
pub struct StudentClerk<M, C> {
    controller: C,
    make_end: MakeEnd,
    ends: BTreeMap<String, ClientEnd>,
    config: Config,
    client: u64,
    number: u64,
    choice: PhantomData<fn() -> M>,
}

impl<M: Choice, C: ControllerClerk> StudentClerk<M, C> {
    fn ask(&mut self, kind: Kind, key: &str, value: &str) -> String {
        self.number += 1;
        let (key, value) = (key.to_string(), value.to_string());
        let mut op = Op { kind, key, value, client: self.client, number: self.number };
        loop {
            if let Some(value) = self.ask_group(&op) {
                return value;
            }
            thread::sleep(PAUSE);
            self.config = self.controller.query(None);
            if M::mistake() == Some(Mistake::NewNumberForNextGroup) {
                self.number += 1;
                op.number = self.number;
            }
        }
    }

    fn ask_group(&mut self, op: &Op) -> Option<String> {
        let gid = self.config.shards[shard_of(&op.key)];
        for server in self.config.groups.get(&gid).into_iter().flatten() {
            let make = || (self.make_end)(server);
            let end = self.ends.entry(server.clone()).or_insert_with(make).clone();
            match StoreClient::new(end).execute(op) {
                Ok(Answer { err: Err::Ok, value }) => return Some(value),
                Ok(Answer { err: Err::WrongGroup, .. }) => return None,
                _ => {}
            }
        }
        None
    }
}

impl<M: Choice, C: ControllerClerk> shard_api::Clerk for StudentClerk<M, C> {
    fn make(controllers: Vec<ClientEnd>, make_end: MakeEnd) -> Self {
        StudentClerk {
            controller: C::make(controllers),
            make_end,
            ends: BTreeMap::new(),
            config: Config::default(),
            client: rng::stream("student's clerk").random(),
            number: 0,
            choice: PhantomData,
        }
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

impl<M: Choice, C> fmt::Debug for StudentClerk<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudentClerk").field("mistake", &M::mistake()).finish_non_exhaustive()
    }
}
