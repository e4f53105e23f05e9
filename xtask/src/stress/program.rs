//! Which program runs are of, so that those of two are never counted as those of one.
//!
//! Two programs are the same if they have the same bytes: these hold the crate, all that it is built from, the
//! compiler and its flags. The same code has other bytes on another machine, or in another folder; there it is the same if
//! it was built with the same flags from the same commits, and nothing but these. Not seen are then another compiler, and
//! files that git ignores, or does not know and that are neither Rust nor a manifest.
//!
//! A program may be told by variables which one it is to be. Which those are is known when its runs have asked for
//! them (`labrt::env`). A run that has not asked for one does not depend on it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result};
use run_record::Clock;
use serde::{Deserialize, Serialize};
use test_runs::build::{self, TestCase};

use super::subject::git;

/// What tells a program from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Hashes of the bytes of the test programs.
    pub(crate) executables: BTreeMap<Clock, String>,
    /// The commits of all packages that it was built from, but for those of registries; none if one of them is in no
    /// repository, or has code that is in no commit.
    pub(crate) commits: Option<BTreeSet<String>>,
    /// The variables by which cargo was told flags of the compiler.
    pub(crate) flags: BTreeMap<String, String>,
    /// The variables that its runs have asked for, with their values if they were set.
    pub(crate) variables: BTreeMap<String, Option<String>>,
}

impl Program {
    /// The program of these tests, as it is now; no run has asked for a variable yet.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn of(tests: &[TestCase]) -> Result<Program> {
        let programs: BTreeMap<Clock, &build::Program> =
            tests.iter().map(|test| (test.program.clock, &test.program)).collect();
        let mut executables = BTreeMap::new();
        for (clock, program) in &programs {
            let hash = hash(&program.path)
                .with_context(|| format!("cannot read {}", program.path.display()))?;
            executables.insert(*clock, hash);
        }
        let sources = programs.values().flat_map(|program| &program.sources);
        let sources: BTreeSet<&Path> = sources.map(AsRef::as_ref).collect();
        let commits = commits(&sources);
        let is_flag =
            |name: &str| name.ends_with("RUSTFLAGS") || name.starts_with("CARGO_PROFILE_");
        let all = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        let flags = all.filter(|(name, _)| is_flag(name)).collect();
        Ok(Program { executables, commits, flags, variables: BTreeMap::new() })
    }

    /// Notes that runs have asked for these variables; true if that is news.
    pub(crate) fn asked(&mut self, names: &BTreeSet<String>) -> bool {
        let new: Vec<&String> =
            names.iter().filter(|name| !self.variables.contains_key(*name)).collect();
        for name in &new {
            self.variables.insert((*name).clone(), env::var(name).ok());
        }
        !new.is_empty()
    }

    /// The variables that may have made runs of this program and of another one unlike, by their names, with their values
    /// for each of them.
    pub(crate) fn unlike(&self, other: &Program) -> Vec<(String, [String; 2])> {
        let set = |of: &Program, name: &str| of.variables.get(name).cloned().flatten();
        let flag = |of: &Program, name: &str| of.flags.get(name).cloned();
        let names = self.variables.keys().chain(other.variables.keys());
        let flags = self.flags.keys().chain(other.flags.keys());
        let variables = names.map(|name| (name, [set(self, name), set(other, name)]));
        let flags = flags.map(|name| (name, [flag(self, name), flag(other, name)]));
        let unlike: BTreeMap<_, _> =
            variables.chain(flags).filter(|(_, [one, other])| one != other).collect();
        let value =
            |value: Option<String>| value.map_or("not set".into(), |set| format!("`{set}`"));
        unlike.into_iter().map(|(name, values)| (name.clone(), values.map(value))).collect()
    }

    /// What shows that runs of this program and of another one are not of one program; none if they are.
    pub(crate) fn differs(&self, other: &Program) -> Option<Difference> {
        let differs = |name: &str, [one, other]: [Option<&str>; 2]| {
            let value =
                |value| Option::map_or(value, "not set".to_string(), |set| format!("`{set}`"));
            let variable = (one != other).then(|| (name.to_string(), one.map(str::to_string)));
            let what = format!("variable {name}");
            variable.map(|of| Difference {
                what,
                values: [one, other].map(value),
                variable: Some(of),
            })
        };
        let mut both = self.variables.iter().filter_map(|(name, value)| {
            Some((name, [value.as_deref(), other.variables.get(name)?.as_deref()]))
        });
        if let Some(difference) = both.find_map(|(name, values)| differs(name, values)) {
            return Some(difference);
        }
        if self.executables == other.executables {
            return None;
        }
        let names: BTreeSet<&String> = self.flags.keys().chain(other.flags.keys()).collect();
        let flags = |name| [self, other].map(|of| of.flags.get(name).map(String::as_str));
        if let Some(difference) = names.into_iter().find_map(|name| differs(name, flags(name))) {
            return Some(difference);
        }
        let (what, values) = match (&self.commits, &other.commits) {
            (Some(one), Some(other)) if one == other => return None,
            (Some(one), Some(other)) => ("commit", [one, other].map(listed)),
            _ => (
                "hash of the test program",
                [self, other].map(|of| listed(of.executables.values())),
            ),
        };
        Some(Difference { what: what.into(), values, variable: None })
    }
}

