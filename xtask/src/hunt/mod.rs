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

use std::time::{Duration, Instant};

use anyhow::Result;
use test_runs::package;
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

use crate::say;
use crate::under_test::{self, How};

/// How long a hunt takes if nobody says.
const USUAL: Duration = Duration::from_secs(300);

/// The exit code if a test has failed.
const FAILURES: u8 = 1;

/// Does what the command line asks for; returns the exit code.
pub(crate) fn run(args: &Hunt) -> Result<u8> {
    let package = args.which.find(&args.filters)?;
    let how = How::simulated(args.release, args.schedule);
    let stop = under_test::stop_on_signal()?;
    let found = under_test::find(&package, &args.filters, how, &stop)?;
    let ignored = under_test::ignored_in_words(&found);
    let mut tests = found.tests;
    tests.iter_mut().for_each(|test| test.setting = args.setting);
    let scratch = Scratch::new()?;
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
        let table =
            measure::table(&tests, &args.kinds(), numbers, under_test::jobs(args.jobs), &place)?;
        say::print(table)?;
        return Ok(0);
    }
    let name = package.name.clone();
    let subject = Subject {
        package: name.clone(),
        seed: args.seed,
        schedule: args.schedule,
        setting: args.setting.to_string(),
        kinds: args.kinds(),
    };
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
    let session = Session::new(&tests, limits, &place, (&folder, &subject), args.again())?;
    let (tests, at) = (say::counted(tests.len() as u64, "test"), folder.path().display());
    let ignored = ignored.map(|words| format!(", {words}")).unwrap_or_default();
    say::note(&format!("hunt: {tests} of {name}{ignored}; what is kept goes to {at}"));
    let (found, ended) = session.run(under_test::jobs(args.jobs));
    let printed = say::print(found.join("\n"));
    ended.and(printed)?;
    Ok(if found.is_empty() { 0 } else { FAILURES })
}
