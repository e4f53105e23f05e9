//! What servers save, as seen from outside.

use std::sync::Arc;

use ::persister::Persister;
use raft_api::Persisted;
use tester::SaveCount;

use super::calls::Delivered;
use super::saved::Disorder;
use crate::RaftType;

/// How much it matters to look at what is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Only as often as it costs little.
    IfCheap,
    Surely,
}

/// How a Raft reads what it has saved.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    whole: fn(&[u8]) -> Option<Persisted>,
    appended: fn(Persisted, &[u8]) -> Option<Persisted>,
}

impl Reading {
    /// Of a Raft that does not say what it saves.
    #[cfg(test)]
    pub(crate) const BLIND: Reading = Reading { whole: |_| None, appended: |_, _| None };

    pub(crate) fn of(raft: RaftType) -> Reading {
        Reading { whole: raft.read_persisted, appended: raft.read_appended }
    }
}

/// What was read last.
#[derive(Clone)]
struct Seen {
    /// How often something had been saved by then.
    count: u64,
    state: Vec<u8>,
    saved: Option<Persisted>,
    /// Why that cannot be a log.
    disorder: Option<Disorder>,
}

/// What a server has saved.
///
/// To read it may cost more than all the rest that is done for a message. So what has been read is
/// kept until something is saved, and what changes all the time is read only as often as the *credit*
/// allows. That lasts for some time, so nothing of a short run is missed.
#[derive(Clone, Default)]
pub(crate) struct Saves {
    persister: Option<Arc<dyn Persister>>,
    /// How often something was saved.
    count: SaveCount,
    seen: Option<Seen>,
    /// How many bytes may be read; below 0 while a long state is paid for.
    credit: i64,
    silent: bool,
}

/// The credit at the beginning of a run, which is also the most that there can be, in bytes.
const CREDIT: i64 = 16 * 1024;
/// What each wish to look adds to it.
const INCOME: i64 = 64;

impl Saves {
    /// Those of a server that has not been started yet.
    pub(crate) fn none() -> Saves {
        Saves { credit: CREDIT, ..Saves::default() }
    }

    /// A new instance saves to this.
    pub(crate) fn begin(&mut self, persister: Arc<dyn Persister>, count: SaveCount) {
        (self.persister, self.count, self.seen) = (Some(persister), count, None);
    }

    /// What is saved, if this is the time to look and the Raft says what it means.
    fn look(&mut self, reading: Reading, look: Look) -> Option<&Persisted> {
        let count = self.count.get();
        self.credit = (self.credit + INCOME).min(CREDIT);
        let is_known = self.seen.as_ref().is_some_and(|seen| seen.count == count);
        if !is_known {
            if look == Look::IfCheap && self.credit < 0 {
                return None;
            }
            let state = self.persister.as_ref()?.read_raft_state().ok()?;
            let (saved, cost) = self.read(reading, &state);
            self.credit -= i64::try_from(cost).unwrap_or(i64::MAX);
            self.silent |= saved.is_none() && !state.is_empty();
            let disorder = saved.as_ref().and_then(Disorder::of);
            self.seen = Some(Seen { count, state, saved, disorder });
        }
        self.seen.as_ref()?.saved.as_ref()
    }

    /// Why what is saved cannot be a log, if nothing was saved since it was looked at.
    fn disorder(&self) -> Option<Disorder> {
        let seen = self.seen.as_ref().filter(|seen| seen.count == self.count.get())?;
        seen.disorder
    }

    /// What a state means, and what it cost to find out, in bytes that were read. If it is what was seen
    /// last with something behind it, only that is read. To copy and compare the rest costs a sixteenth of
    /// reading it. All of that counts twice: one half of what is gained goes into looking more often, the
    /// other half remains.
    fn read(&mut self, reading: Reading, state: &[u8]) -> (Option<Persisted>, usize) {
        let grown = self.seen.take().and_then(|seen| {
            let appended = state.strip_prefix(seen.state.as_slice())?;
            let cost = 2 * (appended.len() + state.len() / 16);
            Some(((reading.appended)(seen.saved?, appended)?, cost.min(state.len())))
        });
        match grown {
            Some((saved, cost)) => (Some(saved), cost),
            None => ((reading.whole)(state), state.len()),
        }
    }
}

/// What all servers have saved.
pub(crate) struct SavedStates<'a> {
    saves: &'a mut [Saves],
    reading: Reading,
}

impl<'a> SavedStates<'a> {
    pub(crate) fn new(saves: &'a mut [Saves], reading: Reading) -> Self {
        SavedStates { saves, reading }
    }

