//! Ways out of what a student's code may do, as far as its source shows them: named before anything is built.
//!
//! Two kinds are refused unless the instructor allows them: code that the language does not guard, and statics,
//! by which servers that should know each other by RPC alone could share what they like. What reaches past
//! the lab (variables, files) is only named: the room in which the code runs is what keeps it in.
//!
//! What would have the compiler take code from where nobody looks (`include!`, a `path` of a module) is refused as
//! statics are, and so is a file that is no Rust. This is for clear messages. What cannot be seen here (a macro's
//! doing) the compiler refuses as far as it is `unsafe`: see [`super::intake`].

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

use super::allowed::Allowed;
use super::files::{sources, too_much_source};
use super::student::Student;

mod around;

use around::{Stands, Within, begins_with, ends_with, goes_on, plain_name, taken, text, texts};

/// How many places of a kind are named.
const NAMED: usize = 5;

/// What is no Rust to us cannot be searched.
const UNREAD: &str = "the crate does not compile, or has a file that ends in .rs and is no Rust, or has what the search reads \
    otherwise than the compiler (`cr\"...\"`, or a lifetime with a text right behind it): fix it or leave it out";

/// Attributes that reach the linker by words that mean something else elsewhere.
const LINKING: [&str; 3] = ["link", "link_args", "link_name"];
/// The macro that takes the text of another file for code; and the attribute.
const INCLUDE: &str = "include";
const PATH: &str = "path";
/// Words that step out of what the language guards. All but the first are attributes that reach the linker.
const UNGUARDED: [&str; 4] = ["unsafe", "no_mangle", "export_name", "link_section"];
/// A panic hook is a place for all of a process, as a static is.
const SHARED: [&str; 2] = ["set_hook", "take_hook"];
/// Crates that are to be called by their own names, so that it can be seen what is taken from them.
const OWN_NAMES: [&str; 6] = ["std", "core", "alloc", "labrt", "labtrace", "tester"];
/// The module of labrt with what all servers of a run share.
const WORLD: &str = "world";
/// Modules through which code learns, or does, more than a server should, such as a test's name.
const OUTSIDE: [(&str, &[&str]); 2] = [
    ("std", &["env", "fs", "net", "process", "*", ANY]),
    ("labrt", &["env", "node", "Node", "observe", "*"]),
];
/// The words of a type that nothing can be written to. `static` is here for its lifetime.
const CONSTANT: &str = "& ' [ ] ; < > , static str bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 \
    isize f32 f64 Duration";
/// What declares a type, or what stands in a type's place.
const DECLARING: [&str; 5] = ["type", "struct", "enum", "union", "trait"];
/// Stands for a name that a macro is given: it may be any.
const ANY: &str = "$";

/// What a source has, in words with their places.
#[derive(Debug, Default, PartialEq)]
struct Found {
    unguarded: Vec<String>,
    /// What gets around the guard of the language although the compiler takes it.
    unsound: Vec<String>,
    shared: Vec<String>,
    /// Other names for crates.
    renamed: Vec<String>,
    outside: Vec<String>,
    /// Code from where nobody looks.
    elsewhere: Vec<String>,
    /// Files that are no Rust.
    unread: Vec<String>,
    /// Statics that nothing can be written to, if the names in their types mean what they usually do.
    constants: Vec<(String, Vec<String>)>,
    /// Where names are declared that statics' types may have.
    declared: BTreeMap<String, String>,
}

