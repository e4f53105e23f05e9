//! The examples on the front page of each library, tried as a reader would: in a crate of their own that
//! depends on what the page says and on nothing else. Within the library's own package an example also sees
//! what the library depends on, so it may pass there and for nobody else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where pages say that this workspace lies.
const WORKSPACE: &str = "../raft-lab/";

/// A library's front page.
struct Page {
    krate: String,
    folder: PathBuf,
    /// As Markdown.
    text: String,
}

#[test]
fn the_examples_of_each_front_page_need_no_more_than_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let pages: Vec<Page> = front_pages(root).into_iter().filter(Page::has_examples).collect();
    let libraries: Vec<&str> = pages.iter().map(|page| page.krate.as_str()).collect();
    for library in ["labrt", "labgob", "labrpc", "persister", "labtrace"] {
        assert!(libraries.contains(&library), "{library} is not among {libraries:?}");
    }
    for page in &pages {
        let hidden = page.hidden_attribute();
        assert_eq!(hidden, None, "{}: readers do not see this, but need it", page.krate);
    }

    let outside = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = outside.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    };
    let members = libraries.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    // The profile is that of a skeleton, so that what other tests have built need not be built again.
    let profile = include_str!("../skeleton/profile.toml.in");
    let packages = include_str!("../skeleton/packages.toml.in");
    write(
        "Cargo.toml",
        &format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n\n{profile}\n{packages}"),
    );
    for page in &pages {
        let Page { krate: library, text, .. } = page;
        let manifest = format!(
            "[package]\nname = \"page-of-{library}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{}",
            page.dependencies(root)
        );
        write(&format!("{library}/Cargo.toml"), &manifest);
        let comment: String = text.lines().map(|line| format!("//! {line}\n")).collect();
        write(&format!("{library}/src/lib.rs"), &comment);
    }
    fs::copy(root.join("Cargo.lock"), outside.path().join("Cargo.lock")).expect("a lock file");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skeleton");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--doc", "--no-fail-fast"]).current_dir(outside.path());
    cargo.env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    let output = cargo.output().expect("cargo runs");
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}{err}");
}

/// The front pages of all libraries of the workspace.
fn front_pages(root: &Path) -> Vec<Page> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root);
    let output = cargo.output().expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().filter_map(front_page).collect()
}

/// What the first lines of a package's library say, if it has one.
fn front_page(package: &Value) -> Option<Page> {
    let is_library = |target: &&Value| target["kind"][0] == "lib";
    let target = package["targets"].as_array()?.iter().find(is_library)?;
    let source = fs::read_to_string(target["src_path"].as_str()?).expect("the library's source");
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let text = lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect();
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
    Some(Page { krate: package["name"].as_str()?.to_string(), folder, text })
}

impl Page {
    /// The blocks of code, each with what stands behind its first fence.
    fn blocks(&self) -> Vec<(&str, String)> {
        let (mut blocks, mut open) = (Vec::new(), None);
        for line in self.text.lines() {
            match (line.strip_prefix("```"), open.take()) {
                (Some(language), None) => open = Some((language, String::new())),
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some((language, text))) => open = Some((language, text + line + "\n")),
                (None, None) => {}
            }
        }
        blocks
    }

    /// An attribute that readers do not see, of an item that they see.
    fn hidden_attribute(&self) -> Option<&str> {
        let both = self.text.lines().zip(self.text.lines().skip(1));
        let mut hidden =
            both.filter(|(line, next)| line.starts_with("# #[") && !next.starts_with("# "));
        hidden.next().map(|(line, _)| line)
    }

    fn has_examples(&self) -> bool {
        self.blocks().iter().any(|(language, _)| ["", "no_run", "should_panic"].contains(language))
    }

    /// The dependencies that the page names; if it names none, the library alone.
    fn dependencies(&self, root: &Path) -> String {
        let slashes = |path: &Path| path.display().to_string().replace('\\', "/");
        match self.blocks().into_iter().find(|(language, _)| *language == "toml") {
            Some((_, text)) => text.replace(WORKSPACE, &format!("{}/", slashes(root))),
            None => {
                let Page { krate: library, folder, .. } = self;
                format!("[dependencies]\n{library} = {{ path = \"{}\" }}\n", slashes(folder))
            }
        }
    }
}
