//! `cargo xtask skeleton`, as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn xtask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).output().expect("xtask runs")
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

fn skeleton(dir: &Path) -> Output {
    xtask(&["skeleton", dir.to_str().expect("a plain path")])
}

/// Runs cargo in a skeleton: whether it succeeded, and what it said.
fn cargo(dir: &Path, args: &[&str]) -> (bool, String) {
    let mut cargo = Command::new(env!("CARGO"));
    // What another test has compiled need not be compiled again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    cargo.args(args).current_dir(dir).env("CARGO_TARGET_DIR", target);
    // As when it is graded: both tests build into one folder.
    cargo.env("CARGO_INCREMENTAL", "0");
    let output = cargo.output().expect("cargo runs");
    (output.status.success(), words(&output))
}

#[test]
fn a_skeleton_compiles_and_its_tests_fail_as_the_handout_shows() {
    let outside = tempfile::tempdir().expect("a directory");
    let dir = outside.path().join("my-raft");
    let written = skeleton(&dir);
    assert!(written.status.success(), "{}", words(&written));
    let cargo = |args: &[&str]| cargo(&dir, args);
    let (compiled, text) = cargo(&["test", "--no-run"]);
    assert!(compiled && !text.contains("warning"), "{text}");
    // Versions are those of the workspace: with others a seed may give another run.
    let packages = |lock: &Path| {
        let text = std::fs::read_to_string(lock).expect("a lock file");
        let blocks = text.split("[[package]]").filter(|block| block.contains("source = "));
        let lines = |block: &str| block.lines().take(3).collect::<Vec<_>>().join(" ");
        blocks.map(lines).collect::<std::collections::BTreeSet<String>>()
    };
    let (ours, theirs) =
        (packages(&workspace().join("Cargo.lock")), packages(&dir.join("Cargo.lock")));
    assert!(!theirs.is_empty() && theirs.is_subset(&ours), "{:?}", theirs.difference(&ours));
    // Cargo stops at the first target that fails: that must be the one with seeds.
    let (passed, text) = cargo(&["test", "--", "--exact", "initial_election_2A"]);
    assert!(!passed && text.contains("LAB_SEED=0"), "{text}");
    assert!(!text.contains("tests/wall.rs"), "{text}");
    for test in ["initial_election_2A", "basic_agreement_2B"] {
        let (passed, text) = cargo(&["test", "--test", "sim", "--", "--exact", test]);
        assert!(!passed, "{test} cannot pass: {text}");
        let expected = match test {
            "initial_election_2A" => "expected one leader, got none",
            _ => "one(100) failed to reach agreement",
        };
        assert!(text.contains(expected), "{text}");
        let replay = format!("LAB_SEED=0 cargo test -p my-raft --test sim -- --exact {test}");
        assert!(text.contains(&replay), "{text}");
    }
    // The whole suite fails test by test: nothing aborts, nothing hangs.
    let (passed, text) = cargo(&["test", "--test", "sim"]);
    assert!(!passed);
    assert!(text.contains("FAILED. 0 passed; ") && text.contains("anything_soak"), "{text}");
}

