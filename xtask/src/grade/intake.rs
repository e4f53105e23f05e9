//! Taking a student's crate in: a copy of it, with a manifest in which the crates of this workspace are ours.
//!
//! What a manifest can do to the tests, it cannot do here: the copy has no patches, no dependency but those
//! that are allowed, and a crate that is called like one of ours is ours, wherever the student took it from.
//! What was changed is named; it is for the instructor to judge. The copy leaves cargo's settings and the
//! choice of a toolchain behind: these would be programs of the student's that run before any test.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use test_runs::platform;
use toml::{Table, Value};

use super::allowed::Allowed;
use super::files::find;
use super::student::Student;

/// How many paths are named.
const NAMED: usize = 5;

/// A crate that may be built.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The copy.
    pub(crate) student: Student,
    /// What the instructor should know of it.
    pub(crate) remarks: Vec<String>,
    /// Why it is not to be graded.
    pub(crate) problem: Option<String>,
}

/// What is found in manifests.
struct Finds<'a> {
    allowed: &'a Allowed,
    /// The folder of the student's workspace, and that of the manifest.
    root: &'a Path,
    dir: PathBuf,
    remarks: Vec<String>,
    refused: Vec<String>,
}

/// Copies a student's crate into a folder, with all that belongs to its workspace. A crate of this workspace is
/// trusted and stays where it is.
///
/// # Errors
/// If it cannot be read or copied, or is too large.
pub(crate) fn take_in(student: &Student, allowed: &Allowed, to: &Path) -> Result<Taken> {
    let nothing = |student: Student| Taken { student, remarks: Vec::new(), problem: None };
    if student.is_ours() {
        return Ok(nothing(student.clone()));
    }
    let root = &student.root;
    let below = student.dir.strip_prefix(root).with_context(|| {
        format!("the workspace of {} is {}", student.dir.display(), root.display())
    })?;
    let own = Student { dir: to.join(below), root: to.to_owned(), ..student.clone() };
    let mut taken = nothing(own);
    let mut finds =
        Finds { allowed, root, dir: PathBuf::new(), remarks: Vec::new(), refused: Vec::new() };
    if allowed.is_ours(&student.name) {
        finds.refused.push(format!(
            "it is called `{}`, as a crate of this workspace is: choose another name",
            student.name
        ));
    }
    let found = find(root)?;
    if !found.left_out.is_empty() {
        taken.remarks.push(format!(
            "links, and folders called `target` beside a manifest, were left out: {}",
            named(&found.left_out)
        ));
    }
    for file in found.files {
        let (from, to) = (root.join(&file), to.join(&file));
        let cannot = || format!("cannot copy {}", from.display());
        fs::create_dir_all(to.parent().unwrap_or(&to)).with_context(cannot)?;
        if file.file_name().is_some_and(|name| name == "Cargo.toml") {
            // What is no text is no manifest, and cargo will say so.
            let bytes = fs::read(&from).with_context(cannot)?;
            let text = String::from_utf8_lossy(&bytes);
            finds.dir = from.parent().unwrap_or(root).to_owned();
            fs::write(&to, finds.rewritten(&text)).with_context(cannot)?;
        } else if !is_settings(&file) {
            fs::copy(&from, &to).with_context(cannot)?;
        }
    }
    platform::let_all_read(to).with_context(|| format!("cannot share {}", to.display()))?;
    taken.remarks.extend(finds.remarks);
    taken.problem = (!finds.refused.is_empty()).then(|| finds.refused.join("\n"));
    Ok(taken)
}

/// The first of these paths, in words.
fn named(paths: &[PathBuf]) -> String {
    let more = (paths.len() > NAMED).then(|| format!("{} more", paths.len() - NAMED));
    let first = paths.iter().take(NAMED).map(|path| format!("`{}`", path.display()));
    first.chain(more).collect::<Vec<_>>().join(", ")
}

/// True if a file only says how or with what to build. The versions are those of our lock file.
fn is_settings(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default();
    ["rust-toolchain", "rust-toolchain.toml", "Cargo.lock"].iter().any(|settings| name == *settings)
}

