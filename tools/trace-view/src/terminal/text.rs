//! Texts for a terminal: made harmless, measured, cut, and in ASCII.

use unicode_width::UnicodeWidthChar as _;

pub(super) use crate::clean::clean;

/// How many columns a clean text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// At most so many columns of a clean text; one that is longer ends in `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_string();
    }
    let mut out = String::new();
    let mut left = most.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(char_width(c)) else { break };
        left = rest;
        out.push(c);
    }
    if most > 0 {
        out.push('…');
    }
    out
}

/// Lines of at most so many columns, broken between words; a word that is longer stays whole, so that
/// it can be copied.
pub(super) fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= most {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines
}

/// A text in ASCII that takes as many columns.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_ascii() => out.push(c),
            '→' | '▶' => out.push('>'),
            '←' | '◀' => out.push('<'),
            '✗' => out.push('x'),
            '✓' => out.push('v'),
            '●' => out.push('L'),
            '◌' => out.push('C'),
            '○' => out.push('F'),
            '╌' => out.push('~'),
            '·' => out.push('.'),
            '…' => out.push('~'),
            '│' => out.push('|'),
            '┃' => out.push('#'),
            '┌' | '┏' => out.push('/'),
            '└' | '┗' => out.push('\\'),
            '┊' | '┋' => out.push(':'),
            '─' => out.push('-'),
            '≠' => out.push('!'),
            'µ' => out.push('u'),
            c => out.extend(std::iter::repeat_n('?', char_width(c))),
        }
    }
    out
}

/// A number with a comma after each three digits.
pub(super) fn count(number: usize) -> String {
    crate::grouped(number as u64)
}

/// `1 event`, `1,204 events`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A moment: `4.612345`.
pub(super) fn moment(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// A length of time in three digits: `12 µs`, `3.2 ms`, `1.20 s`.
pub(super) fn span(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        1_000_000..10_000_000 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns_not_by_characters() {
        assert_eq!((width("漢字"), width("ab")), (4, 2));
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!(cut("漢字漢字", 8), "漢字漢字");
        assert_eq!((cut("abc", 1), cut("abc", 0)), ("…".into(), String::new()));
        for columns in 0..12 {
            assert!(width(&cut("a漢b字c漢", columns)) <= columns);
        }
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a overlong b", 3), ["a", "overlong", "b"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn ascii_takes_as_many_columns() {
        let text = "→2 ● t3 ┃ 漢 é µs …";
        assert_eq!(ascii(text), ">2 L t3 # ?? ? us ~");
        assert_eq!(width(&ascii(text)), width(text));
    }

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!([0, 999, 1204, 1_000_000].map(count), ["0", "999", "1,204", "1,000,000"]);
        assert_eq!(moment(4_612_345), "4.612345");
        let spans = [12, 3_210, 104_000, 1_204_000, 12_340_000].map(span);
        assert_eq!(spans, ["12 µs", "3.2 ms", "104 ms", "1.20 s", "12.3 s"]);
    }
}
