//! What is plainly wrong: a text was read that nobody can have put together by then.
//!
//! What is read is a chain: a text that was put, or none, and texts that were appended, each by a call of its own that
//! began before the read returned. Whoever finds no such chain knows that there is no order. Where a text can be taken
//! apart in several ways, calls are not counted: this says too little then, and never too much.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::kv::{KvInput, KvOutput};
use crate::model::{Known, Seen};

/// How much looking for chains may take: places in the texts that were read, and pieces that may begin there.
const MOST_LOOKED_AT: usize = 5_000_000;

/// How many bytes of two texts are compared in the time of a step.
const COMPARED: usize = 16;

/// A text that was written.
struct Text<'a> {
    text: &'a [u8],
    /// The places of the calls that put it, in order of time.
    puts: Vec<u32>,
    /// And of those that appended it.
    appends: Vec<u32>,
    /// The longest other one that this one begins with.
    within: Option<usize>,
    /// How many there are that this one begins with, with itself.
    depth: usize,
}

/// All texts that were written but the empty one, which nobody sees in a chain. They are in order.
struct Written<'a> {
    texts: Vec<Text<'a>>,
    /// How long the longest is.
    longest: usize,
}

/// There is too much to look at.
struct TooMuch;

/// A text that was read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Read<'a> {
    text: &'a [u8],
    /// What the reader itself appended, behind what it read.
    own: Option<&'a [u8]>,
}

/// In how many ways a text can be taken apart up to a place.
#[derive(Clone, Copy, Default, PartialEq)]
enum Ways {
    #[default]
    None,
    /// In this one, whose last piece is so long.
    One(usize),
    Several,
}

/// Impossible if somebody read what is no chain.
pub(super) fn look(operations: &[Seen<'_, KvInput, KvOutput>]) -> Known {
    look_at_most(operations, MOST_LOOKED_AT).unwrap_or(Known::Nothing)
}

/// The same, if it takes no more than so many steps.
fn look_at_most(
    operations: &[Seen<'_, KvInput, KvOutput>],
    mut steps: usize,
) -> Result<Known, TooMuch> {
    let written = Written::new(operations);
    for (read, by) in reads(operations) {
        if !written.may_be_a_chain(read, by, &mut steps)? {
            return Ok(Known::Impossible);
        }
    }
    Ok(Known::Nothing)
}

/// What was read, each with its first return: whatever is a chain then is one later. The shortest come first, so that
/// many are looked at.
fn reads<'a>(operations: &[Seen<'a, KvInput, KvOutput>]) -> Vec<(Read<'a>, u32)> {
    let mut reads: FxHashMap<Read, u32> = FxHashMap::default();
    for seen in operations {
        if let (Some(KvOutput::Value(text)), Some(returned)) = (seen.output, seen.returned) {
            let own = match seen.input {
                KvInput::Append { value, .. } => Some(value.as_bytes()),
                KvInput::Get { .. } | KvInput::Put { .. } => None,
            };
            let first = reads.entry(Read { text: text.as_bytes(), own }).or_insert(returned);
            *first = returned.min(*first);
        }
    }
    let mut reads: Vec<_> = reads.into_iter().collect();
    reads.sort_unstable_by_key(|(read, by)| (read.text.len(), *by));
    reads
}

