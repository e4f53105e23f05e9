//! The chapters hold together: none is forgotten, and no link leads nowhere. (That something runs the
//! commands they show, a test of `xtask` checks, which runs those of the README.)

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the chapters.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The chapters, by the names of their files.
fn chapters() -> Vec<(String, String)> {
    let files = fs::read_dir(folder()).expect("the folder of the chapters");
    let mut chapters: Vec<(String, String)> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a chapter"))
        })
        .filter(|(name, _)| name != "SUMMARY.md")
        .collect();
    chapters.sort();
    assert!(chapters.len() > 3, "there are hardly any chapters");
    chapters
}

#[test]
fn each_chapter_is_in_the_summary_and_its_code_is_run() {
    let summary = fs::read_to_string(folder().join("SUMMARY.md")).expect("a summary");
    let checked = include_str!("../lib.rs");
    for (name, text) in chapters() {
        assert_eq!(summary.matches(&format!("]({name})")).count(), 1, "{name} in SUMMARY.md");
        assert!(checked.contains(&format!("include_str!(\"src/{name}\")")), "{name} in lib.rs");
        assert!(text.starts_with("# "), "{name} has no title");
    }
    assert_eq!(summary.matches("](").count(), chapters().len(), "SUMMARY.md has other chapters");
}

#[test]
fn no_link_leads_nowhere() {
    let mut links = 0;
    for (name, text) in chapters() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            links += 1;
            assert!(folder().join(link).exists(), "{name} links to {link}");
        }
    }
    assert!(links > 0);
}

/// The chapters, in the order of the summary.
fn in_order() -> Vec<String> {
    let summary = fs::read_to_string(folder().join("SUMMARY.md")).expect("a summary");
    let names = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    names.map(str::to_string).collect()
}

#[test]
fn who_reads_files_comes_from_each_chapter_to_the_next() {
    let order = in_order();
    let read = |name: &str| fs::read_to_string(folder().join(name)).expect("a chapter");
    let first = read(&order[0]);
    for name in &order[1..] {
        assert!(first.contains(&format!("]({name})")), "the first chapter does not lead to {name}");
    }
    for (name, next) in order.iter().zip(order.iter().cycle().skip(1)) {
        let text = read(name);
        let last = text.lines().last().expect("a line");
        assert!(last.contains(&format!("]({next})")), "{name} does not end with a link to {next}");
    }
}

/// mdBook shows what is in `src` and nothing else. So what leads out is called by its path: then readers find it
/// in the repository.
#[test]
fn a_link_out_of_the_book_is_called_by_its_path() {
    let root = folder().join("../../..").canonicalize().expect("the workspace");
    let mut out = 0;
    for (name, text) in chapters() {
        for (before, link) in text.split("](").zip(text.split("](").skip(1)) {
            let link = link.split(')').next().expect("it ends");
            if !link.starts_with("..") {
                continue;
            }
            out += 1;
            let file = folder().join(link).canonicalize().expect("a file");
            let path = file.strip_prefix(&root).expect("a file of the workspace");
            let path = path.components().map(|part| part.as_os_str().to_string_lossy());
            let path = path.collect::<Vec<_>>().join("/");
            let words = before.rsplit('[').next().expect("the words of the link");
            assert_eq!(words, path, "{name}");
        }
    }
    assert!(out > 0);
}
