//! What the clerks of a controller asked for and saw, and whether one machine could have shown it.
//!
//! How shards are divided is not part of it (see `configs`): a right controller has a choice there.

use std::fmt;
use std::sync::Arc;

use labrt::sync::Leaf;
use labtrace::{Fact, verdict};
use linearizability::{Answer, Limits, Model, Recorder, Step, Ticket, Violation};
use shard_api::{Config, Gid};
use tester::{Judged, Run};

use crate::admin::Groups;

/// What a clerk asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Input {
    Latest,
    Join(Groups),
    Leave(Vec<Gid>),
    Move(usize, Gid),
}

/// What it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Done,
    Latest(Shown),
}

/// A configuration, as far as it leaves no choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    number: u64,
    groups: Groups,
}

impl Output {
    pub(crate) fn of(config: &Config) -> Output {
        Output::Latest(Shown { number: config.number, groups: config.groups.clone() })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Latest => write!(f, "Query"),
            Input::Join(groups) => write!(f, "Join {:?}", groups.keys().collect::<Vec<_>>()),
            Input::Leave(gids) => write!(f, "Leave {gids:?}"),
            Input::Move(shard, gid) => write!(f, "Move shard {shard} to group {gid}"),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Done => Ok(()),
            Output::Latest(Shown { number, groups }) => {
                write!(
                    f,
                    "configuration {number} with groups {:?}",
                    groups.keys().collect::<Vec<_>>()
                )
            }
        }
    }
}

/// A controller as a machine: each change makes one configuration more.
struct Machine;

impl Model for Machine {
    type Key = ();
    type State = Shown;
    type Input = Input;
    type Output = Output;

    fn key(&self, _: &Input) {}

    fn initial(&self) -> Shown {
        Shown::default()
    }

    fn step(&self, state: &Shown, input: &Input, output: Option<&Output>) -> Step<Shown> {
        let mut groups = state.groups.clone();
        match (input, output) {
            (Input::Latest, Some(Output::Latest(shown))) if shown != state => {
                return Step::Impossible;
            }
            (Input::Latest, _) => return Step::Unchanged,
            (Input::Join(more), _) => groups.extend(more.clone()),
            (Input::Leave(gids), _) => groups.retain(|gid, _| !gids.contains(gid)),
            (Input::Move(..), _) => {}
        }
        Step::To(Shown { number: state.number + 1, groups })
    }

    fn reads_only(&self, input: &Input, _: Option<&Output>) -> bool {
        *input == Input::Latest
    }

    fn state_bytes(&self, state: &Shown) -> usize {
        let names: usize = state.groups.values().flatten().map(|name| name.len() + 24).sum();
        size_of::<Shown>() + 48 * state.groups.len() + names
    }

    fn describe(&self, input: &Input, output: Option<&Output>) -> String {
        match output {
            Some(output @ Output::Latest(_)) => format!("{input} -> {output}"),
            _ => input.to_string(),
        }
    }
}

/// The calls of all clerks of a controller. Clones are the same history.
#[derive(Clone, Default)]
pub(crate) struct Changes {
    inner: Arc<Leaf<Inner>>,
}

#[derive(Default)]
struct Inner {
    recorder: Recorder<Input, Output>,
    /// Of each call: the clerk's name and lane, and when it began.
    calls: Vec<(String, u32, u64)>,
}

/// How much work a history may be. Those of the suite need a small part of it.
const LIMITS: Limits = Limits { steps: 5_000_000, bytes: 1 << 29 };

impl Changes {
    pub(crate) fn calls(&self, clerk: &tester::Client, input: Input) -> Ticket {
        let us = labtrace::now_us();
        self.inner.with(|inner| {
            inner.calls.push((clerk.name().to_string(), clerk.lane(), us));
            inner.recorder.call(clerk.number(), input)
        })
    }

    pub(crate) fn returned(&self, ticket: Ticket, output: Output) {
        self.inner.with(|inner| inner.recorder.returned(ticket, output));
    }

    /// Checks that one machine could have shown the clerks what they saw.
    ///
    /// # Panics
    /// If it could not.
    pub(crate) fn check(&self, run: &Run) {
        if run.judged() < Judged::ByHistories {
            return;
        }
        let Inner { recorder, calls } = self.inner.with(std::mem::take);
        let history = recorder.finish().expect("each clerk makes one call at a time");
        let report = linearizability::check(&Machine, &history, &LIMITS);
        match &report.answer {
            Answer::Linearizable(_) => {}
            Answer::Undecided(_) => {
                run.warn("whether the history of the controller is linearizable is not decided");
            }
            Answer::NotLinearizable(Violation { culprit, operations, .. }) => {
                let words = "no order of the changes fits what the controller's clerks saw";
                let mut broken = verdict("linearizability of the controller", words.to_string());
                for &place in operations {
                    let operation = &history.operations()[place];
                    let (name, lane, us) = &calls[place];
                    let does = Machine.describe(&operation.input, operation.output());
                    let mark = if place == *culprit { "; here it became certain" } else { "" };
                    let text = format!("{name}: {does}{mark}");
                    broken = broken.with_fact(Fact { text, us: Some(*us), server: Some(*lane) });
                }
                let hint = "a change that was executed twice or not at all: each makes one \
                            configuration more, whose number is one higher";
                broken.hint(hint).fail()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn shown(number: u64, gids: &[Gid]) -> Output {
        let groups = gids.iter().map(|gid| (*gid, Vec::new())).collect();
        Output::Latest(Shown { number, groups })
    }

    fn join(gid: Gid) -> Input {
        Input::Join(BTreeMap::from([(gid, Vec::new())]))
    }

    /// Whether calls, one after the other, can be.
    fn can_be(calls: &[(Input, Output)]) -> bool {
        let mut state = Machine.initial();
        calls.iter().all(|(input, output)| match Machine.step(&state, input, Some(output)) {
            Step::Impossible => false,
            Step::To(next) => {
                state = next;
                true
            }
            _ => true,
        })
    }

    #[test]
    fn each_change_makes_one_configuration_more() {
        let done = |input| (input, Output::Done);
        let changes = [done(join(1)), done(join(2)), done(Input::Leave(vec![1]))];
        let then = |output| [&changes[..], &[(Input::Latest, output)]].concat();
        assert!(can_be(&then(shown(3, &[2]))));
        assert!(!can_be(&then(shown(4, &[2]))), "one was executed twice");
        assert!(!can_be(&then(shown(3, &[1, 2]))), "one had no effect");
        assert!(can_be(&[done(Input::Move(0, 1)), (Input::Latest, shown(1, &[]))]));
    }
}
