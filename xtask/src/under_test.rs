//! What `stress`, `hunt`, `shrink` and `trace` need before they can run tests: the tests, how many processes the
//! machine can run, and a way to be told to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use run_record::Clock;
use run_record::schedule::Choice;
use test_runs::build::{self, IGNORED_MARK, Interrupted, Listed, Messages, TestCase};
use test_runs::package::Package;

use crate::labs;

/// How tests are built, and how their runs choose the next task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) clocks: &'static [Clock],
    pub(crate) release: bool,
    pub(crate) schedule: Choice,
}

impl How {
    pub(crate) fn simulated(release: bool, schedule: Choice) -> How {
        How { clocks: &[Clock::Sim], release, schedule }
    }
}

/// Builds a package's tests; those with one of `filters` in their names, in the order of the labs, with what is of
/// no lab at the end.
///
/// # Errors
/// If they do not build, there are none, or a filter matches none; [`Interrupted`] if `stop` is set meanwhile.
pub(crate) fn find(
    package: &Package,
    filters: &[String],
    how: How,
    stop: &AtomicBool,
) -> Result<Listed> {
    find_ending(package, filters, "", how, stop)
}

/// The same, of those only whose names end in this.
///
/// # Errors
/// As of [`find`].
pub(crate) fn find_ending(
    package: &Package,
    filters: &[String],
    end: &str,
    how: How,
    stop: &AtomicBool,
) -> Result<Listed> {
    let Package { name, dir } = package;
    let mut all = Listed::default();
    for program in build::build(dir, name, how.clocks, how.release, Messages::Shown, stop)? {
        let Listed { tests, ignored } = build::list(&program, filters)?;
        all.tests.extend(tests);
        all.ignored.extend(ignored);
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Interrupted.into());
    }
    let mut all = matching(all, name, filters, end)?;
    all.tests.iter_mut().for_each(|test| test.schedule = how.schedule);
    let place = |test: &TestCase| labs::place(&test.name).unwrap_or(usize::MAX);
    all.tests.sort_by_key(|test| (test.program.clock, place(test)));
    Ok(all)
}

/// Those of a package's tests, as the filters have left them, whose names end in this.
fn matching(mut all: Listed, package: &str, filters: &[String], end: &str) -> Result<Listed> {
    all.tests.retain(|test| test.name.ends_with(end));
    all.ignored.retain(|name| name.ends_with(end));
    let matches_none =
        |filter: &&String| !all.tests.iter().any(|test| test.name.contains(filter.as_str()));
    // Whoever has misspelled one would take its tests for tests that pass.
    let idle: Vec<&str> = filters.iter().filter(matches_none).map(String::as_str).collect();
    if all.tests.is_empty() || !idle.is_empty() {
        let is_meant =
            |name: &&String| idle.is_empty() || idle.iter().any(|filter| name.contains(filter));
        let meant: Vec<&str> = all.ignored.iter().filter(is_meant).map(String::as_str).collect();
        if !meant.is_empty() {
            bail!(
                "{} of {package} {} marked {IGNORED_MARK}, so `cargo test` does not run {}, and nothing else matches; take \
                 the mark away",
                meant.join(", "),
                if meant.len() == 1 { "is" } else { "are" },
                if meant.len() == 1 { "it" } else { "them" }
            );
        }
        let elsewhere = |filter: &&str| {
            let suite = labs::other_suite(package, filter)?;
            Some(format!("; {suite} has tests for {filter} (--package {suite})"))
        };
        bail!(
            "no test of {package} on this clock matches {}{}; `cargo test -p {package} -- --list` shows all{}",
            if filters.is_empty() { "anything".into() } else { idle.join(", ") },
            if end.is_empty() { String::new() } else { format!(" and ends in `{end}`") },
            idle.iter().filter_map(elsewhere).collect::<String>()
        );
    }
    Ok(all)
}

/// In words, how many of the tests that were asked for are ignored; none if none are.
pub(crate) fn ignored_in_words(found: &Listed) -> Option<String> {
    match found.ignored.len() as u64 {
        0 => None,
        1 => Some(format!("1 test is ignored ({IGNORED_MARK})")),
        many => Some(format!("{many} tests are ignored ({IGNORED_MARK})")),
    }
}

/// Builds a package's tests; the one of this name or, if it is the only one, with this in its name.
///
/// # Errors
/// If they do not build, or none or several are meant; [`Interrupted`] if `stop` is set meanwhile.
pub(crate) fn find_one(
    package: &Package,
    test: &str,
    how: How,
    stop: &AtomicBool,
) -> Result<TestCase> {
    let all = find(package, &[], how, stop)?;
    choose(&all, test).with_context(|| format!("package {}", package.name))
}

