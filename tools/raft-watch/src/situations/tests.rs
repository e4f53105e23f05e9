//! For each situation a history that shows it, and one that nearly does.

use std::collections::BTreeSet;

use run_record::coverage::Kind;
use run_record::situations::Situation::{self, *};

use super::Spotter;
use crate::calls::{Append, Asked};
use crate::understanding::{Install, Place, Reply};

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
    Asked::Append(Append { term, prev, last, commit })
}

fn heartbeat(term: u64) -> Asked {
    append(term, at(0, 0), at(0, 0), 0)
}

fn vote(term: u64) -> Asked {
    Asked::Vote { term, last: at(0, 0) }
}

fn snapshot(term: u64, last: Place) -> Asked {
    Asked::Install(Install { term, last, offset: 0, done: true, bytes: 1 })
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
fn elections_with_several_candidates() {
    let both = |h: &mut History| {
        h.sent(0, 2, vote(1));
        h.sent(1, 3, vote(1));
    };
    let then_next = move |h: &mut History| {
        both(h);
        h.sent(0, 2, vote(2));
        h.sent(1, 2, vote(3));
    };
    let then_won = move |h: &mut History| {
        both(h);
        h.sent(0, 2, heartbeat(1));
        h.sent(0, 3, heartbeat(1));
        h.sent(1, 2, vote(2));
    };
    let one_after_the_other = |h: &mut History| {
        h.sent(0, 2, vote(1));
        h.sent(1, 2, vote(2));
        h.sent(1, 2, heartbeat(2));
        h.sent(0, 2, vote(3));
    };
    check(SplitVote, then_next, then_won);
    check(SplitVote, then_next, one_after_the_other);
    check(ContestedTerm, then_won, then_next);
    check(ContestedTerm, then_won, one_after_the_other);
}

#[test]
fn candidates_and_their_leader() {
    let hears = |term: u64| {
        move |h: &mut History| {
            h.sent(0, 2, vote(2));
            h.sent(1, 2, vote(2));
            h.reached(1, 0, heartbeat(term));
            h.reached(1, 0, heartbeat(term));
        }
    };
    check(CandidateHearsLeader, hears(2), hears(3));

    let stands = |arrives: bool| {
        move |h: &mut History| {
            h.elect(0, 1);
            let call = h.sent(0, 1, heartbeat(1));
            if arrives {
                h.spotter.delivered(call);
            }
            h.sent(1, 2, vote(2));
            h.sent(1, 3, vote(2));
        }
    };
    check(TimeoutWhileHeartbeatTravels, stands(false), stands(true));
    // What another candidate sends holds no timer back.
    check(TimeoutWhileHeartbeatTravels, stands(false), |h| {
        h.elect(0, 1);
        h.sent(0, 1, vote(1));
        h.sent(1, 2, vote(2));
    });
}

#[test]
fn votes_and_terms_across_a_crash() {
    let asked = |restarts: bool, candidate: usize| {
        move |h: &mut History| {
            h.call(0, 2, vote(1), yes(1));
            if restarts {
                h.restart(2);
            }
            h.reached(candidate, 2, vote(1));
        }
    };
    check(AskedAgainAfterCrash, asked(true, 1), asked(false, 1));
    check(AskedAgainAfterCrash, asked(true, 1), asked(true, 0));
    // The latest vote counts, and a vote that is repeated after the crash is the same one.
    let votes_again = |term: u64| {
        move |h: &mut History| {
            h.call(0, 2, vote(1), yes(1));
            h.call(1, 2, vote(2), yes(2));
            h.restart(2);
            h.call(1, 2, vote(2), yes(2));
            h.reached(0, 2, vote(term));
        }
    };
    check(AskedAgainAfterCrash, votes_again(2), votes_again(1));

    let speaks = |term: u64| {
        move |h: &mut History| {
            h.call(0, 2, vote(1), yes(1));
            h.restart(2);
            h.call(0, 2, heartbeat(term), yes(term));
            h.call(0, 2, heartbeat(term), yes(term));
        }
    };
    check(RestartWithinTerm, speaks(1), speaks(2));
    // There is no term before the first election.
    check(RestartWithinTerm, speaks(1), |h| {
        h.restart(0);
        h.sent(0, 1, heartbeat(0));
    });
}

#[test]
fn crashes_at_bad_moments() {
    let crashes = |saved_first: bool, answers: bool| {
        move |h: &mut History| {
            if saved_first {
                h.spotter.saved(2, 1);
            }
            let call = h.reached(0, 2, vote(1));
            if !saved_first {
                h.spotter.saved(2, 1);
            }
            if answers {
                h.spotter.replied(call, yes(1));
            }
            h.restart(2);
        }
    };
    check(CrashBeforeReply, crashes(false, false), crashes(false, true));
    check(CrashBeforeReply, crashes(false, false), crashes(true, false));
    // What an earlier instance still saves does not count.
    check(CrashBeforeReply, crashes(false, false), |h| {
        h.restart(2);
        h.reached(0, 2, vote(1));
        h.spotter.saved(2, 1);
        h.spotter.crashed(2);
    });

    let torn = |asked: bool, kept: bool| {
        move |h: &mut History| {
            if asked {
                h.reached(0, 2, vote(1));
            }
            h.reached(0, 3, vote(1));
            h.sent(1, 2, vote(1));
            h.spotter.torn(2, kept);
            h.restart(2);
        }
    };
    check(CrashBeforeReply, torn(true, true), torn(true, false));
    check(CrashBeforeReply, torn(true, true), torn(false, true));

    let down = |last: usize| {
        move |h: &mut History| {
            h.restart(0);
            (0..last).for_each(|server| h.spotter.crashed(server));
        }
    };
    check(AllDown, down(SERVERS), down(SERVERS - 1));
    // Who was never started is not down.
    let mut spotter = Spotter::new(2, false);
    spotter.started(0, 1);
    spotter.crashed(0);
    assert!(spotter.seen().is_empty());
}

#[test]
fn leaders_that_hear_of_a_later_term() {
    let by_reply = |term: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.call(0, 1, heartbeat(1), no(term));
            h.call(0, 2, heartbeat(1), no(term));
        }
    };
    let by_request = |term: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.reached(1, 0, vote(term));
            h.reached(1, 0, vote(term));
        }
    };
    check(DeposedByReply, by_reply(2), by_reply(1));
    check(DeposedByReply, by_reply(2), by_request(2));
    check(DeposedByRequest, by_request(2), by_request(1));
    check(DeposedByRequest, by_request(2), by_reply(2));
    // What was prepared before leaves later, and makes nobody a leader again.
    let mut history = History::new();
    by_request(2)(&mut history);
    history.sent(0, 1, heartbeat(1));
    history.reached(1, 0, vote(3));
    assert_eq!(history.count(DeposedByRequest), 1);
    // A candidate that hears of it has not led.
    check(DeposedByReply, by_reply(2), |h| h.call(0, 1, vote(1), no(2)));
}

