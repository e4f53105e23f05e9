//! `cargo xtask grade --class DIR`: many crates, one after the other, and one table.
//!
//! Each crate has a result, whatever it is: one that is missing, does not compile or hangs costs the others
//! nothing. The table is on the disk from the beginning and is replaced after each crate.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use test_runs::{package, platform};

use super::args::Grade;
use super::held;
use super::one::Grader;
use super::outcome::{Begun, replace};
use super::student::Student;
use crate::{say, skeleton, workspace};

mod alike;
mod page;
mod table;

use alike::Pair;
use table::Row;

/// The file for programs; the others are called alike.
const CSV: &str = "class.csv";

/// How files end that hold what should be a folder.
const ARCHIVES: [&str; 11] =
    ["7z", "bz2", "gz", "rar", "tar", "tbz2", "tgz", "txz", "xz", "zip", "zst"];
/// What macOS puts beside the folders of an archive.
const OF_MACOS: &str = "__MACOSX";

/// The results of a class.
struct Class {
    name: String,
    /// The parts that have points.
    parts: Vec<String>,
    rows: Vec<Row>,
    pairs: Vec<Pair>,
    /// The files beside the folders that look like archives.
    archives: Vec<String>,
}

/// What lies in a class's folder.
#[derive(Debug, Default, PartialEq)]
struct Contents {
    /// The names of the students' folders, in order.
    folders: Vec<OsString>,
    /// Those of files that look like archives, in order.
    archives: Vec<String>,
}

/// A student's folder, with what came of it.
struct Entry {
    /// The folder's name, which stands for the student.
    name: OsString,
    dir: PathBuf,
    /// None if there is no crate in it.
    student: Option<Student>,
    begun: Begun,
    /// Where its results are.
    results: PathBuf,
}

/// Grades all crates in the folders of a folder; returns the exit code.
pub(crate) fn run(grade: &Grade, grader: &Grader<'_>, dir: &Path) -> Result<u8> {
    let dir =
        &platform::canonical(dir).with_context(|| format!("there is no {}", dir.display()))?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = match &grade.out {
        Some(folder) => folder.clone(),
        None => package::target_directory(&workspace())?
            .join("grade")
            .join(format!("class-{name}-lab{}", grade.lab.number)),
    };
    // It need not exist yet.
    let within = skeleton::resolved(&folder);
    let within = within.with_context(|| format!("cannot use {}", folder.display()))?;
    ensure!(
        !within.starts_with(dir),
        "results would lie in {}, among the students' folders: name another folder with --out",
        folder.display()
    );
    let _lock = held(&folder)?;
    ensure!(
        grade.resume || !folder.join(CSV).exists(),
        "{} has the results of another grading: go on with it with --resume, or name another folder \
         with --out",
        folder.display()
    );
    let Contents { folders, archives } = Contents::of(dir)?;
    if let Some(words) = table::not_unpacked(&archives) {
        say::note(&format!("grade: {words}"));
    }
    let mut entries: Vec<Entry> = folders
        .into_iter()
        .map(|name| Entry::new(grader, dir, &folder, name))
        .collect::<Result<_>>()?;
    ensure!(!entries.is_empty(), "{} has no folders with crates", dir.display());
    // Only now, when all of them can be gone on with.
    for entry in &mut entries {
        entry.begun.write(&entry.results)?;
    }
    let rows = entries.iter().map(|entry| Row::of(&entry.name, &entry.begun)).collect();
    let parts = entries[0].begun.outcome.parts().into_iter().map(|part| part.name).collect();
    let names: Vec<String> = entries.iter().map(Entry::shown).collect();
    let crates = names.iter().zip(&entries).map(|(name, entry)| (&**name, entry.crate_dir()));
    let pairs = alike::pairs(grade.lab, crates);
    let mut class = Class { name, parts, rows, pairs, archives };
    class.write(&folder)?;
    let all = entries.len();
    for (place, entry) in entries.iter_mut().enumerate() {
        if grader.is_interrupted() {
            break;
        }
        say::note(&format!("grade: {} ({} of {all})", entry.shown(), place + 1));
        entry.grade(grader);
        class.rows[place] = Row::of(&entry.name, &entry.begun);
        class.write(&folder)?;
    }
    say::print(format!("{}\nwritten to {}\n", table::markdown(&class), folder.display()))?;
    let finished = entries.iter().all(|entry| entry.begun.outcome.is_finished());
    Ok(if finished { 0 } else { crate::BROKEN })
}

