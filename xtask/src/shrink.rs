//! `cargo xtask shrink`: the smallest case in which a run still fails as it does.
//!
//! ```text
//! args -> build (once) -> confirm -> search -> trials -> World: processes, some seeds each
//!                                       |
//!                            |          v
//!                            |   reference: the same with the reference
//!                            v
//!                        smallest case -> neighbours, trace -> report
//! ```
//!
//! The search is a pure function of what two [`trials::World`]s say.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use run_record::setting::{Setting, Trouble};
use test_runs::build::{Interrupted, TestCase};
use test_runs::package;
use test_runs::process::Item;
use test_runs::scratch::Scratch;
use test_runs::{platform, process};

mod absent;
mod args;
mod case;
mod neighbours;
mod processes;
mod progress;
mod reference;
mod report;
mod search;
mod trials;

use crate::labs;
use crate::say;
use crate::traces::{self, Unfinished};
use crate::under_test::{self, How};
pub(crate) use args::Shrink;
use case::{Case, Failed, Outcome};
use processes::Processes;
use progress::Display;
use reference::Reference;
use report::Report;
use search::{End, Found, Options};
use trials::Halt;

/// The exit code if the seed does not fail.
const PASSES: u8 = 1;

/// The first and the last run may make no progress for so many times longer than all others: by
/// default longer than the simulation itself waits before it reports a task that blocks outside of
/// it, since its report says more than ours.
const PATIENCE: u32 = 6;

/// The part of the budget that the search may use; the rest is for the neighbours.
const SEARCH: f64 = 0.75;

/// Does what the command line asks for; returns the exit code.
pub(crate) fn run(args: &Shrink) -> Result<u8> {
    let package = args.which.find(&[&args.test])?;
    let how = How::simulated(args.release, args.schedule);
    let stop = under_test::stop_on_signal()?;
    let test = under_test::find_one(&package, &args.test, how, &stop)?;
    let scratch = Scratch::new()?;
    let mut world = Processes {
        test,
        choices: args.choices.clone(),
        limits: process::Limits {
            hang_after: args.hang_after,
            memory_mib: args.memory,
            trace: None,
            coverage: false,
            room: None,
        },
        jobs: under_test::jobs(args.jobs),
        scratch: scratch.path().to_owned(),
        stop,
        deadline: None,
        seen: Arc::default(),
    };
    let display = Display::new(std::io::stderr().is_terminal());
    let result = shrink(args, &package.name, &mut world, &display);
    display.finish();
    let Some(Shrunk { report, broken }) = result? else { return Ok(PASSES) };
    let text = match args.json {
        true => serde_json::to_string_pretty(&report).context("cannot encode the result")? + "\n",
        false => report.text(),
    };
    say::print(text)?;
    if let Some(error) = broken {
        return Err(error);
    }
    Ok(if report.repeated == Some(false) { crate::BROKEN } else { 0 })
}

/// What came of a search.
struct Shrunk {
    report: Report,
    /// Why not all of it could be done.
    broken: Option<anyhow::Error>,
}

