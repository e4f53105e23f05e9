//! A controller's clerk under the tester's eyes.

use std::collections::BTreeMap;
use std::fmt;

use service_watch::{Asked, Change, Operation, UnderWay, Watch};
use shard_api::{Config, Gid};

use crate::changes::{Changes, Input, Output};
use crate::subject::Configures;

/// The groups of a Join, with the names of their servers.
pub type Groups = BTreeMap<Gid, Vec<String>>;

/// A controller's clerk with ends of its own, whose calls are counted, stand in the run's trace and are
/// part of the history of the controller's changes.
pub struct Admin {
    clerk: Box<dyn Configures>,
    ends: tester::Client,
    watch: Watch,
    changes: Changes,
}

impl Admin {
    pub(crate) fn new(
        clerk: Box<dyn Configures>,
        ends: tester::Client,
        watch: Watch,
        changes: Changes,
    ) -> Admin {
        Admin { clerk, ends, watch, changes }
    }

    /// The latest configuration.
    pub fn latest(&mut self) -> Config {
        self.call(Input::Latest, |clerk| clerk.query(None), Output::of)
    }

    /// The configuration with this number, which is not part of the history.
    pub fn numbered(&mut self, number: u64) -> Config {
        self.clerk.query(Some(number))
    }

    /// Adds groups, with the names of their servers.
    pub fn join(&mut self, groups: Groups) {
        let input = Input::Join(groups.clone());
        self.call(input, |clerk| clerk.join(groups), |()| Output::Done);
    }

    /// Takes groups out.
    pub fn leave(&mut self, gids: &[Gid]) {
        self.call(Input::Leave(gids.to_vec()), |clerk| clerk.leave(gids), |()| Output::Done);
    }

    /// Gives a shard to a group.
    pub fn move_shard(&mut self, shard: usize, gid: Gid) {
        let input = Input::Move(shard, gid);
        self.call(input, |clerk| clerk.move_shard(shard, gid), |()| Output::Done);
    }

    fn call<T>(
        &mut self,
        input: Input,
        call: impl FnOnce(&mut dyn Configures) -> T,
        output: impl Fn(&T) -> Output,
    ) -> T {
        let Admin { clerk, ends, watch, changes } = self;
        let asked = input.to_string();
        let work = || {
            let operation = watch.asks(ends, to_watch(&input));
            let waiting = watch.waits(operation);
            let ticket = changes.calls(ends, input);
            let result = call(&mut **clerk);
            changes.returned(ticket, output(&result));
            (waiting, operation, result)
        };
        let got = |(.., result): &(UnderWay, Operation, T)| output(result).to_string();
        let judge = |(_, operation, _): &(UnderWay, Operation, T)| watch.answered(*operation, None);
        ends.operate(|| asked, work, got, judge).2
    }
}

/// A call as the rules for services need to know it. A Join is known by the names of the servers in it, which an entry
/// of it holds; a call without names only has to know what came before it.
fn to_watch(input: &Input) -> Asked {
    let change = match input {
        Input::Join(groups) => Change::AddAll(groups.values().flatten().cloned().collect()),
        Input::Latest | Input::Leave(_) | Input::Move(..) => Change::Nothing,
    };
    Asked { text: input.to_string(), object: "the configuration".into(), change }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("ends", &self.ends).finish_non_exhaustive()
    }
}
