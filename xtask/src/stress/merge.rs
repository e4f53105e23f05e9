//! Makes one report of those of several shards.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use run_record::Clock;
use test_runs::plan::Shard;

use super::args::parse_shard;
use super::folder::{self, Folder, each_run};
use super::model::{Report, State, Subject, TestReport};
use super::tally::{Tally, absorb};
use super::words::clock;
use crate::say::note;

/// Reads the runs of all folders, writes them and their logs to a new one, and makes the report of it.
///
/// The shards are taken to have run side by side: the whole took as long as the longest, with the
/// processes of all. What is no folder with a report is left out.
///
/// # Errors
/// If there is no report, if they are not parts of one plan, or if two of them have the same run.
pub(crate) fn merge(dirs: &[PathBuf], out: &Path) -> Result<(Report, Folder)> {
    let mut parts = Vec::new();
    for dir in dirs {
        match dir.join("report.json").exists() {
            true => parts.push((dir, folder::report(dir)?)),
            false => note(&format!("merge: {} has no report; it is left out", dir.display())),
        }
    }
    let reports: Vec<&Report> = parts.iter().map(|(_, report)| report).collect();
    let mut whole = joined(&reports)?;
    let mut folder = Folder::new(out)?;
    let mut seen = BTreeMap::new();
    if let Err(error) = fill(&mut folder, &parts, &mut whole, &mut seen) {
        // What is left of it would be in the way of the next one.
        folder.remove();
        return Err(error);
    }
    let of = |test: &TestReport| (test.test.clone(), test.clock);
    let all =
        |test: &TestReport| seen.get(&of(test)).map_or(0, |runs: &BTreeSet<u64>| runs.len() as u64);
    // A shard may lack runs that a kill has cost.
    if whole.subject.iterations.is_some_and(|n| whole.tests.iter().any(|test| all(test) < n))
        && whole.missing.is_empty()
        && whole.state == State::Finished
        && !whole.subject.stops_at_failure
    {
        whole.state = State::Interrupted;
    }
    Ok((whole, folder))
}

/// Copies the runs and logs of all parts, and counts them.
fn fill(
    folder: &mut Folder,
    parts: &[(&PathBuf, Report)],
    whole: &mut Report,
    seen: &mut Seen,
) -> Result<()> {
    for (dir, report) in parts {
        let tests = recount(dir, report, seen, folder)?;
        for (known, test) in whole.tests.iter_mut().zip(tests) {
            absorb(known, test);
        }
        copy_logs(dir, folder.path())?;
    }
    Ok(())
}

/// The report of all parts together, without runs.
fn joined(parts: &[&Report]) -> Result<Report> {
    let mut whole = (*parts.first().context("there is no report to merge")?).clone();
    let mut names = vec![whole.name.clone()];
    whole.tests = empty(&whole.tests);
    for part in &parts[1..] {
        agree(&whole, part)?;
        if let (Some(program), Some(more)) = (&mut whole.subject.program, &part.subject.program) {
            let more = more.variables.iter().map(|(name, value)| (name.clone(), value.clone()));
            program.variables.extend(more);
        }
        if !names.contains(&part.name) {
            names.push(part.name.clone());
        }
        whole.began = whole.began.min(part.began);
        whole.wall_us = whole.wall_us.max(part.wall_us);
        whole.jobs += part.jobs;
        if part.state != State::Finished {
            whole.state = part.state;
        }
        whole.shards.extend(part.shards.iter().cloned());
        whole.determinism.absorb(&part.determinism);
    }
    whole.name = names.join("+");
    whole.missing = missing(&whole.shards)?;
    if whole.state == State::Running {
        whole.state = State::Interrupted;
    }
    Ok(whole)
}

