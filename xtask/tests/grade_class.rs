//! `cargo xtask grade --class`, as an instructor runs it; and a crate that is not what it was in the run before.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn xtask(args: &[&str]) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(args).env("CARGO_TARGET_DIR", target);
    command.output().expect("xtask runs")
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// A student's folder with a Raft that does elections and no more, after some changes to its source.
fn student(class: &Path, folder: &str, package: &str, changes: &[(&str, &str)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut text = fs::read_to_string(root.join("zoo/blocking-raft/src/lib.rs")).expect("a source");
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    let ours = ["labgob", "labrpc", "labrt", "persister", "raft-api"];
    let line = |name: &str| format!("{name} = {{ path = {:?} }}\n", root.join(name));
    let dependencies: String = ours.map(line).concat();
    let manifest = format!(
        "[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nserde = \"1\"\n{dependencies}\n[workspace]\n"
    );
    let dir = class.join(folder);
    fs::create_dir_all(dir.join("src")).expect("a folder");
    fs::write(dir.join("Cargo.toml"), manifest).expect("a file");
    fs::write(dir.join("src/lib.rs"), text).expect("a file");
}

/// The crate's folder, points and what is said of it.
fn rows(csv: &str) -> Vec<(String, String, String)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.splitn(6, ',').map(|cell| cell.trim_matches('"')).collect();
        (cells[0].to_string(), cells[2].to_string(), cells[5].to_string())
    };
    csv.lines().skip(1).map(row).collect()
}

