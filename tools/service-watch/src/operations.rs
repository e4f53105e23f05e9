//! What clients have asked for, and the entries that came of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use memchr::memchr_iter;
use raft_watch::SentEntry;
use tester::Client;

use crate::sent::Sent;
use crate::tries::{Answer, Tries};
use crate::{Asked, Change, Place};

/// An operation's place in the list of all.
pub(crate) type Number = usize;

/// Texts of so many bytes are not in an entry by chance.
const TELLING: usize = 6;

/// So long after an operation's end, in microseconds, a request for it may still lead to an entry.
const LATE_US: u64 = 1_000_000;

/// One operation of a client.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) asked: Asked,
    /// The client's name, its number and its lane.
    pub(crate) name: String,
    pub(crate) client: u64,
    pub(crate) lane: u32,
    /// When it began and ended, in microseconds.
    pub(crate) began: u64,
    pub(crate) ended: Option<u64>,
    /// When its client gave it up, which was stopped: nobody waits for it any more, and whether it takes effect is
    /// open.
    pub(crate) given_up: Option<u64>,
    /// The entries that are its own, in the order in which they were first sent.
    pub(crate) entries: Vec<Entry>,
    /// The replies to calls that its client made for it, while it was under way.
    pub(crate) replies: Vec<Reply>,
    /// The server that its last call was to, and when that call failed, in microseconds; none if a reply has come
    /// back since.
    pub(crate) failed: Option<((usize, usize), u64)>,
    /// Whom its client has asked, while it is under way.
    pub(crate) tries: Tries,
}

/// An entry of a log that is an operation's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) term: u64,
    /// Who sent it first.
    pub(crate) server: usize,
    /// Another entry was committed in its place: it has never been executed, and will not be.
    pub(crate) replaced: bool,
}

/// A write that was acknowledged, as one group's log has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) number: Number,
    /// Its first entry there that is known to be committed.
    pub(crate) entry: Entry,
}

/// A server's reply to a client.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) group: usize,
    pub(crate) server: usize,
    pub(crate) us: u64,
    /// Up to which index the server could know that entries are committed; `None` if nobody can tell.
    pub(crate) known: Option<u64>,
    /// What it says. When its operation is judged, only that of the last one is kept.
    pub(crate) answer: Option<Answer>,
    /// What its client has read need not be from it.
    pub(crate) is_another: bool,
}

impl Operation {
    /// Whether its end is so long ago that no request for it is under way any more.
    fn is_over(&self, us: u64) -> bool {
        self.ended.or(self.given_up).is_some_and(|ended| ended + LATE_US < us)
    }

    /// Whether its client waits for it.
    pub(crate) fn is_under_way(&self) -> bool {
        self.ended.is_none() && self.given_up.is_none()
    }

    /// Whether an entry of a write had been sent when one of its replies was given. What is sent later may be that
    /// of a request that came again.
    pub(crate) fn was_sent(&self) -> bool {
        let before = |entry: &Entry| self.replies.iter().any(|reply| entry.place.us <= reply.us);
        self.entries.iter().any(before)
    }

    /// Whether a write may be done for all that a server could know when it replied: of an entry of it in
    /// its own group's log that it is committed. What another group has in its log may be done there, and
    /// the server may have learned so.
    pub(crate) fn may_be_done(&self, reply: &Reply) -> bool {
        let elsewhere = |entry: &Entry| {
            !entry.replaced && entry.place.group != reply.group && entry.place.us <= reply.us
        };
        reply.known.is_none()
            || self.entries.iter().any(|entry| reply.may_know(entry) || elsewhere(entry))
    }
}

impl Reply {
    /// Whether who gave it could know that an entry of its group's log is committed.
    pub(crate) fn may_know(&self, entry: &Entry) -> bool {
        let Place { us, group, index } = entry.place;
        let is_known = self.known.is_some_and(|known| index <= known);
        group == self.group && us <= self.us && is_known && !entry.replaced
    }
}

/// All operations.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    all: Vec<Operation>,
    /// By client: the one that is under way. A client has one at a time.
    open: BTreeMap<u64, Number>,
    /// By object and group: the acknowledged write that is furthest in the group's log.
    latest: BTreeMap<String, BTreeMap<usize, Acknowledged>>,
    /// Those that have ended, in this order.
    done: Vec<Number>,
    /// The writes of which entries may still come: those that are under way, and of each client the one that
    /// ended last if its request may still be under way.
    awaited: Vec<Number>,
    /// Some entry was seen to hold a short text that a client writes.
    understands_short: bool,
    /// The longest telling text that an entry was seen to hold, in bytes. A service may divide long ones, or compress
    /// them.
    longest_understood: Option<usize>,
    /// All entries, whoever's they are.
    pub(crate) sent: Sent,
    /// By object: acknowledged writes of which no entry had been seen.
    unseen: BTreeMap<String, Vec<Number>>,
    /// One of these was executed: entries can hide what clients write.
    hides: bool,
}