impl Finds<'_> {
    /// A manifest as it is in the copy. Text that is no manifest stays: cargo will say what is wrong.
    fn rewritten(&mut self, text: &str) -> String {
        let Ok(mut manifest) = text.parse::<Table>() else { return text.to_string() };
        self.drop_replacements(&mut manifest);
        self.rewrite_dependencies(&mut manifest);
        if let Some(Value::Table(targets)) = manifest.get_mut("target") {
            for target in targets.iter_mut().filter_map(|(_, target)| target.as_table_mut()) {
                self.rewrite_dependencies(target);
            }
        }
        if let Some(Value::Table(workspace)) = manifest.get_mut("workspace") {
            self.rewrite_dependencies(workspace);
        }
        // In older editions a package may be called a project.
        if manifest.contains_key("package") || manifest.contains_key("project") {
            manifest.remove("lints");
            self.look_at_source(&manifest);
            if !self.allowed.unsafe_code {
                // The compiler sees what no search of the source does: macros, and files of other kinds.
                let lint = Table::from_iter([("unsafe_code".to_string(), Value::from("forbid"))]);
                let lints = Table::from_iter([("rust".to_string(), Value::Table(lint))]);
                manifest.insert("lints".to_string(), Value::Table(lints));
            }
        }
        manifest.to_string()
    }

    /// A library's source must be where sources are looked for.
    fn look_at_source(&mut self, manifest: &Table) {
        let source = manifest.get("lib").and_then(|lib| lib.get("path"));
        let Some(source) = source.and_then(Value::as_str) else { return };
        let path = Path::new(source);
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        if !self.allowed.statics && (!is_rust || path.has_root() || has_parents(path)) {
            self.refused.push(format!(
                "its library's `path` in its manifest is {source:?}, which is not searched for statics: choose a \
                 file in the crate's folder that ends in .rs, such as src/lib.rs (if it may: --allow-statics)"
            ));
        }
    }

    fn drop_replacements(&mut self, manifest: &mut Table) {
        let patches = manifest.remove("patch");
        let sources = patches.as_ref().and_then(Value::as_table).into_iter().flatten();
        let patched = sources.flat_map(|(_, patches)| names(Some(patches)));
        let replaced = manifest.remove("replace");
        for name in patched.chain(names(replaced.as_ref())) {
            self.remarks.push(format!(
                "its manifest has another `{name}` take the place of the usual one (patch or replace); it \
                 was graded without that"
            ));
        }
    }

    fn rewrite_dependencies(&mut self, table: &mut Table) {
        // They are not built, and may be away.
        table.remove("dev-dependencies");
        table.remove("dev_dependencies");
        for kind in ["dependencies", "build-dependencies", "build_dependencies"] {
            let Some(Value::Table(dependencies)) = table.get_mut(kind) else { continue };
            for (key, value) in dependencies.iter_mut() {
                let mut dependency = match &*value {
                    Value::Table(table) => table.clone(),
                    version => Table::from_iter([("version".to_string(), version.clone())]),
                };
                // Its place is in the manifest of the workspace, which is looked at too.
                if dependency.get("workspace") != Some(&Value::Boolean(true)) {
                    self.rewrite(key, &mut dependency);
                    *value = Value::Table(dependency);
                }
            }
        }
    }

    /// One dependency.
    fn rewrite(&mut self, key: &str, dependency: &mut Table) {
        let text = |name: &str| dependency.get(name).and_then(Value::as_str);
        let name = text("package").unwrap_or(key).to_string();
        // The search of the sources goes by its name.
        if name == "labrt" && key != name {
            self.remarks.push(format!(
                "its manifest calls `{name}` `{key}`; what its code takes from it by that name is not named here"
            ));
        }
        let place = text("path").map(|path| self.dir.join(path));
        let foreign = ["git", "registry", "registry-index"].into_iter().find_map(text);
        let said = match (&place, foreign, text("version")) {
            (Some(place), ..) => place.display().to_string(),
            (None, Some(source), _) => source.to_string(),
            (None, None, version) => format!("a registry (version {})", version.unwrap_or("*")),
        };
        let found = place.as_ref().and_then(|place| platform::canonical(place).ok());
        if let Some(ours) = self.allowed.path_of_ours(&name) {
            // A path to nowhere is that of the student's own machine.
            let another = found.as_ref().map_or(place.is_none(), |found| found != ours);
            if another {
                self.remarks.push(format!(
                    "its manifest takes `{name}` from {said}; it was graded with this workspace's"
                ));
            }
            for key in ["version", "git", "branch", "tag", "rev", "registry", "registry-index"] {
                dependency.remove(key);
            }
            dependency.insert("path".to_string(), Value::from(ours.display().to_string()));
        } else if let Some(place) = place {
            let place = found.unwrap_or(place);
            if place.starts_with(self.root) && !has_parents(&place) {
                return;
            }
            // From where the copy is, the path leads elsewhere.
            dependency.insert("path".to_string(), Value::from(place.display().to_string()));
        } else if foreign.is_none() && self.allowed.is_usual(&name) {
            return;
        }
        if !self.allowed.has(&name) {
            self.refused.push(self.allowed.refusal(&name, &said));
        }
    }
}

