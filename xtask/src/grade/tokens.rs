//! Rust as tokens, without what is easily changed: names, values, comments, attributes.

use std::hash::{DefaultHasher, Hash, Hasher};

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// A token: what kind it is, and its line, from 1 on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: u64,
    pub(crate) line: usize,
}

/// Names that mean something to the language; all others are alike.
const KEYWORDS: &str = "as break const continue dyn else enum extern false fn for if impl in let loop match \
    mod move mut pub ref return self Self static struct super trait true type unsafe use where while";

/// The tokens of a source; none if it is no Rust.
pub(crate) fn tokens(text: &str) -> Option<Vec<Token>> {
    let stream: TokenStream = text.parse().ok()?;
    let mut tokens = Vec::new();
    // No recursion: a source may be nested as deeply as its author likes.
    let mut open = vec![(stream.into_iter().peekable(), None)];
    while let Some((trees, close)) = open.last_mut() {
        let Some(tree) = trees.next() else {
            tokens.extend(*close);
            open.pop();
            continue;
        };
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                // An attribute; documentation is one too.
                let inner =
                    |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == '!');
                let _ = trees.next_if(inner);
                let _ = trees.next_if(|tree| matches!(tree, TokenTree::Group(_)));
            }
            TokenTree::Punct(punct) => tokens.push(token(punct.as_char(), punct.span())),
            TokenTree::Literal(literal) => tokens.push(token("a value", literal.span())),
            TokenTree::Ident(name) => {
                let text = name.to_string();
                let word = KEYWORDS.split_whitespace().find(|word| *word == text);
                tokens.push(token(word.unwrap_or("a name"), name.span()));
            }
            TokenTree::Group(group) => {
                let (begin, end) = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                tokens.push(token(begin, group.span_open()));
                let end = token(end, group.span_close());
                open.push((group.stream().into_iter().peekable(), Some(end)));
            }
        }
    }
    Some(tokens)
}

fn token(kind: impl Hash, span: Span) -> Token {
    let mut hasher = DefaultHasher::new();
    kind.hash(&mut hasher);
    Token { kind: hasher.finish(), line: span.start().line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_values_and_comments_do_not_matter() {
        let kinds = |text: &str| -> Vec<u64> {
            tokens(text).expect("Rust").iter().map(|token| token.kind).collect()
        };
        let one = kinds("/// Adds.\n#[must_use]\nfn add(a: u32) -> u32 { a + 1 } // one");
        assert_eq!(one, kinds("fn plus(left: i64) -> Number { left + 20 }"));
        assert_ne!(one, kinds("fn plus(left: i64) -> Number { left - 20 }"));
        assert!(tokens("fn (").is_none());
    }

    #[test]
    fn no_nesting_is_too_deep() {
        let deep = 100_000;
        let text = format!("{}{}", "(".repeat(deep), ")".repeat(deep));
        assert_eq!(tokens(&text).expect("tokens").len(), 2 * deep);
    }

    #[test]
    fn each_token_has_its_line() {
        let lines: Vec<usize> =
            tokens("fn a()\n{\n}").expect("Rust").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 1, 1, 1, 2, 3]);
    }
}
