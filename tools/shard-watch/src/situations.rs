//! Which situations shards come into on their way. Nothing here is a rule, and nobody is accused: what is seen
//! is counted.

use run_record::situations::{Counts, Layer, Situation};
use shard_api::{Config, Holding, NOBODY, SHARDS};

use crate::{Move, Seen, State};

impl State {
    /// What was seen; nothing if no group tells what it does with its shards.
    pub(crate) fn situations(&mut self) -> Option<Counts> {
        if self.groups.iter().all(Seen::is_silent) {
            return None;
        }
        self.read_answers();
        let mut counts = Counts::of(Layer::Shards);
        for &us in &self.overlaps {
            counts.add(Situation::ReconfigurationsOverlap, 1, || us);
        }
        for us in self.writes_while_moving() {
            counts.add(Situation::WriteWhileMoving, 1, || us);
        }
        Some(counts)
    }

    /// A configuration is made: are shards on their way for the one before?
    pub(crate) fn spot_overlap(&mut self, number: u64, us: u64) {
        let before = number.checked_sub(1).and_then(|before| self.configs.get(&before));
        let overlaps = before.is_some_and(|before| {
            (0..SHARDS).any(|shard| self.served[shard] && self.is_on_its_way(shard, before))
        });
        self.overlaps.extend(overlaps.then_some(us));
    }

    /// The group that is to have a shard does not serve it. Of groups that tell nothing nobody knows.
    fn is_on_its_way(&self, shard: usize, config: &Config) -> bool {
        let owner = config.shards[shard];
        let group = self.groups.iter().find(|seen| seen.gid == owner && !seen.is_silent());
        owner != NOBODY && group.is_some_and(|seen| seen.holds(shard) != Holding::Serves)
    }

    /// Of each write that was under way while its shard was: from when on both were. In order.
    fn writes_while_moving(&self) -> Vec<u64> {
        let mut since = Vec::new();
        for shard in 0..SHARDS {
            let moves: Vec<&Move> =
                self.handed.moves.iter().filter(|one| one.shard == shard).collect();
            let meets = |&(began, ended): &(u64, u64)| {
                // Moves of a shard come one after the other: the first that has not ended before.
                let next = moves.get(moves.partition_point(|one| one.us.1 < began))?;
                (next.us.0 <= ended).then(|| next.us.0.max(began))
            };
            since.extend(self.answers.writes(shard).iter().filter_map(meets));
        }
        since.sort_unstable();
        since
    }
}
