use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::rules::{Core, Output, Warning};

/// A year. Much more is no moment that a clock can show.
const LONGEST_TIMEOUT_MS: u64 = 365 * 24 * 60 * 60 * 1000;

/// A server's settings.
///
/// A server is only made with settings that can work: 0 < `heartbeat` < the least election timeout <= the most one
/// <= a year ([`MakeError::ImpossibleOptions`](crate::MakeError::ImpossibleOptions)).
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// How often a leader sends heartbeats. Default: every 110 ms, so that any second has at most
    /// the ten that the lab allows. It must be longer than nothing and shorter than any election timeout: else
    /// the followers of a leader that is well would stand for election.
    pub heartbeat: Duration,
    /// The range that election timeouts are drawn from, in ms. Default: 300 to 600; the paper's 150
    /// to 300 is too short for ten heartbeats a second (see the course's handout). The first number is the least one,
    /// and must not be above the second.
    pub election_timeout_ms: (u64, u64),
    /// Who looks at this server. Default: nobody, and what the operator should hear of goes to
    /// standard error.
    pub observer: Arc<dyn Observer>,
}

/// Looks at a server without taking part in it: for checkers and traces, and for who runs the
/// service.
///
/// Its methods run on the server's event loop, which does nothing else meanwhile. So they should
/// not block, and must not call the server.
pub trait Observer: Send + Sync {
    /// All that has changed is on stable storage now, and nobody has been told of it yet: nothing
    /// of `output` has been answered, sent or applied. What `output` calls unsaved was saved just
    /// before. A server that crashes before this moment has told nobody of what is lost with it.
    fn saved(&self, _core: &Core, _output: &Output) {}

    /// Something is wrong that the server cannot mend; it goes on. Each thing is said once. Unless
    /// this is implemented it is a line on standard error.
    fn warning(&self, core: &Core, warning: Warning) {
        eprintln!("raft server {}: {warning}", core.me());
    }
}

/// Nobody looks.
struct Unobserved;

impl Observer for Unobserved {}

impl Default for Options {
    fn default() -> Options {
        Options {
            heartbeat: Duration::from_millis(110),
            election_timeout_ms: (300, 600),
            observer: Arc::new(Unobserved),
        }
    }
}

impl Options {
    /// True if a server can work with them.
    pub(crate) fn are_possible(&self) -> bool {
        let (least, most) = self.election_timeout_ms;
        let shorter = self.heartbeat < Duration::from_millis(least);
        !self.heartbeat.is_zero() && shorter && least <= most && most <= LONGEST_TIMEOUT_MS
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("heartbeat", &self.heartbeat)
            .field("election_timeout_ms", &self.election_timeout_ms)
            .finish_non_exhaustive()
    }
}
