//! What cargo and the compiler have said, and whose fault it is that there is no test program.
//!
//! A student can have both say nearly what he likes: names of files, lines of a manifest, errors at a place of his own.
//! None of that may look like a fault of the machine's, which costs no points.

use std::fs;
use std::path::Path;

use anyhow::{Context, Error, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Failure;
use crate::grade::files;
use crate::grade::student::Killed;

/// What a build says when the machine is at fault, whatever the code is.
const MACHINE: [&str; 5] =
    ["No space left on device", "os error 28", "Disk quota exceeded", "signal: 9", LINKING];

/// What the compiler says of a linker that failed, and what linkers say of code that calls what is nowhere: that is its
/// author's fault.
const LINKING: &str = "linking with";
const UNDEFINED: [&str; 4] =
    ["undefined symbol", "undefined reference", "Undefined symbols", "unresolved external symbol"];

/// What cargo says when it could not fetch something. It is asked only when what all need is there.
const NETWORK: [&str; 8] = [
    "failed to download",
    "failed to fetch",
    "failed to query replaced source",
    "Could not resolve host",
    "Could not connect",
    "network failure",
    "timed out",
    "--offline",
];

/// How much of a compiler's words is kept: thousands of errors say no more than the first ones.
pub(super) const KEPT_WORDS: usize = 64 << 10;

/// How cargo ended.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) passed: bool,
    /// It and its compilers took too much memory, and so were ended.
    pub(super) took_memory: bool,
    /// What it wrote for programs, one message a line; the compiler's are among them.
    pub(super) out: String,
    /// What it wrote for people.
    pub(super) said: String,
}

/// A message of cargo's for programs.
#[derive(Deserialize)]
struct Message {
    reason: String,
    message: Option<Diagnostic>,
}

/// What the compiler says.
#[derive(Deserialize)]
struct Diagnostic {
    /// `error`, `warning` and so on.
    level: String,
    message: String,
    /// As people read it.
    rendered: Option<String>,
    /// The places in the source that it is about.
    spans: Vec<IgnoredAny>,
}

/// What cargo and the compiler may show in words of their own, whatever it says: the names of a crate's files, and its
/// manifests.
pub(super) fn own_words(top: &Path) -> Result<String> {
    let mut words = String::new();
    for file in files::files(top)? {
        words += &format!("{}\n", file.display());
        if file.file_name().is_some_and(|name| name == "Cargo.toml") {
            let path = top.join(file);
            let text =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            words += &String::from_utf8_lossy(&text);
        }
    }
    Ok(words)
}

/// True if something said has one of these words, and has it not from the student.
fn tells<'a>(said: &str, mut of: impl Iterator<Item = &'a &'a str>, own_words: &str) -> bool {
    of.any(|words| said.contains(words) && !own_words.contains(words))
}

/// Cargo cannot tell what a crate is made of.
pub(super) fn no_metadata(error: Error, own_words: &str) -> Failure {
    let words = format!("{error:#}");
    // Cargo shows what it does not understand, whatever it says.
    let shown = words.contains("failed to parse manifest");
    let machine = !shown && tells(&words, MACHINE.iter().chain(&NETWORK), own_words);
    if machine || error.is::<Killed>() {
        return Failure::Machine(error.context("cargo cannot find or fetch what the crate needs"));
    }
    Failure::Student(format!(
        "cargo cannot use the crate as its manifest is:\n{}",
        shortened(&words)
    ))
}

impl Diagnostic {
    /// True if it tells of a linker that failed because code calls what is nowhere, and of nothing else.
    fn is_unlinked(&self) -> bool {
        let whole = self.rendered.as_deref().unwrap_or_default();
        let has = |words: &&str| whole.contains(words);
        self.message.contains(LINKING)
            && UNDEFINED.iter().any(has)
            && !MACHINE.iter().filter(|words| **words != LINKING).any(has)
    }
}

impl Ended {
    fn messages(&self) -> impl Iterator<Item = Message> {
        self.out.lines().filter_map(|line| serde_json::from_str(line).ok())
    }

    /// What the compiler has said of code.
    fn diagnostics(&self) -> impl Iterator<Item = Diagnostic> {
        let said = self.messages().filter_map(|message| message.message);
        said.filter(|said| !said.message.starts_with("aborting due to"))
    }

    /// All that was said, as people read it.
    pub(super) fn in_words(&self) -> String {
        let said = self.diagnostics().filter_map(|said| said.rendered);
        said.chain([self.said.clone()]).collect::<String>().trim().to_string()
    }

    /// True if the linker failed, and says that code calls what is nowhere.
    pub(super) fn is_unlinked(&self) -> bool {
        self.diagnostics().any(|said| said.is_unlinked())
    }

    /// True if the compiler says of a place in some code that it is wrong.
    pub(super) fn has_error_in_code(&self) -> bool {
        self.diagnostics().any(|said| said.level == "error" && !said.spans.is_empty())
    }

    /// True if nothing tells of the machine. What is said of a place in the source does not count: its author has
    /// the compiler say what he likes.
    pub(super) fn is_fault_of_code(&self, own_words: &str) -> bool {
        let without_place =
            self.diagnostics().filter(|said| said.spans.is_empty() && !said.is_unlinked());
        let warning = |line: &&str| line.starts_with("warning: ");
        let cargos = self.said.lines().filter(|line| !warning(line)).map(str::to_string);
        let told =
            without_place.map(|said| said.message).chain(cargos).collect::<Vec<_>>().join("\n");
        self.messages().any(|message| message.reason == "build-finished")
            && !tells(&told, MACHINE.iter(), own_words)
    }
}

/// The beginning of what a compiler has said.
pub(super) fn shortened(said: &str) -> String {
    let Some((end, _)) = said.char_indices().find(|(place, _)| *place >= KEPT_WORDS) else {
        return said.to_string();
    };
    format!("{}\n... and {} kB more", &said[..end], (said.len() - end) / 1000)
}
