//! Whether a value holds what was appended, each element once and in order.

use std::collections::BTreeMap;

use labtrace::verdict;

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
    if let Err(words) = find(client, value, count) {
        verdict("appends", words)
            .hint(
                "an Append that is executed twice (the table of duplicates was not looked at where \
                 requests are executed, or did not survive), or one that was acknowledged before it \
                 was committed",
            )
            .fail();
    }
}

fn find(client: usize, value: &str, count: u64) -> Result<(), String> {
    let places = places(client, value);
    let mut last = 0;
    for number in 0..count {
        let wrong = |what: &str| {
            let wanted = element(client, number);
            Err(format!("{wanted:?} {what}: {}", cut(value)))
        };
        let place = match places.get(&number) {
            None => return wrong("is missing in the result of its Append"),
            Some((_, 2..)) => return wrong("is in the result twice"),
            Some((place, _)) => *place,
        };
        if place < last {
            return wrong("is in the wrong place in the result");
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
        let words = |client, count| find(client, value, count).expect_err("it is wrong");
        assert!(words(1, 3).contains("\"x 1 2 y\" is missing"));
        let twice = "x 1 0 yx 1 0 y";
        assert!(find(1, twice, 1).expect_err("twice").contains("twice"));
        let wrong = "x 1 1 yx 1 0 y";
        assert!(find(1, wrong, 2).expect_err("wrong order").contains("in the wrong place"));
        assert!(words(1, 4).contains("missing"));
        let odd = "x 1 x 1 00 yx 1 0 yx 1 1";
        assert_eq!(find(1, odd, 1), Ok(()), "what only looks like an element is none");
    }
}
