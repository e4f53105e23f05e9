//! Watching a sharded service from outside: who may serve a shard, and where its data are.
//!
//! A [`Watch`] knows what the servers of each group [`tell`](shard_api::tell) of themselves, what the
//! tester has learned of configurations, and which group answered which operation. Nothing here is a
//! step of a simulated run.
//!
//! # What a group has come to
//!
//! The replicas of a group lag behind each other. One that has not executed an entry yet may still say
//! that it serves a shard which its group has long given away. That is right: before it answers anybody
//! again, it executes that entry. So what counts is the group's log. It is known from what its servers
//! say: each of them goes through the same standings in the same order, and whoever says one first is
//! the one that has executed most. The list of these standings is the *history* of the group. Its last
//! element, the *front*, is where the group stands.
//!
//! A server that starts begins anywhere in the history, and goes forward from there. One that gets a
//! snapshot leaves a part out, and may say nothing of it: so one that has a snapshot may have come to the
//! front unseen, if it goes on to the next configuration. Any other way through the history is a mistake.
//!
//! Before a group can serve a shard, the group that had it must have stopped: some server of that one
//! has executed the entry, and has said so, before the data set off. So the fronts of all groups
//! together never show two that serve one shard, whatever lags or is under way. In the same way
//! some group always has the data: whoever deletes them knows that another one has executed the entry
//! with which it got them.
//!
//! # The rules
//!
//! | file | rule | broken if | needs |
//! |---|---|---|---|
//! | `order` | configurations in order | a group, or one of its servers, leaves out a configuration, or goes back | what servers tell |
//! | `order` | the servers of a group change alike | a server goes on from a standing to another one than its group did | what servers tell |
//! | `serving` | one group serves a shard | two groups do | what servers tell |
//! | `serving` | served as configured | a group serves a shard that its configuration gives to another one | what servers tell; configurations |
//! | `serving` | no shard is lost | nobody has data of a shard that was served | what servers tell |
//! | `deleted` | lost shards are deleted | [`check_deleted`](Watch::check_deleted) finds data at a group that is not to have them | what servers tell |
//! | `answers` | answered by the owner | a group has answered an operation for a shard which, in the order of what was answered before, no configuration gives to it | configurations |
//!
//! Only the last one needs no word from the service. What the others need a group may not say: then it is
//! not judged by them, and each test says so. It compares answers with configurations when the tester
//! learns of the next one; a wrong value may be noticed earlier. A request that is applied at two groups is found by
//! `service-watch`, whose facts name the groups.
//!
//! `situations` is no rule: it counts what shards come into on their way.
//!
//! # What is missing
//!
//! A service is believed what it tells. One that says what it ought to be, and does something else, is
//! found by what its clients get, or not at all.

mod answers;
mod deleted;
mod group;
mod order;
mod serving;
mod situations;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use labrt::Node;
use labrt::sync::Leaf;
use labtrace::{Verdict, What};
use shard_api::{Config, Gid, Listener, SHARDS, Standing};
use tester::{Group, Server};

use answers::Answers;
use group::{Eye, Seen};
use serving::Handed;

/// What watches one sharded service. Clones are the same watch.
#[derive(Clone)]
pub struct Watch {
    inner: Arc<Leaf<State>>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) groups: Vec<Seen>,
    /// By the name of its node: a server's group and its number there.
    nodes: BTreeMap<String, (usize, usize)>,
    /// By number: the configurations that the tester has learned of.
    pub(crate) configs: BTreeMap<u64, Config>,
    /// By shard: somebody has served it.
    pub(crate) served: [bool; SHARDS],
    pub(crate) handed: Handed,
    pub(crate) answers: Answers,
    /// When a configuration was made while shards were on their way for the one before.
    pub(crate) overlaps: Vec<u64>,
}

/// Fine, or the verdict of a broken rule.
pub(crate) type Checked = Result<(), Box<Verdict>>;

/// A shard has gone from one group to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Which.
    pub shard: usize,
    /// Who served it before and afterwards.
    pub from: Gid,
    /// See `from`.
    pub to: Gid,
    /// When the one stopped and the other one began, in microseconds.
    pub us: (u64, u64),
}

impl Watch {
    /// A watch of a service without servers, which hears what is told in the caller's world. The other
    /// watch knows who answers the clients; it is to watch the same groups.
    ///
    /// # Panics
    /// If the world has a watch already.
    pub fn new(service: &service_watch::Watch) -> Watch {
        let answers = Answers::of(service.clone());
        let state = State { answers, ..State::default() };
        let watch = Watch { inner: Arc::new(Leaf::new(state)) };
        shard_api::listen(Arc::new(watch.clone()));
        watch
    }

