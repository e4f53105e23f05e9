//! Transcripts: what a scenario prints, compared with a file beside the tests.

use std::env;
use std::fmt::{self, Display, Write};
use std::fs;
use std::path::PathBuf;

/// The lines of a scenario. The first one is its claim.
pub(crate) struct Transcript {
    text: String,
}

impl Transcript {
    pub(crate) fn new(claim: &str) -> Transcript {
        Transcript { text: format!("{claim}\n") }
    }

    pub(crate) fn line(&mut self, line: impl Display) {
        let line = line.to_string();
        writeln!(self.text, "{}", line.trim_end()).expect("a string has room");
    }

    /// Compares with `tests/transcripts/<name>.txt`.
    ///
    /// # Panics
    /// If the two differ.
    pub(crate) fn check(&self, name: &str) {
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests", "transcripts", &format!("{name}.txt")]
                .iter()
                .collect();
        if env::var_os("UPDATE_TRANSCRIPTS").is_some_and(|value| value == "1") {
            fs::write(&path, &self.text)
                .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
            return;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if expected != self.text {
            panic!(
                "the run differs from tests/transcripts/{name}.txt (- is the file, + is the run):\n\n\
                 {}\nIf the new behaviour is right, run this test with UPDATE_TRANSCRIPTS=1 and \
                 review the change of the file beside the paper.",
                Diff { old: &expected, new: &self.text }
            );
        }
    }
}

/// A line diff.
struct Diff<'a> {
    old: &'a str,
    new: &'a str,
}

impl Display for Diff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, new): (Vec<_>, Vec<_>) = (self.old.lines().collect(), self.new.lines().collect());
        // The length of the longest common subsequence of what is left from (i, j) on.
        let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
        for i in (0..old.len()).rev() {
            for j in (0..new.len()).rev() {
                common[i][j] = match old[i] == new[j] {
                    true => common[i + 1][j + 1] + 1,
                    false => common[i + 1][j].max(common[i][j + 1]),
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < old.len() || j < new.len() {
            if i < old.len() && j < new.len() && old[i] == new[j] {
                writeln!(f, "    {}", old[i])?;
                (i, j) = (i + 1, j + 1);
            } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
                writeln!(f, "  - {}", old[i])?;
                i += 1;
            } else {
                writeln!(f, "  + {}", new[j])?;
                j += 1;
            }
        }
        Ok(())
    }
}

/// Lines that are in both stand there once; the others say where they come from.
#[test]
fn a_diff_shows_what_is_gone_and_what_is_new() {
    let diff = Diff { old: "a\nb\nc\nd\n", new: "a\nx\nc\nd\ne\n" };
    assert_eq!(diff.to_string(), "    a\n  - b\n  + x\n    c\n    d\n  + e\n");
}
