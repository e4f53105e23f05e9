//! What a server of the store may say about itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use labrt::{Node, observe, world};

use crate::SHARDS;

/// What a group does with a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holding {
    /// It has none of the shard's data.
    #[default]
    Nothing,
    /// It has its data, or what they were when it served the shard last, and answers nobody: the shard
    /// is on its way to another group, say, or has not been deleted yet.
    Keeps,
    /// It answers clerks.
    Serves,
}

/// What a group does with the shards, from some entry of its log on.
///
/// The default is that of a group that has executed nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The number of the configuration that it has come to.
    pub config: u64,
    /// What it does with each shard.
    pub shards: [Holding; SHARDS],
}

/// Who hears what servers [`tell`].
pub trait Listener: Send + Sync {
    /// The server of this node has come to stand like this. It is called on the server's task, must
    /// make no step of a simulated run, and its panic is one of that task.
    fn told(&self, server: &Node, standing: Standing);
}

/// Says how the calling server's group stands from now on, for a tester that can judge more then.
///
/// It is one line, and nobody is asked to write it. Call it where the machine executes an entry, or
/// takes over a snapshot, also at the start, which changes what it says: on each server, whether it leads or not, and for each
/// configuration, also one that changes nothing but the number. And call it before anything comes of
/// that, such as an answer, a message to another group, or the next entry. Then what the servers of a
/// group say comes in the order of their log, whoever of them is ahead. To say again what is so already
/// does no harm.
///
/// It may be called with locks held: it takes none of yours, and is no step of a simulated run. `standing`
/// is called only if somebody listens.
pub fn tell(standing: impl FnOnce() -> Standing) {
    if LISTENERS.load(Ordering::Relaxed) == 0 || observe::is_unwinding() {
        return;
    }
    let Some(slot) = world::local::<Slot>() else { return };
    if let (Some(listening), Some(server)) = (slot.0.get(), Node::current()) {
        listening.listener.told(&server, standing());
    }
}

/// Has somebody hear what the servers of the caller's world tell. Does nothing outside a world.
///
/// # Panics
/// If somebody listens already.
pub fn listen(listener: Arc<dyn Listener>) {
    let Some(slot) = world::local::<Slot>() else { return };
    let fresh = slot.0.set(Listening::new(listener)).is_ok();
    assert!(fresh, "one listener hears what the servers of a world tell");
}

/// How many worlds of this process have a listener. While there is none, nobody looks further.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// The listener of a world, as a value of the world. std's cell, since a look at labrt's is a step.
#[derive(Default)]
struct Slot(OnceLock<Listening>);

struct Listening {
    listener: Arc<dyn Listener>,
}

impl Listening {
    fn new(listener: Arc<dyn Listener>) -> Listening {
        LISTENERS.fetch_add(1, Ordering::Relaxed);
        Listening { listener }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}
