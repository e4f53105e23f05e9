//! In place of `coroutine.rs` on Windows on arm64, where corosensei has no coroutines: worlds switch
//! by threads there, whatever their settings say.

use std::sync::Arc;

use super::kernel::Kernel;

/// Whether there are coroutines on this platform.
pub(super) const AVAILABLE: bool = false;

/// There are no stacks to keep.
pub(super) fn free_kept_stacks() {}

/// Never called.
pub(super) fn suspend(_: Option<usize>) {
    unreachable!("there are no coroutines on this platform");
}

/// Never called.
pub(super) fn run(_: &Arc<Kernel>, _: usize) {
    unreachable!("there are no coroutines on this platform");
}
