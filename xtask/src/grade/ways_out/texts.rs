//! Texts that are code to somebody.
//!
//! What derives a trait may read code from the texts of its attributes, as serde does from `#[serde(bound = "...")]`.
//! The compiler takes such code as if it stood there. So the search reads it too.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};

use super::around::{ends_with, name_before};

/// The names of attributes, and of what stands in them, whose texts are no code: they are for people, or are names.
/// A text that is the first in its list is none either, but one to format.
const PROSE: &str = "doc deprecated must_use allow warn deny forbid expect reason should_panic cfg feature ignore \
    error diagnostic path note since fmt \
    rename rename_all rename_all_fields alias tag content expecting \
    message detailed_message serialize_all to_string prefix suffix props";
/// An attribute with names that elsewhere have code behind them, and what of it is code.
const STRUM: (&str, &str) = ("strum", "default_with");

/// True if the texts in an attribute, or a part of one, of this name are no code.
pub(super) fn is_prose(name: &str) -> bool {
    PROSE.split_whitespace().any(|prose| prose == name)
}

/// The texts in an attribute that are code, or all of them.
pub(super) fn of_attribute(attribute: &Group, all: bool) -> Vec<Literal> {
    let mut found = Vec::new();
    // No recursion: see [`super::super::tokens`].
    let mut left = vec![(attribute.stream(), false)];
    while let Some((stream, in_strum)) = left.pop() {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        for (place, tree) in trees.iter().enumerate() {
            let before = &trees[..place];
            let assigned = ends_with(before, &["="]);
            let name = name_before(if assigned { &before[..place - 1] } else { before });
            match tree {
                TokenTree::Group(group) if all || !is_prose(&name) => {
                    left.push((group.stream(), in_strum || name == STRUM.0));
                }
                TokenTree::Literal(literal) => {
                    let prose = is_prose(&name) || (in_strum && name != STRUM.1);
                    if all || (place > 0 && !prose) {
                        found.push(literal.clone());
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// What stands in a text, if that could be code.
pub(super) fn code(literal: &Literal) -> Option<TokenStream> {
    let text = literal.to_string();
    let raw = text.strip_prefix('r').map(|raw| raw.trim_start_matches('#'));
    let (begun, is_raw) = match raw {
        Some(raw) => (raw, true),
        None => (&*text, false),
    };
    // What stands behind the last quote is its end, or a suffix.
    let (inner, _) = begun.strip_prefix('"')?.rsplit_once('"')?;
    let value = if is_raw { inner.to_string() } else { without_escapes(inner) };
    value.parse().ok()
}

/// The value of a text as it stands between its quotes.
fn without_escapes(text: &str) -> String {
    let (mut value, mut rest) = (String::new(), text.chars());
    while let Some(c) = rest.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        let number = |digits: &str| {
            let digits: String = digits.chars().filter(|c| *c != '_').collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        };
        let escaped = match rest.next() {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('0') => Some('\0'),
            Some('x') => number(&rest.by_ref().take(2).collect::<String>()),
            Some('u') => {
                number(&rest.by_ref().skip(1).take_while(|c| *c != '}').collect::<String>())
            }
            // The text goes on behind the spaces of the next line.
            Some('\n' | '\r') => {
                rest = rest.as_str().trim_start().chars();
                None
            }
            other => other,
        };
        value.extend(escaped);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_the_compiler_reads_it() {
        for text in [
            r#""static A: u8;""#,
            r#""\u{73}tatic\tA\x3a u8\n;""#,
            "\"static \\\n     A: u8;\"",
            r##"r"static A: u8;""##,
            r###"r##"static A: u8;"##"###,
        ] {
            let literal: Literal = text.parse().expect("a text");
            let code = code(&literal).expect("code").to_string();
            assert_eq!(code, "static A : u8 ;", "{text}");
        }
        for text in ["7", "b\"static\"", "'x'", "\"(\""] {
            assert!(code(&text.parse().expect("a literal")).is_none(), "{text}");
        }
    }
}
