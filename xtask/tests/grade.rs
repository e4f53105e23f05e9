//! `cargo xtask grade`, as an instructor runs it.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn command(args: &[&str]) -> Command {
    // What other tests of xtask have compiled for a skeleton is compiled for this one too.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).env("CARGO_TARGET_DIR", target);
    command
}

fn xtask(args: &[&str]) -> Output {
    command(args).output().expect("xtask runs")
}

/// A skeleton of this name in a folder, with these changes to its source.
fn student(folder: &Path, name: &str, changes: &[(&str, &str)]) -> String {
    let dir = folder.join(name).display().to_string();
    let written = xtask(&["skeleton", &dir]);
    assert!(written.status.success(), "{}", words(&written));
    let file = folder.join(name).join("src/lib.rs");
    let mut text = fs::read_to_string(&file).expect("the source");
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    fs::write(&file, text).expect("it can be written");
    dir
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn points_are_given_for_what_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("weights"), r#"{"2A": 60, "2B": 40}"#).expect("a file");
    let blocking = root.join("zoo/blocking-raft").display().to_string();
    let output = xtask(&[
        "grade",
        &blocking,
        "--type",
        "BlockingRaft",
        "--seeds",
        "3",
        "--weights",
        &path("weights"),
        "--out",
        &path("out"),
    ]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    // It does elections and has no log.
    assert_eq!((grade["points"].as_f64(), grade["of"].as_f64()), (Some(60.0), Some(100.0)));
    assert_eq!(grade["tests"].as_array().map(Vec::len), Some(13));
    let first = &grade["tests"][0];
    assert_eq!((first["runs"].as_u64(), first["passed"].as_u64()), (Some(3), Some(3)));
    let results = json(&folder.path().join("out/results.json"));
    assert_eq!(results["score"].as_f64(), Some(60.0));
    assert_eq!(results["tests"].as_array().map(Vec::len), Some(13));
    let text = fs::read_to_string(folder.path().join("out/grade.txt")).expect("the text");
    assert!(text.starts_with("blocking-raft: 60.0 of 100.0 points"), "{text}");
    // As the test says it, with the crate's own name.
    assert!(text.contains("agreement: one(100) failed to reach agreement"), "{text}");
    assert!(text.contains("usual cause: ") && !text.contains("grading-"), "{text}");
}

#[test]
fn a_crate_that_does_not_compile_has_a_clear_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    student(folder.path(), "my-raft", &[]);
    let file = folder.path().join("my-raft/src/lib.rs");
    fs::write(&file, "pub struct Raft; fn broken( {").expect("a file");
    let output = xtask(&["grade", &path("my-raft"), "--out", &path("out")]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    assert_eq!(grade["points"].as_f64(), Some(0.0));
    let problem = grade["problem"].as_str().expect("a problem");
    assert!(problem.contains("does not compile") && problem.contains("src/lib.rs"), "{problem}");
}

/// What others are built of compiled before the student's manifest asked for more of it.
#[test]
fn a_crate_that_has_another_one_not_compile_has_no_points() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let dir = student(folder.path(), "demanding", &[]);
    let manifest = folder.path().join("demanding/Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest");
    let more = "[dependencies]\nsmallvec = { version = \"1\", features = [\"specialization\"] }";
    fs::write(&manifest, text.replace("[dependencies]", more)).expect("it can be written");
    let output = xtask(&["grade", &dir, "--open-room", "--out", &out]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    assert_eq!(grade["points"].as_f64(), Some(0.0), "{grade}");
    let problem = grade["problem"].as_str().expect("a problem");
    let first = "a crate does not compile as its manifest would have it";
    assert!(problem.starts_with(first) && problem.contains("E0554"), "{problem}");
}

/// A linker that fails is else the machine's.
#[test]
fn a_crate_that_calls_what_is_nowhere_has_no_points() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let make = "        let peers = peers.into_iter()";
    let call = "        std::hint::black_box(no_such_thing as *const ());\n";
    let dir = student(folder.path(), "unlinked", &[(make, &format!("{call}{make}"))]);
    let file = folder.path().join("unlinked/src/lib.rs");
    let text = fs::read_to_string(&file).expect("the source");
    let text = text + "\nunsafe extern \"C\" { fn no_such_thing(); }\n";
    fs::write(&file, text).expect("it can be written");
    let grade = |options: &[&str]| {
        let output = xtask(&[&["grade", &dir, "--open-room", "--out", &out], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", words(&output));
        let grade = json(&folder.path().join("out/grade.json"));
        assert_eq!(grade["points"].as_f64(), Some(0.0), "{grade}");
        grade["problem"].as_str().expect("a problem").to_string()
    };
    let problem = grade(&[]);
    assert!(problem.contains("`extern` at src/lib.rs:"), "{problem}");
    // Also with a type of the instructor's, which is then at no fault.
    let problem = grade(&["--allow-unsafe", "--type", "Raft"]);
    let first = "its code calls what no crate of it has";
    assert!(problem.starts_with(first) && problem.contains("no_such_thing"), "{problem}");
}

/// Forged records, a way out, and a name that the suite might want for itself.
#[test]
fn a_cheat_gets_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let make = "        let peers = peers.into_iter()";
    let forge = r##"
        if let Some(file) = std::env::var_os("LAB_RECORDS") {
            use std::io::Write as _;
            let seeds = std::env::var("LAB_SEED").unwrap_or_default();
            let test = std::env::args().nth(2).unwrap_or_default();
            let part = test.rsplit('_').next().unwrap_or_default().to_string();
            let file = std::fs::OpenOptions::new().append(true).create(true).open(file);
            let mut lines = String::new();
            for (place, seed) in seeds.split(',').enumerate() {
                let run = format!(r#""test":"{test}","part":"{part}","clock":"sim","seed":{seed}"#);
                if place > 0 {
                    lines += &format!(r#"{{"event":"begin",{run}}}"#);
                    lines += "\n";
                }
                lines += &format!(r#"{{"event":"end",{run},"lab_us":1,"wall_us":1,"cpu_us":1,"servers":3,"rpcs":9,"bytes":9,"committed":0,"hash":"0123456789abcdef","failure":null}}"#);
                lines += "\n";
            }
            let _ = file.and_then(|mut file| file.write_all(lines.as_bytes()));
            std::process::exit(0);
        }
"##;
    let dir = student(folder.path(), "graded", &[(make, &format!("{forge}{make}"))]);
    let output = xtask(&["grade", &dir, "--seeds", "4", "--out", &out]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    assert_eq!((grade["points"].as_f64(), &grade["problem"]), (Some(0.0), &Value::Null));
    for test in grade["tests"].as_array().expect("tests") {
        let failure = test["failure"].as_str().unwrap_or_default();
        assert!(failure.contains("the process ended in the middle of the test"), "{test}");
    }
}

#[test]
fn a_crate_that_acts_while_it_is_built_is_not_graded() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let dir = student(folder.path(), "my-raft", &[]);
    let found = folder.path().join("found");
    let script = format!("fn main() {{ std::fs::write({found:?}, \"\").unwrap(); }}");
    fs::write(folder.path().join("my-raft/build.rs"), script).expect("a file");
    let output = xtask(&["grade", &dir, "--out", &out]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    assert_eq!(grade["points"].as_f64(), Some(0.0));
    let problem = grade["problem"].as_str().expect("a problem");
    assert!(problem.contains("`my-raft` has a build script"), "{problem}");
    assert!(!found.exists(), "it was run");
}

#[test]
fn what_is_no_fault_of_the_student_s_gives_no_points() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let dir = student(folder.path(), "my-raft", &[]);
    let score = || json(&folder.path().join("out/results.json")).get("score").cloned();
    let refused = |output: Output, expected: &str| {
        assert_eq!(output.status.code(), Some(70), "{}", words(&output));
        assert!(words(&output).contains(expected), "{}", words(&output));
        assert_eq!(score(), None);
    };
    // The type is what the instructor says.
    let arguments = ["grade", &dir, "--out", &path("out")];
    let wrong = [&arguments[..], &["--type", "NoSuch"]].concat();
    let output = command(&wrong).env("CARGO_TERM_COLOR", "always").output().expect("xtask runs");
    assert!(!words(&output).contains('\x1b'), "{}", words(&output));
    refused(output, "`my-raft` has no type `NoSuch` that implements raft_api::Raft");
    // There is no network, and a crate is needed that is not here.
    let manifest = folder.path().join("my-raft/Cargo.toml");
    let text = fs::read_to_string(&manifest).expect("the manifest");
    let text = text.replace("[dependencies]", "[dependencies]\nrand_pcg = \"=0.0.1\"");
    fs::write(&manifest, text).expect("it can be written");
    let allowed = [&arguments[..], &["--allow", "rand_pcg"]].concat();
    let output = command(&allowed).env("CARGO_NET_OFFLINE", "true").output();
    refused(output.expect("xtask runs"), "cargo cannot find or fetch what the crate needs");
    // There is no room for temporary files.
    let output = command(&arguments).env("TMPDIR", path("none")).output();
    refused(output.expect("xtask runs"), "cannot make a folder for temporary files");
}

#[test]
#[cfg(unix)]
fn there_are_results_from_the_beginning_and_after_any_end() {
    use rustix::process::{Pid, Signal, kill_process};

    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let dir = student(folder.path(), "my-raft", &[]);
    for (signal, note) in [(Signal::KILL, "not finished"), (Signal::TERM, "was interrupted")] {
        let out = note.replace(' ', "-");
        let mut child = command(&["grade", &dir, "--out", &path(&out)])
            .stdout(Stdio::null())
            .spawn()
            .expect("xtask runs");
        let results = folder.path().join(&out).join("results.json");
        while !results.exists() {
            assert!(child.try_wait().expect("a child").is_none(), "there are no results");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        let status = child.wait().expect("it ends");
        assert!(!status.success(), "{status}");
        let results = json(&results);
        assert_eq!(results["score"].as_f64(), Some(0.0), "{results}");
        assert_eq!(results["tests"].as_array().map(Vec::len), Some(21));
        assert!(results["output"].as_str().expect("words").contains(note), "{results}");
    }
    let output = xtask(&["grade", &dir, "--time-limit", "1ms", "--out", &path("limit")]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("limit/grade.json"));
    assert_eq!((grade["points"].as_f64(), grade["finished"].as_bool()), (Some(0.0), Some(true)));
    assert!(grade["note"].as_str().expect("a note").contains("time limit of 1ms"), "{grade}");
}

/// Whoever builds for hours must not cost others their points.
#[test]
fn to_wait_for_another_grading_takes_no_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let dir = student(folder.path(), "patient", &[]);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    fs::create_dir_all(&target).expect("a folder");
    let lock = fs::File::create(target.join("grading.lock")).expect("a file");
    lock.lock().expect("it can be held");
    let args = ["grade", &dir, "--time-limit", "1ms", "--open-room", "--out"];
    let mut child = command(&args).arg(&out).stdout(Stdio::null()).spawn().expect("xtask runs");
    while !out.join("results.json").exists() {
        assert!(child.try_wait().expect("a child").is_none(), "there are no results");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(
        child.try_wait().expect("a child").is_none(),
        "its time was over before it could build"
    );
    drop(lock);
    assert!(child.wait().expect("it ends").success());
    let grade = json(&out.join("grade.json"));
    assert!(grade["note"].as_str().expect("a note").contains("time limit of 1ms"), "{grade}");
}

/// Of a crate that has changed nothing is lost by going on, also if that is interrupted or goes wrong.
#[test]
fn a_result_stands_until_there_is_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let dir = student(folder.path(), "standing", &[]);
    let file = folder.path().join("standing/src/lib.rs");
    fs::write(&file, "pub struct Raft;\nfn f() -> u8 { \"\" }\n").expect("a file");
    let grade = |options: &[&str]| {
        let mut command = command(&["grade", &dir, "--open-room"]);
        command.args(options).arg("--out").arg(&out);
        command
    };
    let xtask = |options: &[&str]| grade(options).output().expect("xtask runs");
    let output = xtask(&[]);
    assert!(output.status.success(), "{}", words(&output));
    let before = fs::read(out.join("grade.json")).expect("a result");
    fs::write(&file, "pub struct Raft;\nfn f() -> u8 { 7 }\n").expect("a file");
    // There is no room for temporary files, which is nobody's fault.
    let output = grade(&["--resume"]).env("TMPDIR", folder.path().join("none")).output();
    let output = output.expect("xtask runs");
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert_eq!(fs::read(out.join("grade.json")).expect("a result"), before);
    let output = xtask(&["--resume"]);
    assert!(output.status.success(), "{}", words(&output));
    let result = json(&out.join("grade.json"));
    assert!(result["problem"].as_str().expect("a problem").contains("no type `Raft`"), "{result}");
    // Its settings are others now.
    let output = xtask(&["--resume", "--seeds", "7"]);
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert!(words(&output).contains("without --resume it is graded anew"), "{}", words(&output));
    assert_eq!(json(&out.join("grade.json")), result);
    // Unless nobody wants the old ones then.
    let output = xtask(&["--resume", "--else-anew", "--seeds", "7"]);
    assert!(output.status.success(), "{}", words(&output));
    let said = "grade: all is graded anew: what is in ";
    assert!(words(&output).lines().any(|line| line.starts_with(said)), "{}", words(&output));
    assert_eq!(json(&out.join("grade.json"))["print"]["settings"]["--seeds"], "7");
    // One at a time.
    let held = fs::File::create(out.join("lock")).expect("a file");
    held.lock().expect("nobody has it");
    let output = xtask(&[]);
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert!(words(&output).contains("another grade is at work in"), "{}", words(&output));
}

/// A run that hangs takes long, so not all of them are made.
#[test]
fn a_test_whose_first_runs_hang_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out").display().to_string();
    let wait = r#"
        if std::env::args().any(|argument| argument == "initial_election_2A") {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        }
        "#;
    let state = "let _state = self.state.lock();\n        // TODO (2A): your code here.\n";
    let dir = student(folder.path(), "my-raft", &[(state, &format!("{wait}{state}"))]);
    let output = xtask(&["grade", &dir, "--seeds", "4", "--out", &out]);
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    let first = &grade["tests"][0];
    assert_eq!((first["runs"].as_u64(), first["passed"].as_u64()), (Some(3), Some(0)), "{first}");
    let failure = first["failure"].as_str().expect("a failure");
    assert!(failure.contains("so no others were made"), "{failure}");
    let clock = "this is not labrt's clock: src/lib.rs:";
    assert!(failure.contains(clock) && failure.contains("cargo clippy"), "{failure}");
    // It goes on with the others.
    assert_eq!(grade["tests"][1]["runs"].as_u64(), Some(4), "{grade}");
}

#[test]
fn a_crate_that_is_too_large_has_a_result_and_takes_nobodys_place() {
    let top = tempfile::tempdir().expect("a folder");
    let out = top.path().join("out").display().to_string();
    let large = |folder: &str| {
        let dir = top.path().join(folder);
        fs::create_dir_all(&dir).expect("a folder");
        fs::write(dir.join("Cargo.toml"), "[package]\nname = \"my-raft\"\n").expect("a file");
        let file = fs::File::create(dir.join("large")).expect("a file");
        file.set_len((64 << 20) + 1).expect("a length");
        xtask(&["grade", &dir.display().to_string(), "--open-room", "--out", &out])
    };
    for _ in 0..2 {
        let output = large("ann");
        assert_eq!(output.status.code(), Some(0), "{}", words(&output));
        let grade = json(&top.path().join("out/grade.json"));
        let problem = grade["problem"].as_str().unwrap_or_default();
        assert!(problem.contains("more than 5000 files or 64 MiB"), "{grade}");
        assert_eq!(grade["points"].as_f64(), Some(0.0), "{grade}");
    }
    let before = fs::read(top.path().join("out/grade.json")).expect("a file");
    let output = large("bob");
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    let said = words(&output);
    assert!(said.contains("has the results of the crate in") && said.contains("--out"), "{said}");
    assert_eq!(fs::read(top.path().join("out/grade.json")).expect("a file"), before);
}

#[test]
fn what_cannot_be_graded_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    assert_eq!(xtask(&["grade", "/does/not/exist"]).status.code(), Some(70));
    assert_eq!(xtask(&["grade", &dir]).status.code(), Some(70));
    let weights = folder.path().join("weights").display().to_string();
    fs::write(&weights, r#"{"2Z": 60}"#).expect("a file");
    let output = xtask(&["grade", &dir, "--weights", &weights]);
    assert_eq!(output.status.code(), Some(70));
    assert!(
        words(&output).contains("lab 2 has no part `2Z`; it has 2A, 2B, 2C, 2D"),
        "{}",
        words(&output)
    );
}

/// A command in so many rooms, one within the other, that the kernel has no further one.
#[cfg(target_os = "linux")]
fn where_there_are_no_rooms(args: &[&str]) -> Command {
    /// How many the kernel has for one process.
    const MOST: usize = 16;
    let open =
        r#"{"read":["/"],"run":["/"],"write":["/"],"change":[],"alone":false,"nobody":false}"#;
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let mut command = command(&[]);
    for room in 0..MOST {
        if room > 0 {
            command.arg(xtask);
        }
        command.args(["--in-a-closed-room", open]);
    }
    command.arg(xtask).args(args);
    command
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_closed_room_nothing_is_graded_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = student(folder.path(), "locked-out", &[]);
    let out = folder.path().join("out");
    let args = ["grade", &dir, "--out", out.to_str().expect("a path")];
    let refused = where_there_are_no_rooms(&args).output().expect("xtask runs");
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(70), "{said}");
    assert!(said.contains("students' code cannot be locked in on this system"), "{said}");
    assert!(said.contains("--open-room"), "{said}");
    assert!(!out.exists(), "nothing was graded");
}

/// A cargo in a folder that does this when it is asked what the crate with the suite is made of.
#[cfg(unix)]
fn cargo_that(folder: &Path, does: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let script = folder.join("cargo");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *metadata*/suite/Cargo.toml*) {does};; esac\nexec {cargo} \"$@\"\n"
    );
    fs::write(&script, text).expect("a file");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    script
}

