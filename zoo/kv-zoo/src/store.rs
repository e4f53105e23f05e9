//! Keys and values, and what has been executed of each client.

use std::collections::BTreeMap;

use labgob::{DecodeError, Gob};
use serde::{Deserialize, Serialize};

use crate::Mistake;
use crate::message::{Kind, Op};

/// The state that all servers agree on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
pub(crate) struct Store {
    pub(crate) data: BTreeMap<String, String>,
    /// By client: the last request that was executed, and its result.
    pub(crate) last: BTreeMap<u64, (u64, String)>,
    /// The results of all requests, for those who keep them.
    all: BTreeMap<(u64, u64), String>,
}

impl Store {
    /// The result of a request that has been executed; an empty one if only a later one is known.
    pub(crate) fn result_of(&self, op: &Op) -> Option<String> {
        let (number, result) = self.last.get(&op.client)?;
        let result = if *number == op.number { result.clone() } else { String::new() };
        (*number >= op.number).then_some(result)
    }

    /// Executes a request.
    pub(crate) fn execute(&mut self, op: &Op) -> String {
        let there = self.data.get(&op.key).cloned().unwrap_or_default();
        match op.kind {
            Kind::Get => return there,
            Kind::Put => self.data.insert(op.key.clone(), op.value.clone()),
            Kind::Append => self.data.insert(op.key.clone(), there + &op.value),
        };
        String::new()
    }

    /// Notes that a request was executed.
    pub(crate) fn note(&mut self, op: &Op, result: &str, mistake: Option<Mistake>) {
        if mistake == Some(Mistake::AllResultsKept) {
            self.all.insert((op.client, op.number), result.to_string());
        }
        self.last.insert(op.client, (op.number, result.to_string()));
    }

    /// The bytes of a snapshot.
    pub(crate) fn snapshot(&self, mistake: Option<Mistake>) -> Vec<u8> {
        match mistake {
            Some(Mistake::TableNotInSnapshot) => {
                labgob::encode(&Store { last: BTreeMap::new(), ..self.clone() })
            }
            _ => labgob::encode(self),
        }
    }

    /// What a snapshot holds.
    pub(crate) fn restored(snapshot: &[u8]) -> Result<Store, DecodeError> {
        labgob::decode(snapshot)
    }
}
