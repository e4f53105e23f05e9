//! Threads, locks, channels, time and randomness, on a real or a simulated clock.
//!
//! Code written against this crate looks like code written against std, parking_lot and crossbeam,
//! whose names and shapes it keeps, and runs in two ways without a change:
//!
//! - on the **real clock**, where each call goes to the real thing: OS threads, parking_lot's
//!   locks, crossbeam's channels, wall time;
//! - on the **simulated clock**, inside [`simulate`], where all tasks of one *world* run one at a
//!   time under a seeded scheduler. Time stands still while anything can run, and jumps to the next
//!   timer when nothing can. A run is a pure function of its seed.
//!
//! ```
//! use std::time::Duration;
//! use labrt::{channel, thread, time::Instant};
//!
//! fn work() -> u32 {
//!     let (sender, receiver) = channel::unbounded();
//!     thread::spawn(move || {
//!         thread::sleep(Duration::from_secs(3600));
//!         sender.send(42)
//!     });
//!     let start = Instant::now();
//!     let answer = receiver.recv().expect("the sender lives until it has sent");
//!     assert!(start.elapsed() >= Duration::from_secs(3600));
//!     answer
//! }
//!
//! // An hour passes in microseconds; seed 7 gives this very run for ever.
//! let outcome = labrt::simulate(7, work).expect("nothing can fail here");
//! assert_eq!(outcome.value, 42);
//! assert_eq!(outcome.elapsed, Duration::from_secs(3600));
//! ```
//!
//! # What runs where
//!
//! The clock is decided at run time by where a call is made: a task of a simulated world is
//! simulated, everything else is real. A *world* ([`world::Builder`]) is one run of a closure with
//! all the tasks it starts; a real world exists too, so that a test can fail, end and clean up in
//! the same way on either clock. Worlds are independent of each other: any number may run side by
//! side in one process.
//!
//! A [`Node`] is a set of tasks within a world that can be killed together, paused, and given a clock of
//! its own: a server.
//!
//! # What a simulated run finds
//!
//! - **Races**: each lock, send, notification and atomic operation may hand the turn to another
//!   task, as the seed decides. The seed also decides how often that happens, from nearly every step
//!   to one in 64. A timer that is due within a moment (up to 1 ms) may fire into running code, as if
//!   that code had taken so long. [`schedule`] has other ways to choose who is next, and says what each
//!   of them finds sooner.
//! - **Missing loops**: a wait on a condition variable rarely ends for no reason, and a weak exchange
//!   rarely fails for none, as every standard allows.
//! - **Deadlocks**: a circle of tasks of which each waits for a lock that the next one holds, or for
//!   its end, is reported at the moment it closes, also if other tasks could go on for ever. (A circle
//!   over a full channel must last for a second: somebody else may receive.) And a
//!   world in which no task can run and no timer is set. The failure says what each task waits for,
//!   where, and who holds it.
//! - **Spinning**: a task that makes calls for ever without letting time pass.
//! - **Stuck worlds**: a task that blocks in something that is not labrt's (a std mutex, a socket)
//!   or computes for ever; noticed on the wall clock.
//! - **Too many tasks**: when there is no memory for another stack the run fails, and says how many
//!   tasks there are and where most of them were started.
//! - **Panics**, in any task: the run fails, naming task, simulated time, place and seed, and tasks
//!   that have waited for a lock for more than a second.
//!
//! Two mistakes end the process, as they do without labrt, but not in silence: a stack overflow (on
//! Unix it names task, seed, [`stack_size`](world::Builder::stack_size) and what
//! [`replay`](world::Builder::replay) was given) and a panic in a
//! destructor while another panic unwinds its task
//! ([`last_words`](world::Builder::last_words) has both panics).
//!
//! [`observe`] lets checkers and traces look at a world without taking part in it.
//!
//! # What a simulated run asks of the code in it
//!
//! To block, sleep, lock, measure time and draw random numbers through this crate only. Not to let
//! addresses or the order of a `HashMap` decide anything, nor what is left in a static from the run
//! before. To read variables of the environment by [`env::var`], so that they are known afterwards. Tasks
//! share the thread-local variables of
//! the world's thread (unless [`SwitchBy::Threads`] is chosen). A task's stack is
//! [`world::Builder::stack_size`] bytes.
//!
//! # What tasks cost
//!
//! A simulated task that waits takes some 5 KiB: only what it has used of its stack is in memory. What
//! is dear is a new stack, some 10 µs of CPU for asking the system and giving it back. A world uses the
//! stack of an ended task again, and the process keeps 1,024 for its next worlds. labrpc's front page
//! has figures for a thread for each call.
//!
//! # What is missing
//!
//! A `select!` over several channels; scoped threads; `park` and `unpark`; `Barrier`, `Once` and `LazyLock`; timed
//! tries of an `RwLock`; mapped guards; `AtomicI8`, and atomics of 16 bits and of pointers. What only looks, such as
//! `JoinHandle::is_finished` or a channel's `len`, is no step: a loop that does nothing else never lets the
//! others run. A lock in a `static` may serve one world at a time only. Simulated locks are not fair: the next
//! owner is the seed's choice, which is the point. Memory orderings weaker than sequential
//! consistency are not simulated: use loom for that.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is the crate that wraps them for all others"
)]

mod changes;
pub mod channel;
mod context;
pub mod env;
pub mod failure;
pub mod killed;
pub mod node;
pub mod observe;
pub mod rng;
pub mod schedule;
mod sim;
pub mod sync;
pub mod thread;
pub mod time;
pub mod world;

pub use failure::{Failure, FailureKind};
pub use killed::Killed;
pub use node::Node;
pub use schedule::Schedule;
pub use sim::kernel::Op;
pub use sim::switch::SwitchBy;
pub use world::{Outcome, simulate};