/// It may fetch what a manifest asks for, from where nobody answers.
#[test]
#[cfg(unix)]
fn who_has_cargo_look_for_crates_for_ever_runs_out_of_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let dir = student(folder.path(), "seeker", &[]);
    let script = cargo_that(folder.path(), "sleep 3600");
    let mut xtask = command(&["grade", &dir, "--open-room", "--time-limit", "1s", "--out"]);
    let output = xtask.arg(&out).env("CARGO", &script).output().expect("xtask runs");
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&out.join("grade.json"));
    assert_eq!((grade["points"].as_f64(), grade["finished"].as_bool()), (Some(0.0), Some(true)));
    assert!(grade["note"].as_str().expect("a note").contains("time limit of 1s"), "{grade}");
}

/// The folder for temporary files is often one for all users, and cargo looks for settings in all folders above the
/// one that it is run in.
#[test]
fn settings_beside_temporary_files_are_not_heeded() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let dir = student(folder.path(), "neighbour", &[]);
    let source = "pub struct Raft;\nfn f() -> u8 { \"\" }\n";
    fs::write(folder.path().join("neighbour/src/lib.rs"), source).expect("a file");
    let settings = folder.path().join("tmp/.cargo");
    fs::create_dir_all(&settings).expect("a folder");
    fs::write(settings.join("config.toml"), "this is no TOML").expect("a file");
    let mut xtask = command(&["grade", &dir, "--open-room", "--out"]);
    let output = xtask.arg(&out).env("TMPDIR", folder.path().join("tmp")).output();
    let output = output.expect("xtask runs");
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&out.join("grade.json"));
    let problem = grade["problem"].as_str().expect("a problem");
    assert!(problem.contains("does not compile") && problem.contains("src/lib.rs:2"), "{problem}");
}

