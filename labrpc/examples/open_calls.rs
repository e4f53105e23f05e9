//! What many open calls cost: each waits for a server that is away.
//!
//! ```text
//! cargo run -p labrpc --example open_calls
//! ```

use std::time::Duration;

use cpu_time::ProcessTime;
use labrpc::{ClientEnd, Network, NoReply, Returned};
use labrt::world::Builder;
use labrt::{channel, thread};

const CALLS: u32 = 10_000;

/// A call has ended.
struct Ended;

impl From<Returned<(), u64>> for Ended {
    fn from(_: Returned<(), u64>) -> Ended {
        Ended
    }
}

fn main() {
    report("call_to", |end| {
        let (results, ended) = channel::unbounded::<Ended>();
        (0..CALLS).for_each(|_| end.call_to::<u64, u64, _, _>("Away.Ask", &7, (), &results));
        let taken = resident_kib();
        (0..CALLS).for_each(|_| drop(ended.recv()));
        taken
    });
    for round in ["first", "second"] {
        report(&format!("a thread for each, {round} world"), |end| {
            let call = |_| {
                let end = end.clone();
                thread::spawn(move || {
                    let result: Result<u64, NoReply> = end.call("Away.Ask", &7u64);
                    assert_eq!(result, Err(NoReply));
                })
            };
            let callers: Vec<_> = (0..CALLS).map(call).collect();
            thread::sleep(Duration::from_millis(1));
            let taken = resident_kib();
            callers.into_iter().for_each(|caller| caller.join().expect("it does not panic"));
            taken
        });
    }
}

/// Runs this in a world of its own; it returns how much memory was taken while all calls were open.
fn report(name: &str, calls: impl FnOnce(ClientEnd) -> Option<u64> + Send + 'static) {
    let (began, before) = (ProcessTime::now(), resident_kib());
    let run = Builder::simulated(1).run(move || {
        let network = Network::new();
        network.set_long_delays(true);
        calls(network.make_end("client"))
    });
    let taken = run.unwrap_or_else(|failure| panic!("{failure}")).value;
    let each = began.elapsed() / CALLS;
    println!("{CALLS} open calls, {name}: {each:?} of CPU time each");
    if let (Some(before), Some(taken)) = (before, taken) {
        println!(
            "    {:.1} MiB more in memory than before",
            (taken as f64 - before as f64) / 1024.0
        );
    }
}

/// How much memory this process has taken, where the system tells it.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
