//! A small process of our own that cleans up after us if we are killed.
//!
//! Whoever is killed with SIGKILL cannot end what it has started: a test that hangs would go on for
//! ever. So a second process is told which test processes there are. It reads from a pipe whose other
//! end is ours alone; when that closes, we have ended, however that came, and it ends the groups of
//! processes that are left and removes our folder for temporary files.
//!
//! It is our own program, started with an argument that asks for it: a program that wants to have it
//! calls [`serve_if_asked`] before anything else. It is started with the first test process. Without
//! that call, and where there are no groups of processes (Windows), test processes may outlive us.
//!
//! Ctrl-Z stops the group of a terminal, and what we have started is in groups of its own. So a program that wants
//! it to stop these too calls [`stop_together`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, BufRead, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::platform::{self, Order};

/// The argument that makes our program the watchdog.
const ARGUMENT: &str = "--end-what-test-processes-leave";

/// Our program, if it can be the watchdog.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
/// The end of the pipe that we write to, once the watchdog has been started.
static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);
/// The groups that there are.
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A line of the pipe.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// The process with this number has begun a group.
    Began(u32),
    /// Nothing is left of that group.
    Ended(u32),
    /// This folder is to be removed.
    Folder(PathBuf),
}

/// Becomes the watchdog if this process was started to be it, and does not return then. Otherwise the
/// program is noted as one that can be.
pub fn serve_if_asked() {
    if std::env::args_os().nth(1) == Some(OsString::from(ARGUMENT)) {
        serve(io::stdin().lock());
        std::process::exit(0);
    }
    if let Ok(program) = platform::ourselves() {
        let _ = PROGRAM.set(program);
    }
}

/// Has a folder removed when this process is dead.
pub fn remove_at_death(folder: &Path) {
    tell(&Word::Folder(folder.to_owned()));
}

/// A group of processes that must not outlive us. Ends it when dropped, which must happen before the first
/// process of the group is waited for: see [`platform::kill_group`].
#[derive(Debug)]
pub struct Group(u32);

impl Group {
    /// The group that this process has begun ([`platform::own_group`]).
    pub fn of(leader: u32) -> Group {
        tell(&Word::Began(leader));
        groups().insert(leader);
        Group(leader)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its number is not to be used once it may be another's.
        groups().remove(&self.0);
        platform::kill_group(self.0);
        tell(&Word::Ended(self.0));
    }
}

/// From now on Ctrl-Z stops what we have started, and then us; all of it goes on when we do. To be called before any
/// thread is started.
pub fn stop_together() {
    platform::at_ctrl_z(|| order_all(Order::Stop), || order_all(Order::GoOn));
}

fn order_all(order: Order) {
    groups().iter().for_each(|group| platform::order_group(*group, order));
}

fn groups() -> MutexGuard<'static, BTreeSet<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the watchdog, and starts it if there is none. Without one, nothing is told: that costs no more
/// than the cleaning up after a violent death.
fn tell(word: &Word) {
    let Some(program) = PROGRAM.get() else { return };
    let mut pipe = lock();
    if pipe.is_none() {
        *pipe = start(program);
    }
    if let (Some(pipe), Ok(line)) = (pipe.as_mut(), serde_json::to_string(word)) {
        let _ = pipe.write_all((line + "\n").as_bytes());
    }
}

fn lock() -> MutexGuard<'static, Option<ChildStdin>> {
    PIPE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(program: &Path) -> Option<ChildStdin> {
    let mut command = Command::new(program);
    // It keeps neither a terminal nor a pipe of ours open, and what ends us does not end it.
    command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    platform::own_group(&mut command);
    command.spawn().ok()?.stdin.take()
}

/// Listens until the other side has ended, and cleans up.
fn serve(words: impl BufRead) {
    let (mut groups, mut folders) = (Vec::new(), Vec::new());
    for line in words.lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Word::Began(leader)) => groups.push(leader),
            Ok(Word::Ended(leader)) => groups.retain(|group| *group != leader),
            Ok(Word::Folder(folder)) => folders.push(folder),
            Err(_) => {}
        }
    }
    groups.into_iter().for_each(platform::kill_group);
    for folder in folders {
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_removed_when_the_other_side_is_silent() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = top.path().join("mine");
        std::fs::create_dir_all(folder.join("below")).expect("a folder");
        let line = serde_json::to_string(&Word::Folder(folder.clone())).expect("a line");
        serve(format!("{line}\nnonsense\n").as_bytes());
        assert!(!folder.exists() && top.path().exists());
    }
}
