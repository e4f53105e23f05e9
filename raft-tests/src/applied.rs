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
    /// The index of the stored snapshot that each server began with, while it has applied nothing.
    pub(crate) starts: Vec<Option<u64>>,
    /// The index of the last snapshot that each server has taken over since its start; 0 for none.
    pub(crate) snapshots: Vec<u64>,
    /// The index up to which each server's service has a snapshot for its Raft, which is not made yet.
    pub(crate) put_off: Vec<Option<u64>>,
    /// Whether the service of each server is busy.
    pub(crate) services: Vec<Service>,
    /// Every command ever applied, by index, which server was first, and when.
    pub(crate) history: BTreeMap<u64, (usize, Bytes, u64)>,
}

/// What a service does with what its Raft sends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// It takes everything at once.
    Ready,
    /// It takes no more than one message, and does nothing with that.
    Busy {
        /// It has that message.
        has_one: bool,
    },
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

/// A snapshot that an instance of a server has taken over.
pub(crate) struct Installed {
    pub(crate) server: usize,
    pub(crate) instance: u64,
    /// The last index that it covers.
    pub(crate) index: u64,
    /// What it was made of, from index 1 on.
    pub(crate) commands: Vec<Bytes>,
    /// When, in microseconds since the run began.
    pub(crate) us: u64,
    /// Whether it is the one that the server had stored, and not one that Raft has handed over.
    pub(crate) stored: bool,
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
        self.check_agrees(server, index, &command, us)?;
        if self.instances[server] != instance {
            return Ok(());
        }
        let log = &mut self.logs[server];
        let expected = log.len() as u64 + 1;
        if index != expected {
            return Err(self.out_of_order(server, index, expected, us));
        }
        log.push(command.clone());
        self.starts[server] = None;
        self.history.entry(index).or_insert((server, command, us));
        Ok(())
    }

    fn out_of_order(&self, server: usize, index: u64, expected: u64, us: u64) -> Box<Verdict> {
        let words = format!(
            "apply error: server {server} apply out of order {index}: expected index {expected}"
        );
        let (last, snapshot) = (expected - 1, self.snapshots[server]);
        let began_with_one = self.starts[server].is_some();
        let nothing_yet = began_with_one || last == 0;
        let did = match (began_with_one, snapshot) {
            (true, _) => format!(
                "server {server} began with its stored snapshot of 1 to {last}, and has applied nothing since"
            ),
            (false, 0) if last == 0 => {
                format!("since its start, server {server} has applied nothing")
            }
            (false, 0) => format!("since its start, server {server} applied 1 to {last}"),
            (false, _) => {
                format!(
                    "since its start, server {server} applied 1 to {last}, the first {snapshot} as a snapshot"
                )
            }
        };
        let hint = if nothing_yet && index > expected {
            "a service knows nothing after a start but what its stored snapshot holds, so the first command is \
             the one behind that (index 1 without a snapshot): lastApplied begins there anew after each \
             restart, whatever is known of what is committed"
        } else if snapshot > 0 && (index <= snapshot || last == snapshot) {
            "what a snapshot holds is applied: lastApplied and commitIndex are its index at least, after \
             a restart with a stored one as well as after InstallSnapshot; and both, snapshots and \
             commands, go through the apply channel in one order"
        } else {
            "two tasks apply at once, lastApplied is changed outside of the lock, or it is set after the \
             sending, to a commitIndex that has moved on meanwhile"
        };
        Box::new(
            //= all.apply, state.commit-grows
            verdict("apply order", words)
                .index(index)
                .fact(server, did)
                .fact_at(us, server, format!("then it applied index {index}"))
                .hint(hint)
                .build(),
        )
    }

    /// Replaces what a server has applied by what the snapshot was made of, or says what is wrong
    /// with it.
    pub(crate) fn install(&mut self, installed: Installed) -> Result<(), Box<Verdict>> {
        let Installed { server, instance, index, commands, us, stored } = installed;
        for (at, command) in (1..).zip(&commands) {
            self.check_agrees(server, at, command, us)?;
        }
        if self.instances[server] != instance {
            return Ok(());
        }
        let log = &mut self.logs[server];
        let last = log.len() as u64;
        // One that ends where the service is takes it nowhere. At its start a server may send the snapshot that it
        // had stored, and the tester has read; later it may have the commands before their snapshot comes.
        let again = self.snapshots[server] == index && self.starts[server] != Some(index);
        if !stored && (index < last || index == last && again) {
            let words = format!(
                "server {server} applied a snapshot of index {index}, and has applied up to {last}"
            );
            return Err(Box::new(
                //= install.reset
                verdict("apply order", words)
                    .index(index)
                    .fact(server, format!("server {server} has applied 1 to {last}"))
                    .fact_at(us, server, format!("then a snapshot of index {index} came"))
                    .hint(if index == last { COMES_AGAIN } else { GOES_BACK })
                    .build(),
            ));
        }
        *log = commands;
        self.snapshots[server] = index;
        self.starts[server] = stored.then_some(index);
        Ok(())
    }

    /// What another server has applied at this index, if anything, must be the same.
    fn check_agrees(
        &self,
        server: usize,
        index: u64,
        command: &Bytes,
        us: u64,
    ) -> Result<(), Box<Verdict>> {
        if let Some((first, known, then)) = self.history.get(&index)
            && known != command
        {
            let (this, other) = (show(command), show(known));
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
                         counting, matchIndex too high, a follower that commits beyond the entries that \
                         their request has checked, or committed entries lost or cut off",
                    )
                    .build(),
            ));
        }
        Ok(())
    }
}

/// What usually leads to a snapshot that takes a service back.
const GOES_BACK: &str = "a late InstallSnapshot is passed on to the service although that is beyond it; or a \
     snapshot was overtaken on its way to the apply channel: both must go through it in one order";

/// What usually leads to a snapshot that a service gets twice.
const COMES_AGAIN: &str = "an InstallSnapshot that comes a second time, late or because it was sent again, is passed \
     on to the service, which has this snapshot already: none is whose index is not above lastApplied";
