//! What was appended once stands in what is read once, however often the client had to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use labtrace::verdict;

use crate::facts;
use crate::operations::{Number, Operation};
use crate::{Change, Checked, State};

/// Longer texts are not taken apart.
const LONGEST: usize = 64;

/// What was read of each object, and what was written to it.
#[derive(Debug, Default)]
pub(crate) struct Read {
    objects: BTreeMap<String, Object>,
}

impl Read {
    /// What an operation has read of an object, if nobody has read that since.
    pub(crate) fn last_of(&self, object: &str, by: Number) -> Option<&str> {
        let object = self.objects.get(object).filter(|object| object.by == Some(by))?;
        Some(&object.last)
    }

    /// Who has written to an object: those whose texts may still be there.
    pub(crate) fn writers(&self, object: &str) -> impl Iterator<Item = Number> {
        let written =
            self.objects.get(object).into_iter().flat_map(|object| object.written.values());
        written.flatten().copied()
    }

    /// Who has written a text to an object, if nobody else has and it may still be there.
    pub(crate) fn only_writer(&self, object: &str, text: &str) -> Option<Number> {
        match self.objects.get(object)?.written.get(text)?[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Object {
    /// By text: the operations that have put or appended it. They may never have returned.
    written: BTreeMap<String, Vec<Number>>,
    /// How long these texts are, in bytes, so that only few lengths are tried. A text may be gone whose length
    /// is still here.
    lengths: BTreeSet<usize>,
    /// What was read last, and how often each text stands in it.
    last: String,
    /// Who has read that.
    by: Option<Number>,
    counts: BTreeMap<String, usize>,
    /// Something stands there that nobody is known to have written; it is not looked at again until
    /// a shorter value is read.
    lost: bool,
    /// One text that was written begins with another one: a value can be taken apart in several ways.
    ambiguous: bool,
    /// When a write had ended after which nothing was left of what had been written before.
    cleared_us: Option<u64>,
}

impl Object {
    fn writes(&mut self, text: &str, by: Number) {
        self.ambiguous |= self.has_part_of(text);
        self.lengths.insert(text.len());
        self.written.entry(text.to_string()).or_default().push(by);
    }

    /// Whether another text that was written begins this one, or begins with it.
    fn has_part_of(&self, text: &str) -> bool {
        let shorter =
            self.lengths.range(1..text.len().max(1)).filter_map(|length| text.get(..*length));
        let after = (Bound::Excluded(text), Bound::Unbounded);
        let longer = self.written.range::<str, _>(after).next().map(|(longer, _)| longer);
        shorter.into_iter().any(|shorter| self.written.contains_key(shorter))
            || !text.is_empty() && longer.is_some_and(|longer| longer.starts_with(text))
    }

    /// All that was written before this write is gone, and so is what was read of it.
    fn clear(&mut self, by: Number, us: u64) {
        self.written.retain(|_, all| {
            all.retain(|other| *other == by);
            !all.is_empty()
        });
        (self.last, self.counts) = Default::default();
        (self.lost, self.ambiguous, self.cleared_us) = (false, false, Some(us));
    }

    /// The longest written text that the rest of a value begins with.
    fn first<'v>(&self, rest: &'v str) -> Option<&'v str> {
        let longest_first = self.lengths.range(1..=LONGEST).rev();
        let mut texts = longest_first.filter_map(|length| rest.get(..*length));
        texts.find(|text| self.written.contains_key(*text))
    }

    /// Takes what was read apart, as far as it is new. Returns a text that stands there too often.
    fn takes(&mut self, value: &str) -> Option<String> {
        let mut at = match value.strip_prefix(self.last.as_str()) {
            Some(_) => self.last.len(),
            None => {
                (self.lost, self.counts) = (false, BTreeMap::new());
                0
            }
        };
        value.clone_into(&mut self.last);
        self.lost |= self.ambiguous;
        while at < value.len() && !self.lost {
            let Some(text) = self.first(&value[at..]) else {
                self.lost = true;
                return None;
            };
            at += text.len();
            let written = self.written.get(text).map_or(0, Vec::len);
            let count = self.counts.entry(text.to_string()).or_default();
            *count += 1;
            if *count > written {
                return Some(text.to_string());
            }
        }
        None
    }
}

impl State {
    /// An operation is about to change an object.
    pub(crate) fn writes(&mut self, number: Number) {
        let Some(operation) = self.operations.get(number) else { return };
        let Some(text) = operation.asked.change.text() else { return };
        let object = self.read.objects.entry(operation.asked.object.clone()).or_default();
        object.writes(text, number);
    }

