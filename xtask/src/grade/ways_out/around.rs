//! What stands around a name in a crate's tokens.

use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenTree};

/// Where a name stands.
#[derive(Clone, Copy)]
pub(super) struct Stands<'a> {
    pub(super) within: Within,
    pub(super) before: &'a [TokenTree],
    pub(super) behind: &'a [TokenTree],
    pub(super) file: &'a Path,
    pub(super) line: usize,
}

impl Stands<'_> {
    /// Something here, in words.
    pub(super) fn at(&self, what: &str) -> String {
        format!("`{what}` at {}:{}", self.file.display(), self.line)
    }
}

/// Where some code stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Within {
    pub(super) attribute: bool,
    /// A `use`.
    pub(super) import: bool,
    /// What a macro is given: it may make anything of it.
    pub(super) arguments: bool,
    /// What a macro is given, or made of: it may become anything.
    pub(super) macros: bool,
    /// The list of what is taken out of a module.
    pub(super) list: bool,
}

impl Within {
    /// Where the code in a group stands, which has this before it.
    pub(super) fn deeper(self, group: &Group, before: &[TokenTree]) -> Within {
        let brackets = group.delimiter() == Delimiter::Bracket;
        let attribute = brackets && (ends_with(before, &["#"]) || ends_with(before, &["#", "!"]));
        // A definition has a name after its `!`, and what is no macro's `!` has none before it.
        let ahead = match before {
            [ahead @ .., TokenTree::Ident(_)] => ahead,
            ahead => ahead,
        };
        let is_called = |before: &[TokenTree]| matches!(before, [.., TokenTree::Ident(_), TokenTree::Punct(sign)] if sign.as_char() == '!');
        Within {
            attribute: self.attribute || attribute,
            import: self.import,
            arguments: self.arguments || is_called(before),
            macros: self.macros || is_called(ahead),
            list: ends_with(before, &[":", ":"]),
        }
    }
}

/// True if what is behind a name has it be a part of a path, or another name for it follows.
pub(super) fn goes_on(behind: &[TokenTree]) -> bool {
    let first: Vec<String> = texts(&behind[..behind.len().min(2)]).collect();
    first == [":", ":"] || first.first().is_some_and(|word| word == "as")
}

/// What is taken out of a module whose name stands before this: `::name`, or all in `::{a, {b, c}}`.
pub(super) fn taken(behind: &[TokenTree]) -> Vec<String> {
    match behind {
        [TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Group(list), ..] => listed(list),
        [TokenTree::Punct(_), TokenTree::Punct(_), taken, ..] => vec![plain_name(&text(taken))],
        _ => Vec::new(),
    }
}

/// The words of a list, and of lists that are its elements.
fn listed(list: &Group) -> Vec<String> {
    let (mut words, mut left) = (Vec::new(), vec![list.stream()]);
    while let Some(list) = left.pop() {
        let mut begins = true;
        for tree in list {
            match &tree {
                TokenTree::Group(inner) if begins => left.push(inner.stream()),
                tree => words.push(plain_name(&text(tree))),
            }
            begins = matches!(tree, TokenTree::Punct(sign) if sign.as_char() == ',');
        }
    }
    words
}

/// A name without the mark of a raw one: it is the same name, unless it is a keyword.
pub(super) fn plain_name(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_string()
}

/// A token as it stands; of a group nothing: it may be nested as deeply as its author likes.
pub(super) fn text(tree: &TokenTree) -> String {
    match tree {
        TokenTree::Group(_) => String::new(),
        tree => tree.to_string(),
    }
}

pub(super) fn texts(trees: &[TokenTree]) -> impl Iterator<Item = String> {
    trees.iter().map(text)
}

pub(super) fn ends_with(trees: &[TokenTree], words: &[&str]) -> bool {
    let begin = trees.len().checked_sub(words.len());
    begin.is_some_and(|begin| texts(&trees[begin..]).eq(words.iter().copied()))
}

pub(super) fn begins_with(trees: &[TokenTree], words: &[&str]) -> bool {
    trees.len() >= words.len() && texts(&trees[..words.len()]).eq(words.iter().copied())
}
