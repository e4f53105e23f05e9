//! Reports and runs that were damaged, or written by hand.

use std::fs;
use std::path::Path;

use ::fuzz::{Form, Target};
use tempfile::tempdir;
use test_runs::run::Run;

use super::folder::{self, Line};
use super::model::Report;
use super::model::tests::{report, run};
use super::{budget, code, compare, html, junit, markdown, merge, table};

/// A shard of a stress run: its report, and its runs.
fn shard(number: u64) -> (Report, Vec<Line>) {
    let runs = |failure| vec![run(number, None), run(number + 4, failure)];
    let mut report = report("night", runs(Some("one(7) failed")));
    report.shards = vec![format!("{}/4", number + 1)];
    let line = |run: Run| {
        let of = &report.tests[0];
        Line { test: of.test.clone(), clock: of.clock, run }
    };
    let lines = runs(Some("one(7) failed")).into_iter().map(line).collect();
    (report, lines)
}

fn texts(number: u64) -> [String; 2] {
    let (report, lines) = shard(number);
    let lines: Vec<String> = lines.iter().map(|line| json(line) + "\n").collect();
    [serde_json::to_string_pretty(&report).expect("JSON"), lines.concat()]
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

fn write(dir: &Path, [report, runs]: &[String; 2]) {
    fs::create_dir_all(dir).expect("a folder");
    fs::write(dir.join("report.json"), report).expect("a file");
    fs::write(dir.join("runs.ndjson"), runs).expect("a file");
}

/// All that is made of a report.
fn show(report: &Report) {
    let budgets = budget::check(report);
    let shown = [
        markdown::render(report, &budgets),
        junit::render(report, &budgets).expect("text"),
        html::render(report, &budgets),
        table::render(report, &budgets, true),
        compare::compare(report, report),
    ];
    assert!(shown.iter().all(|text| !text.is_empty()));
    code(report, &budgets);
}

/// The first line says which file the rest is to replace.
#[test]
fn reports() {
    let [one, two] = [0, 1].map(texts);
    let inputs = [format!("0\n{}", one[0]), format!("1\n{}", one[1])];
    let dir = tempdir().expect("a folder");
    let [first, second, out] = ["one", "two", "out"].map(|name| dir.path().join(name));
    write(&second, &two);
    let target = Target::new("reports", Form::Text).right(inputs).inputs(150);
    target.memory(1_000_000, 100).run(|input| {
        let text = String::from_utf8_lossy(input);
        let Some((which, rest)) = text.split_once('\n') else { return false };
        let mut files = one.clone();
        files[usize::from(which == "1")] = rest.to_string();
        write(&first, &files);
        let _ = fs::remove_dir_all(&out); // of the input before
        match folder::report(&first) {
            Ok(report) => show(&report),
            Err(error) => assert!(format!("{error:#}").contains("report.json")),
        }
        let merged = merge::merge(&[first.clone(), second.clone()], &out);
        match &merged {
            Ok((report, _)) => show(report),
            Err(error) => assert!(!format!("{error:#}").is_empty()),
        }
        merged.is_ok()
    });
}