impl<'a> Written<'a> {
    fn new(operations: &[Seen<'a, KvInput, KvOutput>]) -> Written<'a> {
        let mut calls: BTreeMap<&[u8], [Vec<u32>; 2]> = BTreeMap::new();
        // They come in order of their calls.
        for seen in operations {
            let (text, kind) = match seen.input {
                KvInput::Put { value, .. } => (value, 0),
                KvInput::Append { value, .. } => (value, 1),
                KvInput::Get { .. } => continue,
            };
            if !text.is_empty() {
                calls.entry(text.as_bytes()).or_default()[kind].push(seen.called);
            }
        }
        let mut texts: Vec<Text> = Vec::with_capacity(calls.len());
        for (text, [puts, appends]) in calls {
            // Whatever a text begins with is among what the one before it begins with, or is that one.
            let before = texts.len().checked_sub(1);
            let within = beginnings(&texts, before).find(|&of| text.starts_with(texts[of].text));
            let depth = 1 + within.map_or(0, |of| texts[of].depth);
            texts.push(Text { text, puts, appends, within, depth });
        }
        let longest = texts.iter().map(|of| of.text.len()).max().unwrap_or(0);
        Written { texts, longest }
    }

    /// The written texts that a text begins with, the longest first.
    fn beginnings(
        &self,
        text: &[u8],
        steps: &mut usize,
    ) -> Result<impl Iterator<Item = &Text<'a>>, TooMuch> {
        let last = self.texts.partition_point(|of| of.text <= text).checked_sub(1);
        // Each may be compared.
        let depth = last.map_or(0, |of| self.texts[of].depth);
        let each = 1 + self.longest.min(text.len()) / COMPARED;
        *steps = steps.checked_sub((1 + depth) * each).ok_or(TooMuch)?;
        let of = beginnings(&self.texts, last).map(|of| &self.texts[of]);
        Ok(of.skip_while(move |of| !text.starts_with(of.text)))
    }

    fn may_be_a_chain(
        &self,
        Read { text, own }: Read,
        by: u32,
        steps: &mut usize,
    ) -> Result<bool, TooMuch> {
        let mut ways = vec![Ways::None; text.len() + 1];
        // What is there at first, or was put, may be empty.
        ways[0] = Ways::One(0);
        for at in 0..text.len() {
            let before = ways[at];
            if before == Ways::None {
                continue;
            }
            for piece in self.beginnings(&text[at..], steps)? {
                let (puts, appends) = piece.calls(by, own);
                if appends > 0 || (at == 0 && puts > 0) {
                    let length = piece.text.len();
                    let to = &mut ways[at + length];
                    *to = match (before, *to) {
                        (Ways::One(_), Ways::None) => Ways::One(length),
                        _ => Ways::Several,
                    };
                }
            }
        }
        Ok(match ways[text.len()] {
            Ways::None => false,
            Ways::One(_) => self.are_enough(&pieces(text, &ways), by, own),
            Ways::Several => true,
        })
    }

    /// Whether each of these pieces of a text can be from a call of its own.
    fn are_enough(&self, pieces: &[&[u8]], by: u32, own: Option<&[u8]>) -> bool {
        let mut used: FxHashMap<&[u8], usize> = FxHashMap::default();
        pieces.iter().for_each(|piece| *used.entry(piece).or_default() += 1);
        used.iter().all(|(&piece, &used)| {
            let (puts, appends) = match self.texts.binary_search_by_key(&piece, |of| of.text) {
                Ok(place) => self.texts[place].calls(by, own),
                Err(_) => (0, 0),
            };
            // Only the first can be from a put.
            used <= appends + usize::from(puts > 0 && pieces[0] == piece)
        })
    }
}

impl Text<'_> {
    /// How many puts and how many appends of it were called by then. The reader's own append is none of them.
    fn calls(&self, by: u32, own: Option<&[u8]>) -> (usize, usize) {
        let called = |calls: &[u32]| calls.partition_point(|&call| call < by);
        (called(&self.puts), called(&self.appends) - usize::from(own == Some(self.text)))
    }
}

/// This text, and all that it begins with.
fn beginnings(texts: &[Text], first: Option<usize>) -> impl Iterator<Item = usize> {
    std::iter::successors(first, |&of| texts[of].within)
}