fn listed<'a>(of: impl IntoIterator<Item = &'a String>) -> String {
    let each: Vec<String> = of.into_iter().map(|one| format!("`{one}`")).collect();
    each.join(", ")
}

/// By what two programs are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    what: String,
    /// In words, of one and of the other.
    values: [String; 2],
    /// If it is a variable: its name, and its value for the first.
    variable: Option<(String, Option<String>)>,
}

impl Difference {
    /// Why these runs cannot be gone on with, and what to do.
    pub(crate) fn since(&self, runs: &str) -> String {
        let Difference { what, values: [was, is], .. } = self;
        let again = match &self.variable {
            Some((name, Some(value))) => {
                format!("call it with {name}={}", run_record::shell::word(value))
            }
            Some((name, None)) => format!("call it without {name}"),
            None => "have it built from what it was built from then, in the same way".into(),
        };
        format!(
            "the runs in {runs} are of another program: the {what} was {was} then, and is {is} now. To go on with \
             them, {again}; for runs of what is there now, begin anew, without --resume"
        )
    }

    /// Why the runs of these two cannot be counted together, and what to do.
    pub(crate) fn between(&self, one: &str, other: &str) -> String {
        let Difference { what, values: [of_one, of_other], variable } = self;
        let known = match variable.is_none() && what != "commit" {
            true => {
                "; what is built in two places is known to be the same only if all of its code is in commits, and \
                 nothing beside it"
            }
            false => "",
        };
        format!(
            "cannot merge `{one}` with `{other}`, which are of two programs: the {what} is {of_one} for one, \
             {of_other} for the other{known}"
        )
    }
}

fn hash(file: &Path) -> std::io::Result<String> {
    let mut file = File::open(file)?;
    let (mut hasher, mut part) = (DefaultHasher::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(format!("{:016x}", hasher.finish())),
            length => hasher.write(&part[..length]),
        }
    }
}

/// True if a line of git's status tells of what a program may be built from: a file that is not as it is in the commit,
/// or a new one that may be a module or a manifest. Other new files are what runs leave behind.
fn is_change(line: &str) -> bool {
    let name = line.trim_end_matches('"');
    !line.starts_with("?? ") || [".rs", ".toml", ".lock"].iter().any(|end| name.ends_with(end))
}

