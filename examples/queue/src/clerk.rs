//! A client's side.

use labrpc::ClientEnd;
use labrt::rng::{self, RngExt};
use rsm::ask::Servers;
use rsm::once::Numbered;

use crate::message::{Outcome, QueueClient, Request};

/// Makes requests to the queue, one at a time.
///
/// It asks one server after the other, as [`rsm::ask`] says, until one has executed the request. All these
/// calls have the same number, so the request happens once.
#[derive(Debug)]
pub struct Clerk {
    servers: Servers<QueueClient>,
    /// Who this is, to the servers.
    client: u64,
    /// How many requests it has made.
    requests: u64,
}

impl Clerk {
    /// A clerk of these servers.
    ///
    /// # Panics
    /// If there is no server.
    pub fn new(servers: Vec<ClientEnd>) -> Clerk {
        let servers = Servers::new(servers.into_iter().map(QueueClient::new).collect());
        Clerk { servers, client: rng::stream("clerk").random(), requests: 0 }
    }

    /// Has a request executed, and waits as long as that takes.
    pub fn execute(&mut self, request: Request) -> Outcome {
        self.requests += 1;
        let numbered = Numbered { client: self.client, number: self.requests, request };
        self.servers.ask(
            |server, place, answers| server.execute_to(&numbered, place, answers),
            |outcome| outcome,
        )
    }
}
