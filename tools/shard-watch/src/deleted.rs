//! Where the data of shards are when everything has come to rest.

use labtrace::verdict;
use shard_api::{Config, Holding, SHARDS};

use crate::group::Seen;
use crate::{Checked, State, words};

impl State {
    pub(crate) fn check_deleted(&self) -> Checked {
        let Some(latest) = self.configs.values().next_back() else { return Ok(()) };
        for seen in self.groups.iter().filter(|seen| !seen.is_silent()) {
            let owns = |shard: usize| latest.shards[shard] == seen.gid;
            let surplus: Vec<usize> = (0..SHARDS)
                .filter(|shard| {
                    let alone = latest.shards[*shard] == shard_api::NOBODY;
                    !owns(*shard) && !alone && seen.holds(*shard) != Holding::Nothing
                })
                .collect();
            let lacking: Vec<usize> = (0..SHARDS)
                .filter(|shard| owns(*shard) && seen.holds(*shard) != Holding::Serves)
                .collect();
            if !surplus.is_empty() || !lacking.is_empty() {
                return Err(self.remains(latest, seen, &surplus, &lacking));
            }
        }
        Ok(())
    }

    fn remains(
        &self,
        latest: &Config,
        seen: &Seen,
        surplus: &[usize],
        lacking: &[usize],
    ) -> Box<labtrace::Verdict> {
        let words = match surplus {
            [] => format!("group {} does not serve {} yet", seen.gid, words::shards(lacking)),
            _ => format!("group {} still has data of {}", seen.gid, words::shards(surplus)),
        };
        let mut broken =
            verdict("lost shards are deleted", words).with_fact(seen.fact(seen.front()));
        let Config { number, shards, .. } = latest;
        let owners = format!("configuration {number}, the latest one, has the owners {shards:?}");
        broken = broken.fact(None, owners);
        let of_interest = |shard: &usize| surplus.contains(shard) || lacking.contains(shard);
        for other in self.groups.iter().filter(|other| other.gid != seen.gid) {
            let has = |shard: usize| other.holds(shard) != Holding::Nothing;
            if (0..SHARDS).filter(of_interest).any(has) {
                broken = broken.with_fact(other.fact(other.front()));
            }
        }
        let broken = broken.hint(
            "whoever gives a shard away asks, or is told, until the new owner has it, over crashes of both \
             groups: that something is still to be deleted must be in the log and in the snapshot",
        );
        words::built(broken, seen, seen.front().server)
    }
}
