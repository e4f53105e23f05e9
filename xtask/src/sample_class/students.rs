//! Who is in the class.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::copies::{Change, copy};
use super::{File, Student, troubles};
use crate::calibrate;
use crate::labs::Lab;

/// Right Rafts of the zoo of odd ones.
const ODD: [&str; 6] =
    ["thread_per_call", "replicators", "event_loop", "pipelined", "pre_vote", "check_quorum"];

/// What a copy calls otherwise. The fields of messages stay: what a rule cannot read, it does not judge.
const RENAMED: [(&str, &str); 6] = [
    ("reset_election_timer", "restart_clock"),
    ("start_election", "campaign"),
    ("lead_if_elected", "take_over"),
    ("persist", "keep"),
    ("others", "rest"),
    ("ticker", "clockwork"),
];

/// All of the class.
pub(super) fn all(workspace: &Path) -> Result<Vec<Student>> {
    let student = |folder: String, files| Student { folder, files };
    let mut students = Vec::new();
    let lab = Lab::named("2").map_err(anyhow::Error::msg)?;
    for mistake in calibrate::mistakes(lab, workspace)? {
        let files = from_zoo(workspace, &mistake)?;
        students.push(student(format!("wrong-{mistake}"), files));
    }
    let right = from_zoo(workspace, "Correct")?;
    for odd in ODD {
        students.push(student(format!("right-{odd}"), odd_raft(workspace, odd)?));
    }
    students.push(student("right-reference".to_string(), copy(workspace, "raft", &[])?));
    let election_only = blocking(workspace, &[])?;
    let copies = [
        ("copy-renamed", renamed(&right)?),
        ("copy-in-another-order", in_another_order(&right)),
        ("copy-without-comments", without_comments(&right)),
        ("copy-of-a-wrong-one", renamed(&from_zoo(workspace, "LongerLogWins")?)?),
        ("copy-of-half-a-lab", in_another_order(&election_only)),
    ];
    students.extend(copies.map(|(name, files)| student(name.to_string(), files)));
    students.push(student("right-zoo".to_string(), right));
    students.push(student("half-a-lab".to_string(), election_only));
    students.extend(troubles::all(workspace)?);
    Ok(students)
}

/// The zoo's Raft with a mistake, as if there were no others and none to choose.
fn from_zoo(workspace: &Path, mistake: &str) -> Result<Vec<File>> {
    let own = format!("/// My Raft.\npub type Raft = {mistake};\n");
    let choice = "/// The bug that the environment variable `RAFT_ZOO` names...";
    copy(
        workspace,
        "zoo/raft-zoo",
        &[("src/lib.rs", choice, &own), ("src/lib.rs", "use std::sync::OnceLock;\n", "")],
    )
}

/// An odd Raft, with nothing in it that chooses which, and without the one that is not ours.
fn odd_raft(workspace: &Path, odd: &str) -> Result<Vec<File>> {
    let chosen = format!("\"{odd}\".parse().expect(\"a known name\")");
    let choice = "src/choice.rs";
    let changes: &[Change<'_>] = &[
        ("src/lib.rs", "mod tikv;\n", ""),
        ("src/lib.rs", "use tikv::Tikv;\n", ""),
        ("src/lib.rs", "pub use choice::{Odd, VARIABLE, choose};", "pub use choice::Odd;"),
        (
            "src/lib.rs",
            "match odd.tikv() {\n            Some(name) => Tikv::run(name, peers, me, persister, \
             apply)?,\n            None => driver::run(&odd, peers, me, persister, apply)?,\n        }",
            "driver::run(&odd, peers, me, persister, apply)?",
        ),
        (
            "src/lib.rs",
            "ours.or_else(|| tikv::Saved::restore(saved).ok().map(|saved| saved.meaning()))",
            "ours",
        ),
        ("src/lib.rs", "...", "\n/// My Raft.\npub type Raft = OddRaft;\n"),
        (choice, "use std::sync::OnceLock;\n", ""),
        (choice, "use labrt::world;\n", ""),
        (
            choice,
            "let given = world::inherited::<Slot>().and_then(|slot| slot.0.get().cloned());\n        \
             given.unwrap_or_else(|| {\n            let name = labrt::env::var(VARIABLE)\
             .unwrap_or_default();\n            name.parse().unwrap_or_else(|words| \
             panic!(\"{VARIABLE}={name}: {words}\"))\n        })",
            &chosen,
        ),
        (choice, "/// What was chosen for a world....", ""),
        ("src/dress/table.rs", "pub(crate) static DRESSES", "pub(crate) const DRESSES"),
    ];
    let mut files = copy(workspace, "zoo/odd-rafts", changes)?;
    files.retain(|(path, _)| !path.starts_with("src/tikv"));
    Ok(files)
}

