//! Ways out of what a student's code may do, as far as its source shows them: named before anything is built.
//!
//! Two kinds are refused unless the instructor allows them: code that the language does not guard, and statics,
//! by which servers that should know each other by RPC alone could share what they like. What reaches past
//! the lab (variables, files) is only named: the room in which the code runs is what keeps it in.
//!
//! What would have the compiler take code from where nobody looks (`include!`, a `path` of a module) is refused as
//! statics are, and so is a file that is no Rust. This is for clear messages. What cannot be seen here (a macro's
//! doing) the compiler refuses as far as it is `unsafe`: see [`super::intake`].

use std::path::Path;

use anyhow::Result;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::allowed::Allowed;
use super::files::{sources, too_much_source};
use super::student::Student;

/// How many places of a kind are named.
const NAMED: usize = 5;

/// What is no Rust to us cannot be searched.
const UNREAD: &str = "the crate does not compile, or has a file that ends in .rs and is no Rust: fix it or leave it out";

/// Attributes that reach the linker by words that mean something else elsewhere.
const LINKING: [&str; 3] = ["link", "link_args", "link_name"];
/// The macro that takes the text of another file for code; and the attribute.
const INCLUDE: &str = "include";
const PATH: &str = "path";
/// Words that step out of what the language guards. All but the first are attributes that reach the linker.
const UNGUARDED: [&str; 4] = ["unsafe", "no_mangle", "export_name", "link_section"];
/// A panic hook is a place for all of a process, as a static is.
const SHARED: [&str; 2] = ["set_hook", "take_hook"];
/// The module of labrt with what all servers of a run share.
const WORLD: &str = "world";
/// Modules through which code learns, or does, more than a server should, such as a test's name.
const OUTSIDE: [(&str, &[&str]); 2] =
    [("std", &["env", "fs", "net", "process"]), ("labrt", &["env", "node", "observe"])];
/// The words of a type that nothing can be written to. `static` is here for its lifetime.
const CONSTANT: &str = "& ' [ ] ; < > , static str bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 \
    isize f32 f64 Duration";

/// What a source has, in words with their places.
#[derive(Debug, Default, PartialEq)]
struct Found {
    unguarded: Vec<String>,
    shared: Vec<String>,
    outside: Vec<String>,
    /// Code from where nobody looks.
    elsewhere: Vec<String>,
    /// Files that are no Rust.
    unread: Vec<String>,
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
        // With each: whether it is of an attribute.
        let mut left = vec![(stream, false)];
        while let Some((stream, attribute)) = left.pop() {
            let trees: Vec<TokenTree> = stream.into_iter().collect();
            for (place, tree) in trees.iter().enumerate() {
                let (before, behind) = (&trees[..place], &trees[place + 1..]);
                match tree {
                    TokenTree::Group(group) => {
                        let begins = group.delimiter() == Delimiter::Bracket
                            && (ends_with(before, &["#"]) || ends_with(before, &["#", "!"]));
                        left.push((group.stream(), attribute || begins));
                    }
                    TokenTree::Ident(name) => {
                        let line = name.span().start().line;
                        let at = |what: &str| format!("`{what}` at {}:{line}", file.display());
                        let name = name.to_string();
                        self.note_elsewhere(&name, attribute, before, behind, at);
                        self.note(&name, before, behind, at);
                    }
                    _ => {}
                }
            }
        }
    }

    /// A name that may take in code from elsewhere.
    fn note_elsewhere(
        &mut self,
        name: &str,
        attribute: bool,
        before: &[TokenTree],
        behind: &[TokenTree],
        at: impl Fn(&str) -> String,
    ) {
        let name = name.strip_prefix("r#").unwrap_or(name);
        if attribute && LINKING.contains(&name) {
            self.unguarded.push(at(name));
        }
        // Whatever is done with the macro's name: another name for it would do as well.
        if name == INCLUDE {
            self.elsewhere.push(at(name));
        }
        let assigned = || {
            let usual = [".", "let", "mut"].iter().any(|word| ends_with(before, &[word]));
            let literal = matches!(behind.get(1), Some(TokenTree::Literal(_)));
            !usual && literal && texts(behind).next().is_some_and(|sign| sign == "=")
        };
        // What a macro makes an attribute of counts too.
        if name == PATH && (attribute || assigned()) {
            self.elsewhere.push(at(name));
        }
    }

    /// A name, with what stands before it and behind it.
    fn note(
        &mut self,
        name: &str,
        before: &[TokenTree],
        behind: &[TokenTree],
        at: impl Fn(&str) -> String,
    ) {
        // Only of what is no keyword a raw name is the same.
        let name = name.strip_prefix("r#").filter(|name| *name != "static").unwrap_or(name);
        if UNGUARDED.contains(&name) {
            self.unguarded.push(at(name));
        } else if SHARED.contains(&name) {
            self.shared.push(at(name));
        } else if name == "static" && !ends_with(before, &["'"]) && !is_constant(behind) {
            self.shared.push(at("static"));
        } else if name == WORLD && (ends_with(before, &[":", ":"]) || goes_on(behind)) {
            self.shared.push(at(WORLD));
        }
        let taken = taken(behind);
        for (_, modules) in OUTSIDE.iter().filter(|(krate, _)| *krate == name) {
            let found = modules.iter().filter(|module| taken.iter().any(|one| one == *module));
            self.outside.extend(found.map(|module| at(&format!("{name}::{module}"))));
        }
        // By itself in a list; the rest was seen above.
        if name == "labrt" && taken.len() > 1 && taken.iter().any(|one| one == WORLD) {
            self.shared.push(at(WORLD));
        }
    }
}

