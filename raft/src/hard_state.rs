use labgob::Gob;
use serde::{Deserialize, Serialize};

/// `currentTerm` and `votedFor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub struct HardState {
    /// The latest term the server has seen.
    pub term: u64,
    /// Whom the server has voted for in this term.
    pub voted_for: Option<usize>,
}
