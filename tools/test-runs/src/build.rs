//! Building the tests once, and finding out which there are.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use run_record::Clock;
use run_record::schedule::{Choice, Schedule};
use run_record::setting::Setting;
use serde::Deserialize;
use tempfile::TempDir;

use crate::process::Item;
use crate::watchdog::{self, Group};
use crate::{package, platform};

/// A test program: the suite on one clock.
#[derive(Clone, Debug)]
pub struct Program {
    /// The clock that its tests run on.
    pub clock: Clock,
    /// The program.
    pub path: PathBuf,
    /// Where its tests expect to be run.
    pub dir: PathBuf,
    /// What selects it on cargo's command line, for replay commands.
    pub replay: String,
    /// What keeps the program as it is.
    pub kept: Option<Kept>,
    /// The folders of the packages that it is built from, but for those of registries and repositories elsewhere.
    pub sources: Vec<PathBuf>,
}

/// A folder with a link to a program that another build may replace. It goes with the last clone, and also if our
/// process is killed.
#[derive(Clone, Debug)]
pub struct Kept {
    _folder: Arc<TempDir>,
}

impl Program {
    /// Sees to it that all runs are of this very program, although somebody goes on with the source meanwhile and
    /// has it built. Where no link can be made, the program stays where it is.
    fn keep(&mut self) {
        let Some((parent, name)) = self.path.parent().zip(self.path.file_name()) else { return };
        let Ok(folder) = tempfile::Builder::new().prefix("running-").tempdir_in(parent) else {
            return;
        };
        watchdog::remove_at_death(folder.path());
        let link = folder.path().join(name);
        if fs::hard_link(&self.path, &link).is_ok() {
            (self.path, self.kept) = (link, Some(Kept { _folder: Arc::new(folder) }));
        }
    }
}

/// A test of a program.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// Its name, as the program lists it.
    pub name: String,
    /// The program that has it.
    pub program: Program,
    /// What is taken away from it.
    pub setting: Setting,
    /// How its simulated runs choose the next task.
    pub schedule: Choice,
}

impl TestCase {
    /// The part of the lab, from the end of the name.
    pub fn part(&self) -> &str {
        self.name.rsplit('_').next().unwrap_or_default()
    }

    /// The command that repeats a run.
    pub fn replay(&self, Item { seed, choices, .. }: &Item) -> String {
        let choices = match choices.is_empty() {
            true => String::new(),
            false => format!("{}={choices} ", run_record::choices::VARIABLE),
        };
        let setting = match self.setting.is_whole() {
            true => String::new(),
            false => format!("{}='{}' ", run_record::setting::VARIABLE, self.setting),
        };
        let schedule = seed.map(|seed| self.schedule.of_seed(seed)).unwrap_or_default();
        let schedule = match schedule == Schedule::default() {
            true => String::new(),
            false => format!("{}={schedule} ", run_record::schedule::VARIABLE),
        };
        let seed = seed.map(|seed| format!("LAB_SEED={seed} ")).unwrap_or_default();
        format!(
            "{choices}{schedule}{setting}{seed}{} -- --exact {}",
            self.program.replay, self.name
        )
    }
}

#[cfg(test)]
impl TestCase {
    /// One of this name, of a program that there is not.
    pub(crate) fn of_nothing(name: &str) -> TestCase {
        let (path, dir) = (PathBuf::new(), PathBuf::new());
        let clock = Clock::Sim;
        TestCase {
            name: name.into(),
            program: Program {
                clock,
                path,
                dir,
                replay: String::new(),
                kept: None,
                sources: Vec::new(),
            },
            setting: Setting::default(),
            schedule: Choice::default(),
        }
    }
}

/// The line of cargo's messages that tells of a finished program.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// What becomes of cargo's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// The user sees them as they come.
    Shown,
    /// They are part of the error, if there is one.
    Kept,
}

/// The error of who was asked to end before anything was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted before the first run; nothing was done")
    }
}

impl std::error::Error for Interrupted {}

