//! Records that only the tester can have written.
//!
//! The code under test runs in the same process and can write to the same file. So who reads the records
//! gives the process a key, and a record counts only with the seal that follows from the key, from all of its
//! text and from its place among the others. The key comes through standard input and is read before any code
//! under test has run; it is in no file and in no variable of the environment. At the same time the file is
//! opened, and its name removed: after that nobody finds it who does not hold it open already, as its reader
//! does.
//!
//! This keeps out who writes to a file. It does not keep out who searches the memory of its own process.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;

use crate::{Record, VARIABLE};

/// The environment variable that says, if it is set, that a line with the key comes through standard input.
pub const SEALED: &str = "LAB_RECORDS_SEALED";

/// Makes the seals of one record after another.
#[derive(Clone, Debug)]
pub struct Seals {
    key: String,
    number: u64,
}

impl Seals {
    /// Those of a process with this key.
    pub fn new(key: &str) -> Seals {
        Seals { key: key.to_string(), number: 0 }
    }

    /// The seal of the next record, which is this line.
    pub fn seal(&mut self, line: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.key, self.number, line).hash(&mut hasher);
        self.number += 1;
        format!("{:016x}", hasher.finish())
    }

    /// The next record, from its line with its seal; none if it is not sealed as it should be.
    pub fn open(&mut self, sealed: &str) -> Option<Record> {
        let (line, seal) = sealed.rsplit_once('\t')?;
        if self.seal(line) != seal {
            return None;
        }
        Record::from_line(line).ok()
    }
}

/// Writes records where the environment says.
#[derive(Debug)]
pub struct Writer {
    file: PathBuf,
    sealed: Option<Sealed>,
}

/// The file that only its reader and we can find, and the seals of what is in it.
#[derive(Debug)]
struct Sealed {
    file: File,
    seals: Seals,
}

impl Writer {
    /// `None` if nobody has asked for records. Reads the key, if one was announced: only the first writer
    /// of a process gets it, and only it finds the file.
    ///
    /// # Errors
    /// If standard input cannot be read, or the file not be opened.
    pub fn from_environment() -> io::Result<Option<Writer>> {
        let Some(file) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return Ok(None) };
        let sealed = match std::env::var_os(SEALED) {
            Some(_) => {
                let mut key = String::new();
                io::stdin().lock().read_line(&mut key)?;
                let opened = OpenOptions::new().append(true).open(&file)?;
                // Where that cannot be, the seals alone must do.
                let _ = fs::remove_file(&file);
                Some(Sealed { file: opened, seals: Seals::new(key.trim_end()) })
            }
            None => None,
        };
        Ok(Some(Writer { file, sealed }))
    }

    /// Appends a record to the file, in one write.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, record: &Record) -> io::Result<()> {
        let Some(Sealed { file, seals }) = &mut self.sealed else {
            return record.append_to(&self.file);
        };
        let line = record.to_line();
        let seal = seals.seal(&line);
        file.write_all(format!("{line}\t{seal}\n").as_bytes())
    }

    /// The file that it writes to.
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choices::Choices;
    use crate::{Begin, Clock};

    fn line(seed: u64) -> String {
        let (test, part) = ("figure_8_2C".to_string(), "2C".to_string());
        let (seed, choices) = (Some(seed), Choices::default());
        Record::Begin(Begin { test, part, clock: Clock::Sim, seed, choices }).to_line()
    }

    #[test]
    fn only_what_was_sealed_in_this_order_with_this_key_is_opened() {
        let mut seals = Seals::new("the key");
        let sealed: Vec<String> =
            [1, 2].map(|seed| format!("{}\t{}", line(seed), seals.seal(&line(seed)))).into();
        let open = |key: &str, lines: &[&str]| {
            let mut seals = Seals::new(key);
            lines.iter().map(|line| seals.open(line).is_some()).collect::<Vec<_>>()
        };
        let [one, two] = [&*sealed[0], &*sealed[1]];
        assert_eq!(open("the key", &[one, two]), [true, true]);
        assert_eq!(open("another", &[one, two]), [false, false]);
        assert_eq!(open("the key", &[two, one]), [false, false]);
        assert_eq!(open("the key", &[one, one]), [true, false]);
        assert_eq!(open("the key", &[&one.replace("2C", "2B"), two]), [false, true]);
        assert_eq!(open("the key", &[&line(1), "", "\t"]), [false, false, false]);
    }
}
