//! `cargo xtask model`: every order of events of a small cluster, with the reference Raft's rules.
//!
//! The search is `raft-model`'s own program, which is built and run here: this crate links to nothing that
//! it tests.

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
    let mut cargo = crate::cargo();
    cargo.args(["run", "--quiet", "--package", "raft-model", "--"]).args(&model.options);
    let status = cargo.current_dir(workspace()).status().context("cannot run cargo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(crate::BROKEN))
}
