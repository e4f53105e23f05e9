//! `cargo xtask sample-class DIR`: a class of made-up students, to see what grading one is like.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{say, shell, workspace};

mod copies;
mod students;
mod troubles;

/// Write a class of made-up students with crates for lab 2, to try `grade --class` with.
///
/// There are right Rafts and wrong ones, some that are nearly equal, and many that are trouble: they do not
/// compile, hang, end the process, cheat. Most are copies of what is in this workspace's folder `zoo`.
#[derive(Args, Debug)]
pub(crate) struct SampleClass {
    /// The folder to write it to; must not exist.
    dir: PathBuf,
    /// Only those whose folder's name contains this. May be given several times.
    #[arg(long)]
    only: Vec<String>,
}

/// A file's path in its crate, and its text.
type File = (String, String);

/// A made-up student.
#[derive(Debug)]
struct Student {
    /// The name of the folder that was handed in.
    folder: String,
    files: Vec<File>,
}

/// Writes the class.
pub(crate) fn write(sample: &SampleClass) -> Result<()> {
    let dir = &sample.dir;
    if dir.exists() {
        bail!("{} exists; name a folder that does not", dir.display());
    }
    let mut students = students::all(&workspace())?;
    students.retain(|student| {
        sample.only.is_empty() || sample.only.iter().any(|part| student.folder.contains(part))
    });
    if students.is_empty() {
        bail!(
            "no name of a made-up student contains {}; without --only there are all of them",
            sample.only.join(" or ")
        );
    }
    for student in &students {
        student.write(dir)?;
    }
    say::print(format!(
        "wrote {} folders to {}; now:\n\n    cargo xtask grade --class {} --seeds 3 --time-limit 5m \
         --build-size 250\n",
        students.len(),
        dir.display(),
        shell::quoted(dir)
    ))
}

impl Student {
    fn write(&self, class: &Path) -> Result<()> {
        let dir = class.join(&self.folder);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for (path, text) in &self.files {
            let path = dir.join(path);
            let folder = path.parent().unwrap_or(&dir);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_a_hundred_students_and_no_two_have_one_folder() {
        let students = students::all(&workspace()).expect("the sources are as we know them");
        let folders: BTreeSet<&str> =
            students.iter().map(|student| student.folder.as_str()).collect();
        assert_eq!(folders.len(), students.len());
        assert!(students.len() >= 100, "{}", students.len());
    }
}