impl Operations {
    pub(crate) fn begin(&mut self, client: &Client, asked: Asked, us: u64) -> Number {
        let number = self.all.len();
        self.open.insert(client.number(), number);
        if asked.change != Change::Nothing {
            self.awaited.push(number);
        }
        self.all.push(Operation {
            asked,
            name: client.name().to_string(),
            client: client.number(),
            lane: client.lane(),
            began: us,
            ended: None,
            given_up: None,
            entries: Vec::new(),
            replies: Vec::new(),
            failed: None,
            tries: Tries::default(),
        });
        number
    }

    pub(crate) fn get(&self, number: Number) -> Option<&Operation> {
        self.all.get(number)
    }

    /// Those that have ended behind this bookmark, which is set forward.
    pub(crate) fn done_since(
        &self,
        bookmark: &mut usize,
    ) -> impl Iterator<Item = Number> + use<'_> {
        let from = std::mem::replace(bookmark, self.done.len());
        self.done[from..].iter().copied()
    }

    /// The number of the operation that a client has under way.
    pub(crate) fn number_of(&self, client: u64) -> Option<Number> {
        self.open.get(&client).copied()
    }

    /// The operation that a client has under way.
    pub(crate) fn open_of(&mut self, client: u64) -> Option<&mut Operation> {
        let number = self.number_of(client)?;
        self.all.get_mut(number)
    }

    /// All that are under way.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = &Operation> {
        self.open.values().filter_map(|number| self.all.get(*number))
    }

    /// What a client is called.
    pub(crate) fn name_of(&self, client: u64) -> String {
        let number = self.open.get(&client);
        let operation = number.and_then(|number| self.all.get(*number));
        operation.map_or_else(|| "a client".to_string(), |operation| operation.name.clone())
    }

    /// An operation is done.
    pub(crate) fn end(&mut self, number: Number, us: u64) {
        if let Some(operation) = self.all.get_mut(number) {
            (operation.ended, operation.tries) = (Some(us), Tries::default());
            self.open.remove(&operation.client);
            self.done.push(number);
            self.no_longer_await(number, us);
        }
    }

    /// The client of an operation has been stopped, if it still waits. Entries of a write may come for a while, as after
    /// an end; but it is not done, and may never be.
    pub(crate) fn give_up(&mut self, number: Number, us: u64) {
        let operation = self.all.get_mut(number).filter(|operation| operation.is_under_way());
        if let Some(operation) = operation {
            (operation.given_up, operation.tries) = (Some(us), Tries::default());
            self.open.remove(&operation.client);
        }
    }

    /// An operation has ended. Its client's others cannot have entries any more, nor those whose end is long
    /// ago: all entries that were sent up to now have been seen.
    fn no_longer_await(&mut self, ended: Number, us: u64) {
        let all = &self.all;
        let client = all[ended].client;
        self.awaited.retain(|&number| {
            number == ended || (all[number].client != client && !all[number].is_over(us))
        });
    }

    /// Learns which entries of an operation have lost their places: `committed` gives the term of what was
    /// committed at a place, if that is known.
    pub(crate) fn look_for_replaced(
        &mut self,
        number: Number,
        committed: impl Fn(Place) -> Option<u64>,
    ) {
        let entries = self.all.get_mut(number).map(|operation| &mut operation.entries);
        for entry in entries.into_iter().flatten() {
            entry.replaced = committed(entry.place).is_some_and(|term| term != entry.term);
        }
    }

    /// An operation is judged, which has read this if it was a read. If it was a write, it is acknowledged: from here on
    /// whoever reads must know of it.
    pub(crate) fn settle(&mut self, number: Number, read: Option<&str>) {
        let replies = self.all.get_mut(number).map(|operation| &mut operation.replies);
        if let Some((last, others)) = replies.and_then(|replies| replies.split_last_mut()) {
            others.iter_mut().for_each(|reply| reply.answer = None);
            let another = |answer: &Answer| read.is_some_and(|read| answer.is_another_than(read));
            last.is_another = last.answer.as_ref().is_some_and(another);
        }
        let Some(operation) = self.all.get(number) else { return };
        if operation.asked.change == Change::Nothing {
            return;
        }
        let is_committed = |entry: &&Entry| operation.replies.iter().any(|r| r.may_know(entry));
        let latest = self.latest.entry(operation.asked.object.clone()).or_default();
        let mut entries: Vec<Entry> =
            operation.entries.iter().filter(is_committed).copied().collect();
        entries.sort_by_key(|entry| Reverse(entry.place.index));
        let by_group = entries.into_iter().map(|entry| (entry.place.group, entry));
        // Of each group the first one remains.
        let is_plain = !operation.asked.tells_nothing();
        for (group, entry) in by_group.filter(|_| is_plain).collect::<BTreeMap<_, _>>() {
            let own = Acknowledged { number, entry };
            let known = latest.entry(group).or_insert(own);
            // Of several in one entry the one that was acknowledged first.
            if entry.place.index > known.entry.place.index {
                *known = own;
            }
        }
    }

    /// The acknowledged write to an object that is furthest in a group's log.
    pub(crate) fn latest_write(
        &self,
        object: &str,
        group: usize,
    ) -> Option<(&Operation, &Acknowledged)> {
        let known = self.latest.get(object)?.get(&group)?;
        Some((self.all.get(known.number)?, known))
    }

    /// An entry was sent for the first time: whose is it? Returns for how many operations it is the first one of
    /// its leader, while others of this group have had entries of them before.
    pub(crate) fn sees(&mut self, group: usize, entry: &SentEntry<'_>) -> u64 {
        let mut of_others = 0;
        let SentEntry { index, term, server, us, command } = *entry;
        self.sent.add(Place { us, group, index }, term);
        for &number in &self.awaited {
            let operation = &mut self.all[number];
            if operation.began <= us && !operation.is_over(us) && holds(command, &operation.asked) {
                let place = Place { us, group, index };
                let own = operation.entries.iter().filter(|entry| entry.place.group == group);
                let mut terms = own.map(|entry| entry.term).peekable();
                of_others += u64::from(terms.peek().is_some() && terms.all(|of| of != term));
                operation.entries.push(Entry { place, term, server, replaced: false });
                match operation.asked.telling() {
                    None if operation.asked.tells_nothing() => {}
                    None => self.understands_short = true,
                    longest => self.longest_understood = self.longest_understood.max(longest),
                }
            }
        }
        of_others
    }

    /// Whether entries are known to hold what such a write writes. An empty text is no text to look for.
    pub(crate) fn understands(&self, asked: &Asked) -> bool {
        match asked.telling() {
            None if asked.tells_nothing() => false,
            None => self.understands_short,
            Some(length) => {
                let alike = |longest: usize| length <= longest.next_power_of_two();
                self.longest_understood.is_some_and(alike)
            }
        }
    }

    /// A write is acknowledged, and no entry of it was seen. One may have hidden it.
    pub(crate) fn note_unseen(&mut self, number: Number) {
        if let Some(operation) = self.all.get(number) {
            self.unseen.entry(operation.asked.object.clone()).or_default().push(number);
        }
    }

    /// The acknowledged writes to an object that no entry was seen to hold up to now.
    pub(crate) fn unseen(&self, object: &str) -> impl Iterator<Item = (Number, &Operation)> {
        let numbers = self.unseen.get(object).into_iter().flatten();
        let operations = numbers.filter_map(|number| Some((*number, self.all.get(*number)?)));
        operations.filter(|(_, operation)| operation.entries.is_empty())
    }

    /// A write was executed that no entry was seen to hold.
    pub(crate) fn note_hiding(&mut self) {
        self.hides = true;
    }

    /// Whether a write was executed that no entry was seen to hold. Then an entry that is seen to hold a write need
    /// not be its first one.
    pub(crate) fn hides(&self) -> bool {
        self.hides
    }

    /// Whether anybody has asked for anything.
    pub(crate) fn has_any(&self) -> bool {
        !self.all.is_empty()
    }

    /// Whether anybody has written any text.
    pub(crate) fn has_writes(&self) -> bool {
        let has_text = |asked: &Asked| asked.change != Change::Nothing && !asked.is_empty();
        self.all.iter().any(|operation| has_text(&operation.asked))
    }

    /// Whether entries are known to hold what anybody writes.
    pub(crate) fn understands_some(&self) -> bool {
        self.understands_short || self.longest_understood.is_some()
    }
}

