//! A disk in memory whose power can be cut.
//!
//! It keeps what a running process sees apart from what the platter holds, and lists every content
//! that a power cut may leave, or draws one of them: any part of the unsynced bytes, and any of the unsynced changes of
//! names, in spite of their order. It also knows the way to its directory: a directory whose name was
//! not synced may vanish, with everything in it. The crate's tests use the list;
//! [`MemoryPersister::save_torn`](crate::MemoryPersister::save_torn) draws.

#![allow(clippy::disallowed_types, reason = "held for moments only, and below labrt")]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// Where the persister's directory is.
pub(crate) const DIR: &str = "/data/server";
/// The directories above it, from the root downwards. Only the root is there from the start.
const ABOVE: [&str; 2] = ["/", "/data"];

/// What goes wrong, and at which operation, counted from 0. Reads are not counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// From this operation on nothing works any more.
    Cut(usize),
    /// Only this operation fails. A write has then written half of its bytes, and a sync has
    /// forgotten which bytes it should have written.
    #[cfg(test)]
    Fail(usize, ErrorKind),
}

/// A handle of the disk; clones share it.
#[derive(Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<World>>);

#[derive(Clone, Default)]
struct World {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameOp>,
    /// The directory below each of those in [`ABOVE`].
    dirs: [Dir; ABOVE.len()],
    fault: Option<Fault>,
    ops: Vec<String>,
}

#[derive(Clone, Default)]
struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: bool,
    /// From here on, up to the given end, `cached` holds bytes that a failed sync gave up: no later
    /// sync writes them.
    given_up: Option<(usize, usize)>,
}

/// The name of a directory in the one above.
#[derive(Clone, Copy, Default)]
struct Dir {
    made: bool,
    durable: bool,
}

#[derive(Clone)]
enum NameOp {
    Create(String, usize),
    Rename(String, String, usize),
    Remove(String),
}

