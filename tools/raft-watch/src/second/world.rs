//! The world of a second server: nobody is there but itself and who asks.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{KeptRequest, Network, Server};
use labrt::world::Builder;
use labrt::{Node, channel, thread};
use persister::{MemoryPersister, Persister};

use crate::RaftType;

/// What a server is made from.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) me: usize,
    pub(crate) servers: usize,
    pub(crate) state: Vec<u8>,
    pub(crate) snapshot: Vec<u8>,
    /// The seed of its world.
    pub(crate) seed: u64,
}

/// A request, and how long to wait after its answer.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) request: KeptRequest,
    pub(crate) wait: Duration,
}

/// How long a world may go on, on its own clock. A handler that takes longer says nothing.
const LIMIT: Duration = Duration::from_secs(10);

/// The answers as they are encoded, one for each step, or none where the call failed.
type Answers = Vec<Option<Vec<u8>>>;

/// Makes a server of this type and asks it.
///
/// # Errors
/// What has gone wrong, in words that follow "a second server".
pub(crate) fn ask(raft: RaftType, saved: &Saved, steps: &[Step]) -> Result<Answers, String> {
    let (saved, steps) = (saved.clone(), steps.to_vec());
    // Tasks run until they wait: it is the bytes that are looked at, not the order of tasks.
    let world = Builder::simulated(saved.seed).switch_every(0).time_limit(LIMIT);
    match world.run(move || answers(raft, &saved, &steps)) {
        Ok(outcome) => outcome.value,
        Err(failure) => Err(format!("failed: {}", failure.message)),
    }
}

fn answers(raft: RaftType, saved: &Saved, steps: &[Step]) -> Result<Answers, String> {
    let network = Network::new();
    let me = saved.me.to_string();
    // Nobody is behind these ends, and none of them is enabled.
    let ends = (0..saved.servers).map(|peer| network.make_end(format!("{me}-{peer}"))).collect();
    let node = Node::new(format!("server {me}"));
    let (apply, _committed) = channel::unbounded();
    let persister = saved.persister();
    let made = node.enter(|| raft.make(ends, saved.me, persister, apply));
    let raft = match made {
        Ok(Ok(raft)) => raft,
        Ok(Err(error)) => return Err(format!("cannot be made: {error}")),
        Err(_) => return Err("was killed".to_string()),
    };
    let services = node.enter(|| raft.clone().services()).unwrap_or_default();
    let server = services.into_iter().fold(Server::new(), Server::service);
    network.add_server(me.as_str(), server.node(node));
    let end = network.make_end("who asks");
    network.connect("who asks", me.as_str());
    network.enable("who asks", true);
    let ask = |step: &Step| {
        let answer = end.call_kept(&step.request).ok();
        thread::sleep(step.wait);
        answer
    };
    Ok(steps.iter().map(ask).collect())
}

impl Saved {
    fn persister(&self) -> Arc<dyn Persister> {
        let persister = MemoryPersister::new();
        persister
            .save_state_and_snapshot(&self.state, &self.snapshot)
            .expect("memory can be written");
        Arc::new(persister)
    }
}