/// For want of memory, or by a signal for all of us.
#[test]
#[cfg(unix)]
fn who_kills_cargo_costs_nobody_points() {
    use std::os::unix::process::CommandExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let dir = student(folder.path(), "unlucky", &[]);
    for (number, kill) in ["kill -9 $$", "kill -TERM 0"].into_iter().enumerate() {
        let script = cargo_that(folder.path(), kill);
        let out = folder.path().join(format!("out-{number}"));
        let mut xtask = command(&["grade", &dir, "--open-room", "--out"]);
        let output = xtask.arg(&out).env("CARGO", &script).process_group(0).output();
        let output = output.expect("xtask runs");
        assert_eq!(output.status.code(), Some(70), "{}", words(&output));
        let grade = json(&out.join("grade.json"));
        assert_eq!((&grade["finished"], &grade["problem"]), (&Value::Bool(false), &Value::Null));
        let note = grade["note"].as_str().expect("a note");
        // Whichever of the two is known first.
        let interrupted = number == 1 && note.contains("was interrupted");
        assert!(interrupted || note.contains("there is no result: "), "{grade}");
    }
}

/// TERM is for us alone, and cargo knows nothing of it.
#[test]
#[cfg(unix)]
fn a_signal_ends_the_building_of_what_all_crates_need() {
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::process::{Pid, Signal, kill_process};

    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let dir = student(folder.path(), "patient", &[]);
    let script = |name: &str, text: &str| {
        fs::create_dir_all(path("bin")).expect("a folder");
        fs::write(path(name), format!("#!/bin/sh\n{text}\n")).expect("a file");
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).expect("it is ours");
    };
    let top = folder.path().display();
    // A toolchain whose cargo builds for ever, or nearly so.
    script("bin/cargo", &format!(": > '{top}/begun'; sleep 60; : > '{top}/ended-by-itself'"));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_string());
    let sysroot = format!("[ \"$*\" = '--print sysroot' ] && exec echo '{top}'");
    script("rustc", &format!("{sysroot}\nexec '{rustc}' \"$@\""));
    let mut xtask = command(&["grade", &dir, "--open-room", "--out"]);
    xtask.arg(path("out")).env("RUSTC", path("rustc")).env("CARGO_TARGET_DIR", path("target"));
    let mut child = xtask.stdout(Stdio::null()).spawn().expect("xtask runs");
    while !path("begun").exists() {
        assert!(child.try_wait().expect("a child").is_none(), "nothing was built");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(70));
    assert!(!path("ended-by-itself").exists(), "it waited for cargo");
    let grade = json(&path("out").join("grade.json"));
    assert!(grade["note"].as_str().expect("a note").contains("was interrupted"), "{grade}");
}