/// What is to be said of a student's own code: why it is not graded, if so, and what the instructor should
/// know.
///
/// # Errors
/// If its files cannot be read.
pub(crate) fn found(
    student: &Student,
    allowed: &Allowed,
) -> Result<(Option<String>, Option<String>)> {
    let mut found = Found::default();
    if student.is_ours() {
        return Ok((None, None));
    }
    if let Some(problem) = too_much_source(&student.root)? {
        return Ok((Some(problem), None));
    }
    for (file, text) in sources(&student.root)? {
        found.read(&file, &text);
    }
    found.judge_constants();
    let mut problems = Vec::new();
    if !found.unread.is_empty() {
        problems.push(format!("{UNREAD}: {}", named(&found.unread)));
    }
    if !allowed.unsafe_code && !found.unguarded.is_empty() {
        let places = named(&found.unguarded);
        problems.push(format!(
            "it has code that the language does not guard: {places} (if it may: --allow-unsafe)"
        ));
    }
    if !allowed.unsafe_code && !found.unsound.is_empty() {
        let places = named(&found.unsound);
        problems.push(format!(
            "it has what the language does not guard although the compiler takes it: {places}; references of two lives in \
             one another can make a short life look long (rust-lang/rust#25860), and no lab needs them: name one life, or \
             hold the inner value itself (if it may: --allow-unsafe)"
        ));
    }
    if !allowed.statics && !found.renamed.is_empty() {
        let places = named(&found.renamed);
        problems.push(format!(
            "it has another name for a crate, by which what it takes from it would not be seen: {places}; use the crate's own \
             name (if it may: --allow-statics)"
        ));
    }
    if !allowed.statics && !found.shared.is_empty() {
        let places = named(&found.shared);
        problems.push(format!(
            "its servers could share state without RPC: {places}; a constant is a `const` (if it may: \
             --allow-statics)"
        ));
    }
    if !allowed.statics && !found.elsewhere.is_empty() {
        let places = named(&found.elsewhere);
        problems.push(format!(
            "it has code that is not searched for statics: {places}; a module is a file that ends in .rs, called \
             as the module is (if it may: --allow-statics)"
        ));
    }
    let remark = (!found.outside.is_empty()).then(|| {
        let places = named(&found.outside);
        format!("its code reaches past the lab, perhaps for a test's name or seed: {places}")
    });
    Ok(((!problems.is_empty()).then(|| problems.join("\n")), remark))
}

fn named(places: &[String]) -> String {
    let more = places.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    let first = places.iter().take(NAMED).cloned();
    first.chain(more).collect::<Vec<_>>().join(", ")
}

/// A source without a first line that is for a shell, as the compiler sees it. What it would see otherwise than we
/// stays, and is looked at.
fn without_shebang(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = text.strip_prefix("#!") else { return text };
    // Marks of direction are spaces to the compiler.
    let space = |c: char| c.is_whitespace() || ['\u{200e}', '\u{200f}'].contains(&c);
    let rest_of_code = rest.trim_start_matches(space);
    match ["[", "//", "/*"].iter().any(|begin| rest_of_code.starts_with(begin)) {
        true => text,
        false => &rest[rest.find('\n').unwrap_or(rest.len())..],
    }
}

impl Found {
    /// Looks through a file.
    fn read(&mut self, file: &Path, text: &str) {
        match without_shebang(text).parse::<TokenStream>() {
            Ok(stream) => self.look(file, stream),
            Err(error) => {
                self.unread.push(format!("{}:{}", file.display(), error.span().start().line));
            }
        }
    }

