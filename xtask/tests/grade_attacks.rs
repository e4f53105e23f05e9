//! What a cheat may try against `cargo xtask grade`. No attack gains a point; and each that a closed room
//! keeps out is seen to work in an open one, so that these tests would notice if the room were open.
#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The code of all attacks that a crate can try while it is run.
const ATTACKS: &str = include_str!("attacks.rs.in");

/// What a closed room keeps from the crate.
const CLOSED: [&str; 9] = [
    "memory",
    "results",
    "sources",
    "registry",
    "target",
    "network",
    "process",
    "others' files",
    "disk",
];

/// A student's crate and the folder for its results.
struct Trial {
    top: TempDir,
}

impl Trial {
    /// The skeleton, called `cheat`.
    fn new() -> Trial {
        let trial = Trial { top: tempfile::tempdir().expect("a folder") };
        let dir = trial.path("cheat").display().to_string();
        let written = xtask(&["skeleton", &dir]);
        assert!(written.status.success(), "{}", words(&written));
        trial
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn source(&self) -> String {
        fs::read_to_string(self.path("cheat/src/lib.rs")).expect("the source")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path("cheat").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("it can be written");
    }

    /// Grades it; none if this system has no closed rooms: then the command must have refused.
    fn grade(&self, options: &[&str]) -> Option<Value> {
        let (dir, out) = (self.path("cheat"), self.path("out"));
        let line = ["grade", dir.to_str()?, "--seeds", "1", "--out", out.to_str()?];
        let output = xtask(&[&line, options].concat());
        if words(&output).contains("cannot be locked in on this system") {
            assert_eq!(output.status.code(), Some(70));
            common::skipped(common::ROOM, "an attack on grading", &words(&output));
            return None;
        }
        assert!(output.status.success(), "{}", words(&output));
        let text = fs::read_to_string(self.path("out/grade.json")).expect("the result");
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    /// Why it was not graded at all.
    fn problem(&self, options: &[&str]) -> Option<String> {
        let grade = self.grade(options)?;
        assert_eq!(grade["points"].as_f64(), Some(0.0), "{grade}");
        Some(grade["problem"].as_str().expect("a problem").to_string())
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton")
}

fn xtask(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).env("CARGO_TARGET_DIR", target());
    command.output().expect("xtask runs")
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// What is said of the failure of each test.
fn failures(grade: &Value) -> Vec<String> {
    let tests = grade["tests"].as_array().expect("tests");
    tests.iter().map(|test| test["failure"].as_str().unwrap_or_default().to_string()).collect()
}

/// A crate that attacks in each of the lab's tests, in another way.
fn attacker() -> Trial {
    let trial = Trial::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).expect("a home");
    fs::create_dir(trial.path("disk")).expect("a folder");
    fs::write(trial.path("secret"), "of another student").expect("a file");
    let mut attacks = ATTACKS.to_string();
    for (name, path) in [
        ("{out}", trial.path("out")),
        ("{workspace}", workspace.to_owned()),
        ("{registry}", cargo.join("registry")),
        ("{target}", target()),
        ("{disk}", trial.path("disk")),
        ("{secret}", trial.path("secret")),
    ] {
        attacks = attacks.replace(name, &path.display().to_string());
    }
    let make = "        let peers = peers.into_iter()";
    let source = trial.source();
    assert!(source.contains(make));
    trial.write(
        "src/lib.rs",
        &(source.replace(make, &format!("        attack();\n{make}")) + &attacks),
    );
    trial
}

#[test]
fn no_attack_of_running_code_gains_a_point() {
    let trial = attacker();
    // Programs of its own that cargo would run before anything is compiled.
    let script = trial.path("script");
    let mark = trial.path("mark").display().to_string();
    fs::write(&script, format!("#!/bin/sh\necho > {mark}\nexec \"$@\"\n")).expect("a file");
    let status = Command::new("chmod").arg("755").arg(&script).status();
    assert!(status.expect("chmod runs").success());
    let settings = format!("[build]\nrustc-wrapper = {script:?}\n");
    trial.write(".cargo/config.toml", &settings);
    // Without this the panic hook alone would keep it from being graded.
    let problem = trial.problem(&[]);
    assert!(problem.is_none_or(|problem| problem.contains("`set_hook` at src/lib.rs:")));
    let Some(grade) = trial.grade(&["--allow-statics"]) else { return };
    assert_eq!((grade["points"].as_f64(), &grade["problem"]), (Some(0.0), &Value::Null), "{grade}");
    assert!(!trial.path("mark").exists(), "settings in the crate's folder are heeded");
    let failures = failures(&grade);
    for ended in &failures[..3] {
        assert!(ended.contains("ended in the middle of the test, as if all were well"), "{ended}");
    }
    for attack in CLOSED.iter().chain(&["key", "records"]) {
        let refused = format!("attack on the {attack}: refused");
        assert!(
            failures.iter().any(|failure| failure.contains(&refused)),
            "{attack}: {failures:#?}"
        );
    }
    assert!(
        failures.iter().any(|failure| failure.contains("it printed more than")),
        "{failures:#?}"
    );
    let remarks = grade["remarks"].to_string();
    assert!(remarks.contains("reaches past the lab") && remarks.contains("std::env"), "{remarks}");
}

#[test]
fn the_attacks_work_where_nothing_keeps_them_out() {
    let trial = attacker();
    let grade = trial.grade(&["--allow-statics", "--open-room"]).expect("no room is needed");
    let failures = failures(&grade);
    for attack in CLOSED {
        let works = format!("attack on the {attack}: it works");
        assert!(failures.iter().any(|failure| failure.contains(&works)), "{attack}: {failures:#?}");
    }
    // What does not depend on the room.
    assert_eq!(grade["points"].as_f64(), Some(0.0), "{grade}");
    for attack in ["key", "records"] {
        let refused = format!("attack on the {attack}: refused");
        assert!(
            failures.iter().any(|failure| failure.contains(&refused)),
            "{attack}: {failures:#?}"
        );
    }
}

/// The search of the sources reads Rust; the compiler reads what it is told to.
#[test]
fn unsafe_code_in_a_file_of_another_kind_does_not_compile() {
    let trial = Trial::new();
    trial.write("src/more.txt", "pub fn f() -> u8 { unsafe { *std::ptr::null() } }");
    trial.write("src/lib.rs", &(trial.source() + "\nmod more { include!(\"more.txt\"); }\n"));
    let Some(problem) = trial.problem(&[]) else { return };
    assert!(problem.contains("`include` at src/lib.rs"), "{problem}");
    // Who allows that has the compiler between.
    let problem = trial.problem(&["--allow-statics"]).expect("as before");
    assert!(problem.contains("usage of an `unsafe` block"), "{problem}");
}

#[test]
fn the_compiler_reads_no_files_of_others() {
    let trial = Trial::new();
    fs::write(trial.path("secret"), "of another student").expect("a file");
    let secret = trial.path("secret").display().to_string();
    let line = format!("\n/// Not mine.\npub const SECRET: &str = include_str!({secret:?});\n");
    trial.write("src/lib.rs", &(trial.source() + &line));
    let Some(problem) = trial.problem(&[]) else { return };
    assert!(
        problem.contains("couldn't read") && problem.contains("Permission denied"),
        "{problem}"
    );
}

/// Results and submissions may lie there too, so it is no more than what the tests are built of.
#[test]
fn the_compiler_reads_nothing_of_the_workspace_but_its_members() {
    let trial = Trial::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let read = |name: &str| {
        let file = workspace.join(name).display().to_string();
        format!("\n/// Not mine.\npub const FILE: &str = include_str!({file:?});\n")
    };
    trial.write("src/lib.rs", &(trial.source() + &read("docs/grading.md")));
    let Some(problem) = trial.problem(&[]) else { return };
    assert!(
        problem.contains("couldn't read") && problem.contains("Permission denied"),
        "{problem}"
    );
}

#[test]
fn what_a_crate_must_not_have_is_named() {
    let trial = Trial::new();
    let manifest = fs::read_to_string(trial.path("cheat/Cargo.toml")).expect("the manifest");
    let more = "[dependencies]\nlibloading = \"1\"\nraft = { path = \"../raft\" }";
    trial.write("Cargo.toml", &manifest.replace("[dependencies]", more));
    let more = "\nstatic SHARED: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());\n\
                #[global_allocator]\nstatic A: Own = Own;\nunsafe impl std::alloc::GlobalAlloc for Own {}\n\
                type Duration = std::sync::Mutex<Vec<u8>>;\nstatic BOARD: Duration = Duration::new(Vec::new());\n\
                use std as s;\nconst UNIT: &'static &'static () = &&();\n";
    trial.write("src/lib.rs", &(trial.source() + more));
    let Some(problem) = trial.problem(&[]) else { return };
    for named in [
        "`libloading` from a registry (version 1), which is not among the crates that are allowed",
        "`raft`, a crate of this workspace that lab 2 is not made with (if it may: --allow raft)",
        "`unsafe` at src/lib.rs:",
        "`static` at src/lib.rs:",
        "(its type may mean `type Duration` at src/lib.rs:",
        "`std as` at src/lib.rs:",
        "`&'static &'static` at src/lib.rs:",
    ] {
        assert!(problem.contains(named), "{named}: {problem}");
    }
}

/// Cargo does not ask whether a crate is a member of the workspace that it inherits from.
#[test]
fn the_reference_is_not_inherited_from_this_workspace() {
    let trial = Trial::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let manifest = format!(
        "[package]\nname = \"cheat\"\nversion = \"0.1.0\"\nedition = \"2024\"\nworkspace = {workspace:?}\n\n\
         [dependencies]\nraft.workspace = true\n"
    );
    trial.write("Cargo.toml", &manifest);
    trial.write("src/lib.rs", "pub use raft::Raft;\n");
    let Some(problem) = trial.problem(&[]) else { return };
    assert!(
        problem.contains("takes the dependency `raft` from a workspace's manifest"),
        "{problem}"
    );
}

/// What is hidden is not copied; a whole path would lead to it where it was handed in.
#[test]
fn no_crate_is_built_of_a_folder_that_was_not_looked_at() {
    let trial = Trial::new();
    let hidden = trial.path("cheat/.own").display().to_string();
    let manifest = fs::read_to_string(trial.path("cheat/Cargo.toml")).expect("the manifest");
    let more = format!("[dependencies]\nown = {{ path = {hidden:?} }}");
    trial.write("Cargo.toml", &manifest.replace("[dependencies]", &more));
    trial.write(
        ".own/Cargo.toml",
        "[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    trial.write(".own/src/lib.rs", "pub fn f() -> u8 { let x = 5; unsafe { *(&raw const x) } }\n");
    trial.write(
        "src/lib.rs",
        &(trial.source() + "\n/// Not seen.\npub fn f() -> u8 { own::f() }\n"),
    );
    let problem = trial.problem(&["--open-room"]).expect("no room is needed");
    assert!(problem.contains("`own` in ") && problem.contains("left out"), "{problem}");
    let Some(problem) = trial.problem(&[]) else { return };
    assert!(problem.contains("`own` in ") && problem.contains("left out"), "{problem}");
}

/// A few lines of source, and what the compiler makes of them fills a disk.
#[test]
fn what_is_built_may_not_fill_the_disk() {
    let trial = Trial::new();
    let large = "\n/// Large.\n#[inline(never)]\npub fn f() -> [&'static [u8]; 2] {\n    [&[1; 40 << 20], &[2; 40 << 20]]\n}\n";
    trial.write("src/lib.rs", &(trial.source() + large));
    let Some(problem) = trial.problem(&["--build-size", "60"]) else { return };
    assert!(
        problem
            .contains("building it writes more than 60 MiB to the disk (if it may: --build-size)"),
        "{problem}"
    );
}

/// Where a machine has no memory left, the system ends somebody, and there would be no result.
#[test]
fn what_is_built_may_not_take_all_memory() {
    let trial = Trial::new();
    let large = "\n/// Large.\npub fn f() -> &'static [u8] {\n    &[1; 4 << 30]\n}\n";
    trial.write("src/lib.rs", &(trial.source() + large));
    let Some(problem) = trial.problem(&["--build-memory", "800"]) else { return };
    assert!(
        problem
            .contains("building it takes more than 800 MiB of memory (if it may: --build-memory)"),
        "{problem}"
    );
}

/// What serde's derive reads from a text is code, and would share a static.
#[test]
fn a_static_in_a_text_is_found() {
    let trial = Trial::new();
    let hidden = "\npub trait Shared { fn all() -> &'static std::sync::Mutex<u64>; }\npub struct Me;\n\
        macro_rules! hide { ($($t:tt)*) => {{ $($t)* 1 }} }\n\
        #[derive(serde::Serialize)]\n#[serde(bound = \"[u8; hide!(static ALL: std::sync::Mutex<u64> = \
        std::sync::Mutex::new(0); impl Shared for Me { fn all() -> &'static std::sync::Mutex<u64> { &ALL } })]: Sized\")]\n\
        pub struct A { pub x: u64 }\n";
    // Each server is born with the number of those before it.
    let make = "        let peers = peers.into_iter()";
    let shares = "        let mut all = Me::all().lock().unwrap();\n        *all += 1;\n        \
                  if *all > 3 { return Err(\"they share\".into()); }\n        drop(all);\n";
    let source = trial.source().replace(make, &format!("{shares}{make}"));
    trial.write("src/lib.rs", &(source + hidden));
    let Some(problem) = trial.problem(&[]) else { return };
    assert!(problem.contains("`hide!` in a text at src/lib.rs:"), "{problem}");
}

/// The processes that compile a crate.
fn compilers_of(name: &str) -> usize {
    let part = format!("--crate-name\0{name}\0");
    let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
    let lines = entries.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    lines.filter(|line| String::from_utf8_lossy(line).contains(&part)).count()
}

/// A compiler that has no end must not go on when nobody waits for it any more.
#[test]
fn a_compiler_does_not_outlive_a_grading_that_is_killed() {
    let trial = Trial::new();
    let manifest = fs::read_to_string(trial.path("cheat/Cargo.toml")).expect("the manifest");
    trial.write("Cargo.toml", &manifest.replace("name = \"cheat\"", "name = \"endless\""));
    let endless = "\n#[allow(long_running_const_eval)]\nconst _: () = {\n    let mut i = 0_u64;\n    \
                   while i < u64::MAX {\n        i += 1;\n    }\n};\n";
    trial.write("src/lib.rs", &(trial.source() + endless));
    let mut grading = Command::new(env!("CARGO_BIN_EXE_xtask"));
    grading.arg("grade").arg(trial.path("cheat")).arg("--out").arg(trial.path("out"));
    grading.args(["--seeds", "1", "--open-room"]).env("CARGO_TARGET_DIR", target());
    let mut grading = grading.stderr(Stdio::null()).spawn().expect("xtask runs");
    while compilers_of("endless") == 0 {
        assert!(grading.try_wait().expect("it can be asked").is_none(), "it was never compiled");
        std::thread::sleep(Duration::from_millis(20));
    }
    grading.kill().expect("it runs");
    grading.wait().expect("it ends");
    let killed = Instant::now();
    while compilers_of("endless") > 0 {
        assert!(killed.elapsed() < Duration::from_secs(60), "it is compiled on");
        std::thread::sleep(Duration::from_millis(20));
    }
}
