//! For each situation a history that shows it, and one that nearly does.

mod elections;
mod leaders;
mod logs;
mod order;

use std::collections::BTreeSet;

use run_record::coverage::Kind;
use run_record::situations::Layer;
use run_record::situations::Situation::{self, *};

use super::Spotter;
use crate::calls::{Append, Asked, copy_of};
use crate::understanding::{Install, Leader, Place, Reply};

/// The longest history has so many servers.
const SERVERS: usize = 5;

/// A history that is being written: servers that have started, and calls in the order in which they are
/// made.
struct History {
    spotter: Spotter,
    calls: u64,
}

fn at(index: u64, term: u64) -> Place {
    Place { index, term }
}

fn append(term: u64, prev: Place, last: Place, commit: u64) -> Asked {
    Asked::Append(Append { term, prev, last, commit, may_be_told_to_stand: false })
}

fn heartbeat(term: u64) -> Asked {
    append(term, at(0, 0), at(0, 0), 0)
}

fn vote(term: u64) -> Asked {
    Asked::Vote { term, last: at(0, 0) }
}

fn snapshot(term: u64, last: Place) -> Asked {
    let (leader, part) = (Leader::Sender, None);
    Asked::Install(Install { term, leader, last, offset: 0, done: true, bytes: 1, part })
}

fn yes(term: u64) -> Reply {
    Reply::new(term, true, None)
}

fn no(term: u64) -> Reply {
    Reply::new(term, false, None)
}

impl History {
    fn new() -> History {
        History::with(false)
    }

    fn with(covers: bool) -> History {
        let mut spotter = Spotter::new(SERVERS, covers);
        (0..SERVERS).for_each(|server| spotter.started(server, 1));
        History { spotter, calls: 0 }
    }

    /// A request leaves.
    fn sent(&mut self, from: usize, to: usize, asked: Asked) -> u64 {
        self.calls += 1;
        self.spotter.sent(self.calls, from, to, asked);
        self.calls
    }

    /// A request leaves and arrives.
    fn reached(&mut self, from: usize, to: usize, asked: Asked) -> u64 {
        let call = self.sent(from, to, asked);
        self.spotter.delivered(call);
        call
    }

    /// A call whose reply leaves.
    fn answered(&mut self, from: usize, to: usize, asked: Asked, reply: Reply) -> u64 {
        let call = self.reached(from, to, asked);
        self.spotter.replied(call, reply);
        call
    }

    /// A whole call.
    fn call(&mut self, from: usize, to: usize, asked: Asked, reply: Reply) {
        let call = self.answered(from, to, asked, reply);
        self.spotter.over(call, false);
    }

    /// A server is elected by two others.
    fn elect(&mut self, server: usize, term: u64) {
        for voter in [(server + 1) % SERVERS, (server + 2) % SERVERS] {
            self.call(server, voter, vote(term), yes(term));
        }
        self.call(server, (server + 1) % SERVERS, heartbeat(term), yes(term));
    }

    /// A leader takes these commands, the first of them as entry `first`.
    fn commands(&mut self, server: usize, term: u64, first: u64, count: u64) {
        for index in first..first + count {
            self.spotter.accepted(server, index, term);
        }
    }

    fn restart(&mut self, server: usize) {
        self.spotter.crashed(server);
        let instance = self.spotter.servers[server].instance + 1;
        self.spotter.started(server, instance);
    }

    fn count(&self, situation: Situation) -> u64 {
        self.spotter.seen().get(situation.key()).copied().unwrap_or(0)
    }
}

/// Writes both histories and looks for the situation: once in the first one, not in the second.
fn check(situation: Situation, shows: impl Fn(&mut History), nearly: impl Fn(&mut History)) {
    let [once, never] = [&shows as &dyn Fn(&mut History), &nearly].map(|write| {
        let mut history = History::new();
        write(&mut history);
        history.count(situation)
    });
    assert_eq!((once, never), (1, 0), "{situation:?}");
}

#[test]
fn what_was_not_seen_was_looked_for() {
    let seen = History::new().spotter.seen();
    let all = Layer::Raft.situations();
    assert!(seen.len() == all.len() && all.iter().all(|one| seen[one.key()] == 0), "{seen:?}");
}

/// What is seen of a kind in a history.
fn seen(kind: Kind, write: impl Fn(&mut History)) -> BTreeSet<u32> {
    let mut history = History::with(true);
    write(&mut history);
    history.spotter.coverage().of(kind).map(|(hash, _)| hash).collect()
}

#[test]
fn which_server_it_was_and_in_which_term_does_not_matter_for_what_is_seen() {
    let led_by = |server: usize, term: u64| {
        move |history: &mut History| {
            history.elect(server, term);
            history.commands(server, term, 1, 2);
        }
    };
    for kind in Kind::ALL {
        assert_eq!(seen(kind, led_by(0, 1)), seen(kind, led_by(3, 7)), "{kind:?}");
    }
    let restarts = |history: &mut History| {
        led_by(0, 1)(history);
        history.restart(0);
    };
    for kind in [Kind::Pairs, Kind::States] {
        assert!(seen(kind, restarts).len() > seen(kind, led_by(0, 1)).len(), "{kind:?}");
    }
}

#[test]
fn situations_are_seen_anew_when_their_number_doubles() {
    let restarts = |times: usize| {
        move |history: &mut History| {
            for _ in 0..times {
                history.restart(1);
                history.call(0, 1, vote(1), yes(1));
            }
        }
    };
    // The first restart is in no term yet.
    let numbers = [2, 3, 4, 5].map(|times| seen(Kind::Situations, restarts(times)).len());
    assert!(numbers[0] < numbers[1] && numbers[1] == numbers[2], "{numbers:?}");
    assert!(numbers[2] < numbers[3], "{numbers:?}");
    let mut unasked = History::new();
    restarts(5)(&mut unasked);
    for kind in [Kind::Pairs, Kind::States] {
        assert_eq!(unasked.spotter.coverage().of(kind).count(), 0, "{kind:?}");
    }
}
