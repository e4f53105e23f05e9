//! `cargo xtask readme`: runs each command that the README shows, as it stands there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::say;

/// Runs the commands of the README, in its order, until one fails.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let readme = root.join("README.md");
    let text =
        fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
    check(root, &text)
}

/// Runs the commands of a text in this folder, and removes the skeletons that they make.
fn check(root: &Path, text: &str) -> Result<()> {
    let commands = commands(text);
    ensure!(!commands.is_empty(), "README.md shows no commands");
    // No command is run with another path than the README's: it could fail for each reader and pass
    // here. So the path must be free. Better said now than after a quarter of an hour.
    for path in commands.iter().filter_map(|line| skeleton_of(line, root)) {
        must_be_free(&path)?;
    }
    let mut made = Made(Vec::new());
    for command in commands {
        say::print(format!("\n$ {command}\n"))?;
        let skeleton = skeleton_of(command, root);
        if let Some(path) = skeleton {
            must_be_free(&path)?;
            made.0.push(path);
        }
        let status = Command::new("sh").arg("-c").arg(command).current_dir(root).status();
        let status = status.with_context(|| format!("cannot run `{command}` with `sh`"))?;
        if !status.success() {
            bail!("the README's command `{command}` failed: {status}");
        }
    }
    made.remove()
}

fn must_be_free(path: &Path) -> Result<()> {
    ensure!(
        !path.exists(),
        "{} exists, and the README has a skeleton written there. Move it elsewhere; or remove it, if \
         it is left from a check that was killed",
        path.display()
    );
    Ok(())
}

/// Where a command writes a skeleton, if it does.
fn skeleton_of(command: &str, root: &Path) -> Option<PathBuf> {
    let mut words = command.split_whitespace().skip_while(|word| *word != "skeleton").skip(1);
    words.next().map(|path| root.join(path))
}

/// Folders that the check has made, and that are to be gone after it however it ends.
struct Made(Vec<PathBuf>);

impl Made {
    fn remove(&self) -> Result<()> {
        for path in &self.0 {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Another error is under way already, or there is nothing left.
        let _ = self.remove();
    }
}

/// The lines of all blocks marked `sh`.
fn commands(markdown: &str) -> Vec<&str> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in markdown.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside && !command.is_empty() => commands.push(command),
            _ => {}
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn only_shell_blocks_count() {
        let text = "x\n```sh\na 1\n\nb\n```\n```text\nc\n```\n    d\n```sh\ne\n```\n";
        assert_eq!(commands(text), ["a 1", "b", "e"]);
    }

    #[test]
    fn each_crate_is_in_the_readme_and_on_the_map() {
        let root = crate::workspace();
        let read = |path: &str| fs::read_to_string(root.join(path)).expect("a file");
        let (readme, map) = (read("README.md"), read("ARCHITECTURE.md"));
        let members = members(&root);
        assert!(members.len() > 20, "{members:?}");
        for name in members.keys() {
            assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
            assert!(words(&map).any(|word| word == name), "ARCHITECTURE.md does not name {name}");
        }
    }

    /// What the crates of the workspace depend on of each other: always, and for their own tests only.
    type Members = BTreeMap<String, [BTreeSet<String>; 2]>;

    fn members(root: &Path) -> Members {
        let manifest = |folder: &str| -> toml::Table {
            let text = fs::read_to_string(root.join(folder).join("Cargo.toml")).expect("a file");
            text.parse().expect("a manifest")
        };
        let top = manifest("");
        let folders = top["workspace"]["members"].as_array().expect("a list of members");
        let of = |folder: &toml::Value| {
            let manifest = manifest(folder.as_str().expect("a folder"));
            let name = manifest["package"]["name"].as_str().expect("a name").to_string();
            let names = |kind: &str| match manifest.get(kind).and_then(toml::Value::as_table) {
                Some(table) => table.keys().cloned().collect(),
                None => BTreeSet::new(),
            };
            (name, ["dependencies", "dev-dependencies"].map(names))
        };
        let mut members: Members = folders.iter().map(of).collect();
        let known: BTreeSet<String> = members.keys().cloned().collect();
        members.values_mut().flatten().for_each(|names| names.retain(|name| known.contains(name)));
        members
    }

