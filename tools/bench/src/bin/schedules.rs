//! Prints how many schedules labrt and shuttle need to find the bugs of [`programs`], as a table in
//! Markdown: `cargo run --release -p bench --features measure --bin schedules -- --help`.

use std::io::{self, Write};

use bench::cpu;
use bench::schedules::table::{self, Cell};
use bench::schedules::{Program, Sampler, programs};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, value_parser};
use run_record::schedule::Schedule;

/// Counts in how many schedules labrt and shuttle find the bugs of small concurrent programs.
///
/// Prints a table in Markdown, with "found in so many (share), 1 in so many" for each scheduler: the
/// last number is how many schedules it takes on average until the bug shows for the first time.
/// "none, < 1 in so many" is a bound that holds with 95 %.
#[derive(Parser)]
#[command(name = "schedules")]
struct Args {
    /// How many schedules of each program each scheduler makes.
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u32).range(1..))]
    runs: u32,

    /// Only programs whose name contains this.
    #[arg(long, value_name = "NAME")]
    program: Option<String>,

    /// How many steps lie on average between two forced switches of labrt, 0 for none; a list with
    /// commas gives a column each. Without it labrt has its default.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    switch_every: Vec<u32>,

    /// How labrt chooses the next task: walk, pct:3, pos, surw; a list with commas gives a column each.
    #[arg(long, value_name = "S", value_delimiter = ',', default_value = "walk")]
    schedule: Vec<Schedule>,

    /// Only labrt.
    #[arg(long)]
    without_shuttle: bool,

    /// Adds how much CPU time 1,000 schedules take.
    #[arg(long)]
    times: bool,
}

impl Args {
    fn samplers(&self) -> Vec<Sampler> {
        let every: Vec<Option<u32>> = match &self.switch_every[..] {
            [] => vec![None],
            every => every.iter().copied().map(Some).collect(),
        };
        let labrt = |schedule| {
            let of = move |switch_every| Sampler::Labrt { schedule, switch_every };
            every.iter().copied().map(of)
        };
        let mut samplers: Vec<Sampler> =
            self.schedule.iter().flat_map(|&schedule| labrt(tester::on_labrt(schedule))).collect();
        if !self.without_shuttle {
            samplers.extend([Sampler::ShuttleRandom, Sampler::ShuttlePct]);
        }
        samplers
    }

    /// The programs asked for; without any this ends the process.
    fn programs(&self) -> Vec<Program> {
        let mut programs = programs::all();
        let Some(part) = &self.program else { return programs };
        let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
        programs.retain(|program| program.name.contains(part.as_str()));
        if programs.is_empty() {
            let names = names.join("\n  ");
            let words =
                format!("no program's name contains `{part}`; the programs are:\n  {names}");
            Args::command().error(ErrorKind::InvalidValue, words).exit();
        }
        programs
    }

    fn measure(&self, program: &Program, sampler: Sampler) -> Option<Cell> {
        let before = cpu::used();
        let found = program.search(sampler, self.runs)?;
        let cpu = self.times.then(|| cpu::used() - before);
        Some(Cell { schedules: self.runs, found, cpu })
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let (programs, samplers) = (args.programs(), args.samplers());
    let mut out = io::stdout();
    writeln!(out, "{}", table::header(&samplers, args.runs))?;
    let mut rows = Vec::new();
    for program in programs {
        let cells: Vec<Option<Cell>> =
            samplers.iter().map(|&sampler| args.measure(&program, sampler)).collect();
        writeln!(out, "{}", table::line(program.name, &cells))?;
        rows.push(cells);
    }
    writeln!(out, "{}", table::footer(&rows))?;
    Ok(())
}