/// Server 0 leads term 1 and takes two commands, which `followers` get; then it hears of term 2.
fn leaves_a_tail(h: &mut History, followers: &[usize]) {
    h.elect(0, 1);
    h.commands(0, 1, 1, 2);
    for &follower in followers {
        h.call(0, follower, append(1, at(0, 0), at(2, 1), 0), yes(1));
    }
    h.reached(2, 0, vote(2));
}

#[test]
fn entries_of_a_deposed_leader() {
    check(DeposedWithTail, |h| leaves_a_tail(h, &[1]), |h| leaves_a_tail(h, &[1, 2]));
    let leaves_one_entry = |followers: &'static [usize]| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.commands(0, 1, 1, 1);
            for &follower in followers {
                h.call(0, follower, append(1, at(0, 0), at(1, 1), 0), yes(1));
            }
            h.reached(2, 0, vote(2));
        }
    };
    check(DeposedWithTail, leaves_one_entry(&[]), leaves_one_entry(&[1, 2]));

    let goes_on = |followers: &'static [usize], entries_of: u64| {
        move |h: &mut History| {
            leaves_a_tail(h, followers);
            h.elect(2, 2);
            h.commands(2, 2, followers.len() as u64 + 1, 2);
            h.call(2, 0, append(2, at(0, 0), at(2, entries_of), 0), yes(2));
            h.call(2, 0, append(2, at(0, 0), at(2, entries_of), 0), yes(2));
        }
    };
    // Server 2 has none of them and overwrites them; or it had both, and they were no tail.
    check(TailOverwritten, goes_on(&[], 2), goes_on(&[1, 2], 1));
    // Other servers have other logs.
    check(TailOverwritten, goes_on(&[], 2), |h| {
        leaves_a_tail(h, &[]);
        h.elect(2, 2);
        h.commands(2, 2, 1, 2);
        h.call(2, 3, append(2, at(0, 0), at(2, 2), 0), yes(2));
    });

    let committed = |commit: u64| {
        move |h: &mut History| {
            leaves_a_tail(h, &[1]);
            h.elect(1, 2);
            h.commands(1, 2, 3, 1);
            h.sent(1, 2, append(2, at(2, 1), at(3, 2), commit));
            h.sent(1, 3, append(2, at(2, 1), at(3, 2), commit));
        }
    };
    check(TailCommitted, committed(3), committed(0));
}

