//! A client's side.

use std::time::Duration;

use labrpc::ClientEnd;
use labrt::channel::Sender;
use labrt::rng::{self, RngExt};
use labrt::thread;
use rsm::ask::Answer;
use shard_api::{Config, ControllerClerk, MakeEnd, NOBODY, shard_of};

use crate::ends::Groups;
use crate::message::{
    GetArgs, GetReply, Op, Outcome, PutAppendArgs, PutAppendReply, ShardKVClient,
};

/// How long a clerk waits before it asks the same group again: one that does not have the shard yet,
/// or cannot be reached. Each time twice as long as before, from the first to the second of these: most
/// shards come soon, and the others perhaps not for long.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];

/// Makes calls to the service, one at a time.
///
/// It asks the group that has the key's shard in the configuration that it knows: one server after the
/// other, as [`rsm::ask`] says. If that group does not serve the shard, or no server of it answers, it
/// asks the controller for the latest configuration, with a controller's clerk `C`, and goes on with
/// that. A write that two groups were asked for still happens once: its number travels with the shard.
///
/// Go: the type `Clerk`.
#[derive(Debug)]
pub struct Clerk<C> {
    controller: C,
    config: Config,
    groups: Groups,
    /// Who this is, to the servers.
    client: u64,
    /// How many writes it has made.
    writes: u64,
}

/// How a group has ended a request.
enum End<T> {
    Done(T),
    WrongGroup,
}

impl<C: ControllerClerk> shard_api::Clerk for Clerk<C> {
    fn make(controllers: Vec<ClientEnd>, make_end: MakeEnd) -> Clerk<C> {
        Clerk {
            controller: C::make(controllers),
            config: Config::default(),
            groups: Groups::new(make_end),
            client: rng::stream("clerk").random(),
            writes: 0,
        }
    }

    fn get(&mut self, key: &str) -> String {
        let args = GetArgs { key: key.to_string() };
        self.ask(
            key,
            |server, place, answers| server.get_to(&args, place, answers),
            |GetReply { outcome, value }| ended(outcome, value),
        )
    }

    fn put(&mut self, key: &str, value: &str) {
        self.write(Op::Put, key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.write(Op::Append, key, value);
    }
}

/// What a reply means; `None` if another server is to be asked.
fn ended<T>(outcome: Outcome, value: T) -> Option<End<T>> {
    match outcome {
        Outcome::Ok | Outcome::NoKey => Some(End::Done(value)),
        Outcome::WrongGroup => Some(End::WrongGroup),
        Outcome::WrongLeader => None,
    }
}

impl<C: ControllerClerk> Clerk<C> {
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
            key,
            |server, place, answers| server.put_append_to(&args, place, answers),
            |PutAppendReply { outcome }| ended(outcome, ()),
        );
    }

    /// Asks the groups that have the key's shard, one after the other, until one has done it.
    fn ask<R, T>(
        &mut self,
        key: &str,
        call: impl Fn(&ShardKVClient, usize, &Sender<Answer<R>>),
        done: impl Fn(R) -> Option<End<T>>,
    ) -> T {
        let shard = shard_of(key);
        let [mut pause, most] = PAUSES;
        loop {
            let gid = self.config.shards[shard];
            if gid != NOBODY
                && let Some(names) = self.config.groups.get(&gid)
                && let Some(End::Done(value)) =
                    self.groups.servers(gid, names).ask_each(&call, &done)
            {
                return value;
            }
            self.config = self.controller.query(None);
            if self.config.shards[shard] == gid {
                thread::sleep(pause);
                pause = (pause * 2).min(most);
            }
        }
    }
}
