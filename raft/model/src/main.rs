//! `raft-model`: a model check of the reference Raft's rules; `cargo xtask model` runs it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, value_parser};
use cpu_time::ProcessTime;
use raft_model::{Counterexample, Found, Limits, Mistake, Model, Start, check};
use run_record::shell;
use run_record::situations::Layer;
use trace_view::grouped;

/// Look at every order of events of a small cluster, with the rules of the reference Raft.
///
/// The exit code is 0 if no property is broken, and 1 if one is. Then the shortest way there is printed,
/// and written as a trace with a page; if that cannot be written, the exit code is 73.
#[derive(Parser)]
#[command(name = "cargo xtask model", bin_name = "cargo xtask model")]
struct Args {
    /// How many servers: 1 to 5.
    #[arg(long, default_value_t = 3, value_name = "N")]
    servers: usize,
    /// The last term: no election of a later one begins.
    #[arg(long, default_value_t = 2, value_name = "N")]
    terms: u8,
    /// How many commands clients give, with those of the start.
    #[arg(long, default_value_t = 1, value_name = "N")]
    commands: u8,
    /// How many times a heartbeat timer runs out. (A new leader sends its first heartbeats by itself.)
    #[arg(long, default_value_t = 0, value_name = "N")]
    heartbeats: u8,
    /// How many times a server crashes.
    #[arg(long, default_value_t = 0, value_name = "N")]
    crashes: u8,
    /// How many times a message arrives and stays under way, or `any`.
    #[arg(long, default_value = "0", value_parser = duplicates, value_name = "N")]
    duplicates: Duplicates,
    /// How many times a caller hears that its call has failed. Messages may be lost without a word in any
    /// case.
    #[arg(long, default_value_t = 0, value_name = "N")]
    failures: u8,
    /// How many snapshots services take.
    #[arg(long, default_value_t = 0, value_name = "N")]
    snapshots: u8,
    /// How the cluster begins: new, or tails-N, when server 0 has an entry of each of N terms that nobody else
    /// has, and server 1 one of the next term. tails-1 is (b) in Figure 8 of the paper.
    #[arg(long, default_value = "new", value_parser = start, value_name = "HOW")]
    start: Start,
    /// Tell states apart that differ only by the names of servers.
    #[arg(long)]
    named: bool,
    /// End when so many states were met.
    #[arg(long, default_value_t = 20_000_000, value_parser = value_parser!(u64).range(1..), value_name = "N")]
    states: u64,
    /// Look no further than so many steps from the beginning.
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true,
        value_parser = value_parser!(u32).range(1..), value_name = "N")]
    depth: u32,
    /// Let the servers make a mistake, to see it found; `list` says which there are.
    #[arg(long, value_name = "NAME")]
    mistake: Option<String>,
    /// How many threads search: 1 to 256 [default: one for each core]. The result does not depend on it.
    #[arg(long, value_parser = value_parser!(u16).range(1..=256), value_name = "N")]
    threads: Option<u16>,
    /// Where the trace and the page of a counterexample go, seen from where the command is given.
    #[arg(long, default_value = "target/traces", value_name = "FOLDER")]
    traces: PathBuf,
}

/// How many times messages may arrive twice; none for any number.
#[derive(Clone, Copy, Debug)]
struct Duplicates(Option<u8>);

fn duplicates(text: &str) -> Result<Duplicates, String> {
    match text {
        "any" => Ok(Duplicates(None)),
        number => number
            .parse()
            .map(|number| Duplicates(Some(number)))
            .map_err(|_| format!("`{number}` is neither a number nor `any`")),
    }
}

fn start(name: &str) -> Result<Start, String> {
    match name {
        "new" => Ok(Start::New),
        other => {
            let tails = other.strip_prefix("tails-").and_then(|tails| tails.parse().ok());
            let tails = tails.map(Start::Tails);
            tails.ok_or_else(|| format!("there is no start `{other}`: new, or tails-N"))
        }
    }
}

