//! Marks in the code: which demand is met, proved, watched or broken where.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Kind;

/// A mark.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: Kind,
    /// The name of the demand.
    pub(super) demand: String,
    /// The file, from the workspace's root on, with `/` between folders.
    pub(super) file: String,
    /// The line of the mark, from 1 on.
    pub(super) line: usize,
    /// What it stands at, for the page: a function, a rule or a mistake.
    pub(super) place: String,
}

/// Adds the marks of all Rust files below a folder, in the order of their names.
pub(super) fn read(root: &Path, folder: &str, kind: Kind, marks: &mut Vec<Mark>) -> Result<()> {
    let here = || format!("cannot read {folder}");
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join(folder)).with_context(here)? {
        let name = entry.with_context(here)?.file_name();
        names.extend(name.into_string()); // others are none of ours
    }
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            read(root, &path, kind, marks)?;
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(root.join(&path));
            let text = text.with_context(|| format!("cannot read {path}"))?;
            marks.extend(marks_of(&text, &path, kind)?);
        }
    }
    Ok(())
}

/// The marks of a file with this text.
fn marks_of(text: &str, file: &str, kind: Kind) -> Result<Vec<Mark>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut marks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(names) = line.strip_prefix("//= ") else { continue };
        let Some(place) = place(&lines, at, kind) else {
            bail!("{file}:{}: this mark stands at nothing that has a name", at + 1);
        };
        marks.extend(names.split(',').map(|name| Mark {
            kind,
            demand: name.trim().to_string(),
            file: file.to_string(),
            line: at + 1,
            place: place.clone(),
        }));
    }
    Ok(marks)
}

/// What the mark in this line stands at.
fn place(lines: &[&str], mark: usize, kind: Kind) -> Option<String> {
    let below = lines[mark + 1..].iter().filter(|line| !is_comment(line));
    match kind {
        Kind::Mistake => {
            let name = below.into_iter().next()?.strip_suffix(',')?;
            Some(format!("`{name}`"))
        }
        Kind::Seen => rule(&lines[mark + 1..]).or_else(|| function(lines, mark)),
        Kind::Met | Kind::Proved => function(lines, mark),
    }
}

/// The name of the rule whose verdict is made in the next lines, up to the next function.
fn rule(below: &[&str]) -> Option<String> {
    let code =
        below.iter().filter(|line| !is_comment(line)).take_while(|line| name_in(line).is_none());
    let code: String = code.take(4).copied().collect();
    let (_, arguments) = code.split_once("verdict(")?;
    let name = arguments.strip_prefix('"')?.split('"').next()?;
    Some(format!("*{name}*"))
}

/// The function that begins at the mark; or the one that it stands in.
fn function(lines: &[&str], mark: usize) -> Option<String> {
    let next = lines[mark + 1..].iter().find(|line| !is_comment(line) && !line.starts_with("#["));
    let begins = next.and_then(|line| name_in(line));
    let name = begins.or_else(|| lines[..mark].iter().rev().find_map(|line| name_in(line)))?;
    Some(format!("`{name}`"))
}

/// The name of the function that begins in this line.
fn name_in(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("fn ").or_else(|| {
        line.starts_with("pub").then(|| line.split_once(" fn ").map(|(_, rest)| rest)).flatten()
    })?;
    rest.split(['(', '<']).next()
}

fn is_comment(line: &str) -> bool {
    line.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn place_of(kind: Kind, text: &str) -> String {
        let marks = marks_of(text, "a.rs", kind).unwrap();
        let [mark] = &marks[..] else { panic!("{marks:?}") };
        assert_eq!(mark.demand, "vote.once");
        mark.place.clone()
    }

    #[test]
    fn a_mark_stands_at_the_function_that_begins_there() {
        let text =
            "fn before() {}\n//= vote.once\n/// Votes.\n#[test]\npub(super) fn votes<R: Raft>(\n";
        assert_eq!(place_of(Kind::Met, text), "`votes`");
        assert_eq!(place_of(Kind::Seen, text), "`votes`");
    }

    #[test]
    fn or_at_the_one_around_it() {
        let text = "    fn votes(&self) {\n        //= vote.once\n        let free = true;\n";
        assert_eq!(place_of(Kind::Met, text), "`votes`");
    }

    #[test]
    fn in_a_rule_it_stands_at_the_verdict() {
        let text = "fn vote() {\n    //= vote.once\n    let broken = verdict(\n        \"one vote a term\",\n";
        assert_eq!(place_of(Kind::Seen, text), "*one vote a term*");
        let text = "fn vote() {\n    //= vote.once\n    Err(verdict(\"one vote\", words))\n";
        assert_eq!(place_of(Kind::Seen, text), "*one vote*");
    }

    #[test]
    fn in_a_zoo_it_stands_at_the_mistake() {
        let text = "    //= vote.once\n    /// A vote is not saved.\n    VoteNotSaved,\n";
        assert_eq!(place_of(Kind::Mistake, text), "`VoteNotSaved`");
    }

    #[test]
    fn one_mark_may_name_several() {
        let marks = marks_of("//= a, b\nfn f() {}\n", "a.rs", Kind::Met).unwrap();
        assert_eq!(marks.iter().map(|mark| mark.demand.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn a_mark_at_nothing_is_refused() {
        let error = marks_of("//= vote.once\nconst A: u8 = 1;\n", "a.rs", Kind::Met).unwrap_err();
        assert_eq!(error.to_string(), "a.rs:1: this mark stands at nothing that has a name");
    }
}
