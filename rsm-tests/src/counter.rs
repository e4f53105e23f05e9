//! What the tests replicate.

use std::sync::Arc;

use labgob::Gob;
use labrt::sync::Leaf;
use labtrace::verdict;
use rsm_api::{Bytes, DecodeError, Machine};
use serde::{Deserialize, Serialize};

/// A counter, at 0 when it is new. The tester sees its value.
///
/// Go: the test's `rsmSrv`, with `DoOp`.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    value: Arc<Leaf<u64>>,
}

/// What a [`Counter`] can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub enum Request {
    /// To go one up.
    Inc,
    /// Nothing.
    Null,
    /// To go one down. The tests submit it only where it must not be executed.
    Dec,
}

/// What a [`Counter`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Inc`]: the value after it.
    Value(u64),
    /// To [`Request::Null`].
    Done,
}

impl Counter {
    /// What it shows now.
    pub(crate) fn value(&self) -> u64 {
        self.value.with(|value| *value)
    }
}

impl Machine for Counter {
    type Request = Request;
    type Reply = Reply;

    /// # Panics
    /// If it is asked to go down, which fails the run.
    fn apply(&mut self, request: Request) -> Reply {
        match request {
            Request::Inc => Reply::Value(self.value.with(|value| {
                *value += 1;
                *value
            })),
            Request::Null => Reply::Done,
            Request::Dec => verdict(
                "committed, then executed",
                "a Dec was executed, and it was submitted to a leader without a majority",
            )
            .hint(
                "a request is executed when it is submitted, or when Start returns: wait until \
                   Raft hands it over",
            )
            .fail(),
        }
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.value()))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        let restored: u64 = labgob::decode(snapshot)?;
        self.value.with(|value| *value = restored);
        Ok(())
    }
}
