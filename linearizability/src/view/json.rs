//! Just enough JSON for the data of a page.

use std::fmt::Write;

/// A text as JSON that also an HTML page may hold: nothing in it ends an element.
pub(super) fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '<' | '>' | '&' | '\'' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number, or `null`. Greater ones than JavaScript can tell apart become texts.
pub(super) fn number(out: &mut String, number: Option<u64>) {
    const MOST_EXACT: u64 = (1 << 53) - 1;
    let _ = match number {
        None => write!(out, "null"),
        Some(number) if number > MOST_EXACT => write!(out, "\"{number}\""),
        Some(number) => write!(out, "{number}"),
    };
}

/// The items with commas between them, in brackets.
pub(super) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}
