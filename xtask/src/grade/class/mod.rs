//! `cargo xtask grade --class DIR`: many crates, one after the other, and one table.
//!
//! Each crate has a result, whatever it is: one that is missing, does not compile or hangs costs the others
//! nothing. The table is on the disk from the beginning and is replaced after each crate.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
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

/// The results of a class.
struct Class {
    name: String,
    /// The parts that have points.
    parts: Vec<String>,
    rows: Vec<Row>,
    pairs: Vec<Pair>,
}

/// A student's folder, with what came of it.
struct Entry {
    /// The folder's name, which stands for the student; what is no text in it is shown as �.
    name: String,
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
    let mut entries: Vec<Entry> = folders(dir)?
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
    let crates = entries.iter().map(|entry| (entry.name.as_str(), entry.crate_dir()));
    let mut class = Class { name, parts, rows, pairs: alike::pairs(grade.lab, crates) };
    class.write(&folder)?;
    let all = entries.len();
    for (place, entry) in entries.iter_mut().enumerate() {
        if grader.is_interrupted() {
            break;
        }
        say::note(&format!("grade: {} ({} of {all})", entry.name, place + 1));
        entry.grade(grader);
        class.rows[place] = Row::of(&entry.name, &entry.begun);
        class.write(&folder)?;
    }
    say::print(format!("{}\nwritten to {}\n", table::markdown(&class), folder.display()))?;
    let finished = entries.iter().all(|entry| entry.begun.outcome.is_finished());
    Ok(if finished { 0 } else { crate::BROKEN })
}

/// The names of the folders in a folder, in order.
fn folders(dir: &Path) -> Result<Vec<OsString>> {
    let cannot = || format!("cannot read {}", dir.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name();
        if entry.path().is_dir() && !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

impl Entry {
    /// Nothing is done yet, unless an earlier grading has left something. Nothing is written.
    fn new(grader: &Grader<'_>, class: &Path, folder: &Path, name: OsString) -> Result<Entry> {
        let (dir, results) = (class.join(&name), folder.join("crates").join(&name));
        let name = name.to_string_lossy().into_owned();
        let (student, begun) = match Student::among_others(&dir) {
            Ok(student) => {
                let begun = grader.begin(&student, &results)?;
                (Some(student), begun)
            }
            Err(error) => (None, grader.begin_without(&name, &error, &results)?),
        };
        Ok(Entry { name, dir, student, begun, results })
    }

    fn crate_dir(&self) -> &Path {
        self.student.as_ref().map_or(&self.dir, |student| &student.dir)
    }

    /// Whatever stands in the way of a result costs this crate's alone.
    fn grade(&mut self, grader: &Grader<'_>) {
        let Some(student) = &self.student else { return };
        if let Err(error) = grader.grade(student, &mut self.begun, &self.results) {
            say::note(&format!("grade: {}: no points were given: {error:#}", self.name));
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
