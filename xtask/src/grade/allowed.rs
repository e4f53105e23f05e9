//! What a student's crate may be made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::args::Grade;
use super::student::metadata;
use crate::labs::{LABS, Lab, Type};
use crate::workspace;

/// Crates of this workspace that each lab is made with.
const FOR_ALL: [&str; 6] = ["labgob", "labrpc", "labrt", "labtrace", "persister", "raft-api"];

/// Crates of the registry that do nothing that a lab should do itself, open no door out of it, and have no state that
/// servers could share, as `log` has with its level, nor make any, as `lazy_static` does.
const USUAL: [&str; 24] = [
    "anyhow",
    "arrayvec",
    "bitflags",
    "bytes",
    "cfg-if",
    "derive_more",
    "either",
    "fxhash",
    "hashbrown",
    "indexmap",
    "itertools",
    "num-traits",
    "once_cell",
    "ordered-float",
    "rand",
    "rand_core",
    "rand_xoshiro",
    "rustc-hash",
    "serde",
    "serde_json",
    "smallvec",
    "static_assertions",
    "strum",
    "thiserror",
];

/// What is allowed.
#[derive(Debug)]
pub(crate) struct Allowed {
    lab: &'static Lab,
    /// What the instructor has added.
    more: Vec<String>,
    /// `unsafe` in the student's own code.
    pub(crate) unsafe_code: bool,
    /// Statics in it that can hold state.
    pub(crate) statics: bool,
    /// Build scripts and procedural macros of the student's own.
    pub(crate) build: bool,
    /// The crates of this workspace.
    ours: BTreeMap<String, PathBuf>,
}

impl Allowed {
    /// What a lab needs, and what the instructor has added.
    ///
    /// # Errors
    /// If cargo cannot say which crates this workspace has.
    pub(crate) fn new(grade: &Grade) -> Result<Allowed> {
        let packages = metadata(&workspace(), &["--no-deps"])?.packages;
        let ours = packages.into_iter().map(|package| {
            let dir = package.manifest_path.parent().unwrap_or(&package.manifest_path);
            (package.name.clone(), dir.to_owned())
        });
        Ok(Allowed {
            lab: grade.lab,
            more: grade.allow.clone(),
            unsafe_code: grade.allow_unsafe,
            statics: grade.allow_statics,
            build: grade.allow_build,
            ours: ours.collect(),
        })
    }

    /// True if a crate of this workspace is called so.
    pub(crate) fn is_ours(&self, name: &str) -> bool {
        self.ours.contains_key(name)
    }

    /// Where the crate of this workspace with this name is.
    pub(crate) fn path_of_ours(&self, name: &str) -> Option<&Path> {
        self.ours.get(name).map(PathBuf::as_path)
    }

    /// True if it is one of those that nobody need allow, if it comes from the usual registry.
    pub(crate) fn is_usual(&self, name: &str) -> bool {
        USUAL.contains(&name)
    }

    /// True if a crate may depend on this one, wherever it comes from.
    pub(crate) fn has(&self, name: &str) -> bool {
        let defines = |one: &Type| defines(name, one);
        // What stands above Raft may stand on ours, and on a layer of the student's own.
        let below = ["raft", "rsm-api"].contains(&name) && self.lab.number != "2";
        let needed = FOR_ALL.contains(&name) || self.lab.types.iter().any(defines);
        let ours = self.is_ours(name) && (needed || below);
        ours || self.more.iter().any(|more| more == name)
    }

    /// Why a crate that depends on this one is not graded.
    pub(crate) fn refusal(&self, name: &str, from: &str) -> String {
        let what = match self.is_ours(name) {
            true => {
                let number = self.lab.number;
                let other = lab_of(name).map_or(String::new(), |other| {
                    format!(": it is of lab {other}, for which there is --lab {other}")
                });
                format!(
                    "`{name}`, a crate of this workspace that lab {number} is not made with{other}"
                )
            }
            false => {
                format!("`{name}` from {from}, which is not among the crates that are allowed")
            }
        };
        format!("it depends on {what} (if it may: --allow {name})")
    }
}

/// True if a crate defines what a type of a lab must implement.
fn defines(name: &str, one: &Type) -> bool {
    one.implements.split("::").next() == Some(&name.replace('-', "_"))
}

/// The number of the lab that a crate defines the traits of.
fn lab_of(name: &str) -> Option<&'static str> {
    let lab = LABS.iter().find(|lab| lab.types.iter().any(|one| defines(name, one)));
    lab.map(|lab| lab.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of [`USUAL`] that nothing of ours is made of: their versions are not ours to say.
    const UNLOCKED: [&str; 5] =
        ["arrayvec", "derive_more", "ordered-float", "static_assertions", "strum"];

    #[test]
    fn the_lock_has_all_usual_crates_but_those_that_the_documents_name() {
        let lock = crate::skeleton::lock_file(&workspace()).expect("a lock file");
        let locked: Vec<&str> = crate::skeleton::packages(&lock).collect();
        let unlocked: Vec<&str> = USUAL.into_iter().filter(|name| !locked.contains(name)).collect();
        assert_eq!(unlocked, UNLOCKED);
        let text = std::fs::read_to_string(workspace().join("docs/grading.md")).expect("the page");
        let (_, about) =
            text.split_once("for crates that nothing here is made of").expect("the words");
        let about = about.split("\n\n").next().unwrap_or_default();
        for name in UNLOCKED {
            assert!(about.contains(&format!("`{name}`")), "{name}: {about}");
        }
    }

    #[test]
    fn what_stands_above_raft_may_stand_on_a_layer_of_its_own() {
        let below = ["raft", "rsm-api", "rsm", "shardkv"];
        let allowed = |lab| {
            let allowed = Allowed {
                lab: Lab::named(lab).expect("a lab"),
                more: Vec::new(),
                unsafe_code: false,
                statics: false,
                build: false,
                ours: below.map(|name| (name.to_string(), PathBuf::new())).into(),
            };
            below.map(|name| allowed.has(name))
        };
        assert_eq!(allowed("2"), [false; 4]);
        for lab in ["3", "4"] {
            assert_eq!(allowed(lab), [true, true, false, false], "{lab}");
        }
    }

    #[test]
    fn who_names_the_wrong_lab_hears_of_the_right_one() {
        let [two, four] = ["2", "4"].map(|lab| Lab::named(lab).expect("a lab"));
        let of = |lab| Allowed {
            lab,
            more: Vec::new(),
            unsafe_code: false,
            statics: false,
            build: false,
            ours: ["kv-api", "raft"].map(|name| (name.to_string(), PathBuf::new())).into(),
        };
        let words = of(four).refusal("kv-api", "here");
        assert!(words.contains("it is of lab 3, for which there is --lab 3"), "{words}");
        // Which lab it is for, the reference Raft does not show.
        assert!(!of(two).refusal("raft", "here").contains("it is of lab"));
    }
}
