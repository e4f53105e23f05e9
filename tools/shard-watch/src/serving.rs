//! Who serves a shard, and who has its data.

use labtrace::verdict;
use shard_api::{Gid, Holding, NOBODY, SHARDS};

use crate::group::Step;
use crate::{Checked, Move, State, words};

/// What usually leads to the loss of a shard that another group is to have.
const DELETED_TOO_EARLY: &str = "a shard is deleted when the new owner has answered that it has executed the entry with \
     which it got it, and not when it was sent; the answer names the configuration of its move, since one about an \
     earlier move of this shard may come late, or twice";

/// What usually leads to the loss of a shard that no group is to have.
const NOBODYS_DELETED: &str = "the configuration gives the shard to nobody, and that deletes nothing: it stays with its \
     last owner, not served, also if that group has left; the next owner gets it from there";

/// What it is if the group has come to a configuration that the tester has not learned of yet.
const DELETED_TOO_EARLY_OR_NOBODYS: &str = "a shard is deleted when the new owner has answered that it has executed the \
     entry with which it got it, and not when it was sent; and if the configuration gives it to nobody, that deletes \
     nothing: it stays with its last owner, not served";

/// What is known of shards on their way.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    pub(crate) moves: Vec<Move>,
    /// By shard: who has stopped serving it, and when; nobody serves it since.
    stopped: [Option<(Gid, u64)>; SHARDS],
}

impl State {
    /// A group has come to its last standing.
    pub(crate) fn check_serving(&mut self, group: usize) -> Checked {
        let us = self.groups[group].front().us;
        for shard in 0..SHARDS {
            let seen = &self.groups[group];
            let (gid, before, now) = (seen.gid, seen.held(shard), seen.holds(shard));
            if now == before {
                continue;
            }
            if now == Holding::Serves {
                self.check_alone(group, shard)?;
                self.served[shard] = true;
                self.begins(shard, gid, us);
            } else if before == Holding::Serves {
                self.handed.stopped[shard] = Some((gid, us));
            }
            if now == Holding::Nothing {
                self.check_not_lost(group, shard)?;
            }
        }
        let number = self.groups[group].front().standing.config;
        self.check_as_configured(group, self.groups[group].history.len() - 1, number)
    }

    fn begins(&mut self, shard: usize, to: Gid, us: u64) {
        if let Some((from, stopped)) = self.handed.stopped[shard].take()
            && from != to
        {
            self.handed.moves.push(Move { shard, from, to, us: (stopped, us) });
        }
    }

    /// A group has begun to serve a shard.
    fn check_alone(&self, group: usize, shard: usize) -> Checked {
        let serves =
            |other: &usize| *other != group && self.groups[*other].holds(shard) == Holding::Serves;
        let Some(other) = (0..self.groups.len()).find(serves) else { return Ok(()) };
        let (seen, other) = (&self.groups[group], &self.groups[other]);
        let words =
            format!("group {} serves shard {shard}, and so does group {}", seen.gid, other.gid);
        let broken =
            verdict("one group serves a shard", words).with_fact(other.fact(other.since(shard)));
        let broken = match other.front().us == other.since(shard).us {
            true => broken,
            false => broken.with_fact(other.fact(other.front())),
        };
        let broken = broken.with_fact(seen.fact(seen.front())).hint(
            "the old owner stops with the entry that makes it enter the next configuration, and only then \
             sends the shard; the new owner begins with the entry that brings the shard, and not with the \
             configuration",
        );
        Err(words::built(broken, seen, seen.front().server))
    }

    /// A group has no data of a shard any more.
    fn check_not_lost(&self, group: usize, shard: usize) -> Checked {
        let there = self.groups.iter().any(|seen| seen.holds(shard) != Holding::Nothing);
        if there || !self.served[shard] {
            return Ok(());
        }
        let seen = &self.groups[group];
        let words =
            format!("group {} has deleted shard {shard}, and no other group has it", seen.gid);
        let mut broken = verdict("no shard is lost", words);
        if let [.., before, _] = &seen.history[..] {
            broken = broken.with_fact(seen.fact(before));
        }
        broken = broken.with_fact(seen.fact(seen.front()));
        for other in self.groups.iter().filter(|other| other.gid != seen.gid) {
            broken = broken.with_fact(other.fact(other.front()));
        }
        let number = seen.front().standing.config;
        let owner = self.configs.get(&number).map(|config| config.shards[shard]);
        let hint = match owner {
            Some(NOBODY) => NOBODYS_DELETED,
            Some(_) => DELETED_TOO_EARLY,
            None => DELETED_TOO_EARLY_OR_NOBODYS,
        };
        Err(words::built(broken.hint(hint), seen, seen.front().server))
    }

    /// The tester has learned of a configuration: what was said of it before?
    pub(crate) fn check_told_of(&self, number: u64) -> Checked {
        for (group, seen) in self.groups.iter().enumerate() {
            let of = |step: &Step| step.standing.config == number;
            for step in (0..seen.history.len()).filter(|step| of(&seen.history[*step])) {
                self.check_as_configured(group, step, number)?;
            }
        }
        Ok(())
    }

    fn check_as_configured(&self, group: usize, step: usize, number: u64) -> Checked {
        let seen = &self.groups[group];
        let Some(config) = self.configs.get(&number) else { return Ok(()) };
        let (before, step) = (step.checked_sub(1), &seen.history[step]);
        let wrong = |shard: &usize| {
            step.standing.shards[*shard] == Holding::Serves && config.shards[*shard] != seen.gid
        };
        let Some(shard) = (0..SHARDS).find(wrong) else { return Ok(()) };
        let owner = match config.shards[shard] {
            NOBODY => "nobody".to_string(),
            owner => format!("group {owner}"),
        };
        let words = format!(
            "group {} serves shard {shard} in configuration {number}, which gives it to {owner}",
            seen.gid
        );
        let mut broken = verdict("served as configured", words);
        if let Some(before) = before {
            broken = broken.with_fact(seen.fact(&seen.history[before]));
        }
        let broken = broken.with_fact(seen.fact(step)).hint(
            "whoever loses a shard stops serving it with the entry that makes it enter the configuration",
        );
        Err(words::built(broken, seen, step.server))
    }
}
