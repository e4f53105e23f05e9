//! Words and facts of verdicts, and events of the trace.

use labtrace::{Fact, Verdict, VerdictBuilder, What};
use shard_api::{Gid, Holding, Standing};

use crate::group::{Seen, Step};

fn those(standing: &Standing, holding: Holding) -> Vec<u32> {
    let shards = (0..).zip(standing.shards);
    shards.filter(|(_, held)| *held == holding).map(|(shard, _)| shard).collect()
}

/// What a trace has of it.
pub(crate) fn event(group: Gid, standing: &Standing) -> What {
    let (serves, keeps) = (those(standing, Holding::Serves), those(standing, Holding::Keeps));
    What::Shards { group, config: standing.config, serves, keeps }
}

/// A standing in words, such as `configuration 3, serves 0 1 4, keeps 7`.
pub(crate) fn standing(standing: &Standing) -> String {
    let list = |word: &str, holding| {
        let shards: Vec<String> = those(standing, holding).iter().map(u32::to_string).collect();
        if shards.is_empty() { String::new() } else { format!(", {word} {}", shards.join(" ")) }
    };
    let (serves, keeps) = (list("serves", Holding::Serves), list("keeps", Holding::Keeps));
    let nothing = if serves.is_empty() && keeps.is_empty() { ", has nothing" } else { "" };
    format!("configuration {}{serves}{keeps}{nothing}", standing.config)
}

/// Numbers of shards, such as `shard 3` or `shards 3 and 7`.
pub(crate) fn shards(numbers: &[usize]) -> String {
    let names: Vec<String> = numbers.iter().map(usize::to_string).collect();
    match &names[..] {
        [one] => format!("shard {one}"),
        [first @ .., last] => format!("shards {} and {last}", first.join(", ")),
        [] => "no shard".to_string(),
    }
}

impl Seen {
    /// What a server has said first.
    pub(crate) fn fact(&self, step: &Step) -> Fact {
        let Step { standing: said, server, us } = step;
        let text = match *us {
            0 => format!("group {} begins with {}", self.gid, standing(said)),
            _ => format!("{} said: {}", self.members.node_name(*server), standing(said)),
        };
        Fact { text, us: Some(*us), server: Some(self.members.lane(*server)) }
    }
}

/// The verdict, noticed in what a server says.
pub(crate) fn built(broken: VerdictBuilder, seen: &Seen, server: usize) -> Box<Verdict> {
    let mut verdict = broken.at(format!("what {} tells", seen.members.node_name(server))).build();
    verdict.servers = vec![seen.members.lane(server)];
    Box::new(verdict)
}