    /// Looks through a file, without recursion: see [`super::tokens`].
    fn look(&mut self, file: &Path, stream: TokenStream) {
        let mut left = vec![(stream, Within::default())];
        while let Some((stream, mut within)) = left.pop() {
            let trees: Vec<TokenTree> = stream.into_iter().collect();
            for (place, tree) in trees.iter().enumerate() {
                let (before, behind) = (&trees[..place], &trees[place + 1..]);
                match tree {
                    TokenTree::Group(group) => {
                        left.push((group.stream(), within.deeper(group, before)));
                    }
                    TokenTree::Ident(name) => {
                        let (line, name) = (name.span().start().line, name.to_string());
                        // `+ use<'a>` says what a type captures.
                        within.import |= name == "use" && !begins_with(behind, &["<"]);
                        let stands = Stands { within, before, behind, file, line };
                        self.note_elsewhere(&name, &stands);
                        self.note_names(&name, &stands);
                        self.note(&name, &stands);
                    }
                    TokenTree::Punct(sign) if sign.as_char() == ';' => within.import = false,
                    TokenTree::Literal(literal) if is_read_otherwise(literal, before) => {
                        let line = literal.span().start().line;
                        self.unread.push(format!("{}:{line}", file.display()));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Statics are looked at once all is known that their types may mean.
    fn judge_constants(&mut self) {
        for (place, words) in std::mem::take(&mut self.constants) {
            let other = words.iter().find_map(|word| self.declared.get(word));
            if let Some(other) = other.or(self.declared.get(ANY)) {
                self.shared.push(format!("{place} (its type may mean {other})"));
            }
        }
    }

    /// A name by which something may be called otherwise than what it is.
    fn note_names(&mut self, name: &str, stands: &Stands) {
        let Stands { within, before, behind, .. } = *stands;
        let at = |what: &str| stands.at(what);
        if OWN_NAMES.contains(&&*plain_name(name)) {
            let aliased = within.import || ends_with(before, &["extern", "crate"]);
            let own = aliased && begins_with(behind, &["as"]) && !begins_with(behind, &["as", "_"]);
            let taken = taken(behind);
            let by_self =
                |words: &[String]| words[0] == "self" && words[1] == "as" && words[2] != "_";
            if own || taken.windows(3).any(by_self) {
                self.renamed.push(at(&format!("{name} as")));
            }
        }
        let declares = DECLARING.contains(&name) || (within.import && name == "as");
        let fragment = within.import && name != "crate" && ends_with(before, &["$"]);
        if (declares && begins_with(behind, &[ANY])) || fragment {
            self.declared.entry(ANY.into()).or_insert_with(|| at(&format!("{name} $")));
        }
        let named = match behind {
            // A macro's `$what Name` may be a declaration.
            [TokenTree::Ident(named), ..] if declares || ends_with(before, &["$"]) => {
                named.to_string()
            }
            _ => return,
        };
        let named = plain_name(&named);
        if is_constant_word(&named) {
            self.declared.entry(named.clone()).or_insert_with(|| at(&format!("{name} {named}")));
        }
    }

    /// A name that may take in code from elsewhere.
    fn note_elsewhere(&mut self, name: &str, stands: &Stands) {
        let Stands { within, before, behind, .. } = *stands;
        let at = |what: &str| stands.at(what);
        let name = &*plain_name(name);
        if within.attribute && LINKING.contains(&name) {
            self.unguarded.push(at(name));
        }
        if name == INCLUDE && is_the_macro(within, before, behind) {
            self.elsewhere.push(at(name));
        }
        let assigned = || {
            let usual = [".", "let", "mut"].iter().any(|word| ends_with(before, &[word]));
            let literal = matches!(behind.get(1), Some(TokenTree::Literal(_)));
            !usual && literal && texts(behind).next().is_some_and(|sign| sign == "=")
        };
        // What a macro makes an attribute of counts too. Elsewhere it is a variable.
        if name == PATH && (within.attribute || (within.macros && assigned())) {
            self.elsewhere.push(at(name));
        }
    }

    /// A name that is itself a way out, or names one.
    fn note(&mut self, name: &str, stands: &Stands) {
        let Stands { within, before, behind, .. } = *stands;
        let at = |what: &str| stands.at(what);
        // Only of what is no keyword a raw name is the same.
        let name = name.strip_prefix("r#").filter(|name| *name != "static").unwrap_or(name);
        if UNGUARDED.contains(&name) {
            self.unguarded.push(at(name));
        } else if SHARED.contains(&name) {
            self.shared.push(at(name));
        } else if name == "static" && !ends_with(before, &["'"]) {
            match constant(behind).filter(|_| !within.arguments) {
                Some(words) => self.constants.push((at("static"), words)),
                None => self.shared.push(at("static")),
            }
        } else if name == WORLD && (ends_with(before, &[":", ":"]) || goes_on(behind)) {
            self.shared.push(at(WORLD));
        }
        if let Some(nested) = unsound(before, name, behind) {
            self.unsound.push(at(nested));
        }
        let taken = taken(behind);
        for (_, modules) in OUTSIDE.iter().filter(|(krate, _)| *krate == name) {
            let found = modules.iter().filter(|module| taken.iter().any(|one| one == *module));
            self.outside.extend(found.map(|module| at(&format!("{name}::{module}"))));
        }
        if name == "labrt" {
            // By itself in a list; the rest was seen above.
            let listed = taken.len() > 1 && taken.iter().any(|one| one == WORLD);
            self.shared.extend(listed.then(|| at(WORLD)));
            // Whatever a macro is given: it may be that.
            let any = taken.iter().any(|one| one == ANY);
            self.shared.extend(any.then(|| at("labrt::$")));
        }
    }
}

/// True if the compiler takes a literal otherwise than the search, and so what follows it: before edition 2021 `cr` is a
/// name and no part of a raw text, and what stands right behind `'` is always a name, such as the `r` of `'r"..."`.
fn is_read_otherwise(literal: &Literal, before: &[TokenTree]) -> bool {
    literal.to_string().starts_with("cr") || ends_with(before, &["'"])
}

/// True if a name that is called as the macro `include` may be that macro, or lead to another name for it: not that
/// of a function, a field or a variable.
fn is_the_macro(within: Within, before: &[TokenTree], behind: &[TokenTree]) -> bool {
    let call = matches!(behind, [TokenTree::Punct(sign), TokenTree::Group(_), ..] if sign.as_char() == '!');
    let renamed = texts(behind).next().is_some_and(|word| word == "as");
    let function = matches!(behind, [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Parenthesis);
    let taken = (within.list || ends_with(before, &[":", ":"])) && !function;
    within.macros || call || renamed || taken
}

/// If a lifetime's name is that of a reference to a reference, by which the compiler can be led to believe that the inner
/// one lives as long as the outer one: what the type is, in short.
fn unsound(before: &[TokenTree], name: &str, behind: &[TokenTree]) -> Option<&'static str> {
    if !ends_with(before, &["&", "'"]) || !begins_with(behind, &["&", "'"]) {
        return None;
    }
    let (inner, to) = (text(behind.get(2)?), behind.get(3));
    let to_nothing = matches!(to, Some(TokenTree::Group(group))
        if group.delimiter() == Delimiter::Parenthesis && group.stream().is_empty());
    match (name, inner.as_str()) {
        ("static", "static") => Some("&'static &'static"),
        _ if to_nothing => Some("&'a &'b ()"),
        _ => None,
    }
}

fn is_constant_word(name: &str) -> bool {
    CONSTANT.split_whitespace().any(|word| word == name)
}

/// The names in the type of a static that nothing can be written to, if this is the rest of one: a name, `:`, such a
/// type, `=`.
fn constant(behind: &[TokenTree]) -> Option<Vec<String>> {
    if !matches!(behind, [TokenTree::Ident(_), TokenTree::Punct(colon), ..] if colon.as_char() == ':')
    {
        return None;
    }
    let mut names = Vec::new();
    let mut left: Vec<Vec<TokenTree>> =
        vec![behind[2..].iter().take_while(|tree| text(tree) != "=").cloned().collect()];
    while let Some(trees) = left.pop() {
        for tree in trees {
            match tree {
                TokenTree::Group(group) => left.push(group.stream().into_iter().collect()),
                TokenTree::Literal(_) => {}
                tree => {
                    let text = tree.to_string();
                    if !is_constant_word(&text) {
                        return None;
                    }
                    names.push(text);
                }
            }
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests;
