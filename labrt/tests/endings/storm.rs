//! Kills, pauses, caught panics and destructors that wait, all at once: nobody waits for ever for what is free, and a
//! seed stands for one run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use labrt::rng::{self, RngExt, Stream};
use labrt::sync::{Arc, Condvar, Mutex, RwLock};
use labrt::world::Builder;
use labrt::{Node, Schedule, channel, thread};

/// What a run has besides.
#[derive(Clone, Copy)]
struct Kind {
    /// Main returns while all others are at work.
    ends_early: bool,
    panics: bool,
    pauses: bool,
    /// The channel's capacity.
    capacity: usize,
}

/// What all tasks use.
struct Shared {
    lock: Mutex<u64>,
    changed: Condvar,
    table: RwLock<u64>,
    sender: channel::Sender<u64>,
    receiver: channel::Receiver<u64>,
}

fn micros(rng: &mut Stream, most: u64) -> Duration {
    Duration::from_micros(rng.random_range(0..most))
}

impl Shared {
    fn new(capacity: usize) -> Arc<Shared> {
        let (sender, receiver) = channel::bounded(capacity);
        let (lock, table) = (Mutex::new(0), RwLock::new(0));
        Arc::new(Shared { lock, changed: Condvar::new(), table, sender, receiver })
    }

    /// Something that may wait, but not for ever.
    fn use_some(&self, rng: &mut Stream) {
        match rng.random_range(0..8) {
            0 => {
                let mut count = self.lock.lock();
                *count += 1;
                thread::sleep(micros(rng, 30));
                self.changed.notify_one();
            }
            1 => {
                if let Some(mut count) = self.lock.try_lock_for(micros(rng, 100)) {
                    *count += 1;
                    self.changed.notify_all();
                }
            }
            2 => drop(self.changed.wait_for(&mut self.lock.lock(), micros(rng, 100))),
            3 => {
                let _table = self.table.read();
                thread::sleep(micros(rng, 30));
            }
            4 => *self.table.write() += 1,
            5 => thread::sleep(micros(rng, 100)),
            6 => _ = self.sender.send_timeout(3, micros(rng, 50)),
            _ => _ = self.receiver.recv_timeout(micros(rng, 50)),
        }
    }
}

/// Uses what is shared some times more when it is dropped.
struct Last(Arc<Shared>, usize);

impl Drop for Last {
    fn drop(&mut self) {
        let mut rng = rng::stream("last");
        (0..self.1).for_each(|_| self.0.use_some(&mut rng));
    }
}

fn work(shared: &Arc<Shared>, panics: bool) {
    let mut rng = rng::stream("work");
    let _last = Last(shared.clone(), 4);
    for _ in 0..15 {
        let last = || Last(shared.clone(), 2);
        match rng.random_range(0..10) {
            0 if panics => {
                let panics = || {
                    let _last = last();
                    panic!("this one is caught");
                };
                let _ = catch_unwind(AssertUnwindSafe(panics));
            }
            // Nobody joins it, so its value is dropped within it.
            1 => {
                let last = last();
                drop(thread::spawn(move || last));
            }
            _ => shared.use_some(&mut rng),
        }
    }
}

fn world(Kind { ends_early, panics, pauses, capacity }: Kind) -> u64 {
    let shared = Shared::new(capacity);
    let nodes = [(); 3].map(|()| Node::new("n"));
    let tasks: Vec<_> = (0..7)
        .map(|n| {
            let shared = shared.clone();
            let body = move || work(&shared, panics);
            match nodes.get(n % 4) {
                Some(node) => node.spawn(body),
                None => thread::spawn(body),
            }
        })
        .collect();
    let mut rng = rng::stream("trouble");
    for node in &nodes {
        if pauses {
            node.pause();
        }
        thread::sleep(micros(&mut rng, 500));
        if rng.random() {
            node.resume();
        }
        for _ in 0..rng.random_range(1..=2) {
            node.kill();
            thread::sleep(micros(&mut rng, 50));
        }
    }
    if !ends_early {
        tasks.into_iter().for_each(|task| _ = task.join());
    }
    *shared.lock.lock()
}

#[test]
fn whatever_is_killed_paused_or_panics_nobody_waits_for_ever() {
    let schedules = [Schedule::Walk, Schedule::Pos, Schedule::Surw, Schedule::Pct { depth: 3 }];
    for seed in 0..600_u64 {
        let is = |bit: u64| seed >> bit & 1 == 1;
        let kind =
            Kind { ends_early: is(2), panics: is(3), pauses: is(4), capacity: usize::from(is(5)) };
        let run = || {
            let builder = Builder::simulated(seed).schedule(schedules[seed as usize % 4]);
            let outcome = builder.time_limit(Duration::from_secs(60)).run(move || world(kind));
            outcome.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"))
        };
        let outcome = run();
        if seed < 100 {
            assert_eq!(outcome.trace, run().trace, "seed {seed}");
        }
    }
}
