//! The suite for a student's type, in a crate of our own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, ensure};
use run_record::Clock;
use test_runs::build::{self, Program};
use test_runs::{package, platform};

use super::allowed::Allowed;
use super::disk::Building;
use super::rooms::Rooms;
use super::running;
use super::student::{MOST_OF_NAME, Metadata, Package, Student, members, metadata_until};
use crate::labs::Lab;
use crate::skeleton::{PACKAGES, PROFILE, in_quotes, lock_file};
use crate::{skeleton, workspace};

mod said;

use said::{Ended, no_metadata, own_words, shortened};

/// How often the memory of compilers is looked at: to look takes some milliseconds.
const LOOK: Duration = Duration::from_millis(100);

/// Why there is no test program.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The student's crate does not compile.
    Student(String),
    /// It does, but has no such type, or the type is no Raft.
    Type(String),
    /// Something that has nothing to do with the student's crate.
    Machine(Error),
}

/// The crate with the suite.
pub(crate) struct Stamped {
    dir: PathBuf,
    /// A folder for files that are not kept.
    scratch: PathBuf,
    /// Where cargo builds.
    target: PathBuf,
    /// Its package's name. No crate that it depends on is called so.
    name: String,
    lab: &'static Lab,
    /// The types under test, within the student's crate.
    types: Vec<String>,
    /// The files that decide what is tested, and what must be in them.
    files: [(&'static str, String); 3],
    metadata: Metadata,
    /// Our lock file.
    lock: String,
    /// What the student has others say.
    own_words: String,
}

/// How everything is built, as the end of a manifest: as in a student's own crate. Nothing is built twice, so nothing is
/// kept for that.
pub(crate) fn profile() -> String {
    format!("{PROFILE}incremental = false\n\n{PACKAGES}\n[workspace]\n")
}

/// The line of a manifest that takes a lab's tests in.
pub(crate) fn suite_dependency(lab: &Lab) -> String {
    let path = workspace().join(lab.suite);
    format!("{} = {{ path = \"{}\" }}\n", lab.suite, in_quotes(&path))
}

/// Writes the crate with the suite, and finds out what it is made of. It will be built in `target`.
///
/// # Errors
/// If its manifest is none that cargo takes, or nobody can tell, also because `stop` was set meanwhile.
pub(crate) fn stamp(
    dir: &Path,
    scratch: &Path,
    student: &Student,
    lab: &'static Lab,
    types: Vec<String>,
    (target, stop): (&Path, &AtomicBool),
) -> Result<Stamped, Failure> {
    let (files, name) = write_suite(dir, student, lab, &types).map_err(Failure::Machine)?;
    let options = package::host().map(|host| ["--filter-platform".to_string(), host]);
    let options = options.map_err(Failure::Machine)?;
    // Cargo fetches here what the student's crate needs. That there is no network is not its fault.
    let own_words = own_words(student.top()).map_err(Failure::Machine)?;
    let metadata = metadata_until(dir, &options.each_ref().map(String::as_str), scratch, stop);
    let metadata = metadata.map_err(|error| no_metadata(error, &own_words))?;
    let lock = lock_file(&workspace()).map_err(Failure::Machine)?;
    Ok(Stamped {
        dir: dir.to_owned(),
        scratch: scratch.to_owned(),
        target: target.to_owned(),
        name,
        lab,
        types,
        files,
        metadata,
        lock,
        own_words,
    })
}

/// Writes the files of the crate with the suite. Returns those that decide what is tested, and its package's name.
fn write_suite(
    dir: &Path,
    student: &Student,
    lab: &'static Lab,
    types: &[String],
) -> Result<([(&'static str, String); 3], String)> {
    let name = format!("grading-{}", student.name);
    let root = workspace();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n\
         student = {{ package = \"{}\", path = \"{}\" }}\n{}\n{}",
        student.name,
        in_quotes(&student.dir),
        suite_dependency(lab),
        profile()
    );
    let arguments: String = types.iter().map(|name| format!(", student::{name}")).collect();
    let suite = lab.suite.replace('-', "_");
    let suite = format!("{suite}::suite!(simulated{arguments});\n");
    let files = [("Cargo.toml", manifest), ("src/lib.rs", String::new()), ("tests/sim.rs", suite)];
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        let folder = path.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        if fs::read_to_string(&path).is_ok_and(|before| before == *text) {
            // What cargo has built of it still holds.
            return Ok(());
        }
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    for (path, text) in &files {
        write(path, text)?;
    }
    write("Cargo.lock", &lock_file(&root)?)?;
    Ok((files, name))
}

impl Stamped {
    /// Why the student's crate is not graded though it may compile.
    pub(crate) fn problem(&self, student: &Student, allowed: &Allowed) -> Option<String> {
        let mut names = self.students_names();
        if let Some(name) = names.find(|name| *name == self.name || self.is_locked(name)) {
            return Some(format!(
                "it has a crate called `{name}`, as one that the tests of the lab are made with: what is built of \
                 both would be taken for one; choose another name, such as `my-{name}`"
            ));
        }
        if let Some(name) = self.students_names().find(|name| name.len() > MOST_OF_NAME) {
            return Some(format!(
                "it has a crate with a name of {} letters; {MOST_OF_NAME} are the most",
                name.len()
            ));
        }
        if let Some(problem) = self.not_allowed(student, allowed).or_else(|| self.other_version()) {
            return Some(problem);
        }
        if allowed.build {
            return None;
        }
        self.students_packages().find_map(|package| {
            let what = package.acts_when_built()?;
            Some(format!(
                "`{}` has {what}, which would run before the tests are built and could change them; \
                 `{}` is graded without it only (if it may: --allow-build)",
                package.name, student.name
            ))
        })
    }

    /// What a package of the student's depends on that is not allowed. Manifests were looked at before; this is what
    /// cargo makes of them.
    fn not_allowed(&self, student: &Student, allowed: &Allowed) -> Option<String> {
        let top = platform::canonical(student.top()).unwrap_or_else(|_| student.top().to_owned());
        let is_own = |package: &&Package| {
            let dir =
                platform::canonical(package.dir()).unwrap_or_else(|_| package.dir().to_owned());
            package.source.is_none() && dir.starts_with(&top)
        };
        // What an allowed crate from elsewhere depends on is its own business.
        let mut taken = self
            .students_packages()
            .filter(is_own)
            .flat_map(|package| self.metadata.dependencies(package));
        let refused = taken.find(|taken| {
            // Usual crates come from where those that ours are made of do.
            let source = taken.source.as_deref();
            let is_known = |source| skeleton::sources(&self.lock).any(|known| known == source);
            let usual = source.is_some_and(is_known) && allowed.is_usual(&taken.name);
            // Ours are by name what the intake has made them.
            !usual && !is_own(taken) && !allowed.has(&taken.name)
        })?;
        let place = refused.dir().display().to_string();
        Some(allowed.refusal(&refused.name, refused.source.as_deref().unwrap_or(&place)))
    }

    /// What the tests would be made of in another version than ours. Cargo takes one version of a crate for all, and
    /// what a student's manifest asks for it takes before what our lock file says.
    fn other_version(&self) -> Option<String> {
        let locked: Vec<(&str, &str)> = skeleton::versions(&self.lock).collect();
        self.of_the_tests().into_iter().filter(|package| package.source.is_some()).find_map(|package| {
            let of_name = locked.iter().filter(|(name, _)| *name == package.name);
            let ours: Vec<&str> = of_name.map(|(_, version)| *version).collect();
            // What is not among ours at all a feature has added.
            let last = ours.last().filter(|_| !ours.contains(&&*package.version))?;
            Some(format!(
                "with it, the tests themselves would be made with `{0}` {1}, and all others' were made with {2}: its \
                 manifest, or that of a crate that it depends on, asks for that version; ask for one that may be {2} too, \
                 as by `{0} = \"{last}\"`",
                package.name,
                package.version,
                ours.join(" and ")
            ))
        })
    }

    /// The packages that the tests of the lab are made of, as they would be built with the student's crate.
    fn of_the_tests(&self) -> Vec<&Package> {
        let is_suite =
            |package: &&Package| package.name == self.lab.suite && package.source.is_none();
        let mut left: Vec<&Package> = self.metadata.packages.iter().filter(is_suite).collect();
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        while let Some(package) = left.pop() {
            if seen.insert(&package.id) {
                left.extend(self.metadata.dependencies(package));
                found.push(package);
            }
        }
        found
    }

    /// True if what is built of a package of this name could be that of one of our lock file: it is removed by
    /// name, and a library's file has `lib` before the name.
    fn is_locked(&self, name: &str) -> bool {
        let name = name.replace('-', "_");
        let names = [Some(name.as_str()), name.strip_prefix("lib")];
        skeleton::packages(&self.lock)
            .any(|locked| names.contains(&Some(&*locked.replace('-', "_"))))
    }

    /// The packages that are neither ours nor from a registry.
    fn students_packages(&self) -> impl Iterator<Item = &Package> {
        // If nobody knows which are ours, none is.
        let ours = members().unwrap_or_default();
        let suite = platform::canonical(&self.dir).unwrap_or_else(|_| self.dir.clone());
        self.metadata.packages.iter().filter(move |package| match &package.source {
            Some(source) => !source.starts_with("registry+"),
            None => {
                let dir = platform::canonical(package.dir());
                !dir.is_ok_and(|dir| dir == suite || ours.contains(&dir))
            }
        })
    }

    /// The names by which files are called that are built of these: those of packages, and of their libraries.
    fn students_names(&self) -> impl Iterator<Item = &str> {
        self.students_packages().flat_map(|package| {
            [Some(package.name.as_str()), package.lib_name()].into_iter().flatten()
        })
    }

    /// Builds the student's crate, then the suite for it. Nothing of it is left on the disk but the program.
    pub(crate) fn build(
        &self,
        student: &Student,
        rooms: &Rooms,
        building: &mut Building,
        stop: &AtomicBool,
    ) -> Result<Program, Failure> {
        let built = self.build_both(student, rooms, building, stop);
        if !student.is_ours() {
            let mut names: BTreeSet<String> = self.students_names().map(str::to_string).collect();
            names.insert(self.name.clone());
            building.remove(&names, built.is_err());
        }
        built
    }

    fn build_both(
        &self,
        student: &Student,
        rooms: &Rooms,
        building: &mut Building,
        stop: &AtomicBool,
    ) -> Result<Program, Failure> {
        let cargo = || (rooms.cargo(student.top(), &self.dir), rooms.memory());
        let words = "the crate does not compile";
        let build = ["build", "--lib", "--package", &student.name];
        self.cargo(cargo(), &build, building, stop, |said| {
            Failure::Student(format!("{words}:\n{said}"))
        })?;
        let wanted = self.types.iter().zip(self.lab.types);
        let wanted = wanted
            .map(|(name, one)| format!("no type `{name}` that implements {}", one.implements));
        let words = format!("`{}` has {}", student.name, wanted.collect::<Vec<_>>().join(", or "));
        let test = ["test", "--no-run", "--test", package::target(Clock::Sim)];
        let out = self.cargo(cargo(), &test, building, stop, |said| {
            Failure::Type(format!("{words}:\n{said}"))
        })?;
        self.program(student, &out).map_err(Failure::Machine)
    }

    /// The test program that cargo says it has built. It is moved: another grading may build one of the
    /// same name.
    fn program(&self, student: &Student, said: &str) -> Result<Program> {
        let program = build::built(said, &[Clock::Sim], &self.dir).pop();
        let mut program = program.context("the suite has no tests on the simulated clock")?;
        self.check()?;
        let own = self.scratch.join("program").with_extension(std::env::consts::EXE_EXTENSION);
        fs::copy(&program.path, &own)
            .and_then(|_| platform::let_all_run(&own))
            .with_context(|| format!("cannot copy {}", program.path.display()))?;
        if !student.is_ours() {
            // It would only take room.
            let _ = fs::remove_file(&program.path);
        }
        program.path = own;
        program.replay = format!("cargo test -p {} --test sim", student.name);
        // As cargo would run it. The tester looks there for the source of what it tests.
        program.dir.clone_from(&student.dir);
        Ok(program)
    }

    /// Runs cargo, and returns what it wrote for programs; if code does not compile, `fault` makes the
    /// failure of the words of the compiler.
    fn cargo(
        &self,
        (cargo, memory): (Command, Option<u64>),
        args: &[&str],
        building: &mut Building,
        stop: &AtomicBool,
        fault: impl Fn(&str) -> Failure,
    ) -> Result<String, Failure> {
        let ended = self.run_cargo(cargo, memory, args, building, stop);
        let ended = ended.map_err(Failure::Machine)?;
        if building.is_over() {
            return Err(Failure::Student(format!(
                "building it writes more than {} MiB to the disk (if it may: --build-size)",
                building.most_mib()
            )));
        }
        if let Some(most) = memory.filter(|_| ended.took_memory) {
            return Err(Failure::Student(format!(
                "building it takes more than {most} MiB of memory (if it may: --build-memory)"
            )));
        }
        if ended.passed {
            return Ok(ended.out);
        }
        let all = ended.in_words();
        if ended.is_fault_of_code(&self.own_words) {
            if ended.is_unlinked() {
                return Err(Failure::Student(format!(
                    "its code calls what no crate of it has:\n{}",
                    shortened(&all)
                )));
            }
            if self.is_theirs(&ended.said) {
                return Err(fault(&shortened(&all)));
            }
            // What all need was built just before. So it is by what the student's manifests ask for that it is another one
            // now, such as a feature that needs another compiler.
            if ended.has_error_in_code() {
                return Err(Failure::Student(format!(
                    "a crate does not compile as its manifest would have it:\n{}",
                    shortened(&all)
                )));
            }
        }
        Err(Failure::Machine(anyhow!("the build came to no end:\n{}", shortened(&all))))
    }

    /// Runs cargo until it ends or must end.
    fn run_cargo(
        &self,
        mut command: Command,
        memory: Option<u64>,
        args: &[&str],
        building: &mut Building,
        stop: &AtomicBool,
    ) -> Result<Ended> {
        // What is to be fetched was fetched when the suite was written. It is not run there: in a folder above that one,
        // such as the one for all users' temporary files, anybody may have put settings that cargo heeds.
        command.args(args).arg("--offline").current_dir(workspace());
        command.arg("--manifest-path").arg(self.dir.join("Cargo.toml"));
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_TARGET_DIR", &self.target);
        command.arg("--message-format=json");
        let (mut took_memory, mut looked) = (false, Instant::now());
        let output = running::run(command, &self.scratch, |group| {
            if let Some(most) = memory.filter(|_| looked.elapsed() >= LOOK) {
                took_memory |= platform::memory_of_group(group).is_some_and(|mib| mib > most);
                looked = Instant::now();
            }
            stop.load(Ordering::Relaxed) || building.may_be_over() || took_memory
        })?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let passed = output.status.success();
        Ok(Ended { passed, took_memory, out: text(output.stdout), said: text(output.stderr) })
    }

    /// True if all crates that do not compile are the student's, or the suite for it.
    fn is_theirs(&self, said: &str) -> bool {
        let theirs: Vec<&str> =
            self.students_packages().map(|package| package.name.as_str()).collect();
        let failed = said
            .lines()
            .filter_map(|line| line.strip_prefix("error: could not compile `")?.split('`').next());
        let mut failed = failed.peekable();
        failed.peek().is_some()
            && failed.all(|package| package == self.name || theirs.contains(&package))
    }

    /// The files that decide what is tested are still ours.
    fn check(&self) -> Result<()> {
        for (path, text) in &self.files {
            let now = fs::read_to_string(self.dir.join(path)).unwrap_or_default();
            ensure!(now == *text, "somebody has changed {path} of the suite while it was built");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
