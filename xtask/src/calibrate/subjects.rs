//! What is graded for a calibration: the zoos' mistakes, and solutions that are right.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::labs::Lab;

/// A solution whose points are known beforehand, or should be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    /// What it is called in the table.
    pub(super) name: String,
    /// Its crate, within this workspace.
    pub(super) dir: &'static str,
    /// How its types are told to `grade`.
    pub(super) types: &'static [&'static str],
    /// The variable that chooses it, and its value.
    variable: Option<(&'static str, String)>,
    /// It is right, so it should lose nothing.
    pub(super) right: bool,
}

/// A crate with many mistakes, one of which a variable chooses.
struct Zoo {
    lab: &'static str,
    dir: &'static str,
    /// The file with the list of its mistakes.
    list: &'static str,
    types: &'static [&'static str],
    variable: &'static str,
}

const ZOOS: [Zoo; 3] = [
    Zoo {
        lab: "2",
        dir: "zoo/raft-zoo",
        list: "src/kinds.rs",
        types: &["Chosen"],
        variable: "RAFT_ZOO",
    },
    Zoo {
        lab: "3",
        dir: "zoo/kv-zoo",
        list: "src/lib.rs",
        types: &["Server=StudentKv<student::Chosen>", "Clerk=StudentClerk<student::Chosen>"],
        variable: "KV_ZOO",
    },
    Zoo {
        lab: "4",
        dir: "zoo/shard-zoo",
        list: "src/lib.rs",
        types: &[
            "Server=StudentShards<student::Chosen, student::StudentControllerClerk>",
            "Clerk=StudentClerk<student::Chosen, student::StudentControllerClerk>",
            "Controller=StudentController<student::Chosen>",
            "ControllerClerk=StudentControllerClerk",
        ],
        variable: "SHARD_ZOO",
    },
];

/// Rafts that are right, each in its own way.
const ODD: [&str; 3] = ["thread_per_call", "replicators", "event_loop"];

impl Subject {
    /// The variables that choose it.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.variable.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// The crate of a lab's zoo and its types, which are right as long as no variable chooses a mistake.
pub(super) fn right(lab: &Lab) -> Option<(&'static str, &'static [&'static str])> {
    let zoo = ZOOS.iter().find(|zoo| zoo.lab == lab.number)?;
    Some((zoo.dir, zoo.types))
}

/// All subjects of a lab, the right ones first.
///
/// # Errors
/// If a list of mistakes cannot be read.
pub(super) fn of(lab: &Lab, workspace: &Path) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    if lab.number == "2" {
        let right = |name: &str, dir, types, variable| Subject {
            name: name.to_string(),
            dir,
            types,
            variable,
            right: true,
        };
        subjects.push(right("the reference", "raft", &[][..], None));
        subjects.extend(ODD.map(|odd| {
            let variable = Some(("ODD_RAFT", odd.to_string()));
            right(odd, "zoo/odd-rafts", &["OddRaft"][..], variable)
        }));
    }
    for zoo in ZOOS.iter().filter(|zoo| zoo.lab == lab.number) {
        let subject = |mistake: Option<String>| Subject {
            name: mistake.clone().unwrap_or_else(|| format!("{} without a mistake", zoo.dir)),
            dir: zoo.dir,
            types: zoo.types,
            right: mistake.is_none(),
            variable: mistake.map(|mistake| (zoo.variable, mistake)),
        };
        let file = workspace.join(zoo.dir).join(zoo.list);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mistakes = mistakes(&text);
        ensure!(!mistakes.is_empty(), "{} lists no mistakes", file.display());
        subjects.push(subject(None));
        subjects.extend(mistakes.into_iter().map(Some).map(subject));
    }
    Ok(subjects)
}

/// The names in `zoo! { ... }`: one a line, between their documentation.
fn mistakes(source: &str) -> Vec<String> {
    let list = source.split_once("\nzoo! {").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| *line != "}");
    let names = lines.filter_map(|line| line.trim().strip_suffix(','));
    names.filter(|name| name.chars().all(char::is_alphanumeric)).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(number: &str) -> Vec<String> {
        let lab = Lab::named(number).expect("a lab");
        let subjects = of(lab, &crate::workspace()).expect("subjects");
        let wrong = subjects.into_iter().filter(|subject| !subject.right);
        wrong.map(|subject| subject.name).collect()
    }

    #[test]
    fn each_mistake_of_a_zoo_is_a_subject() {
        let rafts = names("2");
        for name in ["VoteNotPersisted", "LockOrder", "AppliesUnderLock"] {
            assert!(rafts.iter().any(|raft| raft == name), "{rafts:?}");
        }
        let services = names("3");
        assert!(services.contains(&"SnapshotNotRead".to_string()), "{services:?}");
        let shards = names("4");
        assert!(shards.contains(&"ServedBeforeItArrived".to_string()), "{shards:?}");
        let counts = [rafts.len(), services.len(), shards.len()];
        assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    }
}
