//! Words that anybody may have written, made harmless.

use std::fmt::Write as _;

/// A text in one line with nothing in it that moves the cursor, changes colours or turns the writing round: such
/// characters are written as escapes (`\u{1b}`).
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            // They take no room of their own, but terminals differ in what they do to a neighbour.
            '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' => {}
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => escape(&mut out, c),
            '\u{2066}'..='\u{2069}' => escape(&mut out, c),
            c if c.is_control() => escape(&mut out, c),
            c => out.push(c),
        }
    }
    out
}

fn escape(out: &mut String, c: char) {
    let _ = write!(out, "{}", c.escape_default());
}

/// The same for a text of several lines, which stay lines.
pub fn clean_lines(text: &str) -> String {
    let line = |line: &str| clean(line.strip_suffix('\r').unwrap_or(line));
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_steer_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\r\nc\td"), "a\\u{1b}[31mb\\r\\nc d");
        assert_eq!(clean("x\u{202e}y\u{9b}z\u{200b}!"), "x\\u{202e}y\\u{9b}z!");
        assert_eq!(clean("für 漢字"), "für 漢字");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(clean_lines("a\x07\r\n\n  b\u{2066}\rc\n"), "a\\u{7}\n\n  b\\u{2066}\\rc\n");
    }
}
