//! Prints how much the reference sharded service does, as tables in Markdown:
//! `cargo run --release -p bench --features measure --bin shards -- --help`.

use std::io::{self, Write};
use std::time::Duration;

use bench::shards::{Work, moves, work};
use bench::{quantiles, short};
use clap::Parser;
use trace_view::grouped;

/// Measures the reference sharded service on the simulated clock: groups of three servers, clients that make
/// one call after the other.
///
/// Prints two tables in Markdown: what is done in a second of lab time with more and more groups; and for how
/// long a client gets no answer while its shard moves. A seed stands for one run, so all but the CPU time
/// is the same each time.
#[derive(Parser)]
#[command(name = "shards")]
struct Args {
    /// How many groups there are; a list with commas gives a line each.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,3,4,5,6")]
    groups: Vec<usize>,

    /// How many clients work side by side.
    #[arg(long, value_name = "N", default_value_t = 60)]
    clients: usize,

    /// For how many seconds of lab time.
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// How often the groups change.
    #[arg(long, value_name = "N", default_value_t = 60)]
    changes: usize,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut out = io::stdout();
    writeln!(out, "| groups | ops/s of lab time | p50, p99 | RPCs/op | CPU/op |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for &groups in &args.groups {
        let done = work(groups, args.clients, Duration::from_secs(args.seconds));
        writeln!(out, "{}", line(groups, &done))?;
    }
    writeln!(out, "\n| network | shard | times | no answer for: p50, p99 |")?;
    writeln!(out, "|---|---|---|---|")?;
    for (network, unreliable) in [("reliable", false), ("unreliable", true)] {
        let waits = moves(args.changes, unreliable);
        for (shard, times) in [("moves", &waits.moved), ("stays", &waits.stayed)] {
            let (count, times) = (grouped(times.len() as u64), quantiles(times));
            writeln!(out, "| {network} | {shard} | {count} | {times} |")?;
        }
    }
    Ok(())
}

fn line(groups: usize, done: &Work) -> String {
    let count = done.operations.len().max(1);
    let per_second = grouped((count as f64 / done.time.as_secs_f64()).round() as u64);
    let (times, cpu) = (quantiles(&done.operations), short(done.cpu / count as u32));
    let rpcs = done.rpcs as f64 / count as f64;
    format!("| {groups} | {per_second} | {times} | {rpcs:.1} | {cpu} |")
}
