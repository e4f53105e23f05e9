//! `cargo xtask hunt`: a search for runs that fail, guided by what was seen in the runs before.
//!
//! ```text
//! args -> build (once) -> session: which test has its turn
//!                            |
//!                search: which runs come next -> batch: one process -> what was seen
//!                   ^                                                      |
//!                   +------------------------------------------------------+
//! ```
//!
//! A search is a pure function of what was seen: with one process at a time a hunt can be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use run_record::Clock;
use test_runs::build::{self, Messages, TestCase};
use test_runs::package::{self, Package};
use test_runs::process::Limits;
use test_runs::scratch::Scratch;

mod args;
mod batch;
mod corpus;
mod draws;
mod measure;
mod report;
mod search;
mod session;

pub(crate) use args::Hunt;
use batch::Place;
use corpus::{Folder, Subject};
use session::Session;

use crate::{labs, say};

/// How long a hunt takes if nobody says.
const USUAL: Duration = Duration::from_secs(300);

/// The exit code if a test has failed.
const FAILURES: u8 = 1;

/// Does what the command line asks for; returns the exit code.
pub(crate) fn run(args: &Hunt) -> Result<u8> {
    let package = args.which.find(&args.filters)?;
    let tests = find_tests(args, &package)?;
    let scratch = Scratch::new()?;
    let stop = Arc::new(AtomicBool::new(false));
    let on_signal = stop.clone();
    ctrlc::set_handler(move || on_signal.store(true, Ordering::Relaxed))
        .context("cannot take care of Ctrl-C")?;
    let limits = Limits {
        hang_after: args.hang_after,
        memory_mib: args.memory,
        trace: None,
        coverage: !args.kinds().is_empty(),
        room: None,
    };
    let place = Place { limits, scratch: scratch.path(), stop: &stop };
    if let (Some(searches), Some(runs)) = (args.measure, args.runs) {
        let numbers = (searches, runs, args.seed);
        let table = measure::table(&tests, &args.kinds(), numbers, args.jobs(), &place)?;
        say::print(table)?;
        return Ok(0);
    }
    let (name, seed, schedule) = (package.name.clone(), args.seed, args.schedule);
    let subject = Subject { package: name.clone(), seed, schedule, kinds: args.kinds() };
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => {
            let parent = package::target_directory(&package.dir)?.join("hunt");
            parent.join(args.name.as_deref().unwrap_or(&name))
        }
    };
    let folder = Folder::open(&folder)?;
    let usual = args.runs.is_none().then_some(USUAL);
    let end = args.duration.or(usual).map(|duration| Instant::now() + duration);
    let limits = session::Limits { end, runs: args.runs };
    let again = (args.which.again(), if args.release { " --release" } else { "" });
    let session = Session::new(&tests, limits, &place, (&folder, &subject), again)?;
    let (count, at) = (tests.len(), folder.path().display());
    say::note(&format!("hunt: {count} tests of {name}; what is kept goes to {at}"));
    let found = session.run(args.jobs())?;
    say::print(found.join("\n"))?;
    Ok(if found.is_empty() { 0 } else { FAILURES })
}

/// Builds and lists; at least one test, or an error.
fn find_tests(args: &Hunt, package: &Package) -> Result<Vec<TestCase>> {
    let Package { name: package, dir } = package;
    let programs = build::build(dir, package, &[Clock::Sim], args.release, Messages::Shown)?;
    let mut tests = Vec::new();
    for program in &programs {
        tests.extend(build::list(program, &args.filters)?);
    }
    if tests.is_empty() {
        bail!(
            "no simulated test of {package} matches {}; `cargo test -p {package} --test sim -- --list` \
             shows all",
            if args.filters.is_empty() { "anything".into() } else { args.filters.join(", ") }
        );
    }
    tests.iter_mut().for_each(|test| test.schedule = args.schedule);
    tests.sort_by_key(|test| labs::place(&test.name).unwrap_or(usize::MAX));
    Ok(tests)
}
