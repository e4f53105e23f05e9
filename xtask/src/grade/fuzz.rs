//! Crates of students that are nearly right, or none.

use std::fs;

use ::fuzz::{Form, Target};
use clap::Parser;
use tempfile::tempdir;
use test_runs::platform;
use toml::Table;

use super::allowed::Allowed;
use super::args::Grade;
use super::student::Student;
use super::{intake, ways_out};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    grade: Grade,
}

const MANIFEST: &str = r#"[package]
name = "my-raft"
edition = "2024"
[dependencies]
labrpc = { path = "/home/ann/raft-lab/labrpc" }
labgob = { git = "file:///evil", branch = "b" }
serde = { version = "1", features = ["derive"] }
out.workspace = true
[target.'cfg(unix)'.dependencies]
rpc = { package = "labrt", version = "9" }
[build-dependencies]
x = { package = "anyhow", registry = "evil" }
[workspace]
members = ["own"]
[workspace.dependencies]
out = { path = "../out" }
[patch.crates-io]
serde = { path = "evil" }
[replace]
"bytes:1.0.0" = { path = "evil" }
[lints.rust]
unsafe_code = "allow"
"#;

const SOURCE: &str = r##"#![allow(unsafe_code)]
//! A Raft. // unsafe
use labrt::{thread, world};
static COUNT: AtomicU64 = AtomicU64::new(0);
static NAMES: [&'static str; 2] = ["a", r#"b"#];
macro_rules! m { ($x:expr) => { unsafe { f($x, 'c', 1.5e3, b"x") } } }
#[unsafe(no_mangle)]
fn g<'a>(x: &'a [u8]) -> Option<u8> { std::env::var("LAB_SEED").ok(); x.first().copied() /* /* */ */ }
"##;

/// The first line says which file the rest is to replace.
#[test]
fn crates() {
    let dir = tempdir().expect("a folder");
    let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
    fs::create_dir_all(from.join("src")).expect("a folder");
    let from = platform::canonical(&from).expect("a path");
    let allowed = Allowed::new(&Line::parse_from(["grade"]).grade).expect("what is allowed");
    let student = Student { name: "my-raft".to_string(), dir: from.clone(), root: from.clone() };
    let inputs = [format!("0\n{MANIFEST}"), format!("1\n{SOURCE}")];
    let target = Target::new("crates", Form::Text).right(inputs).inputs(150);
    target.memory(2_000_000, 400).run(|input| {
        let text = String::from_utf8_lossy(input);
        let Some((which, rest)) = text.split_once('\n') else { return false };
        let [manifest, source] = match which {
            "1" => [MANIFEST, rest],
            _ => [rest, SOURCE],
        };
        fs::write(from.join("Cargo.toml"), manifest).expect("a file");
        fs::write(from.join("src/lib.rs"), source).expect("a file");
        let _ = fs::remove_dir_all(&to); // of the input before
        // It may be none, and is not to be found out of bounds.
        let _ = Student::at(&from);
        ways_out::found(&student, &allowed).expect("the files can be read");
        intake::take_in(&student, &allowed, &to).expect("it is copied");
        let copy = fs::read_to_string(to.join("Cargo.toml")).expect("a manifest");
        assert_eq!(fs::read_to_string(to.join("src/lib.rs")).expect("a source"), source);
        match (manifest.parse::<Table>(), copy.parse::<Table>()) {
            (Ok(_), Ok(copy)) => {
                assert!(!copy.contains_key("patch") && !copy.contains_key("replace"), "{copy}");
                let is_package = copy.contains_key("package") || copy.contains_key("project");
                let lint = copy.get("lints").map(ToString::to_string);
                assert!(!is_package || lint.is_some_and(|lint| lint.contains("forbid")), "{copy}");
                true
            }
            (Ok(_), Err(error)) => panic!("{error}: {copy}"),
            (Err(_), _) => {
                assert_eq!(copy, manifest, "text that is no manifest is for cargo to refuse");
                false
            }
        }
    });
}