/// Builds the tests of the lab of a package, whose workspace is in this directory: those on these clocks,
/// as far as it has them, and nothing else of it. `stop` ends it early.
///
/// # Errors
/// If cargo cannot be run, or the tests do not build, or there are none; [`Interrupted`] if it was ended early.
pub fn build(
    dir: &Path,
    package: &str,
    clocks: &[Clock],
    release: bool,
    messages: Messages,
    stop: &AtomicBool,
) -> Result<Vec<Program>> {
    let mut wanted = package::clocks(dir, package)?;
    wanted.retain(|clock| clocks.contains(clock));
    if wanted.is_empty() {
        let names: Vec<&str> = clocks.iter().map(|clock| package::target(*clock)).collect();
        bail!(
            "{package} has no test target named {}; make tests/sim.rs, or tests/wall.rs for the real \
             clock, with the suite of the lab in it",
            names.join(" or ")
        );
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
    cargo.args(["--package", package]).current_dir(dir);
    for clock in &wanted {
        cargo.args(["--test", package::target(*clock)]);
    }
    if release {
        cargo.arg("--release");
    }
    let output = output_of(cargo, messages, stop)
        .with_context(|| format!("cannot run cargo in {}", dir.display()))?;
    let Some(output) = output else { return Err(Interrupted.into()) };
    if !output.status.success() {
        // Ctrl-C at a terminal is for cargo too, which may know it before we do.
        if stop.load(Ordering::Relaxed) || platform::was_interrupted(output.status) {
            return Err(Interrupted.into());
        }
        match messages {
            Messages::Shown => bail!("the tests of {package} do not build; see cargo's messages"),
            Messages::Kept => bail!("{}", String::from_utf8_lossy(&output.stderr).trim()),
        }
    }
    let flag = if release { " --release" } else { "" };
    let said = String::from_utf8_lossy(&output.stdout);
    let mut programs = built(&said, &wanted, dir);
    for program in &mut programs {
        let target = package::target(program.clock);
        let there = elsewhere(dir, &std::env::current_dir().unwrap_or_default());
        program.replay = format!("cargo test{flag}{there} -p {package} --test {target}");
        program.keep();
    }
    Ok(programs)
}

/// The option that names a workspace to cargo, for commands that are given in a folder outside of it.
fn elsewhere(dir: &Path, here: &Path) -> String {
    let real = |path: &Path| platform::canonical(path).unwrap_or_else(|_| path.to_owned());
    let (dir, here) = (real(dir), real(here));
    if here.starts_with(&dir) {
        return String::new();
    }
    let manifest = dir.join("Cargo.toml");
    format!(" --manifest-path {}", run_record::shell::word(&manifest.display().to_string()))
}

/// The test programs for these clocks that cargo has built, by what it said with
/// `--message-format=json-render-diagnostics`. Those whose package cargo does not say expect to be run in
/// `dir`. No command that repeats a run of theirs is known yet.
pub fn built(said: &str, clocks: &[Clock], dir: &Path) -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    let mut sources = BTreeSet::new();
    for line in said.lines() {
        let Ok(artifact) = serde_json::from_str::<Artifact>(line) else { continue };
        if artifact.package_id.contains("path+file:") {
            let folder = artifact.manifest_path.as_deref().and_then(Path::parent);
            sources.extend(folder.map(Path::to_owned));
        }
        let (Some(path), Some(target)) = (artifact.executable, artifact.target) else { continue };
        if artifact.reason != "compiler-artifact" || !target.kind.contains(&"test".to_string()) {
            continue;
        }
        let clock = clocks.iter().find(|clock| package::target(**clock) == target.name);
        let Some(clock) = clock.copied() else { continue };
        let manifest = artifact.manifest_path.unwrap_or_default();
        let dir = manifest.parent().unwrap_or(dir).to_owned();
        let (replay, sources) = (String::new(), Vec::new());
        programs.push(Program { clock, path, dir, replay, kept: None, sources });
    }
    for program in &mut programs {
        program.sources = sources.iter().cloned().collect();
    }
    programs
}

/// How often it is looked whether cargo has ended, or is to be ended.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// Runs cargo; none if `stop` has ended it. Its messages go to a terminal as they are, and elsewhere through us: cargo
/// gives up if it cannot write them, and we do not.
fn output_of(
    mut cargo: Command,
    messages: Messages,
    stop: &AtomicBool,
) -> io::Result<Option<Output>> {
    let terminal = io::stderr().is_terminal();
    let shown = messages == Messages::Shown;
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    cargo.stderr(if shown && terminal { Stdio::inherit() } else { Stdio::piped() });
    // At a terminal it stays in our group: it may have to ask there for a password, and Ctrl-C and Ctrl-Z are for it
    // too. Elsewhere the compilers that it has started are to end with it.
    if !terminal {
        platform::own_group(&mut cargo);
    }
    let mut child = cargo.spawn()?;
    let group = (!terminal).then(|| Group::of(child.id()));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let out = thread::spawn(move || all_of(out));
    let err = thread::spawn(move || if shown { pass_on(err) } else { all_of(err) });
    while !platform::has_ended(&mut child)? {
        if stop.load(Ordering::Relaxed) {
            drop(group);
            let _ = child.kill();
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOKED_EVERY);
    }
    drop(group);
    let status = child.wait()?;
    let [stdout, stderr] = [out, err].map(|said| said.join().unwrap_or_default());
    Ok(Some(Output { status, stdout, stderr }))
}