#[test]
fn each_crate_of_a_class_has_a_result_and_its_trouble_is_its_own() {
    let top = tempfile::tempdir().expect("a folder");
    let path = |name: &str| top.path().join(name).display().to_string();
    let class = top.path().join("class");
    let entry = "impl raft_api::Raft for BlockingRaft {";
    student(&class, "ann", "my-raft", &[]);
    student(&class, "bob", "my-raft", &[("persistent", "kept")]);
    let make = "    ) -> Result<Arc<BlockingRaft>, Box<dyn Error + Send + Sync>> {\n";
    let exit = format!("{make}        std::process::exit(i32::from(me > 9));\n");
    student(&class, "cid exits", "my-raft", &[(make, &exit)]);
    student(&class, "dan's does not compile", "my-raft", &[(entry, "broken( {")]);
    student(&class, "eve has a taken name", "raft", &[]);
    fs::create_dir(class.join("fay has nothing")).expect("a folder");
    fs::write(path("weights"), r#"{"2A": 100}"#).expect("a file");
    let (dir, weights, out) = (path("class"), path("weights"), path("out"));
    let line = [
        "grade",
        "--class",
        &dir,
        "--type",
        "BlockingRaft",
        "--seeds",
        "2",
        "--weights",
        &weights,
        "--out",
        &out,
    ];
    let output = xtask(&line);
    if words(&output).contains("cannot be locked in on this system") {
        let test = "each_crate_of_a_class_has_a_result_and_its_trouble_is_its_own";
        common::skipped(common::ROOM, test, &words(&output));
        return;
    }
    assert!(output.status.success(), "{}", words(&output));
    let csv = fs::read_to_string(top.path().join("out/class.csv")).expect("the table");
    let rows = rows(&csv);
    let points: Vec<(&str, &str)> =
        rows.iter().map(|(name, points, _)| (&**name, &**points)).collect();
    assert_eq!(
        points,
        [
            ("ann", "100.00"),
            ("bob", "100.00"),
            ("cid exits", "0.00"),
            ("dan's does not compile", "0.00"),
            ("eve has a taken name", "0.00"),
            ("fay has nothing", "0.00"),
        ]
    );
    for (row, expected) in [
        (0, "graded; not all was judged in 3 tests"),
        (2, "graded"),
        (3, "does not compile"),
        (4, "it is called `raft`, as a crate of this workspace is: choose another name"),
        (5, "there is no crate that can be graded"),
    ] {
        assert!(rows[row].2.contains(expected), "{:?}", rows[row]);
    }
    let text = fs::read_to_string(top.path().join("out/crates/ann/grade.txt")).expect("the result");
    let unjudged = text.lines().find(|line| line.contains(", Election Safety, "));
    assert!(unjudged.is_some_and(|line| line.contains("careful: not judged: term, ")), "{text}");
    assert!(text.contains("because AppendEntries has no `prev_log_index`"), "{text}");
    // Ann's and Bob's code is one, and it is this workspace's.
    let markdown = fs::read_to_string(top.path().join("out/class.md")).expect("the table");
    assert!(markdown.contains("6 crates, 6 of them finished; 2 have all points"), "{markdown}");
    assert!(markdown.contains("## Nearly equal"), "{markdown}");
    assert!(markdown.contains("| ann | bob | 100 % | src/lib.rs:"), "{markdown}");
    assert!(markdown.contains("| bob | zoo/blocking-raft of this workspace | 100 %"), "{markdown}");
    assert!(top.path().join("out/class.html").exists());
    assert!(top.path().join("out/crates/bob/results.json").exists());

    // Nothing is written over, and nothing is done twice.
    let again = xtask(&line);
    assert_eq!(again.status.code(), Some(70), "{}", words(&again));
    assert!(words(&again).contains("has the results of another grading"), "{}", words(&again));
    fs::remove_dir_all(top.path().join("out/crates/bob")).expect("it is there");
    let resumed = xtask(&[&line[..], &["--resume"]].concat());
    assert!(resumed.status.success(), "{}", words(&resumed));
    let made = words(&resumed).matches("passed  initial_election_2A").count();
    assert_eq!(made, 1, "{}", words(&resumed));
    let csv_again = fs::read_to_string(top.path().join("out/class.csv")).expect("the table");
    assert_eq!(csv_again, csv);

    // In another way nothing is gone on with, and nothing is lost.
    let json = || fs::read(top.path().join("out/crates/ann/grade.json")).expect("the result");
    let before = json();
    let other: Vec<&str> = line.iter().map(|word| if *word == "2" { "3" } else { word }).collect();
    let refused = xtask(&[&other[..], &["--resume"]].concat());
    let said = words(&refused);
    assert_eq!(refused.status.code(), Some(70), "{said}");
    assert!(said.contains("graded in another way: --seeds was `2`, and is `3` now"), "{said}");
    assert!(said.contains("without --resume, and with another folder for --out, all is"), "{said}");
    let csv_again = fs::read_to_string(top.path().join("out/class.csv")).expect("the table");
    assert_eq!((csv_again, json()), (csv.clone(), before));

    // Who has changed his crate is graded anew, and nobody else.
    let broken = format!("{make}        compile_error!(\"not yet\");\n");
    student(&class, "bob", "my-raft", &[("persistent", "kept"), (make, &broken)]);
    let resumed = xtask(&[&line[..], &["--resume"]].concat());
    assert!(resumed.status.success(), "{}", words(&resumed));
    let changed = fs::read_to_string(top.path().join("out/class.csv")).expect("the table");
    let changed = self::rows(&changed);
    assert_eq!((&*changed[0].1, &*changed[1].1), ("100.00", "0.00"), "{changed:?}");
    assert!(changed[1].2.contains("does not compile"), "{changed:?}");
    assert!(!words(&resumed).contains("initial_election_2A"), "{}", words(&resumed));
}

/// A course may be a workspace that its students' crates lie in, members of it or not.
#[test]
fn nobody_is_graded_for_what_lies_above_his_folder() {
    let top = tempfile::tempdir().expect("a folder");
    let course = "[workspace]\nmembers = [\"subs/*\"]\n";
    fs::write(top.path().join("Cargo.toml"), course).expect("a file");
    for (name, text) in [("ann", "pub struct Mine;"), ("bob", "pub unsafe fn f() {}")] {
        let dir = top.path().join("subs").join(name);
        fs::create_dir_all(dir.join("src")).expect("a folder");
        let manifest = format!("[package]\nname = \"of-{name}\"\nedition = \"2024\"\n");
        fs::write(dir.join("Cargo.toml"), manifest).expect("a file");
        fs::write(dir.join("src/lib.rs"), text).expect("a file");
    }
    let path = |name: &str| top.path().join(name).display().to_string();
    let output = xtask(&["grade", "--open-room", "--class", &path("subs"), "--out", &path("out")]);
    assert!(output.status.success(), "{}", words(&output));
    let csv = fs::read_to_string(top.path().join("out/class.csv")).expect("the table");
    let rows = rows(&csv);
    assert!(rows[0].2.contains("`of-ann` has no type `Raft`"), "{csv}");
    assert!(rows[1].2.contains("`unsafe` at src/lib.rs:1"), "{csv}");
}

/// A run is repeated in a process of its own: what an earlier run has left is not there then.
/// Names are bytes on most systems.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_has_any_name_and_results_lie_elsewhere() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let top = tempfile::tempdir().expect("a folder");
    let class = top.path().join("class");
    for name in [b"zo\xeb", b"zo\xea"] {
        let dir = class.join(OsStr::from_bytes(name));
        fs::create_dir_all(&dir).expect("a folder");
        // It is found, and is not graded for what it is.
        fs::write(dir.join("Cargo.toml"), "[package]\nname = \"raft\"\n").expect("a file");
    }
    let path = |name: &str| top.path().join(name).display().to_string();
    let grade =
        |out: &str| xtask(&["grade", "--open-room", "--class", &path("class"), "--out", out]);
    let output = grade(&path("out"));
    assert!(output.status.success(), "{}", words(&output));
    let csv = fs::read_to_string(top.path().join("out/class.csv")).expect("the table");
    let found: Vec<_> = rows(&csv).into_iter().map(|(name, _, words)| (name, words)).collect();
    assert_eq!(found.len(), 2, "{csv}");
    for (name, words) in found {
        assert!(name == "zo\u{fffd}" && words.contains("it is called `raft`"), "{csv}");
    }
    let results = fs::read_dir(top.path().join("out/crates")).expect("results");
    assert_eq!(results.count(), 2, "each has its own");
    let output = grade(&path("class/out"));
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert!(words(&output).contains("among the students' folders"), "{}", words(&output));
    assert!(!class.join("out").exists());
    // A path to what does not exist yet leads there too.
    let mut relative = Command::new(env!("CARGO_BIN_EXE_xtask"));
    relative.args(["grade", "--open-room", "--class", "class", "--out", "class/out"]);
    let output = relative.current_dir(top.path()).output().expect("xtask runs");
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert!(words(&output).contains("among the students' folders"), "{}", words(&output));
    assert!(!class.join("out").exists());
    // Two gradings at once would write over each other's results.
    let held = fs::File::create(top.path().join("out/lock")).expect("a file");
    held.lock().expect("nobody has it");
    let output = grade(&path("out"));
    assert_eq!(output.status.code(), Some(70), "{}", words(&output));
    assert!(words(&output).contains("another grade is at work in"), "{}", words(&output));
}

