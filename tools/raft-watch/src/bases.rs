//! Rules about the snapshots that servers save (paper, section 7).
//!
//! - The saved log begins behind what is committed, and never behind less than before.
//! - The term of the entry before it is the one that was committed there.
//! - State and snapshot are saved together: no state lacks the snapshot that it begins behind.
//! - What the service gives is saved, soon.
//!
//! What a service's snapshot holds is known only if the service tells its index ([`Judge::given`]). Of others
//! it is known that a snapshot can hold no more than its server could know to be committed when the snapshot
//! was saved. That is enough to find one that was left behind; nothing has to be read for it, and the bytes
//! of two servers' snapshots, which may differ for the same state, are never compared. A Raft that saves
//! the old snapshot again with each state is not judged so.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use labtrace::verdict;

use super::judge::{Checked, Judge, Means};
use super::persister::Look;
use super::snapshots::LAST_INCLUDED;
use super::understanding::missing as rules;
use super::understanding::{Missing, Place};

/// After so long a snapshot that the service has given is saved.
const SOON_US: u64 = 1_000_000;

/// The snapshots that services have given to their Rafts: each one's index, by a hash of its bytes.
#[derive(Debug, Default)]
pub(crate) struct Given(BTreeMap<u64, u64>);

impl Given {
    fn index_of(&self, snapshot: &[u8]) -> Option<u64> {
        self.0.get(&hash(snapshot)).copied()
    }
}

fn hash(bytes: &[u8]) -> u64 {
    // Without a seed: it is the same in each process.
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// A snapshot that was given to a server, which has not been seen among what it saves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    index: u64,
    us: u64,
}

/// What is known of a saved snapshot of which nobody has told the index.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// How many snapshots this instance had saved when that was looked at last.
    pub(crate) saves: u64,
    /// It holds no later entry than this, and when it was saved, in microseconds.
    upto: Option<(u64, u64)>,
}

/// The stored snapshot that an instance began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    /// When the instance began, in microseconds.
    pub us: u64,
    /// The index that its saved log followed; 0 if that is not known.
    pub upto: u64,
    /// How many bytes the snapshot had.
    pub bytes: usize,
}

/// A snapshot that a leader has sent to an instance, all of which has reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentSnapshot {
    /// When it has reached it, in microseconds.
    pub us: u64,
    /// The last index that is in it.
    pub upto: u64,
}

impl Judge {
    /// A server has saved something: a snapshot, perhaps.
    pub(super) fn sees_snapshot(&mut self, server: usize, us: u64, means: &Means<'_>) {
        let saves = means.saved.snapshots(server);
        if saves == self.servers[server].stored.saves {
            return;
        }
        self.snapshots_seen = true;
        let judged = self.servers.len() > 1 && means.missing.allows(&rules::TOLD);
        let most = |judge: &Judge| judge.can_know(server).max(judge.servers[server].snapshot_upto);
        let upto = judged.then(|| (most(self), us));
        self.servers[server].stored = Stored { saves, upto };
    }

    /// The service of a server gives it a snapshot.
    pub(crate) fn given(&mut self, server: usize, index: u64, snapshot: &[u8], us: u64) {
        self.snapshots_seen = true;
        self.given.0.insert(hash(snapshot), index);
        self.servers[server].pending.get_or_insert(Pending { index, us });
    }

    /// A service has read the stored snapshot, and begins with that.
    pub(crate) fn restored(&mut self, server: usize, index: u64) {
        let server = &mut self.servers[server];
        (server.applied, server.restored) = (index, index);
    }

    /// A new instance begins with a stored snapshot, and with a state whose log is behind its last entry: that
    /// is committed.
    pub(crate) fn starts_with(&mut self, server: usize, began: Began) {
        self.snapshots_seen = true;
        let server = &mut self.servers[server];
        server.heard_now = server.heard_now.max(began.upto);
        server.began = Some(began);
        // The last save may have been torn by the crash: it is not known which snapshot that left.
        let knows = server.knows.max(server.snapshot_upto);
        server.stored.upto = server.stored.upto.map(|(upto, us)| (upto.max(knows), us));
    }

