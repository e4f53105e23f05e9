//! How far a leader is with the snapshot that one follower needs.
//!
//! A follower needs one if it lacks entries that the leader has forgotten. It must have shown so by an
//! answer: to one that is away nothing is sent. Then one snapshot is under way, and no other one while
//! neither its answer nor its failure has come, however many heartbeats go out meanwhile. If it failed,
//! the next heartbeat asks again whether it is needed.
//!
//! A call to a server that is gone may take seconds to fail, and that server may be back sooner. So a
//! snapshot counts as lost, too, once the follower has refused some heartbeats that were sent after it.

/// How many such refusals: with a heartbeat every 110 ms they take almost two seconds. A follower that
/// is busy with the snapshot does not answer, so it gets no second one.
const PATIENCE: u32 = 16;

/// What was sent with an InstallSnapshot, to make sense of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstallTicket {
    /// The term it was sent in.
    pub term: u64,
    /// Its `lastIncludedIndex`.
    pub last: u64,
    /// Its place among all that this leader has sent this follower.
    pub(super) number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Installing {
    /// The follower is not known to need a snapshot.
    No,
    /// One is to be sent.
    Due,
    /// One was sent, and `refused` AppendEntries that were sent after it have been refused.
    UnderWay { ticket: InstallTicket, refused: u32 },
}

impl Installing {
    /// The follower lacks what was forgotten.
    pub(super) fn want(&mut self) {
        if *self == Installing::No {
            *self = Installing::Due;
        }
    }

    /// The follower still lacks it, after it was sent.
    pub(super) fn note_refused(&mut self) {
        if let Installing::UnderWay { refused, .. } = self {
            *refused += 1;
            if *refused == PATIENCE {
                *self = Installing::Due;
            }
        }
    }

    /// The call has come to an end. False if it is not the one under way.
    pub(super) fn note_ended(&mut self, ended: InstallTicket) -> bool {
        match *self {
            Installing::UnderWay { ticket, .. } if ticket == ended => {
                *self = Installing::No;
                true
            }
            _ => false,
        }
    }
}