    /// What a server has saved, if this is the time to look and its Raft says what it means.
    pub(crate) fn look(&mut self, server: usize, look: Look) -> Option<&Persisted> {
        self.saves[server].look(self.reading, look)
    }

    /// Why what a server has saved cannot be a log, if that was looked at since.
    pub(crate) fn disorder(&self, server: usize) -> Option<Disorder> {
        self.saves[server].disorder()
    }

    /// How to look at what a server promises now that it has handled a request: surely, if it has saved
    /// nothing since the request reached it.
    pub(crate) fn since(&self, server: usize, delivered: Delivered) -> Look {
        match self.count(server) == delivered.saves {
            true => Look::Surely,
            false => Look::IfCheap,
        }
    }

    /// How long the Raft state is that a server has saved.
    pub(crate) fn state_size(&self, server: usize) -> usize {
        self.saves[server].persister.as_ref().map_or(0, |persister| persister.raft_state_size())
    }

    /// How long the snapshot is that it has saved.
    pub(crate) fn snapshot_size(&self, server: usize) -> usize {
        self.saves[server].persister.as_ref().map_or(0, |persister| persister.snapshot_size())
    }

    /// No server has saved anything.
    pub(crate) fn are_empty(&self) -> bool {
        (0..self.saves.len())
            .all(|server| self.state_size(server) + self.snapshot_size(server) == 0)
    }

    /// All that a server has saved: its Raft state, and its snapshot.
    pub(crate) fn copy(&self, server: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let persister = self.saves[server].persister.as_ref()?;
        Some((persister.read_raft_state().ok()?, persister.read_snapshot().ok()?))
    }

    /// The snapshot that it has saved.
    pub(crate) fn read_snapshot(&self, server: usize) -> Option<Vec<u8>> {
        self.saves[server].persister.as_ref()?.read_snapshot().ok()
    }

    /// How often a server has saved something.
    pub(crate) fn count(&self, server: usize) -> u64 {
        self.saves[server].count.get()
    }

    /// How often an instance of a server has saved a snapshot.
    pub(crate) fn snapshots(&self, server: usize) -> u64 {
        self.saves[server].count.snapshots()
    }

