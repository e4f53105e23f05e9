//! The rules: what a group of servers holds, serves and gives away. A pure state machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use labgob::Gob;
use rsm::once::Numbered;
use serde::{Deserialize, Serialize};
use shard_api::{Config, Gid, Holding, NOBODY, SHARDS, shard_of};

use crate::message::{Handover, Received};
use crate::shard::{Shard, Write};

/// What stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Request {
    /// Changes nothing. A new leader has it executed, and then knows all that was committed before.
    Nothing,
    /// A clerk's question. To ask twice does no harm, so it has no number.
    Get { key: String },
    /// A clerk's write.
    Write(Numbered<Write>),
    /// Go on to this configuration.
    Configure(Config),
    /// Take these shards.
    Receive(Handover),
    /// Another group has these shards, which a configuration with this number gave to it.
    Delivered { number: u64, shards: BTreeSet<usize> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Value(Option<String>),
    Written,
    /// The group does not serve this key's shard. Nothing was done.
    WrongGroup,
    Received(Received),
    Noted,
}

/// A group of servers, as all of them have it after the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    gid: Gid,
    state: State,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct State {
    config: Config,
    /// Whether a shard has had a group in any configuration up to now. If not, it is empty.
    known: [bool; SHARDS],
    /// The shards that are here, except those that are leaving.
    here: BTreeMap<usize, Shard>,
    /// The shards that another group gets, until it has them.
    leaving: BTreeMap<usize, Leaving>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
struct Leaving {
    /// The configuration that moves the shard.
    number: u64,
    to: Gid,
    /// The names of that group's servers, from the latest configuration that has some.
    servers: Vec<String>,
    shard: Shard,
}

/// Where a group stands among the configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which group it is.
    pub(crate) gid: Gid,
    /// The number of its configuration.
    pub(crate) number: u64,
    /// The shards that this configuration gives to it and that it has not got yet.
    pub(crate) awaited: BTreeSet<usize>,
}

impl Standing {
    /// True if it can go on to the next configuration.
    pub(crate) fn finished(&self) -> bool {
        self.awaited.is_empty()
    }

    /// What can be said of shards that are handed over; `None` if there are some among them that the
    /// group waits for.
    pub(crate) fn received(&self, handover: &Handover) -> Option<Received> {
        if handover.to != self.gid {
            return Some(Received::NotYet);
        }
        match handover.number.cmp(&self.number) {
            std::cmp::Ordering::Greater => Some(Received::NotYet),
            // It has finished that configuration, so it has got all that it was to get there.
            std::cmp::Ordering::Less => Some(Received::Ok),
            std::cmp::Ordering::Equal => {
                let waits = handover.shards.keys().any(|shard| self.awaited.contains(shard));
                (!waits).then_some(Received::Ok)
            }
        }
    }
}

/// Shards on their way to one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) servers: Vec<String>,
    pub(crate) handover: Handover,
}

impl Group {
    /// A group at the first configuration of all.
    pub(crate) fn new(gid: Gid) -> Group {
        Group { gid, state: State::default() }
    }

    /// All that a snapshot must hold.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Becomes what a snapshot holds.
    pub(crate) fn restore(&mut self, state: State) {
        self.state = state;
    }

    /// Where it stands among the configurations.
    pub(crate) fn standing(&self) -> Standing {
        let State { config, here, .. } = &self.state;
        let awaits = |shard: &usize| config.shards[*shard] == self.gid && !here.contains_key(shard);
        let awaited = (0..SHARDS).filter(awaits).collect();
        Standing { gid: self.gid, number: config.number, awaited }
    }

    /// What it tells a tester of itself.
    pub(crate) fn told(&self) -> shard_api::Standing {
        let State { config, here, leaving, .. } = &self.state;
        let holding = |shard| match (here.contains_key(&shard), leaving.contains_key(&shard)) {
            (true, _) if config.shards[shard] == self.gid => Holding::Serves,
            (false, false) => Holding::Nothing,
            _ => Holding::Keeps,
        };
        shard_api::Standing { config: config.number, shards: std::array::from_fn(holding) }
    }