/// Refuses two reports that are not of one plan.
fn agree(one: &Report, other: &Report) -> Result<()> {
    let (a, b) = (&one.subject, &other.subject);
    let tests = |report: &Report| -> String {
        let names =
            report.tests.iter().map(|test| format!("{} ({})", test.test, clock(test.clock)));
        names.collect::<Vec<_>>().join(", ")
    };
    let ends = |subject: &Subject| if subject.stops_at_failure { "yes" } else { "no" }.to_string();
    let facts = [
        ("package", a.package.clone(), b.package.clone()),
        ("seed", a.seed.to_string(), b.seed.to_string()),
        ("schedule", a.schedule.to_string(), b.schedule.to_string()),
        ("profile", a.profile.clone(), b.profile.clone()),
        ("number of runs", a.goal.clone(), b.goal.clone()),
        ("answer to whether a failure ends the runs (--fail-fast)", ends(a), ends(b)),
        ("filters", a.filters.join(" "), b.filters.join(" ")),
        ("tests", tests(one), tests(other)),
    ];
    for (what, is, differs) in facts {
        ensure!(
            is == differs,
            "cannot merge `{}` with `{}`: the {what} of one is `{is}`, of the other `{differs}`",
            one.name,
            other.name
        );
    }
    same_program(one, other)?;
    ensure!(
        !one.shards.is_empty() && !other.shards.is_empty(),
        "cannot merge `{}` with `{}`: a report without a shard is a whole already",
        one.name,
        other.name
    );
    Ok(())
}

/// Refuses two reports of two programs.
fn same_program(one: &Report, other: &Report) -> Result<()> {
    let (a, b) = (&one.subject, &other.subject);
    if let (Some(a), Some(b)) = (&a.program, &b.program) {
        return match a.differs(b) {
            Some(difference) => bail!("{}", difference.between(&one.name, &other.name)),
            None => Ok(()),
        };
    }
    // One of an earlier version has the commit of the package, and nothing else to go by.
    let clean = |commit: &&String| !commit.ends_with('+');
    let text = |commit: &Option<String>| commit.clone().unwrap_or_else(|| "unknown".into());
    ensure!(
        a.commit == b.commit && a.commit.iter().any(|commit| clean(&commit)),
        "cannot merge `{}` with `{}`: nobody can tell whether they are of one program. The commit of one is `{}`, of \
         the other `{}`, and an earlier `cargo xtask stress` kept nothing else: make its runs again",
        one.name,
        other.name,
        text(&a.commit),
        text(&b.commit)
    );
    Ok(())
}

/// The shards that are not there.
fn missing(shards: &[String]) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut of = None;
    for shard in shards {
        let Shard { k, n } = parse_shard(shard).map_err(anyhow::Error::msg)?;
        let of = *of.get_or_insert(n);
        ensure!(of == n, "shard {shard} is of {n} parts, and others are of {of}");
        ensure!(seen.insert(k), "shard {shard} is there twice");
    }
    let all = 1..=of.unwrap_or(0);
    Ok(all.filter(|k| !seen.contains(k)).map(|k| format!("{k}/{}", of.unwrap_or(0))).collect())
}

fn empty(tests: &[TestReport]) -> Vec<TestReport> {
    tests.iter().map(|test| TestReport::new(&test.test, &test.part, test.clock)).collect()
}

/// Which runs of a test there are.
type Seen = BTreeMap<(String, Clock), BTreeSet<u64>>;

/// Counts the runs of a part, and copies them.
fn recount(dir: &Path, part: &Report, seen: &mut Seen, to: &mut Folder) -> Result<Vec<TestReport>> {
    let shards = shards_of(part)?;
    let stops = part.subject.stops_at_failure;
    let tally = |test: &TestReport, shard: &Shard| {
        Tally::new(&test.test, &test.part, test.clock, *shard, stops)
    };
    // Each shard of a part that was merged has its own first failure.
    let of_test = |test| shards.iter().map(|shard| tally(test, shard)).collect();
    let mut tallies: Vec<Vec<Tally>> = part.tests.iter().map(of_test).collect();
    let mut lines = Vec::new();
    each_run(dir, |mut line| {
        let is = |test: &TestReport| (&test.test, test.clock) == (&line.test, line.clock);
        let Some(place) = part.tests.iter().position(is) else {
            bail!("{} has a run of {}, which its report does not know", dir.display(), line.test)
        };
        let (name, index) = (line.test.clone(), line.run.index);
        let Some(shard) = shards.iter().position(|shard| shard.has(index)) else {
            bail!("{} has run {index} of {name}, which is of none of its shards", dir.display())
        };
        if !seen.entry((name, line.clock)).or_default().insert(index) {
            let (name, clock) = (&line.test, clock(line.clock));
            bail!("run {index} of {name} on clock `{clock}` is there twice");
        }
        let tally = &mut tallies[place][shard];
        tally.shed(&mut line.run);
        tally.add(&line.run);
        lines.push(line);
        if lines.len() >= 1000 {
            to.append(&lines)?;
            lines.clear();
        }
        Ok(())
    })?;
    to.append(&lines)?;
    let mut tests = empty(&part.tests);
    for (test, tallies) in tests.iter_mut().zip(tallies) {
        tallies.into_iter().for_each(|tally| absorb(test, tally.into_report()));
    }
    // What came of failures that were tried again is not in the runs.
    for (test, known) in tests.iter_mut().zip(&part.tests) {
        for group in &mut test.groups {
            let same = known.groups.iter().find(|known| known.first.index == group.first.index);
            group.alone = same.and_then(|known| known.alone.clone());
        }
    }
    Ok(tests)
}