#[test]
fn leaders_of_the_past() {
    let accepts = |term: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.elect(1, 2);
            h.spotter.accepted(0, 1, term);
        }
    };
    check(StaleLeaderAccepts, accepts(1), accepts(3));

    // Nobody tells of commands: what is sent for the first time was accepted before.
    let sends = |deposed: bool| {
        move |h: &mut History| {
            h.elect(0, 1);
            if deposed {
                h.elect(1, 2);
            }
            for last in [0, 1, 1] {
                h.sent(0, 2, append(1, at(0, 0), at(last, 1), 0));
            }
        }
    };
    check(StaleLeaderAccepts, sends(true), sends(false));

    let refused = |term: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.call(0, 3, heartbeat(1), no(term));
        }
    };
    check(StaleLeaderRefused, refused(2), refused(1));
    // Who has crashed says nothing any more.
    check(StaleLeaderRefused, refused(2), |h| {
        h.elect(0, 1);
        let call = h.reached(0, 3, heartbeat(1));
        h.spotter.crashed(3);
        h.spotter.replied(call, no(2));
    });
}

#[test]
fn replies_that_come_late() {
    let earlier_term = |stands_again: bool| {
        move |h: &mut History| {
            let call = h.answered(0, 1, vote(1), no(1));
            if stands_again {
                h.sent(0, 1, vote(2));
            }
            h.spotter.over(call, false);
        }
    };
    check(ReplyToEarlierTerm, earlier_term(true), earlier_term(false));
    // What comes back to one that has crashed, its successor does not hear.
    check(ReplyToEarlierTerm, earlier_term(true), |h| {
        let call = h.answered(0, 1, vote(1), no(1));
        h.restart(0);
        h.sent(0, 1, vote(2));
        h.spotter.over(call, false);
    });

    let turned = |turned: bool| {
        move |h: &mut History| {
            h.elect(0, 1);
            let mut calls = [1, 2].map(|_| h.answered(0, 1, heartbeat(1), yes(1)));
            if turned {
                calls.reverse();
            }
            calls.into_iter().for_each(|call| h.spotter.over(call, false));
        }
    };
    check(LateReply, turned(true), turned(false));
    // A call that fails brings no reply.
    check(LateReply, turned(true), |h| {
        h.elect(0, 1);
        let calls = [1, 2].map(|_| h.answered(0, 1, heartbeat(1), yes(1)));
        h.spotter.over(calls[1], false);
        h.spotter.over(calls[0], true);
    });
}

