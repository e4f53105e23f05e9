//! The macros that a crate defines: which of them may make attributes of what they are given.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::ANY;
use super::around::{begins_with, ends_with, name_before, plain_name, text};
use super::texts::is_prose;

/// Macros of the language's own library that make nothing of what they are given but values.
const USUAL: &str = "assert assert_eq assert_ne dbg debug_assert debug_assert_eq debug_assert_ne eprint eprintln \
    format format_args matches panic print println todo unimplemented unreachable vec write writeln";

/// What a crate has of macros.
#[derive(Debug, Default)]
pub(super) struct Macros {
    /// What the definitions of each name can do. [`ANY`] is a name that another macro is given: it may be any.
    definitions: BTreeMap<String, Definition>,
    /// Names that something in the crate was given by `as`: it may be a macro.
    aliases: BTreeSet<String>,
    /// Those that may make attributes of what they are given.
    makers: BTreeSet<String>,
}

/// What a macro can do.
#[derive(Debug, Default)]
struct Definition {
    /// It makes attributes of parts that stand in none where it is called.
    makes: bool,
    /// It takes texts out of attributes in which they are no code.
    takes_prose: bool,
    calls: BTreeSet<String>,
}

impl Macros {
    /// Takes in what a file defines.
    pub(super) fn add(&mut self, stream: TokenStream) {
        let mut outer = Vec::new();
        let mut left = vec![(stream, None::<usize>)];
        while let Some((stream, within)) = left.pop() {
            let trees: Vec<TokenTree> = stream.into_iter().collect();
            for (place, tree) in trees.iter().enumerate() {
                let before = &trees[..place];
                match tree {
                    TokenTree::Group(group) => {
                        let mut of_group = within;
                        if let Some(name) = defined(before) {
                            let definition = self.definitions.entry(name.clone()).or_default();
                            match within {
                                // What another one defines counts as that one does.
                                Some(place) => {
                                    let outer: &String = &outer[place];
                                    definition.calls.insert(outer.clone());
                                }
                                None => {
                                    definition.add(group);
                                    of_group = Some(outer.len());
                                    outer.push(name);
                                }
                            }
                        }
                        left.push((group.stream(), of_group));
                    }
                    TokenTree::Ident(name) if ends_with(before, &["as"]) => {
                        self.aliases.insert(plain_name(&name.to_string()));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Finds out what they can do; to be called when all files were added.
    pub(super) fn settle(&mut self) {
        if !self.definitions.values().any(|one| one.makes) {
            return;
        }
        let mut callers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, one) in &self.definitions {
            for called in &one.calls {
                callers.entry(called).or_default().push(name);
            }
        }
        let direct = self.definitions.iter().filter(|(_, one)| one.makes).map(|(name, _)| &**name);
        // What has another name may be one of them, and so may a macro that a macro is given.
        let aliases = self.aliases.iter().map(String::as_str);
        let given = callers.get(ANY).into_iter().flatten().copied();
        let mut left: Vec<&str> = direct.chain(aliases).chain(given).collect();
        while let Some(name) = left.pop() {
            if self.makers.insert(name.to_string()) {
                left.extend(callers.get(name).into_iter().flatten().copied());
            }
        }
    }

    /// True if what stands behind this is what a macro is given that may make attributes of it.
    pub(super) fn are_makers(&self, before: &[TokenTree]) -> bool {
        let Some(name) = called(before) else { return false };
        !self.makers.is_empty()
            && (name == ANY || self.makers.contains(ANY) || self.makers.contains(&name))
    }

    /// True if a macro may take texts out of attributes in which they are no code.
    pub(super) fn take_prose(&self) -> bool {
        self.definitions.values().any(|one| one.takes_prose)
    }

    /// True if what stands behind this is what a macro is given that makes values of it and nothing else.
    pub(super) fn are_usual(&self, before: &[TokenTree]) -> bool {
        called(before).is_some_and(|name| {
            USUAL.split_whitespace().any(|usual| usual == name)
                && ![&name, ANY].iter().any(|name| self.definitions.contains_key(*name))
                && !self.aliases.contains(&name)
        })
    }
}

impl Definition {
    fn add(&mut self, definition: &Group) {
        // The parts that it is given, by themselves and as an attribute's; and those that it puts into attributes, and
        // elsewhere.
        let [mut free, mut whole, mut used, mut passed] = [(); 4].map(|()| BTreeSet::new());
        let any = given_as_any(definition);
        let mut left = vec![(definition.stream(), None::<Attribute>)];
        while let Some((stream, within)) = left.pop() {
            let trees: Vec<TokenTree> = stream.into_iter().collect();
            for (place, tree) in trees.iter().enumerate() {
                let (before, behind) = (&trees[..place], &trees[place + 1..]);
                match tree {
                    TokenTree::Group(group) => {
                        if let Some(name) = called(before) {
                            self.calls.insert(name);
                        }
                        let attribute = within.or_else(|| Attribute::of(group, before, &any));
                        left.push((group.stream(), attribute));
                    }
                    TokenTree::Ident(name) if ends_with(before, &["$"]) && name != "crate" => {
                        let name = name.to_string();
                        let is_given =
                            begins_with(behind, &[":"]) && !begins_with(behind, &[":", ":"]);
                        match (within, is_given) {
                            (None, true) => {
                                free.insert(name);
                            }
                            (Some(attribute), true) if attribute.takes_prose => {
                                self.takes_prose = true;
                                free.insert(name);
                            }
                            (Some(_), true) => {
                                whole.insert(name);
                            }
                            (Some(attribute), false) if attribute.is_code => {
                                used.insert(name);
                            }
                            (Some(_), false) => {}
                            (None, false) => {
                                passed.insert(name);
                            }
                        }
                        // An attribute's brackets are part of what it is given.
                        let brackets =
                            ends_with(before, &["#", "$"]) || ends_with(before, &["#", "!", "$"]);
                        self.makes |= brackets && !is_given;
                    }
                    _ => {}
                }
            }
        }
        self.makes |= !free.is_disjoint(&used);
        // Another macro may take it apart.
        self.takes_prose |= !whole.is_disjoint(&passed);
    }
}

/// What an attribute in a macro's definition is.
#[derive(Clone, Copy, Debug)]
struct Attribute {
    /// The texts of such a one may be no code where the macro is called.
    takes_prose: bool,
    /// Its texts are code once the macro has made it.
    is_code: bool,
}

impl Attribute {
    /// What a group is, if it may become one; given are the parts that may be its `#`.
    fn of(group: &Group, before: &[TokenTree], any: &BTreeSet<String>) -> Option<Attribute> {
        let given = before.last().is_some_and(|name| any.contains(&text(name)));
        if !may_be_attribute(group, before, given) {
            return None;
        }
        let trees: Vec<TokenTree> = group.stream().into_iter().collect();
        Some(match &trees[..] {
            // `$name = $text` fits documentation too; what is taken as a whole does not come apart.
            [TokenTree::Punct(sign), ..] if sign.as_char() == '$' => {
                let parts = trees.iter().filter(|tree| text(tree) == "$").count();
                Attribute { takes_prose: parts > 1, is_code: true }
            }
            [TokenTree::Ident(name), ..] if is_prose(&plain_name(&name.to_string())) => {
                Attribute { takes_prose: true, is_code: false }
            }
            _ => Attribute { takes_prose: false, is_code: true },
        })
    }
}

/// The parts that a macro is given as tokens of any kind, such as a `#`.
fn given_as_any(definition: &Group) -> BTreeSet<String> {
    let (mut any, mut left) = (BTreeSet::new(), vec![definition.stream()]);
    while let Some(stream) = left.pop() {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        for (place, tree) in trees.iter().enumerate() {
            match tree {
                TokenTree::Group(group) => left.push(group.stream()),
                tree if begins_with(&trees[place + 1..], &[":", "tt"]) => {
                    any.insert(text(tree));
                }
                _ => {}
            }
        }
    }
    any
}

/// True if a group is an attribute; in what a macro is made of also if it may become one.
pub(super) fn may_be_attribute(group: &Group, before: &[TokenTree], in_macro: bool) -> bool {
    let sign = ends_with(before, &["#"]) || ends_with(before, &["#", "!"]);
    let given = in_macro && name_before(before) == ANY;
    group.delimiter() == Delimiter::Bracket && (sign || given)
}

/// The name of the macro that is called with what stands behind this.
fn called(before: &[TokenTree]) -> Option<String> {
    match before {
        [ahead @ .., TokenTree::Ident(_), TokenTree::Punct(sign)] if sign.as_char() == '!' => {
            Some(name_before(&before[..ahead.len() + 1]))
        }
        _ => None,
    }
}

/// The name of the macro whose definition stands behind this.
fn defined(before: &[TokenTree]) -> Option<String> {
    let name = name_before(before);
    let ahead = before.len().checked_sub(if name == ANY { 2 } else { 1 })?;
    (!name.is_empty() && ends_with(&before[..ahead], &["macro_rules", "!"])).then_some(name)
}
