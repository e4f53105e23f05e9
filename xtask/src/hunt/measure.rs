//! How many runs a search takes to its first failure, guided and with seeds alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use run_record::coverage::Kind;
use test_runs::build::TestCase;
use test_runs::engine;
use test_runs::process::Limits;

use super::batch::Place;
use super::search::Search;

/// How far a search came.
#[derive(Clone, Copy, Debug)]
struct Came {
    runs: u64,
    cpu_us: u64,
    found: bool,
}

/// The table for these tests: so many searches of each kind, each with at most so many runs.
pub(crate) fn table(
    tests: &[TestCase],
    kinds: &BTreeSet<Kind>,
    (searches, most, base): (u64, u64, u64),
    jobs: usize,
    place: &Place<'_>,
) -> Result<String> {
    let mut text = "| test | search | found | runs: median | quartiles | CPU s: median | mean |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_string();
    for test in tests {
        for (name, kinds) in [("seeds alone", &BTreeSet::new()), ("guided", kinds)] {
            let numbers: Vec<u64> = (0..searches).collect();
            // Who looks at nothing need not pay for what could be seen.
            let limits = Limits { coverage: !kinds.is_empty(), ..place.limits.clone() };
            let place = Place { limits, ..*place };
            let came = engine::each(jobs, &numbers, |number| {
                let search = Search::new(&test.name, base.wrapping_add(*number), kinds.clone());
                one(test, search, most, &place)
            })?;
            let _ = writeln!(text, "| `{}` | {name} | {}", test.name, line(&came));
        }
    }
    Ok(text)
}

/// One search, up to its first failure.
fn one(test: &TestCase, mut search: Search, most: u64, place: &Place<'_>) -> Result<Came> {
    let mut came = Came { runs: 0, cpu_us: 0, found: false };
    while came.runs < most {
        for (case, run, _) in place.run(test, search.next(most - came.runs))? {
            came.runs += 1;
            came.cpu_us += run.cpu_us;
            if run.failure.is_some() {
                came.found = true;
                return Ok(came);
            }
            search.learn(&case, &run);
        }
        // Searches that were cut short would pass for short ones.
        ensure!(!place.is_stopped(), "it was interrupted, so there is nothing to compare");
    }
    Ok(came)
}

fn line(came: &[Came]) -> String {
    let found = came.iter().filter(|one| one.found).count();
    let mut runs: Vec<u64> = came.iter().map(|one| one.runs).collect();
    let mut cpu: Vec<u64> = came.iter().map(|one| one.cpu_us).collect();
    runs.sort_unstable();
    cpu.sort_unstable();
    let at =
        |sorted: &[u64], part: usize| sorted.get(sorted.len() * part / 4).copied().unwrap_or(0);
    let seconds = |us: u64| us as f64 / 1e6;
    let mean = cpu.iter().sum::<u64>() / cpu.len().max(1) as u64;
    format!(
        "{found} of {} | {} | {} to {} | {:.2} | {:.2} |",
        came.len(),
        at(&runs, 2),
        at(&runs, 1),
        at(&runs, 3),
        seconds(at(&cpu, 2)),
        seconds(mean)
    )
}