/// The shards whose runs a part has; the whole as one if it has none.
fn shards_of(part: &Report) -> Result<Vec<Shard>> {
    let shards = part.shards.iter().map(|shard| parse_shard(shard).map_err(anyhow::Error::msg));
    let shards: Vec<Shard> = shards.collect::<Result<_>>()?;
    Ok(if shards.is_empty() { vec![Shard::WHOLE] } else { shards })
}

/// Brings the logs of a part over; their names tell test, clock and run.
fn copy_logs(from: &Path, out: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(from.join("logs")) else { return Ok(()) };
    for entry in entries.flatten() {
        let copied = fs::copy(entry.path(), out.join("logs").join(entry.file_name()));
        copied.with_context(|| format!("cannot copy {}", entry.path().display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use test_runs::run::Run;

    use super::super::folder::Line;
    use super::super::model::Counted;
    use super::super::program::Program;
    use super::*;
    use crate::stress::model::tests::{report, run};

    /// The folder of a shard with these runs.
    fn of_runs(
        top: &Path,
        shard: Shard,
        runs: Vec<Run>,
        change: impl FnOnce(&mut Report),
    ) -> PathBuf {
        let path = top.join(format!("shard-{}", shard.k));
        let mut folder = Folder::new(&path).expect("a folder");
        let mut report = report("r", runs.clone());
        report.shards = vec![format!("{}/{}", shard.k, shard.n)];
        report.subject.iterations = Some(1);
        change(&mut report);
        let test = &report.tests[0];
        let line = |run| Line { test: test.test.clone(), clock: test.clock, run };
        let lines: Vec<Line> = runs.into_iter().map(line).collect();
        folder.append(&lines).expect("it can be written");
        folder.write_json("report.json", &report).expect("it can be written");
        path
    }

    /// The folder of a shard of two, with one run.
    fn shard(top: &Path, k: u64, change: impl FnOnce(&mut Report)) -> PathBuf {
        let failure = (k == 2).then_some("no");
        of_runs(top, Shard { k, n: 2 }, vec![run(k - 1, failure)], change)
    }

    #[test]
    fn shards_that_were_merged_before_count_as_those_that_were_not() {
        // In each shard that fails, the last run of ten does.
        for failing in [&[1][..], &[1, 2], &[3], &[]] {
            let top = tempfile::tempdir().expect("a folder");
            let parts = [1, 2, 3].map(|k| {
                let failure = |number| (number == 9 && failing.contains(&k)).then_some("no");
                let runs = (0..10).map(|number| run(number * 3 + k - 1, failure(number)));
                let stops = |report: &mut Report| report.subject.stops_at_failure = true;
                of_runs(top.path(), Shard { k, n: 3 }, runs.collect(), stops)
            });
            let merged = |parts: &[PathBuf], name: &str| {
                let (whole, folder) = merge(parts, &top.path().join(name)).expect("one plan");
                folder.write_json("report.json", &whole).expect("it can be written");
                (whole, folder.path().to_owned())
            };
            let (_, two) = merged(&parts[..2], "two");
            let at_once = merged(&parts, "at-once").0;
            let in_steps = merged(&[two, parts[2].clone()], "in-steps").0;
            let counted = Counted { failures: failing.len() as u64, runs: 30 };
            assert_eq!(at_once.tests[0].until_failure, Some(counted));
            assert_eq!(in_steps.tests, at_once.tests);
        }
    }

    #[test]
    fn a_run_of_another_shard_is_none_of_a_part() {
        let top = tempfile::tempdir().expect("a folder");
        let part = of_runs(top.path(), Shard { k: 1, n: 2 }, vec![run(3, None)], |_| {});
        let words = merge(&[part], &top.path().join("out")).expect_err("3 is of 2/2").to_string();
        assert!(words.contains("has run 3 of initial_election_2A, which is of none"), "{words}");
    }

    #[test]
    fn a_merge_that_fails_leaves_nothing_in_the_way_of_the_next_one() {
        let top = tempfile::tempdir().expect("a folder");
        let parts = [1, 2].map(|k| shard(top.path(), k, |_| {}));
        let runs = parts[1].join("runs.ndjson");
        let good = fs::read_to_string(&runs).expect("runs");
        fs::write(&runs, "no run\n").expect("it can be written");
        let out = top.path().join("out");
        let words = merge(&parts, &out).expect_err("it is no run").to_string();
        assert!(words.contains("line 1 of ") && !out.exists(), "{words}");
        fs::write(&runs, good).expect("it can be written");
        let (whole, _) = merge(&parts, &out).expect("nothing is in the way");
        assert_eq!((whole.runs(), whole.failures()), (2, 1));
    }

    #[test]
    fn shards_that_end_with_a_failure_are_not_mixed_with_others() {
        for fail_fast in [1, 2] {
            let top = tempfile::tempdir().expect("a folder");
            let stops =
                |k| move |report: &mut Report| report.subject.stops_at_failure = k == fail_fast;
            let parts = [1, 2].map(|k| shard(top.path(), k, stops(k)));
            let out = top.path().join("out");
            let words = merge(&parts, &out).expect_err("they are of two plans").to_string();
            assert!(words.contains("--fail-fast"), "{words}");
            assert!(!out.exists());
        }
    }

    /// What is said of a merge of two shards, of which the second one is changed like this; none if they are merged.
    fn refused(change: impl Fn(&mut Subject)) -> Option<String> {
        let top = tempfile::tempdir().expect("a folder");
        let change = |k| {
            let change = &change;
            move |report: &mut Report| {
                if k == 2 {
                    change(&mut report.subject);
                }
            }
        };
        let parts = [1, 2].map(|k| shard(top.path(), k, change(k)));
        merge(&parts, &top.path().join("out")).err().map(|error| error.to_string())
    }

    #[test]
    fn shards_of_two_programs_are_not_mixed() {
        let changed = |change: &dyn Fn(&mut Program)| {
            refused(|subject| subject.program.iter_mut().for_each(change))
        };
        assert_eq!(changed(&|_| {}), None);
        let words = changed(&|program| {
            program.executables.insert(Clock::Sim, "5678".into());
        });
        let words = words.expect("nobody knows from what they were built");
        assert!(
            words.contains("is `1234` for one, `5678` for the other; what is built"),
            "{words}"
        );
        // By commit alone, two that are in none, or not as a whole, looked the same.
        let old = |commit: Option<&str>| {
            let commit = commit.map(str::to_string);
            refused(move |subject| {
                (subject.program, subject.commit) = (None, commit.clone());
            })
        };
        assert!(old(None).is_some_and(|words| words.contains("make its runs again")));
        assert!(old(Some("abc")).is_some_and(|words| words.contains("of the other `abc`")));
    }

    #[test]
    fn reports_of_earlier_versions_are_merged_if_their_commit_is_all() {
        let old = |commit: &str| {
            let top = tempfile::tempdir().expect("a folder");
            let change = |report: &mut Report| {
                (report.subject.program, report.subject.commit) = (None, Some(commit.into()));
            };
            let parts = [1, 2].map(|k| shard(top.path(), k, change));
            merge(&parts, &top.path().join("out")).is_ok()
        };
        assert!(old("abc") && !old("abc+"));
    }

    #[test]
    fn what_one_part_of_a_merge_depends_on_the_whole_does() {
        let mut parts = [1, 2].map(|k| {
            let mut part = report("r", Vec::new());
            part.shards = vec![format!("{k}/3")];
            part
        });
        let bug = |value: &str| ("BUG".to_string(), Some(value.to_string()));
        parts[1].subject.program.iter_mut().for_each(|of| of.variables.extend([bug("a")]));
        let whole = joined(&parts.iter().collect::<Vec<_>>()).expect("one has not asked");
        let mut third = parts[0].clone();
        third.shards = vec!["3/3".into()];
        third.subject.program.iter_mut().for_each(|of| of.variables.extend([bug("b")]));
        let words = joined(&[&whole, &third]).expect_err("they are of two programs").to_string();
        assert!(words.contains("variable BUG is `a` for one, `b` for the other"), "{words}");
    }
}