    /// Looks at what a server has saved of its snapshots, if there are any in this run.
    pub(crate) fn check_base(
        &mut self,
        server: usize,
        look: Look,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        if !self.snapshots_seen || !means.missing.allows(&rules::BASES) {
            return Ok(());
        }
        self.check_given_is_saved(server, us, means)?;
        let Some(saved) = means.saved.look(server, look) else { return Ok(()) };
        let base = Place { index: saved.log_base, term: saved.log_base_term };
        let known = std::mem::replace(&mut self.servers[server].base, base);
        if base.index > 0 && means.saved.snapshot_size(server) == 0 {
            return Err(snapshot_is_missing(server, base, us));
        }
        if base == known {
            return Ok(());
        }
        if base.index < known.index {
            return Err(went_back(server, known, base, us));
        }
        let committed = self.servers.len() == 1
            || !means.missing.allows(&rules::SNAPSHOTS)
            || self.may_be_committed(server, base.index, means.missing);
        if !committed {
            return Err(self.not_committed_yet(server, base.index, "saved", us));
        }
        self.check_term_of_base(server, base, us)?;
        // On the real clock this may be a save that is just being told.
        self.sees_snapshot(server, us, means);
        self.check_pair(server, base, us, means)
    }

    fn check_term_of_base(&self, server: usize, base: Place, us: u64) -> Checked {
        let Place { index, term: of } = base;
        let Some(known) = self.contradicts(base) else { return Ok(()) };
        let words = format!(
            "server {server} has saved that the last entry in its snapshot, {index}, is of term {of}: it is not"
        );
        Err(Box::new(
            //= snapshot.base-term
            verdict("a snapshot's last entry", words)
                .index(index)
                .fact_at(
                    us,
                    server,
                    format!("its persister holds a log that follows entry {index} of term {of}"),
                )
                .fact(None, known)
                .hint(LAST_INCLUDED)
                .build(),
        ))
    }

    /// What is known against this entry being the committed one.
    fn contradicts(&self, place: Place) -> Option<String> {
        let Place { index, term: of } = place;
        match self.settled.term_at(index) {
            Some(known) if known != of => {
                Some(format!("a leader said that entry {index} of term {known} is committed"))
            }
            _ if of == 0 && index > 0 => Some("no entry is of term 0".to_string()),
            _ => None,
        }
    }

    /// With a snapshot a service gets the term of the last entry in it. Its index is the service's: where a log may
    /// hold entries that the service does not see, it is not known which entry that is.
    pub(crate) fn check_handed_over(
        &self,
        server: usize,
        handed: Place,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let Place { index, term: of } = handed;
        let comparable = self.all_applied && missing.allows(&rules::COMMITTED);
        let known = self.contradicts(handed).filter(|_| of == 0 || comparable);
        let Some(known) = known else { return Ok(()) };
        let words = format!(
            "server {server} handed its service a snapshot whose last entry, {index}, shall be of term {of}: it is not"
        );
        Err(Box::new(
            //= snapshot.base-term
            verdict("a snapshot's last entry", words)
                .index(index)
                .fact_at(us, server, format!("it handed over index {index} and term {of}"))
                .fact(None, known)
                .hint(
                    "the term that goes to the service with a snapshot is the lastIncludedTerm of the \
                     InstallSnapshot that brought it, and not currentTerm or nothing",
                )
                .build(),
        ))
    }

    /// The snapshot that is saved holds all that the saved log does not.
    fn check_pair(&self, server: usize, base: Place, us: u64, means: &Means<'_>) -> Checked {
        // A snapshot may be long: where no service tells of its own, none is read.
        if self.given.0.is_empty() {
            return self.check_left_behind(server, base, us);
        }
        let Some(stored) = means.saved.read_snapshot(server) else { return Ok(()) };
        // A log may hold entries that the service does not see: of each leader one, say. Who is alone leads
        // without a word, each instance once.
        let more = match self.servers.len() {
            1 => self.servers[server].instance,
            _ => self.reigns.terms_led() as u64,
        };
        match self.given.index_of(&stored) {
            Some(index) if base.index > index.saturating_add(more) => {
                Err(saved_apart(server, base.index, format!("a snapshot of 1 to {index}"), us))
            }
            _ => Ok(()),
        }
    }

    /// The stored snapshot was not saved before anybody could know what the saved log lacks.
    fn check_left_behind(&self, server: usize, base: Place, us: u64) -> Checked {
        match self.servers[server].stored.upto {
            Some((upto, then)) if base.index > upto => {
                let has = format!(
                    "a snapshot that was saved at {:.3} s, when it could know only that {upto} entries are \
                     committed,",
                    then as f64 / 1e6
                );
                Err(saved_apart(server, base.index, has, us))
            }
            _ => Ok(()),
        }
    }

