//! Running a test for some seeds in a process of its own.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use run_record::choices::{self, Choices};
use run_record::seal::{SEALED, Seals};
use run_record::{Record, coverage};

use crate::build::{Program, TestCase};
use crate::ending;
use crate::fit;
use crate::platform;
use crate::room::{self, Room};
use crate::run::{Run, RunFailure};
use crate::scratch::check_room;
use crate::watchdog::Group;

/// How much output of a process is kept, and how much ends it.
const KEPT_OUTPUT: u64 = 64 << 10;
pub(crate) const MOST_OUTPUT: u64 = 64 << 20;

/// The environment variable that names the folder for traces.
const TRACE_VARIABLE: &str = "LAB_TRACE";

/// The end of the message of a run that took its process down among others, but not alone.
pub const NOT_ALONE: &str =
    "; it did not when it was run alone, so an earlier run may have caused it";

/// The end of the message of a run that took its process down among others, and did so again alone.
pub const AGAIN_ALONE: &str = "; it did so again when it was run alone";

/// The end of the message of a run whose process was killed, and killed again when the run was made alone.
pub const KILLED_AGAIN: &str = "; so it did when it was run once more, alone";

/// What a process may do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long it may make no progress.
    pub hang_after: Duration,
    /// How much memory it may take, where that can be limited ([`platform::ABSENT`]).
    pub memory_mib: u64,
    /// The folder to which it writes a trace of each run; none are written without one.
    pub trace: Option<PathBuf>,
    /// Each run says in detail what was seen in it.
    pub coverage: bool,
    /// What it can reach, beside its own program and folder and what it leaves behind; none if that is not
    /// limited. Its variables are limited too.
    pub room: Option<Room>,
}

/// A run to make: its number in the plan, and what stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number in the plan.
    pub index: u64,
    /// Its seed; none on the real clock.
    pub seed: Option<u64>,
    /// Where it draws other numbers than the seed's.
    pub choices: Choices,
}

impl Item {
    /// A run that its seed alone stands for.
    pub fn new(index: u64, seed: Option<u64>) -> Item {
        Item { index, seed, choices: Choices::default() }
    }
}

/// What came of some runs.
#[derive(Debug, Default)]
pub struct Finished {
    /// The runs that were made; those that failed with their logs.
    pub runs: Vec<(Run, Option<String>)>,
    /// What was not come to, because an earlier run took the process with it.
    pub left: Vec<Item>,
}

/// How a process came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(ExitStatus),
    Hung { threads: String },
    TooMuchOutput,
    TooMuchMemory { mib: u64 },
    Stopped,
}

impl Ending {
    /// What the process ended with, if it ended by itself.
    fn status(&self) -> Option<ExitStatus> {
        match self {
            Ending::Exited(status) => Some(*status),
            _ => None,
        }
    }

    /// True if it was killed, and not by us: by somebody else, or by the system for want of memory. Limits of ours
    /// that are passed are endings of their own.
    fn is_kill(&self) -> bool {
        self.status().is_some_and(|status| platform::signal(status) == Some(platform::KILL))
    }
}

/// The files that a process leaves behind.
struct Files {
    /// The folder with the file of records, and nothing else.
    folder: PathBuf,
    records: PathBuf,
    /// The same file, whatever becomes of its name.
    reader: File,
    output: PathBuf,
    /// What its records are sealed with.
    key: String,
}

