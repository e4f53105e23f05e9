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
