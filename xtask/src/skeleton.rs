//! `cargo xtask skeleton DIR`: a crate to begin one's own solution of a lab in.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use test_runs::platform;

use crate::labs::{Lab, Type};
use crate::{say, shell};

/// The files that the skeletons of all labs have. In all files `{name}`, `{crate}` and `{workspace}` are
/// filled in; in these, and in what stands in for them, the lab's own pieces too.
const SHARED: [(&str, &str); 7] = [
    ("Cargo.toml", include_str!("../skeleton/Cargo.toml.in")),
    (".cargo/config.toml", include_str!("../skeleton/config.toml.in")),
    ("clippy.toml", include_str!("../../clippy.toml")),
    (".gitignore", include_str!("../skeleton/gitignore.in")),
    ("README.md", include_str!("../skeleton/README.md.in")),
    ("tests/sim.rs", include_str!("../skeleton/sim.rs.in")),
    ("tests/wall.rs", include_str!("../skeleton/wall.rs.in")),
];

/// How a crate outside of this workspace is built. What comes between the two may be more of the first.
pub(crate) const PROFILE: &str = include_str!("../skeleton/profile.toml.in");
pub(crate) const PACKAGES: &str = include_str!("../skeleton/packages.toml.in");

/// What only one lab's skeleton has.
struct Own {
    lab: &'static str,
    source: &'static str,
    /// What its README says first, and what it says of the work.
    about: &'static str,
    more: &'static str,
    /// What the tests have that belong to no part; empty if all belong to one.
    extra: &'static str,
    /// The chapters of the handout about it, and what they are about.
    chapters: &'static [(&'static str, &'static str)],
    /// The test of the README's examples.
    example: &'static str,
    /// Packages of this workspace, at its top, that the crate is made of; and what for.
    dependencies: &'static [(&'static str, &'static str)],
}

/// What is said of the Raft below, to who writes what stands on it.
macro_rules! raft_below {
    () => {
        include_str!("../skeleton/raft-below.md.in")
    };
}

const OWN: [Own; 4] = [
    Own {
        lab: "2",
        source: include_str!("../skeleton/lab2/lib.rs.in"),
        about: include_str!("../skeleton/lab2/about.md.in"),
        more: "",
        extra: "clusters of other sizes, situations that other tests hardly ever come into, and any faults at once",
        chapters: &[
            ("raft", "lab 2: the parts one by one, and what makes them hard"),
            ("snapshots", "part 2D"),
        ],
        example: "figure_8_2C",
        dependencies: &[],
    },
    Own {
        lab: "3",
        source: include_str!("../skeleton/lab3/lib.rs.in"),
        about: include_str!("../skeleton/lab3/about.md.in"),
        more: concat!(raft_below!(), include_str!("../skeleton/lab3/more.md.in"), "\n"),
        extra: "any faults at once",
        chapters: &[("kv", "lab 3: the parts one by one, and what makes them hard")],
        example: "persist_partition_3A",
        dependencies: &[
            ("kv-api", "what a server and a clerk must offer"),
            ("raft", "the Raft below: this one, or your own"),
        ],
    },
    Own {
        lab: "4",
        source: include_str!("../skeleton/lab4/lib.rs.in"),
        about: include_str!("../skeleton/lab4/about.md.in"),
        more: concat!(raft_below!(), include_str!("../skeleton/lab4/more.md.in"), "\n"),
        extra: "a minute and more in which everything changes and anything fails, a situation that other tests hardly\n\
                ever come into, and any faults at once",
        chapters: &[("shards", "lab 4: the parts one by one, and what makes them hard")],
        example: "join_leave_4B",
        dependencies: &[
            ("shard-api", "what servers and clerks must offer"),
            ("raft", "the Raft below: this one, or your own"),
        ],
    },
    Own {
        lab: "rsm",
        source: include_str!("../skeleton/rsm/lib.rs.in"),
        about: include_str!("../skeleton/rsm/about.md.in"),
        more: concat!(raft_below!(), include_str!("../skeleton/rsm/more.md.in"), "\n"),
        extra: "",
        chapters: &[("kv", "lab 3: a service on such a layer, and what makes it hard")],
        example: "leader_partition_4A",
        dependencies: &[
            ("rsm-api", "what a server must offer, and what it is given"),
            ("raft", "the Raft below: this one, or your own"),
        ],
    },
];

