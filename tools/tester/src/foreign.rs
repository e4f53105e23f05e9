//! Clocks, threads and locks that are not labrt's, in the source of the code under test.
//!
//! A simulated run does not control them: the code waits for a clock that stands still, or no two runs are
//! alike. The verdict of such a run speaks of what came of that, and rarely of the cause. So the source is
//! looked through for the names that `clippy.toml` refuses. This is a guess for people and no more: it
//! reads names, not types, and only in the package that the test is run in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The names that a simulation must not touch, each with what to use instead.
const REFUSED: &str = include_str!("../../../clippy.toml");
/// How many places are named.
const SHOWN: usize = 3;

/// What has gone wrong, as far as it matters for what may be the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A run has failed.
    Failed,
    /// Two runs with one seed differ: the order of a hash table may be the cause as well.
    Differed,
}

/// A place that has such a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    line: usize,
    name: &'static str,
    /// What to use instead.
    instead: &'static str,
}

/// Lines for the verdict of a simulated run: what a package uses that is not labrt's. None if there is
/// nothing, or nothing that could be read.
pub(crate) fn lines(package: &Path, trouble: Trouble) -> Vec<String> {
    let mut files = Vec::new();
    sources(&package.join("src"), &mut files);
    files.sort();
    let mut places = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let shown = file.strip_prefix(package).unwrap_or(&file);
        places.extend(places_in(&text, shown));
    }
    places.retain(|place| {
        trouble == Trouble::Differed || !place.name.starts_with("std::collections")
    });
    let mut lines: Vec<String> = places.iter().take(SHOWN).map(words).collect();
    if !lines.is_empty() {
        let more = match places.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" ({more} more)"),
        };
        lines.push(format!("`cargo clippy` shows each such line{more}"));
    }
    lines
}

fn words(place: &Place) -> String {
    let Place { file, line, name, instead } = place;
    let clock = ["time", "sleep", "park_timeout"].iter().any(|word| name.contains(word));
    let what = if clock { "this is not labrt's clock" } else { "this is not labrt's" };
    format!("{what}: {}:{line} uses {name} ({instead})", file.display())
}

/// All files of Rust in a folder.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        // A link may lead round in a circle.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The refused names, each with what to use instead.
fn refused() -> impl Iterator<Item = (&'static str, &'static str)> {
    REFUSED.lines().filter_map(|line| {
        let value = |key: &str| line.split_once(&format!("{key} = \""))?.1.split('"').next();
        Some((value("path")?, value("reason")?))
    })
}

/// The places in a source that use a refused name. Each line of it counts once.
fn places_in(text: &str, file: &Path) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (line, path) in paths(&tokens(text)) {
        let is = |name: &str| {
            path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let Some((name, instead)) = refused().find(|(name, _)| is(name)) else { continue };
        if places.last().is_none_or(|last| last.line != line) {
            places.push(Place { file: file.to_owned(), line, name, instead });
        }
    }
    places
}

/// A word or a sign of the source, and its line.
type Token<'a> = (usize, &'a str);

