//! Which of the tasks that can run has the next turn: the ways to choose in a simulated world.
//!
//! All of them choose by the seed alone, and a world that is run again with its seed, its schedule and
//! its [`Work`] runs the same way. They differ in which mistakes they find soon:
//!
//! | | how it chooses | finds soon |
//! |---|---|---|
//! | [`Walk`](Schedule::Walk) | the running task goes on for a drawn number of steps; then any other task | a bit of everything |
//! | [`Pct`](Schedule::Pct) | the highest of random priorities; at a few drawn steps the running task gets one of the lowest | what needs few switches at the right places |
//! | [`Pos`](Schedule::Pos) | the smallest of random numbers, drawn anew by each operation and for those that it meets | orders of operations on the same object |
//! | [`Surw`](Schedule::Surw) | by how many operations each task still has to make | orders of many operations of few tasks |
//!
//! `docs/performance.md` has a table of what each of them finds. In every one of them a timer may fire
//! into running code, waits may end for no reason, a task that lets others go first does so, and one that
//! makes 10,000 steps in a row while others could run has to.
//!
//! PCT and SURW want to know how much a run has to do. [`Builder::estimate`](crate::world::Builder::estimate)
//! finds that out by a run of its own.

pub use crate::sim::order::Work;

/// How a simulated world chooses the next task. See the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// Every task that can run is equally likely, with a drawn number of steps between two switches.
    #[default]
    Walk,
    /// Random priorities that change at `depth - 1` drawn steps (Burckhardt, Kothari, Musuvathi,
    /// Nagarakatte 2010): who is about to make that operation gets a priority below all that were drawn; which of
    /// those, is drawn too. A mistake that needs `depth` operations in a certain order is found with a
    /// known chance. The steps are drawn from as many as the [`Work`] has; after them the choice is fair,
    /// since a task that waits in a loop for another one would keep it from running for ever.
    Pct {
        /// How many operations have to come in a certain order. 0 and 1 change no priority.
        depth: u32,
    },
    /// Partial order sampling (Yuan, Yang, Gu 2018): each task has a random number, and the smallest
    /// runs. After its operation its number is drawn anew, and that of each task whose next operation
    /// touches the same object, if one of the two changes it.
    Pos,
    /// Selectively uniform random walk (Zhao et al. 2025): who makes the next interesting operation is
    /// drawn by how many of them each task has yet to make, itself and by the tasks that it will start;
    /// only interesting ones wait for that. The seed draws what is interesting: everything, or what is
    /// done to one kind of object. Without a [`Work`] all tasks count alike.
    Surw,
}

impl Schedule {
    /// True if it wants to know how much there is to do: see
    /// [`Builder::work`](crate::world::Builder::work).
    pub fn wants_work(self) -> bool {
        matches!(self, Schedule::Pct { .. } | Schedule::Surw)
    }
}