/// A command that may do anything but read this file and look into the folders around it: only so root cannot read a
/// file either.
#[cfg(unix)]
fn kept_out_of(file: &Path, args: &[&str]) -> Command {
    let mut others = Vec::new();
    for (inner, outer) in file.ancestors().zip(file.ancestors().skip(1)) {
        let entries = fs::read_dir(outer).expect("a folder").flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| path != inner);
        others.extend(paths.filter_map(|path| path.to_str().map(str::to_string)));
    }
    let room = serde_json::json!({
        "read": [], "run": [], "write": others, "change": [], "alone": false, "nobody": false,
    });
    let mut command = command(&["--in-a-closed-room", &room.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_xtask")).args(args);
    command
}

/// It may be a right crate: who grades has to see to it.
#[test]
#[cfg(unix)]
fn what_may_not_be_read_gives_no_points_and_costs_none() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let dir = path("ann");
    fs::create_dir_all(folder.path().join("ann/src")).expect("a folder");
    // It has a result without being built.
    fs::write(folder.path().join("ann/Cargo.toml"), "[package]\nname = \"raft\"\n")
        .expect("a file");
    let file = fs::canonicalize(folder.path()).expect("a path").join("ann/src/lib.rs");
    fs::write(&file, "").expect("a file");
    let (out, other) = (path("out"), path("other"));
    // Who is kept out of the folder above makes none in it.
    fs::create_dir(&other).expect("a folder");
    let line = ["grade", &*dir, "--open-room", "--out"];
    let output = xtask(&[&line[..], &[&*out]].concat());
    assert!(output.status.success(), "{}", words(&output));
    let before = fs::read(folder.path().join("out/grade.json")).expect("a result");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let grade = |args: &[&str]| match fs::read(&file) {
        Err(_) => command(args),
        Ok(_) => kept_out_of(&file, args),
    };
    let tried = grade(&["--help"]).output().expect("xtask runs");
    if !tried.status.success() {
        let test = "what_may_not_be_read_gives_no_points_and_costs_none";
        return common::skipped(common::ROOM, test, &words(&tried));
    }
    let output = grade(&[&line[..], &[&*out, "--resume"]].concat()).output().expect("xtask runs");
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert!(words(&output).contains("there is no result: cannot read "), "{}", words(&output));
    assert_eq!(fs::read(folder.path().join("out/grade.json")).expect("a result"), before);
    let output = grade(&[&line[..], &[&*other]].concat()).output().expect("xtask runs");
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    let result = json(&folder.path().join("other/grade.json"));
    assert_eq!((&result["points"], &result["problem"]), (&Value::Null, &Value::Null), "{result}");
    assert_eq!(json(&folder.path().join("other/results.json")).get("score"), None);
}

