//! What servers apply, and what must hold about it.

use std::collections::BTreeMap;

use bytes::Bytes;
use labtrace::{Verdict, show, verdict};

/// What each server has applied since its last start.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) logs: Vec<Vec<Bytes>>,
    /// The instance whose messages count, for each server.
    pub(crate) instances: Vec<u64>,
    /// Every command ever applied, by index, which server was first, and when.
    pub(crate) history: BTreeMap<u64, (usize, Bytes, u64)>,
}

/// A command that an instance of a server has applied.
pub(crate) struct Message {
    pub(crate) server: usize,
    pub(crate) instance: u64,
    pub(crate) index: u64,
    pub(crate) command: Bytes,
    /// When, in microseconds since the run began.
    pub(crate) us: u64,
}

/// Where an index stands in a list that begins with index 1.
pub(crate) fn place(index: u64) -> usize {
    usize::try_from(index.saturating_sub(1)).expect("an index in memory")
}

impl Applied {
    /// Adds what an instance has applied, or says what is wrong with it.
    pub(crate) fn add(&mut self, message: Message) -> Result<(), Box<Verdict>> {
        let Message { server, instance, index, command, us } = message;
        // Whatever an instance has applied must agree with the others, also if it has crashed since.
        if let Some((first, known, then)) = self.history.get(&index)
            && *known != command
        {
            let (this, other) = (show(&command), show(known));
            let words = format!(
                "apply error: commit index={index} server={server} {this} != server={first} {other}"
            );
            let applied = |who, what| format!("server {who} applied {what} at index {index}");
            return Err(Box::new(
                verdict("State Machine Safety", words)
                    .index(index)
                    .fact_at(us, server, applied(server, this))
                    .fact_at(*then, *first, applied(*first, other))
                    .hint(
                        "an entry was committed that a later leader did not have: votes for \
                         candidates with an older log, entries of earlier terms committed by \
                         counting, matchIndex too high, or committed entries lost or cut off",
                    )
                    .build(),
            ));
        }
        if self.instances[server] != instance {
            return Ok(());
        }
        let log = &mut self.logs[server];
        let expected = log.len() as u64 + 1;
        if index != expected {
            let words = format!(
                "apply error: server {server} apply out of order {index}: expected index {expected}"
            );
            return Err(Box::new(
                verdict("apply order", words)
                    .index(index)
                    .fact(
                        server,
                        format!("since its start, server {server} applied 1 to {}", log.len()),
                    )
                    .fact_at(us, server, format!("then it applied index {index}"))
                    .hint(
                        "two tasks apply at once, lastApplied is changed outside of the lock, or \
                         the lock is released between taking entries and sending them",
                    )
                    .build(),
            ));
        }
        log.push(command.clone());
        self.history.entry(index).or_insert((server, command, us));
        Ok(())
    }
}
