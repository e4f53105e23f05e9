//! Situations of entries that are refused, cut off or there already.

use run_record::situations::Situation;

use super::Counts;
use crate::calls::Append;
use crate::understanding::Place;

/// What each server's log is likely to hold.
#[derive(Debug, Default)]
pub(super) struct Logs(Vec<Log>);

#[derive(Clone, Debug, Default)]
struct Log {
    /// The terms of all entries, from index 1 on; 0 for one that nobody has shown.
    terms: Vec<u64>,
    /// Up to where a snapshot has taken the entries' place.
    base: u64,
}

impl Log {
    fn last(&self) -> u64 {
        self.terms.len() as u64
    }

    /// It ends with this entry, which follows on others of its term if they are not known.
    fn ends_with(&mut self, place: Place) {
        self.cut(place.index.saturating_sub(1));
        self.fill(place);
    }

    /// It holds this entry at least.
    fn fill(&mut self, place: Place) {
        if let Ok(length) = usize::try_from(place.index)
            && let Some(more) = length.checked_sub(self.terms.len())
            && more <= MOST_UNKNOWN
        {
            self.terms.resize(length, place.term);
        }
    }

    fn cut(&mut self, last: u64) {
        self.terms.truncate(usize::try_from(last).unwrap_or(usize::MAX));
    }

    /// The terms of the entries behind one index and up to another.
    fn between(&self, after: u64, last: u64) -> &[u64] {
        let end = usize::try_from(last).unwrap_or(usize::MAX).min(self.terms.len());
        let start = usize::try_from(after).unwrap_or(usize::MAX).min(end);
        &self.terms[start..end]
    }
}

/// A message that tells of more entries than this at once tells nothing: its index makes no sense.
const MOST_UNKNOWN: usize = 1 << 20;

impl Logs {
    pub(super) fn new(servers: usize) -> Logs {
        Logs(vec![Log::default(); servers])
    }

    pub(super) fn last(&self, server: usize) -> u64 {
        self.0[server].last()
    }

    pub(super) fn base(&self, server: usize) -> u64 {
        self.0[server].base
    }

    /// The term of an entry; 0 if it is not known or not there.
    pub(super) fn term_at(&self, server: usize, index: u64) -> u64 {
        let entry = self.0[server].between(index.saturating_sub(1), index);
        entry.first().copied().unwrap_or(0)
    }

    /// An entry with its term, which is 0 as in [`term_at`](Logs::term_at).
    pub(super) fn place_at(&self, server: usize, index: u64) -> Place {
        Place { index, term: self.term_at(server, index) }
    }

    /// A leader takes a command into its log.
    pub(super) fn appends(&mut self, server: usize, index: u64, term: u64) {
        self.0[server].ends_with(Place { index, term });
    }

    /// A leader's request shows the last entry that it brings, or that it asks about. True if that is new.
    pub(super) fn shows(&mut self, server: usize, last: Place) -> bool {
        let before = self.last(server);
        self.0[server].fill(last);
        self.last(server) > before
    }

    /// The service of a server gives it a snapshot.
    pub(super) fn snapshot(&mut self, server: usize, index: u64) {
        let log = &mut self.0[server];
        log.base = log.base.max(index);
    }

    /// A server has a snapshot of another one's log up to this entry.
    pub(super) fn installs(&mut self, from: usize, to: usize, last: Place) {
        if self.term_at(to, last.index) != last.term {
            self.0[to].terms = self.0[from].between(0, last.index).to_vec();
            self.0[to].fill(last);
        }
        self.snapshot(to, last.index);
    }

    /// A follower has accepted what a leader has sent.
    pub(super) fn accepts(&mut self, from: usize, to: usize, append: Append, counts: &mut Counts) {
        let Append { prev, last, .. } = append;
        let mut log = std::mem::take(&mut self.0[to]);
        if log.last() < prev.index {
            // It has more than anybody has seen: what the leader has.
            log.terms = self.0[from].between(0, prev.index).to_vec();
            log.fill(prev);
        }
        let sent = self.0[from].between(prev.index, last.index);
        let known = log.between(prev.index, last.index);
        let same = sent.iter().zip(known).take_while(|(one, other)| one == other).count();
        let cut = &log.between(prev.index, u64::MAX)[same..];
        if same < sent.len() {
            if let Some(depth) = depth(cut) {
                counts.add(depth);
            }
            let (kept, new) = (prev.index + same as u64, sent[same..].to_vec());
            log.cut(kept);
            log.terms.extend(new);
        } else {
            let more_is_there = append.brings_some() && !cut.is_empty();
            counts.add_if(more_is_there, Situation::LatePrefix);
        }
        self.0[to] = log;
    }
}

/// How deep a conflict is, by the terms of the entries that are cut off.
fn depth(cut: &[u64]) -> Option<Situation> {
    let first = cut.first()?;
    match 1 + cut.windows(2).filter(|pair| pair[0] != pair[1]).count() {
        _ if *first == 0 => None, // nobody knows what it was
        1 => Some(Situation::ConflictOneTerm),
        2 => Some(Situation::ConflictTwoTerms),
        _ => Some(Situation::ConflictMoreTerms),
    }
}
