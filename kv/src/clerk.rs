//! A client's side.

use labrpc::ClientEnd;
use labrt::rng::{self, RngExt};
use rsm::ask::Servers;

use crate::message::{
    GetArgs, GetReply, KeyValueClient, Op, Outcome, PutAppendArgs, PutAppendReply,
};

/// Makes calls to the service, one at a time.
///
/// It asks one server after the other, as [`rsm::ask`] says. A write that two servers were asked for
/// still happens once, since it has a number.
///
/// Go: the type `Clerk`.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers<KeyValueClient>,
    /// Who this is, to the servers.
    client: u64,
    /// How many writes it has made.
    writes: u64,
}

impl kv_api::Clerk for Clerk {
    /// # Panics
    /// If there is no server.
    fn make(servers: Vec<ClientEnd>) -> Clerk {
        let servers = Servers::new(servers.into_iter().map(KeyValueClient::new).collect());
        Clerk { servers, client: rng::stream("clerk").random(), writes: 0 }
    }

    fn get(&mut self, key: &str) -> String {
        let args = GetArgs { key: key.to_string() };
        self.servers.ask(
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
        self.servers.ask(
            |server, place, answers| server.put_append_to(&args, place, answers),
            |PutAppendReply { outcome }| (outcome != Outcome::WrongLeader).then_some(()),
        );
    }
}