/// What a process says, to its end.
fn all_of(said: Option<impl Read>) -> Vec<u8> {
    let mut all = Vec::new();
    // What cannot be read is missing.
    let _ = said.map(|mut said| said.read_to_end(&mut all));
    all
}

/// Shows the user what a process says, line by line; nothing of it is kept.
fn pass_on(said: Option<impl Read>) -> Vec<u8> {
    let lines = said.map(|said| BufReader::new(said).split(b'\n').map_while(Result::ok));
    for line in lines.into_iter().flatten() {
        let _ = io::stderr().write_all(&[line, b"\n".to_vec()].concat());
    }
    Vec::new()
}

/// How authors of a crate mark a test that `cargo test` is to leave out; what we say of such tests names it. (No test of ours
/// has it.)
pub const IGNORED_MARK: &str = "#[ignore]";

/// What a program has of the tests that somebody asks for.
#[derive(Debug, Default)]
pub struct Listed {
    /// Those that can be run.
    pub tests: Vec<TestCase>,
    /// The names of those with [`IGNORED_MARK`], which the program would not run.
    pub ignored: Vec<String>,
}

/// The tests of a program whose names contain one of the filters; all without filters.
///
/// # Errors
/// If the program cannot be run, or does not list its tests.
pub fn list(program: &Program, filters: &[String]) -> Result<Listed> {
    let wanted = |name: &String| filters.is_empty() || filters.iter().any(|f| name.contains(f));
    let mut names = names(program, &[])?;
    let mut ignored = ignored(program, &names);
    names.retain(|name| wanted(name) && !ignored.contains(name));
    ignored.retain(wanted);
    let case = |name: String| TestCase {
        name,
        program: program.clone(),
        setting: Setting::default(),
        schedule: Choice::default(),
    };
    Ok(Listed { tests: names.into_iter().map(case).collect(), ignored })
}

/// Those of all tests of a program that it ignores.
fn ignored(program: &Program, all: &[String]) -> Vec<String> {
    // A harness of somebody's own need not know the question, and ignores none then.
    let ignored = names(program, &["--ignored"]).unwrap_or_default();
    let is_deaf = || {
        let none = names(program, &["--exact", "no::such::test"]);
        none.is_ok_and(|listed| !listed.is_empty())
    };
    // All of them, or one that lists all whatever it is asked.
    if ignored.len() == all.len() && is_deaf() { Vec::new() } else { ignored }
}

/// The names that a program lists if it has these options.
fn names(program: &Program, options: &[&str]) -> Result<Vec<String>> {
    let path = &program.path;
    let output = Command::new(path)
        .args(["--list", "--format", "terse"])
        .args(options)
        .current_dir(&program.dir)
        .output()
        .with_context(|| format!("cannot run {}", path.display()))?;
    if !output.status.success() {
        bail!("{} does not list its tests", path.display());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.filter(|name| is_name(name)).map(str::to_string).collect())
}

/// Whether a function may be called so; a program can print whatever it likes among its tests, and a file can name
/// any.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_:#".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_function_may_be_called_is_a_test() {
        assert!(["a_2A", "part_2a::it", "r#try", "größe"].into_iter().all(is_name));
        assert!(!["", "a b", "x\x1b[2J", "\u{202e}x", "$(x)", "a;b"].into_iter().any(is_name));
    }

    #[test]
    fn a_command_names_a_workspace_that_it_is_not_given_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let (suite, member) = (folder.path().join("a suite"), folder.path().join("a suite/raft"));
        fs::create_dir_all(&member).expect("folders");
        assert_eq!(elsewhere(&suite, &suite), "");
        assert_eq!(elsewhere(&suite, &member.join("../raft")), "");
        let manifest = platform::canonical(&suite).expect("it is there").join("Cargo.toml");
        let quoted = run_record::shell::word(&manifest.display().to_string());
        assert_eq!(elsewhere(&suite, folder.path()), format!(" --manifest-path {quoted}"));
    }

    #[test]
    fn a_program_that_is_built_anew_is_still_the_old_one_to_who_runs_it() {
        let target = tempfile::tempdir().expect("a folder");
        let path = target.path().join("sim-0");
        fs::write(&path, "old").expect("it can be written");
        let (dir, replay) = (PathBuf::new(), String::new());
        let (clock, sources) = (Clock::Sim, Vec::new());
        let mut program = Program { clock, path: path.clone(), dir, replay, kept: None, sources };
        program.keep();
        fs::remove_file(&path).expect("a compiler does so");
        fs::write(&path, "new").expect("it can be written");
        let clone = program.clone();
        drop(program);
        assert_eq!(fs::read_to_string(&clone.path).expect("it is there"), "old");
        drop(clone);
        assert_eq!(fs::read_dir(target.path()).expect("a folder").count(), 1, "nothing is left");
    }
}