    /// A client has its answer.
    pub(crate) fn check_once(&mut self, number: Number, read: Option<&str>) -> Checked {
        let Some(operation) = self.operations.get(number) else { return Ok(()) };
        let key = &operation.asked.object;
        if let Change::Set(_) = operation.asked.change {
            // What was written before is gone for good, if nobody else was at it.
            let began = operation.began;
            let alone = |other: &Operation| other.ended.is_some_and(|ended| ended < began);
            let operations = &self.operations;
            let older = |other: &Number| operations.get(*other).is_some_and(alone);
            if let Some(object) = self.read.objects.get_mut(key)
                && object.written.values().flatten().all(|other| *other == number || older(other))
            {
                object.clear(number, operation.ended.unwrap_or(began));
            }
        }
        let Some(value) = read else { return Ok(()) };
        let Some(object) = self.read.objects.get_mut(key) else { return Ok(()) };
        if object.cleared_us.is_some_and(|cleared| operation.began <= cleared) {
            // It may have read what is gone by now.
            return Ok(());
        }
        object.by = Some(number);
        let Some(text) = object.takes(value) else { return Ok(()) };
        let by = object.written.get(&text).cloned().unwrap_or_default();
        let times = by.len();
        let words = format!(
            "{text:?} was written to {key:?} {} and stands in what was read {} times",
            if times == 1 { "once".to_string() } else { format!("{times} times") },
            times + 1
        );
        let mut broken = verdict("applied once", words);
        let mut groups = BTreeSet::new();
        for write in by.iter().filter_map(|number| self.operations.get(*number)) {
            groups.extend(write.entries.iter().map(|entry| entry.place.group));
            broken = facts::of_operation(broken, write, "");
            for entry in &write.entries {
                broken = self.entry(broken, entry);
            }
        }
        let got = format!(", and got {}", facts::end_of(value, facts::SHOWN));
        broken = facts::of_operation(broken, operation, &got);
        let hint = if groups.len() > 1 { TWICE_ELSEWHERE } else { TWICE };
        Err(Box::new(broken.hint(hint).at("what was read".to_string()).build()))
    }
}

const TWICE: &str = "duplicates must be found where entries are applied, since the same request can \
     stand in the log twice; by a number that stays the same when the request is sent again; and the \
     table of what was applied must be part of the snapshot";

const TWICE_ELSEWHERE: &str = "the request stands in the logs of several groups, as it may: the table of \
     what was applied must move together with the shard, so that the next group knows what the last one \
     has applied, and with the number that the client gave the request first";

#[cfg(test)]
mod tests {
    use super::*;

    fn object(texts: &[&str]) -> Object {
        let mut object = Object::default();
        for text in texts {
            object.writes(text, 0);
        }
        object
    }

    #[test]
    fn a_text_that_stands_there_too_often_is_found() {
        let mut of = object(&["x 1 1 y", "x 1 12 y"]);
        assert_eq!(of.takes("x 1 1 y"), None);
        assert_eq!(of.takes("x 1 1 yx 1 12 y"), None);
        assert_eq!(of.takes("x 1 1 yx 1 12 y"), None, "to read it again is nothing new");
        assert_eq!(of.takes("x 1 1 yx 1 12 yx 1 1 y"), Some("x 1 1 y".to_string()));
    }

    #[test]
    fn who_wrote_it_twice_finds_it_twice() {
        let mut of = object(&["a", "a", "b"]);
        assert_eq!(of.takes("aba"), None);
        assert_eq!(of.takes("abaa"), Some("a".to_string()));
    }

    #[test]
    fn what_can_be_taken_apart_in_several_ways_is_left_alone() {
        for texts in [["a", "a", "aa"], ["aa", "a", "a"], ["b", "ab", "a"]] {
            let mut of = object(&texts);
            assert_eq!(of.takes("aaaaaaaa"), None, "{texts:?}");
            // Until nothing is left but what is plain.
            of.writes("c", 7);
            of.clear(7, 0);
            assert_eq!(of.takes("cc"), Some("c".to_string()));
        }
        // A text without letters stands anywhere.
        let mut plain = object(&["", "ab", "b", "ca", ""]);
        assert_eq!(plain.takes("abb"), None);
        assert_eq!(plain.takes("abbb"), Some("b".to_string()));
    }

    #[test]
    fn another_value_is_counted_anew_and_an_unknown_one_is_left_alone() {
        let mut of = object(&["a", "b"]);
        assert_eq!(of.takes("ab"), None);
        assert_eq!(of.takes("ba"), None);
        assert_eq!(of.takes("b?bb"), None);
        assert_eq!(of.takes("bb"), Some("b".to_string()));
    }
}
