//! What a census says.

use std::io::{self, Write as _};

use crate::census::{Count, Failed};

/// Prints who failed, and by which checks. It goes past the capture of the test harness, as the lines
/// of the suite do.
pub(crate) fn print(title: &str, counts: &[Count]) {
    let failed: Vec<&Count> = counts.iter().filter(|count| !count.failed.is_empty()).collect();
    let runs: u64 = counts.iter().map(|count| count.runs).sum();
    let mut table = format!(
        "{title}: {runs} runs of {} Rafts, {} of which failed\n",
        counts.len(),
        failed.len()
    );
    for Count { name, runs, failed } in failed {
        let failures: u64 = failed.values().map(|failed| failed.runs).sum();
        table.push_str(&format!("  {name:44} {failures:4} of {runs:4}"));
        for (check, failed) in failed {
            table.push_str(&format!("  {check}: {}", failed.runs));
        }
        table.push('\n');
    }
    // Nobody may be listening, which is no reason to fail.
    let _ = io::stdout().lock().write_all(table.as_bytes());
}

/// For each check that an odd Raft did not meet, the first run that shows it.
pub(crate) fn failures(count: &Count) -> Vec<String> {
    let Count { name, runs, failed } = count;
    let failure = |(check, first): (&String, &Failed)| {
        let Failed { runs: times, words, replay } = first;
        format!("{name}, {times} of {runs} runs: {check}: {words}\n    {replay}")
    };
    failed.iter().map(failure).collect()
}
