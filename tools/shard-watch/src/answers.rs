//! Which group answered for a shard, compared with the configurations.
//!
//! What the owners of a shard were, one after the other, is a list, and each answer comes from one place
//! of it. An operation that began after another one had ended stands at the same place or at a later
//! one.

use std::collections::BTreeSet;

use labtrace::{Fact, verdict};
use service_watch::Answered;
use shard_api::{Gid, NOBODY, SHARDS, shard_of};

use crate::{Checked, State};

/// The operations of which it is certain which group answered.
#[derive(Default)]
pub(crate) struct Answers {
    service: service_watch::Watch,
    /// How many of its answers are known here.
    read: usize,
    /// By shard.
    shards: [Track; SHARDS],
    /// By shard: when each write began and ended, in microseconds.
    writes: [Vec<(u64, u64)>; SHARDS],
    /// Groups that have answered at all.
    from: BTreeSet<Gid>,
}

#[derive(Debug, Default)]
struct Track {
    /// Those that were not compared yet, in the order in which they ended.
    open: Vec<(Gid, Answered)>,
    /// Those that were, with their places in the list of owners: of each place the one that ended first.
    first: Vec<(usize, Gid, Answered)>,
}

impl Answers {
    /// Those to clients of this service.
    pub(crate) fn of(service: service_watch::Watch) -> Answers {
        Answers { service, ..Answers::default() }
    }

    /// When each write to a shard began and ended, in microseconds.
    pub(crate) fn writes(&self, shard: usize) -> &[(u64, u64)] {
        &self.writes[shard]
    }

    /// Whether the group has answered anything.
    pub(crate) fn has_from(&self, gid: Gid) -> bool {
        self.from.contains(&gid)
    }
}

impl Track {
    /// Finds a place for an answer: the first one that what ended before allows.
    fn place(&mut self, gid: Gid, answered: Answered, owners: &[Gid]) -> Result<(), Box<Broken>> {
        let before = self.first.iter().rev().find(|(.., earlier)| earlier.us.1 < answered.us.0);
        let least = before.map_or(0, |(place, ..)| *place);
        let place = (least..owners.len()).find(|place| owners[*place] == gid);
        let Some(place) = place else {
            let before = before.map(|(_, gid, earlier)| (*gid, earlier.clone()));
            return Err(Box::new(Broken { gid, answered, before }));
        };
        if self.first.last().is_none_or(|(last, ..)| *last < place) {
            self.first.push((place, gid, answered));
        }
        Ok(())
    }
}

struct Broken {
    gid: Gid,
    answered: Answered,
    /// What ended before and stands furthest in the list of owners.
    before: Option<(Gid, Answered)>,
}

impl State {
    /// Learns of the answers since it last looked.
    pub(crate) fn read_answers(&mut self) {
        let Answers { service, read, shards, writes, from } = &mut self.answers;
        for answered in service.answers(read) {
            let shard = shard_of(&answered.object);
            if answered.wrote {
                writes[shard].push(answered.us);
            }
            let of = |seen: &&crate::group::Seen| seen.members.group() == answered.group;
            if let Some(gid) = self.groups.iter().find(of).map(|seen| seen.gid) {
                from.insert(gid);
                shards[shard].open.push((gid, answered));
            }
        }
    }

    /// Compares what was answered up to now, when all configurations up to now are known.
    pub(crate) fn check_answers(&mut self, now: u64) -> Checked {
        self.read_answers();
        let whole =
            (1..).zip(self.configs.keys().filter(|n| **n > 0)).all(|(n, known)| n == *known);
        if !whole {
            return Ok(());
        }
        for shard in 0..SHARDS {
            let owners = self.owners(shard);
            let track = &mut self.answers.shards[shard];
            let ended = track.open.partition_point(|(_, answered)| answered.us.1 < now);
            for (gid, answered) in track.open.drain(..ended).collect::<Vec<_>>() {
                track
                    .place(gid, answered, &owners)
                    .map_err(|broken| refuse(shard, &owners, *broken))?;
            }
        }
        Ok(())
    }

    /// The owners of a shard, one after the other.
    fn owners(&self, shard: usize) -> Vec<Gid> {
        let mut owners: Vec<Gid> =
            self.configs.values().map(|config| config.shards[shard]).collect();
        owners.dedup();
        owners
    }
}

fn refuse(shard: usize, owners: &[Gid], broken: Broken) -> Box<labtrace::Verdict> {
    let Broken { gid, answered, before } = broken;
    let ever = owners.contains(&gid);
    let words = match ever {
        true => {
            format!("group {gid} answered for shard {shard} after that had gone to another group")
        }
        false => {
            format!("group {gid} answered for shard {shard}, which no configuration gives to it")
        }
    };
    let mut verdict = verdict("answered by the owner", words);
    if let Some((other, before)) = &before {
        verdict = verdict.with_fact(fact(*other, before));
    }
    let names = owners.iter().map(|owner| match *owner {
        NOBODY => "nobody".to_string(),
        owner => owner.to_string(),
    });
    let owned = format!(
        "the owners of shard {shard}, one after the other: {}",
        names.collect::<Vec<_>>().join(", ")
    );
    let verdict = verdict.with_fact(fact(gid, &answered)).fact(None, owned).hint(
        "whether a group serves a key is decided where the entry of the request is executed, and not where \
         the request arrives: in between the configuration may have changed",
    );
    Box::new(verdict.at("what clients were answered").build())
}

fn fact(gid: Gid, answered: &Answered) -> Fact {
    let Answered { text, lane, us: (began, ended), .. } = answered;
    let text = format!("{text}, until {:.3} s, answered by group {gid}", *ended as f64 / 1e6);
    Fact { text, us: Some(*began), server: Some(*lane) }
}