/// Runs a test for these items, one after the other in one process. `scratch` is a folder for files
/// that are not kept; `stop` ends it early. Nothing that the process has started outlives it.
///
/// # Errors
/// If the process cannot be started, or what it has left cannot be read, or the disk is full.
pub fn run(
    test: &TestCase,
    items: &[Item],
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Finished> {
    let (mut finished, killed) = once(test, items, limits, scratch, stop)?;
    if killed {
        run_killed_again(test, &mut finished, items, limits, scratch, stop)?;
    } else {
        confirm(test, &mut finished, items, limits, scratch, stop)?;
    }
    Ok(finished)
}

/// Runs a test for these items in one process; also true if that was killed, not by us, before all was done.
fn once(
    test: &TestCase,
    items: &[Item],
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<(Finished, bool)> {
    let files = Files::new(scratch, limits)?;
    let ending = execute(&mut command(test, items, limits, &files), limits, &files, stop)?;
    // A process that could not write its records looks like one that has crashed.
    check_room(scratch)?;
    let recorded = read_records(&files)?;
    let text = files.end_of_output()?;
    drop(files);
    // Who was killed has not chosen how it ended.
    let status = ending.status().filter(|_| !ending.is_kill());
    if let Some(words) = fit::misfit(test, items, &recorded, status) {
        return Ok((ending::refuse(test, items, &words, &text), false));
    }
    let recorded: Vec<Record> = recorded.into_iter().flatten().collect();
    let ended = recorded.iter().filter(|record| matches!(record, Record::End(_))).count();
    let finished = ending::understand(test, items, recorded, &ending, &text);
    let killed = ending.is_kill() && ended < items.len();
    Ok((finished, killed))
}

impl Files {
    fn new(scratch: &Path, limits: &Limits) -> Result<Files> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = scratch.join(format!("{number}.records"));
        let records = folder.join("records.ndjson");
        let cannot = || format!("cannot write {}", records.display());
        fs::create_dir(&folder).with_context(cannot)?;
        let options = &mut File::options();
        let reader = options.read(true).append(true).create_new(true).open(&records);
        let reader = reader.with_context(cannot)?;
        if limits.room.as_ref().is_some_and(Room::changes_user) {
            let given =
                [&folder, &records].into_iter().try_for_each(|path| platform::give_to_nobody(path));
            given.with_context(cannot)?;
        }
        let output = scratch.join(format!("{number}.out"));
        Ok(Files { folder, records, reader, output, key: key() })
    }

    /// The end of what the process has printed.
    fn end_of_output(&self) -> Result<String> {
        let cannot = || format!("cannot read {}", self.output.display());
        let mut file = File::open(&self.output).with_context(cannot)?;
        let length = file.metadata().with_context(cannot)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEPT_OUTPUT))).with_context(cannot)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(cannot)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.output);
    }
}