#[test]
fn a_skeleton_of_lab_3_compiles_and_all_its_tests_fail() {
    let outside = tempfile::tempdir().expect("a directory");
    let dir = outside.path().join("my-kv");
    let written = xtask(&["skeleton", dir.to_str().expect("a plain path"), "--lab", "3"]);
    assert!(written.status.success(), "{}", words(&written));
    assert!(words(&written).contains("cargo test -- 3A"), "{}", words(&written));
    let readme = std::fs::read_to_string(dir.join("README.md")).expect("a README");
    assert!(
        readme.starts_with("# my-kv\n")
            && readme.contains("The parts are 3A, 3B. Tests that end in soak belong"),
        "{readme}"
    );
    let blanks = [
        "{about}",
        "{more}",
        "{first}",
        "{example}",
        "{name}",
        "{workspace}",
        "{folder}",
        "{chapters}",
        "{parts}",
    ];
    assert!(!blanks.iter().any(|blank| readme.contains(blank)), "{readme}");
    let (compiled, text) = cargo(&dir, &["test", "--no-run"]);
    assert!(compiled && !text.contains("warning"), "{text}");
    let (passed, text) = cargo(&dir, &["test", "--test", "sim"]);
    assert!(!passed && text.contains("0 passed; 24 failed"), "{text}");
    assert!(
        text.contains("LAB_SEED=0 cargo test -p my-kv --test sim -- --exact basic_3A"),
        "{text}"
    );
    let refused = xtask(&["skeleton", "my-kv", "--lab", "9"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(
        words(&refused).contains("there is no lab `9`; there are 2, 3, 4, rsm"),
        "{}",
        words(&refused)
    );
}

#[test]
fn a_skeleton_of_lab_4_compiles_and_all_its_tests_fail() {
    let outside = tempfile::tempdir().expect("a directory");
    let dir = outside.path().join("my-shards");
    let written = xtask(&["skeleton", dir.to_str().expect("a plain path"), "--lab", "4"]);
    assert!(written.status.success(), "{}", words(&written));
    let readme = std::fs::read_to_string(dir.join("README.md")).expect("a README");
    assert!(
        readme.contains("The parts are 4A, 4B. Tests that end in storm, rare, soak belong"),
        "{readme}"
    );
    let (compiled, text) = cargo(&dir, &["test", "--no-run"]);
    assert!(compiled && !text.contains("warning"), "{text}");
    let (passed, text) = cargo(&dir, &["test", "--test", "sim"]);
    assert!(!passed && text.contains("0 passed; 20 failed"), "{text}");
    assert!(
        text.contains("LAB_SEED=0 cargo test -p my-shards --test sim -- --exact basic_4A"),
        "{text}"
    );
}

/// A skeleton of lab 4, with what its README says that one writes to do one part first.
struct OnePart {
    _outside: tempfile::TempDir,
    dir: PathBuf,
    readme: String,
}

impl OnePart {
    fn new() -> OnePart {
        let outside = tempfile::tempdir().expect("a directory");
        let dir = outside.path().join("my-shards");
        let written = xtask(&["skeleton", dir.to_str().expect("a plain path"), "--lab", "4"]);
        assert!(written.status.success(), "{}", words(&written));
        let readme = std::fs::read_to_string(dir.join("README.md")).expect("a README");
        OnePart { _outside: outside, dir, readme }
    }

    /// What the README has between backticks and begins so.
    fn quoted(&self, beginning: &str) -> &str {
        let mut quoted = self.readme.split('`').skip(1).step_by(2);
        quoted.find(|quoted| quoted.starts_with(beginning)).expect("the README says it")
    }

    fn replace(&self, file: &str, old: &str, new: &str) {
        let path = self.dir.join(file);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(old), "{file} has no `{old}`:\n{text}");
        std::fs::write(path, text.replace(old, new)).expect("a file");
    }

    fn depend_on(&self, krate: &str, section: &str) {
        let line = self.quoted(&format!("{krate} = "));
        self.replace("Cargo.toml", section, &format!("{section}\n{line}"));
    }

    /// Has the tests take this type for that of the crate.
    fn take(&self, new: &str, old: &str) {
        let new = self.quoted(new);
        self.replace("tests/sim.rs", &format!("{old},"), &format!("{new},"));
    }
}

#[test]
fn part_4a_can_be_done_first_as_the_readme_says() {
    let one = OnePart::new();
    one.depend_on("shardkv", "[dev-dependencies]");
    one.take("shardkv::Server<", "my_shards::Server");
    one.take("shardkv::Clerk<", "my_shards::Clerk");
    let (compiled, text) = cargo(&one.dir, &["test", "--no-run", "--test", "sim"]);
    assert!(compiled, "{text}");
}

#[test]
fn part_4b_can_be_done_first_as_the_readme_says() {
    let one = OnePart::new();
    one.depend_on("shardctrler", "[dependencies]");
    one.take("shardctrler::Server<", "my_shards::Controller");
    // It stands last.
    one.replace("tests/sim.rs", "my_shards::ControllerClerk", one.quoted("shardctrler::Clerk"));
    one.replace("src/lib.rs", "controller: ControllerClerk", "controller: shardctrler::Clerk");
    let (passed, text) = cargo(&one.dir, &["test", "--test", "sim", "--", "--exact", "basic_4A"]);
    assert!(passed && text.contains("1 passed"), "{text}");
}

#[test]
fn a_skeleton_of_the_layer_below_a_service_compiles_and_all_its_tests_fail() {
    let outside = tempfile::tempdir().expect("a directory");
    let dir = outside.path().join("my-rsm");
    let written = xtask(&["skeleton", dir.to_str().expect("a plain path"), "--lab", "rsm"]);
    assert!(written.status.success(), "{}", words(&written));
    assert!(words(&written).contains("cargo test -- 4A"), "{}", words(&written));
    let readme = std::fs::read_to_string(dir.join("README.md")).expect("a README");
    assert!(readme.contains("\nThe parts are 4A, 4C.\n"), "{readme}");
    let (compiled, text) = cargo(&dir, &["test", "--no-run"]);
    assert!(compiled && !text.contains("warning"), "{text}");
    let (passed, text) = cargo(&dir, &["test", "--test", "sim"]);
    assert!(!passed && text.contains("0 passed; 9 failed"), "{text}");
    assert!(text.contains("an Inc was not executed within 10 s"), "{text}");
    assert!(
        text.contains("LAB_SEED=0 cargo test -p my-rsm --test sim -- --exact basic_4A"),
        "{text}"
    );
}

#[test]
fn a_skeleton_has_the_tasks_of_the_workspace() {
    let outside = tempfile::tempdir().expect("a directory");
    let dir = outside.path().join("with blanks").join("my-raft");
    let written = skeleton(&dir);
    assert!(written.status.success(), "{}", words(&written));
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.arg("--list").current_dir(&dir).output().expect("cargo runs");
    let list = words(&output);
    let alias = list.lines().find(|line| line.trim_start().starts_with("xtask"));
    let manifest = workspace().join("Cargo.toml").display().to_string();
    let alias = alias.unwrap_or_else(|| panic!("{list}"));
    assert!(alias.contains(&format!("--manifest-path {manifest} --package xtask")), "{alias}");
    // What is to be copied into a shell is one word there.
    #[cfg(unix)]
    assert!(words(&written).contains("with blanks/my-raft'\n"), "{}", words(&written));
}

#[test]
fn a_skeleton_overwrites_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("notes"), "mine").expect("a file");
    let refused = skeleton(dir.path());
    assert_eq!(refused.status.code(), Some(70));
    assert!(words(&refused).contains("is not empty"), "{}", words(&refused));
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 1);
}