impl Asked {
    /// How long its longest text is, in bytes, if an entry that holds it does so by no chance.
    fn telling(&self) -> Option<usize> {
        let longest = self.change.texts().iter().map(String::len).max();
        longest.filter(|length| *length >= TELLING)
    }

    /// Whether it writes, and only what is empty: that is in every entry.
    fn is_empty(&self) -> bool {
        self.change != Change::Nothing && self.change.texts().iter().all(String::is_empty)
    }

    /// Whether nobody can tell an entry of it from others, whatever that holds.
    fn tells_nothing(&self) -> bool {
        match &self.change {
            Change::AddAll(texts) => {
                let with_lengths: usize = distinct(texts).iter().map(|text| 1 + text.len()).sum();
                with_lengths < TELLING
            }
            _ => self.is_empty(),
        }
    }

    /// Whether its text stands in what was read by no chance.
    pub(crate) fn stands_in(&self, value: &str) -> bool {
        self.telling().is_some() && self.change.text().is_some_and(|text| value.contains(text))
    }
}

/// Texts that are written at once, without those that say nothing.
fn distinct(texts: &[String]) -> BTreeSet<&str> {
    texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect()
}

/// Whether a command can be that of a write.
fn holds(command: &[u8], asked: &Asked) -> bool {
    if let Change::AddAll(texts) = &asked.change {
        return !asked.tells_nothing() && holds_all(command, texts, asked.telling().is_some());
    }
    let Some(text) = asked.change.text() else { return false };
    match asked.telling() {
        Some(_) => has(command, text),
        None => has_both(command, text, &asked.object),
    }
}

