//! Whether a value holds what was appended, each element once and in order.

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
    let mut last = 0;
    for number in 0..count {
        let wanted = element(client, number);
        let Some(place) = value.find(&wanted) else {
            return Err(format!(
                "{wanted:?} is missing in the result of its Append: {}",
                cut(value)
            ));
        };
        if value.rfind(&wanted) != Some(place) {
            return Err(format!("{wanted:?} is in the result twice: {}", cut(value)));
        }
        if place < last {
            return Err(format!("{wanted:?} is in the wrong place in the result: {}", cut(value)));
        }
        last = place;
    }
    Ok(())
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
    }
}