#[test]
fn followers_whose_logs_differ() {
    let refuses = |entries: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.commands(0, 1, 1, 3);
            h.call(0, 1, append(1, at(0, 0), at(entries, 1), 0), yes(1));
            h.call(0, 1, append(1, at(2, 1), at(3, 1), 0), no(1));
        }
    };
    check(FollowerTooShort, refuses(1), refuses(2));
    // Who accepts what follows an entry has it, seen or not.
    check(FollowerTooShort, refuses(1), |h| {
        h.elect(0, 1);
        h.commands(0, 1, 1, 4);
        h.call(0, 1, append(1, at(3, 1), at(4, 1), 0), yes(1));
        h.call(0, 1, append(1, at(4, 1), at(4, 1), 0), no(1));
    });

    // Server 1 takes an entry in each of so many terms from leaders that nobody else hears; then the
    // leader of term 9 brings as many.
    let cut_off = |terms: u64| {
        move |h: &mut History| {
            for term in 1..=terms {
                let before = at(term - 1, term - 1);
                h.spotter.accepted(0, term, term);
                h.call(0, 1, append(term, before, at(term, term), 0), yes(term));
            }
            h.commands(3, 9, 1, terms);
            h.call(3, 1, append(9, at(0, 0), at(terms, 9), 0), yes(9));
            h.call(3, 1, append(9, at(0, 0), at(terms, 9), 0), yes(9));
        }
    };
    check(ConflictOneTerm, cut_off(1), cut_off(2));
    check(ConflictTwoTerms, cut_off(2), cut_off(1));
    check(ConflictMoreTerms, cut_off(3), cut_off(2));
    check(ConflictMoreTerms, cut_off(4), |h| {
        cut_off(0)(h);
        h.call(3, 1, append(9, at(0, 0), at(3, 9), 0), yes(9));
    });
}

#[test]
fn entries_that_nobody_knows_are_no_conflict() {
    // What was before a snapshot has no term here.
    let cut_off = |of: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.call(0, 1, append(1, at(2, of), at(2, of), 0), yes(1));
            h.commands(3, 9, 1, 2);
            h.call(3, 1, append(9, at(0, 0), at(2, 9), 0), yes(9));
        }
    };
    check(ConflictOneTerm, cut_off(1), cut_off(0));
}

