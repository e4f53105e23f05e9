//! A zoo of right but odd Rafts.

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