impl NameOp {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameOp::Create(name, file) => {
                names.insert(name.clone(), *file);
            }
            NameOp::Rename(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            NameOp::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl SimDisk {
    /// Makes what is missing of the way to the directory: the user's part and that of an open.
    pub(crate) fn make_dirs(&self) -> io::Result<()> {
        for (i, name) in [ABOVE[1], DIR].into_iter().enumerate() {
            if !self.0.lock().dirs[i].made {
                let (mut world, result) = self.step(format!("make {name}"));
                result?;
                world.dirs[i].made = true;
            }
        }
        Ok(())
    }

    /// The operations so far, in words.
    pub(crate) fn ops(&self) -> Vec<String> {
        self.0.lock().ops.clone()
    }

    /// The disk as a new process finds it: the same, with the fault mended or another one, and the
    /// count of operations at 0.
    pub(crate) fn restarted(&self, fault: Option<Fault>) -> SimDisk {
        let mut world = self.0.lock().clone();
        world.fault = fault;
        world.ops.clear();
        SimDisk(Arc::new(Mutex::new(world)))
    }

    /// A disk that a power cut at this moment may leave: any of them, by what `draw` says, which gives a
    /// number below its argument.
    pub(crate) fn power_cut(&self, draw: &mut dyn FnMut(usize) -> usize) -> SimDisk {
        let mut world = self.0.lock().clone();
        let mut names = world.durable_names.clone();
        for op in &world.pending_names {
            if draw(2) == 1 {
                op.apply(&mut names);
            }
        }
        for file in &mut world.files {
            let bytes = file.outcome(draw);
            *file = Content { cached: bytes.clone(), durable: bytes, ..Content::default() };
        }
        (world.names, world.durable_names) = (names.clone(), names);
        world.pending_names.clear();
        SimDisk(Arc::new(Mutex::new(world)))
    }

    /// All disks that a power cut at this moment may leave.
    #[cfg(test)]
    pub(crate) fn power_cuts(&self) -> Vec<SimDisk> {
        let world = self.0.lock().clone();
        let mut outcomes = Vec::new();
        for names in world.name_outcomes() {
            // Files that have no name left cannot be told apart.
            let mut partial = vec![World { names: names.clone(), ..World::default() }];
            for (file, content) in world.files.iter().enumerate() {
                let named = names.values().any(|&other| other == file);
                let choices = if named { content.outcomes() } else { vec![Vec::new()] };
                partial = partial
                    .iter()
                    .flat_map(|world| choices.iter().map(move |bytes| world.with_file(bytes)))
                    .collect();
            }
            outcomes.extend(partial);
        }
        for outcome in &mut outcomes {
            outcome.durable_names = outcome.names.clone();
            outcome.dirs = world.dirs.map(|dir| Dir { durable: dir.made, ..dir });
        }
        outcomes.extend(world.vanished_dirs());
        outcomes.into_iter().map(|world| SimDisk(Arc::new(Mutex::new(world)))).collect()
    }

    /// Counts an operation, and says whether it is to fail.
    fn step(&self, what: String) -> (parking_lot::MutexGuard<'_, World>, io::Result<()>) {
        let mut world = self.0.lock();
        let at = world.ops.len();
        let result = match world.fault {
            Some(Fault::Cut(from)) if at >= from => Err(io::Error::other("the power is cut")),
            #[cfg(test)]
            Some(Fault::Fail(only, kind)) if at == only => Err(kind.into()),
            _ => Ok(()),
        };
        world.ops.push(what);
        (world, result)
    }
}

impl World {
    #[cfg(test)]
    fn with_file(&self, bytes: &[u8]) -> World {
        let mut world = self.clone();
        let (cached, durable) = (bytes.to_vec(), bytes.to_vec());
        world.files.push(Content { cached, durable, ..Content::default() });
        world
    }

    fn power_is_cut(&self) -> bool {
        matches!(self.fault, Some(Fault::Cut(from)) if self.ops.len() > from)
    }

    /// What is left if a directory whose name was not synced is gone.
    #[cfg(test)]
    fn vanished_dirs(&self) -> Vec<World> {
        let unsynced = |i: &usize| self.dirs[*i].made && !self.dirs[*i].durable;
        let without = |gone: usize| {
            let mut world = World::default();
            for dir in &mut world.dirs[..gone] {
                *dir = Dir { made: true, durable: true };
            }
            world
        };
        (0..self.dirs.len()).filter(unsynced).map(without).collect()
    }

    /// The names after each subset of the pending changes.
    #[cfg(test)]
    fn name_outcomes(&self) -> Vec<BTreeMap<String, usize>> {
        assert!(
            self.pending_names.len() < 12,
            "too many unsynced changes of names to try them all"
        );
        let mut outcomes = Vec::new();
        for subset in 0..1_u32 << self.pending_names.len() {
            let mut names = self.durable_names.clone();
            for (i, op) in self.pending_names.iter().enumerate() {
                if subset & (1 << i) != 0 {
                    op.apply(&mut names);
                }
            }
            if !outcomes.contains(&names) {
                outcomes.push(names);
            }
        }
        outcomes
    }
}

impl Content {
    /// What a sync would put on the platter.
    fn writable(&self) -> Vec<u8> {
        let mut bytes = self.cached.clone();
        if let Some((from, to)) = self.given_up {
            bytes[from..to].fill(0);
        }
        bytes
    }

    /// Something that the platter may hold after a power cut: what was synced, all, or what is new without
    /// its end or with sectors of zeros in it.
    fn outcome(&self, draw: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let (old, new) = (&self.durable, self.writable());
        let grown = new.len() > old.len() && new.starts_with(old);
        match if self.dirty { draw(4) } else { 0 } {
            0 => old.clone(),
            1 if grown => new[..old.len() + draw(new.len() - old.len())].to_vec(),
            2 if grown => without_some_sectors(new, old.len(), draw),
            _ => new,
        }
    }

    /// Everything the platter may hold after a power cut.
    #[cfg(test)]
    fn outcomes(&self) -> Vec<Vec<u8>> {
        let (old, new) = (&self.durable, self.writable());
        if !self.dirty {
            return vec![old.clone()];
        }
        let mut outcomes = vec![old.clone(), new.clone()];
        if new.len() > old.len() && new.starts_with(old) {
            for len in old.len()..new.len() {
                // Each cut in a short text; in a long one those near an edge of a sector.
                let edge = len % SECTOR;
                if new.len() - old.len() <= 80 || edge <= 13 || edge > SECTOR - 13 {
                    outcomes.push(new[..len].to_vec());
                }
            }
            let first = old.len() / SECTOR;
            let sectors = new.len().div_ceil(SECTOR) - first;
            assert!(sectors <= 5, "too many unsynced sectors to try them all");
            for lost in 1..1_u32 << sectors {
                let mut bytes = new.clone();
                for i in (0..sectors).filter(|i| lost & (1 << i) != 0) {
                    let from = ((first + i) * SECTOR).max(old.len());
                    let to = ((first + i + 1) * SECTOR).min(bytes.len());
                    bytes[from..to].fill(0);
                }
                outcomes.push(bytes);
            }
        }
        outcomes.sort();
        outcomes.dedup();
        outcomes
    }
}

/// Bytes of which some sectors have not been written, behind those that are there for sure.
fn without_some_sectors(
    mut bytes: Vec<u8>,
    sure: usize,
    draw: &mut dyn FnMut(usize) -> usize,
) -> Vec<u8> {
    for sector in sure / SECTOR..bytes.len().div_ceil(SECTOR) {
        if draw(2) == 1 {
            let (from, to) =
                ((sector * SECTOR).max(sure), ((sector + 1) * SECTOR).min(bytes.len()));
            bytes[from..to].fill(0);
        }
    }
    bytes
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn DiskFile>>> {
        let file = self.0.lock().names.get(name).copied();
        Ok(file.map(|file| Box::new(SimFile { disk: self.clone(), file }) as Box<dyn DiskFile>))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let (mut world, result) = self.step(format!("create {name}"));
        result?;
        // A new file even if the name exists: what the old one held may survive under no name.
        world.files.push(Content::default());
        let file = world.files.len() - 1;
        let op = NameOp::Create(name.into(), file);
        op.apply(&mut world.names);
        world.pending_names.push(op);
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (mut world, result) = self.step(format!("rename {from} {to}"));
        result?;
        let file = *world.names.get(from).ok_or(ErrorKind::NotFound)?;
        let op = NameOp::Rename(from.into(), to.into(), file);
        op.apply(&mut world.names);
        world.pending_names.push(op);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let (mut world, result) = self.step(format!("remove {name}"));
        result?;
        if !world.names.contains_key(name) {
            return Err(ErrorKind::NotFound.into());
        }
        let op = NameOp::Remove(name.into());
        op.apply(&mut world.names);
        world.pending_names.push(op);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (mut world, result) = self.step("sync names".into());
        result?;
        world.durable_names = world.names.clone();
        world.pending_names.clear();
        Ok(())
    }

    fn above(&self) -> io::Result<Vec<PathBuf>> {
        Ok(ABOVE.iter().rev().map(PathBuf::from).collect())
    }

    fn sync_above(&self, dir: &Path) -> io::Result<()> {
        let (mut world, result) = self.step(format!("sync {}", dir.display()));
        result?;
        let place = ABOVE.iter().position(|above| dir == Path::new(above));
        let below = &mut world.dirs[place.expect("a directory above this one")];
        below.durable = below.made;
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.0.lock().files[self.file].cached.len() as u64)
    }

    fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        let world = self.disk.0.lock();
        let bytes = world.files[self.file].cached.get(..len as usize);
        bytes.map(<[u8]>::to_vec).ok_or(ErrorKind::UnexpectedEof.into())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (mut world, result) = self.disk.step(format!("write {}", bytes.len()));
        if world.power_is_cut() {
            return result;
        }
        let written = if result.is_ok() { bytes.len() } else { bytes.len() / 2 };
        let content = &mut world.files[self.file];
        let (from, to) = (offset as usize, offset as usize + written);
        content.cached.resize(content.cached.len().max(to), 0);
        content.cached[from..to].copy_from_slice(&bytes[..written]);
        content.dirty = true;
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut world, result) = self.disk.step("sync file".into());
        if world.power_is_cut() {
            return result;
        }
        let content = &mut world.files[self.file];
        match result {
            Ok(()) => content.durable = content.writable(),
            Err(_) if content.durable.len() < content.cached.len() => {
                content.given_up = Some((content.durable.len(), content.cached.len()));
            }
            Err(_) => {}
        }
        content.dirty = false;
        result
    }
}