#[test]
fn figure_8() {
    // Server 1 has an entry of term 1 that server 0 has given it, and leads term 2.
    let replicates = |h: &mut History, followers: &[usize]| {
        h.commands(0, 1, 1, 1);
        h.call(0, 1, append(1, at(0, 0), at(1, 1), 0), yes(1));
        h.elect(1, 2);
        for &follower in followers {
            h.call(1, follower, append(2, at(0, 0), at(1, 1), 0), yes(2));
        }
    };
    let not_counted = move |h: &mut History| {
        replicates(h, &[2, 3]);
        h.sent(1, 4, append(2, at(1, 1), at(1, 1), 0));
        h.sent(1, 4, append(2, at(1, 1), at(1, 1), 0));
    };
    let no_majority = move |h: &mut History| {
        replicates(h, &[2]);
        h.sent(1, 4, append(2, at(1, 1), at(1, 1), 0));
    };
    check(OldEntryNotCounted, not_counted, no_majority);
    // Who refuses has not accepted; what comes back to a deposed leader counts for nothing.
    let answered = |reply: Reply, deposed: bool| {
        move |h: &mut History| {
            replicates(h, &[2]);
            let call = h.answered(1, 3, append(2, at(0, 0), at(1, 1), 0), reply);
            if deposed {
                h.reached(4, 1, vote(3));
            }
            h.spotter.over(call, false);
            h.sent(1, 4, append(2, at(1, 1), at(1, 1), 0));
            h.sent(1, 4, append(3, at(1, 1), at(1, 1), 0));
        }
    };
    check(OldEntryNotCounted, answered(yes(2), false), answered(no(2), false));
    check(OldEntryNotCounted, answered(yes(2), false), answered(yes(2), true));
    // An acceptance that comes back to a later reign is not of it.
    check(OldEntryNotCounted, answered(yes(2), false), move |h| {
        replicates(h, &[2]);
        let call = h.answered(1, 3, append(2, at(0, 0), at(1, 1), 0), yes(2));
        h.elect(1, 3);
        h.call(1, 2, append(3, at(0, 0), at(1, 1), 0), yes(3));
        h.spotter.over(call, false);
        h.sent(1, 4, append(3, at(1, 1), at(1, 1), 0));
    });
    // What is committed already need not be counted; nor is a leader's own entry an old one; nor one
    // that it cannot have.
    check(OldEntryNotCounted, not_counted, move |h| {
        h.commands(0, 1, 1, 1);
        h.sent(0, 4, append(1, at(1, 1), at(1, 1), 1));
        not_counted(h);
    });
    let holds = |last: Place, of: u64| {
        move |h: &mut History| {
            h.commands(1, of, 1, 1);
            h.elect(1, 2);
            for follower in [2, 3] {
                h.call(1, follower, append(2, at(0, 0), last, 0), yes(2));
            }
            h.sent(1, 4, append(2, at(1, of), at(1, of), 0));
        }
    };
    check(OldEntryNotCounted, holds(at(1, 1), 1), holds(at(1, 2), 2));
    check(OldEntryNotCounted, holds(at(1, 1), 1), holds(at(1 << 40, 1), 1));

    let with_own = move |h: &mut History| {
        not_counted(h);
        h.commands(1, 2, 2, 1);
        h.sent(1, 2, append(2, at(1, 1), at(2, 2), 2));
        h.sent(1, 3, append(2, at(1, 1), at(2, 2), 2));
    };
    check(OldEntryCommittedLater, with_own, not_counted);

    // The last of several old entries counts.
    let two_entries = |commit: u64| {
        move |h: &mut History| {
            h.commands(0, 1, 1, 2);
            h.call(0, 1, append(1, at(0, 0), at(2, 1), 0), yes(1));
            h.elect(1, 2);
            for last in [1, 2] {
                for follower in [2, 3] {
                    h.call(1, follower, append(2, at(0, 0), at(last, 1), 0), yes(2));
                }
            }
            h.sent(1, 4, append(2, at(2, 1), at(2, 1), 0));
            h.sent(1, 4, append(2, at(2, 1), at(2, 1), commit));
        }
    };
    check(OldEntryCommittedLater, two_entries(2), two_entries(1));
}

#[test]
fn entries_that_are_there_already() {
    let comes_again = |last: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.commands(0, 1, 1, 3);
            h.call(0, 1, append(1, at(0, 0), at(3, 1), 0), yes(1));
            h.call(0, 1, append(1, at(0, 0), at(last, 1), 0), yes(1));
        }
    };
    check(LatePrefix, comes_again(2), comes_again(3));
    // A heartbeat brings nothing.
    check(LatePrefix, comes_again(2), comes_again(0));
    check(SameRequestTwice, comes_again(3), comes_again(2));
    // In another term it is another request.
    check(SameRequestTwice, comes_again(3), |h| {
        h.elect(0, 1);
        h.commands(0, 1, 1, 3);
        h.call(0, 1, append(1, at(0, 0), at(3, 1), 0), yes(1));
        h.elect(0, 2);
        h.call(0, 1, append(2, at(0, 0), at(3, 1), 0), yes(2));
    });
    // What a leader has, its requests show, whoever has given it its commands.
    let by_requests = |last: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.call(0, 1, append(1, at(0, 0), at(3, 1), 0), yes(1));
            h.call(0, 1, append(1, at(0, 0), at(last, 1), 0), yes(1));
        }
    };
    check(LatePrefix, by_requests(2), by_requests(3));
}

