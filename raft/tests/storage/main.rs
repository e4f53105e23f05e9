//! What a server keeps on stable storage: what comes back, what it costs, and what happens when it
//! cannot be read or written.

mod damage;
mod failing_disk;
mod make_errors;
mod model;
mod round_trip;
mod snapshots;
