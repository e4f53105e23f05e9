//! What is under test.

use std::fmt;

use kv_api::{Clerk, Server};
use kv_clients::KeyValue;
use labrpc::ClientEnd;
use raft_watch::{AnyServer, RaftType};
use tester::{MakeError, Seat};

/// The two types of lab 3 that are under test, server and clerk, as a value: so that all the rest of this
/// suite is compiled once, and not again for each service.
#[derive(Clone, Copy)]
pub struct Subject {
    pub(crate) raft: RaftType,
    /// As [`Server::make`].
    pub(crate) make_server: fn(Seat, Option<usize>) -> Result<AnyServer, MakeError>,
    /// As [`Clerk::make`].
    pub(crate) make_clerk: fn(Vec<ClientEnd>) -> Box<dyn KeyValue>,
}

impl Subject {
    /// These types.
    pub fn of<S: Server, C: Clerk>() -> Subject {
        Subject {
            raft: RaftType::of::<S::Raft>(),
            make_server: |Seat { ends, me, persister, .. }, max_raft_state| {
                let server = S::make(ends, me, persister, max_raft_state)?;
                Ok(AnyServer::of(server, S::services, S::raft, S::kill))
            },
            make_clerk: |servers| <dyn KeyValue>::of(C::make(servers), C::get, C::put, C::append),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}