/// True if what is behind a name has it be a part of a path, or another name for it follows.
fn goes_on(behind: &[TokenTree]) -> bool {
    let first: Vec<String> = texts(&behind[..behind.len().min(2)]).collect();
    first == [":", ":"] || first.first().is_some_and(|word| word == "as")
}

/// What is taken out of a module whose name stands before this: `::name`, or all in `::{a, b}`.
fn taken(behind: &[TokenTree]) -> Vec<String> {
    match behind {
        [TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Ident(name), ..] => {
            vec![name.to_string()]
        }
        [TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Group(list), ..] => {
            list.stream().into_iter().map(|tree| tree.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

fn texts(trees: &[TokenTree]) -> impl Iterator<Item = String> {
    trees.iter().map(ToString::to_string)
}

fn ends_with(trees: &[TokenTree], words: &[&str]) -> bool {
    let begin = trees.len().checked_sub(words.len());
    begin.is_some_and(|begin| texts(&trees[begin..]).eq(words.iter().copied()))
}

/// True if this is the rest of a static that nothing can be written to: a name, `:`, such a type, `=`.
fn is_constant(behind: &[TokenTree]) -> bool {
    if !matches!(behind, [TokenTree::Ident(_), TokenTree::Punct(colon), ..] if colon.as_char() == ':')
    {
        return false;
    }
    let mut left: Vec<Vec<TokenTree>> =
        vec![behind[2..].iter().take_while(|tree| tree.to_string() != "=").cloned().collect()];
    while let Some(trees) = left.pop() {
        for tree in trees {
            match tree {
                TokenTree::Group(group) => left.push(group.stream().into_iter().collect()),
                TokenTree::Literal(_) => {}
                tree => {
                    if !CONSTANT.split_whitespace().any(|word| tree.to_string() == word) {
                        return false;
                    }
                }
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        let mut found = Found::default();
        found.look(Path::new("a.rs"), text.parse().expect("Rust"));
        found
    }

    #[test]
    fn only_code_is_unguarded() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nfn a() { let x = \"unsafe\"; }\n\
                    macro_rules! m { () => { unsafe { f() } } }\n#[unsafe(no_mangle)] fn g() {}";
        let mut unguarded = found(text).unguarded;
        unguarded.sort();
        assert_eq!(
            unguarded,
            ["`no_mangle` at a.rs:5", "`unsafe` at a.rs:4", "`unsafe` at a.rs:5"]
        );
    }

    #[test]
    fn a_static_that_can_hold_state_is_named_and_a_constant_is_not() {
        for shared in [
            "static COUNT: AtomicU64 = AtomicU64::new(0);",
            "static S: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();",
            "static mut N: u32 = 0;",
            "thread_local! { static T: Cell<u32> = const { Cell::new(0) }; }",
            "lazy_static! { static ref X: u32 = 7; }",
            "static T: Table = Table(1);",
            "fn f() { std::panic::set_hook(h); }",
            "use labrt::world;",
            "use l::{world as w};",
            "use labrt::{thread, world};",
            "fn f() { l::world::local::<Table>(); }",
        ] {
            assert_eq!(found(shared).shared.len(), 1, "{shared}");
        }
        for constant in [
            "static NAMES: [&'static str; 2] = [\"a\", \"b\"];",
            "static LIMIT: Duration = Duration::from_millis(1);",
            "fn f(x: &'static Mutex<u32>) {}",
            "const M: AtomicU64 = AtomicU64::new(0);",
        ] {
            assert_eq!(found(constant), Found::default(), "{constant}");
        }
    }

    /// What is found in a file, whether it is Rust or not.
    fn read(text: &str) -> Found {
        let mut found = Found::default();
        found.read(Path::new("a.rs"), text);
        found
    }

    #[test]
    fn what_is_no_rust_is_not_taken_for_empty() {
        for text in ["fn f() {\n\"", "fn f( {", "\u{feff}/*", "#![allow(x)]\n\""] {
            assert_eq!(read(text).unread.len(), 1, "{text}");
        }
        let line = &read("// one\nfn f() { \"").unread[0];
        assert!(line.starts_with("a.rs:"), "{line}");
    }

    #[test]
    fn a_first_line_for_a_shell_hides_nothing() {
        let hidden = "static COUNT: AtomicU64 = AtomicU64::new(0);";
        for first in
            ["#!/bin/x \"", "#! x (", "\u{feff}#!/bin/x '", "#!", "#!// x", "#![a]", "#! [a]"]
        {
            let found = read(&format!("{first}\n{hidden}\n"));
            assert_eq!(found.shared, ["`static` at a.rs:2"], "{first}: {found:?}");
        }
        for first in ["#!/* */ [a]", "#! \u{200e}[a]"] {
            assert!(read(&format!("{first} {hidden}")) != Found::default(), "{first}");
        }
    }

    #[test]
    fn code_from_elsewhere_is_named() {
        for text in [
            "include!(\"shared.txt\");",
            "std::r#include!(\"shared.txt\");",
            "use std::{include as i};",
            "m!(include);",
            "#[path = \"shared.inc\"] mod shared;",
            "#[cfg_attr(all(), path = \"shared.inc\")] mod shared;",
            "m!(path = \"shared.inc\");",
        ] {
            assert_eq!(read(text).elsewhere.len(), 1, "{text}");
        }
        for text in [
            "let path = \"x\"; self.path = \"y\"; let p = path(1);",
            "const README: &str = include_str!(\"../README.md\");",
            "#[derive(Debug)] struct A { path: String }",
        ] {
            assert_eq!(read(text), Found::default(), "{text}");
        }
        let found =
            read("#[link(name = \"x\")] extern \"C\" {} fn f() { std::panic::r#set_hook(h); }");
        assert_eq!((found.unguarded.len(), found.shared.len()), (1, 1), "{found:?}");
    }

    #[test]
    fn what_reaches_past_the_lab_is_named() {
        let text = "use std::{fs, sync::Arc};\nfn f() { std::env::args(); self.process(); }";
        assert_eq!(found(text).outside, ["`std::fs` at a.rs:1", "`std::env` at a.rs:2"]);
        let text = "use labrt::{env, thread};\nuse labrt::sync::Mutex;\nlet world = env;";
        assert_eq!(found(text).outside, ["`labrt::env` at a.rs:1"]);
        assert_eq!(found(text).shared, [""; 0]);
    }
}