/// The commits of the repositories that these folders lie in; none if not all that is in them is in a commit.
fn commits(folders: &BTreeSet<&Path>) -> Option<BTreeSet<String>> {
    let (mut roots, mut commits) = (BTreeSet::new(), BTreeSet::new());
    for folder in folders {
        let said = git(folder, &["rev-parse", "--show-toplevel", "HEAD"])?;
        let (root, commit) = said.split_once('\n')?;
        if roots.insert(root.to_string()) {
            let status = git(Path::new(root), &["status", "--porcelain", "--untracked-files=all"])?;
            if status.lines().any(is_change) {
                return None;
            }
        }
        // A folder that git ignores is in no commit, whatever lies around it.
        git(folder, &["ls-files", "--error-unmatch", "Cargo.toml"])?;
        commits.insert(commit.to_string());
    }
    (!commits.is_empty()).then_some(commits)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::stress::model::tests::program;

    #[test]
    fn the_same_code_on_another_machine_is_the_same_program_if_all_of_it_is_in_commits() {
        let of = |bytes: &str, commits: &[&str]| Program {
            executables: [(Clock::Sim, bytes.into())].into(),
            commits: (!commits.is_empty()).then(|| commits.iter().map(|c| (*c).into()).collect()),
            ..program()
        };
        let what = |one: &Program, other: &Program| one.differs(other).map(|it| it.what);
        assert_eq!(what(&of("1", &[]), &of("1", &[])), None);
        assert_eq!(what(&of("1", &["a", "b"]), &of("2", &["a", "b"])), None);
        // A commit of the documentation changes no program.
        assert_eq!(what(&of("1", &["a"]), &of("1", &["b"])), None);
        assert_eq!(what(&of("1", &["a", "b"]), &of("2", &["a", "c"])), Some("commit".into()));
        for other in [of("2", &[]), of("2", &["a"])] {
            assert_eq!(what(&of("1", &[]), &other), Some("hash of the test program".into()));
        }
        let mut flagged = of("2", &["a"]);
        flagged.flags.insert("RUSTFLAGS".into(), "-Cx".into());
        assert_eq!(what(&of("1", &["a"]), &flagged), Some("variable RUSTFLAGS".into()));
    }

    #[test]
    fn a_variable_makes_two_programs_of_one_only_if_both_have_asked_for_it() {
        let with = |variables: &[(&str, Option<&str>)]| {
            let own = |(name, value): &(&str, Option<&str>)| {
                ((*name).to_string(), value.map(str::to_string))
            };
            Program { variables: variables.iter().map(own).collect(), ..program() }
        };
        let bad = with(&[("BUG", Some("it is"))]);
        assert_eq!(bad.differs(&with(&[("OTHER", None)])), None);
        let words = bad.differs(&with(&[("BUG", None)])).expect("two programs").since("x");
        assert!(words.contains("BUG was `it is` then, and is not set now. To go on"), "{words}");
        assert!(words.contains(&format!("BUG={}", run_record::shell::word("it is"))), "{words}");
        let words = with(&[("BUG", None)]).differs(&bad).expect("two programs").since("x");
        assert!(words.contains("call it without BUG;"), "{words}");
    }

    #[test]
    fn code_is_in_commits_only_if_no_file_is_left_out() {
        let top = tempfile::tempdir().expect("a folder");
        let (repository, within) = (top.path().join("a"), top.path().join("a/member"));
        fs::create_dir_all(&within).expect("folders");
        for folder in [&repository, &within] {
            fs::write(folder.join("Cargo.toml"), "").expect("it can be written");
        }
        let of = |folders: &[&Path]| commits(&folders.iter().copied().collect());
        let own: [&Path; 2] = [&repository, &within];
        if git(&repository, &["init", "--quiet"]).is_none() {
            // Without git, no commit is known.
            assert_eq!(of(&own), None);
            return;
        }
        let commit = || {
            git(&repository, &["add", "."]).expect("git adds");
            let named = ["-c", "user.name=a", "-c", "user.email=a@b"];
            let words = [&named[..], &["commit", "--quiet", "--message", "a"]].concat();
            git(&repository, &words).expect("git commits");
        };
        assert_eq!(of(&own), None, "there is no commit");
        commit();
        assert_eq!(of(&own).map(|all| all.len()), Some(1));
        let elsewhere = top.path().join("b");
        fs::create_dir(&elsewhere).expect("a folder");
        assert_eq!(of(&[&repository, &elsewhere]), None, "one is in no repository");
        fs::create_dir(repository.join("shards")).expect("a folder");
        fs::write(repository.join("shards/plan.json"), "").expect("it can be written");
        assert!(of(&own).is_some(), "what runs leave behind is no code");
        fs::write(within.join("new.rs"), "").expect("it can be written");
        assert_eq!(of(&own), None, "a module may be in no commit");
        fs::write(repository.join(".gitignore"), "member/new.rs\nignored\n")
            .expect("it is written");
        commit();
        assert!(of(&own).is_some());
        let ignored = repository.join("ignored");
        fs::create_dir(&ignored).expect("a folder");
        fs::write(ignored.join("Cargo.toml"), "").expect("it can be written");
        assert_eq!(of(&[&ignored]), None, "a package that git ignores is in no commit");
    }
}
