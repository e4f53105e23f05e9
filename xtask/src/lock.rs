//! A folder that one command at a time may write to.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The file that is held; it stays, and means nothing if nobody holds it. Results are in other files, since
/// some systems let nobody read one that is held.
pub(crate) const FILE: &str = "lock";

/// A folder that is ours until this is dropped, or our process ends, however it does.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, not looked at")] File);

/// Takes a folder, which must be there. `what` is who else may have it, such as `hunt`; `remedy` is what the user
/// can do beside waiting.
///
/// # Errors
/// If another command has it, or it cannot be written to.
pub(crate) fn take(folder: &Path, what: &str, remedy: &str) -> Result<Lock> {
    let path = folder.join(FILE);
    let cannot = || format!("cannot use {}", path.display());
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let mut file = open.with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
        Err(TryLockError::WouldBlock) => {
            let who = fs::read_to_string(&path).unwrap_or_default();
            let who = match who.trim() {
                "" => String::new(),
                number => format!(" (process {number})"),
            };
            bail!(
                "another {what}{who} is at work in {}; wait until it has ended, or {remedy}",
                shell::quoted(folder)
            )
        }
    }
    // Who cannot be told is not known; the lock holds all the same.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_a_folder_at_a_time_and_the_other_is_told_who() {
        let top = tempfile::tempdir().expect("a folder");
        let first = take(top.path(), "hunt", "choose another --name").expect("nobody has it");
        let words = take(top.path(), "hunt", "choose another --name").expect_err("it is taken");
        let words = words.to_string();
        assert!(words.starts_with("another hunt"), "{words}");
        assert!(words.contains(&top.path().display().to_string()), "{words}");
        assert!(words.ends_with("or choose another --name"), "{words}");
        // Where a file that is held cannot be read, nobody knows who holds it.
        let who = format!("(process {})", std::process::id());
        assert!(cfg!(windows) || words.contains(&who), "{words}");
        drop(first);
        take(top.path(), "hunt", "").expect("nobody has it any more");
    }
}
