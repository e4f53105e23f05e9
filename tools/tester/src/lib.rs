//! What the testers of all labs share: running a test on two clocks, and groups of servers.
//!
//! Nothing here knows what is tested. A lab's own tester (`raft-tests` for lab 2) is made of these
//! parts:
//!
//! - A [`Test`] has a part of the lab, a title and a body. [`simulated`] and [`real`] run it: with the
//!   seeds that the environment asks for, with records, traces, lines and verdicts.
//! - Its body gets the [`Run`]: what is taken away from the test, whom to warn, what is recorded.
//! - In the body's world there is a [`Net`], the network with all that happens on it, and on that are
//!   [`Group`]s of servers: each is started, crashed, connected, cut off, or split into parts that
//!   both live.
//! - A [`Client`] has ends to servers of one group or of several; it is connected and cut off by
//!   itself. What it asks the service for, its operations, are counted, and stand in the trace.
//! - A group may have [`Watcher`]s that see its servers come and go, and each step of each call
//!   between them and from clients to them. `raft-watch` is one.
//! - A test in which anything happens at once is made of the parts in [`swarm`].
//!
//! `docs/own-service.md` goes from an empty crate to a suite of these parts; its example is the crate
//! `queue-example`, in `examples/queue`.
//!
//! In `Cargo.toml`, for a crate beside this workspace:
//!
//! ```toml
//! [dependencies]
//! labrpc = { path = "../raft-lab/labrpc" } # the network that the servers are on
//! labrt = { path = "../raft-lab/labrt" } # the worlds that tests run in
//! tester = { path = "../raft-lab/tools/tester" }
//! ```
//!
//! ```
//! use tester::{Group, Keep, Net, Run, Setting};
//! use labrt::simulate;
//! use labrpc::Service;
//!
//! /// A server that does nothing.
//! #[derive(Clone)]
//! struct Idle;
//!
//! impl tester::Server for Idle {
//!     fn services(&self) -> Vec<Service> {
//!         Vec::new()
//!     }
//!     fn kill(&self) {}
//! }
//!
//! let run = Run::silent();
//! let servers = simulate(7, move || {
//!     run.enter();
//!     let net = Net::new(&run);
//!     let group = Group::<Idle>::new(&net, "", 3);
//!     (0..3).for_each(|server| group.start(server, |_seat| || Ok(Idle)));
//!     group.partition(&[&[0, 1], &[2]]);
//!     assert!(group.reaches(0, 1) && !group.reaches(1, 2));
//!     group.end();
//!     net.cleanup();
//!     group.servers()
//! });
//! assert_eq!(servers.expect("nothing fails").value, 3);
//! ```
//!
//! # Several groups in one run
//!
//! Labs 3 and 4 have more than one group on one network. A group with a name, `100` say, has servers
//! `100-0`, `100-1` and so on: so they are called on the network, their nodes and their lanes in a
//! trace `server 100-0`. The one group of lab 2 has no name, and its servers are `0`, `1`, .... All
//! groups are made before the first client is: in a trace the lanes of servers come first.
//!
//! A server reaches those of other groups by their names, through [`Others`], which it is made with. A
//! server can be [cut off](Group::cut_from) from another group, also if that is not one of its kind.
//!
//! # What is missing
//!
//! Calls from group to group stand in the trace, but no [`Watcher`] is told of them.

mod afresh;
mod client;
mod foreign;
mod group;
mod members;
mod net;
mod observer;
mod others;
mod recorder;
mod report;
mod run;
mod runner;
mod saves;
mod schedule;
mod seeds;
pub mod swarm;
mod test;
mod trace_files;
mod twice;
mod verdict;

pub use client::Client;
pub use group::{Group, Instance, MakeError, Seat, Server};
pub use labtrace::Keep;
pub use members::Members;
pub use net::Net;
pub use observer::{Call, ClientCall, Obstacles, Watcher};
pub use others::Others;
pub use report::Columns;
pub use run::{Judged, Run};
pub use run_record::setting::{Setting, Trouble};
pub use runner::{TIME_LIMIT, real, simulated};
pub use saves::SaveCount;
pub use schedule::on_labrt;
pub use test::{Origin, Test, Totals};
pub use trace_files::VARIABLE as TRACE_VARIABLE;
pub use verdict::said_of;
