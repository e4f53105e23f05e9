//! The tests of the crate from outside, as one program, but for those that need one of their own: what the compiler
//! refuses, how deep a stack grows, and what hostile bytes take.

mod fingerprint;
mod first_use;
mod hand_written;
mod lost_fields;
mod peek;
mod round_trip;
