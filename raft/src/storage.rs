//! What a server keeps on stable storage, and how (Figure 2, persistent state on all servers).
//!
//! The Raft state in the persister is a sequence of records. Saving a change appends one; reading
//! plays them back. When the records that later ones have made void outweigh the rest, the sequence
//! is replaced by one record with everything. So saving an entry costs the same however long the log
//! is, and the state is at most about twice as large as what it means.

use std::sync::Arc;

use labgob::{Decoder, Gob};
use persister::{PersistError, Persister};
use serde::{Deserialize, Serialize};

use crate::hard_state::HardState;
use crate::log::{Entry, Log};
use crate::rules::{Core, MAX_TERM, Save};

/// A change of the persistent state.
#[derive(Debug, PartialEq, Serialize, Deserialize, Gob)]
struct Record {
    /// The new term and vote, if they changed.
    hard_state: Option<HardState>,
    /// The new end of the log, if it changed.
    log: Option<LogEnd>,
}

/// The log ends like this from now on: what was at `from` and after it is replaced.
#[derive(Debug, PartialEq, Serialize, Deserialize, Gob)]
struct LogEnd {
    from: u64,
    entries: Vec<Entry>,
}

/// Why a server cannot be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The persister cannot be read.
    #[error("the persisted Raft state cannot be read: {0}")]
    Read(#[from] PersistError),
    /// Its bytes are not what this Raft writes.
    #[error(
        "the persisted Raft state is corrupt at byte {position} of {size}: {error}. The server does \
         not start, because it could contradict what it promised before; restore the state from a \
         copy, or remove the server from the cluster and add it as a new one"
    )]
    Corrupt {
        /// Where the record begins that does not decode.
        position: usize,
        /// The length of the whole state.
        size: usize,
        /// What is wrong with it.
        error: labgob::DecodeError,
    },
    /// Its records decode but contradict each other.
    #[error(
        "the persisted Raft state contradicts itself at byte {position} of {size}: {what}. The \
         server does not start; restore the state from a copy"
    )]
    Impossible {
        /// Where the record begins.
        position: usize,
        /// The length of the whole state.
        size: usize,
        /// The contradiction.
        what: String,
    },
}

/// A server's part of the persister.
pub struct Storage {
    persister: Arc<dyn Persister>,
    /// For each entry, about how many bytes it takes together with all before it.
    sizes: Vec<usize>,
}

/// How many bytes of records are never worth replacing.
const SLACK: usize = 16 << 10;

/// About how many bytes an entry takes beside its command.
const ENTRY_OVERHEAD: usize = 6;

impl Storage {
    /// Plays back what the persister holds.
    ///
    /// # Errors
    /// If it cannot be read or is not a state that this Raft has written. Nothing is changed then.
    pub fn open(persister: Arc<dyn Persister>) -> Result<(Storage, HardState, Log), RestoreError> {
        let bytes = persister.read_raft_state()?;
        let (hard, log) = play_back(&bytes)?;
        let mut storage = Storage { persister, sizes: Vec::new() };
        storage.measure(1, log.from(1));
        Ok((storage, hard, log))
    }

    /// Saves what has changed. When this returns, it is on stable storage.
    ///
    /// # Errors
    /// If the persister fails. The server must not go on then.
    pub fn save(&mut self, core: &Core, save: &Save) -> Result<(), PersistError> {
        if save.is_empty() {
            return Ok(());
        }
        let log =
            save.log_from.map(|from| LogEnd { from, entries: core.log().from(from).to_vec() });
        if let Some(end) = &log {
            self.measure(end.from, &end.entries);
        }
        let hard_state = save.hard_state.then(|| core.hard_state());
        let record = labgob::encode(&Record { hard_state, log });
        let live = self.sizes.last().unwrap_or(&0);
        if self.persister.raft_state_size() + record.len() > 2 * live + SLACK {
            return self.replace(core);
        }
        self.persister.append_raft_state(&record)
    }

    /// Notes that the log now ends with these entries.
    fn measure(&mut self, from: u64, entries: &[Entry]) {
        self.sizes.truncate((from - 1) as usize);
        let mut total = self.sizes.last().copied().unwrap_or(0);
        for entry in entries {
            total += entry.command.len() + ENTRY_OVERHEAD;
            self.sizes.push(total);
        }
    }

    /// True if the persister holds the core's persistent state.
    pub fn holds(&self, core: &Core) -> bool {
        let bytes = self.persister.read_raft_state();
        let state = bytes.ok().and_then(|bytes| play_back(&bytes).ok());
        state.is_some_and(|(hard, log)| hard == core.hard_state() && log == *core.log())
    }

    /// Replaces all records by one.
    fn replace(&self, core: &Core) -> Result<(), PersistError> {
        let entries = core.log().from(1).to_vec();
        let hard_state = Some(core.hard_state());
        let record = Record { hard_state, log: Some(LogEnd { from: 1, entries }) };
        self.persister.save_raft_state(&labgob::encode(&record))
    }
}

fn play_back(bytes: &[u8]) -> Result<(HardState, Log), RestoreError> {
    let size = bytes.len();
    let (mut hard, mut log) = (HardState::default(), Log::default());
    let mut decoder = Decoder::new(bytes);
    while !decoder.is_empty() {
        let position = decoder.position();
        let record: Record =
            decoder.decode().map_err(|error| RestoreError::Corrupt { position, size, error })?;
        let impossible = |what| RestoreError::Impossible { position, size, what };
        if let Some(next) = record.hard_state {
            let two_votes = next.term == hard.term
                && hard.voted_for.is_some()
                && next.voted_for != hard.voted_for;
            if next.term < hard.term || two_votes || next.term > MAX_TERM {
                return Err(impossible(format!("{next:?} follows {hard:?}")));
            }
            hard = next;
        }
        if let Some(end) = record.log {
            append(&mut log, end, hard.term).map_err(impossible)?;
        }
    }
    Ok((hard, log))
}

fn append(log: &mut Log, end: LogEnd, term: u64) -> Result<(), String> {
    let LogEnd { from, entries } = end;
    if from == 0 || from > log.last_index() + 1 {
        return Err(format!("entries from index {from} follow entry {}", log.last_index()));
    }
    log.truncate_from(from);
    for entry in entries {
        if entry.term < log.last_term().max(1) || entry.term > term {
            let last = log.last_term();
            return Err(format!(
                "an entry of term {} follows one of term {last} in term {term}",
                entry.term
            ));
        }
        log.push(entry);
    }
    Ok(())
}
