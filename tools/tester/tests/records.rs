//! What a run leaves behind for programs. The test runs itself in a process of its own.

use std::collections::BTreeSet;
use std::process::Command;
use std::{env, fs};

use labrt::sync::Mutex;
use run_record::Record;
use tester::{Test, Totals, origin};

const UNSET: &str = "TESTER_VARIABLE_THAT_IS_NOT_SET";

#[test]
fn a_record_names_the_variables_that_were_asked_for_also_if_they_are_not_set() {
    let name = "a_record_names_the_variables_that_were_asked_for_also_if_they_are_not_set";
    if env::var_os(run_record::VARIABLE).is_some() {
        let test = Test::new("0", name, move |_| {
            drop(Mutex::new(()).lock());
            assert_eq!(labrt::env::var(UNSET), None);
            assert!(labrt::env::var("LAB_SEEDS").is_some());
            // Who makes names up does not fill the file.
            labrt::env::var(&"X".repeat(1000));
            (0..1000).for_each(|number| drop(labrt::env::var(&format!("Z{number}"))));
            Totals::default()
        });
        return tester::simulated(&test, origin!(name));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records");
    let program = env::current_exe().expect("a running program");
    let mut command = Command::new(program);
    command.args(["--exact", name]).env("LAB_SEEDS", "2").env(run_record::VARIABLE, &file);
    assert!(command.output().expect("it can be run").status.success());
    let text = fs::read_to_string(&file).expect("the records");
    let asked = |line| match Record::from_line(line).expect("a record") {
        Record::End(end) => Some(end.asked),
        Record::Begin(_) => None,
    };
    let all: Vec<BTreeSet<String>> = text.lines().filter_map(asked).collect();
    assert_eq!(all.len(), 2);
    for asked in all {
        assert!(asked.contains(UNSET) && asked.contains("LAB_SEEDS"), "{asked:?}");
        assert!(asked.len() < 300 && asked.iter().all(|name| name.len() < 300), "{asked:?}");
    }
}