/// All these texts. Where some tell by themselves, the short ones beside them need not stand there as texts.
fn holds_all(bytes: &[u8], texts: &[String], some_tell: bool) -> bool {
    distinct(texts).into_iter().all(|text| match text.len() {
        TELLING.. => has(bytes, text),
        _ => some_tell || has_with_length(bytes, text),
    })
}

/// A short text and the name of an object, each with its length in front of it, at two places. If both are the same
/// text, one place is not enough.
fn has_both(bytes: &[u8], text: &str, object: &str) -> bool {
    let around = |at: usize| {
        let behind = at + 1 + object.len();
        has_with_length(&bytes[..at], text) || has_with_length(&bytes[behind..], text)
    };
    has_with_length(bytes, text) && places_with_length(bytes, object).any(around)
}

fn has(bytes: &[u8], text: &str) -> bool {
    match text.as_bytes().split_first() {
        Some((&first, rest)) => has_after(bytes, first, rest),
        None => true,
    }
}

/// A short text with its length in front of it.
fn has_with_length(bytes: &[u8], text: &str) -> bool {
    places_with_length(bytes, text).next().is_some()
}

/// Where a short text stands with its length in front of it: the places of the length.
fn places_with_length(bytes: &[u8], text: &str) -> impl Iterator<Item = usize> {
    places_after(bytes, u8::try_from(text.len()).unwrap_or(u8::MAX), text.as_bytes())
}

/// A byte, and the others behind it.
fn has_after(bytes: &[u8], first: u8, rest: &[u8]) -> bool {
    places_after(bytes, first, rest).next().is_some()
}