/// `None` if the seed does not fail.
fn shrink(
    args: &Shrink,
    package: &str,
    world: &mut Processes,
    display: &Display,
) -> Result<Option<Shrunk>> {
    display.say(&format!("shrink: {} of {package} with seed {}", world.test.name, args.seed));
    if let Some(absent) = platform::ABSENT {
        display.say(&format!("note: {absent}"));
    }
    let confirmed = world.once(&args.setting, args.seed, PATIENCE * args.hang_after, None);
    let failed = match confirmed {
        Ok(Some(failed)) => failed,
        Ok(None) => {
            display.finish();
            let test = TestCase { setting: args.setting, ..world.test.clone() };
            let item = Item { choices: args.choices.clone(), ..Item::new(0, Some(args.seed)) };
            let replay = test.replay(&item);
            say::note(&format!("it passes, so there is nothing to shrink: {replay}"));
            return Ok(None);
        }
        Err(Halt::Broken(error)) => return Err(error),
        Err(_) => bail!("it was interrupted before it was known whether the run fails"),
    };
    let first = Case { setting: args.setting, seed: args.seed, failed };
    let home = match &args.out {
        Some(folder) => folder.clone(),
        None => traces::usual(&args.which.find(&[&args.test])?, true)?,
    };
    // Whoever has named a folder that nobody can write to is to know it before the search.
    drop(Unfinished::new(&home)?);
    display.say(&format!("it fails: {}", first.failed.verdict.name()));
    let same_test = find_reference(args, package, world, display)?;
    let began = Instant::now();
    world.deadline = Some(began + args.budget.mul_f64(SEARCH));
    let name = world.test.name.clone();
    let beside = same_test.map(|test| Processes { test, ..world.clone() });
    let mut reference = beside.map(|beside| Reference::new(beside, &name));
    if let Some(reference) = &mut reference {
        check_beginning(args, reference)?;
    }
    let options =
        Options { seeds: usize::try_from(args.seeds).unwrap_or(usize::MAX), most_runs: args.tries };
    let watch = &mut |step: &search::Step<'_>| display.step(step);
    let mut reference = reference.as_mut();
    let (mut found, mut broken) =
        search::search(world, &name, first.clone(), reference.as_deref_mut(), options, watch);
    let absent = world.absent();
    let once = |setting: &Setting, seed| world.once(setting, seed, args.hang_after, None);
    if broken.is_none() {
        broken = plain(args.setting, &absent, &mut found, &once, reference).err();
    }

    let mut report = Report::new(&first, &found, args.seeds, &absent);
    report.package = package.to_string();
    report.test.clone_from(&name);
    report.wall_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    report.replay.clone_from(&found.case.failed.replay);
    report.go_on = args.go_on(&found.case);
    if found.end != End::Interrupted && broken.is_none() {
        let deadline = began + args.budget;
        broken = look_around(args, world, &found, deadline, &mut report, display)
            .and_then(|()| show(args, world, &found, &home, &mut report))
            .err();
    }
    Ok(Some(Shrunk { report, broken }))
}

/// The same test with the reference; none if there is no such test, or if that is the one in question.
fn find_reference(
    args: &Shrink,
    package: &str,
    world: &Processes,
    display: &Display,
) -> Result<Option<TestCase>> {
    let dir = args.which.find(&[&args.test])?.dir;
    let dependencies = package::dependencies(&dir, package)?;
    let suite = labs::reference(package, &dependencies, &world.test.name);
    let Some(suite) = suite.filter(|_| !args.no_reference) else { return Ok(None) };
    let found = reference::find(suite, &world.test.name, args.release, &world.stop);
    // A run has been made by then.
    let found = found.map_err(|error| match error.is::<Interrupted>() {
        true => anyhow!("it was interrupted before the search began"),
        false => error,
    })?;
    if found.is_none() {
        display
            .say(&format!("note: {suite} has no test of this name, so the reference is not tried"));
    }
    Ok(found.map(|test| TestCase { schedule: args.schedule, ..test }))
}

/// Refuses to begin with a setting that makes any solution fail. If there is no time to find out, the search has none
/// either, and the report says that the reference was not asked.
fn check_beginning(args: &Shrink, reference: &mut Reference<'_>) -> Result<()> {
    match reference.passes(args.setting, args.seed) {
        Ok(false) => bail!(
            "with the setting `{}` the reference fails too: it takes away what the test needs. \
             Begin without --setting",
            args.setting
        ),
        Err(Halt::Broken(error)) => Err(error),
        Ok(true) | Err(Halt::Budget | Halt::Tries | Halt::Interrupted) => Ok(()),
    }
}

/// The same case without a word of what the test does not have, if that is the same run and the reference, where it
/// is asked, passes with it too.
fn plain(
    given: Setting,
    absent: &[Trouble],
    found: &mut Found,
    once: &dyn Fn(&Setting, u64) -> Result<Outcome, Halt>,
    reference: Option<&mut Reference<'_>>,
) -> Result<()> {
    let case = &found.case;
    let none_of = |trouble: &&Trouble| {
        case.setting.limit(**trouble) == Some(0) && given.limit(**trouble).is_none()
    };
    let unsaid = absent.iter().filter(none_of);
    let setting = unsaid.fold(case.setting, |setting, trouble| setting.with(*trouble, None));
    if setting == case.setting {
        return Ok(());
    }
    let same = |failed: &Failed| {
        let (new, old) = (failed, &case.failed);
        new.verdict.name() == old.verdict.name()
            && (new.lab_us, new.troubles) == (old.lab_us, old.troubles)
    };
    let failed = match once(&setting, case.seed) {
        Ok(Some(failed)) if same(&failed) => failed,
        Err(Halt::Broken(error)) => return Err(error),
        _ => return Ok(()),
    };
    // What is known of the reference is known with one setting only.
    match reference.map(|reference| reference.passes(setting, case.seed)) {
        Some(Err(Halt::Broken(error))) => return Err(error),
        Some(Ok(false) | Err(_)) => return Ok(()),
        passes => found.reference_passes = passes.is_some(),
    }
    found.case = Case { setting, seed: found.case.seed, failed };
    Ok(())
}

