//! What the files of a traced run are called. A test here runs itself in a process of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use tester::{TRACE_VARIABLE, Test, Totals};

fn test() -> Test {
    Test::new("0", "a title", |_| Totals::default())
}

/// Runs a test of this program by its path, and has it leave its trace in a folder.
fn run(path: &str, folder: &Path) {
    let mut run = Command::new(env::current_exe().expect("a running program"));
    run.args(["--exact", path]).env("LAB_SEED", "7").env(TRACE_VARIABLE, folder);
    assert!(run.output().expect("it can be run").status.success());
}

/// Tests of one name in modules, and one that is in none.
macro_rules! same {
    () => {
        #[test]
        fn same() {
            if std::env::var_os(tester::TRACE_VARIABLE).is_some() {
                tester::simulated(&crate::test(), tester::origin!("same"));
            }
        }
    };
}

mod one {
    same!();
}

mod other {
    mod inner {
        same!();
    }
}

same!();

#[test]
fn tests_of_one_name_leave_files_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["same", "one::same", "other::inner::same"] {
        run(path, folder.path());
    }
    let files = fs::read_dir(folder.path()).expect("a folder");
    let name = |file: fs::DirEntry| file.file_name().into_string().expect("plain text");
    let names: BTreeSet<String> = files.map(|file| name(file.expect("a file"))).collect();
    let stems = ["same", "one.same", "other.inner.same"];
    let all = stems.map(|stem| ["html", "ndjson"].map(|kind| format!("{stem}-7.{kind}")));
    assert_eq!(names, all.into_iter().flatten().collect());
}

#[test]
fn a_paper_that_cannot_be_written_is_said_to_be_missing_and_nothing_else_is() {
    let name = "a_paper_that_cannot_be_written_is_said_to_be_missing_and_nothing_else_is";
    if env::var_os(TRACE_VARIABLE).is_some() {
        let test = Test::new("0", "a title", |run| {
            run.leave("history", "html", "what was seen".to_string());
            panic!("not linearizable");
        });
        return tester::simulated(&test, tester::origin!(name));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let said = || {
        let mut run = Command::new(env::current_exe().expect("a running program"));
        run.args(["--exact", name]).env("LAB_SEED", "7").env(TRACE_VARIABLE, folder.path());
        let output = run.output().expect("it can be run");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let paper = folder.path().join(format!("{name}-7-history.html"));
    let words = said();
    assert!(words.contains(&format!("\n    history: {}", paper.display())), "{words}");
    assert_eq!(fs::read_to_string(&paper).expect("it is there"), "what was seen");
    fs::remove_file(&paper).expect("it can be removed");
    fs::create_dir(&paper).expect("something is in its place");
    let words = said();
    for part in ["\n    trace: ", "\n    page: ", "\n    there is no history: cannot write "] {
        assert!(words.contains(part), "`{part}` is not in: {words}");
    }
}
