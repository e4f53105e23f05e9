//! A closed room: what runs in it reads, writes and starts only what it is let, and has no network.
//!
//! A process cannot be locked in from outside without privileges, but it can lock itself in. So our own program
//! is started once more with an argument that asks for it ([`enter_if_asked`]); it gives up its rights, one
//! after the other, and then becomes the program that is to run. Nothing gives them back.
//!
//! On Linux: Landlock decides about files, TCP and signals, seccomp about system calls, limits of the system
//! about the sizes; and who is root becomes nobody. Elsewhere there is no such room: [`lacking`] says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use serde::{Deserialize, Serialize};

use crate::platform;

mod linux;

/// The argument that makes our program one that locks itself in: this, the room, a program, its arguments.
const ARGUMENT: &str = "--in-a-closed-room";
/// What stands for a program if the room is only to be tried.
const NOTHING: &str = "--nothing";
/// What a process ends with that could not lock itself in.
const FAILED: u8 = 70;

/// Variables that a process in the room may see; of those that end with `*`, all that begin so.
const VARIABLES: [&str; 12] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_*",
    "TZ",
    "CARGO",
    "CARGO_*",
    "RUSTUP_*",
    "RUST*",
    "CC",
    "LD",
    "SYSTEMROOT",
];
/// What no variable may have in its name, whatever it begins with.
const SECRETS: [&str; 3] = ["TOKEN", "SECRET", "PASSWORD"];

/// What is let in a room. What is not named cannot be seen, written or started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Room {
    /// Files and folders that can be read.
    pub read: Vec<PathBuf>,
    /// Those that can be read, and whose programs can be started.
    pub run: Vec<PathBuf>,
    /// Folders in which everything can be done; files that can be written.
    pub write: Vec<PathBuf>,
    /// Folders in which what is there can be written and removed, and nothing else can be made.
    pub change: Vec<PathBuf>,
    /// No other process can be started, only threads.
    pub alone: bool,
    /// Who is root becomes nobody.
    pub nobody: bool,
    /// The size of a file, in bytes.
    pub file_size: Option<u64>,
    /// Seconds of CPU time.
    pub cpu: Option<u64>,
    /// Bytes of address space. For programs that take little that they do not use.
    pub memory: Option<u64>,
    /// How many processes and threads the user has in all. Root has no such limit.
    pub processes: Option<u64>,
}

impl Room {
    /// True if who runs in it is not who we are, but [nobody](platform::NOBODY).
    pub fn changes_user(&self) -> bool {
        self.nobody && platform::is_root()
    }

    /// The command that runs a program in the room. Of our variables it is told only what is harmless.
    ///
    /// # Panics
    /// If our own program cannot be found any more.
    pub fn command(&self, program: &Path) -> Command {
        let ours = platform::ourselves().expect("our own program is somewhere");
        let room = serde_json::to_string(self).expect("a room is paths and numbers");
        let mut command = Command::new(ours);
        command.arg(ARGUMENT).arg(room).arg(program).env_clear();
        let harmless = |name: &OsString| name.to_str().is_some_and(is_harmless);
        command.envs(std::env::vars_os().filter(|(name, _)| harmless(name)));
        command
    }
}

fn is_harmless(name: &str) -> bool {
    let known = VARIABLES.iter().any(|known| match known.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == *known,
    });
    known && !SECRETS.iter().any(|secret| name.contains(secret))
}

/// What this system lacks for a closed room, in words for the user; none if it has all.
pub fn lacking() -> Option<String> {
    let room = Room { alone: true, nobody: true, ..Room::default() };
    let tried = room.command(Path::new(NOTHING)).stdin(Stdio::null()).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_string()),
        Err(error) => Some(format!("our own program cannot be started again: {error}")),
    }
}

/// Locks itself in and becomes another program, if this process was started for it. A program that wants to
/// have rooms calls this before anything else, while it has one thread.
pub fn enter_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next() != Some(OsString::from(ARGUMENT)) {
        return None;
    }
    let room = args.next().and_then(|text| serde_json::from_str(text.to_str()?).ok());
    let (Some(room), Some(program)) = (room, args.next()) else {
        return Some(failed("the room is not understood"));
    };
    Some(match enter(&room) {
        Err(words) => failed(&words),
        Ok(()) if program == NOTHING => ExitCode::SUCCESS,
        Ok(()) => {
            let mut command = Command::new(&program);
            command.args(args);
            failed(&format!("cannot run {}: {}", Path::new(&program).display(), become_it(command)))
        }
    })
}

/// True if a process ended so because it could not lock itself in, or not become the other program.
pub(crate) fn has_failed(status: ExitStatus) -> bool {
    status.code() == Some(i32::from(FAILED))
}

fn failed(words: &str) -> ExitCode {
    use std::io::Write as _;

    let _ = writeln!(std::io::stderr(), "{words}");
    ExitCode::from(FAILED)
}

#[cfg(target_os = "linux")]
fn enter(room: &Room) -> Result<(), String> {
    linux::enter(room)
}

#[cfg(not(target_os = "linux"))]
fn enter(_: &Room) -> Result<(), String> {
    Err("there are closed rooms on Linux only".to_string())
}

/// Becomes another program; returns only if that fails.
#[cfg(unix)]
fn become_it(mut command: Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(&mut command)
}

#[cfg(not(unix))]
fn become_it(_: Command) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_outside() {
        for name in ["PATH", "LC_ALL", "CARGO_HOME", "RUST_BACKTRACE", "RUSTFLAGS"] {
            assert!(is_harmless(name), "{name}");
        }
        for name in ["CARGO_REGISTRY_TOKEN", "AWS_KEY", "LD_PRELOAD", "PATHS", "SSH_AUTH_SOCK"] {
            assert!(!is_harmless(name), "{name}");
        }
    }
}
