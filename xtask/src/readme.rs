//! `cargo xtask readme`: runs each command that the README shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Where the README has the skeleton written; the check writes it elsewhere.
const SKELETON: &str = "../my-raft";

/// Runs the commands of the README, in its order, until one fails.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let readme = root.join("README.md");
    let text =
        fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
    let commands = commands(&text);
    ensure!(!commands.is_empty(), "{} shows no commands", readme.display());
    let scratch = tempfile::tempdir().context("cannot make a directory for the skeleton")?;
    let skeleton = scratch.path().join("my-raft");
    for command in commands {
        println!("\n$ {command}");
        let command = command.replace(SKELETON, &skeleton.display().to_string());
        let status = Command::new("sh").arg("-c").arg(&command).current_dir(root).status();
        let status = status.with_context(|| format!("cannot run `{command}` with `sh`"))?;
        if !status.success() {
            bail!("the README's command `{command}` failed: {status}");
        }
    }
    Ok(())
}

/// The lines of all blocks marked `sh`.
fn commands(markdown: &str) -> Vec<&str> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in markdown.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside && !command.is_empty() => commands.push(command),
            _ => {}
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn only_shell_blocks_count() {
        let text = "x\n```sh\na 1\n\nb\n```\n```text\nc\n```\n    d\n```sh\ne\n```\n";
        assert_eq!(commands(text), ["a 1", "b", "e"]);
    }
}