/// A Raft that does elections and no more.
pub(super) fn blocking(workspace: &Path, changes: &[Change<'_>]) -> Result<Vec<File>> {
    let own = ("src/lib.rs", "...", "\n/// My Raft.\npub type Raft = BlockingRaft;\n");
    copy(workspace, "zoo/blocking-raft", &[&[own], changes].concat())
}

/// The sources of a crate, each changed in the same way.
fn each_source(files: &[File], change: impl Fn(&str) -> String) -> Vec<File> {
    let changed = |(path, text): &File| match path.starts_with("src/") {
        true => (path.clone(), change(text)),
        false => (path.clone(), text.clone()),
    };
    files.iter().map(changed).collect()
}

fn renamed(files: &[File]) -> Result<Vec<File>> {
    for (name, _) in RENAMED {
        let known = files.iter().any(|(_, text)| text.contains(name));
        ensure!(known, "nothing is called `{name}` any more");
    }
    Ok(each_source(files, |text| {
        RENAMED.iter().fold(text.to_string(), |text, (old, new)| whole_words(&text, old, new))
    }))
}

/// Replaces a name where it is not part of a longer one.
fn whole_words(text: &str, old: &str, new: &str) -> String {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(old) {
        let (before, behind) = (&rest[..place], &rest[place + old.len()..]);
        let alone = !before.ends_with(in_name) && !behind.starts_with(in_name);
        out.push_str(before);
        out.push_str(if alone { new } else { old });
        rest = behind;
    }
    out + rest
}

/// What stands at the end of each source stands at its beginning, but for what has to be there.
fn in_another_order(files: &[File]) -> Vec<File> {
    each_source(files, |text| {
        let mut items: Vec<&str> = text.split_inclusive("\n}\n").collect();
        if items.len() < 4 {
            return text.to_string();
        }
        // Documentation of the whole and macros stand before what needs them.
        let first = items.remove(0);
        items.rotate_left(1);
        [&[first], &items[..]].concat().concat()
    })
}

fn without_comments(files: &[File]) -> Vec<File> {
    each_source(files, |text| {
        let code = |line: &&str| !line.trim_start().starts_with("//");
        text.split_inclusive('\n').filter(code).collect()
    })
}

/// The text of a file.
pub(super) fn text<'a>(files: &'a [File], path: &str) -> Result<&'a str> {
    let file = files.iter().find(|(name, _)| name == path);
    file.map(|(_, text)| text.as_str()).with_context(|| format!("there is no {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn nothing_of_a_copy_chooses_what_it_is() {
        let crates = [from_zoo(&workspace(), "LongerLogWins"), odd_raft(&workspace(), "pre_vote")];
        for files in crates {
            for (path, text) in files.expect("the sources are as we know them") {
                for way_out in ["env::var", "world::", "OnceLock", "tikv::"] {
                    let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
                    assert!(!text[..tests].contains(way_out), "{path}: {way_out}");
                }
            }
        }
    }

    #[test]
    fn names_are_replaced_as_a_whole() {
        assert_eq!(
            whole_words("persist(); persister; x.persist", "persist", "keep"),
            "keep(); persister; x.keep"
        );
    }

    #[test]
    fn a_copy_has_the_same_code_in_another_form() {
        let right = from_zoo(&workspace(), "Correct").expect("the sources are as we know them");
        let server = "src/server.rs";
        let before = text(&right, server).expect("a file");
        for copy in
            [renamed(&right).expect("names"), in_another_order(&right), without_comments(&right)]
        {
            let after = text(&copy, server).expect("a file");
            assert!(after != before && after.contains("fn make("));
        }
    }
}
