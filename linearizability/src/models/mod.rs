//! Models of common objects.

mod cas;
mod chain;
mod fifo;
mod kv;
mod plain;
mod queue;
mod register;
mod texts;
mod unsplit;
mod values;
mod versioned;

pub use cas::{CasInput, CasOutput, CasRegister};
pub use kv::{Kv, KvInput, KvOutput};
pub use queue::{Queue, QueueInput, QueueOutput};
pub use register::{Register, RegisterInput, RegisterOutput};
pub use unsplit::Unsplit;
pub use versioned::{VersionedInput, VersionedKv, VersionedOutput, VersionedState};
