//! Prints how much the reference key/value service does, as a table in Markdown:
//! `cargo run --release -p bench --features measure --bin kv -- --help`.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bench::kv::{Service, Work, simulate};
use bench::{quantiles, short};
use clap::Parser;
use kv::Options;
use tester::Totals;
use trace_view::grouped;

/// Measures the reference key/value service on the real clock: three servers, clerks that make one call
/// after the other, half Gets and half Puts of 16 bytes.
///
/// Prints a table in Markdown, with a line for each kind of persister, each choice of options and each
/// number of clerks. With --simulated it is another one: what the suite's generic test with restarts and
/// snapshots costs on the simulated clock, with so many clients.
#[derive(Parser)]
#[command(name = "kv")]
struct Args {
    /// How many clerks work side by side; a list with commas gives a line each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,16,64")]
    clerks: Vec<usize>,

    /// How many seconds each line is measured.
    #[arg(long, default_value_t = 3)]
    seconds: u64,

    /// Where the servers with files have them: on a disk, or the figures say nothing.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Measures the simulated clock.
    #[arg(long)]
    simulated: bool,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    match args.simulated {
        true => simulated(&args),
        false => real(&args),
    }
}

fn simulated(args: &Args) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "| clients | operations | RPCs | lab time | CPU |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for &clients in &args.clerks {
        let (Totals { time, rpcs, operations, .. }, cpu) = simulate(clients);
        let (operations, rpcs) = (grouped(operations), grouped(rpcs));
        let (time, cpu) = (time.as_secs_f64(), cpu.as_secs_f64());
        writeln!(out, "| {clients} | {operations} | {rpcs} | {time:.1} s | {cpu:.2} s |")?;
    }
    Ok(())
}

fn real(args: &Args) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(
        out,
        "| persister | reads | batches | clerks | ops/s | Get p50, p99 | Put p50, p99 | CPU/op |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for with_files in [false, true] {
        for (read_index, shared) in [(false, false), (true, false), (false, true), (true, true)] {
            let batch = NonZeroUsize::new(256).filter(|_| shared);
            let options = Options { max_raft_state: None, read_index, batch };
            for &clerks in &args.clerks {
                let parent = args.dir.clone().unwrap_or_else(std::env::temp_dir);
                let dir = tempfile::tempdir_in(parent)?;
                let service = Service::new(options, with_files.then(|| dir.path()));
                let work = service.work(clerks, Duration::from_secs(args.seconds));
                writeln!(out, "{}", line(with_files, options, clerks, &work))?;
            }
        }
    }
    Ok(())
}

fn line(with_files: bool, options: Options, clerks: usize, work: &Work) -> String {
    let persister = if with_files { "files" } else { "memory" };
    let reads = if options.read_index { "read index" } else { "log" };
    let batches = if options.batch.is_some() { "yes" } else { "no" };
    let per_second = grouped(work.per_second().round() as u64);
    let (gets, puts, cpu) = (quantiles(&work.gets), quantiles(&work.puts), short(work.cpu_each()));
    format!(
        "| {persister} | {reads} | {batches} | {clerks} | {per_second} | {gets} | {puts} | {cpu} |"
    )
}