/// The source that a lab's skeleton begins with; none if the lab has none.
pub(crate) fn source(lab: &Lab) -> Option<&'static str> {
    OWN.iter().find(|own| own.lab == lab.number).map(|own| own.source)
}

/// What a package cannot be called, beside the packages of the lock file: words of the language in the edition of
/// the skeleton, also those that it keeps for later, crates that come with the compiler, and the skeleton's own
/// test targets.
const RESERVED: &str = "\
    Self abstract alloc as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv proc_macro pub real \
    ref return self sim static std struct super test trait true try type typeof unsafe unsized use virtual \
    wall where while yield";

/// What no folder can be called on Windows, in capitals or not: they are devices there.
const DEVICES: &str = "\
    aux com1 com2 com3 com4 com5 com6 com7 com8 com9 con lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 nul prn";

/// Writes the skeleton.
pub(crate) fn write(dir: &Path, lab: &Lab) -> Result<()> {
    refuse_to_overwrite(dir)?;
    let dir = resolved(dir).with_context(|| format!("cannot use {}", dir.display()))?;
    let workspace = workspace()?;
    let lock = lock_file(&workspace)?;
    let name = package_name(&dir, &lock)?;
    if dir.starts_with(&workspace) {
        bail!(
            "{} lies within this workspace, which would take it for a member; choose a directory \
             outside of {}",
            dir.display(),
            workspace.display()
        );
    }
    let own = OWN.iter().find(|own| own.lab == lab.number);
    let own = own.with_context(|| format!("there is no skeleton for lab {}", lab.number))?;
    let (types, first) = (suite_arguments(lab), lab.parts[0].name);
    let filled_in = |template: &str| {
        template
            .replace("{dependencies}", &dependencies(own))
            .replace("{profile}", PROFILE)
            .replace("{packages}", PACKAGES)
            .replace("{about}", own.about.trim_end())
            .replace("{more}", own.more)
            .replace("{first}", first)
            .replace("{parts}", &parts(lab, own))
            .replace("{chapters}", &chapters(own))
            .replace("{example}", own.example)
            .replace("{suite}", lab.suite)
            .replace("{suite_crate}", &lab.suite.replace('-', "_"))
            .replace("{types}", &types)
            .replace("{workspace}", &in_quotes(&workspace))
            .replace("{folder}", &workspace.display().to_string())
            .replace("{name}", &name)
            .replace("{crate}", &name.replace('-', "_"))
    };
    let source = ("src/lib.rs", own.source);
    let files = SHARED.iter().chain([&source]).map(|(path, template)| (*path, filled_in(template)));
    // Cargo strikes out what the skeleton does not need.
    write_all(&dir, files.chain([("Cargo.lock", lock)]))?;
    say::print(format!(
        "wrote a skeleton to {}; now:\n\n    cd {}\n    cargo test -- {first}\n\n\
         The tests fail until src/lib.rs is filled in. README.md says where to begin.\n",
        dir.display(),
        shell::quoted(&dir)
    ))
}