    /// A snapshot that the service has given is saved before long, or a newer one is.
    fn check_given_is_saved(&mut self, server: usize, us: u64, means: &Means<'_>) -> Checked {
        let known = &self.servers[server];
        let going_since = known.resumed_us.unwrap_or(0);
        let late = |pending: &Pending| us >= pending.us.max(going_since) + SOON_US;
        let pending = known.pending.filter(|pending| late(pending) && !known.paused);
        let Some(Pending { index, us: then }) = pending else { return Ok(()) };
        let Some(stored) = means.saved.read_snapshot(server) else { return Ok(()) };
        let has = match self.given.index_of(&stored) {
            Some(other) if other < index => format!("one of 1 to {other}"),
            None if stored.is_empty() => "none".to_string(),
            _ => {
                self.servers[server].pending = None;
                return Ok(());
            }
        };
        let words = format!(
            "server {server} was given a snapshot of 1 to {index}, and its persister holds {has} long after"
        );
        Err(Box::new(
            //= install.newer
            verdict("a snapshot is saved", words)
                .index(index)
                .fact_at(then, server, format!("its service gave it a snapshot of 1 to {index}"))
                .fact_at(us, server, format!("its persister holds {has}"))
                .hint("`snapshot` cuts the log off and saves both, the shorter log and the snapshot, in one step")
                .build(),
        ))
    }
}

fn snapshot_is_missing(server: usize, base: Place, us: u64) -> Box<labtrace::Verdict> {
    saved_apart(server, base.index, "no snapshot".to_string(), us)
}

fn saved_apart(server: usize, base: u64, has: String, us: u64) -> Box<labtrace::Verdict> {
    let words = format!(
        "the saved log of server {server} begins behind entry {base}, but beside it {has} is saved"
    );
    Box::new(
        //= snapshot.together
        verdict("state and snapshot belong together", words)
            .index(base)
            .fact_at(us, server, format!("its persister holds a log that follows entry {base}"))
            .fact_at(us, server, format!("and {has}"))
            .hint(
                "save both in one step, each time that the snapshot changes; the log begins behind the \
                 index that the service gave with it; and a save that replaces both must be given the \
                 snapshot that is there, also after a restart: an empty one erases it",
            )
            .build(),
    )
}

fn went_back(server: usize, known: Place, base: Place, us: u64) -> Box<labtrace::Verdict> {
    let words = format!(
        "the snapshot of server {server} went back: its saved log began behind entry {}, and begins \
         behind entry {} now",
        known.index, base.index
    );
    Box::new(
        //= install.newer
        verdict("snapshots do not go back", words)
            .index(base.index)
            .fact(server, format!("its persister held a log that follows entry {}", known.index))
            .fact_at(us, server, format!("now it holds one that follows entry {}", base.index))
            .hint(
                "a late or repeated InstallSnapshot, or an older one from the service, is ignored: look \
                 at its index first; and a restarted server goes on behind its stored snapshot",
            )
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A restarted server whose last snapshot was saved when it could know that nine entries are committed,
    /// and that knew of so many in the end, and was sent a snapshot of so many.
    fn restarted(stored: Option<(u64, u64)>, knows: u64, sent: u64) -> Judge {
        let mut judge = Judge::new(3);
        judge.started(1, 1);
        let server = &mut judge.servers[1];
        (server.stored.upto, server.knows, server.snapshot_upto) = (stored, knows, sent);
        judge.started(1, 2);
        judge.starts_with(1, Began { us: 0, upto: 0, bytes: 10 });
        assert!(judge.snapshots_seen);
        judge
    }

    #[test]
    fn what_a_crash_in_the_middle_of_a_save_has_left_may_be_of_its_last_moment() {
        let goes_on =
            |judge: &Judge, index| judge.check_left_behind(1, Place { index, term: 4 }, 0).is_ok();
        for (knows, sent, most) in [(12, 0, 12), (5, 0, 9), (10, 14, 14), (14, 10, 14)] {
            let judge = restarted(Some((9, 0)), knows, sent);
            assert!(goes_on(&judge, most) && !goes_on(&judge, most + 1), "{most}");
        }
        // Of what nobody saw nothing is known.
        assert!(goes_on(&restarted(None, 12, 0), 99));
    }
}
