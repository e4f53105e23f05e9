//! Random numbers that depend on the world's seed alone.
//!
//! Every *stream* is derived from the seed, a label and how often that label has been asked for in
//! this world. One more draw from one stream shifts no other.

use std::convert::Infallible;
use std::sync::Arc;

use rand::rand_core::TryRng;
pub use rand::{Rng, RngExt};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::changes::Changes;
use crate::context;
use crate::node::Node;

/// A stream of random numbers; use it through [`rand`]'s traits ([`RngExt`] is re-exported).
#[derive(Clone, Debug)]
pub struct Stream {
    rng: Xoshiro256PlusPlus,
    /// What changes it, in a world that has [changes](crate::world::Builder::changes).
    changing: Option<Box<Changing>>,
}

/// What a stream knows of its world's changes.
#[derive(Clone, Debug)]
struct Changing {
    changes: Arc<Changes>,
    /// What the stream was made of.
    seed: u64,
    /// What the salt of the changes was at the last draw.
    salt: u64,
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.changed().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.changed().try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.changed().try_fill_bytes(bytes)
    }
}

impl Stream {
    /// The stream of a given seed, the same on every platform and in every version, whatever changes in
    /// a world.
    pub fn seeded(seed: u64) -> Stream {
        Stream { rng: Xoshiro256PlusPlus::seed_from_u64(seed), changing: None }
    }

    /// What to draw from at this moment.
    fn changed(&mut self) -> &mut Xoshiro256PlusPlus {
        if let Some(changing) = &mut self.changing {
            let salt = changing.changes.salt();
            if changing.salt != salt {
                changing.salt = salt;
                self.rng = Xoshiro256PlusPlus::seed_from_u64(changing.changes.seed(changing.seed));
            }
        }
        &mut self.rng
    }
}

/// A new stream with this label. Outside a world it is seeded by the operating system.
///
/// ```
/// use labrt::rng::{self, RngExt};
/// let draw = || rng::stream("network").random_range(0..1000);
/// let first = labrt::simulate(1, draw).unwrap().value;
/// assert_eq!(first, labrt::simulate(1, draw).unwrap().value);
/// ```
pub fn stream(label: &str) -> Stream {
    match context::world() {
        Some(world) => {
            let seed = world.next_stream_seed(label);
            let changing = world.changes.as_ref().map(|changes| {
                let (changes, salt) = (changes.clone(), changes.first_salt());
                Box::new(Changing { changes, seed, salt })
            });
            Stream { changing, ..Stream::seeded(seed) }
        }
        None => Stream::seeded(rand::random()),
    }
}

/// A new stream labelled with the calling task's node: what a server draws its timeouts from.
pub fn node_stream() -> Stream {
    match Node::current() {
        Some(node) => stream(node.name()),
        None => stream("no node"),
    }
}
