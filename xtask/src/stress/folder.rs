//! The folder of a stress run: what is in it is valid at every moment, however the run ends.
//!
//! `plan.json` is written first, `runs.ndjson` grows by whole lines as runs end, and `report.json` is
//! replaced as a whole now and then and at the end. So what a killed run has done can be gone on with,
//! or merged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use run_record::Clock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use test_runs::platform;
use test_runs::run::Run;

use super::args::RunArgs;
use super::model::{Report, Subject, VERSION};
use super::plausible;
use crate::lock::{self, Lock};
use crate::shell;

/// A line of `runs.ndjson`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) test: String,
    pub(crate) clock: Clock,
    #[serde(flatten)]
    pub(crate) run: Run,
}

/// What a run is to do: `plan.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) version: u32,
    pub(crate) name: String,
    /// When it began, in seconds since 1970.
    pub(crate) began: u64,
    pub(crate) subject: Subject,
    /// Where cargo was run.
    pub(crate) dir: PathBuf,
    /// The rest of the command line.
    pub(crate) args: RunArgs,
}

/// The folder of a run, which nobody else writes to.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: Lock,
    /// `runs.ndjson`, and how long its whole lines are.
    runs: File,
    length: u64,
}

impl Folder {
    /// A folder that this run alone has. One that holds the results of another is refused.
    pub(crate) fn new(path: &Path) -> Result<Folder> {
        refuse_results(path)?;
        fs::create_dir_all(path).with_context(|| cannot_make(path))?;
        let lock = lock(path)?;
        // Somebody may have had it for a moment.
        refuse_results(path)?;
        let logs = path.join("logs");
        fs::create_dir(&logs).with_context(|| cannot_make(&logs))?;
        Folder::of(path, lock)
    }

    /// A folder of this name, or of one with a number behind it if that is taken: two runs that begin
    /// at once must not share one.
    pub(crate) fn new_in(parent: &Path, name: &str) -> Result<Folder> {
        fs::create_dir_all(parent).with_context(|| cannot_make(parent))?;
        for number in 1.. {
            let path = match number {
                1 => parent.join(name),
                _ => parent.join(format!("{name}-{number}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return Folder::new(&path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| cannot_make(&path)),
            }
        }
        unreachable!("some name is free")
    }

    /// The folder of a run to go on with. What a kill has torn is cut off.
    ///
    /// # Errors
    /// If somebody is at work in it: two would make the same runs.
    pub(crate) fn open(path: &Path) -> Result<Folder> {
        Folder::of(path, lock(path)?)
    }

    fn of(path: &Path, lock: Lock) -> Result<Folder> {
        let file = path.join("runs.ndjson");
        let cannot = || format!("cannot write {}", file.display());
        let runs = OpenOptions::new().create(true).append(true).open(&file).with_context(cannot)?;
        let length = whole_lines(&file).with_context(cannot)?;
        runs.set_len(length).with_context(cannot)?;
        Ok(Folder { path: path.to_owned(), _lock: lock, runs, length })
    }

    /// Takes away what [`Folder::new`] has made, and the runs, logs and reports since; the folder, too, if nothing
    /// else is in it.
    pub(crate) fn remove(self) {
        let Folder { path, _lock: lock, runs, .. } = self;
        // Some systems remove no file that is open.
        drop((runs, lock));
        // What cannot be removed is named when somebody wants the folder again.
        for file in ["runs.ndjson", "report.json", "report.md", "junit.xml", "report.html"] {
            let _ = fs::remove_file(path.join(file));
        }
        let _ = fs::remove_dir_all(path.join("logs"));
        let _ = fs::remove_file(path.join(lock::FILE));
        let _ = fs::remove_dir(&path);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its own name, also if it was named by its place, such as `.` or `..`.
    pub(crate) fn name(&self) -> String {
        let name = |path: PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
        let absolute = std::path::absolute(&self.path).ok().and_then(name);
        let real = || platform::canonical(&self.path).ok().and_then(name);
        absolute.or_else(real).unwrap_or_default()
    }

    /// Adds runs. If there is no room for all of them, none of them is there.
    pub(crate) fn append(&mut self, lines: &[Line]) -> Result<()> {
        let cannot = || format!("cannot write {}", self.path.join("runs.ndjson").display());
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).with_context(cannot)?;
            text.push(b'\n');
        }
        if let Err(error) = self.runs.write_all(&text) {
            let _ = self.runs.set_len(self.length);
            return Err(error).with_context(cannot);
        }
        self.length += text.len() as u64;
        Ok(())
    }

    /// Writes a file whose name may have a folder in it; if it cannot be written, it is as it was.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        let file = self.path.join(name);
        let new = self.path.join(format!("{name}.new"));
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &file));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.with_context(|| format!("cannot write {}", file.display()))
    }

    pub(crate) fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).context("cannot encode the report")?;
        self.write(name, &text)
    }
}

