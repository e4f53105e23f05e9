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
