//! What stands in a trace for what was left out of it.

use serde_json::{Value, json};

use super::Verdict;

const COUNT: &str = "left_out";
const BYTES: &str = "bytes";

/// Stands in a list for so many items that would take so many bytes.
pub fn left_out(items: usize, bytes: usize) -> Value {
    json!({ COUNT: items, BYTES: bytes })
}

/// How many items this one stands for, if it is a [`left_out`].
pub fn items_left_out(item: &Value) -> Option<u64> {
    let fields = item.as_object().filter(|fields| fields.len() == 2)?;
    fields.get(BYTES)?.as_u64()?;
    fields.get(COUNT)?.as_u64()
}

/// Cuts a text off behind so many bytes and says how long it was: `abc... (1000 bytes)`.
pub fn cut(text: &mut String, longest: usize) {
    if text.len() > longest {
        // A new text, since the old one would keep its room.
        *text = format!("{}... ({} bytes)", &text[..text.floor_char_boundary(longest)], text.len());
    }
}

impl Verdict {
    /// Cuts off each of its texts that has more bytes, as [`cut`] does, and all lines behind the
    /// thousandth.
    pub fn shorten(&mut self, longest: usize) {
        const MOST_LINES: usize = 1000;
        self.facts.truncate(MOST_LINES);
        self.details.truncate(MOST_LINES);
        self.each_text(|text| cut(text, longest));
    }

    /// Changes each of its texts.
    pub fn each_text(&mut self, change: impl FnMut(&mut String)) {
        let Verdict { check, words, facts, hint, task, location, details, .. } = self;
        let single = [check, words].into_iter().chain(hint).chain(task).chain(location);
        let facts = facts.iter_mut().map(|fact| &mut fact.text);
        single.chain(facts).chain(details).for_each(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told_from_what_messages_hold() {
        assert_eq!(items_left_out(&left_out(57, 9000)), Some(57));
        for other in [json!({ "left_out": 1 }), json!(3), json!({ "term": 1, "bytes": 2 })] {
            assert_eq!(items_left_out(&other), None, "{other}");
        }
        assert_eq!(items_left_out(&json!({ "left_out": 1, "bytes": 2, "term": 3 })), None);
    }

    #[test]
    fn a_text_is_cut_off_between_characters() {
        let cut_off = |text: &str, longest| {
            let mut text = text.to_string();
            cut(&mut text, longest);
            text
        };
        assert_eq!(cut_off("abc", 3), "abc");
        assert_eq!(cut_off("abcd", 3), "abc... (4 bytes)");
        assert_eq!(cut_off("aéé", 2), "a... (5 bytes)");
    }
}