#[test]
fn messages_that_overtake_each_other() {
    let order = |turned: bool, second: Asked| {
        move |h: &mut History| {
            h.elect(0, 1);
            let entries = append(1, at(0, 0), at(1, 1), 0);
            let mut calls = [entries, second].map(|asked| h.sent(0, 1, asked));
            if turned {
                calls.reverse();
            }
            calls.into_iter().for_each(|call| h.spotter.delivered(call));
        }
    };
    check(Overtaken, order(true, heartbeat(1)), order(false, heartbeat(1)));
    let after_a_heartbeat = |turned: bool| {
        move |h: &mut History| {
            h.elect(0, 1);
            let entries = append(1, at(0, 0), at(1, 1), 0);
            let mut calls = [heartbeat(1), entries].map(|asked| h.sent(0, 1, asked));
            if turned {
                calls.reverse();
            }
            calls.into_iter().for_each(|call| h.spotter.delivered(call));
        }
    };
    check(Overtaken, after_a_heartbeat(true), after_a_heartbeat(false));
    let more_entries = append(1, at(1, 1), at(2, 1), 0);
    check(Overtaken, order(true, heartbeat(1)), order(true, more_entries));

    let with_snapshot = |turned: bool| {
        move |h: &mut History| {
            h.elect(0, 1);
            let mut calls = [snapshot(1, at(5, 1)), append(1, at(5, 1), at(6, 1), 5)]
                .map(|asked| h.sent(0, 1, asked));
            if turned {
                calls.reverse();
            }
            calls.into_iter().for_each(|call| h.spotter.delivered(call));
        }
    };
    check(SnapshotOvertaken, with_snapshot(true), with_snapshot(false));

    let old = |index: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.call(0, 1, snapshot(1, at(5, 1)), Reply::of_term(1));
            h.reached(0, 1, snapshot(1, at(index, 1)));
        }
    };
    check(SnapshotOld, old(4), old(5));
    // A part of it is not all, and a later term may mean a no.
    let first = |asked: Asked, term: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.call(0, 1, asked, Reply::of_term(term));
            h.reached(2, 1, snapshot(2, at(4, 1)));
        }
    };
    let part = Install { term: 1, last: at(5, 1), offset: 0, done: false, bytes: 1 };
    check(SnapshotOld, first(snapshot(1, at(5, 1)), 1), first(Asked::Install(part), 1));
    check(SnapshotOld, first(snapshot(1, at(5, 1)), 1), first(snapshot(1, at(5, 1)), 2));
    check(
        SnapshotOld,
        |h| {
            h.spotter.snapshot(1, 9);
            h.reached(0, 1, snapshot(1, at(8, 1)));
        },
        old(6),
    );
}

#[test]
fn a_snapshot_leaves_what_follows_it_only_where_its_last_entry_is_there() {
    let refuses_after = |of: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.commands(0, 1, 1, 3);
            h.call(0, 1, append(1, at(0, 0), at(3, 1), 0), yes(1));
            h.elect(2, 4);
            h.commands(2, of, 1, 2);
            h.call(2, 1, snapshot(4, at(2, of)), Reply::of_term(4));
            h.call(2, 1, append(4, at(3, 4), at(3, 4), 0), no(4));
        }
    };
    check(FollowerTooShort, refuses_after(2), refuses_after(1));
}

#[test]
fn what_a_server_knows_as_committed_it_was_told_in_its_term_or_later() {
    let mut h = History::new();
    let commit = |h: &History, server: usize| h.spotter.servers[server].commit;
    h.elect(0, 2);
    h.reached(0, 1, append(2, at(0, 0), at(0, 0), 3));
    assert_eq!((commit(&h, 0), commit(&h, 1)), (3, 3));
    h.reached(0, 1, Asked::Beat { term: 2, commit: 5 });
    assert_eq!((commit(&h, 0), commit(&h, 1)), (5, 5));
    h.reached(2, 1, append(1, at(0, 0), at(0, 0), 7));
    assert_eq!(commit(&h, 1), 5);
    h.restart(1);
    assert_eq!(commit(&h, 1), 0);
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
    assert!(unasked.spotter.coverage().is_empty());
}
