//! How many schedules it takes to find a bug: labrt's scheduler beside shuttle's.
//!
//! [`programs::all`] are small concurrent programs with one bug each, written once against the trait
//! [`Runtime`](runtime::Runtime). [`Program::search`] runs one of them again and again, each time
//! with another schedule, and counts in how many the bug shows. `cargo run --release -p bench
//! --features measure --bin schedules` prints that as a [`table`].
//!
//! The counts depend on the seeds alone, not on the machine or on what else runs there.

pub mod on_labrt;
pub mod on_shuttle;
pub mod programs;
pub mod runtime;
pub mod table;

use std::fmt;

use labrt::Schedule;
use shuttle::scheduler::{PctScheduler, RandomScheduler};

/// The seed of shuttle's schedulers, each of which draws all its schedules from one stream.
const SHUTTLE_SEED: u64 = 0;

/// The depth that shuttle's PCT scheduler is asked for: it changes priorities at two steps.
pub const PCT_DEPTH: usize = 3;

/// A form of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// With its bug.
    Buggy,
    /// Without it.
    Mended,
}

impl Code {
    /// What `f` returns, if this is the mended form.
    fn if_mended<T>(self, f: impl FnOnce() -> T) -> Option<T> {
        (self == Code::Mended).then(f)
    }
}

/// How a bug shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A task panics.
    Panic,
    /// No task can go on.
    Deadlock,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sign::Panic => "panic",
            Sign::Deadlock => "deadlock",
        })
    }
}

/// A schedule's failure.
#[derive(Clone, Debug)]
pub struct Caught {
    /// What it was; `None` for what is no sign of any of the bugs.
    pub sign: Option<Sign>,
    /// What it said.
    pub words: String,
}

/// What chooses the schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// labrt, a world for each of the seeds 0, 1, 2 ...
    Labrt {
        /// How it chooses the next task.
        schedule: Schedule,
        /// See [`labrt::world::Builder::switch_every`]; `None` for its default.
        switch_every: Option<u32>,
    },
    /// shuttle's scheduler that chooses uniformly among all tasks at each step.
    ShuttleRandom,
    /// shuttle's scheduler of random priorities, of depth [`PCT_DEPTH`].
    ShuttlePct,
}

impl Default for Sampler {
    /// labrt as it is.
    fn default() -> Sampler {
        Sampler::Labrt { schedule: Schedule::default(), switch_every: None }
    }
}

/// A program with a bug.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// What it is called.
    pub name: &'static str,
    /// How its bug shows.
    pub sign: Sign,
    on_labrt: fn(Code),
    on_shuttle: Option<fn(Code)>,
}

impl Program {
    /// Runs the program with so many schedules and returns what failed; `None` if `sampler` cannot
    /// run it: shuttle has no time.
    pub fn failures(&self, code: Code, sampler: Sampler, schedules: u32) -> Option<Vec<Caught>> {
        on_shuttle::install_hook();
        if let Sampler::Labrt { schedule, switch_every } = sampler {
            let program = self.on_labrt;
            let worlds = on_labrt::Worlds { schedule, switch_every };
            return Some(on_labrt::failures(move || program(code), worlds, schedules));
        }
        let program = self.on_shuttle?;
        let body = move || program(code);
        let schedules = usize::try_from(schedules).expect("a usize has 32 bits");
        Some(if sampler == Sampler::ShuttleRandom {
            let scheduler = RandomScheduler::new_from_seed(SHUTTLE_SEED, schedules);
            on_shuttle::failures(body, scheduler)
        } else {
            let scheduler = PctScheduler::new_from_seed(SHUTTLE_SEED, PCT_DEPTH, schedules);
            on_shuttle::failures(body, scheduler)
        })
    }

    /// In how many of so many schedules the bug shows; `None` if `sampler` cannot run the program.
    ///
    /// # Panics
    /// If a schedule fails in another way.
    pub fn search(&self, sampler: Sampler, schedules: u32) -> Option<u32> {
        let failures = self.failures(Code::Buggy, sampler, schedules)?;
        if let Some(other) = failures.iter().find(|caught| caught.sign != Some(self.sign)) {
            panic!("{} on {sampler}: this is no {}: {}", self.name, self.sign, other.words);
        }
        Some(u32::try_from(failures.len()).expect("a schedule fails once"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that panics although a deadlock is expected of it.
    const WRONG: Program = Program {
        name: "wrong",
        sign: Sign::Deadlock,
        on_labrt: |_| panic!("something else"),
        on_shuttle: Some(|_| panic!("something else")),
    };

    #[test]
    #[should_panic = "wrong on labrt: this is no deadlock: panic at 0.000 s in task `main`"]
    fn another_failure_on_labrt_is_not_counted() {
        WRONG.search(Sampler::default(), 10);
    }

    #[test]
    #[should_panic = "wrong on shuttle, random: this is no deadlock: something else at tools/bench/src"]
    fn another_failure_on_shuttle_is_not_counted() {
        WRONG.search(Sampler::ShuttleRandom, 10);
    }
}
