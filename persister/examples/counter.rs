//! A counter that survives restarts.
//!
//! Run it several times, and interrupt it if you like: it goes on where it stopped.
//!
//! ```sh
//! cargo run -p persister --example counter -- /tmp/counter
//! ```

use std::error::Error;
use std::path::PathBuf;

use persister::{FilePersister, Persister};

/// Each step is one record of one byte; from this many on they become a snapshot.
const STEPS_KEPT: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = match std::env::args_os().nth(1) {
        Some(dir) => PathBuf::from(dir),
        None => std::env::temp_dir().join("persister-counter"),
    };
    let disk = FilePersister::open(&dir)?;
    if disk.recovered() > 0 {
        println!("the last run ended in the middle of a step, which does not count");
    }
    println!("the counter in {} stands at {}", dir.display(), value(&disk)?);
    for _ in 0..7 {
        step(&disk)?;
    }
    println!("now it stands at {}; run me again", value(&disk)?);
    Ok(())
}

/// The snapshot's number plus one for each record since.
fn value(disk: &dyn Persister) -> Result<u64, Box<dyn Error>> {
    let snapshot = disk.read_snapshot()?;
    let base = if snapshot.is_empty() { 0 } else { String::from_utf8(snapshot)?.parse()? };
    Ok(base + disk.raft_state_size() as u64)
}

fn step(disk: &dyn Persister) -> Result<(), Box<dyn Error>> {
    disk.append_raft_state(b"+")?;
    if disk.raft_state_size() >= STEPS_KEPT {
        // One atomic step: a crash can neither lose these steps nor count them twice.
        let total = value(disk)?;
        disk.save_state_and_snapshot(b"", total.to_string().as_bytes())?;
    }
    Ok(())
}
