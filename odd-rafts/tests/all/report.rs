//! The table of a census.

use std::io::{self, Write as _};

use crate::census::Count;

/// Prints who was accused of what. It goes past the capture of the test harness, as the lines of the
/// suite do.
pub(crate) fn print(title: &str, counts: &[Count]) {
    let accused: Vec<&Count> = counts.iter().filter(|count| !count.failed.is_empty()).collect();
    let runs: u64 = counts.iter().map(|count| count.runs).sum();
    let mut table = format!(
        "{title}: {runs} runs of {} Rafts, {} of which were accused\n",
        counts.len(),
        accused.len()
    );
    for Count { name, runs, failed } in accused {
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
