//! What stands for the way in which a crate was graded: what was done in the same way need not be done again.
//!
//! The parts are kept apart, so that whoever goes on with a grading is told which of them is another one now.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::args::Grade;
use super::student::Student;
use super::{files, ours};
use crate::{skeleton, workspace};

/// Variables that decide what is built, or what a run does: of those that begin or end with `*`, all such.
const VARIABLES: [&str; 5] =
    ["*RUSTFLAGS", "*_ZOO", "CARGO_BUILD_TARGET", "CARGO_PROFILE_*", "LAB_*"];

/// How a crate was graded, and which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Print {
    /// The options that decide something, and the variables that are set, each with its value.
    settings: BTreeMap<String, String>,
    /// The compiler's version.
    compiler: String,
    /// Stands for the files of this workspace that decide something.
    workspace: String,
    /// Stands for all files of the crate, and of its workspace. None if nobody could read them.
    of_crate: String,
}

impl Print {
    /// What is the same for all crates.
    ///
    /// # Errors
    /// If this workspace cannot be read, or there is no compiler.
    pub(crate) fn of_all(grade: &Grade, more: &[(&str, String)]) -> Result<Print> {
        let mut settings: BTreeMap<String, String> = grade.settings().into_iter().collect();
        settings.extend(more.iter().map(|(name, value)| (name.to_string(), value.clone())));
        let variables = env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| decides(name))?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        settings.extend(variables);
        let workspace = files::print(&workspace(), &ours::deciding()?)?;
        Ok(Print { settings, compiler: compiler()?, workspace, of_crate: String::new() })
    }

    /// The same, for this crate. Its results are no part of it, if they are in this folder.
    ///
    /// # Errors
    /// If its files cannot be read, or are too many.
    pub(crate) fn of(&self, student: &Student, results: &Path) -> Result<Print> {
        let top = student.top();
        // They need not be there yet.
        let results = skeleton::resolved(results).unwrap_or_else(|_| results.to_owned());
        let mut files = files::files(top)?;
        files.retain(|file| !top.join(file).starts_with(&results));
        let of_crate = files::print(top, &files)?;
        Ok(Print { of_crate, ..self.clone() })
    }

    /// What is another way of grading now than it was, in words; none if only the crate may be another one.
    pub(crate) fn another_way(&self, was: &Print) -> Option<String> {
        let mut words = Vec::new();
        let names = self.settings.keys().chain(was.settings.keys());
        let names: BTreeSet<&String> = names.collect();
        for name in names {
            let said = |print: &Print| print.settings.get(name).cloned();
            let told = |value: Option<String>| match value.as_deref() {
                None | Some("") => "not set".to_string(),
                Some(value) => format!("`{value}`"),
            };
            if said(self) != said(was) {
                words.push(format!(
                    "{name} was {}, and is {} now",
                    told(said(was)),
                    told(said(self))
                ));
            }
        }
        if self.compiler != was.compiler {
            let (was, now) = (&was.compiler, &self.compiler);
            words.push(format!("the compiler was `{was}`, and is `{now}` now"));
        }
        if self.workspace != was.workspace {
            words.push(
                "the code of this workspace (the tests, and what grades) was another one"
                    .to_string(),
            );
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

fn decides(name: &str) -> bool {
    VARIABLES.iter().any(|known| match (known.strip_suffix('*'), known.strip_prefix('*')) {
        (Some(begin), _) => name.starts_with(begin),
        (_, Some(end)) => name.ends_with(end),
        _ => name == *known,
    })
}

/// The version of the compiler.
fn compiler() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").current_dir(workspace()).output();
    let output = output.context("cannot run rustc")?;
    ensure!(output.status.success(), "rustc does not say its version");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_differs_is_named() {
        let settings = |seeds: &str| {
            let all =
                [("--seeds", seeds), ("--seed", "0")].map(|(a, b)| (a.to_string(), b.to_string()));
            BTreeMap::from(all)
        };
        let was =
            Print { settings: settings("25"), compiler: "rustc 1".into(), ..Print::default() };
        let mut now = Print { of_crate: "another".into(), ..was.clone() };
        assert_eq!(now.another_way(&was), None, "its own crate is no way of grading");
        now.settings = settings("3");
        now.settings.insert("RUSTFLAGS".into(), "-O".into());
        assert_eq!(
            now.another_way(&was).as_deref(),
            Some("--seeds was `25`, and is `3` now; RUSTFLAGS was not set, and is `-O` now")
        );
        let other = Print { compiler: "rustc 2".into(), workspace: "x".into(), ..was.clone() };
        let words = other.another_way(&was).expect("it is another one");
        assert!(words.contains("the compiler was `rustc 1`, and is `rustc 2` now"), "{words}");
        assert!(words.contains("the code of this workspace"), "{words}");
    }

    #[test]
    fn results_in_a_crates_folder_are_no_part_of_it() {
        let top = tempfile::tempdir().expect("a folder");
        let dir = test_runs::platform::canonical(top.path()).expect("a path");
        let write = |file: &str| {
            let file = dir.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, "").expect("a file");
        };
        write("src/lib.rs");
        let student = Student { name: "ann".to_string(), dir: dir.clone(), root: dir.clone() };
        let print = || Print::default().of(&student, &dir.join("results")).expect("a print");
        let before = print();
        write("results/grade.json");
        write("results/anew/grade.json");
        assert_eq!(print(), before);
        write("results.rs");
        assert_ne!(print(), before);
    }

    #[test]
    fn variables_that_decide_are_known() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "LAB_SECOND",
            "RAFT_ZOO",
            "CARGO_PROFILE_DEV_LTO",
        ] {
            assert!(decides(name), "{name}");
        }
        for name in
            ["CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "RUST_BACKTRACE", "PATH", "CARGO_PKG_NAME"]
        {
            assert!(!decides(name), "{name}");
        }
    }
}