/// The words and those signs that matter for paths; `::` is one. Comments and texts are left out.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut line, mut rest) = (Vec::new(), 1, text);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if let Some(comment) = rest.strip_prefix("//") {
            2 + comment.find('\n').unwrap_or(comment.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            2 + comment.find("*/").map_or(comment.len(), |end| end + 2)
        } else if first == '"' {
            1 + end_of_text(&rest[1..])
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find("'").map_or(rest.len(), |end| end + 2)
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push((line, &rest[..length]));
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            if !first.is_whitespace() {
                tokens.push((line, &rest[..length]));
            }
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of what is left of a text in quotes, with its last quote.
fn end_of_text(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// The paths of a source, with what its `use` lines say put in for short names; those lines too.
fn paths(tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let (mut paths, mut names) = (Vec::new(), Names::of(tokens));
    let mut at = 0;
    while let Some(&(line, word)) = tokens.get(at) {
        let begins = word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
        if word == "use" {
            at += 1;
            imports(tokens, &mut at, "", &mut paths, &mut names);
        } else if begins {
            // What follows `.` is a field or a method, and what follows `::` stands in something else.
            let is_first = at == 0 || ![".", "::"].contains(&tokens[at - 1].1);
            let mut path = word.to_string();
            at += 1;
            while let [(_, "::"), (_, next), ..] = &tokens[at..] {
                path = format!("{path}::{next}");
                at += 2;
            }
            let meanings = match is_first {
                true => names.meanings(path, tokens.get(at).is_some_and(|(_, next)| *next == "(")),
                false => vec![path],
            };
            paths.extend(meanings.into_iter().map(|path| (line, path)));
        } else {
            at += 1;
        }
    }
    paths
}

/// What the names of a source mean.
#[derive(Default)]
struct Names {
    /// By its `use` lines.
    known: BTreeMap<String, String>,
    /// Of what it takes all names in, such as `std::thread` by `use std::thread::*`.
    globs: Vec<String>,
    /// What it gives a meaning of its own to, somewhere.
    own: BTreeSet<String>,
}

impl Names {
    /// Before any `use` was read.
    fn of(tokens: &[Token<'_>]) -> Names {
        let defines = |word| {
            ["fn", "struct", "enum", "union", "trait", "type", "mod", "const", "static"]
                .contains(&word)
        };
        let pairs = tokens.windows(2).filter(|pair| defines(pair[0].1));
        Names { own: pairs.map(|pair| pair[1].1.to_string()).collect(), ..Names::default() }
    }

    /// What a path may mean that nothing stands before, and which is called or is not.
    fn meanings(&self, path: String, is_called: bool) -> Vec<String> {
        let (word, rest) = path.split_at(path.find("::").unwrap_or(path.len()));
        if let Some(meaning) = self.known.get(word) {
            return vec![format!("{meaning}{rest}")];
        }
        // A small word may be anything, such as an argument, unless it is called.
        let is_plain = rest.is_empty() && !is_called && word.starts_with(char::is_lowercase);
        let of_globs = match is_plain || self.own.contains(word) {
            true => Vec::new(),
            false => self.globs.iter().map(|glob| format!("{glob}::{path}")).collect(),
        };
        [path].into_iter().chain(of_globs).collect()
    }
}

/// Reads one branch of a `use`, behind this prefix: each whole path, and the name it has from here on.
fn imports(
    tokens: &[Token<'_>],
    at: &mut usize,
    prefix: &str,
    paths: &mut Vec<(usize, String)>,
    names: &mut Names,
) {
    let mut path = prefix.to_string();
    let mut name = None;
    let mut place = 0;
    while let Some(&(line, word)) = tokens.get(*at) {
        match word {
            "{" => return branches(tokens, at, &path, paths, names),
            "::" => {}
            "*" => {
                names.globs.push(path.clone());
                name = None;
            }
            "self" => name = path.rsplit("::").next().map(str::to_string),
            "as" => {
                *at += 1;
                name = tokens.get(*at).map(|(_, name)| name.to_string());
            }
            word if word.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                path = if path.is_empty() { word.to_string() } else { format!("{path}::{word}") };
                name = Some(word.to_string());
                place = line;
            }
            // The end of the branch, for whoever is above to see.
            _ => break,
        }
        *at += 1;
    }
    names.known.extend(name.map(|name| (name, path.clone())));
    paths.push((place, path));
}

/// Reads the branches of a `use` between braces.
fn branches(
    tokens: &[Token<'_>],
    at: &mut usize,
    prefix: &str,
    paths: &mut Vec<(usize, String)>,
    names: &mut Names,
) {
    *at += 1;
    while let Some((_, word)) = tokens.get(*at) {
        let before = *at;
        match *word {
            "," => *at += 1,
            "}" => {
                *at += 1;
                return;
            }
            _ => imports(tokens, at, prefix, paths, names),
        }
        // Nothing that can stand here.
        if *at == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, &'static str)> {
        places_in(text, Path::new("src/x.rs"))
            .iter()
            .map(|place| (place.line, place.name))
            .collect()
    }

    #[test]
    fn names_are_found_in_whole_and_by_what_use_says() {
        for (text, expected) in [
            ("let x = std::time::Instant::now();", (1, "std::time::Instant")),
            ("use std::time::Instant;", (1, "std::time::Instant")),
            ("use std::time::{\n  Duration,\n  Instant,\n};", (3, "std::time::Instant")),
            ("use std::{sync::Arc, time::{self, Instant as Now}};", (1, "std::time::Instant")),
            ("use std::thread;\nfn f() {\n    thread::sleep(x);\n}", (3, "std::thread::sleep")),
            ("use std::thread as t;\n\nt::sleep(x)", (3, "std::thread::sleep")),
            ("use std::{self, time};\ntime::SystemTime::now()", (2, "std::time::SystemTime")),
            ("x(::std::thread::spawn(|| ()))", (1, "std::thread::spawn")),
            ("async fn f() { tokio::time::sleep(x).await }", (1, "tokio::time::sleep")),
            ("let (tx, rx) = std::sync::mpsc::channel();", (1, "std::sync::mpsc::channel")),
            ("use std::sync::mpsc;\n\nmpsc::channel::<u8>()", (3, "std::sync::mpsc::channel")),
            ("use std::sync::mpsc;\nmpsc::sync_channel(1)", (2, "std::sync::mpsc::sync_channel")),
            ("use std::sync::mpsc::SyncSender;", (1, "std::sync::mpsc::SyncSender")),
            ("use crossbeam_channel as c;\nc::unbounded()", (2, "crossbeam_channel::unbounded")),
            ("use tokio::sync::mpsc;\nmpsc::channel(1)", (2, "tokio::sync::mpsc::channel")),
            ("rand::thread_rng().random()", (1, "rand::thread_rng")),
            ("use rand;\nrand::rng()", (2, "rand::rng")),
            // By what all names were taken in of.
            ("use std::thread::*;\nfn f() {\n    sleep(d)\n}", (3, "std::thread::sleep")),
            ("use std::time::*;\nlet x = Instant::now();", (2, "std::time::Instant")),
            ("use std::{io, time::*};\nfn f(x: SystemTime) {}", (2, "std::time::SystemTime")),
            ("use std::sync::*;\nmpsc::channel()", (2, "std::sync::mpsc::channel")),
            ("use std::*;\nthread::spawn(|| ())", (2, "std::thread::spawn")),
            ("use std::collections::{BTreeMap, HashMap};", (1, "std::collections::HashMap")),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_is_labrt_s_or_no_code_is_left_alone() {
        for text in [
            "use labrt::time::Instant;\nlet x = Instant::now();",
            "use labrt::{thread, sync::{Mutex, Condvar}};\nthread::sleep(x);",
            "use std::time::Duration;\nuse std::sync::{Arc, atomic};",
            "// std::time::Instant\n/* std::thread::sleep */ /// std::thread::spawn",
            "let x = \"std::time::Instant \\\" std::time::Instant\"; let y = '\"';",
            "let sleep = std::thread::sleepless;",
            "use std::sync::*;\nuse labrt::sync::Mutex;\nfn f(x: Mutex<Arc<u8>>) {}",
            "use std::thread::*;\nfn f(park: bool) { x.sleep(d); labrt::thread::sleep(d); own::spawn() }",
            "use std::time::*;\nstruct Instant;\nfn f(x: Instant) -> Duration { x }",
            "use super::*;\nuse labrt::thread::*;\nsleep(d)",
            "use",
            "use {",
            "use std::{;}",
            "fn f() -> impl Fn() + use<'_> { x }",
            "use std::{time::{",
            "\"",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_package_is_looked_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join("src").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        file("lib.rs", "use std::collections::HashMap;\nuse std::sync::Mutex;\n");
        file("timers/mod.rs", "\nuse std::time::Instant;\nfn f(x: Instant) {}\n");
        let failed = lines(folder.path(), Trouble::Failed);
        assert_eq!(
            failed,
            [
                "this is not labrt's: src/lib.rs:2 uses std::sync::Mutex (use labrt::sync::Mutex)",
                "this is not labrt's clock: src/timers/mod.rs:2 uses std::time::Instant (use \
                 labrt::time::Instant)",
                "this is not labrt's clock: src/timers/mod.rs:3 uses std::time::Instant (use \
                 labrt::time::Instant)",
                "`cargo clippy` shows each such line",
            ]
        );
        let differed = lines(folder.path(), Trouble::Differed);
        assert!(
            differed[0].contains("src/lib.rs:1 uses std::collections::HashMap"),
            "{differed:?}"
        );
        assert_eq!(differed.last().expect("lines"), "`cargo clippy` shows each such line (1 more)");
        assert!(lines(&folder.path().join("src/timers"), Trouble::Differed).is_empty());
    }
}
