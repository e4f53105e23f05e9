//! What a group holds and whom it answers, as a machine.
//!
//! In each configuration a shard is *pulled* by its new owner, which then has the old one delete it. A
//! group goes to the next configuration when nothing of that is left to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use labgob::{DecodeError, Gob};
use labrt::sync::Mutex;
use rsm::Machine;
use serde::{Deserialize, Serialize};
use shard_api::{Config, Gid, Holding, NOBODY, SHARDS, Standing, shard_of};

use crate::message::{Answer, Err, Kind, Op, Shard, Wanted};
use crate::{Habits, Mistake};

/// What stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Entry {
    /// The first entry of a leader: now it knows what was committed.
    Nothing,
    Client(Op),
    Configure(Config),
    /// Shards that have arrived, as the configuration with this number wants.
    Insert(u64, BTreeMap<usize, Shard>),
    /// Another group has them.
    Delete(Wanted),
    /// The other group has deleted them.
    Deleted(Wanted),
}

/// What the group does with a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) enum Status {
    #[default]
    Absent,
    Serving,
    /// It is to come.
    Pulling,
    /// It has come and is served, and the old owner has it still.
    Fetched,
    /// It waits for its new owner, and then to be deleted.
    Leaving,
    /// No group is to have it: it stays here.
    Resting,
}

/// A shard in this group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct Place {
    pub(crate) status: Status,
    /// The configuration that moves it, and the servers of the group that has it, if it is to come.
    pub(crate) number: u64,
    pub(crate) from: Vec<String>,
    pub(crate) shard: Shard,
}

/// All that a group has agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Gob)]
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) places: [Place; SHARDS],
    /// By shard: the last group that had it, and the servers of that.
    owners: [(Gid, Vec<String>); SHARDS],
    /// By client: a write that was refused; for those who note it.
    refused: BTreeMap<u64, u64>,
}

/// A group as a machine. Its state can be read by others.
pub(crate) struct Group {
    pub(crate) gid: Gid,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) habits: Habits,
}

impl State {
    pub(crate) fn tell(&self, habits: Habits) {
        if habits.tells {
            shard_api::tell(|| self.standing(habits.mistake));
        }
    }

    /// Whether the group answers for a shard.
    pub(crate) fn serves(&self, shard: usize, mistake: Option<Mistake>) -> bool {
        let pulls = || self.places.iter().any(|place| place.status == Status::Pulling);
        match (self.places[shard].status, mistake) {
            (_, Some(Mistake::MovesStopAll)) if pulls() => false,
            (Status::Fetched | Status::Serving, Some(Mistake::WaitsForAll))
                if self.places[shard].number == self.config.number && pulls() =>
            {
                false
            }
            (Status::Serving | Status::Fetched, _) => true,
            (Status::Pulling, Some(Mistake::ServedBeforeItArrived)) => true,
            (Status::Leaving, Some(Mistake::ServedAfterItLeft)) => true,
            _ => false,
        }
    }

    fn standing(&self, mistake: Option<Mistake>) -> Standing {
        let holding = |shard: usize| match self.places[shard].status {
            _ if self.serves(shard, mistake) => Holding::Serves,
            Status::Absent | Status::Pulling if self.places[shard].shard.is_empty() => {
                Holding::Nothing
            }
            _ => Holding::Keeps,
        };
        Standing { config: self.config.number, shards: std::array::from_fn(holding) }
    }

    /// Nothing of the present configuration is left to do.
    pub(crate) fn is_finished(&self, mistake: Option<Mistake>) -> bool {
        let open = |place: &Place| match place.status {
            Status::Pulling => mistake != Some(Mistake::TwoMovesAtOnce),
            Status::Leaving | Status::Fetched => mistake != Some(Mistake::TwoMovesAtOnce),
            _ => false,
        };
        !self.places.iter().any(open)
    }

