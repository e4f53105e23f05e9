//! Whether a value holds what was appended, each element once and in order.

use std::collections::BTreeMap;

use labtrace::{Fact, VerdictBuilder, verdict};

use crate::values::{TOO_LITTLE, TOO_MUCH};

/// What client `client` appends as its `number`th element.
pub fn element(client: usize, number: u64) -> String {
    format!("x {client} {number} y")
}

/// Checks that a value has the first `count` elements of a client, each once, in order. There may be
/// others in between.
///
/// # Panics
/// If it has not.
#[track_caller]
pub fn check(client: usize, value: &str, count: u64) {
    check_with(client, value, count, Vec::new());
}

/// As [`check`], with facts for the verdict.
///
/// # Panics
/// If it has not.
#[track_caller]
pub fn check_with(client: usize, value: &str, count: u64, facts: Vec<Fact>) {
    if let Err((words, cause)) = find(client, value, count) {
        let broken = facts.into_iter().fold(verdict("appends", words), VerdictBuilder::with_fact);
        broken.hint(cause).fail();
    }
}

/// What is wrong, and what is usually the cause.
type Wrong = (String, &'static str);

/// What usually leads to a wrong order.
const OUT_OF_ORDER: &str = "an Append that was executed once more after a later one (its number was new when it was \
     sent again), or a clerk that makes its next call before the answer to this one";

fn find(client: usize, value: &str, count: u64) -> Result<(), Wrong> {
    let places = places(client, value);
    let mut last = 0;
    for number in 0..count {
        let wrong = |what: &str, cause| {
            let wanted = element(client, number);
            Err((format!("{wanted:?} {what}: {}", cut(value)), cause))
        };
        let place = match places.get(&number) {
            None => return wrong("is missing in the result of its Append", TOO_LITTLE),
            Some((_, 2..)) => return wrong("is in the result twice", TOO_MUCH),
            Some((place, _)) => *place,
        };
        if place < last {
            return wrong("is in the wrong place in the result", OUT_OF_ORDER);
        }
        last = place;
    }
    Ok(())
}

/// Where the elements of a client begin in a value, by their numbers: the first place of each, and how often
/// it is there.
fn places(client: usize, value: &str) -> BTreeMap<u64, (usize, usize)> {
    let mut places = BTreeMap::new();
    for (place, begin) in value.match_indices(&format!("x {client} ")) {
        let rest = &value[place + begin.len()..];
        let digits = rest.split_once(" y").and_then(|(digits, _)| digits.parse().ok());
        if let Some(number) =
            digits.filter(|&number| value[place..].starts_with(&element(client, number)))
        {
            places.entry(number).or_insert((place, 0)).1 += 1;
        }
    }
    places
}

/// What looks like elements in a value, of any client.
pub(crate) fn elements(value: &str) -> impl Iterator<Item = &str> {
    value.split_inclusive('y').filter_map(|piece| {
        let from = piece.find("x ")?;
        let element = &piece[from..];
        let inner = element.strip_prefix("x ")?.strip_suffix(" y")?;
        let (client, number) = inner.split_once(' ')?;
        let are_numbers = [client, number].iter().all(|digits| digits.parse::<u64>().is_ok());
        are_numbers.then_some(element)
    })
}

/// The beginning of a long value.
fn cut(value: &str) -> String {
    let most = 300;
    match value.char_indices().nth(most) {
        None => format!("{value:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &value[..end], value.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_is_there_once_and_in_order() {
        let value = "x 1 0 yx 11 0 yx 1 1 yx 2 0 y";
        assert_eq!(find(1, value, 2), Ok(()));
        assert_eq!(find(11, value, 1), Ok(()));
        let (words, cause) = find(1, value, 3).expect_err("one is missing");
        assert!(words.contains("\"x 1 2 y\" is missing") && cause == TOO_LITTLE, "{words}");
        let twice = "x 1 0 yx 1 0 y";
        let (words, cause) = find(1, twice, 1).expect_err("twice");
        assert!(words.contains("twice") && cause == TOO_MUCH, "{words}");
        let wrong = "x 1 1 yx 1 0 y";
        let (words, cause) = find(1, wrong, 2).expect_err("wrong order");
        assert!(words.contains("in the wrong place") && cause == OUT_OF_ORDER, "{words}");
        let odd = "x 1 x 1 00 yx 1 0 yx 1 1";
        assert_eq!(find(1, odd, 1), Ok(()), "what only looks like an element is none");
    }

    #[test]
    fn the_elements_of_all_clients_are_found() {
        let value = "more x 1 0 yx 11 0 yy x 1 y x 2 b yx 2 7 y x 1 1";
        assert_eq!(elements(value).collect::<Vec<_>>(), ["x 1 0 y", "x 11 0 y", "x 2 7 y"]);
    }
}
