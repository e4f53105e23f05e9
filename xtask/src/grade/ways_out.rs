//! Ways out of what a student's code may do, as far as its source shows them: named before anything is built.
//!
//! Two kinds are refused unless the instructor allows them: code that the language does not guard, and statics,
//! by which servers that should know each other by RPC alone could share what they like. What reaches past
//! the lab (variables, files) is only named: the room in which the code runs is what keeps it in.
//!
//! What would have the compiler take code from where nobody looks (`include!`, a `path` of a module) is refused as
//! statics are, and so is a file that is no Rust. This is for clear messages. What cannot be seen here (a macro's
//! doing) the compiler refuses as far as it is `unsafe`: see [`super::intake`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

use super::allowed::Allowed;
use super::files::{sources, too_much_source};
use super::student::Student;

mod around;
mod macros;
mod texts;

use around::{Of, Stands, Within, begins_with, ends_with, goes_on, plain_name, taken, text, texts};
use macros::Macros;

/// How many places of a kind are named.
const NAMED: usize = 5;

/// What is no Rust to us cannot be searched.
const UNREAD: &str = "the crate does not compile, or has a file that ends in .rs and is no Rust, or has what the search reads \
    otherwise than the compiler (`cr\"...\"`, a lifetime with a text right behind it, or one with a raw name, `'r#a`): fix it \
    or leave it out";

