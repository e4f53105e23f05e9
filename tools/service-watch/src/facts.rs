//! Facts of verdicts.

use labtrace::{Fact, VerdictBuilder};

use crate::State;
use crate::group::Seen;
use crate::operations::{Entry, Number, Operation, Reply};

/// What a client asked for and until when, and more of it.
pub(crate) fn of_operation(
    broken: VerdictBuilder,
    operation: &Operation,
    more: &str,
) -> VerdictBuilder {
    let Operation { name, asked, began, ended, given_up, lane, .. } = operation;
    let until = match (ended, given_up) {
        (Some(us), _) => format!("until {:.3} s", *us as f64 / 1e6),
        (None, Some(us)) => format!("given up at {:.3} s", *us as f64 / 1e6),
        (None, None) => "not answered yet".to_string(),
    };
    broken.with_fact(Fact {
        text: format!("{name}: {}, {until}{more}", asked.text),
        us: Some(*began),
        server: Some(*lane),
    })
}

/// So many entries, as the beginning of a sentence about them.
pub(crate) fn entries(count: u64) -> String {
    match count {
        0 => "no entry is".to_string(),
        1 => "entry 1 is".to_string(),
        _ => format!("entries 1 to {count} are"),
    }
}

/// How many characters of a value a verdict shows.
pub(crate) const SHOWN: usize = 60;

/// A value, of which the last characters say most: what was added last. So many are shown.
pub fn end_of(value: &str, shown: usize) -> String {
    match value.char_indices().rev().take(shown).last() {
        None | Some((0, _)) => format!("{value:?}"),
        Some((begin, _)) => format!("...{:?} ({} bytes)", &value[begin..], value.len()),
    }
}

impl State {
    pub(crate) fn entry_fact(&self, entry: &Entry) -> Fact {
        let Entry { place, term, server, .. } = *entry;
        let members = &self.groups[place.group].members;
        let (name, index) = (members.node_name(server), place.index);
        let instead = self.groups[place.group].below.committed_term_at(index);
        let instead = instead.filter(|instead| *instead != term).map_or(String::new(), |instead| {
            format!(", where an entry of term {instead} was committed instead")
        });
        Fact {
            text: format!("{name} sent it as the entry of term {term} at index {index}{instead}"),
            us: Some(place.us),
            server: Some(members.lane(server)),
        }
    }

    /// The entries and replies behind an operation.
    pub(crate) fn facts_behind(&self, number: Number) -> Vec<Fact> {
        let Some(operation) = self.operations.get(number) else { return Vec::new() };
        let reply = operation.replies.last().map(|reply| self.last_reply_fact(operation, reply));
        let failed = self.failed_fact(operation);
        let entries = operation.entries.iter().map(|entry| self.entry_fact(entry));
        let unseen = self.facts_of_unseen(number);
        let from_snapshot = self.facts_of_snapshot(number);
        entries.chain(unseen).chain(reply).chain(failed).chain(from_snapshot).collect()
    }

    /// What a server said last to an operation's client. What it could know then is told only if it may have answered:
    /// who has refused need not know anything, and is not to blame for what its client made of that.
    fn last_reply_fact(&self, operation: &Operation, reply: &Reply) -> Fact {
        let members = &self.groups[reply.group].members;
        let short = reply.answer.as_ref().filter(|answer| answer.is_short());
        let said = short.map_or(String::new(), |answer| format!(": {}", answer.text()));
        let is_answer =
            operation.ended.is_some() && operation.failed.is_none() && !reply.is_another;
        let known = reply.known.filter(|_| is_answer);
        let known = known.map_or(String::new(), |known| {
            format!(", and could know that {} committed", entries(known))
        });
        let text =
            format!("{} answered {}{said}{known}", members.node_name(reply.server), operation.name);
        Fact { text, us: Some(reply.us), server: Some(members.lane(reply.server)) }
    }

    /// After which call its client was done with an operation, if that call had failed.
    pub(crate) fn failed_fact(&self, operation: &Operation) -> Option<Fact> {
        let ((group, server), us) = operation.failed?;
        let to = self.groups[group].members.node_name(server);
        operation.ended?;
        let text = format!("{} returned after its call to {to} had failed", operation.name);
        Some(Fact { text, us: Some(us), server: Some(operation.lane) })
    }

    /// If something was read: the acknowledged writes that are missing in it, and that no entry was seen to hold. The
    /// latest ones tell enough.
    fn facts_of_unseen(&self, number: Number) -> Vec<Fact> {
        const SHOWN: usize = 2;
        let Some(read) = self.operations.get(number) else { return Vec::new() };
        let object = &read.asked.object;
        let Some(value) = self.read.last_of(object, number) else { return Vec::new() };
        let missing = |write: &&Operation| {
            let before = write.ended.is_some_and(|ended| ended < read.began);
            before && write.asked.change.text().is_some_and(|text| !value.contains(text))
        };
        let fact = |write: &Operation| Fact {
            text: format!(
                "{}: {}, acknowledged at {:.3} s, is not in what was read, and no entry that holds it has been sent \
                 by anybody",
                write.name,
                write.asked.text,
                write.ended.unwrap_or_default() as f64 / 1e6
            ),
            us: Some(write.began),
            server: Some(write.lane),
        };
        let missing: Vec<_> = match self.operations.hides() {
            true => Vec::new(),
            false => {
                self.operations.unseen(object).map(|(_, write)| write).filter(missing).collect()
            }
        };
        missing.into_iter().rev().take(SHOWN).map(fact).collect()
    }

    /// Which rules could not be judged, and why.
    pub(crate) fn not_judged(&self) -> Vec<String> {
        let mut sentences = self.not_understood();
        if self.operations.has_any() && self.groups.iter().any(Seen::hides_what_is_known) {
            sentences.push(
                "not judged: answered when applied, a read that cannot know, log size, because the messages of \
                 Raft do not show what a server can know to be committed"
                    .to_string(),
            );
        }
        sentences
    }

    /// The rules that need to see what clients write.
    fn not_understood(&self) -> Vec<String> {
        let writes = self.operations.has_writes();
        let understood = self.operations.understands_some();
        let reason = match self.operations.hides() {
            true => "clients read what no entry of a log was seen to hold",
            false => "no entry of a log was seen to hold what clients write",
        };
        let sentence =
            format!("not judged: answered when applied, a read that cannot know, because {reason}");
        if writes && (!understood || self.operations.hides()) { vec![sentence] } else { Vec::new() }
    }
}
