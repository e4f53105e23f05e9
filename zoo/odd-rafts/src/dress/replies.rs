//! Other ways to answer an AppendEntries.

use labgob::Gob;
use serde::{Deserialize, Serialize};

use super::AnswersAppend;
use crate::message::{AppendReply, Hint, Outcome, Subject};

append_reply!(Success { term, success });
append_reply!(Ok { term, ok });
append_reply!(Accepted { term, accepted });

/// The answer as an enum.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) enum Verdict {
    Accepted { term: u64 },
    Rejected { term: u64, conflict_term: Option<u64>, conflict_index: Option<u64> },
}

impl AnswersAppend for Verdict {
    fn dress(reply: &AppendReply) -> Self {
        let term = reply.term;
        match reply.outcome {
            Outcome::Accepted { .. } => Verdict::Accepted { term },
            Outcome::Refused { hint } => Verdict::Rejected {
                term,
                conflict_term: hint.and_then(|hint| hint.term),
                conflict_index: hint.map(|hint| hint.index),
            },
        }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let (term, yes, hint) = match self {
            Verdict::Accepted { term } => (term, true, None),
            Verdict::Rejected { term, conflict_term, conflict_index } => {
                let hint = conflict_index.map(|index| Hint { term: conflict_term, index });
                (term, false, hint)
            }
        };
        AppendReply::read(term, about, about.outcome(yes, hint))
    }
}

/// Where a log differs from the leader's.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Conflict {
    term: Option<u64>,
    index: u64,
}

impl From<Hint> for Conflict {
    fn from(hint: Hint) -> Conflict {
        Conflict { term: hint.term, index: hint.index }
    }
}

impl From<Conflict> for Hint {
    fn from(conflict: Conflict) -> Hint {
        Hint { term: conflict.term, index: conflict.index }
    }
}

/// No flag: without a conflict the answer is yes. A refusal for the term's sake names a conflict too,
/// at index 0.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct OnlyConflict {
    term: u64,
    conflict: Option<Conflict>,
}

impl AnswersAppend for OnlyConflict {
    fn dress(reply: &AppendReply) -> Self {
        let nowhere = Hint { term: None, index: 0 };
        let conflict = (!reply.is_yes()).then(|| reply.hint().unwrap_or(nowhere).into());
        OnlyConflict { term: reply.term, conflict }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let yes = self.conflict.is_none();
        let hint = self.conflict.map(Hint::from).filter(|hint| hint.index > 0);
        AppendReply::read(self.term, about, about.outcome(yes, hint))
    }
}

/// A flag, and the conflict as a value of its own.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct WithConflict {
    term: u64,
    success: bool,
    conflict: Option<Conflict>,
}

impl AnswersAppend for WithConflict {
    fn dress(reply: &AppendReply) -> Self {
        let conflict = reply.hint().map(Conflict::from);
        WithConflict { term: reply.term, success: reply.is_yes(), conflict }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let hint = self.conflict.map(Hint::from);
        AppendReply::read(self.term, about, about.outcome(self.success, hint))
    }
}

/// A flag, and up to which index the logs agree; after a refusal, up to which they may agree.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct MatchIndex {
    term: u64,
    success: bool,
    match_index: u64,
}

impl AnswersAppend for MatchIndex {
    fn dress(reply: &AppendReply) -> Self {
        let match_index = match reply.outcome {
            Outcome::Accepted { upto } => upto,
            Outcome::Refused { hint } => hint.map_or(0, |hint| hint.index - 1),
        };
        MatchIndex { term: reply.term, success: reply.is_yes(), match_index }
    }

    fn undress(self, about: Subject) -> AppendReply {
        let outcome = match self.success {
            true => Outcome::Accepted { upto: self.match_index },
            false => {
                Outcome::Refused { hint: Some(Hint { term: None, index: self.match_index + 1 }) }
            }
        };
        AppendReply::read(self.term, about, outcome)
    }
}

/// A flag, and the end of the follower's log: also if that is a stale tail, which the leader does not
/// have.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct LastLogIndex {
    term: u64,
    success: bool,
    last_log_index: u64,
}

impl AnswersAppend for LastLogIndex {
    fn dress(reply: &AppendReply) -> Self {
        let (term, success) = (reply.term, reply.is_yes());
        LastLogIndex { term, success, last_log_index: reply.log_end }
    }

    fn undress(self, about: Subject) -> AppendReply {
        // A log that goes further was refused for an entry in it.
        let too_short = self.last_log_index < about.prev;
        let hint = too_short.then_some(Hint { term: None, index: self.last_log_index + 1 });
        AppendReply::read(self.term, about, about.outcome(self.success, hint))
    }
}
