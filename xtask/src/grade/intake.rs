//! Taking a student's crate in: a copy of it, with a manifest in which the crates of this workspace are ours.
//!
//! What a manifest can do to the tests, it cannot do here: the copy has no patches, no dependency but those
//! that are allowed, and a crate that is called like one of ours is ours, wherever the student took it from.
//! What a manifest leaves to another one, that one is in the copy too, and is looked at.
//! What was changed is named; it is for the instructor to judge. The copy leaves cargo's settings and the
//! choice of a toolchain behind: these would be programs of the student's that run before any test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use test_runs::platform;
use toml::{Table, Value};

use super::allowed::Allowed;
use super::files::find;
use super::student::Student;

const MANIFEST: &str = "Cargo.toml";

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
    /// The folder of the copy, and the folders in it that have a manifest, relative to it.
    to: &'a Path,
    copied: BTreeSet<PathBuf>,
    /// What crates inherit from a workspace's manifest, and what such manifests in the copy define.
    inherited: BTreeSet<String>,
    defined: BTreeSet<String>,
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
    let found = find(root)?;
    let is_manifest = |file: &&PathBuf| file.file_name().is_some_and(|name| name == MANIFEST);
    let folder = |file: &PathBuf| file.parent().unwrap_or(file).to_owned();
    let mut finds = Finds {
        allowed,
        root,
        dir: PathBuf::new(),
        to,
        copied: found.files.iter().filter(is_manifest).map(folder).collect(),
        inherited: BTreeSet::new(),
        defined: BTreeSet::new(),
        remarks: Vec::new(),
        refused: Vec::new(),
    };
    if allowed.is_ours(&student.name) {
        finds.refused.push(format!(
            "it is called `{}`, as a crate of this workspace is: choose another name",
            student.name
        ));
    }
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
        if is_manifest(&&file) {
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
    finds.look_at_inherited();
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
            self.defined.extend(names(workspace.get("dependencies")));
        }
        // In older editions a package may be called a project.
        for package in ["package", "project"] {
            if let Some(Value::Table(package)) = manifest.get_mut(package) {
                self.rewrite_workspace(package);
            }
        }
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

    /// A package may say where its workspace is, and then has its dependencies from there: cargo does not ask whether
    /// it is a member. In the copy that leads to a manifest of the copy, or nowhere.
    fn rewrite_workspace(&mut self, package: &mut Table) {
        let Some(said) = package.remove("workspace") else { return };
        let said = said.as_str().unwrap_or_default();
        match self.in_copy(&self.dir.join(said)) {
            Some(own) => {
                package.insert("workspace".to_string(), Value::from(own.display().to_string()));
            }
            None => self.remarks.push(format!(
                "its manifest has its workspace be {said:?}, which is none of its own folders; it was graded \
                 without that"
            )),
        }
    }

    /// Where the copy has a crate, or a workspace, of the student's workspace.
    fn in_copy(&self, place: &Path) -> Option<PathBuf> {
        let place = platform::canonical(place).ok()?;
        let below = place.strip_prefix(self.root).ok()?;
        self.copied.contains(below).then(|| self.to.join(below))
    }

    /// What is inherited must be defined where we have looked.
    fn look_at_inherited(&mut self) {
        for name in self.inherited.difference(&self.defined) {
            self.refused.push(format!(
                "it takes the dependency `{name}` from a workspace's manifest, and none in its folder has \
                 that: write in its own where `{name}` comes from"
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
                if dependency.get("workspace") == Some(&Value::Boolean(true)) {
                    self.inherited.insert(key.clone());
                } else {
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
            match self.allowed.statics {
                true => self.remarks.push(format!(
                    "its manifest calls `{name}` `{key}`; what its code takes from it by that name is not named here"
                )),
                false => self.refused.push(format!(
                    "its manifest calls `{name}` `{key}`, by which what it takes from it would not be seen; use the \
                     crate's own name (if it may: --allow-statics)"
                )),
            }
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
            // As it stands, a path leads to what was not looked at: the folder that was handed in, not the copy of it.
            if let Some(own) = self.in_copy(&place) {
                dependency.insert("path".to_string(), Value::from(own.display().to_string()));
                return;
            }
            let place = found.unwrap_or(place);
            if place.starts_with(self.root) && !has_parents(&place) && !self.allowed.has(&name) {
                self.refused.push(format!(
                    "it depends on `{name}` in {}, where there is no crate, or one that was left out: what is \
                     hidden, a link, or in a folder `target` is not copied (if it may: --allow {name})",
                    place.display()
                ));
                return;
            }
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
        let own = "[package]\nname = \"own\"\n";
        for folder in [".own", "target"] {
            fs::create_dir_all(from.join(folder)).expect("a folder");
            fs::write(from.join(folder).join("Cargo.toml"), own).expect("a file");
        }
        fs::write(from.join("target/CACHEDIR.TAG"), "").expect("a file");
        // The folder that was handed in, by its whole path.
        let manifest = &manifest.replace("HERE", &from.display().to_string());
        for (file, text) in [
            ("Cargo.toml", &**manifest),
            ("own/Cargo.toml", own),
            ("src/lib.rs", ""),
            (".cargo/config.toml", ""),
        ] {
            fs::write(from.join(file), text).expect("a file");
        }
        fs::write(from.join("rust-toolchain.toml"), "").expect("a file");
        let line = Line::parse_from([&["grade"], options].concat());
        let allowed = Allowed::new(&line.grade).expect("what is allowed");
        let from = platform::canonical(&from).expect("a path");
        let student = Student { name: "my-raft".to_string(), dir: from.clone(), root: from };
        let taken = take_in(&student, &allowed, &to).expect("it is copied");
        let copied = ["Cargo.toml", "own/Cargo.toml", "src/lib.rs"].map(PathBuf::from);
        assert_eq!(files(&to).expect("files"), copied);
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
        assert_eq!(of("serde")["version"].as_str(), Some("1"));
        assert!(of("own")["path"].as_str().is_some_and(is_copied), "{manifest}");
        assert!(!manifest.contains_key("dev-dependencies"));
        assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    }

    /// True if a path is that of the crate `own` in the copy.
    fn is_copied(path: &str) -> bool {
        Path::new(path).is_absolute() && Path::new(path).ends_with("to/own")
    }

    #[test]
    fn what_lies_in_its_own_folder_is_taken_from_the_copy_or_not_at_all() {
        for path in ["own", "./src/../own", "HERE/own", "HERE/src/../own"] {
            let of = |table: &str| {
                let manifest = format!(
                    "[package]\nname = \"my-raft\"\n[{table}]\nown = {{ path = {path:?} }}"
                );
                let (manifest, taken) = taken(&manifest, &[]);
                assert_eq!(taken.problem, None, "{path}");
                manifest
            };
            let manifest = of("dependencies");
            let own = manifest["dependencies"]["own"]["path"].as_str();
            assert!(own.is_some_and(is_copied), "{path}: {own:?}");
            let manifest = of("workspace.dependencies");
            let own = manifest["workspace"]["dependencies"]["own"]["path"].as_str();
            assert!(own.is_some_and(is_copied), "{path}: {own:?}");
        }
        for path in
            ["HERE/.own", ".own", "HERE/target", "target", "src/../.own", "HERE/nowhere", "x"]
        {
            let manifest = format!(
                "[package]\nname = \"my-raft\"\n[dependencies]\nown = {{ path = {path:?} }}"
            );
            let problem = taken(&manifest, &[]).1.problem.expect("a problem");
            assert!(problem.contains("`own` in ") && problem.contains("left out"), "{problem}");
            assert_eq!(taken(&manifest, &["--allow", "own"]).1.problem, None, "{path}");
        }
    }

    #[test]
    fn nothing_is_inherited_from_a_workspace_that_is_not_looked_at() {
        let ours = crate::workspace();
        for package in ["package", "project"] {
            let manifest = format!(
                "[{package}]\nname = \"my-raft\"\nworkspace = {ours:?}\n[dependencies]\nraft.workspace = true\n\
                 [target.'cfg(unix)'.build-dependencies]\nkv = {{ workspace = true }}"
            );
            let (manifest, taken) = taken(&manifest, &[]);
            assert_eq!(manifest[package].get("workspace"), None, "{manifest}");
            let problem = taken.problem.expect("a problem");
            for name in ["raft", "kv"] {
                assert!(
                    problem.contains(&format!("takes the dependency `{name}` from")),
                    "{problem}"
                );
            }
            assert!(taken.remarks[0].contains("has its workspace be"), "{:?}", taken.remarks);
        }
        // What it has itself it may inherit; and what that leads to is looked at.
        let own = |place: &str| {
            let manifest = format!(
                "[package]\nname = \"my-raft\"\nworkspace = {place:?}\n[dependencies]\nx.workspace = true\n\
                 [workspace.dependencies]\nx = {{ package = \"own\", path = \"own\" }}"
            );
            let (manifest, taken) = taken(&manifest, &[]);
            assert_eq!((taken.problem, taken.remarks), (None, Vec::new()), "{place}");
            manifest["package"]["workspace"].as_str().map(PathBuf::from).expect("a path")
        };
        for place in [".", "HERE", "own/.."] {
            assert!(
                own(place).is_absolute() && own(place).ends_with("to"),
                "{}",
                own(place).display()
            );
        }
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
            &["--allow-statics"],
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
    fn the_crate_that_the_search_goes_by_has_no_other_name() {
        for (table, key) in [
            ("dependencies", "rt"),
            ("target.'cfg(unix)'.dependencies", "lab"),
            ("workspace.dependencies", "rt"),
        ] {
            let manifest = format!(
                "[package]\nname = \"my-raft\"\n[{table}]\n{key} = {{ package = \"labrt\", version = \"1\" }}"
            );
            let problem = taken(&manifest, &[]).1.problem.expect("a problem");
            assert!(problem.contains(&format!("calls `labrt` `{key}`")), "{problem}");
            assert_eq!(taken(&manifest, &["--allow-statics"]).1.problem, None);
        }
        let usual = "[package]\nname = \"my-raft\"\n[dependencies]\nlabrt = { package = \"labrt\", version = \"1\" }";
        assert_eq!(taken(usual, &[]).1.problem, None);
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
