//! `cargo xtask trace`: a trace on the terminal, from a file or from a run made for it.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use run_record::choices::Choices;
use run_record::schedule::Choice;
use run_record::setting::Setting;
use run_record::trace;
use run_record::trace::{Trace as Recorded, TraceError};
use test_runs::build::TestCase;
use test_runs::process::{self, Item, Limits, Told};
use test_runs::scratch::Scratch;
use trace_view::terminal::{self, Options, parse_time};

use crate::say;
use crate::traces::{self, Unfinished};
use crate::under_test::{self, How};
use crate::which::Which;

/// The environment variable that names the folder where a test leaves its traces.
const VARIABLE: &str = "LAB_TRACE";
/// How much of what a test printed is shown if it left no trace.
const SHOWN_OUTPUT: usize = 30;
/// Why a test leaves no trace that was not ended from outside.
const NO_TRACE: &str =
    "it has ended its process in the middle of the run, or its tests are too old to make one";
/// How long a run may take: much longer than the simulation itself waits before it reports a task that blocks outside
/// of it, since its report says more than ours.
const PATIENCE: Duration = Duration::from_secs(900);
/// How wide the view is if nobody knows.
const USUAL_WIDTH: usize = 120;

/// Show what happened in a run: one column per server, time downwards.
///
/// Without a filter, heartbeats that change nothing are folded away, and of a long run only what led
/// to the verdict is shown. Topics are term, vote, leader, append, heartbeat, reply, message, log,
/// commit, apply, save, snapshot, shard, net, cluster, test, client, note and verdict, and those of
/// notes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Trace {
    /// The trace, a file that ends in .ndjson.
    // An option that requires `test` would not miss it beside a file, with which `test` cannot be.
    #[arg(required_unless_present = "test", conflicts_with_all =
        ["test", "seed", "package", "dir", "choices", "setting", "schedule", "release", "memory"])]
    file: Option<PathBuf>,
    /// Run this test and show that run.
    #[arg(long, requires = "seed", value_name = "NAME")]
    test: Option<String>,
    /// The seed to run it with.
    #[arg(long, requires = "test", value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    which: Which,
    /// From when on it draws other numbers than the seed's, as LAB_CHOICES says it.
    #[arg(long, requires = "test")]
    choices: Option<Choices>,
    /// What to take away from the test, such as losses=0,crashes=2.
    #[arg(long, requires = "test")]
    setting: Option<Setting>,
    /// How the run chooses the next task: walk, pct:3, pos or surw; mixed: each seed has one of them.
    #[arg(long, requires = "test", value_name = "S", default_value = "walk")]
    schedule: Choice,
    /// Build and run with optimisations and without debug assertions.
    #[arg(long, requires = "test")]
    release: bool,
    /// How much memory the run may take, in MiB; only Linux can limit it.
    #[arg(long, requires = "test", default_value_t = 4096, value_name = "MIB",
        value_parser = clap::value_parser!(u64).range(64..))]
    memory: u64,

    /// Only events with one of these topics: vote,leader
    #[arg(long, value_delimiter = ',', value_parser = topic, value_name = "TOPICS")]
    only: Vec<String>,
    /// No events with one of these topics.
    #[arg(long, value_delimiter = ',', value_parser = topic, value_name = "TOPICS")]
    hide: Vec<String>,
    /// Only events that concern one of these servers: 0,2
    #[arg(long, value_delimiter = ',', value_name = "SERVERS")]
    server: Vec<u32>,
    /// Only events from this time on: 3.2s, 3200ms, or 3.2
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    from: Option<u64>,
    /// Only events up to this time.
    #[arg(long, value_parser = parse_time, value_name = "TIME")]
    to: Option<u64>,
    /// One call's whole story; --wide shows the numbers of calls.
    #[arg(long, value_name = "CALL")]
    call: Option<u64>,
    /// An event and all that led to it; a width of 100 and more shows the numbers of events.
    #[arg(long, value_name = "EVENT")]
    causes_of: Option<u64>,
    /// Only events whose text or message contains this.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// Only the last so many of the events that are left.
    #[arg(long, value_name = "N")]
    max_lines: Option<usize>,
    /// Everything that no filter excludes.
    #[arg(long)]
    all: bool,
    /// Whole texts, running over their columns and past the end of the line.
    #[arg(long)]
    wide: bool,
    /// Nothing but ASCII.
    #[arg(long)]
    ascii: bool,
    /// How many columns to use [default: as many as the terminal has, 120 for a pipe].
    #[arg(long, value_name = "COLUMNS")]
    width: Option<u16>,
    /// Only the servers' logs around this index; with --to, as they were then; with --server, of these servers.
    #[arg(long, value_name = "INDEX", conflicts_with_all =
        ["only", "hide", "from", "call", "causes_of", "grep", "max_lines", "all", "summary"])]
    logs: Option<u64>,
    /// Only the verdict and the sums.
    #[arg(long, conflicts_with_all =
        ["only", "hide", "server", "from", "to", "call", "causes_of", "grep", "max_lines", "all"])]
    summary: bool,
    /// Say where the trace's page is, for a browser.
    #[arg(long)]
    page: bool,
}

