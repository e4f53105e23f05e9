//! What can happen to one server.

use crate::message::Message;

/// Something that happens to one server.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Its election timer runs out.
    Timeout,
    /// It leads, and it is time for heartbeats.
    Heartbeat,
    /// Its service wants this command in the log.
    Propose(u8),
    /// Its service has put all up to this index into a snapshot.
    Snapshot(u64),
    /// A message arrives.
    Deliver(Message),
    /// A message of a call that this server has made, request or reply, is lost, and it is told.
    Fail(Message),
    /// It loses all but its disk.
    Crash,
    /// It comes back with what is on its disk.
    Restart,
}

/// All commands that clients may have: one byte each, so that a snapshot is a text of commands.
const COMMANDS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

/// How many commands there are.
pub(crate) const MOST_COMMANDS: u8 = COMMANDS.len() as u8;

/// The command with this number.
pub(crate) fn command(number: u8) -> bytes::Bytes {
    let at = usize::from(number);
    bytes::Bytes::from_static(&COMMANDS[at..=at])
}
