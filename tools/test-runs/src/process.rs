//! Running a test for some seeds in a process of its own, and understanding how that ended.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use run_record::seal::{SEALED, Seals};
use run_record::{Clock, End, Record};

use crate::build::TestCase;
use crate::fit;
use crate::platform;
use crate::run::{Run, RunFailure};

/// How much output of a process is kept, and how much ends it.
const KEPT_OUTPUT: u64 = 64 << 10;
const MOST_OUTPUT: u64 = 64 << 20;

/// The environment variable that names the folder for traces.
const TRACE_VARIABLE: &str = "LAB_TRACE";

/// The end of the message of a run that took its process down among others, but not alone.
pub const NOT_ALONE: &str =
    "; it did not when it was run alone, so an earlier run may have caused it";

/// What a process may do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long it may make no progress.
    pub hang_after: Duration,
    /// How much memory it may take, where that can be limited ([`platform::ABSENT`]).
    pub memory_mib: u64,
    /// The folder to which it writes a trace of each run; none are written without one.
    pub trace: Option<PathBuf>,
}

/// A run to make: its number in the plan, and its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its number in the plan.
    pub index: u64,
    /// Its seed; none on the real clock.
    pub seed: Option<u64>,
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
enum Ending {
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
}

/// Runs a test for these items, one after the other in one process. `scratch` is a folder for files
/// that are not kept; `stop` ends it early.
///
/// # Errors
/// If the process cannot be started, or what it has left cannot be read.
pub fn run(
    test: &TestCase,
    items: &[Item],
    limits: &Limits,
    scratch: &Path,
    stop: &AtomicBool,
) -> Result<Finished> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (records, output) =
        (scratch.join(format!("{number}.ndjson")), scratch.join(format!("{number}.out")));
    let key = &key();
    let ending = execute(test, items, limits, &records, &output, key, stop)?;
    let recorded = read_records(&records, key)?;
    let text = read_end(&output)?;
    let _ = fs::remove_file(&records);
    let _ = fs::remove_file(&output);
    let misfit = fit::misfit(test, items, &recorded, ending.status());
    if let Some(words) = misfit {
        return Ok(refuse(test, items, &words, &text));
    }
    let recorded = recorded.into_iter().flatten().collect();
    let mut finished = understand(test, items, recorded, &ending, &text);
    confirm(test, &mut finished, items, limits, scratch, stop)?;
    Ok(finished)
}

fn execute(
    test: &TestCase,
    items: &[Item],
    limits: &Limits,
    records: &Path,
    output: &Path,
    key: &str,
    stop: &AtomicBool,
) -> Result<Ending> {
    let cannot = |path: &Path| format!("cannot write {}", path.display());
    let out = File::create(output).with_context(|| cannot(output))?;
    let err = out.try_clone().with_context(|| cannot(output))?;
    let mut command = Command::new(&test.program.path);
    command.args(["--exact", &test.name, "--test-threads", "1"]).current_dir(&test.program.dir);
    command.stdin(Stdio::piped()).stdout(out).stderr(err).env(SEALED, "1");
    command.env_remove("LAB_SEEDS").env_remove("LAB_SEED").env(run_record::VARIABLE, records);
    command.env_remove(run_record::setting::VARIABLE).env_remove(TRACE_VARIABLE);
    if !test.setting.is_whole() {
        command.env(run_record::setting::VARIABLE, test.setting.to_string());
    }
    if let Some(folder) = &limits.trace {
        command.env(TRACE_VARIABLE, folder);
    }
    let seeds: Vec<String> = items.iter().filter_map(|i| i.seed).map(|s| s.to_string()).collect();
    if !seeds.is_empty() {
        command.env("LAB_SEED", seeds.join(","));
    }
    platform::own_group(&mut command);
    let mut child =
        command.spawn().with_context(|| format!("cannot run {}", test.program.path.display()))?;
    if let Some(mut input) = child.stdin.take() {
        // A process that is gone already needs no key.
        let _ = writeln!(input, "{key}");
    }
    let ending = watch(&mut child, limits, records, output, stop);
    if !matches!(ending, Ok(Ending::Exited(_))) {
        platform::kill_group(&mut child);
        let _ = child.wait();
    }
    ending
}

/// Waits for the end of the process, or for a reason to end it.
fn watch(
    child: &mut Child,
    limits: &Limits,
    records: &Path,
    output: &Path,
    stop: &AtomicBool,
) -> Result<Ending> {
    let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    let (mut seen, mut since) = (0, Instant::now());
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a test process")? {
            return Ok(Ending::Exited(status));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(Ending::Stopped);
        }
        if length(output) > MOST_OUTPUT {
            return Ok(Ending::TooMuchOutput);
        }
        if let Some(mib) = platform::memory_of(child).filter(|mib| *mib > limits.memory_mib) {
            return Ok(Ending::TooMuchMemory { mib });
        }
        let now = length(records);
        if now != seen {
            (seen, since) = (now, Instant::now());
        } else if since.elapsed() > limits.hang_after {
            return Ok(Ending::Hung { threads: platform::threads_of(child) });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// A key that nobody can guess.
fn key() -> String {
    // What the standard library seeds its hash tables with.
    let random = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", random(), random())
}

/// The records of a process. `None` stands for a line that is not sealed with the key.
fn read_records(path: &Path, key: &str) -> Result<Vec<Option<Record>>> {
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // A process that never came to a run leaves none.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    // A line that was cut off in the middle belongs to a process that died while it wrote it.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut seals = Seals::new(key);
    Ok(whole.lines().map(|line| seals.open(line)).collect())
}

/// The end of what a process has printed.
fn read_end(path: &Path) -> Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(cannot)?;
    let length = file.metadata().with_context(cannot)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(KEPT_OUTPUT))).with_context(cannot)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).with_context(cannot)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Which runs were made, which one the process died of, and which are left.
