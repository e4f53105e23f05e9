//! What clerks and servers say to each other, and what stands in the log.

use labgob::Gob;
use labrpc::Reply;
use rsm::once::Numbered;
use serde::{Deserialize, Serialize};

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Request {
    /// This element shall be the last.
    Enqueue(String),
    /// Take the first element out.
    Dequeue,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Outcome {
    /// The element is in.
    Enqueued,
    /// What was the first element; nothing if the queue was empty.
    Dequeued(Option<String>),
}

/// What a server offers its clerks.
#[labrpc::service(name = "Queue")]
pub trait Queue {
    /// Executes a request. `None`: this server does not lead, and it is open whether the request will be
    /// executed.
    ///
    /// The handler starts the request and returns. The answer follows when it has been executed.
    fn execute(&self, request: Numbered<Request>, reply: Reply<Option<Outcome>>);
}
