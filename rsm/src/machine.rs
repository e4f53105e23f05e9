//! What is replicated.

use bytes::Bytes;
use labgob::{DecodeError, Gob};

/// A deterministic machine: what it answers and what it becomes depends on nothing but the requests
/// that it has executed, and their order.
///
/// So it reads no clock, draws no number, and lets no `HashMap`'s order decide. Each server has one;
/// all execute the same requests, and must stay the same.
///
/// Go (2025): the interface `StateMachine`, with `DoOp`, `Snapshot` and `Restore`.
pub trait Machine: Send + 'static {
    /// What it can be asked to do. Stands in the log.
    type Request: Gob + Send;
    /// What it answers. Only the submitter on this server sees it.
    type Reply: Send + 'static;

    /// Executes a request.
    ///
    /// A request that makes no sense gets an answer that says so. A panic here would come on every
    /// server, and again after each restart.
    fn apply(&mut self, request: Self::Request) -> Self::Reply;

    /// All of its state, as bytes.
    ///
    /// Machines that have executed the same requests give snapshots that mean the same.
    fn snapshot(&self) -> Bytes;

    /// Becomes what the snapshot was taken of; nothing of what it was remains.
    ///
    /// # Errors
    /// If these bytes are no snapshot of such a machine.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError>;
}