/// Starts a program as [`run`] would, but has it list its tests and make no run. What the program itself does wrong is
/// returned in words; none if it ends as it should, or is ended by `stop`.
///
/// # Errors
/// If it cannot be started, with the limits or at all, or is killed each time and not by us.
pub fn check(
    program: &Program,
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Option<String>> {
    let list = || {
        let files = Files::new(scratch, limits)?;
        let mut command = in_room(program, limits, &[]);
        command.args(["--list", "--format", "terse"]).stdin(Stdio::null());
        let ending = execute(command.current_dir(&program.dir), limits, &files, stop)?;
        anyhow::Ok((ending, files.end_of_output()?))
    };
    let (mut ending, mut output) = list()?;
    if ending.is_kill() {
        // It need not be its own fault, so what it does now counts.
        (ending, output) = list()?;
    }
    if ending.is_kill() {
        bail!("{} was killed twice: {}", program.path.display(), output.trim());
    }
    match ending.status() {
        Some(status) if status.success() => return Ok(None),
        // A program that ends so itself has no result, but no points either.
        Some(status) if limits.room.is_some() && room::has_failed(status) => {
            bail!("cannot run {}: {}", program.path.display(), output.trim())
        }
        _ => {}
    }
    Ok(ending::death(&ending).map(|(_, words)| format!("{words}\n{}", output.trim())))
}

/// What a test has said that made a run by itself.
#[derive(Debug)]
pub struct Told {
    /// The end of its output.
    pub output: String,
    /// In words how it was ended, or what it died of; none if it has ended by itself.
    pub ended: Option<String>,
}

/// Runs a test for this item as somebody who types the replay command does: nothing is recorded, and the test says
/// what it has to say. It has the limits of [`run`]; since nothing shows progress, all of it may take no longer than a
/// run may make none. Only the test's own setting and schedule count, whatever our own environment has.
///
/// # Errors
/// If the process cannot be started, or what it has left cannot be read, or the disk is full.
pub fn by_itself(
    test: &TestCase,
    item: &Item,
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Told> {
    let files = Files::new(scratch, limits)?;
    let mut command = command(test, std::slice::from_ref(item), limits, &files);
    command.env_remove(run_record::VARIABLE).env_remove(SEALED).stdin(Stdio::null());
    let ending = execute(&mut command, limits, &files, stop)?;
    check_room(scratch)?;
    let ended = match &ending {
        Ending::Stopped => Some("it was interrupted".to_string()),
        Ending::Exited(status) if status.code().is_some_and(|code| code >= 0) => None,
        other => ending::death(other).map(|(_, words)| first_line(&words)),
    };
    Ok(Told { output: files.end_of_output()?, ended })
}

/// What is said in short: the threads of a process that hangs stand behind it.
fn first_line(words: &str) -> String {
    let line = words.lines().next().unwrap_or_default();
    line.trim_end_matches("; its threads:").to_string()
}

/// Runs a program, with its output in the file for it, to its end or until it has to be ended.
fn execute(
    command: &mut Command,
    limits: &Limits,
    files: &Files,
    stop: &AtomicBool,
) -> Result<Ending> {
    let cannot = || format!("cannot write {}", files.output.display());
    let out = File::create(&files.output).with_context(cannot)?;
    let err = out.try_clone().with_context(cannot)?;
    command.stdout(out).stderr(err);
    platform::own_group(command);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let group = Group::of(child.id());
    if let Some(mut input) = child.stdin.take() {
        // A process that is gone already needs no key.
        let _ = writeln!(input, "{}", files.key);
    }
    let ending = watch(&mut child, limits, files, stop);
    // Whatever came of the process: what it has started ends with it.
    drop(group);
    let _ = child.kill();
    let status = child.wait().context("cannot wait for a test process")?;
    Ok(ending?.unwrap_or(Ending::Exited(status)))
}

/// What is to be started.
fn command(test: &TestCase, items: &[Item], limits: &Limits, files: &Files) -> Command {
    let mut command = in_room(&test.program, limits, std::slice::from_ref(&files.folder));
    command.args(["--exact", &test.name, "--test-threads", "1"]).current_dir(&test.program.dir);
    command.stdin(Stdio::piped()).env(SEALED, "1");
    command.env_remove("LAB_SEEDS").env_remove("LAB_SEED");
    command.env(run_record::VARIABLE, &files.records);
    command.env_remove(run_record::setting::VARIABLE).env_remove(TRACE_VARIABLE);
    if !test.setting.is_whole() {
        command.env(run_record::setting::VARIABLE, test.setting.to_string());
    }
    command.env(run_record::schedule::VARIABLE, test.schedule.to_string());
    if let Some(folder) = &limits.trace {
        command.env(TRACE_VARIABLE, folder);
    }
    let seeds: Vec<String> = items.iter().filter_map(|i| i.seed).map(|s| s.to_string()).collect();
    if !seeds.is_empty() {
        command.env("LAB_SEED", seeds.join(","));
    }
    command.env_remove(choices::VARIABLE).env_remove(coverage::VARIABLE);
    if items.iter().any(|item| !item.choices.is_empty()) {
        let all: Vec<String> = items.iter().map(|item| item.choices.to_string()).collect();
        command.env(choices::VARIABLE, all.join(";"));
    }
    if limits.coverage {
        command.env(coverage::VARIABLE, "1");
    }
    command
}

/// The program, in its room if it is to have one, which shows it itself and lets it change what is in these
/// folders.
fn in_room(program: &Program, limits: &Limits, change: &[PathBuf]) -> Command {
    let Some(mut room) = limits.room.clone() else { return Command::new(&program.path) };
    room.run.push(program.path.clone());
    room.read.push(program.dir.clone());
    room.change.extend(change.iter().cloned());
    room.command(&program.path)
}

/// Who watches a process looks at it much more often than this. If it did not, it was stopped itself (by
/// Ctrl-Z, or with the whole machine), and the process may have been, too: that is no lack of progress.
const AWAKE: Duration = Duration::from_secs(1);

/// Waits for the end of the process, or for a reason to end it; none if it ends by itself.
fn watch(
    child: &mut Child,
    limits: &Limits,
    files: &Files,
    stop: &AtomicBool,
) -> Result<Option<Ending>> {
    let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    let recorded = || files.reader.metadata().map_or(0, |data| data.len());
    let (mut seen, mut idle, mut looked) = (0, Duration::ZERO, Instant::now());
    let mut ran_then = Duration::ZERO;
    let mut pause = Duration::from_micros(500);
    loop {
        if platform::has_ended(child).context("cannot wait for a test process")? {
            return Ok(None);
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(Some(Ending::Stopped));
        }
        if length(&files.output) > MOST_OUTPUT {
            return Ok(Some(Ending::TooMuchOutput));
        }
        if let Some(mib) = platform::memory_of(child).filter(|mib| *mib > limits.memory_mib) {
            return Ok(Some(Ending::TooMuchMemory { mib }));
        }
        let now = recorded();
        let since = std::mem::replace(&mut looked, Instant::now()).elapsed();
        if now != seen {
            (seen, idle) = (now, Duration::ZERO);
            (ran_then, _) = platform::work_of(child);
        } else {
            idle += since.min(AWAKE);
        }
        if idle > limits.hang_after && !starves(child, ran_then, limits.hang_after) {
            return Ok(Some(Ending::Hung { threads: platform::threads_of(child) }));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// True if a process could go on and has hardly been let to since it had run for so long: where there is far too much
/// to do, that is no fault of its own.
fn starves(child: &Child, ran_then: Duration, hang_after: Duration) -> bool {
    let (ran, can_run) = platform::work_of(child);
    can_run && ran.saturating_sub(ran_then) < hang_after / 4
}

/// A key that nobody can guess.
fn key() -> String {
    // What the standard library seeds its hash tables with.
    let random = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", random(), random())
}

/// The records of a process. `None` stands for a line that is not sealed with the key.
fn read_records(files: &Files) -> Result<Vec<Option<Record>>> {
    let cannot = || format!("cannot read {}", files.records.display());
    let (mut reader, mut bytes) = (&files.reader, Vec::new());
    reader.seek(SeekFrom::Start(0)).with_context(cannot)?;
    reader.read_to_end(&mut bytes).with_context(cannot)?;
    let text = String::from_utf8_lossy(&bytes);
    // A line that was cut off in the middle belongs to a process that died while it wrote it.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut seals = Seals::new(&files.key);
    Ok(whole.lines().map(|line| seals.open(line)).collect())
}

/// Runs the seed whose process was killed once more, alone. What it does now counts: the first end tells nothing of
/// it. Who is killed again has failed.
fn run_killed_again(
    test: &TestCase,
    finished: &mut Finished,
    items: &[Item],
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<()> {
    let Some((victim, _)) = finished.runs.pop() else { return Ok(()) };
    let Some(item) = item_of(victim.index, items) else { return Ok(()) };
    let (mut again, killed) = once(test, std::slice::from_ref(&item), limits, scratch, stop)?;
    let Some((mut run, mut log)) = again.runs.pop() else {
        // Stopped before it could tell.
        finished.left.insert(0, item);
        return Ok(());
    };
    if let Some(failure) = run.failure.as_mut().filter(|_| killed) {
        say_more(failure, &mut log, KILLED_AGAIN);
    }
    finished.runs.push((run, log));
    Ok(())
}

/// Runs the seed that took a process with several seeds down once more, alone: was it this seed?
fn confirm(
    test: &TestCase,
    finished: &mut Finished,
    items: &[Item],
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<()> {
    let Some((victim, _)) = finished.runs.last() else { return Ok(()) };
    let Some(failure) = &victim.failure else { return Ok(()) };
    if items.len() == 1 || !["crash", "exit", "memory", "output"].contains(&failure.kind.as_str()) {
        return Ok(());
    }
    let Some(item) = item_of(victim.index, items) else { return Ok(()) };
    let again = run(test, std::slice::from_ref(&item), limits, scratch, stop)?;
    let Some((again, _)) = again.runs.first() else {
        // Stopped before it could tell: nobody knows yet whether it was this run.
        finished.runs.pop();
        finished.left.insert(0, item);
        return Ok(());
    };
    let words = if again.failure.is_some() { AGAIN_ALONE } else { NOT_ALONE };
    if let Some((Run { failure: Some(failure), .. }, log)) = finished.runs.last_mut() {
        say_more(failure, log, words);
    }
    Ok(())
}

/// Adds words to a failure, and to its log.
fn say_more(failure: &mut RunFailure, log: &mut Option<String>, words: &str) {
    failure.say_more(words);
    if let Some(log) = log {
        log.push_str(&format!("\n{words}\n"));
    }
}

/// The item of this index.
fn item_of(index: u64, items: &[Item]) -> Option<Item> {
    items.iter().find(|item| item.index == index).cloned()
}
