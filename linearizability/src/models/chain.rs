//! What is plainly wrong: a text was read that nobody can have put together by then.
//!
//! What is read is a chain: a text that was put, or none, and texts that were appended, each by a call of its own that
//! began before the read returned. Whoever finds no such chain knows that there is no order. Where a text can be taken
//! apart in several ways, calls are not counted: this says too little then, and never too much.

use rustc_hash::FxHashMap;

use super::kv::{KvInput, KvOutput};
use crate::model::{Known, Seen};

/// Who wrote a text: the places of the calls, in order of time.
#[derive(Default)]
struct Calls {
    puts: Vec<u32>,
    appends: Vec<u32>,
}

/// All texts that were written but the empty one, which nobody sees in a chain.
struct Written<'a> {
    calls: FxHashMap<&'a [u8], Calls>,
    /// Their lengths, each once, the shortest first.
    lengths: Vec<usize>,
}

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
    let written = Written::new(operations);
    // The first return with each text: whatever is a chain then is one later.
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
    match reads.iter().all(|(read, by)| written.may_be_a_chain(*read, *by)) {
        true => Known::Nothing,
        false => Known::Impossible,
    }
}

impl<'a> Written<'a> {
    fn new(operations: &[Seen<'a, KvInput, KvOutput>]) -> Written<'a> {
        let mut calls: FxHashMap<&[u8], Calls> = FxHashMap::default();
        // They come in order of their calls.
        for seen in operations {
            match seen.input {
                KvInput::Put { value, .. } if !value.is_empty() => {
                    calls.entry(value.as_bytes()).or_default().puts.push(seen.called);
                }
                KvInput::Append { value, .. } if !value.is_empty() => {
                    calls.entry(value.as_bytes()).or_default().appends.push(seen.called);
                }
                _ => {}
            }
        }
        let mut lengths: Vec<usize> = calls.keys().map(|text| text.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Written { calls, lengths }
    }

    /// How many puts and how many appends of this text were called by then. The reader's own append is none of them.
    fn calls(&self, text: &[u8], by: u32, own: Option<&[u8]>) -> (usize, usize) {
        let Some(Calls { puts, appends }) = self.calls.get(text) else { return (0, 0) };
        let called = |calls: &[u32]| calls.partition_point(|&call| call < by);
        (called(puts), called(appends) - usize::from(own == Some(text)))
    }

    fn may_be_a_chain(&self, Read { text, own }: Read, by: u32) -> bool {
        let mut ways = vec![Ways::None; text.len() + 1];
        // What is there at first, or was put, may be empty.
        ways[0] = Ways::One(0);
        for at in 0..text.len() {
            let before = ways[at];
            if before == Ways::None {
                continue;
            }
            for &length in &self.lengths {
                let Some(piece) = text.get(at..at + length) else { break };
                let (puts, appends) = self.calls(piece, by, own);
                if appends > 0 || (at == 0 && puts > 0) {
                    let to = &mut ways[at + length];
                    *to = match (before, *to) {
                        (Ways::One(_), Ways::None) => Ways::One(length),
                        _ => Ways::Several,
                    };
                }
            }
        }
        match ways[text.len()] {
            Ways::None => false,
            Ways::One(_) => self.are_enough(&pieces(text, &ways), by, own),
            Ways::Several => true,
        }
    }

    /// Whether each of these pieces of a text can be from a call of its own.
    fn are_enough(&self, pieces: &[&[u8]], by: u32, own: Option<&[u8]>) -> bool {
        let mut used: FxHashMap<&[u8], usize> = FxHashMap::default();
        pieces.iter().for_each(|piece| *used.entry(piece).or_default() += 1);
        used.iter().all(|(&piece, &used)| {
            let (puts, appends) = self.calls(piece, by, own);
            // Only the first can be from a put.
            used <= appends + usize::from(puts > 0 && pieces[0] == piece)
        })
    }
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
}
