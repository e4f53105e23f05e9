//! Mistakes in hand-written serde code are found at a type's first use, by name.

#![allow(unreachable_pub, dead_code, reason = "one macro writes all the cases")]

mod fields;
mod parts;
mod values;