#[test]
fn a_crate_whose_runs_depend_on_each_other_is_noticed() {
    let top = tempfile::tempdir().expect("a folder");
    let path = |name: &str| top.path().join(name).display().to_string();
    let make = "        let saved = persister.read_raft_state()?;\n";
    let counted = format!(
        "        static STARTED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);\n\
         \x20       let before = STARTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);\n\
         \x20       labrt::thread::sleep(std::time::Duration::from_micros(before));\n{make}"
    );
    student(top.path(), "ann", "ann", &[(make, &counted)]);
    fs::write(path("weights"), r#"{"2A": 100}"#).expect("a file");
    let (dir, weights, out) = (path("ann"), path("weights"), path("out"));
    let line = ["grade", &dir, "--type", "BlockingRaft", "--weights", &weights, "--out", &out];
    let more = ["--seeds", "7", "--allow-statics", "--strict", "--open-room"];
    let output = xtask(&[&line[..], &more].concat());
    assert!(output.status.success(), "{}", words(&output));
    let text = fs::read_to_string(top.path().join("out/grade.txt")).expect("the result");
    assert!(text.starts_with("ann: 0.0 of 100.0 points"), "{text}");
    assert!(text.contains("7/7 passed  initial_election_2A"), "{text}");
    // Nobody knows what this Raft's messages say of a log.
    let unjudged = text.lines().find(|line| line.contains(", Election Safety, "));
    assert!(unjudged.is_some_and(|line| line.contains("careful: not judged: term, ")), "{text}");
    assert!(
        text.contains("gave another run when it was repeated in a process of its own"),
        "{text}"
    );
}

/// Ten runs of one process have no less room than ten processes.
#[test]
fn how_many_runs_a_process_makes_costs_no_points() {
    let top = tempfile::tempdir().expect("a folder");
    let path = |name: &str| top.path().join(name).display().to_string();
    let make = "    ) -> Result<Arc<BlockingRaft>, Box<dyn Error + Send + Sync>> {\n";
    let prints = format!(
        "{make}        let _ = std::io::Write::write_all(&mut std::io::stderr(), &vec![b'x'; 3 << 20]);\n"
    );
    student(top.path(), "talkative", "talkative", &[(make, &prints)]);
    fs::write(path("weights"), r#"{"2A": 100}"#).expect("a file");
    let (dir, weights, out) = (path("talkative"), path("weights"), path("out"));
    let line = ["grade", &dir, "--type", "BlockingRaft", "--seeds", "13", "--jobs", "1"];
    let output = xtask(&[&line[..], &["--weights", &weights, "--out", &out]].concat());
    assert!(output.status.success(), "{}", words(&output));
    assert!(words(&output).contains("talkative: 100.0 of 100.0 points"), "{}", words(&output));
}
