//! What messages show of the logs, for those who judge the service above.

use super::Watch;
use super::understanding::missing as rules;

/// An entry as it was sent for the first time.
#[derive(Clone, Copy, Debug)]
pub struct SentEntry<'a> {
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The server that sent it: the leader.
    pub server: usize,
    /// When, in microseconds.
    pub us: u64,
    /// The command as it is encoded. It holds the bytes that the service gave.
    pub command: &'a [u8],
}

/// Where the reading of the entries that were sent stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bookmark(usize);

impl Watch {
    /// Shows the entries that were sent for the first time since the bookmark, in order; and moves it.
    pub fn read_entries(&self, bookmark: &mut Bookmark, mut see: impl FnMut(SentEntry<'_>)) {
        self.inner.state.with(|state| {
            bookmark.0 = state.judge.entries.read_from(bookmark.0, &mut see);
        });
    }

    /// Up to which index a server can know that entries are committed: it was told, or it leads and
    /// has counted. So it cannot have applied more. `None` if the messages do not say so much.
    pub fn can_know(&self, server: usize) -> Option<u64> {
        self.inner.state.with(|state| {
            let judged =
                state.judge.append_seen && state.understanding.missing().allows(&rules::TOLD);
            judged.then(|| state.judge.can_know(server))
        })
    }

    /// The highest term that a server has shown in its messages.
    pub fn shown_term(&self, server: usize) -> u64 {
        self.inner.state.with(|state| state.judge.term(server))
    }

    /// When a message of a leader has last reached a server that was in no later term, in microseconds.
    pub fn heard(&self, server: usize) -> Option<u64> {
        self.inner.state.with(|state| state.judge.servers[server].heard_us)
    }

    /// The server that has shown itself as the leader of a term.
    pub fn leader_of(&self, term: u64) -> Option<usize> {
        self.inner.state.with(|state| state.judge.reigns.of(term).map(|reign| reign.leader))
    }

    /// The term of the entry that was committed at an index, if a leader has said so and has shown it.
    pub fn committed_term_at(&self, index: u64) -> Option<u64> {
        self.inner.state.with(|state| state.judge.settled.term_at(index))
    }

    /// The term of the entry at an index, in the log of the latest leader that has shown it.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        self.inner.state.with(|state| state.judge.reigns.term_at(index))
    }
}