fn choose(all: &Listed, test: &str) -> Result<TestCase> {
    let Listed { tests: all, ignored } = all;
    if let Some(exact) = all.iter().find(|case| case.name == test) {
        return Ok(exact.clone());
    }
    if ignored.iter().any(|name| name == test) {
        bail!("`{test}` is marked {IGNORED_MARK}, so it is never run; take the mark away");
    }
    let like: Vec<&TestCase> = all.iter().filter(|case| case.name.contains(test)).collect();
    let names = |cases: &mut dyn Iterator<Item = &TestCase>| {
        cases.map(|case| case.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    match like.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!("there is no test `{test}`; there are {}", names(&mut all.iter())),
        several => bail!(
            "`{test}` may be any of several tests: {}; give the whole name of one",
            names(&mut several.iter().copied())
        ),
    }
}

/// How many processes to run at once: so many as the user says, or one for each core.
pub(crate) fn jobs(asked: Option<u64>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    asked.map_or(cores, |jobs| usize::try_from(jobs).unwrap_or(cores))
}

/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// What is set when somebody asks us to end: by Ctrl-C, SIGTERM or SIGHUP. Once it is dropped, that ends us at once.
///
/// # Errors
/// If the system does not tell us.
pub(crate) fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::downgrade(&stop);
    let on_signal = move || match asked.upgrade() {
        Some(stop) => stop.store(true, Ordering::Relaxed),
        // Nobody looks at it any more, so there is nothing that would have to be brought to an end.
        None => std::process::exit(INTERRUPTED),
    };
    ctrlc::set_handler(on_signal).context("cannot take care of Ctrl-C")?;
    Ok(stop)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A program that nobody runs.
    pub(crate) fn no_program() -> build::Program {
        build::Program {
            clock: Clock::Sim,
            path: PathBuf::new(),
            dir: PathBuf::new(),
            replay: String::new(),
            kept: None,
            sources: Vec::new(),
        }
    }

    /// A test of it.
    pub(crate) fn case(name: &str) -> TestCase {
        TestCase {
            name: name.into(),
            program: no_program(),
            setting: run_record::setting::Setting::default(),
            schedule: Choice::default(),
        }
    }

    fn cases() -> Vec<TestCase> {
        ["figure_8_2C", "figure_8_unreliable_2C", "backup_2B"].map(case).into()
    }

    fn listed(tests: Vec<TestCase>) -> Listed {
        Listed { tests, ignored: Vec::new() }
    }

    #[test]
    fn a_program_whose_tests_are_all_ignored_is_told_so() {
        let of = |tests, ignored: &[&str], filters: &[&str]| {
            let ignored = ignored.iter().map(|name| name.to_string()).collect();
            let filters: Vec<String> = filters.iter().map(|filter| filter.to_string()).collect();
            let found = matching(Listed { tests, ignored }, "my-raft", &filters, "");
            found.map(|found| ignored_in_words(&found)).map_err(|error| error.to_string())
        };
        let words = of(Vec::new(), &["a_2A", "b_2B"], &[]).expect_err("none can be run");
        let begins =
            |words: &str, tests: &str| words.starts_with(&format!("{tests} marked {IGNORED_MARK}"));
        assert!(begins(&words, "a_2A, b_2B of my-raft are"), "{words}");
        let words = of(cases(), &["slow_2C"], &["2B", "slow"]).expect_err("one word has none");
        assert!(begins(&words, "slow_2C of my-raft is"), "{words}");
        let said = format!("1 test is ignored ({IGNORED_MARK})");
        assert_eq!(of(cases(), &["slow_2C"], &["2C"]), Ok(Some(said)));
        assert_eq!(of(cases(), &[], &["2C"]), Ok(None));
    }

    #[test]
    fn a_filter_does_not_make_another_test_a_soak() {
        let filters = ["2C".to_string()];
        let soaks = |tests| {
            let found = matching(listed(tests), "my-raft", &filters, labs::SOAK);
            found.map(|found| found.tests.len()).map_err(|error| error.to_string())
        };
        let words = soaks(cases()).expect_err("there is none");
        assert!(
            words.starts_with("no test of my-raft on this clock matches 2C and ends in `_soak`; "),
            "{words}"
        );
        let soak = TestCase { name: "anything_soak".into(), ..cases().remove(0) };
        let words = soaks([&cases()[..], std::slice::from_ref(&soak)].concat());
        let words = words.expect_err("no soak is of 2C");
        assert!(words.contains("matches 2C and ends in `_soak`; "), "{words}");
        let found = matching(listed(vec![soak]), "my-raft", &["soak".to_string()], labs::SOAK);
        assert_eq!(found.expect("it is one").tests.len(), 1);
    }

    #[test]
    fn each_filter_matches_something() {
        let found = |package, filters: &[&str]| {
            let filters: Vec<String> = filters.iter().map(|filter| filter.to_string()).collect();
            let found = matching(listed(cases()), package, &filters, "");
            found.map(|found| found.tests.len()).map_err(|error| error.to_string())
        };
        assert_eq!(found("my-raft", &[]), Ok(3));
        assert_eq!(found("my-raft", &["2C", "backup", "figure"]), Ok(3));
        let words = found("my-raft", &["backup_2B", "fgure_8", "3A"]).expect_err("two do not");
        assert!(words.contains("matches fgure_8, 3A; ") && words.ends_with("shows all"), "{words}");
        let words = found("raft-tests", &["2C", "3A"]).expect_err("that is another lab");
        let hint = "matches 3A; `cargo test -p raft-tests -- --list` shows all; kv-tests has tests \
                    for 3A (--package kv-tests)";
        assert!(words.ends_with(hint), "{words}");
    }

    #[test]
    fn a_test_is_found_by_its_name_or_a_part_that_only_it_has() {
        let mut all = listed(cases());
        all.ignored.push("slow_2C".into());
        let chosen = |name| choose(&all, name).map(|case| case.name).map_err(|e| e.to_string());
        assert_eq!(chosen("figure_8_2C"), Ok("figure_8_2C".into()));
        assert_eq!(chosen("backup"), Ok("backup_2B".into()));
        let several = chosen("figure_8").expect_err("there are two");
        assert!(several.contains("figure_8_2C, figure_8_unreliable_2C; give"), "{several}");
        let ignored = chosen("slow_2C").expect_err("it cannot be run");
        let begins = format!("`slow_2C` is marked {IGNORED_MARK}");
        assert!(ignored.starts_with(&begins), "{ignored}");
        let none = chosen("figure_9").expect_err("there is none");
        assert!(none.contains("`figure_9`; there are figure_8_2C,"), "{none}");
    }
}
