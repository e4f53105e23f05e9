//! Whether two messages are equal, or parts of them, without their bytes.

use std::hash::{DefaultHasher, Hasher};

/// Equal for equal bytes, in every run; for others most likely not.
pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}
