//! The table that `schedules` prints, in Markdown: a line for each program, a column for each
//! sampler.

use std::fmt;
use std::time::Duration;

use trace_view::grouped;

use super::{PCT_DEPTH, Sampler};

/// What came out of some schedules of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How many schedules there were.
    pub schedules: u32,
    /// In how many of them the bug showed.
    pub found: u32,
    /// How much CPU time they took, if that is to be shown.
    pub cpu: Option<Duration>,
}

/// The lines above all programs.
pub fn header(samplers: &[Sampler], schedules: u32) -> String {
    let mut names = format!("| found in {} schedules |", grouped(schedules.into()));
    let mut rule = "|---|".to_string();
    for sampler in samplers {
        names.push_str(&format!(" {sampler} |"));
        rule.push_str("---|");
    }
    format!("{names}\n{rule}")
}

/// A program's line; `None` stands for a sampler that cannot run it.
pub fn line(program: &str, cells: &[Option<Cell>]) -> String {
    let mut line = format!("| {program} |");
    for cell in cells {
        match cell {
            Some(cell) => line.push_str(&format!(" {cell} |")),
            None => line.push_str(" - |"),
        }
    }
    line
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampler::Labrt { switch_every: None } => f.write_str("labrt"),
            Sampler::Labrt { switch_every: Some(steps) } => write!(f, "labrt, every {steps}"),
            Sampler::ShuttleRandom => f.write_str("shuttle, random"),
            Sampler::ShuttlePct => write!(f, "shuttle, PCT {PCT_DEPTH}"),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schedules = f64::from(self.schedules);
        if self.found == 0 {
            // Were the bug in one of `n / 3` schedules, `n` would miss it with a chance of 5 %.
            write!(f, "none, < 1 in {}", grouped(u64::from(self.schedules / 3)))?;
        } else {
            let share = f64::from(self.found) / schedules;
            let decimals = if share < 0.001 { 3 } else { 2 };
            let found = grouped(self.found.into());
            write!(f, "{found} ({:.decimals$} %), 1 in {}", share * 100.0, one_in(1.0 / share))?;
        }
        match self.cpu {
            Some(cpu) => write!(f, ", {:.1} ms", cpu.as_secs_f64() * 1e6 / schedules),
            None => Ok(()),
        }
    }
}

fn one_in(schedules: f64) -> String {
    if schedules < 10.0 { format!("{schedules:.1}") } else { grouped(schedules.round() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(found: u32) -> Cell {
        Cell { schedules: 20_000, found, cpu: None }
    }

    #[test]
    fn cells_show_count_share_and_how_many_schedules_a_detection_takes() {
        assert_eq!(cell(20_000).to_string(), "20,000 (100.00 %), 1 in 1.0");
        assert_eq!(cell(6_400).to_string(), "6,400 (32.00 %), 1 in 3.1");
        assert_eq!(cell(217).to_string(), "217 (1.08 %), 1 in 92");
        assert_eq!(cell(3).to_string(), "3 (0.015 %), 1 in 6,667");
    }

    #[test]
    fn a_bug_that_was_not_found_is_not_called_absent() {
        assert_eq!(cell(0).to_string(), "none, < 1 in 6,666");
    }

    #[test]
    fn times_are_those_of_1000_schedules() {
        let cell = Cell { cpu: Some(Duration::from_millis(900)), ..cell(0) };
        assert_eq!(cell.to_string(), "none, < 1 in 6,666, 45.0 ms");
    }

    #[test]
    fn a_table_is_markdown() {
        let samplers = [Sampler::Labrt { switch_every: Some(4) }, Sampler::ShuttlePct];
        assert_eq!(
            header(&samplers, 20_000),
            "| found in 20,000 schedules | labrt, every 4 | shuttle, PCT 3 |\n|---|---|---|"
        );
        let line = line("lost update, 1 ns apart", &[Some(cell(0)), None]);
        assert_eq!(line, "| lost update, 1 ns apart | none, < 1 in 6,666 | - |");
    }
}
