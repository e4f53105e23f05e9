//! Which situations shards come into on their way. Nothing here is a rule, and nobody is accused: what is seen
//! is counted.

use run_record::situations::{Counts, Layer, Situation, Situations};
use shard_api::{Config, Holding, NOBODY, SHARDS};

use crate::{Move, Seen, State};

impl State {
    /// What was seen; nothing if no group tells what it does with its shards.
    pub(crate) fn situations(&mut self) -> Situations {
        if self.groups.iter().all(Seen::is_silent) {
            return Situations::new();
        }
        self.read_answers();
        let mut counts = Counts::of(Layer::Shards);
        counts.add(Situation::ReconfigurationsOverlap, self.overlaps);
        counts.add(Situation::WriteWhileMoving, self.writes_while_moving());
        counts.all()
    }

    /// A configuration was made: are shards on their way for the one before?
    pub(crate) fn spot_overlap(&mut self, number: u64) {
        let before = number.checked_sub(1).and_then(|before| self.configs.get(&before));
        let overlaps = before.is_some_and(|before| {
            (0..SHARDS).any(|shard| self.served[shard] && self.is_on_its_way(shard, before))
        });
        self.overlaps += u64::from(overlaps);
    }

    /// The group that is to have a shard does not serve it. Of groups that tell nothing nobody knows.
    fn is_on_its_way(&self, shard: usize, config: &Config) -> bool {
        let owner = config.shards[shard];
        let group = self.groups.iter().find(|seen| seen.gid == owner && !seen.is_silent());
        owner != NOBODY && group.is_some_and(|seen| seen.holds(shard) != Holding::Serves)
    }

    /// How many writes were under way while their shard was.
    fn writes_while_moving(&self) -> u64 {
        let of_shard = |shard: usize| {
            let moves: Vec<&Move> =
                self.handed.moves.iter().filter(|one| one.shard == shard).collect();
            let meets = |&&(began, ended): &&(u64, u64)| {
                // Moves of a shard come one after the other: the first that has not ended before.
                let next = moves.partition_point(|one| one.us.1 < began);
                moves.get(next).is_some_and(|one| one.us.0 <= ended)
            };
            self.answers.writes(shard).iter().filter(meets).count()
        };
        (0..SHARDS).map(|shard| of_shard(shard) as u64).sum()
    }
}
