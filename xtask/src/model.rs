//! `cargo xtask model`: every order of events of a small cluster, with the reference Raft's rules.
//!
//! The search is `raft-model`'s own program, which is built and run here: this crate links to nothing that
//! it tests.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::workspace;

/// Look at every order of events of a small cluster of the reference Raft: a model check of its rules.
///
/// `cargo xtask model --help` has all options. The exit code is 1 if a property is broken.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Model {
    /// What raft-model is told.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

pub(crate) fn run(model: &Model) -> Result<u8> {
    let status = command(model).status().context("cannot run cargo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(crate::BROKEN))
}

/// The program, where the user is: its files are there, too.
fn command(model: &Model) -> Command {
    let mut cargo = crate::cargo();
    cargo.args(["run", "--quiet", "--manifest-path"]).arg(workspace().join("Cargo.toml"));
    cargo.args(["--package", "raft-model", "--"]).args(&model.options);
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_where_the_user_is() {
        let options = ["--traces".to_string(), "out".to_string()].to_vec();
        let command = command(&Model { options });
        assert_eq!(command.get_current_dir(), None);
        let args: Vec<_> = command.get_args().collect();
        let manifest = workspace().join("Cargo.toml");
        assert!(manifest.is_absolute() && args.contains(&manifest.as_os_str()), "{args:?}");
        assert!(args.ends_with(&["--".as_ref(), "--traces".as_ref(), "out".as_ref()]), "{args:?}");
    }
}
