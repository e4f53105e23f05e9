//! The table of all verdicts, which the handout promises, has all of them: what the code can say is collected from
//! its sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What fails a run without a rule: `labrt` says so.
const OF_LABRT: [&str; 5] = ["deadlock", "panic", "spinning", "stuck", "time limit"];

/// It judges the reference alone, from within.
const NOT_FOR_STUDENTS: &str = "raft/checked";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders of the crates that can give verdicts: those that depend on `labtrace`, but for their own tests.
fn crates() -> Vec<PathBuf> {
    let manifest = read(&root().join("Cargo.toml"));
    let (_, members) = manifest.split_once("members = [").expect("members");
    let members = members.split(']').next().expect("their end").split('"').skip(1).step_by(2);
    let judges = |member: &&str| {
        let manifest = read(&root().join(member).join("Cargo.toml"));
        let used = manifest.split("[dev-dependencies]").next().expect("the beginning");
        *member != NOT_FOR_STUDENTS && used.contains("\nlabtrace.workspace")
    };
    members.filter(judges).map(|member| root().join(member)).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The names that stand in calls of `verdict`.
fn names(source: &str) -> Vec<String> {
    let judging = source.split("\n#[cfg(test)]\nmod tests {").next().expect("the beginning");
    let calls = judging.split("verdict(").skip(1);
    let name =
        |call: &str| Some(call.trim_start().strip_prefix('"')?.split('"').next()?.to_string());
    calls.filter_map(name).collect()
}

/// The names in the first column of the tables of a page that begin so.
fn first_columns(page: &str, head: &str) -> BTreeSet<String> {
    let mut cells = BTreeSet::new();
    for table in page.split(&format!("\n| {head} |")).skip(1) {
        let rows = table.lines().skip(2).map_while(|row| row.strip_prefix("| "));
        cells.extend(rows.filter_map(|row| row.split(" | ").next()).map(str::to_string));
    }
    cells
}

/// All verdicts that code can give.
fn given() -> BTreeSet<String> {
    let mut files = Vec::new();
    let crates = crates();
    crates.iter().for_each(|krate| sources(&krate.join("src"), &mut files));
    files.iter().flat_map(|file| names(&read(file))).collect()
}

/// All verdicts that the table has. A name that has a comma itself has a row for itself.
fn listed(given: &BTreeSet<String>) -> BTreeSet<String> {
    let cells = first_columns(&read(&root().join("docs/debugging.md")), "verdict");
    let each = |cell: String| match given.contains(&cell) {
        true => vec![cell],
        false => cell.split(", ").map(str::to_string).collect(),
    };
    cells.into_iter().flat_map(each).collect()
}

#[test]
fn the_table_has_every_verdict_and_no_other() {
    let given = given();
    assert!(given.len() > 50, "only {given:?} were found");
    let listed = listed(&given);
    let missing: Vec<_> = given.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/debugging.md lacks {missing:?}");
    let unknown = |name: &&String| !given.contains(*name) && !OF_LABRT.contains(&name.as_str());
    let unknown: Vec<_> = listed.iter().filter(unknown).collect();
    assert!(unknown.is_empty(), "no code says {unknown:?}, which docs/debugging.md has");
}

#[test]
fn the_handout_names_verdicts_as_the_table_does() {
    let listed = listed(&given());
    let page = read(&root().join("docs/book/src/fails.md"));
    let mut seen = 0;
    for cell in first_columns(&page, "what you see") {
        for name in cell.split('*').skip(1).step_by(2) {
            seen += 1;
            assert!(listed.contains(name), "`{name}` is not in docs/debugging.md");
        }
    }
    assert!(seen > 10, "only {seen} were seen");
}

#[test]
fn names_are_read_from_calls() {
    let source = "labtrace::verdict(\"one\", x)\n verdict(\n    \"two, or\", y) verdict(play) verdict(z, \"no\")\
                  \n#[cfg(test)]\nmod tests {\nverdict(\"three\"";
    assert_eq!(names(source), ["one", "two, or"]);
}