/// What a wrong command line ends with (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// What it ends with if the trace cannot be written (`EX_CANTCREAT`).
const UNWRITTEN: u8 = 73;
/// What it ends with if a property is broken.
const VIOLATION: u8 = 1;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if args.mistake.as_deref() == Some("list") {
        return say(&mistakes(), ExitCode::SUCCESS);
    }
    let model = match args.model() {
        Ok(model) => model,
        Err(why) => {
            let _ = writeln!(io::stderr(), "error: {why}");
            return ExitCode::from(USAGE);
        }
    };
    let threads = args.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.expect("the system has threads");
    let limits = Limits { states: args.states, depth: args.depth };
    let began = ProcessTime::now();
    let found = pool.install(|| check(&model, &limits, &mut progress));
    let seconds = began.elapsed().as_secs_f64();
    let mut text = report(&model, &found, seconds);
    let Some(counterexample) = &found.counterexample else { return say(&text, ExitCode::SUCCESS) };
    match write(counterexample, &args) {
        Ok(trace) => {
            let _ = write!(text, "{}\n{}", counterexample.words(), shown(&trace));
            say(&text, ExitCode::from(VIOLATION))
        }
        Err(error) => {
            let folder = args.traces.display();
            let why = format!("cannot write the trace to {folder}: {error}\n");
            say(&format!("{text}{}\n{why}", counterexample.words()), ExitCode::from(UNWRITTEN))
        }
    }
}

impl Args {
    fn model(&self) -> Result<Model, String> {
        let mistake = self.mistake.as_deref().map(|name| {
            let all = Mistake::ALL.iter().copied();
            all.into_iter().find(|one| one.key() == name).ok_or_else(|| {
                format!("there is no mistake `{name}`; `--mistake list` says which there are")
            })
        });
        let model = Model {
            servers: self.servers,
            terms: self.terms,
            commands: self.commands,
            heartbeats: self.heartbeats,
            crashes: self.crashes,
            duplicates: self.duplicates.0,
            failures: self.failures,
            snapshots: self.snapshots,
            start: self.start,
            symmetry: !self.named,
            mistake: mistake.transpose()?,
        };
        model.validate()?;
        Ok(model)
    }
}

/// Prints a text. If nobody reads it, there is nobody to tell.
fn say(text: &str, code: ExitCode) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    code
}

fn progress(found: &Found) {
    let mut out = io::stderr();
    if out.is_terminal() {
        let (depth, states) = (found.depth, grouped(found.states));
        let _ = writeln!(out, "{depth:>4} steps: {states} states");
    }
}

fn mistakes() -> String {
    let line = |one: &Mistake| format!("{:<22} {}\n", one.key(), one.says());
    Mistake::ALL.iter().map(line).collect()
}

/// What was looked at, and how.
fn report(model: &Model, found: &Found, seconds: f64) -> String {
    let end = match (found.exhausted, &found.counterexample) {
        (_, Some(_)) => "a property is broken",
        (true, None) => "no property is broken in any state that there is",
        (false, None) => "no property is broken as far as was looked",
    };
    let Found { states, stands_for, steps, depth, .. } = *found;
    let [servers, messages, effects] = found.parts.map(|count| grouped(count as u64));
    let rate = grouped((states as f64 / seconds) as u64);
    let mut text = format!("{}\n{end}\n", model.words());
    let named = if model.symmetry { " if servers had names" } else { "" };
    let _ = writeln!(
        text,
        "{} states ({}{named}), {} steps, {depth} steps deep",
        grouped(states),
        grouped(stands_for),
        grouped(steps)
    );
    let _ =
        writeln!(text, "{servers} servers and {messages} messages, {effects} steps of a server");
    let _ = writeln!(text, "{seconds:.1} s of CPU: {rate} states a second and core\n");
    let _ = writeln!(text, "steps that led into a situation:");
    let (reached, not): (Vec<_>, Vec<_>) =
        Layer::Raft.situations().iter().zip(&found.situations).partition(|(_, count)| **count > 0);
    for (situation, count) in reached {
        let _ = writeln!(text, "{:>15}  {}", grouped(*count), situation.says());
    }
    for (situation, _) in not {
        let _ = writeln!(text, "{:>15}  {}", "none", situation.says());
    }
    text + "\n"
}

/// Writes the trace and its page, and returns the trace's file.
fn write(counterexample: &Counterexample, args: &Args) -> io::Result<PathBuf> {
    let name = format!("model-{}", args.mistake.as_deref().unwrap_or("violation"));
    let replay: Vec<String> = std::env::args().skip(1).map(|word| shell::word(&word)).collect();
    let trace = counterexample.trace(&name, &format!("cargo xtask model {}", replay.join(" ")));
    fs::create_dir_all(&args.traces)?;
    let file = args.traces.join(format!("{name}.ndjson"));
    trace.write(&file)?;
    trace_view::page::write(&trace, &file.with_extension("html"))?;
    Ok(file)
}

fn shown(trace: &Path) -> String {
    let (file, page) = (trace.display().to_string(), trace.with_extension("html"));
    format!("trace: {file} (cargo xtask trace {})\npage: {}\n", shell::word(&file), page.display())
}