/// Counts how often other seeds fail, with the smallest setting and with the whole test.
fn look_around(
    args: &Shrink,
    world: &mut Processes,
    found: &Found,
    deadline: Instant,
    report: &mut Report,
    display: &Display,
) -> Result<()> {
    world.deadline = Some(deadline);
    let wanted = found.case.failed.verdict.name();
    let name = world.test.name.clone();
    let mut count = |setting: &Setting, words: &str| {
        display.say(&format!("other seeds of {words}"));
        let seeds = (name.as_str(), args.seed);
        let rate = neighbours::count(world, setting, seeds, &wanted, args.neighbours)?;
        Ok::<_, anyhow::Error>((rate.runs > 0).then(|| rate.into()))
    };
    report.neighbours = count(&found.case.setting, "the smallest setting")?;
    report.whole = count(&Setting::default(), "the whole test")?;
    Ok(())
}

/// Makes the smallest run once more: does it fail again, and what happens in it?
fn show(
    args: &Shrink,
    world: &Processes,
    found: &Found,
    home: &Path,
    report: &mut Report,
) -> Result<()> {
    let left = Unfinished::new(home)?;
    let Case { setting, seed, failed } = &found.case;
    let patience = PATIENCE * args.hang_after;
    let again = match world.once(setting, *seed, patience, Some(left.folder().to_owned())) {
        Ok(outcome) => outcome,
        Err(Halt::Broken(error)) => return Err(error),
        Err(_) => return Ok(()),
    };
    let alike = again.is_some_and(|again| {
        again.verdict.name() == failed.verdict.name() && again.lab_us == failed.lab_us
    });
    report.repeated = Some(alike);
    report.trace = left.finish()?;
    let page = report.trace.as_ref().map(|trace| trace.with_extension("html"));
    report.page = page.filter(|page| page.exists());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::case::Verdict;
    use super::search::Trial;
    use super::trials::World;
    use super::*;

    /// A reference that passes, fails or is not come to.
    struct Says(fn() -> Result<Outcome, Halt>);

    impl World for Says {
        fn run(&mut self, _: &Setting, seeds: &[u64]) -> Result<Vec<Outcome>, Halt> {
            seeds.iter().map(|_| (self.0)()).collect()
        }
    }

    fn failed() -> Failed {
        let (verdict, replay) = (Verdict::default(), String::new());
        Failed { verdict, troubles: None, lab_us: Some(5), replay }
    }

    /// What is found in a test without cuts, made plain beside such a reference.
    fn made_plain(reference: Option<fn() -> Result<Outcome, Halt>>) -> (String, bool) {
        let setting: Setting = "losses=0,cuts=0".parse().expect("a setting");
        let mut found = Found {
            case: Case { setting, seed: 7, failed: failed() },
            end: End::Minimal,
            checked: Vec::new(),
            needed: Vec::new(),
            void: None,
            reference_passes: reference.is_some(),
            trials: Vec::<Trial>::new(),
            runs: 1,
            others: Vec::new(),
            disobedient: None,
        };
        let mut reference = reference.map(|says| Reference::new(Says(says), "t"));
        let once = |_: &Setting, _| Ok(Some(failed()));
        plain(Setting::default(), &[Trouble::Cuts], &mut found, &once, reference.as_mut())
            .expect("nothing is broken");
        (found.case.setting.to_string(), found.reference_passes)
    }

    #[test]
    fn a_setting_is_made_plain_only_if_the_reference_passes_with_the_plain_one_too() {
        assert_eq!(made_plain(None), ("losses=0".into(), false));
        assert_eq!(made_plain(Some(|| Ok(None))), ("losses=0".into(), true));
        for says in [|| Ok(Some(failed())), || Err(Halt::Budget), || Err(Halt::Interrupted)] {
            assert_eq!(made_plain(Some(says)), ("losses=0,cuts=0".into(), true));
        }
    }
}