/// The names in a table, without the versions that may follow them.
fn names(table: Option<&Value>) -> Vec<String> {
    let names = table.and_then(Value::as_table).into_iter().flatten();
    names.map(|(name, _)| name.split(':').next().unwrap_or(name).to_string()).collect()
}

fn has_parents(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Grade;
    use super::super::files::files;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        grade: Grade,
    }

    /// What comes of a crate with this manifest: its manifest in the copy, and the rest.
    fn taken(manifest: &str, options: &[&str]) -> (Table, Taken) {
        let top = tempfile::tempdir().expect("a folder");
        let (from, to) = (top.path().join("from"), top.path().join("to"));
        for folder in ["src", "own", ".cargo"] {
            fs::create_dir_all(from.join(folder)).expect("a folder");
        }
        fs::create_dir_all(top.path().join("labrpc")).expect("a folder");
        for (file, text) in
            [("Cargo.toml", manifest), ("src/lib.rs", ""), (".cargo/config.toml", "")]
        {
            fs::write(from.join(file), text).expect("a file");
        }
        fs::write(from.join("rust-toolchain.toml"), "").expect("a file");
        let line = Line::parse_from([&["grade"], options].concat());
        let allowed = Allowed::new(&line.grade).expect("what is allowed");
        let from = platform::canonical(&from).expect("a path");
        let student = Student { name: "my-raft".to_string(), dir: from.clone(), root: from };
        let taken = take_in(&student, &allowed, &to).expect("it is copied");
        assert_eq!(files(&to).expect("files"), ["Cargo.toml", "src/lib.rs"].map(PathBuf::from));
        assert!(!to.join(".cargo").exists(), "settings of cargo's");
        let manifest = fs::read_to_string(to.join("Cargo.toml")).expect("a manifest");
        (manifest.parse().expect("TOML"), taken)
    }

    #[test]
    fn what_the_skeleton_has_is_taken_as_it_is() {
        let (manifest, taken) = taken(
            "[package]\nname = \"my-raft\"\n[dependencies]\nserde = \"1\"\n\
             labrpc = { path = \"/home/ann/raft-lab/labrpc\" }\nown = { path = \"own\" }\n\
             [dev-dependencies]\nraft-tests = { path = \"/home/ann/raft-lab/raft-tests\" }",
            &[],
        );
        assert_eq!((taken.problem, taken.remarks), (None, Vec::new()));
        let of = |name: &str| manifest["dependencies"][name].clone();
        let ours = crate::workspace().join("labrpc").display().to_string();
        assert_eq!(of("labrpc")["path"].as_str(), Some(&*ours));
        assert_eq!(
            (of("own")["path"].as_str(), of("serde")["version"].as_str()),
            (Some("own"), Some("1"))
        );
        assert!(!manifest.contains_key("dev-dependencies"));
        assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    }

    #[test]
    fn a_module_called_target_is_copied_and_what_is_left_out_is_said() {
        let top = tempfile::tempdir().expect("a folder");
        let from = platform::canonical(top.path()).expect("a path").join("from");
        for (file, text) in [
            ("Cargo.toml", "[package]\nname = \"my-raft\"\n"),
            ("src/target/mod.rs", ""),
            ("target/mod.rs", ""),
        ] {
            fs::create_dir_all(from.join(file).parent().expect("a folder")).expect("a folder");
            fs::write(from.join(file), text).expect("a file");
        }
        let allowed = Allowed::new(&Line::parse_from(["grade"]).grade).expect("what is allowed");
        let student = Student { name: "my-raft".to_string(), dir: from.clone(), root: from };
        let to = top.path().join("to");
        let taken = take_in(&student, &allowed, &to).expect("it is copied");
        assert!(to.join("src/target/mod.rs").exists() && !to.join("target").exists());
        assert!(taken.remarks[0].ends_with("were left out: `target`"), "{:?}", taken.remarks);
    }

    #[test]
    fn crates_in_place_of_ours_are_named_and_not_taken() {
        let (manifest, taken) = taken(
            "[package]\nname = \"my-raft\"\n[dependencies]\n\
             labrpc = { path = \"../labrpc\" }\nlabgob = { git = \"file:///evil\", branch = \"b\" }\n\
             [target.'cfg(unix)'.dependencies]\nrpc = { package = \"labrt\", version = \"9\" }\n\
             [patch.crates-io]\nserde = { path = \"evil\" }\n\
             [replace]\n\"bytes:1.0.0\" = { path = \"evil\" }",
            &[],
        );
        assert_eq!(taken.problem, None);
        let remarks = taken.remarks.join("\n");
        for named in [
            "`labrpc` from",
            "`labgob` from file:///evil",
            "`labrt` from a registry (version 9)",
            "calls `labrt` `rpc`;",
        ] {
            assert!(remarks.contains(named), "{remarks}");
        }
        assert!(
            remarks.contains("another `serde`") && remarks.contains("another `bytes`"),
            "{remarks}"
        );
        let text = manifest.to_string();
        for gone in ["evil", "../", "\"9\"", "branch"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
    }

    #[test]
    fn a_library_is_a_file_that_is_searched() {
        for path in ["src/lib.txt", "/elsewhere/lib.rs", "../lib.rs", "lib"] {
            let manifest = format!("[package]\nname = \"my-raft\"\n[lib]\npath = \"{path}\"");
            let problem = taken(&manifest, &[]).1.problem.expect("a problem");
            assert!(problem.contains("not searched for statics"), "{problem}");
            assert_eq!(taken(&manifest, &["--allow-statics"]).1.problem, None);
        }
        let usual = "[package]\nname = \"my-raft\"\n[lib]\npath = \"src/raft.rs\"";
        assert_eq!(taken(usual, &[]).1.problem, None);
        let log = "[package]\nname = \"my-raft\"\n[dependencies]\nlog = \"0.4\"";
        let problem = taken(log, &[]).1.problem.expect("a problem");
        assert!(problem.contains("`log`") && problem.contains("--allow log"), "{problem}");
    }

    #[test]
    fn what_is_not_allowed_is_refused_by_name_until_it_is() {
        let manifest = "[package]\nname = \"my-raft\"\n[dependencies]\nlibloading = \"1\"\nraft = \"1\"\n\
                        serde = { git = \"https://evil.example\" }\n\
                        [build-dependencies]\nx = { package = \"anyhow\", registry = \"evil\" }\n\
                        [workspace.dependencies]\nout = { path = \"../out\" }";
        let problem = taken(manifest, &[]).1.problem.expect("a problem");
        for named in
            ["`libloading`", "`raft`, a crate of this workspace", "`serde`", "`anyhow`", "`out`"]
        {
            assert!(problem.contains(named), "{problem}");
        }
        let allow = ["libloading", "raft", "serde", "anyhow", "out"].map(|name| ["--allow", name]);
        let (_, taken) = taken(manifest, &[allow.as_flattened(), &["--allow-unsafe"]].concat());
        assert_eq!(taken.problem, None);
        let old = "[project]\nname = \"own\"\n[build_dependencies]\nlibloading = \"1\"";
        let (manifest_of_old, taken) = self::taken(old, &[]);
        assert!(taken.problem.is_some_and(|problem| problem.contains("`libloading`")));
        assert!(manifest_of_old.contains_key("lints"));
        // Lab 3 is made with ours, lab 2 is not.
        let problem = self::taken(manifest, &["--lab", "3"]).1.problem.expect("a problem");
        assert!(!problem.contains("`raft`"), "{problem}");
    }
}
