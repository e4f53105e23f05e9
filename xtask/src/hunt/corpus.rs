//! The folder of a hunt: what it knows, so that another one goes on where it ended.
//!
//! `corpus.json` is replaced as a whole now and then and at the end, and `failures.ndjson` grows by a line
//! for each failure.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use run_record::choices::Case;
use run_record::coverage::Kind;
use run_record::file_name;
use run_record::schedule::Choice;
use serde::{Deserialize, Serialize};

use super::search::Search;
use crate::lock::{self, Lock};

/// The version of the file.
const VERSION: u32 = 2;

/// What a hunt knows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Corpus {
    version: u32,
    pub(crate) subject: Subject,
    pub(crate) searches: Vec<Search>,
}

/// What two hunts must have in common for one to go on with the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) package: String,
    pub(crate) seed: u64,
    pub(crate) schedule: Choice,
    /// What was taken away from the tests. Hunts of earlier versions took nothing away.
    #[serde(default)]
    pub(crate) setting: String,
    pub(crate) kinds: BTreeSet<Kind>,
}

/// A run that has failed.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) test: String,
    #[serde(flatten)]
    pub(crate) case: Case,
    /// How many runs of the test were made, this one included.
    pub(crate) runs: u64,
    /// What it failed by.
    pub(crate) verdict: String,
    pub(crate) replay: String,
}

/// The folder, which is this hunt's alone.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: Lock,
}

impl Folder {
    /// Makes it, if it is not there.
    ///
    /// # Errors
    /// If it cannot be made, or another hunt has it: the last one to write would lose what the other knows.
    pub(crate) fn open(path: &Path) -> Result<Folder> {
        fs::create_dir_all(path).with_context(|| {
            format!(
                "cannot make {}; name a folder that can be written to with --out",
                path.display()
            )
        })?;
        let lock = lock::take(path, "hunt", "give this one another --name or --out")?;
        Ok(Folder { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn corpus(&self) -> PathBuf {
        self.path.join("corpus.json")
    }

    /// What an earlier hunt for the same has left here; nothing if there was none.
    pub(crate) fn read(&self, subject: &Subject) -> Result<Vec<Search>> {
        let file = self.corpus();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let other =
            || format!("{} is not a corpus of this `cargo xtask hunt`; remove it", file.display());
        let corpus: Corpus = serde_json::from_str(&text).with_context(other)?;
        if corpus.version != VERSION {
            bail!("{}", other());
        }
        if corpus.subject != *subject {
            bail!(
                "{} is of a hunt for something else (package, --seed, --schedule, --setting or --by differ); choose \
                 another --name, or remove it",
                file.display()
            );
        }
        Ok(corpus.searches)
    }

    /// Writes what is known now; if it cannot be written, what was there stays.
    pub(crate) fn write(&self, subject: &Subject, searches: Vec<Search>) -> Result<()> {
        let (file, new) = (self.corpus(), self.path.join("corpus.json.new"));
        let corpus = Corpus { version: VERSION, subject: subject.clone(), searches };
        let text = serde_json::to_string(&corpus).context("cannot encode the corpus")?;
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &file));
        if written.is_err() {
            // A part of it is of no use, and takes room on a full disk.
            let _ = fs::remove_file(&new);
        }
        written.with_context(|| format!("cannot write {}", file.display()))
    }

    /// Adds a failure, with its log in a file of its own; where that is.
    pub(crate) fn add(&self, found: &Found, log: &str) -> Result<PathBuf> {
        let file = self.path.join("failures.ndjson");
        let name = file_name(&found.test);
        let log_file = self.path.join(format!("{name}-{}-{}.txt", found.case.seed, found.runs));
        let line = serde_json::to_string(found).context("cannot encode a failure")?;
        let append = || {
            fs::write(&log_file, log)?;
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(&file)?;
            // Behind a line that could not be written to its end, this one begins anew: else both were lost.
            let begin = if ends_in_a_line(&mut file)? { "" } else { "\n" };
            file.write_all(format!("{begin}{line}\n").as_bytes())
        };
        append().with_context(|| format!("cannot write to {}", self.path.display()))?;
        Ok(log_file)
    }
}

/// Whether all lines of a file are whole.
fn ends_in_a_line(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::search::BATCH;
    use super::*;

    fn subject(seed: u64) -> Subject {
        Subject {
            package: "my-raft".into(),
            seed,
            schedule: Choice::default(),
            setting: String::new(),
            kinds: BTreeSet::new(),
        }
    }

    #[test]
    fn two_hunts_at_once_do_not_share_a_folder() {
        let top = tempfile::tempdir().expect("a folder");
        let first = Folder::open(top.path()).expect("a folder");
        let words = Folder::open(top.path()).expect_err("it is taken").to_string();
        assert!(words.contains("another hunt") && words.contains("another --name"), "{words}");
        drop(first);
        Folder::open(top.path()).expect("it is free");
    }

    #[test]
    fn a_failure_is_a_line_of_its_own_also_behind_one_that_is_torn() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(top.path()).expect("a folder");
        let found = |seed| Found {
            test: "churn_2C".into(),
            case: Case { seed, choices: Default::default() },
            runs: 1,
            verdict: "deadlock".into(),
            replay: String::new(),
        };
        let file = top.path().join("failures.ndjson");
        folder.add(&found(1), "log").expect("it is kept");
        folder.add(&found(2), "log").expect("it is kept");
        let whole = fs::read_to_string(&file).expect("a text");
        assert_eq!(whole.lines().count(), 2);
        fs::write(&file, &whole[..whole.len() - 5]).expect("it is written");
        folder.add(&found(3), "log").expect("it is kept");
        let text = fs::read_to_string(&file).expect("a text");
        let read = |line| serde_json::from_str::<serde_json::Value>(line).ok();
        let seeds: Vec<_> = text.lines().map(|line| Some(read(line)?["seed"].as_u64())).collect();
        assert_eq!(seeds, [Some(Some(1)), None, Some(Some(3))], "{text}");
    }

    #[test]
    fn a_corpus_that_cannot_be_written_leaves_no_part_behind() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(top.path()).expect("a folder");
        fs::create_dir_all(folder.corpus().join("a folder in its place")).expect("a folder");
        folder.write(&subject(1), Vec::new()).expect_err("it cannot be replaced");
        assert!(!top.path().join("corpus.json.new").exists());
    }

    #[test]
    fn a_hunt_goes_on_where_it_ended_and_with_nothing_else() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(&top.path().join("a")).expect("a folder");
        assert!(folder.read(&subject(1)).expect("nothing").is_empty());
        let mut search = Search::new("churn_2C", 1, subject(1).kinds);
        let first = search.next(BATCH);
        folder.write(&subject(1), vec![search.clone()]).expect("it is written");
        let mut again = folder.read(&subject(1)).expect("a corpus");
        let (next, other) = (search.next(BATCH), again[0].next(BATCH));
        assert!(next == other && next != first);
        let less = Subject { setting: "losses=0".into(), ..subject(1) };
        for other in [subject(2), less] {
            let words = folder.read(&other).expect_err("another hunt").to_string();
            assert!(words.contains("choose another --name"), "{words}");
        }
        fs::write(folder.corpus(), "{").expect("it is written");
        let words = format!("{:#}", folder.read(&subject(1)).expect_err("no corpus"));
        assert!(words.contains("remove it"), "{words}");
    }
}
