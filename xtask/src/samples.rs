//! `cargo xtask samples`: runs each command of which a page of the docs shows what it says, and looks whether it
//! says that.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::say;

/// A command, and lines of what it says, in their order.
#[derive(Debug, PartialEq, Eq)]
struct Sample {
    command: String,
    shown: Vec<String>,
}

/// Checks docs/debugging.md.
pub(crate) fn run() -> Result<()> {
    let root = crate::workspace();
    let page = root.join("docs/debugging.md");
    let text = fs::read_to_string(&page);
    check(&root, &text.with_context(|| format!("cannot read {}", page.display()))?)
}

/// Runs the commands of a page in this folder, in its order, until one does not say what the page shows.
fn check(root: &Path, page: &str) -> Result<()> {
    let samples = samples(page);
    ensure!(!samples.is_empty(), "the page shows no commands");
    for Sample { command, shown } in samples {
        say::print(format!("\n$ {command}\n"))?;
        let output = Command::new("sh").arg("-c").arg(&command).current_dir(root).output();
        let output = output.with_context(|| format!("cannot run `{command}` with `sh`"))?;
        let said = [output.stdout, output.stderr].map(|bytes| {
            let here = format!("{}/", root.display());
            String::from_utf8_lossy(&bytes).replace(&here, "")
        });
        let missed = said.each_ref().map(|said| first_not_said(&shown, said));
        if let [Some(line), Some(other)] = missed {
            let line = shown[line.max(other)].trim();
            let said = said.concat();
            bail!(
                "{said}\n`{command}` does not say `{line}` any more, or not there, but what is above"
            );
        }
    }
    Ok(())
}

/// The commands in blocks marked `text`: lines that begin with a dollar. What follows in the block is what they
/// say, but for lines of three dots.
fn samples(page: &str) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let blocks = page.split("```text\n").skip(1).filter_map(|block| block.split("```").next());
    for block in blocks.filter(|block| block.starts_with("$ ")) {
        // A backslash ends the first lines of a long command.
        for line in block.replace("\\\n", "").lines() {
            match (line.strip_prefix("$ "), line.trim()) {
                (Some(command), _) => {
                    samples.push(Sample { command: command.to_string(), shown: Vec::new() });
                }
                (None, "" | "...") => {}
                (None, _) => {
                    let sample = samples.last_mut().expect("the block begins with a command");
                    sample.shown.push(line.to_string());
                }
            }
        }
    }
    samples
}

/// The first of some lines that is not said after, or in the same line as, those before it.
fn first_not_said(shown: &[String], said: &str) -> Option<usize> {
    let mut lines = said.lines().peekable();
    shown.iter().position(|shown| {
        while lines.next_if(|line| !is_within(shown, line)).is_some() {}
        lines.peek().is_none()
    })
}

/// True if a line has all words of the one that is shown, in this order. Some may be left out, as columns of a
/// table are; three dots show that, and are no word.
fn is_within(shown: &str, line: &str) -> bool {
    let mut words = line.split_whitespace();
    let mut wanted = shown.split_whitespace().filter(|word| *word != "...");
    wanted.all(|wanted| words.any(|word| word == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[&str]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_stands_under_a_command_is_what_it_says() {
        let page = "a\n```text\n$ one \\\n    more\n  x\n    ...\n  y\n\n$ two\nz\n```\n\
                    ```text\nnot one's\n```\n```sh\n$ three\n```\n";
        let sample = |command: &str, lines: &[&str]| Sample {
            command: command.to_string(),
            shown: shown(lines),
        };
        assert_eq!(samples(page), [sample("one     more", &["  x", "  y"]), sample("two", &["z"])]);
    }

    #[test]
    fn lines_are_said_in_their_order_and_may_be_shortened() {
        let said = "one two\nthree  four five\nsix\n";
        let missed = |lines: &[&str]| first_not_said(&shown(lines), said);
        assert_eq!(missed(&["one", "three ...", "  five", "six"]), None);
        assert_eq!(missed(&["six", "one"]), Some(1));
        assert_eq!(missed(&["one", "four three"]), Some(1));
        assert_eq!(missed(&["three four five six"]), Some(0));
    }

    #[test]
    fn a_page_that_shows_something_else_is_wrong() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = |shown: &str| format!("```text\n$ echo 7 servers\n{shown}\n```\n");
        check(root, &page("7 servers")).expect("it says so");
        let words = check(root, &page("8 servers")).expect_err("it does not").to_string();
        assert!(words.contains("`echo 7 servers` does not say `8 servers` any more"), "{words}");
        assert!(check(root, "no commands").is_err());
    }
}
