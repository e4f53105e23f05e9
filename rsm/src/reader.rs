//! The task that executes what was committed, and takes snapshots.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use labgob::Gob;
use labrt::channel::Receiver;
use persister::Persister;
use raft_api::{ApplyMsg, Persisted, Raft};
use serde::{Deserialize, Serialize};

use crate::shared::{LogEntry, Options, Shared};
use crate::{Machine, MakeError};

/// A snapshot is taken when the saved Raft state has come to so many eighths of its limit: what is
/// appended until the snapshot is saved needs room, too.
const NEAR: usize = 6;

/// And when a snapshot would take so many eighths of the limit out of it. Entries that are not
/// committed yet can keep the state large; then a snapshot for each entry would be of no use.
const WORTH: usize = 4;

/// What executes, and takes the machine through the log.
pub(crate) struct Reader<M: Machine> {
    /// The last index that was executed, or is part of the snapshot that was restored.
    executed: u64,
    /// How many bytes of commands were executed since the last snapshot.
    since_snapshot: usize,
    persister: Arc<dyn Persister>,
    options: Options,
    shared: Arc<Shared<M>>,
}

/// A snapshot, as Raft gets it.
#[derive(Serialize, Deserialize, Gob)]
struct Saved {
    /// The index of the last request that the machine had executed.
    index: u64,
    machine: Bytes,
}

impl<M: Machine> Reader<M> {
    /// Takes the machine to where the persister's snapshot has it, if there is one.
    pub(crate) fn restored(
        persister: Arc<dyn Persister>,
        options: Options,
        shared: Arc<Shared<M>>,
    ) -> Result<Reader<M>, MakeError> {
        let snapshot = persister.read_snapshot()?;
        let mut reader = Reader { executed: 0, since_snapshot: 0, persister, options, shared };
        if !snapshot.is_empty() {
            reader.restore(&snapshot)?;
        }
        Ok(reader)
    }

    /// Checks that the saved log, if Raft can say what it is, goes on from the snapshot: it may still have
    /// entries that the snapshot holds, but lacks none in between.
    pub(crate) fn check_saved_log<R: Raft>(&self) -> Result<(), MakeError> {
        let state = self.persister.read_raft_state()?;
        // Of a state that it cannot read Raft says so itself.
        R::read_persisted(&state).map_or(Ok(()), |saved| goes_on(self.executed, &saved))
    }

    /// Executes what Raft hands over, until it hands over nothing more.
    ///
    /// # Panics
    /// If Raft hands over entries out of order, or what is no request of this machine.
    pub(crate) fn run(mut self, raft: &impl Raft, committed: &Receiver<ApplyMsg>) {
        for message in committed {
            match message {
                ApplyMsg::Command { index, command } => {
                    self.execute(index, &command);
                    self.snapshot_if_due(raft);
                }
                ApplyMsg::Snapshot { index, snapshot, .. } if index > self.executed => {
                    if let Err(error) = self.restore(&snapshot) {
                        panic!("Raft handed over a snapshot that is none of this machine: {error}");
                    }
                    let own = self.executed;
                    assert_eq!(
                        own, index,
                        "Raft handed over a snapshot up to index {index}, which says itself that it goes up \
                         to {own}: Raft must hand over snapshots as they were given to it, each with its index"
                    );
                }
                // What it holds has been executed here.
                ApplyMsg::Snapshot { .. } => {}
                other => panic!("Raft handed over {other:?}, which is not known here"),
            }
        }
        self.shared.end();
    }

    fn execute(&mut self, index: u64, command: &[u8]) {
        let expected = self.executed + 1;
        assert_eq!(
            index, expected,
            "Raft handed over index {index}, and not {expected}: it must hand over each entry once, in order, \
             behind the snapshot that the persister holds; or that snapshot is damaged, and another copy of \
             what this server has saved is needed"
        );
        let entry: LogEntry<M::Request> = match labgob::decode(command) {
            Ok(entry) => entry,
            Err(error) => {
                panic!("the entry at index {index} is no request of this machine: {error}")
            }
        };
        let name = entry.name();
        let Ok(replies) = self.shared.stand.move_to(index, |machine| {
            let replies = entry.requests.into_iter().map(|request| machine.apply(request));
            Ok::<_, Infallible>(replies.collect())
        });
        self.executed = index;
        self.since_snapshot += command.len();
        self.shared.update(|pending| pending.executed(index, name, replies));
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), labgob::DecodeError> {
        let Saved { index, machine } = labgob::decode(snapshot)?;
        self.shared.stand.move_to(index, |own| own.restore(&machine))?;
        self.executed = index;
        self.since_snapshot = 0;
        self.shared.update(|pending| pending.restored(index));
        Ok(())
    }

    fn snapshot_if_due(&mut self, raft: &impl Raft) {
        let Some(limit) = self.options.max_raft_state else { return };
        let worth = self.since_snapshot.saturating_mul(8) >= limit.saturating_mul(WORTH);
        if !worth || self.persister.raft_state_size().saturating_mul(8) < limit.saturating_mul(NEAR)
        {
            return;
        }
        // Not within `snapshot` below: Raft may want something of this server's meanwhile.
        let machine = self.shared.stand.lock().machine.snapshot();
        let saved = Saved { index: self.executed, machine };
        self.since_snapshot = 0;
        raft.snapshot(self.executed, Bytes::from(labgob::encode(&saved)));
    }
}

/// Whether a saved log goes on from a snapshot up to this index.
fn goes_on(snapshot: u64, saved: &Persisted) -> Result<(), MakeError> {
    // A log may hold entries that are no commands. If nobody says how many of them are forgotten, one thing is
    // certain: what is forgotten was in a snapshot, and that had at least one command.
    let base = saved.log_base_commands.unwrap_or(saved.log_base);
    let least = saved.log_base_commands.unwrap_or(saved.log_base.min(1));
    let last = base.saturating_add(saved.log_terms.len() as u64);
    match (least..=last).contains(&snapshot) {
        true => Ok(()),
        false => Err(MakeError::Apart { snapshot, first: base.saturating_add(1), last }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A saved log of three entries.
    fn of_three(log_base: u64, log_base_commands: Option<u64>) -> Persisted {
        let log_terms = vec![1; 3];
        Persisted { log_base, log_base_commands, log_terms, ..Persisted::default() }
    }

    #[test]
    fn a_log_goes_on_from_its_snapshot_or_still_has_some_of_it() {
        let saved = of_three(5, Some(5));
        assert!((5..=8).all(|snapshot| goes_on(snapshot, &saved).is_ok()));
        for apart in [0, 4, 9, u64::MAX] {
            let error = goes_on(apart, &saved).expect_err("entries are missing").to_string();
            assert!(error.contains(&format!("up to index {apart}, but")), "{error}");
            assert!(
                error.contains("has the entries 6 to 8 ") && error.contains("restore"),
                "{error}"
            );
        }
        goes_on(0, &Persisted::default()).expect("nothing is saved");
    }

    #[test]
    fn a_log_may_have_forgotten_entries_that_are_no_commands() {
        let fits = |snapshot, saved: &Persisted| goes_on(snapshot, saved).is_ok();
        let said = of_three(7, Some(5));
        assert_eq!([4, 5, 8, 9].map(|at| fits(at, &said)), [false, true, true, false]);
        let not_said = of_three(7, None);
        assert_eq!([0, 1, 10, 11].map(|at| fits(at, &not_said)), [false, true, true, false]);
    }
}