fn lock(path: &Path) -> Result<Lock> {
    lock::take(path, "stress", "begin a run of its own with another --out")
}

/// Refuses a folder that holds results.
fn refuse_results(path: &Path) -> Result<()> {
    for taken in ["plan.json", "runs.ndjson", "report.json", "logs"] {
        if path.join(taken).exists() {
            let at = shell::quoted(path);
            // Only a plan can be gone on with; a merged report has none.
            let or = match path.join("plan.json").exists() {
                true => format!("or go on with that one: cargo xtask stress --resume {at}"),
                false => format!("or remove {at}, if nobody needs it"),
            };
            bail!("{at} has the results of another run; choose another name or folder, {or}");
        }
    }
    Ok(())
}

fn cannot_make(path: &Path) -> String {
    format!("cannot make {}; name a folder that can be written to with --out", path.display())
}

/// How long the whole lines at the beginning of a file are.
fn whole_lines(file: &Path) -> io::Result<u64> {
    let mut reader = BufReader::new(File::open(file)?);
    let (mut length, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || !line.ends_with(b"\n") {
            return Ok(length);
        }
        length += read as u64;
    }
}

/// Gives each run of a folder away, in the order in which they ended.
pub(crate) fn each_run(folder: &Path, mut take: impl FnMut(Line) -> Result<()>) -> Result<()> {
    let file = folder.join("runs.ndjson");
    let cannot = || format!("cannot read {}", file.display());
    let reader = BufReader::new(File::open(&file).with_context(cannot)?);
    for (number, line) in reader.split(b'\n').enumerate() {
        match serde_json::from_slice::<Line>(&line.with_context(cannot)?) {
            Ok(line) => {
                if let Err(problem) = plausible::run(&line.run) {
                    bail!("line {} of {} is not a run: {problem}", number + 1, file.display());
                }
                take(line)?;
            }
            // A line that was torn by the end of its process.
            Err(error) if error.is_eof() => {}
            Err(error) => {
                let place = format!("line {} of {} is not a run", number + 1, file.display());
                return Err(error).context(place);
            }
        }
    }
    Ok(())
}

/// Reads the report of a folder.
pub(crate) fn report(folder: &Path) -> Result<Report> {
    let file = folder.join("report.json");
    let report = read(&file, "a report")?;
    if let Err(problem) = plausible::report(&report) {
        bail!("{} is no report of runs: {problem}; make or merge it again", file.display());
    }
    Ok(report)
}

/// Reads what the run of a folder was to do.
pub(crate) fn order(folder: &Path) -> Result<Order> {
    ensure!(
        folder.join("plan.json").exists(),
        "there is no run to go on with in {}: `cargo xtask stress` says at its end, or when it is stopped, \
         in which folder its run is",
        folder.display()
    );
    read(&folder.join("plan.json"), "a plan")
}

