//! What stands around a name in a crate's tokens.

use std::path::Path;

use proc_macro2::{Group, TokenTree};

use super::ANY;
use super::macros::{Macros, may_be_attribute};

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
        let text = if self.within.text.is_some() { "in a text at" } else { "at" };
        format!("`{what}` {text} {}:{}", self.file.display(), self.line)
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
    /// What a macro is given, or made of, that may make anything of it.
    pub(super) macros: bool,
    /// What a macro is given that may make an attribute of it.
    pub(super) maker: bool,
    /// What is or may become an attribute: its texts are looked at as a whole.
    pub(super) texts_taken: bool,
    /// A text that is code; this is its line.
    pub(super) text: Option<usize>,
    /// The list of what is taken out of a module.
    pub(super) list: bool,
    /// Of which one, if that is `std` or the crate itself.
    pub(super) of: Option<Of>,
}

/// A module that a path begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Of {
    Std,
    Own,
}

impl Of {
    /// What stands before a name, if it is `std::` or leads into the crate itself.
    pub(super) fn before(before: &[TokenTree]) -> Option<Of> {
        let [.., module, TokenTree::Punct(one), TokenTree::Punct(two)] = before else {
            return None;
        };
        let path = one.as_char() == ':' && two.as_char() == ':';
        match &*plain_name(&text(module)) {
            "std" if path => Some(Of::Std),
            "crate" | "self" | "super" if path => Some(Of::Own),
            _ => None,
        }
    }
}

impl Within {
    /// Where the code in a group stands, which has this before it.
    pub(super) fn deeper(self, group: &Group, before: &[TokenTree], macros: &Macros) -> Within {
        // A definition has a name after its `!`, and what is no macro's `!` has none before it.
        let ahead = match before {
            [ahead @ .., TokenTree::Ident(_)] => ahead,
            ahead => ahead,
        };
        let is_called = |before: &[TokenTree]| matches!(before, [.., TokenTree::Ident(_), TokenTree::Punct(sign)] if sign.as_char() == '!');
        let taken = ends_with(before, &[":", ":"]);
        let element = before.is_empty() || ends_with(before, &[","]);
        Within {
            attribute: self.attribute || may_be_attribute(group, before, false),
            import: self.import,
            arguments: self.arguments || is_called(before),
            macros: self.macros || (is_called(ahead) && !macros.are_usual(before)),
            maker: self.maker || macros.are_makers(before),
            texts_taken: self.texts_taken || may_be_attribute(group, before, self.macros),
            text: self.text,
            list: taken,
            of: if taken { Of::before(before) } else { self.of.filter(|_| element) },
        }
    }

    /// Where the code in a text on this line stands.
    pub(super) fn in_text(line: usize) -> Within {
        Within { arguments: true, macros: true, text: Some(line), ..Within::default() }
    }
}

/// The name that stands right before something: [`ANY`] if it stands for one that a macro is given.
pub(super) fn name_before(before: &[TokenTree]) -> String {
    match before {
        [ahead @ .., TokenTree::Ident(name)] => match ends_with(ahead, &["$"]) {
            true => ANY.to_string(),
            false => plain_name(&name.to_string()),
        },
        _ => String::new(),
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