#[test]
fn bad_names_are_refused() {
    let outside = tempfile::tempdir().expect("a directory");
    for (name, expected) in [
        ("2nd", "cannot name a crate"),
        ("raft", "choose another name"),
        ("run-record", "choose another name"),
        ("labtrace", "choose another name"),
        ("serde", "choose another name"),
    ] {
        let refused = skeleton(&outside.path().join(name));
        assert_eq!(refused.status.code(), Some(70));
        assert!(words(&refused).contains(expected), "{}", words(&refused));
        assert!(!outside.path().join(name).exists());
    }
    let within = Path::new(env!("CARGO_MANIFEST_DIR")).join("my-raft");
    let refused = skeleton(&within);
    assert!(words(&refused).contains("lies within this workspace"), "{}", words(&refused));
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for args in [&["skeleton"][..], &["skelton"], &[], &["skeleton", "a", "b"]] {
        let refused = xtask(args);
        assert_eq!(refused.status.code(), Some(64), "{args:?}: {}", words(&refused));
    }
    assert_eq!(xtask(&["--help"]).status.code(), Some(0));
}

/// As the README shows it, from within the workspace. (On Windows the two may be on different drives.)
#[test]
#[cfg(unix)]
fn a_skeleton_may_be_named_by_a_path_that_leads_out_of_the_workspace() {
    let workspace = workspace();
    let outside = tempfile::tempdir().expect("a directory");
    let up: std::path::PathBuf = workspace.ancestors().skip(1).map(|_| "..").collect();
    let top = workspace.ancestors().last().expect("a root");
    let dir = up.join(outside.path().strip_prefix(top).expect("one root")).join("my-raft");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let written = command.arg("skeleton").arg(&dir).current_dir(workspace).output();
    let written = written.expect("xtask runs");
    assert!(written.status.success(), "{}", words(&written));
    assert!(outside.path().join("my-raft/Cargo.toml").exists());
}
