//! One group: what its servers have said, and when they come and go.

use std::sync::Arc;

use persister::Persister;
use run_record::coverage::Coverage;
use run_record::situations::{Counts, Situations};
use shard_api::{Gid, Holding, Standing};
use tester::{Call, Members, SaveCount, Watcher};

use crate::Watch;

/// What is known of a group.
pub(crate) struct Seen {
    pub(crate) gid: Gid,
    pub(crate) members: Members,
    /// How the group has stood, in the order of its log. It begins with a group that has executed
    /// nothing.
    pub(crate) history: Vec<Step>,
    servers: Vec<Place>,
}

/// A standing of a group, with who said it first, and when, in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) standing: Standing,
    pub(crate) server: usize,
    pub(crate) us: u64,
}

/// Where a server is in the history of its group.
#[derive(Clone, Default)]
pub(crate) struct Place {
    pub(crate) runs: bool,
    /// Where it was when it last said something; 0 if it has said nothing since it was started.
    pub(crate) step: usize,
    /// It has said something since it was started, most recently then.
    pub(crate) told: Option<u64>,
    /// What it saves to, while it runs.
    persister: Option<Arc<dyn Persister>>,
}

impl Place {
    /// It was there at this moment, in microseconds.
    pub(crate) fn tells(&mut self, step: usize, us: u64) {
        (self.step, self.told) = (step, Some(us));
    }

    /// It may have gone on without a word: what a snapshot holds it need not have executed.
    pub(crate) fn may_be_ahead(&self) -> bool {
        self.persister.as_ref().is_some_and(|persister| persister.snapshot_size() > 0)
    }
}

impl Seen {
    pub(crate) fn new(gid: Gid, members: Members) -> Seen {
        let begin = Step { standing: Standing::default(), server: 0, us: 0 };
        let servers = vec![Place::default(); members.count()];
        Seen { gid, members, history: vec![begin], servers }
    }

    pub(crate) fn is_running(&self, server: usize) -> bool {
        self.servers[server].runs
    }

    pub(crate) fn place(&mut self, server: usize) -> &mut Place {
        &mut self.servers[server]
    }

    /// What a server has said last; `None` if it has said nothing since it was started.
    pub(crate) fn last_told(&self, server: usize) -> Option<&Standing> {
        let Place { step, told, .. } = self.servers[server];
        told.map(|_| &self.history[step].standing)
    }

    /// No server has ever said anything.
    pub(crate) fn is_silent(&self) -> bool {
        self.history.len() == 1 && self.servers.iter().all(|place| place.told.is_none())
    }

    /// Where the group stands.
    pub(crate) fn front(&self) -> &Step {
        self.history.last().expect("it has a beginning")
    }

    pub(crate) fn holds(&self, shard: usize) -> Holding {
        self.front().standing.shards[shard]
    }

    /// What it held before the last change of the group.
    pub(crate) fn held(&self, shard: usize) -> Holding {
        let before = self.history.len().saturating_sub(2);
        self.history[before].standing.shards[shard]
    }

    /// The step with which it came to do this with the shard, and does it since.
    pub(crate) fn since(&self, shard: usize) -> &Step {
        let now = self.holds(shard);
        let same = |step: &&Step| step.standing.shards[shard] == now;
        self.history.iter().rev().take_while(same).last().expect("the front is one")
    }
}

/// What sees servers come and go.
pub(crate) struct Eye {
    pub(crate) watch: Watch,
    pub(crate) group: usize,
}

impl Eye {
    fn set(&self, server: usize, place: Place) {
        self.watch.inner.with(|state| *state.groups[self.group].place(server) = place);
    }

    /// The situations of all groups, for which the first one speaks.
    fn of_all_groups(&self) -> Option<Counts> {
        if self.group > 0 {
            return None;
        }
        self.watch.inner.with(|state| state.situations())
    }
}

impl Watcher for Eye {
    fn starting(&self, server: usize, _: u64, persister: &Arc<dyn Persister>, _: &SaveCount) {
        let persister = Some(persister.clone());
        self.set(server, Place { runs: true, persister, ..Place::default() });
    }

    fn crashed(&self, server: usize) {
        self.set(server, Place::default());
    }

    fn call(&self, _: &Call<'_>) {}

    fn situations(&self) -> Situations {
        self.of_all_groups().as_ref().map(Counts::all).unwrap_or_default()
    }

    fn coverage(&self) -> Coverage {
        self.of_all_groups().map(|seen| seen.coverage().clone()).unwrap_or_default()
    }

    fn not_judged(&self) -> Vec<String> {
        if self.group > 0 {
            return Vec::new(); // the first one speaks for all
        }
        self.watch.inner.with(|state| state.not_judged())
    }
}
