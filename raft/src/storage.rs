//! What a server keeps on stable storage, and how (Figure 2, persistent state on all servers).
//!
//! The Raft state in the persister is a sequence of records. Saving a change appends one; reading
//! plays them back. When the records that later ones have made void outweigh the rest, the sequence
//! is replaced by one record with everything. So saving an entry costs the same however long the log
//! is, and the state is at most about twice as large as what it means.
//!
//! A new snapshot replaces the whole state too, in one step with the snapshot: the log begins behind
//! it from then on. Where it begins, the first record says, and no other one. All other writes leave
//! the snapshot as it is.

use std::sync::Arc;

use bytes::Bytes;
use labgob::{Decoder, Gob};
use persister::{PersistError, Persister};
use raft_api::Persisted;
use serde::{Deserialize, Serialize};

use crate::log::{Entry, Log, MAX_INDEX, Place};
use crate::rules::{Core, Unsaved};
use crate::stored::{HardState, Stored};

/// A change of the persistent state.
#[derive(Debug, PartialEq, Serialize, Deserialize, Gob)]
struct Record {
    /// The new term and vote, if they changed.
    hard_state: Option<HardState>,
    /// What the snapshot covers, if there is one: only in the first record.
    base: Option<Place>,
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
    /// State and snapshot are not from the same save.
    #[error(
        "the persisted Raft state and the persisted snapshot do not belong together: the state's log \
         begins behind entry {base}, and the snapshot has {snapshot} bytes. The server does not start; \
         restore both from one copy. If the persister is your own, let it save both in one step, and \
         keep the snapshot when only the state is saved"
    )]
    Apart {
        /// The index of the last entry that a snapshot must cover; 0 if there must be none.
        base: u64,
        /// The length of the snapshot.
        snapshot: usize,
    },
}

/// A server's part of the persister.
pub struct Storage {
    persister: Arc<dyn Persister>,
    sizes: Sizes,
}

/// About how many bytes the entries of the log take when they are saved.
struct Sizes {
    /// The index before the first of them.
    base: u64,
    /// For each entry, its size together with all before it.
    totals: Vec<usize>,
}

/// How many bytes of records are never worth replacing.
const SLACK: usize = 1 << 10;

/// About how many bytes a saved entry takes beside its command.
const ENTRY_OVERHEAD: usize = 6;

impl Storage {
    /// Plays back what the persister holds.
    ///
    /// # Errors
    /// If it cannot be read or is not a state that this Raft has written. Nothing is changed then.
    pub fn open(persister: Arc<dyn Persister>) -> Result<(Storage, Stored), RestoreError> {
        let bytes = persister.read_raft_state()?;
        //= lab.restart
        let (hard, log) = restore(&bytes)?;
        let snapshot = Bytes::from(persister.read_snapshot()?);
        let base = log.base().index;
        if (base == 0) != snapshot.is_empty() {
            return Err(RestoreError::Apart { base, snapshot: snapshot.len() });
        }
        let sizes = Sizes::of(&log);
        Ok((Storage { persister, sizes }, Stored { hard, log, snapshot }))
    }

    /// Saves what has changed. When this returns, it is on stable storage.
    ///
    /// # Errors
    /// If the persister fails. The server must not go on then.
    pub fn save(&mut self, core: &Core, unsaved: &Unsaved) -> Result<(), PersistError> {
        if unsaved.is_empty() {
            return Ok(());
        }
        if unsaved.snapshot {
            self.sizes = Sizes::of(core.log());
            //= snapshot.together
            return self.persister.save_state_and_snapshot(&whole(core), core.snapshot());
        }
        // What changes is not committed, so `from` is behind the log's base.
        let end = |from| LogEnd { from, entries: core.log().from(from).to_vec() };
        let log = unsaved.log_from.map(end);
        if let Some(end) = &log {
            self.sizes.replace_from(end.from, &end.entries);
        }
        let hard_state = unsaved.hard_state.then(|| core.hard_state());
        let record = labgob::encode(&Record { hard_state, base: None, log });
        if self.persister.raft_state_size() + record.len() > 2 * self.sizes.total() + SLACK {
            return self.persister.save_raft_state(&whole(core));
        }
        self.persister.append_raft_state(&record)
    }
}

/// The one record that says everything.
fn whole(core: &Core) -> Vec<u8> {
    let (from, entries) = (core.log().first_index(), core.log().entries().to_vec());
    let hard_state = Some(core.hard_state());
    let base = Some(core.log().base()).filter(|base| base.index > 0);
    labgob::encode(&Record { hard_state, base, log: Some(LogEnd { from, entries }) })
}

