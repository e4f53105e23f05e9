//! What several of these tests need.

use std::env;
use std::io::{self, Write as _};

/// Set to `1` where a small disk of a test's own must be had.
#[allow(dead_code, reason = "not all need one")]
pub(crate) const SMALL_DISK: &str = "XTASK_NEEDS_SMALL_DISK";
/// Set to `1` where it must be possible to lock students' code in.
#[allow(dead_code, reason = "not all need one")]
pub(crate) const ROOM: &str = "XTASK_NEEDS_ROOM";

/// Says that a test could check nothing, or not all, since this machine lacks what it takes.
///
/// # Panics
/// If this variable says that it must not.
#[track_caller]
pub(crate) fn skipped(needed: &str, test: &str, why: &str) {
    assert!(env::var_os(needed).is_none_or(|is| is != "1"), "{needed}=1, but {test}: {why}");
    // Not by `println!`, which the harness keeps to itself when a test passes.
    let _ = writeln!(io::stdout(), "SKIPPED, not all was checked: {test}: {why}");
}
