//! Decides whether a history of concurrent operations is linearizable, and shows why it is not.
//!
//! Clients call a service, at the same time, and note what they asked for, what they got, and when.
//! The service is *linearizable* if there is one order of all operations in which each takes effect at
//! one moment between its call and its return, and in which each output is the one that a sequential
//! object would have given (Herlihy and Wing, 1990). This crate takes such a [`History`] and a
//! [`Model`] of the object, and gives an [`Answer`]:
//!
//! - **linearizable**, with an order that shows it;
//! - **not linearizable**, with the few operations that cannot be ordered, and with the longest orders
//!   that are possible;
//! - **undecided** within the [`Limits`], with what was decided. Limits count steps and bytes and never
//!   seconds: an answer is the same on every machine.
//!
//! In `Cargo.toml`, for a crate beside this workspace:
//!
//! ```toml
//! [dependencies]
//! linearizability = { path = "../raft-lab/linearizability" }
//! ```
//!
//! ```
//! use linearizability::models::{Kv, KvInput, KvOutput};
//! use linearizability::{Answer, Limits, Recorder, check, view::Picture};
//!
//! let key = || "x".to_string();
//! let mut recorder = Recorder::new();
//! let append = recorder.call(1, KvInput::Append { key: key(), value: "a".into() });
//! let early = recorder.call(2, KvInput::Get { key: key() });
//! recorder.returned(early, KvOutput::Value("a".into())); // the append took effect before it returned
//! recorder.returned(append, KvOutput::Done);
//! let late = recorder.call(3, KvInput::Get { key: key() });
//! recorder.returned(late, KvOutput::Value("".into())); // stale
//!
//! let history = recorder.finish()?;
//! let report = check(&Kv, &history, &Limits::default());
//! let Answer::NotLinearizable(violation) = &report.answer else { panic!() };
//! assert_eq!(violation.operations, [early.place(), late.place()]);
//! println!("{}", Picture::new("my service", &Kv, &history, &report.answer).text());
//! # Ok::<(), linearizability::HistoryError>(())
//! ```
//!
//! # Operations that never returned
//!
//! A client that gave up does not know whether its operation took effect; it may even do so later.
//! Such an operation has no return ([`Operation::pending`]), and may come anywhere after its call, or
//! nowhere. Do not leave it out: then whoever saw its effect would be a violation.
//!
//! # How it decides
//!
//! By four means, the cheapest first. Each can be used alone.
//!
//! 1. **A witness** ([`witness::verify`]). Who knows in which order the operations took effect, such as
//!    a service with a log, needs no search: one walk along that order shows that it is right.
//! 2. **Distinct values** ([`Means::Distinct`]). If whoever reads a value knows who wrote it, all
//!    operations on one value must come one after the other, and what is left to compare are stretches of
//!    time (Gibbons and Korach, 1997). This is also so for texts that are appended to, if all that is
//!    appended is different, as in tests of services it should be.
//! 3. **A way of the model's own** ([`Means::Shortcut`]). A [`Queue`](models::Queue) of distinct values is decided by
//!    comparing stretches of time (after Henzinger, Sezgin and Vafeiadis, 2013). Others see at once that a
//!    value was read that nobody wrote, or a text that nobody can have put together by then.
//! 4. **A search** ([`Means::Search`]) tries orders (Wing and Gong, 1993), and never twice from one
//!    set of ordered operations and one state (Lowe, 2017). Deciding is NP-complete in general, so
//!    this is where the limits are needed.
//!
//! Each object, such as each key of a map, is decided by itself ([`Model::key`]); a history is
//! linearizable if and only if each object's is.
//!
//! What the search does beyond the papers:
//!
//! - What only reads is placed as soon as it fits, without an alternative ([`Model::reads_only`]).
//! - What is ordered is known from the first return that is still to come and one bit for each operation
//!   under way then. So an entry of the cache has two words for up to 64 clients, in a history of any
//!   length.
//! - Operations that never returned do not double the work each: those that ask for the same are one,
//!   and a point is also known if it was reached with fewer of them.
//! - If a search is a hard one, orders are looked for first in which only few of these took effect: one that needs the
//!   last of many would be found last.
//! - States have numbers; going back is setting a number back.
//!
//! # What it costs
//!
//! With `n` operations of which at most `c` are under way at a time:
//!
//! | means | time | memory |
//! |---|---|---|
//! | witness | `n log n` to sort, then one step of the model each | `n` |
//! | distinct values | `n log n`, and the length of all that was read | `n` |
//! | a map's own way | the length of all that was read, times the texts that are beginnings of each other | that length |
//! | a queue's own way | `n log n` | `n` |
//! | search | up to `n · 2^c · states`, in practice about `n · c` if the history is linearizable | as many entries, of 2 words for `c` up to 64, and each different state once |
//!
//! The limits count what the search does. The other means have bounds of their own where they take longer than it takes
//! to sort: beyond these a model's own way knows nothing, and the search decides.
//!
//! An explanation asks for a decision some `2 k log n` times, where `k` is the number of operations that
//! remain. If these are many, it asks as often again for few that show it with a later return. It is bounded by the limits
//! too, by what the decision took, and by the number of operations that it asks about, whatever the limits. It says if
//! that ended it ([`Violation::minimal`]).
//!
//! # What a violation says
//!
//! A violation names a few operations such that there is no order *even if no other had returned*: even
//! if nothing were known about the others but when they were called and what they asked for. That is
//! what "the others do not matter" means: if they were simply left out, a read would be a violation as
//! soon as its write is gone. The set is minimal: if any one of its operations had not returned either,
//! there would be an order. If that took too long to find out, it is not known to be.
//!
//! # Time
//!
//! An operation is before another one if it returned *before* the other was called; what happened at
//! one time is concurrent. On a coarse clock, or a simulated one, many things happen at one time, and
//! violations between them go unseen: let a [`Recorder`] count events instead.
//!
//! # Pictures and files
//!
//! [`view`] shows a history as a page and as text; [`read`] reads Jepsen's histories and Porcupine's
//! test files.
//!
//! # What is missing
//!
//! - Histories of many independent registers (`jepsen.independent`) cannot be read, and are refused where they
//!   show it: make a file for each key, or put the key into the input of a model of your own.
//! - There are no files for versioned maps.
//! - One thread decides. Objects could be decided side by side.
//! - A violation is looked for in the first object that has one, not in all.

mod answer;
mod check;
mod decide;
mod distinct;
mod explain;
mod history;
mod model;
pub mod models;
mod part;
pub mod read;
mod search;
pub mod view;
pub mod witness;

pub use answer::{Answer, Limits, Means, Open, Report, Stopped, Undecided, Violation, Work};
pub use check::{check, check_by, check_with_witness, is_linearizable};
pub use history::{History, HistoryError, MOST_OPERATIONS, Operation, Recorder, Returned, Ticket};
pub use model::{Access, Known, Model, Seen, Step};