/// Root's files may be closed to nobody, who runs what students have written.
#[test]
#[cfg(unix)]
fn what_new_files_let_others_do_does_not_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let dir = student(folder.path(), "closed", &[]);
    fs::write(path("weights"), r#"{"2A": 60}"#).expect("a file");
    let args =
        ["grade", &dir, "--seeds", "1", "--weights", &path("weights"), "--out", &path("out")];
    let xtask = command(&args);
    let mut masked = Command::new("sh");
    masked.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(xtask.get_program());
    masked.args(xtask.get_args());
    masked.envs(xtask.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = masked.output().expect("xtask runs");
    assert!(output.status.success(), "{}", words(&output));
    let grade = json(&folder.path().join("out/grade.json"));
    let failure = grade["tests"][0]["failure"].as_str().expect("a failure");
    assert!(failure.contains("expected one leader"), "{failure}");
}

/// At the hard limit it would be killed as by anybody, and that is nobody's fault.
#[test]
#[cfg(target_os = "linux")]
fn who_computes_for_ever_is_told_so() {
    use std::os::unix::process::ExitStatusExt as _;

    let room = r#"{"read":["/"],"run":["/"],"write":["/"],"change":[],"alone":false,"nobody":false,"cpu":1}"#;
    let args = ["--in-a-closed-room", room, "/bin/sh", "-c", "while :; do :; done"];
    let output = xtask(&args);
    // XCPU, not KILL.
    assert_eq!(output.status.signal(), Some(24), "{}", words(&output));
}
