//! A model check of the reference Raft's rules: every order of events of a small cluster, looked at.
//!
//! The rules of `raft` are pure: an event goes in, effects come out ([`raft::rules`]). So the very code
//! that runs can be put into every state that a few servers can come to. A run of a test is one path
//! through these states; here they are all searched, those with few steps first, within bounds: servers,
//! terms, commands, heartbeats, crashes, messages that come twice, failed calls, snapshots
//! ([`Model`]) and, if one likes, states and steps ([`Limits`]). Nothing else is bounded, and nothing is
//! measured in seconds: an answer is the same everywhere.
//!
//! ```
//! use raft_model::{Limits, Mistake, Model, Property, check};
//!
//! // Two servers, one election and one command: 14 states, however the servers' names are exchanged.
//! let model = Model { servers: 2, terms: 1, ..Model::default() };
//! let found = check(&model, &Limits::default(), &mut |_| {});
//! assert!(found.exhausted && found.counterexample.is_none());
//! assert_eq!(found.states, 14);
//!
//! // With a server that counts refused votes.
//! let wrong = Model { servers: 3, mistake: Some(Mistake::RefusalCounted), ..model };
//! let found = check(&wrong, &Limits::default(), &mut |_| {});
//! let counterexample = found.counterexample.expect("two leaders of one term");
//! assert_eq!(counterexample.violation.property, Property::ElectionSafety);
//! println!("{}", counterexample.words());
//! ```
//!
//! # What can happen
//!
//! - An election timer runs out, at any time; so does a heartbeat timer. Clocks and random numbers are
//!   outside of the core, so there are none here.
//! - A command comes to a leader; a service takes a snapshot of any part of what it has applied.
//! - Any message under way arrives. So messages overtake each other at will. One that is lost is one that
//!   never arrives: all properties are about what must not happen, so that is the same. A caller may also
//!   be told that its call has failed.
//! - A message arrives and stays under way ([`Model::duplicates`]).
//! - A server crashes, and keeps what it has saved. It may do so between any two steps, and within a step:
//!   when it has saved and before it tells anybody. It comes back.
//!
//! A step is one event and all that the server does because of it, in the order of `perform` in
//! `raft/src/server/event_loop.rs`: save, answer, send, apply. What the server asks to be saved (`Unsaved`) is
//! what its disk gets, and nothing else.
//!
//! # What must hold
//!
//! Behind each step: [`Property`]. Those of Figure 3 of the paper, what they rest on, and what the core
//! promises of itself. `raft-checked` looks at most of them in runs of the real server; that a
//! majority has what is committed is checked only here. What it knows of a run's past would tell apart
//! states that are the same: here it is only who led, what was committed (`history.rs`) and the last vote
//! that each server has told of; all else is looked up in the present.
//!
//! That nothing is found is worth something only if the states are those that matter. So each step
//! says which situations it leads into ([`Found::situations`]), and there are mistakes to be found
//! ([`Mistake`]).
//!
//! # How it is fast
//!
//! - A core is a function, so what an event makes of a server is worked out once and looked up ever
//!   after (`tables.rs`). A few thousand servers and messages make millions of states.
//! - A state is a few numbers, and its fingerprint a sum (`sums.rs`): a step changes what it touches.
//! - States that differ only by the names of the servers are one. That is the search's own work: a part
//!   has a fingerprint under each renaming, and the least sum counts. How many states one stands for is
//!   counted too, so that a search without this can be compared: both come to the same number.
//! - A message that arrives without any effect stays under way: what can happen without it can also
//!   happen with it.
//!
//! # What a fingerprint can miss
//!
//! Of a state that was met only 128 bits are kept. If two states had the same, the second one would be taken
//! for the first, and what follows it would not be looked at: the search might miss something, and would
//! accuse nobody wrongly. With a hundred million states this happens once in some 10^22 searches. That a part
//! of a server is missing in its fingerprint is not left to chance: servers with one fingerprint are
//! compared, whole.
//!
//! # Why not stateright
//!
//! The crate stateright has the same purpose. Its breadth-first search knows no symmetry; it clones and
//! hashes a whole state for each step, and keeps 64 bits; with several threads its counterexamples need not be
//! the shortest. And it cannot know that servers may be looked up.
//!
//! # What is missing
//!
//! - Reads without a log entry (section 8 of the paper).
//! - Several events that are handled before one save, as the server does with what has come together.
//! - That something happens at last: these are states, not the fairness of clocks.
//! - What is beyond the bounds. The counters of `Progress` grow with each message, so heartbeats are dear.

mod counterexample;
mod event;
mod fingerprint;
mod history;
mod interned;
mod message;
mod mistakes;
mod model;
mod search;
mod seen;
mod server;
mod sights;
mod start;
mod state;
mod step;
mod sums;
mod tables;
#[cfg(test)]
mod tests;
mod trace;
mod violation;

pub use counterexample::Counterexample;
pub use mistakes::Mistake;
pub use model::Model;
pub use search::{Found, Limits, check};
pub use start::Start;
pub use violation::{Property, Violation};