fn read<T: DeserializeOwned>(file: &Path, what: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let text =
        fs::read_to_string(file).with_context(|| format!("no report at {}", file.display()))?;
    let other = || format!("{} is not {what} of `cargo xtask stress`", file.display());
    let Version { version } = serde_json::from_str(&text).with_context(other)?;
    if version != VERSION {
        bail!("{} has version {version}; this xtask reads version {VERSION}", file.display());
    }
    serde_json::from_str(&text).with_context(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::model::tests::run;

    fn line(index: u64) -> Line {
        Line { test: "a_2A".into(), clock: Clock::Sim, run: run(index, None) }
    }

    fn indexes(folder: &Path) -> Vec<u64> {
        let mut indexes = Vec::new();
        each_run(folder, |line| {
            indexes.push(line.run.index);
            Ok(())
        })
        .expect("it can be read");
        indexes
    }

    #[test]
    fn a_torn_line_is_left_out_and_cut_off() {
        let top = tempfile::tempdir().expect("a folder");
        let mut folder = Folder::new_in(top.path(), "a").expect("a folder");
        folder.append(&[line(1), line(2)]).expect("it can be written");
        let path = folder.path().to_owned();
        drop(folder);
        let file = path.join("runs.ndjson");
        let text = fs::read(&file).expect("a file");
        fs::write(&file, &text[..text.len() - 9]).expect("it can be written");
        assert_eq!(indexes(&path), [1]);
        Folder::open(&path).expect("it can be opened").append(&[line(3)]).expect("it is written");
        assert_eq!(indexes(&path), [1, 3]);
    }

    #[test]
    fn two_do_not_go_on_with_one_run() {
        let top = tempfile::tempdir().expect("a folder");
        let first = Folder::new(top.path()).expect("a folder");
        let words = Folder::open(top.path()).expect_err("it is at work").to_string();
        assert!(words.starts_with("another stress"), "{words}");
        drop(first);
        let _second = Folder::open(top.path()).expect("nobody is at work any more");
        Folder::open(top.path()).expect_err("the second one is at work");
    }

    #[test]
    fn each_run_has_a_folder_of_its_own() {
        let top = tempfile::tempdir().expect("a folder");
        let [one, two] = [(); 2].map(|()| Folder::new_in(top.path(), "run-7").expect("a folder"));
        assert_eq!((one.name(), two.name()), ("run-7".into(), "run-7-2".into()));
        let taken = Folder::new(one.path()).expect_err("it is taken").to_string();
        assert!(taken.contains("or remove "), "there is no plan to go on with: {taken}");
        one.write("plan.json", "").expect("it can be written");
        let taken = Folder::new(one.path()).expect_err("it is taken").to_string();
        assert!(taken.contains("cargo xtask stress --resume "), "{taken}");
        let empty = top.path().join("empty");
        fs::create_dir(&empty).expect("a folder");
        assert!(Folder::new(&empty).is_ok());
    }

    #[test]
    fn a_folder_that_is_named_by_its_place_has_its_own_name() {
        let top = tempfile::tempdir().expect("a folder");
        let inner = top.path().join("mine/inner");
        fs::create_dir_all(&inner).expect("folders");
        for path in ["mine", "mine/.", "mine/inner/.."] {
            let path = top.path().join(path);
            let folder = Folder::open(&path).expect("nobody is at work in it");
            assert_eq!(folder.name(), "mine", "{}", path.display());
        }
    }

    #[test]
    fn what_is_removed_leaves_other_files() {
        let top = tempfile::tempdir().expect("a folder");
        let [own, shared] = ["own", "shared"].map(|name| top.path().join(name));
        Folder::new(&own).expect("a folder").remove();
        assert!(!own.exists());
        fs::create_dir(&shared).expect("a folder");
        fs::write(shared.join("notes"), "").expect("it can be written");
        Folder::new(&shared).expect("a folder").remove();
        let left = fs::read_dir(&shared).expect("a folder").count();
        assert!(shared.join("notes").exists() && left == 1, "{left}");
    }

    #[test]
    fn a_suggested_path_is_one_word() {
        let top = tempfile::tempdir().expect("a folder");
        let path = top.path().join("a b");
        drop(Folder::new(&path).expect("a folder"));
        fs::write(path.join("plan.json"), "").expect("it can be written");
        let words = Folder::new(&path).expect_err("it is taken").to_string();
        assert!(words.ends_with(&format!("--resume {}", shell::quoted(&path))), "{words}");
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = Folder::new_in(top.path(), "a").expect("a folder");
        folder.write("x", "old").expect("it can be written");
        // Where the new one would be written, nothing can be.
        fs::create_dir(folder.path().join("x.new")).expect("a folder");
        assert!(folder.write("x", "new").is_err());
        assert_eq!(fs::read_to_string(folder.path().join("x")).expect("it is there"), "old");
    }
}