/// A topic of a list; which ones there are depends on the trace.
fn topic(name: &str) -> Result<String, &'static str> {
    match name.trim() {
        "" => Err("a topic has a name"),
        name => Ok(name.into()),
    }
}

/// Shows a trace.
pub(crate) fn run(args: &Trace) -> Result<()> {
    let (file, trace) = match (&args.file, &args.test) {
        (Some(file), _) => (file.clone(), read(file)?),
        (None, Some(test)) => make(args, test)?,
        (None, None) => bail!("which trace? give a file, or --test NAME --seed N"),
    };
    let options = args.options();
    // It finds what the trace does not have.
    let view = terminal::view(&trace, &options)?;
    match args.logs {
        Some(index) => say::print(terminal::logs(&trace, index, 5, args.to, &options))?,
        None => say::print(view)?,
    }
    match args.page {
        true => say::print(format!("\n{}\n", page(&file))),
        false => Ok(()),
    }
}

impl Trace {
    fn options(&self) -> Options {
        let terminal = io::stdout().is_terminal();
        Options {
            width: self.width.map_or_else(|| width(terminal), usize::from),
            colour: terminal && std::env::var_os("NO_COLOR").is_none(),
            ascii: self.ascii,
            wide: self.wide,
            all: self.all,
            events: !self.summary,
            only: self.only.clone(),
            hide: self.hide.clone(),
            server: self.server.clone(),
            from: self.from,
            to: self.to,
            call: self.call,
            causes_of: self.causes_of,
            grep: self.grep.clone(),
            max_lines: self.max_lines,
        }
    }
}

/// As many columns as the terminal has.
fn width(terminal: bool) -> usize {
    let size = terminal.then(|| console::Term::stdout().size_checked()).flatten();
    size.map(|(_, columns)| usize::from(columns)).filter(|width| *width > 0).unwrap_or(USUAL_WIDTH)
}

fn read(file: &Path) -> Result<Recorded> {
    let name = file.display();
    match Recorded::read(file) {
        Ok(trace) => Ok(trace),
        Err(TraceError::Io(error)) if error.kind() == io::ErrorKind::NotFound => bail!(
            "there is no file {name}; `cargo xtask trace --test NAME --seed N` makes a trace, and so \
             does a test that is run with {VARIABLE}=FOLDER"
        ),
        Err(TraceError::Io(error)) => Err(error).with_context(|| format!("cannot read {name}")),
        Err(_) if file.extension().is_some_and(|of| of == "html") => {
            bail!(
                "{name} is the page of a trace, for a browser; the trace beside it is {}",
                file.with_extension("ndjson").display()
            )
        }
        Err(error) => bail!("{name} is not a trace (version {}): {error}", trace::VERSION),
    }
}

/// In words, where the page of a trace is.
fn page(file: &Path) -> String {
    let page = file.with_extension("html");
    match page.exists() {
        true => format!("page: {}", page.display()),
        false => format!("there is no page at {}", page.display()),
    }
}

/// Runs a test so that it leaves a trace; returns the trace, and its file.
fn make(args: &Trace, test: &str) -> Result<(PathBuf, Recorded)> {
    let package = args.which.find(&[test])?;
    let how = How::simulated(args.release, args.schedule);
    let stop = under_test::stop_on_signal()?;
    let case = under_test::find_one(&package, test, how, &stop)?;
    let changed = args.setting.is_some() || args.choices.is_some() || !args.schedule.is_default();
    let home = traces::usual(&package, changed)?;
    let left = Unfinished::new(&home)?;
    let seed = args.seed.context("with which seed? give --seed N")?;
    say::note(&format!("trace: {} of {} with seed {seed}", case.name, package.name));
    let case = TestCase { setting: args.setting.unwrap_or_default(), ..case };
    let choices = args.choices.clone().unwrap_or_default();
    let item = Item { choices, ..Item::new(0, Some(seed)) };
    let told = run_once(args, &case, &item, left.folder(), &stop)?;
    // From here on Ctrl-C ends us at once.
    drop(stop);
    let trace = left.trace().map(|file| read(&file)).transpose()?;
    let Some((file, trace)) = left.finish()?.zip(trace) else {
        let lines: Vec<&str> = told.output.lines().collect();
        let end = lines[lines.len().saturating_sub(SHOWN_OUTPUT)..].join("\n");
        let why = told.ended.as_deref().unwrap_or(NO_TRACE);
        bail!(
            "{} ended without a trace in {}: {why}. It printed:\n{end}",
            case.name,
            home.display()
        );
    };
    Ok((file, trace))
}