    /// Watches a group of the service's servers as well, from now on. None may have been started yet.
    pub fn add(&self, gid: Gid, group: &Group<impl Server>) {
        let members = group.members().clone();
        let number = self.inner.with(|state| {
            let number = state.groups.len();
            let nodes = (0..members.count()).map(|server| (members.node_name(server), server));
            state.nodes.extend(nodes.map(|(name, server)| (name, (number, server))));
            state.groups.push(Seen::new(gid, members));
            number
        });
        group.watch(Arc::new(Eye { watch: self.clone(), group: number }));
    }

    /// There is this configuration.
    ///
    /// The rule about answers needs all of them, and each before the next one is made. While one is
    /// missing it is silent.
    ///
    /// # Panics
    /// If a rule is broken by that.
    pub fn configured(&self, config: &Config) {
        let (us, number) = (labtrace::now_us(), config.number);
        let known = self.inner.with(|state| state.configs.insert(number, config.clone()).is_some());
        if !known {
            let owners = config.shards.to_vec();
            labtrace::record(None, || What::Configured { config: number, owners });
        }
        let check = |state: &mut State| {
            if !known {
                state.spot_overlap(number, us);
            }
            state.check_told_of(number)?;
            state.check_answers(us)
        };
        self.check(check);
    }

    /// Demands that each group has data of the shards only that the latest configuration which is known
    /// gives to it: each group has all of its shards, and has deleted all others.
    ///
    /// For a test that has waited long enough. Groups that tell nothing are not judged.
    ///
    /// # Panics
    /// If it is not so.
    pub fn check_deleted(&self) {
        self.check(|state| state.check_deleted());
    }

    /// All moves of shards that servers have told of, in the order in which they ended.
    pub fn moves(&self) -> Vec<Move> {
        self.inner.with(|state| state.handed.moves.clone())
    }

    /// Judges what a server says, if it is still news and still its own: on the real clock the server may have been
    /// killed meanwhile, and its successor may run.
    fn judge(&self, server: &Node, standing: Standing, us: u64) {
        self.check(|state| match state.hear(server.name(), &standing) {
            Some((group, number, _)) if !server.is_killed() => {
                state.told(group, number, standing, us)
            }
            _ => Ok(()),
        });
    }

    pub(crate) fn check(&self, check: impl FnOnce(&mut State) -> Checked) {
        let checked = self.inner.with(check);
        if let Err(broken) = checked
            && !labrt::observe::is_unwinding()
        {
            labtrace::fail(*broken);
        }
    }
}

impl Listener for Watch {
    fn told(&self, server: &Node, standing: Standing) {
        if server.is_killed() {
            return; // its successor, which has the same name, may run already
        }
        let us = labtrace::now_us();
        let news = self.inner.with(|state| state.hear(server.name(), &standing));
        let Some((group, number, gid)) = news else { return };
        let lane = self.inner.with(|state| state.groups[group].members.lane(number));
        labtrace::record(Some(lane), || words::event(gid, &standing));
        self.judge(server, standing, us);
    }
}

impl State {
    /// Who it is that tells something new.
    fn hear(&self, node: &str, standing: &Standing) -> Option<(usize, usize, Gid)> {
        let (group, server) = *self.nodes.get(node)?;
        let seen = &self.groups[group];
        let news = seen.is_running(server) && seen.last_told(server) != Some(standing);
        news.then_some((group, server, seen.gid))
    }

    /// A server says something that it has not just said.
    fn told(&mut self, group: usize, server: usize, standing: Standing, us: u64) -> Checked {
        if self.walk(group, server, standing, us)? {
            self.check_serving(group)?;
        }
        Ok(())
    }

    /// Which rules could not be judged, and why.
    pub(crate) fn not_judged(&mut self) -> Vec<String> {
        self.read_answers();
        let silent = |seen: &&Seen| seen.is_silent() && self.answers.has_from(seen.gid);
        let silent: Vec<String> =
            self.groups.iter().filter(silent).map(|seen| seen.gid.to_string()).collect();
        let who = match &silent[..] {
            [] => return Vec::new(),
            _ if self.groups.iter().all(Seen::is_silent) => "no server".to_string(),
            [one] => format!("no server of group {one}"),
            [first @ .., last] => format!("no server of groups {} and {last}", first.join(", ")),
        };
        vec![format!(
            "not judged: configurations in order, the servers of a group change alike, one group serves \
             a shard, served as configured, no shard is lost, lost shards are deleted, because {who} told what its group does with the shards \
             (`shard_api::tell`)"
        )]
    }
}
