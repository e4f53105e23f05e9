//! What a server had in the snapshot that it began with, or that its leader has sent to it, and does not show.
//!
//! A service that does not read its snapshot at the start, or ignores one that Raft hands over, answers as if nothing
//! of it had ever been. Who reads it cannot be seen: Raft does, too. But which writes stand in it is known by their
//! entries.

use labtrace::Fact;
use raft_watch::{Began, SentSnapshot};

use crate::operations::{Entry, Number, Operation, Reply};
use crate::{Change, State};

/// The latest ones tell enough.
const SHOWN: usize = 2;

impl State {
    /// If a read was answered by a server that had begun with a snapshot: that one, and what stands in it and
    /// is not in what was read. Of one that a leader has sent it is told only if something is missing.
    pub(crate) fn facts_of_snapshot(&self, number: Number) -> Vec<Fact> {
        let Some(operation) = self.operations.get(number) else { return Vec::new() };
        let Some(reply) = operation.replies.last() else { return Vec::new() };
        let seen = &self.groups[reply.group];
        let began = seen.below.began(reply.server).filter(|began| began.us < reply.us);
        if operation.asked.change != Change::Nothing {
            return Vec::new();
        }
        let Some(Began { us, upto, bytes }) = began.filter(|began| began.upto > 0) else {
            return self.facts_of_sent(number, reply);
        };
        let missing = self.missing_in_read(number, reply.group, upto);
        let more = match missing.is_empty() {
            true => String::new(),
            false => ", and answers without what stands in it".to_string(),
        };
        let text = format!(
            "{} restarted at {:.3} s with a snapshot of {bytes} bytes, up to index {upto}{more}",
            seen.members.node_name(reply.server),
            us as f64 / 1e6
        );
        self.with_missing(reply, us, text, missing)
    }

    /// What is told of the server that replied, and what is missing in its answer.
    fn with_missing(&self, reply: &Reply, us: u64, text: String, missing: Vec<Fact>) -> Vec<Fact> {
        let server = Some(self.groups[reply.group].members.lane(reply.server));
        [Fact { text, us: Some(us), server }].into_iter().chain(missing).collect()
    }

    /// The same of a snapshot that a leader had sent to who answered.
    fn facts_of_sent(&self, number: Number, reply: &Reply) -> Vec<Fact> {
        let seen = &self.groups[reply.group];
        let sent = seen.below.sent_snapshot(reply.server).filter(|sent| sent.us < reply.us);
        let Some(SentSnapshot { us, upto }) = sent else { return Vec::new() };
        let missing = self.missing_in_read(number, reply.group, upto);
        if missing.is_empty() {
            return Vec::new();
        }
        let text = format!(
            "{} was sent a snapshot of 1 to {upto} at {:.3} s, and answers without what stands in it",
            seen.members.node_name(reply.server),
            us as f64 / 1e6
        );
        self.with_missing(reply, us, text, missing)
    }

    /// Appends to the object of a read that are part of a group's snapshot up to an index, were acknowledged
    /// before the read began, and are missing in it.
    fn missing_in_read(&self, number: Number, group: usize, upto: u64) -> Vec<Fact> {
        let Some(read) = self.operations.get(number) else { return Vec::new() };
        let Some(value) = self.read.last_of(&read.asked.object, number) else { return Vec::new() };
        let writes =
            || self.read.writers(&read.asked.object).filter_map(|of| self.operations.get(of));
        let index = |of: &Operation| {
            let standing = |entry: &&Entry| {
                let committed = self.groups[group].below.committed_term_at(entry.place.index);
                entry.place.group == group && committed == Some(entry.term)
            };
            of.entries.iter().filter(standing).map(|entry| entry.place.index).min()
        };
        let is_set = |of: &&Operation| matches!(of.asked.change, Change::Set(_));
        // What a Put stands behind is gone. One of which it is not known where it stands may be anywhere.
        let puts: Vec<_> = writes().filter(is_set).map(index).collect();
        if puts.contains(&None) {
            return Vec::new();
        }
        let last_put = puts.into_iter().flatten().max().unwrap_or(0);
        let mut missing: Vec<_> = writes()
            .filter(|of| of.ended.is_some_and(|ended| ended < read.began))
            .filter(|of| of.asked.change.text().is_some_and(|text| !value.contains(text)))
            .filter_map(|of| Some((index(of)?, of)))
            .filter(|(index, _)| (last_put..=upto).contains(index))
            .collect();
        missing.sort_by_key(|(index, _)| *index);
        let fact = |(index, of): (u64, &Operation)| Fact {
            text: format!(
                "{}: {}, acknowledged at {:.3} s, stands at index {index}: in that snapshot, and not in what \
                 was read",
                of.name,
                of.asked.text,
                of.ended.unwrap_or_default() as f64 / 1e6
            ),
            us: Some(of.began),
            server: Some(of.lane),
        };
        missing.into_iter().rev().take(SHOWN).map(fact).collect()
    }
}