fn places_after(bytes: &[u8], first: u8, rest: &[u8]) -> impl Iterator<Item = usize> {
    memchr_iter(first, bytes).filter(move |at| bytes[at + 1..].starts_with(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(us: u64, group: usize, index: u64) -> Entry {
        let place = Place { us, group, index };
        Entry { place, term: 1, server: 0, replaced: false }
    }

    fn reply(us: u64, group: usize, known: u64) -> Reply {
        Reply { group, server: 0, us, known: Some(known), answer: None, is_another: false }
    }

    fn write(entries: Vec<Entry>, replies: Vec<Reply>) -> Operation {
        Operation {
            asked: asked(Change::Add("x 1 2 y".into())),
            name: "client 0".into(),
            client: 1,
            lane: 3,
            began: 10,
            ended: Some(100),
            given_up: None,
            entries,
            replies,
            failed: None,
            tries: Tries::default(),
        }
    }

    #[test]
    fn a_group_answers_for_what_its_own_log_has_committed() {
        let own = write(vec![entry(20, 0, 5)], Vec::new());
        assert!(own.may_be_done(&reply(30, 0, 5)));
        assert!(!own.may_be_done(&reply(30, 0, 4)), "not committed yet");
        assert!(!own.may_be_done(&reply(15, 0, 5)), "it was no entry yet");
    }

    #[test]
    fn what_lost_its_place_was_not_executed() {
        let mut operations = Operations::default();
        operations.all.push(write(vec![entry(20, 0, 5)], Vec::new()));
        operations.look_for_replaced(0, |_| None);
        assert!(operations.all[0].may_be_done(&reply(30, 0, 5)), "nobody knows what stands there");
        operations.look_for_replaced(0, |_| Some(2));
        assert!(!operations.all[0].may_be_done(&reply(30, 0, 5)));
        assert!(!operations.all[0].may_be_done(&reply(30, 1, 5)), "no other group has it either");
        operations.look_for_replaced(0, |_| Some(1));
        assert!(operations.all[0].may_be_done(&reply(30, 0, 5)));
    }

    #[test]
    fn a_group_may_answer_for_what_another_one_has_executed() {
        let moved = write(vec![entry(20, 0, 5)], Vec::new());
        assert!(moved.may_be_done(&reply(30, 1, 2)));
        assert!(!moved.may_be_done(&reply(15, 1, 2)), "nobody had executed it");
    }

    #[test]
    fn of_each_group_the_write_that_is_known_to_be_committed_there_counts() {
        let mut operations = Operations::default();
        // Group 1 has executed it. Group 0 has an entry that nobody knows to be committed, and another
        // one which it has refused.
        let entries = vec![entry(20, 0, 900), entry(30, 0, 40), entry(50, 1, 7)];
        operations.all.push(write(entries, vec![reply(45, 0, 41), reply(60, 1, 8)]));
        operations.settle(0, None);
        let index = |operations: &Operations, group| {
            operations.latest_write("key", group).map(|(_, known)| known.entry.place.index)
        };
        assert_eq!(index(&operations, 0), Some(40));
        assert_eq!(index(&operations, 1), Some(7));
        assert_eq!(index(&operations, 2), None);
        // A later write counts where its entry is further in the log.
        let entries = vec![entry(70, 0, 30), entry(80, 1, 9), entry(90, 1, 8)];
        operations.all.push(write(entries, vec![reply(75, 0, 44), reply(95, 1, 9)]));
        operations.settle(1, None);
        assert_eq!((index(&operations, 0), index(&operations, 1)), (Some(40), Some(8)));
    }

    fn asked(change: Change) -> Asked {
        Asked { text: String::new(), object: "key".into(), change }
    }

    #[test]
    fn an_entry_is_known_by_what_it_holds() {
        let add = asked(Change::Add("x 1 2 y".into()));
        assert!(holds(b"...x 1 2 y", &add) && holds(b"x 1 2 y...", &add));
        assert!(!holds(b"...x 1 2", &add) && !holds(b"", &add));
        assert!(!holds(b"x 1 2 y", &asked(Change::Nothing)));
    }

    #[test]
    fn a_short_text_must_stand_there_as_a_text() {
        let set = asked(Change::Set("1".into()));
        assert!(holds(b"\x03key\x011", &set));
        assert!(!holds(b"key 1", &set) && !holds(b"\x011", &set));
        let overlapping = asked(Change::Set("1\x031".into()));
        assert!(holds(b"\x03key 1\x031\x031", &overlapping), "its second place counts");
        let empty = asked(Change::Set(String::new()));
        assert!(holds(b"\x03key\0", &empty) && !holds(b"\x03key", &empty));
        let alike =
            Asked { text: String::new(), object: "1".into(), change: Change::Set("1".into()) };
        assert!(holds(b"\x011\x011", &alike) && !holds(b"\x03k:1\x011", &alike));
    }

    #[test]
    fn short_texts_that_are_written_at_once_tell_together() {
        let all = |texts: &[&str]| {
            asked(Change::AddAll(texts.iter().map(|text| (*text).into()).collect()))
        };
        let two = all(&["1-0", "1-1"]);
        assert!(holds(b"..\x031-1..\x031-0", &two), "the object need not be there");
        assert!(!holds(b"\x031-0", &two) && !holds(b"1-0 1-1", &two));
        assert!(holds(b"\x05100-0", &all(&["100-0"])), "with its length it is long enough");
        // What is too short together is told from nothing.
        for texts in [&["10-0"][..], &["1", "2"], &["a", "a", "a"], &["", "", "", "", "", ""], &[]]
        {
            assert!(!holds(b"\x0410-0\x011\x012\x01a\0", &all(texts)), "{texts:?}");
            assert!(all(texts).tells_nothing(), "{texts:?}");
        }
        assert!(all(&["", ""]).is_empty() && !all(&["", "1"]).is_empty());
        // Where one tells by itself, nobody asks how the others are written.
        let mixed = all(&["server-1", "server-2", "x"]);
        assert!(holds(b"server-2 server-1", &mixed) && !holds(b"server-2 x", &mixed));
        assert_eq!((mixed.telling(), two.telling()), (Some(8), None));
    }
}
