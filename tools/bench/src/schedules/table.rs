//! The table that `schedules` prints, in Markdown: a line for each program, a column for each
//! sampler.

use std::fmt;
use std::time::Duration;

use labrt::Schedule;
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

/// The lines below all programs: how many of them each sampler has found, and how many schedules that
/// took it, as the geometric mean over the programs that all samplers have found.
pub fn footer(rows: &[Vec<Option<Cell>>]) -> String {
    let samplers = rows.first().map_or(0, Vec::len);
    let (mut counts, mut means) = ("| programs found |".to_string(), String::new());
    let found_by_all = |row: &&Vec<Option<Cell>>| row.iter().all(|cell| takes(*cell).is_some());
    let common: Vec<&Vec<Option<Cell>>> = rows.iter().filter(found_by_all).collect();
    for sampler in 0..samplers {
        let tried = rows.iter().filter(|row| row[sampler].is_some()).count();
        let found = rows.iter().filter(|row| takes(row[sampler]).is_some()).count();
        counts.push_str(&format!(" {found} of {tried} |"));
        let logarithms = common.iter().filter_map(|row| takes(row[sampler])).map(f64::ln);
        let mean = (logarithms.sum::<f64>() / common.len() as f64).exp();
        means.push_str(&match common.is_empty() {
            true => " - |".to_string(),
            false => format!(" 1 in {mean:.1} |"),
        });
    }
    format!("{counts}\n| geometric mean of the {} that all find |{means}", common.len())
}

/// How many schedules it takes on average until the bug shows; `None` if that is not known.
fn takes(cell: Option<Cell>) -> Option<f64> {
    let cell = cell.filter(|cell| cell.found > 0)?;
    Some(f64::from(cell.schedules) / f64::from(cell.found))
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampler::Labrt { schedule, switch_every } => {
                f.write_str("labrt")?;
                if let Schedule::Pct { depth } = schedule {
                    write!(f, ", PCT {depth}")?;
                } else if *schedule != Schedule::Walk {
                    write!(f, ", {}", format!("{schedule:?}").to_uppercase())?;
                }
                switch_every.map_or(Ok(()), |steps| write!(f, ", every {steps}"))
            }
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
    fn the_footer_has_means_of_what_all_have_found() {
        let rows = [
            vec![Some(cell(20_000)), Some(cell(200))],
            vec![Some(cell(200)), Some(cell(200))],
            vec![Some(cell(5)), Some(cell(0))],
            vec![Some(cell(5)), None],
        ];
        assert_eq!(
            footer(&rows),
            "| programs found | 4 of 4 | 2 of 3 |\n\
             | geometric mean of the 2 that all find | 1 in 10.0 | 1 in 100.0 |"
        );
        assert!(footer(&rows[2..]).ends_with("of the 0 that all find | - | - |"));
    }

    #[test]
    fn a_table_is_markdown() {
        let samplers = [
            Sampler::Labrt { schedule: Schedule::Walk, switch_every: Some(4) },
            Sampler::ShuttlePct,
        ];
        assert_eq!(
            header(&samplers, 20_000),
            "| found in 20,000 schedules | labrt, every 4 | shuttle, PCT 3 |\n|---|---|---|"
        );
        let line = line("lost update, 1 ns apart", &[Some(cell(0)), None]);
        assert_eq!(line, "| lost update, 1 ns apart | none, < 1 in 6,666 | - |");
    }
}
