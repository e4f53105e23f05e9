//! What the operator of a service should hear of.

use std::fmt;

use super::Core;

/// By how much a term in a message may exceed our own. What exceeds it more cannot have come about:
/// at one election a millisecond it would take 35 years.
///
/// So a message that was garbled on its way cannot bring a cluster close to the last term there is,
/// after which nobody can be elected any more; and a server whose own term was garbled is left alone
/// with it, while the others go on.
pub const MAX_LEAP: u64 = 1 << 40;

/// Something is wrong that the server cannot mend. It goes on, and says so once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A peer claims a term that cannot have come about ([`MAX_LEAP`]). It is not believed.
    TermOutOfReach {
        /// Who claims it.
        from: usize,
        /// The term it claims.
        term: u64,
        /// The term of this server then.
        ours: u64,
    },
    /// This server is in the last term that there is, and cannot stand for election any more.
    NoLaterTerm,
}

/// What a warning is about, so that it is not given again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    TermOf(usize),
    LastTerm,
}

impl Warning {
    fn about(self) -> About {
        match self {
            Warning::TermOutOfReach { from, .. } => About::TermOf(from),
            Warning::NoLaterTerm => About::LastTerm,
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::TermOutOfReach { from, term, ours } => write!(
                f,
                "server {from} claims to be in term {term}, which cannot have come about since \
                 term {ours}: its messages are ignored. Its state is damaged, or it is of another \
                 cluster; remove it and add it as a new server"
            ),
            Warning::NoLaterTerm => write!(
                f,
                "this is the last term there is, so no election can begin. The state was damaged; \
                 restore it from a copy, or set the cluster up anew"
            ),
        }
    }
}

impl Core {
    /// True if a term may have come about, as far as we can know.
    pub(super) fn is_within_reach(&self, term: u64) -> bool {
        term <= self.hard.term.saturating_add(MAX_LEAP)
    }

    /// The same, about the term that a peer claims; warns if it is not.
    pub(super) fn believes(&mut self, from: usize, term: u64) -> bool {
        let believable = self.is_within_reach(term);
        if !believable {
            self.warn_of_term(from, term);
        }
        believable
    }

    pub(super) fn warn_of_term(&mut self, from: usize, term: u64) {
        self.warn(Warning::TermOutOfReach { from, term, ours: self.hard.term });
    }

    /// Warns of each thing once.
    pub(super) fn warn(&mut self, warning: Warning) {
        if self.warned.insert(warning.about()) {
            self.output.warnings.push(warning);
        }
    }
}