    /// Some server has saved something, and its Raft does not say what.
    pub(crate) fn are_silent(&self) -> bool {
        self.saves.iter().any(|saves| saves.silent)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ::persister::MemoryPersister;

    use super::*;

    static READ: AtomicUsize = AtomicUsize::new(0);

    fn read(state: &[u8]) -> Option<Persisted> {
        READ.fetch_add(1, Ordering::Relaxed);
        Some(Persisted { term: state.len() as u64, ..Persisted::default() })
    }

    const WHOLE: Reading = Reading { whole: read, appended: |_, _| None };

    /// How often the state is read if something is saved before each of 1,000 looks.
    fn reads(length: usize, look: Look) -> usize {
        let (mut saves, persister) = (Saves::none(), Arc::new(MemoryPersister::new()));
        saves.persister = Some(persister.clone());
        persister.save_raft_state(&vec![0; length]).expect("memory can be written");
        READ.store(0, Ordering::Relaxed);
        for _ in 0..1_000 {
            saves.count.add();
            let saved = saves.look(WHOLE, look);
            assert!(saved.is_none_or(|saved| saved.term == length as u64));
        }
        READ.load(Ordering::Relaxed)
    }

    #[test]
    fn a_saved_state_is_read_as_often_as_it_costs_little() {
        assert_eq!(reads(64, Look::IfCheap), 1_000);
        let often = (CREDIT + 1_000 * INCOME) as usize;
        for length in [1_000, 10_000, 100_000] {
            let most = often / length + 1;
            assert!((most / 2..=most).contains(&reads(length, Look::IfCheap)), "{length} bytes");
        }
        assert_eq!(reads(100_000, Look::Surely), 1_000);

        // What has not changed is not read again.
        let persister = Some(Arc::new(MemoryPersister::new()) as Arc<dyn Persister>);
        let mut saves = Saves { persister, ..Saves::none() };
        READ.store(0, Ordering::Relaxed);
        for _ in 0..10 {
            saves.look(WHOLE, Look::Surely);
        }
        assert_eq!(READ.load(Ordering::Relaxed), 1);
    }

    const PLAIN: Reading = Reading { whole: |_| Some(Persisted::default()), appended: |_, _| None };

    #[test]
    fn at_first_some_thousands_of_bytes_may_be_read() {
        let read_of = |length: usize, looks: usize| {
            let (mut saves, persister) = (Saves::none(), Arc::new(MemoryPersister::new()));
            saves.persister = Some(persister.clone());
            persister.save_raft_state(&vec![0; length]).expect("memory can be written");
            let look = |_: usize| {
                saves.count.add();
                saves.look(PLAIN, Look::IfCheap).is_some()
            };
            (0..looks).map(look).collect::<Vec<_>>()
        };
        let (credit, income) = (16 * 1024, 64);
        assert_eq!(read_of(credit / 2, 4), [true, true, true, false]);
        // When all is paid for it may be read again.
        assert_eq!(read_of(credit + income, 2), [true, true]);
        assert_eq!(read_of(credit + income + 1, 3), [true, false, true]);
    }

    #[test]
    fn the_end_of_a_state_costs_twice_its_length_and_an_eighth_of_the_whole() {
        let reading = Reading { appended: |known, _| Some(known), ..PLAIN };
        let cost = |before: usize, after: usize| {
            let (state, saved) = (vec![0; before], Some(Persisted::default()));
            let seen = Seen { count: 0, state, saved, disorder: None };
            let mut saves = Saves { seen: Some(seen), ..Saves::none() };
            saves.read(reading, &vec![0; after]).1
        };
        assert_eq!(cost(1_590, 1_600), 2 * (10 + 100));
        // Never more than to read it all.
        assert_eq!(cost(10, 1_600), 1_600);
    }

    #[test]
    fn who_never_says_what_is_saved_is_silent_and_who_saves_nothing_is_not() {
        fn short(state: &[u8]) -> Option<Persisted> {
            (state.len() < 3).then(Persisted::default)
        }
        let reading = Reading { whole: short, appended: |_, _| None };
        let persister = Arc::new(MemoryPersister::new());
        let mut all = vec![Saves::none(); 2];
        all[1].begin(persister.clone(), SaveCount::default());
        let mut silent_after = |state: &[u8]| {
            persister.save_raft_state(state).expect("memory can be written");
            all[1].count.add();
            let mut saved = SavedStates::new(&mut all, reading);
            saved.look(1, Look::Surely);
            saved.are_silent()
        };
        assert_eq!(
            [&b""[..], b"ab", b"abc", b"ab"].map(&mut silent_after),
            [false, false, true, true]
        );
    }

    #[test]
    fn a_promise_is_looked_at_for_sure_if_nothing_was_saved_since_it_was_asked_for() {
        let mut all = vec![Saves::none(); 2];
        let mut looks = |times: usize| {
            (0..times).for_each(|_| all[1].count.add());
            let (instance, promised, appends) = (1, Default::default(), 0);
            let delivered = Delivered { instance, promised, held: None, appends, saves: 2 };
            let saved = SavedStates::new(&mut all, PLAIN);
            (saved.count(1), saved.since(1, delivered))
        };
        assert_eq!(looks(2), (2, Look::Surely));
        assert_eq!(looks(1), (3, Look::IfCheap));
    }

    #[test]
    fn of_a_state_that_grows_only_the_end_is_read() {
        fn whole(state: &[u8]) -> Option<Persisted> {
            Some(Persisted { term: state.len() as u64, ..Persisted::default() })
        }
        fn appended(known: Persisted, appended: &[u8]) -> Option<Persisted> {
            (appended != b"?").then(|| Persisted { term: 1_000 + known.term, ..known })
        }
        let persister = Arc::new(MemoryPersister::new());
        let mut saves = Saves::none();
        saves.persister = Some(persister.clone());
        let mut look = |save: &dyn Fn(&MemoryPersister)| {
            save(&persister);
            saves.count.add();
            let reading = Reading { whole, appended };
            saves.look(reading, Look::Surely).expect("it can be read").term
        };
        assert_eq!(look(&|persister| persister.save_raft_state(b"abcd").unwrap()), 4);
        assert_eq!(look(&|persister| persister.append_raft_state(b"e").unwrap()), 1_004);
        assert_eq!(look(&|persister| persister.append_raft_state(b"fg").unwrap()), 2_004);
        // The Raft cannot say it; the state is another one; it has become shorter.
        assert_eq!(look(&|persister| persister.append_raft_state(b"?").unwrap()), 8);
        assert_eq!(look(&|persister| persister.save_raft_state(b"xbcdefg?h").unwrap()), 9);
        assert_eq!(look(&|persister| persister.save_raft_state(b"xbc").unwrap()), 3);
    }
}