/// Writes the files of a directory that is empty, or is not there yet. If one of them cannot be written, none is
/// left: the next try would not find it empty.
fn write_all<'a>(dir: &Path, mut files: impl Iterator<Item = (&'a str, String)>) -> Result<()> {
    let was_there = dir.exists();
    let write = |(path, text): (&str, String)| {
        let path = dir.join(path);
        let parent = path.parent().expect("a file of the skeleton lies in its directory");
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let written = files.try_for_each(write);
    if written.is_err() {
        // What cannot be removed is named when somebody tries again.
        for path in crate::entries(dir) {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        if !was_there {
            let _ = fs::remove_dir(dir);
        }
    }
    written
}

/// The types of the crate, as the macro of the lab's suite takes them.
fn suite_arguments(lab: &Lab) -> String {
    let one = |one: &Type| format!("{{crate}}::{}", one.name);
    lab.types.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What the README says of the parts.
fn parts(lab: &Lab, own: &Own) -> String {
    let names = |ours: bool| {
        let parts = lab.parts.iter().filter(|part| part.ours == ours).map(|part| part.name);
        parts.collect::<Vec<_>>().join(", ")
    };
    let parts = format!("The parts are {}.", names(false));
    if own.extra.is_empty() {
        return parts;
    }
    let extra = names(true);
    let about = own.extra;
    format!(
        "{parts} Tests that end in {extra} belong to no part, and no course has them:\n{about}."
    )
}

/// Lines of the manifest.
fn dependencies(own: &Own) -> String {
    let line = |(name, what): &(&str, &str)| {
        format!("{name} = {{ path = \"{{workspace}}/{name}\" }} # {what}\n")
    };
    own.dependencies.iter().map(line).collect()
}

/// The rows of the README's table with the chapters of the handout.
fn chapters(own: &Own) -> String {
    let begin = ("start", "the handout: how the labs are done");
    let end = ("fails", "what to do when a test fails");
    let row = |(name, what)| format!("| `docs/book/src/{name}.md` | {what} |\n");
    [begin].into_iter().chain(own.chapters.iter().copied()).chain([end]).map(row).collect()
}

/// The one way to write the path of something that need not exist yet.
///
/// # Errors
/// If `..` leads out of what does not exist, or what exists cannot be found.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find(|above| above.exists()).unwrap_or(&path);
    let missing = path.strip_prefix(there).unwrap_or(Path::new(""));
    if missing.components().any(|part| part == Component::ParentDir) {
        let words =
            format!("`..` leads out of a folder that does not exist in {}", there.display());
        return Err(io::Error::new(ErrorKind::NotFound, words));
    }
    Ok(platform::canonical(there)?.join(missing))
}

/// A path as it stands between the quotes of a string in a manifest.
pub(crate) fn in_quotes(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace('"', "\\\"")
}

fn refuse_to_overwrite(dir: &Path) -> Result<()> {
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("{} is not empty; choose a directory that does not exist yet", dir.display());
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", dir.display())),
    }
}

/// The name of a package that lives in this directory and shares a lock file with these.
fn package_name(dir: &Path, lock: &str) -> Result<String> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        bail!(
            "`{name}` cannot name a crate: it must begin with a letter and hold only letters, \
             digits, `-` and `_`"
        );
    }
    // For the compiler, `my-raft` and `my_raft` are one name.
    let krate = name.replace('-', "_");
    if packages(lock).any(|package| package.replace('-', "_") == krate) {
        bail!(
            "`{name}` is a crate that the tests of the lab are made with; choose another name, such \
             as `my-{name}`"
        );
    }
    if RESERVED.split_whitespace().any(|reserved| reserved == krate) {
        bail!(
            "`{name}` has a meaning in Rust or in its tests; choose another name, such as `my-{name}`"
        );
    }
    if DEVICES.split_whitespace().any(|device| device.eq_ignore_ascii_case(name)) {
        bail!("`{name}` is a device on Windows; choose another name, such as `my-{name}`");
    }
    Ok(name.to_string())
}

