//! Values that are not what they should be, in words, and what is usually the cause.

use std::collections::BTreeMap;

use crate::appends;

/// What usually leads to a value that no order of the calls explains.
pub(crate) const WRONG_VALUE: &str = "a write that was acknowledged and then lost, one that was \
     applied twice, one that was taken for an earlier one of another client (two clients have the same id), a read \
     that did not go through the log, or a clerk that takes a failed call or a refusal for an answer";

/// What usually leads to a value in which something is missing.
pub(crate) const TOO_LITTLE: &str = "a read that did not go through the log, or was answered before all that stands \
     before it was executed; a write that was acknowledged and not executed (in lab 4 also one that was refused and yet \
     stands in the table of duplicates), or that was taken for an earlier one of another client: two clients have the \
     same id, or a new clerk begins with old numbers; a server that began without what its snapshot holds; or a clerk \
     that takes a failed call, or a refusal, for the answer that the key has no value";

/// What usually leads to a value in which something stands twice.
pub(crate) const TOO_MUCH: &str = "an Append that is executed twice: the table of duplicates was not looked at where \
     requests are executed, or did not survive";

/// What usually leads to a value that is too long though nothing stands in it twice: that which was to take its place
/// has not done so.
pub(crate) const NOT_REPLACED: &str = "a write that was taken for an earlier one of another client, and not executed: two \
     clients have the same id, or a new clerk begins with old numbers; or a read that did not go through the log";

/// The cause to look for first if a client that is alone with its key wants one value and gets another one.
pub(crate) fn cause(wanted: &str, got: &str) -> &'static str {
    match got.len().cmp(&wanted.len()) {
        std::cmp::Ordering::Less => TOO_LITTLE,
        std::cmp::Ordering::Equal => WRONG_VALUE,
        std::cmp::Ordering::Greater if has_more_than_once(wanted, got) => TOO_MUCH,
        std::cmp::Ordering::Greater => NOT_REPLACED,
    }
}

/// Whether a piece stands more often in a value than it should, and more than once.
fn has_more_than_once(wanted: &str, got: &str) -> bool {
    let should = count(wanted);
    let too_often = |(piece, times): (&str, usize)| {
        times > 1 && times > should.get(piece).copied().unwrap_or_default()
    };
    match count(got) {
        counts if counts.is_empty() => has_the_new_before(wanted, got),
        counts => counts.into_iter().any(too_often),
    }
}

/// How often each element stands in a value.
fn count(value: &str) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    appends::elements(value).for_each(|piece| *counts.entry(piece).or_default() += 1);
    counts
}

/// Whether what a value has beyond what it should have stands in it once more. So nobody needs to know of what pieces
/// it consists.
fn has_the_new_before(wanted: &str, got: &str) -> bool {
    let same =
        |pairs: &mut dyn Iterator<Item = (u8, u8)>| pairs.take_while(|(a, b)| a == b).count();
    let before = same(&mut wanted.bytes().zip(got.bytes()));
    let left = wanted.len() - before;
    let behind = same(&mut wanted.bytes().rev().zip(got.bytes().rev()).take(left));
    let (wanted, got) = (wanted.as_bytes(), got.as_bytes());
    let new = &got[before..got.len() - behind];
    // What stands around it may begin or end as it does itself: then it is met a little later, beside its first.
    let beside = got[..before].ends_with(new);
    behind == left && (beside || wanted.windows(new.len()).any(|part| part == new))
}

/// Two values around the first place where they differ, each short enough to be read.
pub(crate) fn unlike(one: &str, other: &str) -> [String; 2] {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    [one, other].map(|value| around(value, same))
}

/// A value around one of its characters, with its size if not all of it is shown.
fn around(value: &str, place: usize) -> String {
    const BEFORE: usize = 20;
    const SHOWN: usize = 60;
    let count = value.chars().count();
    let begin = if count > SHOWN { place.min(count).saturating_sub(BEFORE) } else { 0 };
    let shown: String = value.chars().skip(begin).take(SHOWN).collect();
    let dots = |left_out| if left_out { "..." } else { "" };
    let (before, after) = (dots(begin > 0), dots(begin + SHOWN < count));
    match count > SHOWN {
        true => format!("{before}{shown:?}{after} ({} bytes)", value.len()),
        false => format!("{shown:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(elements: std::ops::Range<u32>) -> String {
        elements.map(|number| format!("x 0 {number} y")).collect()
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let (all, less) = (value(0..300), value(0..100) + &value(101..300));
        let [wanted, got] = unlike(&all, &less);
        assert!(
            wanted.starts_with("...\"0 98 y") && wanted.contains("x 0 99 yx 0 100 y"),
            "{wanted}"
        );
        assert!(got.contains("x 0 99 yx 0 101 y") && got.ends_with("... (2581 bytes)"), "{got}");
        let [wanted, got] = unlike(&all, "");
        assert!(wanted.starts_with("\"x 0 0 yx 0 1 y") && wanted.len() < 90, "{wanted}");
        assert_eq!(got, "\"\"");
        assert_eq!(unlike("a", "ä"), ["\"a\"", "\"ä\""]);
        let [end, more] = unlike(&value(0..20), &value(0..21));
        assert!(end.ends_with("x 0 19 y\" (150 bytes)"), "{end}");
        assert!(more.ends_with("x 0 19 yx 0 20 y\" (158 bytes)"), "{more}");
    }

    #[test]
    fn the_cause_is_that_of_too_little_or_too_much() {
        assert_eq!(cause(&value(0..3), &value(0..2)), TOO_LITTLE);
        assert_eq!(cause(&value(0..3), &value(1..3)), TOO_LITTLE);
        assert_eq!(cause(&value(0..3), &(value(0..3) + &value(2..3))), TOO_MUCH);
        assert_eq!(cause("ab", "ba"), WRONG_VALUE);
    }

    #[test]
    fn twice_is_said_only_of_what_stands_there_twice() {
        // A Put of the empty string that was not executed.
        assert_eq!(cause("", &value(0..3)), NOT_REPLACED);
        assert_eq!(cause(&value(7..8), &value(0..8)), NOT_REPLACED);
        assert_eq!(cause("14", "13 and more"), NOT_REPLACED);
        // Beside the first, further behind, and while others are missing.
        for got in
            [value(0..2) + &value(1..3), value(0..3) + &value(0..1), value(1..3) + &value(1..4)]
        {
            assert_eq!(cause(&value(0..3), &got), TOO_MUCH, "{got}");
        }
        // What is wanted twice may be there twice.
        let twice = value(0..1) + &value(0..1);
        assert_eq!(cause(&twice, &(twice.clone() + &value(1..2))), NOT_REPLACED);
        // Of texts of another kind.
        for (wanted, got) in [("abcd", "abcdcd"), ("abcabd", "abcabcabd"), ("abcdab", "abcdabcd")] {
            assert_eq!(cause(wanted, got), TOO_MUCH, "{got}");
        }
        assert_eq!(cause("abcd", "abcdef"), NOT_REPLACED);
        assert_eq!(cause("", "ä"), NOT_REPLACED);
    }
}