    /// Words, and names of crates.
    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split(|c: char| !c.is_alphanumeric() && c != '-')
    }

    /// These crates and all that they depend on.
    fn with_what_they_need(names: &BTreeSet<String>, members: &Members) -> BTreeSet<String> {
        let mut all = names.clone();
        loop {
            let next = all.iter().flat_map(|name| &members[name][0]).cloned();
            let more: BTreeSet<String> = next.chain(all.iter().cloned()).collect();
            if more.len() == all.len() {
                return all;
            }
            all = more;
        }
    }

    #[test]
    fn the_map_has_the_arrows_of_the_manifests() {
        let root = crate::workspace();
        let members = members(&root);
        let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("a file");
        let (_, map) =
            page.split_once("An arrow means \"depends on\".\n\n```text\n").expect("a map");
        let (map, _) = map.split_once("```").expect("an end");
        // What stands far to the right goes on with the row above.
        let far = format!("\n{}", " ".repeat(30));
        let map = map.replace(&far, " ");
        let named = |text: &str| -> BTreeSet<String> {
            words(text).filter(|word| members.contains_key(*word)).map(str::to_string).collect()
        };
        let mut seen = 0;
        let has_arrow = |row: &&str| ["->", "<-"].iter().any(|arrow| row.contains(arrow));
        for row in map.lines().filter(has_arrow) {
            let (left, right) = row.split_once("->").unwrap_or((row, ""));
            let (below, of) = left.split_once("<-").unwrap_or(("", left));
            let (always, tests) = right.split_once(';').unwrap_or((right, ""));
            let [below, of, mut always, tests] = [below, of, always, tests].map(named);
            always.extend(below);
            let both = always.union(&tests).cloned().collect();
            for name in of {
                seen += 1;
                let [needs, its_tests] = &members[&name];
                assert!(always.is_subset(needs), "{name} does not depend on all of {always:?}");
                assert!(tests.is_subset(its_tests), "{name}'s tests do not need all of {tests:?}");
                for (needs, shown) in [(needs, &always), (its_tests, &both)] {
                    let shown = with_what_they_need(shown, &members);
                    let missing: Vec<_> = needs.difference(&shown).collect();
                    assert!(missing.is_empty(), "{name} depends on {missing:?}, too");
                }
            }
        }
        assert!(seen > 30, "only {seen} crates were seen");
    }

    #[test]
    fn the_readme_names_each_task() {
        let readme = fs::read_to_string(crate::workspace().join("README.md")).expect("the README");
        let row = readme.lines().find(|line| line.starts_with("| `xtask` |")).expect("a row");
        for task in crate::Args::command().get_subcommands() {
            let name = task.get_name();
            assert!(words(row).any(|word| word == name), "the README does not name {name}");
        }
    }

    #[test]
    fn the_handout_shows_no_command_that_the_readme_does_not() {
        let root = crate::workspace();
        let readme = fs::read_to_string(root.join("README.md")).expect("the README");
        let run = commands(&readme);
        // In a crate of one's own a command needs no package, and no mistake of a zoo's.
        let own = |command: &str| {
            let words = command.split(' ').filter(|word| !word.starts_with("RAFT_ZOO="));
            let words: Vec<&str> = words.collect();
            let package = words.iter().position(|word| ["-p", "--package"].contains(word));
            let is_its = |place: usize| package.is_some_and(|at| place == at || place == at + 1);
            let words = words.iter().enumerate().filter(|(place, _)| !is_its(*place));
            words.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
        };
        let in_own: Vec<String> = run.iter().map(|command| own(command)).collect();
        let chapters = fs::read_dir(root.join("docs/book/src")).expect("the handout");
        let mut shown = 0;
        for chapter in chapters.map(|file| file.expect("a chapter").path()) {
            let text = fs::read_to_string(&chapter).expect("a chapter");
            for command in commands(&text) {
                shown += 1;
                let is_run = run.contains(&command) || in_own.iter().any(|own| own == command);
                assert!(is_run, "{} shows `{command}`", chapter.display());
            }
        }
        assert!(shown > 5, "only {shown} commands were seen");
    }

    #[test]
    fn the_tests_that_show_what_was_wrong_are_where_the_page_says() {
        let root = crate::workspace();
        let read = |path: &str| fs::read_to_string(root.join(path)).expect(path);
        let page = read("docs/proof.md");
        let (_, found) = page.split_once("## What was found").expect("the table");
        let rows = found.lines().filter(|line| line.starts_with("| **"));
        let mut seen = 0;
        for row in rows {
            let tests = row.trim_end_matches([' ', '|']).rsplit(" | ").next().expect("a column");
            let quoted: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
            let (files, names): (Vec<&str>, Vec<&str>) =
                quoted.iter().partition(|q| q.contains('/'));
            let [file] = files[..] else { panic!("not one file: {tests}") };
            let text = read(file);
            for name in names {
                seen += 1;
                // A function, or a line of a table of mistakes that are found.
                let marks = [format!("fn {name}("), format!("    {name}: ")];
                let has = marks.iter().any(|mark| text.contains(mark));
                assert!(has, "{file} has no test `{name}`");
            }
        }
        assert!(seen > 8, "only {seen} tests were seen");
    }

    #[test]
    #[cfg(unix)]
    fn commands_run_as_they_stand_and_leave_no_skeleton() {
        let outside = tempfile::tempdir().expect("a folder");
        let root = outside.path().join("raft-lab");
        fs::create_dir(&root).expect("a folder");
        let text = "```sh\necho skeleton ../my-raft > said; mkdir ../my-raft\n```\n";
        check(&root, text).expect("the commands run");
        let said = fs::read_to_string(root.join("said")).expect("a file");
        assert_eq!(said, "skeleton ../my-raft\n");
        assert!(!outside.path().join("my-raft").exists());
        let failed = check(&root, &text.replace("mkdir ../my-raft", "mkdir ../my-raft; false"))
            .expect_err("one fails");
        assert!(failed.to_string().contains("; false` failed"), "{failed}");
        assert!(!outside.path().join("my-raft").exists());
    }

    #[test]
    fn a_user_s_own_crate_is_not_touched() {
        let outside = tempfile::tempdir().expect("a folder");
        let root = outside.path().join("raft-lab");
        fs::create_dir_all(root.join("../my-raft/src")).expect("a folder");
        let refused = check(&root, "```sh\ncargo xtask skeleton ../my-raft\n```\n");
        let words = refused.expect_err("it is there").to_string();
        assert!(words.contains("my-raft exists"), "{words}");
        assert!(outside.path().join("my-raft/src").exists());
    }
}