/// The names of the packages in a lock file.
pub(crate) fn packages(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// The names and versions of the packages in a lock file.
pub(crate) fn versions(lock: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = lock.lines();
    let versions = lines.filter_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    packages(lock).zip(versions)
}

/// Where the packages of a lock file come from, as cargo says it; those of a workspace itself come from nowhere.
pub(crate) fn sources(lock: &str) -> impl Iterator<Item = &str> {
    lock.lines().filter_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'))
}

/// The lock file of this workspace. A crate that is tested with it begins with a copy, so that a seed
/// gives the same run there, today and later: also a random number is what a version of a crate makes it.
pub(crate) fn lock_file(workspace: &Path) -> Result<String> {
    let file = workspace.join("Cargo.lock");
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// The root of this workspace.
fn workspace() -> Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = xtask.parent().context("the xtask crate has no parent directory")?;
    platform::canonical(root)
        .with_context(|| format!("cannot find the workspace at {}", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skeleton_is_built_as_this_workspace_is() {
        let manifest = fs::read_to_string(crate::workspace().join("Cargo.toml")).expect("a file");
        let (_, ours) = manifest.split_once("\n[profile.dev]\n").expect("a profile");
        let (ours, _) = ours.split_once("\n[profile.mutants]").expect("another one behind it");
        let theirs = [PROFILE, PACKAGES].map(|text| text.lines().filter(|line| line.contains('=')));
        for line in theirs.into_iter().flatten() {
            assert!(ours.lines().any(|ours| ours == line), "`{line}` is not in Cargo.toml");
        }
    }

    #[test]
    fn a_skeleton_that_cannot_be_written_to_its_end_can_be_tried_again() {
        let top = tempfile::tempdir().expect("a directory");
        let file = |path| (path, String::new());
        let files = || ["Cargo.toml", ".cargo/config.toml", "src/lib.rs"].map(file).into_iter();
        for (name, was_there) in [("new", false), ("empty", true)] {
            let dir = top.path().join(name);
            if was_there {
                fs::create_dir(&dir).expect("a directory");
            }
            // Nothing can be below a file.
            let words = write_all(&dir, files().chain([file("src/lib.rs/none")]));
            let words = words.expect_err("it is below a file").to_string();
            assert!(words.contains("cannot make "), "{words}");
            assert_eq!(dir.exists(), was_there);
            refuse_to_overwrite(&dir).expect("nothing is left");
            write_all(&dir, files()).expect("it can be written");
            assert!(dir.join("src/lib.rs").exists());
        }
    }

    #[test]
    fn a_path_that_leads_out_and_does_not_exist_yet_is_seen_to_lie_outside() {
        let top = tempfile::tempdir().expect("a directory");
        let top = platform::canonical(top.path()).expect("it exists");
        fs::create_dir(top.join("in")).expect("a directory");
        let resolve = |path: &str| resolved(&top.join(path)).expect("a path");
        assert_eq!(resolve("in/../my-raft"), top.join("my-raft"));
        assert_eq!(resolve("in/my/raft"), top.join("in/my/raft"));
        assert_eq!(resolve("in"), top.join("in"));
        let error = resolved(&top.join("missing/../in/my-raft")).expect_err("a path of guesses");
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    #[test]
    fn a_name_that_something_else_has_is_refused() {
        let lock = "version = 4\n\n[[package]]\nname = \"run-record\"\nversion = \"0.1.0\"\n";
        let refused =
            |name: &str| package_name(Path::new(name), lock).expect_err("it is taken").to_string();
        for name in ["run-record", "run_record"] {
            assert!(refused(name).contains("crate that the tests of the lab"), "{}", refused(name));
        }
        for name in ["std", "proc-macro", "test", "sim", "match"] {
            assert!(refused(name).contains(&format!("such as `my-{name}`")), "{}", refused(name));
        }
        // What the edition keeps for itself, and what cannot be a folder on Windows.
        for name in ["try", "gen", "macro", "override", "priv", "Self"] {
            assert!(refused(name).contains("has a meaning in Rust"), "{}", refused(name));
        }
        for name in ["con", "PRN", "aux", "Nul", "com1", "LPT9"] {
            assert!(refused(name).contains("a device on Windows"), "{}", refused(name));
        }
        for name in ["my-run-record", "graded", "Raft2", "com", "com10", "console", "generic"] {
            assert_eq!(package_name(Path::new(name), lock).ok().as_deref(), Some(name));
        }
    }

    #[test]
    fn a_method_of_a_trait_is_named_with_the_trait() {
        let shared = SHARED.iter().map(|(_, text)| *text);
        let own = OWN.iter().flat_map(|own| [own.source, own.about, own.more]);
        let texts: Vec<&str> = shared.chain(own).collect();
        let drawn =
            |text: &str| ["_stream()", "stream(\"clerk\")"].iter().any(|of| text.contains(of));
        let drawing: Vec<_> = texts.into_iter().filter(|text| drawn(text)).collect();
        assert_eq!(drawing.len(), 4, "the README, and what three of the others say");
        for text in drawing {
            assert!(text.contains("`use labrt::rng::RngExt;`"), "{text}");
        }
    }

    #[test]
    fn quotes_and_backslashes_of_a_path_are_escaped() {
        assert_eq!(in_quotes(Path::new("C:\\my \"raft\"")), "C:\\\\my \\\"raft\\\"");
    }
}