impl Sizes {
    fn of(log: &Log) -> Sizes {
        let mut sizes = Sizes { base: log.base().index, totals: Vec::new() };
        sizes.replace_from(log.first_index(), log.entries());
        sizes
    }

    /// The log now has these entries from this index on, which is behind the base.
    fn replace_from(&mut self, from: u64, entries: &[Entry]) {
        self.totals.truncate((from - self.base - 1) as usize);
        let mut total = self.total();
        for entry in entries {
            total += entry.command.len() + ENTRY_OVERHEAD;
            self.totals.push(total);
        }
    }

    fn total(&self) -> usize {
        self.totals.last().copied().unwrap_or(0)
    }
}

/// Plays back a saved state, without its snapshot. No bytes at all are the state of a new server.
///
/// # Errors
/// If it is not a state that this Raft has written.
pub fn restore(bytes: &[u8]) -> Result<(HardState, Log), RestoreError> {
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
            if next.term < hard.term || two_votes {
                return Err(impossible(format!("{next:?} follows {hard:?}")));
            }
            hard = next;
        }
        if let Some(base) = record.base {
            log = begin(base, position, hard.term).map_err(impossible)?;
        }
        if let Some(end) = record.log {
            append(&mut log, end, hard.term).map_err(impossible)?;
        }
    }
    Ok((hard, log))
}

/// A log that begins behind `base`, as the record at this position says.
fn begin(base: Place, position: usize, term: u64) -> Result<Log, String> {
    let Place { index, term: of } = base;
    if position > 0 {
        return Err(format!("a snapshot up to entry {index} after other records"));
    }
    if !(1..=MAX_INDEX).contains(&index) || !(1..=term).contains(&of) {
        return Err(format!("a snapshot up to entry {index} of term {of} in term {term}"));
    }
    Ok(Log::behind(base))
}

fn append(log: &mut Log, end: LogEnd, term: u64) -> Result<(), String> {
    let LogEnd { from, entries } = end;
    if !(log.first_index()..=log.last_index() + 1).contains(&from) {
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

/// What a state means whose beginning means `known`, and whose end is this. `None` if it cannot follow
/// that beginning, which says in no way what is wrong.
pub fn read_appended(mut known: Persisted, appended: &[u8]) -> Option<Persisted> {
    let mut decoder = Decoder::new(appended);
    while !decoder.is_empty() {
        let Record { hard_state, base: None, log } = decoder.decode().ok()? else { return None };
        if let Some(HardState { term, voted_for }) = hard_state {
            let two_votes =
                term == known.term && known.voted_for.is_some() && voted_for != known.voted_for;
            if term < known.term || two_votes {
                return None;
            }
            (known.term, known.voted_for) = (term, voted_for);
        }
        if let Some(LogEnd { from, entries }) = log {
            let keep = usize::try_from(from.checked_sub(known.log_base + 1)?).ok()?;
            if keep > known.log_terms.len() {
                return None;
            }
            known.log_terms.truncate(keep);
            for Entry { term, .. } in entries {
                let last = known.log_terms.last().copied().unwrap_or(known.log_base_term);
                if term < last.max(1) || term > known.term {
                    return None;
                }
                known.log_terms.push(term);
            }
        }
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_base_lies_where_no_log_comes_to() {
        let saved = |index: u64| {
            labgob::encode(&Record {
                hard_state: Some(HardState { term: 5, voted_for: None }),
                base: Some(Place { index, term: 1 }),
                log: Some(LogEnd { from: index + 1, entries: Vec::new() }),
            })
        };
        assert!(restore(&saved(MAX_INDEX)).is_ok());
        for index in [0, MAX_INDEX + 1, u64::MAX - 1] {
            let error = restore(&saved(index)).expect_err("no snapshot ends there").to_string();
            assert!(
                error.contains(&format!("a snapshot up to entry {index} of term 1")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_sizes_of_a_log_follow_its_indexes_behind_a_base_too() {
        let entries = [3, 4, 5].map(|size| Entry { term: 1, command: vec![0; size].into() });
        let mut log = Log::behind(Place { index: 70, term: 1 });
        for entry in &entries {
            log.push(entry.clone());
        }
        let mut sizes = Sizes::of(&log);
        assert_eq!(sizes.total(), 12 + 3 * ENTRY_OVERHEAD);
        sizes.replace_from(74, &entries[..1]);
        assert_eq!(sizes.total(), 15 + 4 * ENTRY_OVERHEAD);
        sizes.replace_from(72, &[Entry { term: 2, command: Bytes::new() }]);
        assert_eq!(sizes.total(), 3 + 2 * ENTRY_OVERHEAD);
        sizes.replace_from(71, &[]);
        assert_eq!(sizes.total(), 0);
    }
}