impl Contents {
    /// What lies in this folder.
    ///
    /// # Errors
    /// If it cannot be read.
    fn of(dir: &Path) -> Result<Contents> {
        let cannot = || format!("cannot read {}", dir.display());
        let mut found = Contents::default();
        for entry in fs::read_dir(dir).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_encoded_bytes().starts_with(b".") || name == OF_MACOS {
                continue;
            }
            let ending = path.extension().unwrap_or_default();
            if path.is_dir() {
                found.folders.push(name);
            } else if ARCHIVES.iter().any(|archive| ending.eq_ignore_ascii_case(archive)) {
                found.archives.push(name.to_string_lossy().into_owned());
            }
        }
        found.folders.sort();
        found.archives.sort();
        Ok(found)
    }
}

impl Entry {
    /// Nothing is done yet, unless an earlier grading has left something. Nothing is written.
    fn new(grader: &Grader<'_>, class: &Path, folder: &Path, name: OsString) -> Result<Entry> {
        let (dir, results) = (class.join(&name), folder.join("crates").join(&name));
        let (student, begun) = match Student::among_others(&dir) {
            Ok(student) => {
                let begun = grader.begin(&student, &results)?;
                (Some(student), begun)
            }
            Err(error) => (None, grader.begin_without(&name.to_string_lossy(), &error, &results)?),
        };
        Ok(Entry { name, dir, student, begun, results })
    }

    /// The folder's name as it is shown: what is no text in it is �.
    fn shown(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    fn crate_dir(&self) -> &Path {
        self.student.as_ref().map_or(&self.dir, |student| &student.dir)
    }

    /// Whatever stands in the way of a result costs this crate's alone.
    fn grade(&mut self, grader: &Grader<'_>) {
        if let Err(error) = self.graded(grader) {
            say::note(&format!("grade: {}: no points were given: {error:#}", self.shown()));
        }
    }

    fn graded(&mut self, grader: &Grader<'_>) -> Result<()> {
        match &self.student {
            Some(student) => grader.grade(student, &mut self.begun, &self.results),
            None if self.begun.outcome.is_withdrawn() => bail!("{}", self.begun.outcome.state()),
            None => Ok(()),
        }
    }
}

impl Class {
    /// Replaces all forms of the table.
    fn write(&self, folder: &Path) -> Result<()> {
        replace(&folder.join(CSV), &table::csv(self))?;
        replace(&folder.join("class.md"), &table::markdown(self))?;
        replace(&folder.join("class.html"), &page::render(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_unpacked_is_named_and_what_macos_adds_is_no_crate() {
        let top = tempfile::tempdir().expect("a folder");
        for folder in ["ann", "bob.zip", "__MACOSX", ".git"] {
            fs::create_dir(top.path().join(folder)).expect("a folder");
        }
        for file in ["dora.zip", "Eve.TAR.GZ", "marks.csv", ".hidden.zip", "zip"] {
            fs::write(top.path().join(file), "").expect("a file");
        }
        let found = Contents::of(top.path()).expect("it can be read");
        assert_eq!(found.folders, ["ann", "bob.zip"]);
        assert_eq!(found.archives, ["Eve.TAR.GZ", "dora.zip"]);
        let mut class = table::tests::class();
        assert!(!table::markdown(&class).contains("unpack"));
        class.archives = found.archives;
        let words = "Not graded, since they are not unpacked: Eve.TAR.GZ, dora.zip.";
        for text in [table::markdown(&class), page::render(&class)] {
            let (_, below) = text.split_once("there is no result").expect("the table");
            assert!(below.contains(words), "{text}");
        }
        assert!(!table::csv(&class).contains("dora"));
    }
}
