//! The closed rooms in which a student's crate is built and run.
//!
//! What is built: with the toolchain, the crates that cargo has fetched and the sources, all of them read-only,
//! into the folder for what is built. What is run: alone, as nobody, and with nothing but its own program and
//! its own files; what it leaves behind it cannot find. Results lie where neither can look.

use std::env::consts::EXE_EXTENSION;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use test_runs::platform;
use test_runs::room::{self, Room};

use super::args::Grade;
use super::ours;
use crate::workspace;

/// The most that a process in a room may write to one file, the output included; more ends it.
const FILE_SIZE: u64 = 1 << 30;
/// The most CPU time of a process, a compiler or one that makes runs: many times what they take.
const CPU: u64 = 1800;
/// The most address space of a compiler. What it takes of it is watched, as that of runs is: see [`Rooms::memory`].
const MEMORY: u64 = 16 << 30;
/// What a build may take of the machine's memory, in percent: more, and the system might end anybody.
const SHARE: u64 = 75;
/// What it may take in any case, in MiB for each compiler that runs at once. The suite itself takes some 600, so on a
/// small machine less would be an honest crate's fault; there the system may end a compiler, which is the machine's.
const HONEST: u64 = 1 << 10;
/// How many tasks nobody may have in all: many processes of ours run side by side.
const TASKS: u64 = 4096;

/// Where programs and libraries of the system are; what a system does not have is passed over.
const SYSTEM: [&str; 7] = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix"];
/// The libraries alone: no shell, no tools.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];
/// What the loader, the compiler's driver and the linker read.
const SETTINGS: [&str; 5] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/dev/urandom",
];

/// The rooms, or none if the instructor wants none.
#[derive(Debug)]
pub(crate) struct Rooms {
    build: Option<Room>,
    run: Option<Room>,
    /// Where the toolchain is.
    sysroot: PathBuf,
    /// How many compilers run at once, if that is said.
    jobs: Option<u64>,
    /// How much memory a build may take, in MiB, if anybody knows.
    memory: Option<u64>,
}

impl Rooms {
    /// The rooms for all crates that are graded.
    ///
    /// # Errors
    /// If this system has no such rooms, and nobody has said that it is to be done without.
    pub(crate) fn new(grade: &Grade, target: &Path) -> Result<Rooms> {
        let sysroot = sysroot()?;
        let jobs = grade.jobs;
        let of_machine = || platform::memory_of_machine().map(|mib| most_memory(mib, jobs));
        let memory = grade.build_memory.or_else(of_machine);
        if grade.open_room {
            return Ok(Rooms { build: None, run: None, sysroot, jobs, memory });
        }
        if let Some(words) = room::lacking() {
            bail!(
                "students' code cannot be locked in on this system: {words}. Grade on a system where it can; \
                 or, if nothing here can be harmed and nobody cheats, with --open-room"
            );
        }
        std::fs::create_dir_all(target)
            .with_context(|| format!("cannot make {}", target.display()))?;
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let run = Room {
            read: paths(&SETTINGS),
            run: paths(&LIBRARIES),
            write: paths(&["/dev/null"]),
            alone: true,
            nobody: true,
            file_size: Some(FILE_SIZE),
            cpu: Some(CPU),
            processes: Some(TASKS),
            ..Room::default()
        };
        let build = Some(build(&sysroot, target, &run)?);
        Ok(Rooms { build, run: Some(run), sysroot, jobs, memory })
    }

    /// How much memory cargo and its compilers may take in all, in MiB; none if nobody knows what there is.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.memory
    }

    /// Cargo, in the room that a crate is built in: it reads what the crate is, and writes to the suite's
    /// folder. It is the toolchain's own: a program that chooses a toolchain has nothing to choose here.
    pub(crate) fn cargo(&self, student: &Path, suite: &Path) -> Command {
        let tool = |name: &str| {
            let path = self.sysroot.join("bin").join(name).with_extension(EXE_EXTENSION);
            if path.exists() { path } else { name.into() }
        };
        let mut cargo = match self.build.clone() {
            Some(mut room) => {
                room.read.push(student.to_owned());
                room.write.push(suite.to_owned());
                room.command(&tool("cargo"))
            }
            None => Command::new(tool("cargo")),
        };
        cargo.env("RUSTC", tool("rustc")).env("TMPDIR", suite);
        cargo.envs(self.jobs.map(|jobs| ("CARGO_BUILD_JOBS", jobs.to_string())));
        cargo
    }

    /// For a student's test processes.
    pub(crate) fn for_runs(&self) -> Option<Room> {
        self.run.clone()
    }
}

/// What cargo and the compiler need.
fn build(sysroot: &Path, target: &Path, run: &Room) -> Result<Room> {
    let mut room = Room { alone: false, nobody: false, memory: Some(MEMORY), ..run.clone() };
    room.run = SYSTEM.map(PathBuf::from).into();
    room.run.push(sysroot.to_owned());
    let cargo = match std::env::var_os("CARGO_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::home_dir().context("there is no home directory")?.join(".cargo"),
    };
    // Not all of it: `credentials.toml` may hold the keys of a registry.
    room.read.extend(["registry", "git", "config.toml"].map(|name| cargo.join(name)));
    // It is run in this workspace, and heeds the settings of the folders above too.
    let above = workspace();
    let above = above.ancestors().skip(1).map(|folder| folder.join(".cargo"));
    room.read.extend(above.flat_map(|dir| ["config", "config.toml"].map(|name| dir.join(name))));
    // Where results and other students' crates are is none of its business.
    room.read.extend(ours::parts()?);
    room.write.push(target.to_owned());
    Ok(room)
}

/// How much memory a build may take on a machine with so much, in MiB.
fn most_memory(of_machine: u64, jobs: Option<u64>) -> u64 {
    // Cargo's own number, if nobody says one.
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let honest = HONEST * jobs.unwrap_or_else(cores);
    (of_machine * SHARE / 100).max(honest)
}

/// Where the toolchain is.
fn sysroot() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).current_dir(workspace()).output();
    let output = output.context("cannot run rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_machine_is_no_fault_of_the_crate() {
        assert_eq!(most_memory(16 << 10, Some(2)), 12 << 10);
        // As a container for a submission has it, with four compilers side by side.
        assert_eq!(most_memory(768, Some(1)), 1 << 10);
        assert_eq!(most_memory(3 << 10, Some(4)), 4 << 10);
    }

    #[test]
    fn so_many_compilers_run_at_once_as_is_said() {
        let jobs = |jobs| {
            let sysroot = PathBuf::new();
            let rooms = Rooms { build: None, run: None, sysroot, jobs, memory: None };
            let cargo = rooms.cargo(Path::new("a"), Path::new("b"));
            let mut envs = cargo.get_envs();
            let value =
                envs.find_map(|(name, value)| (name == "CARGO_BUILD_JOBS").then_some(value));
            value.flatten().map(|value| value.to_string_lossy().into_owned())
        };
        assert_eq!((jobs(None), jobs(Some(3))), (None, Some("3".to_string())));
    }
}