fn understand(
    test: &TestCase,
    items: &[Item],
    recorded: Vec<Record>,
    ending: &Ending,
    output: &str,
) -> Finished {
    let mut finished = Finished::default();
    let mut items = items.iter().copied();
    for record in recorded {
        if let Record::End(end) = record {
            let Some(item) = items.next() else { break };
            finished.runs.push(run_of(test, item, *end, output));
        }
    }
    finished.left = items.collect();
    if finished.left.is_empty() || *ending == Ending::Stopped {
        return finished;
    }
    // The first run without an end is the one that the process died in.
    let victim = finished.left.remove(0);
    let (kind, message) = match ending {
        Ending::Hung { threads } => {
            ("hang", format!("it made no progress and was killed; its threads:\n{threads}"))
        }
        Ending::TooMuchOutput => {
            ("output", format!("it printed more than {} MiB and was killed", MOST_OUTPUT >> 20))
        }
        Ending::TooMuchMemory { mib } => {
            ("memory", format!("it had taken {mib} MiB of memory and was killed"))
        }
        Ending::Exited(status) if status.success() => {
            ("exit", "the process ended in the middle of the test, as if all were well".into())
        }
        Ending::Exited(status) => ("crash", died(*status)),
        Ending::Stopped => unreachable!("returned above"),
    };
    finished.runs.push(ended(test, victim, kind, &message, output));
    finished
}

/// A run that has no record of its end, or none that counts; with its log.
fn ended(
    test: &TestCase,
    item: Item,
    kind: &str,
    message: &str,
    output: &str,
) -> (Run, Option<String>) {
    let failure = RunFailure {
        kind: kind.to_string(),
        message: message.to_string(),
        location: None,
        check: String::new(),
        log: None,
        replay: test.replay(item.seed),
    };
    let run = Run {
        index: item.index,
        seed: item.seed,
        lab_us: 0,
        wall_us: 0,
        cpu_us: 0,
        rpcs: 0,
        bytes: 0,
        committed: 0,
        hash: None,
        troubles: None,
        failure: Some(failure),
    };
    let log = format!("{message}\n\n{}\n\n---- output ----\n{output}", test.replay(item.seed));
    (run, Some(log))
}

/// What becomes of runs whose records cannot be theirs: none of them counts.
fn refuse(test: &TestCase, items: &[Item], words: &str, output: &str) -> Finished {
    let message = format!("the records do not fit: {words}");
    let runs = items.iter().map(|&item| ended(test, item, "records", &message, output));
    Finished { runs: runs.collect(), left: Vec::new() }
}

fn died(status: ExitStatus) -> String {
    match (platform::signal(status), status.code()) {
        (Some(signal), _) => format!("the process died of signal {signal}"),
        // Windows has no signals: a crash is a negative code, known by its bits.
        (None, Some(code @ ..0)) => format!("the process died of exception {code:#x}"),
        (None, Some(code)) => format!("the process ended in the middle with exit code {code}"),
        (None, None) => "the process died".to_string(),
    }
}

fn run_of(test: &TestCase, item: Item, end: End, output: &str) -> (Run, Option<String>) {
    let log = end.failure.as_ref().map(|failure| {
        // On the real clock the output is that of this run alone.
        let output = if end.run.clock == Clock::Real { output } else { "" };
        format!("{}\n\n{output}", failure.text)
    });
    let failure = end.failure.map(|failure| RunFailure {
        kind: failure.kind,
        message: failure.message,
        location: failure.location,
        check: failure.check,
        log: None,
        replay: test.replay(item.seed),
    });
    let run = Run {
        index: item.index,
        seed: item.seed,
        lab_us: end.lab_us,
        wall_us: end.wall_us,
        cpu_us: end.cpu_us,
        rpcs: end.rpcs,
        bytes: end.bytes,
        committed: end.committed,
        hash: end.hash,
        troubles: Some(end.troubles),
        failure,
    };
    (run, log)
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
    let Some((victim, log)) = finished.runs.last_mut() else { return Ok(()) };
    let Some(failure) = &mut victim.failure else { return Ok(()) };
    if items.len() == 1 || !["crash", "exit", "output"].contains(&failure.kind.as_str()) {
        return Ok(());
    }
    let item = Item { index: victim.index, seed: victim.seed };
    let again = run(test, &[item], limits, scratch, stop)?;
    let repeated = again.runs.first().is_some_and(|(run, _)| run.failure.is_some());
    let words = match repeated {
        true => "; it did so again when it was run alone",
        false => NOT_ALONE,
    };
    failure.message.push_str(words);
    if let Some(log) = log {
        log.push_str(&format!("\n{words}\n"));
    }
    Ok(())
}