/// Makes one run, which leaves its trace in this folder, with the limits that it has in other tasks.
fn run_once(
    args: &Trace,
    case: &TestCase,
    item: &Item,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<Told> {
    let scratch = Scratch::new()?;
    let limits = Limits {
        hang_after: PATIENCE,
        memory_mib: args.memory,
        trace: Some(folder.to_owned()),
        coverage: false,
        room: None,
    };
    process::by_itself(case, item, &limits, scratch.path(), stop)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        trace: Trace,
    }

    #[test]
    fn a_run_is_made_with_optimisations_if_the_others_were() {
        let parse = |line: &str| <Line as clap::Parser>::try_parse_from(line.split(' '));
        let made = parse("trace --test speed_3A --seed 1 --release").expect("a command line");
        assert!(made.trace.release);
        // A file is there already.
        assert!(parse("trace t.ndjson --release").is_err());
    }

    #[test]
    fn what_says_how_to_make_a_run_is_not_ignored_beside_a_file() {
        let refused = |line: &str| {
            let parsed = <Line as clap::Parser>::try_parse_from(line.split(' '));
            parsed.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let options =
            ["--choices 1.5:7", "--setting losses=0", "--schedule pos", "--release", "--memory 99"];
        for option in options {
            let words = refused(&format!("trace t.ndjson --seed 3 {option}"));
            assert!(words.contains("cannot be used with"), "{option}: {words}");
        }
        for option in &options[..4] {
            let words = refused(&format!("trace t.ndjson {option}"));
            assert!(words.contains("cannot be used with"), "{option}: {words}");
        }
        assert_eq!(refused("trace t.ndjson --all"), "");
        assert_eq!(refused("trace --test speed_3A --seed 1 --schedule pos"), "");
    }

    #[test]
    fn what_chooses_events_is_not_ignored_where_none_are_shown() {
        let parse = |line: &str| <Line as clap::Parser>::try_parse_from(line.split(' '));
        let of_events = [
            "--only vote",
            "--hide vote",
            "--from 3s",
            "--call 1",
            "--causes-of 1",
            "--grep x",
            "--max-lines 3",
            "--all",
        ];
        for option in of_events {
            for of_none in ["--logs 1", "--summary"] {
                let refused = parse(&format!("trace t.ndjson {of_none} {option}")).err();
                let words = refused.map(|error| error.to_string()).unwrap_or_default();
                assert!(words.contains("cannot be used with"), "{of_none} {option}: {words}");
            }
        }
        for line in ["--summary --server 1", "--summary --to 3s", "--summary --logs 1"] {
            assert!(parse(&format!("trace t.ndjson {line}")).is_err(), "{line}");
        }
        for line in [
            "--logs 1 --to 3s --server 0,2 --wide --ascii",
            "--summary --page",
            "--only vote --all",
        ] {
            assert!(parse(&format!("trace t.ndjson {line}")).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_topic_without_a_name_is_refused() {
        let parse = |line: &str| <Line as clap::Parser>::try_parse_from(line.split(' '));
        for line in ["--hide ,", "--hide vote,", "--only ,leader"] {
            let refused = parse(&format!("trace t.ndjson {line}")).map(|line| line.trace);
            let words = refused.expect_err("there is an empty one").to_string();
            assert!(words.contains("a topic has a name"), "{line}: {words}");
        }
        let line = parse("trace t.ndjson --hide vote,leader").expect("a command line");
        assert_eq!(line.trace.hide, ["vote", "leader"]);
    }

    #[test]
    fn what_is_no_trace_is_refused_with_the_file_s_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let missing = read(&dir.path().join("no.ndjson")).expect_err("there is none").to_string();
        assert!(missing.contains("no.ndjson; `cargo xtask trace --test"), "{missing}");
        let file = dir.path().join("x.ndjson");
        fs::write(&file, "hello\n").expect("it can be written");
        let words = read(&file).expect_err("it is none").to_string();
        assert!(words.contains("x.ndjson is not a trace"), "{words}");
        assert!(page(&file).contains("no page at"));
        let beside = dir.path().join("x.html");
        fs::write(&beside, "<html>").expect("it can be written");
        let words = read(&beside).expect_err("it is a page").to_string();
        assert!(words.ends_with(&format!("the trace beside it is {}", file.display())), "{words}");
        fs::remove_file(&beside).expect("it is there");
        fs::write(file.with_extension("html"), "").expect("it can be written");
        assert!(page(&file).starts_with("page: ") && page(&file).ends_with("x.html"));
    }
}
