//! The lines of source code that a trace speaks of, where the source is at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use run_record::trace::{Trace, Verdict};

/// Longer lines are cut off, in characters.
const LONGEST: usize = 160;

/// Lines by their place, `file:line`.
pub(super) type Sources = BTreeMap<String, String>;

/// The lines that a verdict names, and those that tasks are called by, which is where they were started.
/// Only for a trace that this program has made itself: others could name any file.
pub(super) fn at_hand(trace: &Trace) -> Sources {
    let here = env::current_dir().unwrap_or_default();
    let named = super::verdict(trace).map(places).unwrap_or_default();
    let tasks: BTreeSet<&str> = trace.events.iter().map(|event| event.task.as_str()).collect();
    let all = named.into_iter().chain(tasks.into_iter().filter_map(place));
    let lines = all.filter_map(|place| {
        let (file, line) = place.split_once(':')?;
        let text = fs::read_to_string(find(&here, file)?).ok()?;
        let text = text.lines().nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
        let text = text.trim().chars().take(LONGEST).collect();
        Some((place.clone(), text))
    });
    lines.collect()
}

/// Cargo names files from the workspace's folder on, and runs tests in that of their package. A task is
/// called by the bare name of a file, which is one of the package's if only one is called so.
fn find(here: &Path, file: &str) -> Option<PathBuf> {
    let from_above = here.ancestors().map(|root| root.join(file)).find(|path| path.is_file());
    from_above.or_else(|| {
        let mut alike = Vec::new();
        if !file.contains('/') {
            collect(&here.join("src"), file, &mut alike);
        }
        alike.pop().filter(|_| alike.is_empty())
    })
}

/// The files of this name in a folder and those within.
fn collect(folder: &Path, name: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), name, found),
            Ok(kind) if kind.is_file() && entry.file_name() == name => found.push(entry.path()),
            _ => {}
        }
    }
}

/// The places that a verdict names, in order, each once.
pub(super) fn places(verdict: &Verdict) -> Vec<String> {
    let texts = [verdict.location.as_deref(), verdict.task.as_deref()].into_iter().flatten();
    let texts = texts.chain(verdict.facts.iter().map(|fact| fact.text.as_str()));
    let texts = texts.chain(verdict.details.iter().map(String::as_str));
    let mut places = Vec::new();
    for place in texts.flat_map(places_in) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// The `file.rs:12` of a text, whatever is around it.
fn places_in(text: &str) -> Vec<String> {
    let is_around = |c: char| c.is_whitespace() || "`'\"()[]{},;".contains(c);
    text.split(is_around).filter_map(place).collect()
}

fn place(word: &str) -> Option<String> {
    let (file, rest) = word.split_once(".rs:")?;
    let line = rest.split(':').next()?;
    let is_line = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    (is_line && !file.is_empty()).then(|| format!("{file}.rs:{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_whatever_is_said() {
        let text = "task `labrpc` waits at zoo/raft-zoo/src/server.rs:129:32, held (taken at a/b.rs:122:36).";
        assert_eq!(places_in(text), ["zoo/raft-zoo/src/server.rs:129", "a/b.rs:122"]);
        assert_eq!(places_in("server.rs, lib.rs: and .rs:3 and x.rs:y"), Vec::<String>::new());
    }

    #[test]
    fn files_at_hand_are_found_and_others_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let package = dir.path().join("raft");
        fs::create_dir_all(package.join("src/rules")).expect("a folder");
        for file in ["src/lib.rs", "src/votes.rs", "src/rules/votes.rs", "src/rules/logs.rs"] {
            fs::write(package.join(file), "one\n    two();\n").expect("a file");
        }
        let found = |file| find(&package, file);
        assert_eq!(found("raft/src/lib.rs"), Some(package.join("src/lib.rs")));
        assert_eq!(found("src/lib.rs"), Some(package.join("src/lib.rs")));
        assert_eq!(found("logs.rs"), Some(package.join("src/rules/logs.rs")));
        assert_eq!(found("votes.rs"), None, "it may be any of two");
        assert_eq!(found("raft/src/other.rs"), None);
    }
}
