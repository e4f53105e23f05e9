//! Scripts that stand for test programs.
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use run_record::Clock;
use tempfile::TempDir;
use test_runs::build::Program;
use test_runs::process::Limits;

/// A program in a folder of its own, with another one for what its runs leave behind.
pub(crate) struct Script {
    /// Goes with this.
    _folder: TempDir,
    pub(crate) scratch: PathBuf,
    pub(crate) program: Program,
}

impl Script {
    pub(crate) fn new() -> Script {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, scratch) = (folder.path().join("program"), folder.path().join("scratch"));
        fs::create_dir(&scratch).expect("a folder");
        let program = Program {
            clock: Clock::Sim,
            path,
            dir: folder.path().to_owned(),
            replay: String::new(),
            kept: None,
            sources: Vec::new(),
        };
        Script { _folder: folder, scratch, program }
    }

    /// From now on it does this.
    pub(crate) fn does(&self, script: &str) {
        let path = &self.program.path;
        fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    }
}

pub(crate) fn limits(hang_after: Duration) -> Limits {
    Limits { hang_after, memory_mib: 1024, trace: None, coverage: false, room: None }
}