/// The pieces of a text that can be taken apart in one way.
fn pieces<'t>(text: &'t [u8], ways: &[Ways]) -> Vec<&'t [u8]> {
    let mut pieces = Vec::new();
    let mut end = text.len();
    while let Ways::One(length @ 1..) = ways[end] {
        pieces.push(&text[end - length..end]);
        end -= length;
    }
    pieces.reverse();
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use KvInput::{Append, Get, Put};

    const KEY: String = String::new();

    fn put(text: &str) -> KvInput {
        Put { key: KEY, value: text.into() }
    }

    fn append(text: &str) -> KvInput {
        Append { key: KEY, value: text.into() }
    }

    /// Whether it is plain that nobody reads this after these calls, none of which has returned.
    fn is_wrong(calls: &[KvInput], reader: &KvInput, text: &str) -> bool {
        let calls = calls.iter().zip(0..);
        let mut all: Vec<_> = calls
            .map(|(input, called)| Seen { input, output: None, called, returned: None })
            .collect();
        let value = KvOutput::Value(text.into());
        let called = all.len() as u32;
        let returned = Some(called + 1);
        all.push(Seen { input: reader, output: Some(&value), called, returned });
        // What is called after the return counts for nothing.
        let late = [put(text), append(text), append("a")];
        let late = late.iter().zip(called + 2..);
        all.extend(late.map(|(input, called)| Seen {
            input,
            output: None,
            called,
            returned: None,
        }));
        look(&all) == Known::Impossible
    }

    #[test]
    fn what_nobody_wrote_by_then_is_no_chain() {
        let get = Get { key: KEY };
        let check = |calls: &[KvInput], right: &[&str], wrong: &[&str]| {
            for text in right {
                assert!(!is_wrong(calls, &get, text), "{text:?} after {calls:?}");
            }
            for text in wrong {
                assert!(is_wrong(calls, &get, text), "{text:?} after {calls:?}");
            }
        };
        check(&[], &[""], &["a", "zzz"]);
        check(&[append("a")], &["", "a"], &["aa", "b"]);
        check(&[put("a")], &["", "a"], &["aa"]);
        check(&[append("a"), append("a")], &["a", "aa"], &["aaa"]);
        // A put is the first or nothing; and one of two that are alike may be an append.
        check(&[put("a"), append("b")], &["a", "b", "ab"], &["ba", "bb", "aab"]);
        check(&[put("a"), append("a"), append("b")], &["aa", "aab", "aba", "ba"], &["baa", "aaa"]);
        check(&[put("a"), put("a"), append("b")], &["ab"], &["aa", "aab"]);
        // Empty texts change nothing, or empty what was there.
        check(&[append(""), put(""), append("a")], &["", "a"], &["aa"]);
        // In several ways: no calls are counted, so what is right is never refused.
        check(&[append("a"), append("aa")], &["a", "aa", "aaa"], &["b", "aab"]);
        check(&[append("ab"), append("a"), append("b")], &["ab", "abab", "aabb"], &["aba c"]);
        // Pieces that are no texts of their own.
        check(
            &[append("\u{e4}"), append("\u{f6}")],
            &["\u{f6}\u{e4}"],
            &["\u{e4}\u{e4}", "\u{fc}"],
        );
    }

    #[test]
    fn an_append_has_not_read_itself() {
        assert!(!is_wrong(&[], &append("a"), ""));
        assert!(is_wrong(&[], &append("a"), "a"));
        assert!(!is_wrong(&[append("a")], &append("a"), "a"));
        assert!(is_wrong(&[append("a")], &append("a"), "aa"));
        assert!(!is_wrong(&[put("a")], &append("a"), "a"));
        assert!(is_wrong(&[put("a")], &append("a"), "aa"));
        assert!(!is_wrong(&[append("b")], &append("a"), "b"));
    }

    /// What is found of appends of these texts and of a read behind them, if that takes no more than so many steps.
    fn look_for(texts: &[String], read: &str, steps: usize) -> Option<Known> {
        let inputs: Vec<KvInput> = texts.iter().map(|text| append(text)).collect();
        let of = |(input, at)| Seen { input, output: None, called: at, returned: None };
        let mut all: Vec<_> = inputs.iter().zip(0..).map(of).collect();
        let (get, value) = (Get { key: KEY }, KvOutput::Value(read.into()));
        let at = all.len() as u32;
        all.push(Seen { input: &get, output: Some(&value), called: at, returned: Some(at + 1) });
        look_at_most(&all, steps).ok()
    }

    #[test]
    fn only_what_a_text_goes_on_with_is_looked_at() {
        let numbers: Vec<String> = (1..=1_000).map(|n| n.to_string()).collect();
        let read = numbers.concat();
        // At each place there are the place itself and four numbers at most.
        assert_eq!(look_for(&numbers, &read, 5 * read.len()), Some(Known::Nothing));
        let wrong = read + "x";
        assert_eq!(look_for(&numbers, &wrong, 5 * wrong.len()), Some(Known::Impossible));
    }

    #[test]
    fn looking_for_chains_is_bounded() {
        // Each place of the read begins with each of these.
        let texts: Vec<String> = (1..=200).map(|n| "a".repeat(n)).collect();
        let wrong = "a".repeat(2_000) + "b";
        let of_a_place = (1 + 200) * (1 + 200 / COMPARED);
        assert_eq!(look_for(&texts, &wrong, 2_001 * of_a_place), Some(Known::Impossible));
        assert_eq!(look_for(&texts, &wrong, 1_800 * of_a_place), None);
    }
}