    /// What is to be handed over, by group. Of several configurations' shards for one group only those
    /// of the first: before it has them, it cannot take the others.
    pub(crate) fn outgoing(&self) -> BTreeMap<Gid, Arc<Outgoing>> {
        let mut outgoing: BTreeMap<Gid, Outgoing> = BTreeMap::new();
        let mut leaving: Vec<(&usize, &Leaving)> = self.state.leaving.iter().collect();
        leaving.sort_by_key(|(_, leaving)| leaving.number);
        for (shard, Leaving { number, to, servers, shard: data }) in leaving {
            let entry = outgoing.entry(*to).or_insert_with(|| Outgoing {
                servers: servers.clone(),
                handover: Handover { to: *to, number: *number, shards: BTreeMap::new() },
            });
            if entry.handover.number == *number {
                entry.handover.shards.insert(*shard, data.clone());
            }
        }
        outgoing.into_iter().map(|(gid, outgoing)| (gid, Arc::new(outgoing))).collect()
    }

    /// Executes a request.
    pub(crate) fn apply(&mut self, request: Request) -> Reply {
        match request {
            Request::Nothing => Reply::Noted,
            Request::Get { key } => match self.served(&key) {
                Some(shard) => Reply::Value(shard.get(&key).cloned()),
                None => Reply::WrongGroup,
            },
            Request::Write(write) => match self.served(&write.request.key) {
                Some(shard) => {
                    shard.write(write);
                    Reply::Written
                }
                None => Reply::WrongGroup,
            },
            Request::Configure(config) => {
                let Standing { number, awaited, .. } = self.standing();
                if config.number == number + 1 && awaited.is_empty() {
                    self.configure(config);
                }
                Reply::Noted
            }
            Request::Receive(handover) => Reply::Received(self.receive(handover)),
            Request::Delivered { number, shards } => {
                let kept = |shard: &usize, leaving: &mut Leaving| {
                    leaving.number != number || !shards.contains(shard)
                };
                self.state.leaving.retain(kept);
                Reply::Noted
            }
        }
    }

    /// The shard of a key, if this group serves it: the configuration says so, and it is here.
    fn served(&mut self, key: &str) -> Option<&mut Shard> {
        let shard = shard_of(key);
        let owned = self.state.config.shards[shard] == self.gid;
        self.state.here.get_mut(&shard).filter(|_| owned)
    }

    /// Goes on to the next configuration. What is here and belongs to another group leaves. What
    /// belongs to nobody stays here, and is not served: there is no other place for it.
    fn configure(&mut self, config: Config) {
        let State { known, here, leaving, .. } = &mut self.state;
        for (shard, owner) in config.shards.into_iter().enumerate() {
            if owner == NOBODY {
                continue;
            }
            if owner == self.gid {
                if !known[shard] {
                    here.insert(shard, Shard::default());
                }
            } else if let Some(data) = here.remove(&shard) {
                let (number, to) = (config.number, owner);
                leaving.insert(shard, Leaving { number, to, servers: Vec::new(), shard: data });
            }
            known[shard] = true;
        }
        // A group that has left is found where it was last: what it is to get it must get all the same.
        for leaving in leaving.values_mut() {
            if let Some(names) = config.groups.get(&leaving.to) {
                leaving.servers.clone_from(names);
            }
        }
        self.state.config = config;
    }

    fn receive(&mut self, handover: Handover) -> Received {
        let standing = self.standing();
        if let Some(received) = standing.received(&handover) {
            return received;
        }
        for (shard, data) in handover.shards {
            if standing.awaited.contains(&shard) {
                self.state.here.insert(shard, data);
                // It went from here earlier and has come back: so it had arrived.
                self.state.leaving.remove(&shard);
            }
        }
        Received::Ok
    }
}

#[cfg(test)]
mod tests;
