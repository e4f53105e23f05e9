//! `cargo xtask history`: whether a recorded history is linearizable, and why not.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use linearizability::models::{CasRegister, Kv, Queue, Register};
use linearizability::read::{self, ReadError, Value};
use linearizability::view::Picture;
use linearizability::{Answer, History as Recorded, Limits, Model, check};

use crate::say;

/// The exit code if the history is not linearizable.
const VIOLATION: u8 = 1;
/// The exit code if that was not decided.
const UNDECIDED: u8 = 2;

/// Check whether a recorded history is linearizable, and show why it is not.
///
/// The file is Jepsen's: maps in EDN, as in history.edn, or lines of its log; Porcupine's test files
/// are of both kinds. The exit code is 0 if it is linearizable, 1 if not, 2 if the limits were reached.
#[derive(Args, Clone, Debug)]
pub(crate) struct History {
    /// The history.
    file: PathBuf,
    /// What the operations are for.
    #[arg(long, value_enum)]
    model: Which,
    /// Write a page of the history to this file, for a browser.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// How many steps the search may make.
    #[arg(long, default_value_t = Limits::default().steps, value_name = "N")]
    steps: u64,
    /// About how much memory it may take, in megabytes.
    #[arg(long, default_value_t = Limits::default().bytes >> 20, value_name = "MB")]
    memory: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// :read and :write of one register.
    Register,
    /// The same with :cas of [from to].
    Cas,
    /// :get, :put and :append, each with a :key.
    Kv,
    /// :enqueue and :dequeue.
    Queue,
}

/// Checks a history, and gives the exit code.
pub(crate) fn run(args: &History) -> Result<u8> {
    match args.model {
        Which::Register => checked(args, &Register { initial: Value::Nil }, read::register),
        Which::Cas => checked(args, &CasRegister { initial: Value::Nil }, read::cas_register),
        Which::Kv => checked(args, &Kv, read::kv),
        Which::Queue => checked(args, &Queue::new(), read::queue),
    }
}

fn checked<M: Model>(
    args: &History,
    model: &M,
    read: impl Fn(&str) -> Result<Recorded<M::Input, M::Output>, ReadError>,
) -> Result<u8> {
    let file = args.file.display();
    let is_history = |page: &PathBuf| same_file::is_same_file(page, &args.file).unwrap_or(false);
    if args.page.as_ref().is_some_and(is_history) {
        bail!("the page would overwrite the history {file}: give --page another file");
    }
    let history = read(&text(&args.file)?).with_context(|| format!("cannot read {file}"))?;
    let limits = Limits { steps: args.steps, bytes: args.memory.saturating_mul(1 << 20) };
    let report = check(model, &history, &limits);
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let picture = Picture::new(&name, model, &history, &report.answer);
    if let Some(page) = &args.page {
        fs::write(page, picture.page())
            .with_context(|| format!("cannot write the page to {}", page.display()))?;
    }
    say::print(picture.text())?;
    if let Some(page) = &args.page {
        say::print(format!("\npage: {}\n", page.display()))?;
    }
    Ok(match report.answer {
        Answer::Linearizable(_) => 0,
        Answer::NotLinearizable(_) => VIOLATION,
        Answer::Undecided(_) => UNDECIDED,
    })
}

fn text(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
            bail!("{} is no text from line {line} on: a history is UTF-8", file.display())
        }
    }
}
