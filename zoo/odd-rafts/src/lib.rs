//! A zoo of right but odd Rafts: each does something in its own way, as a right Raft may.
//!
//! The tester judges any Raft by its messages. So it must understand what Rafts of others say, and must not
//! accuse them of what is only a habit. These Rafts try that: all of them are right, so a rule that accuses one
//! of them is wrong itself. None of them uses this workspace's crate `raft`.
//!
//! [`OddRaft`] is all of them. Which one it is, the environment variable `ODD_RAFT` says ([`VARIABLE`]): names
//! that are joined by `+`.
//!
//! ```text
//! ODD_RAFT=event_loop+pipelined+short_names cargo test -p odd-rafts --test sim -- 2B
//! ```
//!
//! A name that does not exist is refused, and the message lists all names. Without any name it is the plain
//! Raft: a thread for each call, no habit, and the messages of Figure 2.
//!
//! | kind | how many | what it is | its names, and what they mean |
//! |---|---|---|---|
//! | shape | one | which tasks a server has, and which of them wait | `src/choice.rs` (`SHAPES`), and the heads of the files in `src/driver` |
//! | habit | any number | what a server sends, answers or keeps | [`Habits`] (`src/habits.rs`), one sentence for each |
//! | dress | one | what messages look like on the wire: their names, entries, replies | `src/dress/table.rs`, and the heads of the files in `src/dress` |
//! | tikv's Raft | alone | a library that others have written, with habits of its own | `src/choice.rs` (`TIKV`), and the head of `src/tikv.rs` |
//!
//! Some names bring another one along: the dress `single_entry` is for the habit `one_entry`. Some do not go
//! together: the message says why. A few odd Rafts cannot pass a certain test though they are right:
//! `eager+duplicates` sends each command at once, and twice, which is too many RPCs for `rpc_counts_2B`; tikv's
//! Raft is used without snapshots. `src/choice.rs` has all of this in tables (`CONTRADICTIONS`, `EXEMPT`) and in
//! [`Odd::exempt_from`].
//!
//! # All of them at once
//!
//! `tests/all` runs each name with each test, and pairs of names that are drawn, in worlds of its own
//! ([`choose`]). With `chosen` it runs those that are asked for, separated by commas:
//!
//! ```text
//! cargo test -p odd-rafts --test all
//! LAB_SEEDS=20 ODD_RAFT=pipelined,eager+ok cargo test -p odd-rafts --test all -- chosen
//! ```
//!
//! # One more
//!
//! - A habit is a name with its sentence in `src/habits.rs`, and `habits.` with this name wherever the server's
//!   rules (`src/server.rs` and the files below it) do otherwise.
//! - A dress is a type for each message that looks otherwise, and a row in `src/dress/table.rs`.
//!
//! Both are then among all that `tests/all` runs.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, Persisted, RaftState, Started};

mod choice;
mod dress;
mod driver;
mod durable;
mod habits;
mod log;
mod message;
mod server;
mod tikv;

pub use choice::{Odd, VARIABLE, choose};
pub use habits::Habits;

use driver::Running;
use durable::Durable;
use tikv::Tikv;

/// The odd Raft that was chosen.
pub struct OddRaft {
    running: Arc<dyn Running>,
}

impl raft_api::Raft for OddRaft {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let odd = Odd::chosen();
        let running = match odd.tikv() {
            Some(name) => Tikv::run(name, peers, me, persister, apply)?,
            None => driver::run(&odd, peers, me, persister, apply)?,
        };
        Ok(Arc::new(OddRaft { running }))
    }

    fn read_persisted(saved: &[u8]) -> Option<Persisted> {
        // The two know their own by its type.
        let ours = Durable::restore(saved).ok().map(|durable| durable.meaning());
        ours.or_else(|| tikv::Saved::restore(saved).ok().map(|saved| saved.meaning()))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        vec![self.running.clone().service()]
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        self.running.start(command)
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.running.snapshot(index, snapshot);
    }

    fn state(&self) -> RaftState {
        self.running.state()
    }

    fn kill(&self) {
        self.running.kill();
    }
}

impl fmt::Debug for OddRaft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OddRaft")
    }
}
