//! A network in one process that loses, delays and reorders remote procedure calls.
//!
//! The counterpart of the course's Go package of the same name, on labrt's two clocks. A
//! [`Network`] owns named [`ClientEnd`]s and named [`Server`]s; which end reaches which server, and
//! what the network does to its calls, can be changed at any time.
//!
//! In `Cargo.toml`, for a crate beside this workspace:
//!
//! ```toml
//! [dependencies]
//! labgob = { path = "../raft-lab/labgob" } # messages are encoded with it
//! labrpc = { path = "../raft-lab/labrpc" }
//! serde = { version = "1", features = ["derive"] } # what the derives of messages write is for serde
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use labgob::{Deserialize, Gob, Serialize};
//! use labrpc::{NoReply, Network, Server};
//!
//! #[derive(Serialize, Deserialize, Gob)]
//! pub struct Greeting {
//!     name: String,
//! }
//!
//! // One declaration gives the trait to implement, its registration and a typed client.
//! #[labrpc::service]
//! pub trait Greeter {
//!     fn greet(&self, args: Greeting) -> String;
//! }
//!
//! struct Polite;
//! impl Greeter for Polite {
//!     fn greet(&self, args: Greeting) -> String {
//!         format!("Hello, {}!", args.name)
//!     }
//! }
//!
//! let network = Network::new();
//! network.add_server("server", Server::new().service(GreeterService::of(Arc::new(Polite))));
//! let end = network.make_end("client");
//! network.connect("client", "server");
//! let greeter = GreeterClient::new(end);
//!
//! let ada = Greeting { name: "Ada".into() };
//! assert_eq!(greeter.greet(&ada), Err(NoReply)); // a new end is disabled
//! network.enable("client", true);
//! assert_eq!(greeter.greet(&ada), Ok("Hello, Ada!".to_string())); // on the wire: `Greeter.Greet`
//! ```
//!
//! # What becomes of a call
//!
//! 1. The arguments are encoded at once: caller and callee never share an object.
//! 2. What the network will do is decided once, from its state at this moment: is the end enabled
//!    and connected, is there such a server, is the network unreliable.
//! 3. A call that cannot reach its server fails after a while: up to 0.1 s, or up to 7 s with
//!    [long delays](Network::set_long_delays).
//! 4. On an [unreliable](Network::set_reliable) network the request waits a little and may be lost.
//! 5. The handler runs. Should the end be disabled or the server be deleted or replaced meanwhile,
//!    the call fails within 0.1 s, though the handler goes on.
//! 6. The reply may be lost on an unreliable network, and be late with
//!    [long reordering](Network::set_long_reordering).
//!
//! Four more things are never done unless somebody asks for them: a request may come twice
//! ([`Faults::duplication`]), replies may have no [way back](Network::set_way_back), an end may be
//! [slow](Network::set_slowness), and a server whose [node is paused](labrt::Node::pause) handles nothing
//! until it goes on.
//!
//! Every probability and delay is in [`Faults`]. A call fails in one way only, [`NoReply`], and the
//! caller cannot know whether the handler ran. No call waits for another one.
//!
//! # Forms of a call
//!
//! - **Blocking**: what a typed client's methods and [`ClientEnd::call`] do.
//! - **With a function**: `greet_then(&args, |result| ...)` and [`ClientEnd::call_then`] return at
//!   once, and the function gets the result.
//! - **With a channel**: `greet_to(&args, tag, &channel)` and [`ClientEnd::call_to`] return at once,
//!   and the result comes as a message. The form for an event loop, and the cheapest one.
//!
//! A handler may answer later: a method that takes a [`Reply`] may return before it has answered, and
//! some other task answers.
//!
//! # What open calls cost
//!
//! A peer that is away takes up to 7 s to fail, so a program may have thousands of calls open. In a
//! world, from the call to its end, each of 10,000 costs:
//!
//! | form | CPU | memory | all 10,000 |
//! |---|---|---|---|
//! | a thread for each, in a blocking call | 20 µs | 5 KiB | 0.2 s, 52 MiB |
//! | with a channel | 2 µs | 0.4 KiB | 0.02 s, 4 MiB |
//!
//! `cargo run -p labrpc --example open_calls` measures it (these are of a busy machine with 2 cores).
//! More than half of the first line is the system's work for 10,000 stacks; a program with up to 1,024
//! calls open at a time gets them from earlier worlds.
//!
//! Of the second line no task is to be seen. So if a run fails at its time limit, or since there is no memory for
//! another task, its report says at which lines most of the open calls were made, if these are a hundred or more.
//!
//! # What runs on which task
//!
//! | what | where | may it block? |
//! |---|---|---|
//! | a handler | a task of its own, in the server's node | yes, for ever |
//! | a handler marked `#[rpc(inline)]` | whichever task brings the request: the caller's, or the network's own; in the server's node | no |
//! | the function of `call_then` | a task of its own, in the node of the task that made the call | yes |
//! | `From` of a message of `call_to`, `Deserialize` of its reply | whichever task has the reply | no; a call into labrt panics |
//! | an [`Observer`] | whichever task makes the step | no |
//!
//! Nothing of these runs while a lock of the network is held. A panic ends only what it happens in:
//! in a world it fails the run, under the name of the method or of the network, and elsewhere the
//! call fails and the network goes on. (A call whose observer panics there may stay open for ever.)
//!
//! # Watching
//!
//! [`Network::watch`] has an [`Observer`] told of every step of every call, with the messages field
//! by field whatever their types are. It is what traces and checkers are made with, and costs
//! nothing where there is none.
//!
//! # Mistakes fail loudly
//!
//! A service or method that does not exist, arguments or a reply of another type than the
//! handler's: the call panics with the names that do exist, and with the line that makes it. Twice the same
//! end name: likewise.
//!
//! # What is missing
//!
//! Streams, deadlines per call and cancellation, which the course's package does not have either.

mod call;
mod client;
mod copies;
mod ends;
mod exchange;
mod faults;
mod kept;
mod name;
mod network;
mod observer;
mod reply;
mod request;
mod server;
mod service;
mod slots;
mod timers;

pub use client::{ClientEnd, NoReply, Returned};
pub use faults::{Conditions, FaultCounts, Faults};
pub use kept::KeptRequest;
pub use labgob;
pub use labrpc_macros::service;
pub use labrt;
pub use name::Name;
pub use network::Network;
pub use observer::{CallEvent, CallStep, Leg, Loss, Message, Observer};
pub use reply::Reply;
pub use server::Server;
pub use service::Service;