/// Attributes that reach the linker by words that mean something else elsewhere.
const LINKING: [&str; 3] = ["link", "link_args", "link_name"];
/// The macro that takes the text of another file for code; and the attribute.
const INCLUDE: &str = "include";
const PATH: &str = "path";
/// Words that step out of what the language guards. All but the first are attributes that reach the linker.
const UNGUARDED: [&str; 4] = ["unsafe", "no_mangle", "export_name", "link_section"];
/// Code that the linker finds, or does not.
const EXTERN: &str = "extern";
/// How the macros begin by which `lazy_static` makes statics without the word.
const LAZY: &str = "__lazy_static";
/// A panic hook is a place for all of a process, as a static is.
const SHARED: [&str; 2] = ["set_hook", "take_hook"];
/// Crates that are to be called by their own names, so that it can be seen what is taken from them.
const OWN_NAMES: [&str; 6] = ["std", "core", "alloc", "labrt", "labtrace", "tester"];
/// The module of labrt with what all servers of a run share.
const WORLD: &str = "world";
/// Modules through which code learns, or does, more than a server should, such as a test's name.
const OUTSIDE: [(&str, &[&str]); 2] = [
    ("std", &["backtrace", "env", "fs", "net", "os", "path", "process", "thread", "*", ANY]),
    ("labrt", &["env", "node", "Node", "observe", "*"]),
];
/// The module with the system's clocks, which has durations too; and what of it is outside.
const TIME: (&str, [&str; 5]) = ("time", ["Instant", "SystemTime", "UNIX_EPOCH", "*", ANY]);
/// What leads outside by a name that nothing else has: a store on the disk, and threads that no crash ends.
const DOORS: [&str; 2] = ["FilePersister", "outside_nodes"];
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
    /// Modules called as labrt's with what all share, if they may be the crate's own: the file and the place, and if
    /// the path begins in the crate.
    worlds: Vec<(PathBuf, String, bool)>,
    /// The files in which a module of that name is the crate's own.
    own_worlds: BTreeSet<PathBuf>,
    /// Where macros have that name and no path: one may make a path of it.
    given_worlds: Vec<String>,
    /// Names may stand for what is labrt's though nobody can see it.
    labrt_hidden: bool,
    /// Where macros have `std` and not what is taken from it; and if the crate has macros of its own, which may.
    given_std: Vec<String>,
    has_macros: bool,
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
    if student.is_ours() {
        return Ok((None, None));
    }
    if let Some(problem) = too_much_source(&student.root)? {
        return Ok((Some(problem), None));
    }
    let found = Found::of(&sources(&student.root)?);
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
    /// Looks through files.
    fn of(sources: &[(PathBuf, String)]) -> Found {
        let (mut found, mut macros) = (Found::default(), Macros::default());
        let mut streams = Vec::new();
        for (file, text) in sources {
            match without_shebang(text).parse::<TokenStream>() {
                Ok(stream) => {
                    macros.add(stream.clone());
                    streams.push((file, stream));
                }
                Err(error) => {
                    let line = error.span().start().line;
                    found.unread.push(format!("{}:{line}", file.display()));
                }
            }
        }
        // What a text becomes, a macro in another file may decide.
        macros.settle();
        for (file, stream) in streams {
            found.look(file, stream, &macros);
        }
        found.judge_worlds();
        found.judge_constants();
        let given = std::mem::take(&mut found.given_std);
        found.outside.extend(given.into_iter().filter(|_| found.has_macros));
        found.has_macros = false;
        found
    }

    /// Looks through a file, without recursion: see [`super::tokens`].
    fn look(&mut self, file: &Path, stream: TokenStream, macros: &Macros) {
        let mut left = vec![(stream, Within::default())];
        while let Some((stream, mut within)) = left.pop() {
            let trees: Vec<TokenTree> = stream.into_iter().collect();
            for (place, tree) in trees.iter().enumerate() {
                let (before, behind) = (&trees[..place], &trees[place + 1..]);
                match tree {
                    TokenTree::Group(group) => {
                        let deeper = within.deeper(group, before, macros);
                        if deeper.texts_taken && !within.texts_taken && within.text.is_none() {
                            let all = deeper.maker && macros.take_prose();
                            left.extend(texts::of_attribute(group, all).iter().filter_map(in_text));
                        }
                        left.push((group.stream(), deeper));
                    }
                    TokenTree::Ident(name) => {
                        let line = within.text.unwrap_or(name.span().start().line);
                        let name = name.to_string();
                        // `+ use<'a>` says what a type captures.
                        within.import |= name == "use" && !begins_with(behind, &["<"]);
                        if name.starts_with("r#") && ends_with(before, &["'"]) {
                            self.unread.push(format!("{}:{line}", file.display()));
                        }
                        let stands = Stands { within, before, behind, file, line };
                        self.note_elsewhere(&name, &stands);
                        self.note_names(&name, &stands);
                        self.note(&name, &stands);
                    }
                    TokenTree::Punct(sign) if sign.as_char() == ';' => within.import = false,
                    TokenTree::Literal(literal) if is_read_otherwise(literal, before) => {
                        let line = within.text.unwrap_or(literal.span().start().line);
                        self.unread.push(format!("{}:{line}", file.display()));
                    }
                    TokenTree::Literal(literal)
                        if within.maker && !within.attribute && within.text.is_none() =>
                    {
                        left.extend(in_text(literal));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A module is the crate's own if the crate says so, and nothing of labrt's can have its name unseen.
    fn judge_worlds(&mut self) {
        let own = std::mem::take(&mut self.own_worlds);
        let hidden = std::mem::take(&mut self.labrt_hidden);
        for (file, place, from_crate) in std::mem::take(&mut self.worlds) {
            if hidden || !(from_crate || own.contains(&file)) {
                self.shared.push(place);
            }
        }
        let given = std::mem::take(&mut self.given_worlds);
        self.shared.extend(given.into_iter().filter(|_| hidden));
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
        } else if within.text.is_some() && is_call(behind) {
            // It may make anything of what stands there, which nobody has looked at.
            self.elsewhere.push(at(&format!("{name}!")));
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
        if name == EXTERN && !is_harmless_extern(behind) {
            self.unguarded.push(at(EXTERN));
        }
        self.has_macros |= name == "macro_rules";
        // Only of what is no keyword a raw name is the same.
        let name = name.strip_prefix("r#").filter(|name| *name != "static").unwrap_or(name);
        if UNGUARDED.contains(&name) {
            self.unguarded.push(at(name));
        } else if SHARED.contains(&name) || name.starts_with(LAZY) {
            self.shared.push(at(name));
        } else if name == "static" && !ends_with(before, &["'"]) {
            match constant(behind).filter(|_| !within.arguments) {
                Some(words) => self.constants.push((at("static"), words)),
                None => self.shared.push(at("static")),
            }
        } else if name == WORLD {
            self.note_world(stands);
        }
        if let Some(nested) = unsound(before, name, behind) {
            self.unsound.push(at(nested));
        }
        let taken = taken(behind);
        for (_, modules) in OUTSIDE.iter().filter(|(krate, _)| *krate == name) {
            let found = modules.iter().filter(|module| taken.iter().any(|one| one == *module));
            self.outside.extend(found.map(|module| at(&format!("{name}::{module}"))));
        }
        if name == TIME.0 && Of::before(before).or(within.of) == Some(Of::Std) {
            let found = TIME.1.iter().filter(|name| taken.iter().any(|one| one == *name));
            self.outside.extend(found.map(|name| at(&format!("std::time::{name}"))));
            // Taken as a whole.
            self.outside.extend((within.import && taken.is_empty()).then(|| at("std::time")));
        }
        self.outside.extend(DOORS.contains(&name).then(|| at(name)));
        // A macro may put together what it is given in parts.
        let given = within.macros && !begins_with(behind, &[":", ":"]);
        if name == "std" && given {
            self.given_std.push(at("std"));
        }
        if name == "labrt" {
            // A macro may take all of it.
            self.labrt_hidden |= within.macros || taken.iter().any(|one| one == "*");
            // By itself in a list; the rest was seen above.
            let listed = taken.len() > 1 && taken.iter().any(|one| one == WORLD);
            self.shared.extend(listed.then(|| at(WORLD)));
            // Whatever a macro is given: it may be that.
            let any = taken.iter().any(|one| one == ANY);
            self.shared.extend(any.then(|| at("labrt::$")));
            self.shared.extend(given.then(|| at(name)));
        }
    }
}

impl Found {
    /// The name of labrt's module with what all servers share; or of one of the crate's own.
    fn note_world(&mut self, stands: &Stands) {
        let Stands { within, before, behind, file, .. } = *stands;
        let own = Of::before(before)
            .or(within.of.filter(|_| before.is_empty() || ends_with(before, &[","])));
        let (from_crate, path) = (own == Some(Of::Own), ends_with(before, &[":", ":"]));
        if !within.macros && (ends_with(before, &["mod"]) || (within.import && from_crate)) {
            self.own_worlds.insert(file.to_owned());
        }
        let bare = !path && begins_with(behind, &[":", ":"]);
        if !within.macros && (from_crate || bare) {
            self.worlds.push((file.to_owned(), stands.at(WORLD), from_crate));
        } else if path || goes_on(behind) {
            self.shared.push(stands.at(WORLD));
        } else if within.macros {
            self.given_worlds.push(stands.at(WORLD));
        }
    }
}

/// True if what stands behind `extern` has it name a crate, or say how a function is called. All else declares what is
/// not there, for the linker to find.
fn is_harmless_extern(behind: &[TokenTree]) -> bool {
    match behind {
        [TokenTree::Literal(_), TokenTree::Ident(word), ..] => word == "fn",
        [TokenTree::Ident(word), ..] => word == "fn" || word == "crate",
        _ => false,
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
    let renamed = texts(behind).next().is_some_and(|word| word == "as");
    let function = matches!(behind, [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Parenthesis);
    let taken = (within.list || ends_with(before, &[":", ":"])) && !function;
    within.macros || is_call(behind) || renamed || taken
}

/// True if what is behind a name calls it as a macro.
fn is_call(behind: &[TokenTree]) -> bool {
    matches!(behind, [TokenTree::Punct(sign), TokenTree::Group(_), ..] if sign.as_char() == '!')
}

/// What stands in a text that is code, and where.
fn in_text(literal: &Literal) -> Option<(TokenStream, Within)> {
    Some((texts::code(literal)?, Within::in_text(literal.span().start().line)))
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
