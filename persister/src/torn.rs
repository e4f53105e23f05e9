//! Crashes in the middle of a save, for testers.

use std::path::Path;

use crate::sim_disk::{DIR, Fault, SimDisk};
use crate::{FilePersister, MemoryPersister, PersistError, Persister};

/// A save that a crash interrupts.
#[derive(Clone, Copy, Debug)]
pub enum Save<'a> {
    /// [`Persister::save_raft_state`].
    State(&'a [u8]),
    /// [`Persister::append_raft_state`].
    Append(&'a [u8]),
    /// [`Persister::save_state_and_snapshot`]: the state, and the snapshot.
    Both(&'a [u8], &'a [u8]),
}

impl Save<'_> {
    fn make(self, persister: &dyn Persister) -> Result<(), PersistError> {
        match self {
            Save::State(state) => persister.save_raft_state(state),
            Save::Append(record) => persister.append_raft_state(record),
            Save::Both(state, snapshot) => persister.save_state_and_snapshot(state, snapshot),
        }
    }
}

impl MemoryPersister {
    /// Has it hold what a [`FilePersister`] with its content would find after a crash of the machine in the
    /// middle of this save. True if what was being saved is there.
    ///
    /// The save is made on a simulated disk whose power is cut before one of its operations. What was not
    /// synced by then is there, or is not, or is cut off, or has zeros in it. Then the directory is opened
    /// again, by the rules of every open. `draw` says when the power is cut and what is left: it gives a
    /// number below its argument.
    ///
    /// # Panics
    /// If the file persister does not keep its promise: that all is there as before or as after the save.
    pub fn save_torn(&self, save: Save<'_>, draw: &mut dyn FnMut(usize) -> usize) -> bool {
        let before = content(self);
        let disk = disk_with(&before);
        let (from, to) = operations(&disk, save);
        let cut = disk.restarted(Some(Fault::Cut(from + draw(to - from))));
        // What comes last only tidies up: then the save is done.
        let done = save.make(&open(&cut)).is_ok();
        let found = content(&open(&cut.power_cut(draw).restarted(None)));
        let after = MemoryPersister::new();
        let keeps = |pair: &Pair| after.save_state_and_snapshot(&pair.0, &pair.1);
        keeps(&before).and_then(|()| save.make(&after)).expect("memory can be written");
        let kept = found == content(&after);
        assert!(kept || found == before, "a torn save has left what was never saved");
        assert!(kept || !done, "a torn save has taken back what was acknowledged");
        self.save_state_and_snapshot(&found.0, &found.1).expect("memory can be written");
        kept
    }
}

/// State and snapshot.
type Pair = (Vec<u8>, Vec<u8>);

fn content(persister: &dyn Persister) -> Pair {
    let read = || Ok((persister.read_raft_state()?, persister.read_snapshot()?));
    read().unwrap_or_else(|error: PersistError| panic!("after a torn save: {error}"))
}

fn open(disk: &SimDisk) -> FilePersister {
    let opened = FilePersister::on(Box::new(disk.clone()), Path::new(DIR));
    opened.unwrap_or_else(|error| panic!("after a torn save: {error}"))
}

/// A disk on which this content is safe.
fn disk_with((state, snapshot): &Pair) -> SimDisk {
    let disk = SimDisk::default();
    disk.make_dirs().expect("nothing goes wrong yet");
    let saved = open(&disk).save_state_and_snapshot(state, snapshot);
    saved.expect("nothing goes wrong yet");
    disk.restarted(None)
}

/// Which operations of the disk a save takes, counted from the opening of the directory.
fn operations(disk: &SimDisk, save: Save<'_>) -> (usize, usize) {
    let disk = disk.restarted(None);
    let persister = open(&disk);
    let from = disk.ops().len();
    save.make(&persister).expect("nothing goes wrong yet");
    (from, disk.ops().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that are no random ones, but go through all there are.
    fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below
        }
    }

    #[test]
    fn what_was_acknowledged_stays_and_what_was_torn_is_there_or_not() {
        let long = vec![7; 3000];
        for save in [Save::State(b"new"), Save::Append(b" and more"), Save::Both(b"new", &long)] {
            for append in [&b""[..], &long] {
                let mut kept = 0;
                for seed in 0..300 {
                    let memory = MemoryPersister::new();
                    memory.save_state_and_snapshot(b"old", b"snapshot").unwrap();
                    memory.append_raft_state(append).unwrap();
                    let before = content(&memory);
                    match memory.save_torn(save, &mut numbers(seed)) {
                        true => kept += 1,
                        false => assert_eq!(content(&memory), before),
                    }
                    // It goes on as any other one.
                    memory.append_raft_state(b"!").unwrap();
                }
                assert!((10..290).contains(&kept), "{save:?} was kept {kept} times of 300");
            }
        }
    }

    #[test]
    fn a_long_record_may_be_torn_anywhere() {
        let record = vec![9; 20_000];
        for seed in 0..100 {
            MemoryPersister::new().save_torn(Save::Append(&record), &mut numbers(seed));
        }
    }
}
