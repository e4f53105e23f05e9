//! Many steps and nothing else, to compare what a step costs with each schedule:
//! `perf stat -e instructions:u target/release/examples/steps pos 4`, with so many tasks.

use std::sync::Arc;

use labrt::sync::Mutex;
use labrt::world::Builder;
use labrt::{Schedule, thread};

const STEPS: u64 = 2_000_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_default();
    let schedule = match name.as_str() {
        "walk" => Schedule::Walk,
        "pct" => Schedule::Pct { depth: 3 },
        "pos" => Schedule::Pos,
        "surw" => Schedule::Surw,
        other => panic!("`{other}` is none of walk, pct, pos, surw"),
    };
    let tasks: u64 = args.next().and_then(|text| text.parse().ok()).unwrap_or(4);
    let body = move |steps: u64| {
        move || {
            let locks = Arc::new([Mutex::new(0u64), Mutex::new(0)]);
            let work = |_| {
                let locks = locks.clone();
                thread::spawn(move || {
                    (0..steps / tasks).for_each(|step| *locks[step as usize % 2].lock() += 1);
                })
            };
            let started: Vec<_> = (0..tasks).map(work).collect();
            started.into_iter().for_each(|task| task.join().expect("it does not panic"));
        }
    };
    let mut world = Builder::simulated(1).schedule(schedule).switch_every(8);
    if schedule.wants_work() {
        let work = Builder::simulated(0).estimate(body(STEPS / 100));
        world = world.work(Arc::new(work));
    }
    let trace = world.run(body(STEPS)).expect("nothing can fail").trace.expect("it is simulated");
    println!("{name}: {} steps, {} switches", trace.steps, trace.switches);
}