    /// Goes on to a configuration.
    pub(crate) fn configure(&mut self, gid: Gid, config: Config, mistake: Option<Mistake>) {
        let next = match mistake {
            Some(Mistake::ConfigurationSkipped) => config.number > self.config.number,
            _ => config.number == self.config.number + 1,
        };
        if !next || !self.is_finished(mistake) {
            return;
        }
        for (shard, owner) in config.shards.into_iter().enumerate() {
            let (had, servers) = self.owners[shard].clone();
            let place = &mut self.places[shard];
            match owner {
                NOBODY if mistake == Some(Mistake::NobodysShardIsNew) => {
                    (*place, self.owners[shard]) = Default::default();
                }
                NOBODY if place.status == Status::Serving => place.status = Status::Resting,
                NOBODY => continue,
                owner if owner == gid && (had == gid || had == NOBODY) => {
                    place.status = match place.status {
                        Status::Pulling => Status::Pulling, // for those who do not wait for it
                        _ => Status::Serving,
                    };
                }
                owner if owner == gid => {
                    let shard = std::mem::take(&mut place.shard);
                    let (status, number) = (Status::Pulling, config.number);
                    *place = Place { status, number, from: servers, shard };
                }
                _ if had == gid => {
                    place.status = Status::Leaving;
                    place.number = config.number;
                }
                _ => {}
            }
            if owner != NOBODY {
                let names = config.groups.get(&owner).cloned().unwrap_or_default();
                self.owners[shard] = (owner, names);
            }
        }
        self.config = config;
    }

    fn client(&mut self, op: Op, mistake: Option<Mistake>) -> Answer {
        let shard = shard_of(&op.key);
        let checked = mistake != Some(Mistake::CheckedAtArrival);
        if checked && !self.serves(shard, mistake) {
            if mistake == Some(Mistake::RefusalsNoted) && op.kind != Kind::Get {
                self.refused.insert(op.client, op.number);
            }
            return Answer { err: Err::WrongGroup, value: String::new() };
        }
        let noted = self.refused.get(&op.client) == Some(&op.number);
        let Shard { data, last } = &mut self.places[shard].shard;
        let there = data.get(&op.key).cloned().unwrap_or_default();
        if op.kind == Kind::Get {
            return Answer { err: Err::Ok, value: there };
        }
        if !noted && last.get(&op.client).is_none_or(|last| *last < op.number) {
            let there = if op.kind == Kind::Put { String::new() } else { there };
            data.insert(op.key, there + &op.value);
            last.insert(op.client, op.number);
        }
        Answer { err: Err::Ok, value: String::new() }
    }

    fn insert(&mut self, number: u64, shards: BTreeMap<usize, Shard>, mistake: Option<Mistake>) {
        for (shard, data) in shards {
            let place = &mut self.places[shard];
            let awaited = place.status == Status::Pulling && place.number == number;
            if !awaited && mistake != Some(Mistake::InsertedAgain) {
                continue;
            }
            place.shard = data;
            if mistake == Some(Mistake::TableNotMoved) {
                place.shard.last.clear();
            }
            place.status = match mistake {
                Some(Mistake::DeletionOnlyInMind) => Status::Serving,
                _ => Status::Fetched,
            };
        }
    }

    /// Changes those shards of a move that have this status.
    fn change(&mut self, of: &Wanted, from: Status, to: Status, mistake: Option<Mistake>) {
        for shard in &of.shards {
            let place = &mut self.places[*shard];
            let meant = place.number == of.number || mistake == Some(Mistake::AnyDeletionWillDo);
            if place.status == from && meant {
                place.status = to;
                if to == Status::Absent && mistake != Some(Mistake::NeverDeleted) {
                    place.shard = Shard::default();
                }
            }
        }
    }

    /// What a snapshot leaves of the state, for those who think that the data are all of it.
    fn without_moves(&mut self, gid: Gid) {
        for (place, owner) in self.places.iter_mut().zip(self.config.shards) {
            place.status = if owner == gid { Status::Serving } else { Status::Absent };
        }
    }
}

impl Machine for Group {
    type Request = Entry;
    type Reply = Answer;

    fn apply(&mut self, entry: Entry) -> Answer {
        let (mistake, mut state) = (self.habits.mistake, self.state.lock());
        match entry {
            Entry::Nothing => {}
            Entry::Client(op) => return state.client(op, mistake),
            Entry::Configure(config) => state.configure(self.gid, config, mistake),
            Entry::Insert(number, shards) => state.insert(number, shards, mistake),
            Entry::Delete(of) => state.change(&of, Status::Leaving, Status::Absent, mistake),
            Entry::Deleted(of) => state.change(&of, Status::Fetched, Status::Serving, mistake),
        }
        state.tell(self.habits);
        Answer { err: Err::Ok, value: String::new() }
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&*self.state.lock()))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        let mut state = self.state.lock();
        *state = labgob::decode(snapshot)?;
        if self.habits.has(Mistake::SnapshotWithoutMoves) {
            state.without_moves(self.gid);
        }
        state.tell(self.habits);
        Ok(())
    }
}
