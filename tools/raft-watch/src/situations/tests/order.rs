//! Messages that come in another order than they were sent in.

use super::*;

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
fn what_is_late_by_terms_hides_nothing() {
    // The reply to the last call of term 3, the one to a call of term 1, and the one to the first call of term 3.
    let mut h = History::new();
    h.elect(0, 1);
    let old = h.answered(0, 1, heartbeat(1), yes(1));
    h.elect(0, 3);
    let [first, last] = [1, 2].map(|_| h.answered(0, 1, heartbeat(3), yes(3)));
    [last, old, first].into_iter().for_each(|call| h.spotter.over(call, false));
    assert_eq!(h.count(LateReply), 2);

    // A request of term 1 comes in the middle of term 3.
    let entries = |term: u64| append(term, at(0, 0), at(1, term), 0);
    let overtaken = [heartbeat(3), entries(3)];
    let of_old = |asked: Asked, new: [Asked; 2]| {
        move |h: &mut History| {
            let old = h.sent(0, 1, asked);
            h.elect(0, 3);
            let calls = new.map(|asked| h.sent(0, 1, asked));
            h.spotter.delivered(calls[1]);
            h.spotter.delivered(old);
            h.spotter.delivered(calls[0]);
        }
    };
    let twice = [entries(3), entries(3)];
    check(Overtaken, of_old(heartbeat(1), overtaken), of_old(heartbeat(1), twice));
    check(SameRequestTwice, of_old(entries(1), twice), of_old(entries(1), overtaken));
    let with_snapshot = [snapshot(3, at(5, 3)), append(3, at(5, 3), at(6, 3), 5)];
    check(SnapshotOvertaken, of_old(heartbeat(1), with_snapshot), of_old(heartbeat(1), twice));
    // A copy of what is late is the same request twice.
    let copied = |arrives: bool| {
        move |h: &mut History| {
            let old = h.reached(0, 1, entries(1));
            h.spotter.duplicated(old);
            h.spotter.over(old, false);
            h.elect(0, 3);
            h.reached(0, 1, entries(3));
            if arrives {
                h.spotter.delivered(copy_of(old));
            }
        }
    };
    check(SameRequestTwice, copied(true), copied(false));
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
    let leader = Leader::Sender;
    let part =
        Install { term: 1, leader, last: at(5, 1), offset: 0, done: false, bytes: 1, part: None };
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
fn the_copy_of_a_request_is_the_same_request_twice() {
    let entries = append(1, at(0, 0), at(1, 1), 0);
    let copied = |asked: Asked, arrives: bool| {
        move |h: &mut History| {
            let call = h.sent(0, 1, asked);
            h.spotter.duplicated(call);
            h.spotter.delivered(call);
            h.spotter.replied(call, yes(1));
            h.spotter.over(call, false);
            if arrives {
                h.spotter.delivered(copy_of(call));
                h.spotter.replied(copy_of(call), yes(1));
                h.spotter.copy_is_over(copy_of(call));
            }
        }
    };
    for asked in [vote(1), entries, snapshot(1, at(5, 1))] {
        check(SameRequestTwice, copied(asked, true), copied(asked, false));
    }
    // What is sent again is the same; what is of another term, or asks for more, is not.
    let sends = |both: [Asked; 2]| {
        move |h: &mut History| both.into_iter().for_each(|asked| _ = h.reached(0, 1, asked))
    };
    check(SameRequestTwice, sends([vote(1), vote(1)]), sends([vote(1), vote(2)]));
    let snapshots = |last: u64| sends([snapshot(1, at(5, 1)), snapshot(1, at(last, 1))]);
    check(SameRequestTwice, snapshots(5), snapshots(6));
    // A copy that comes late is no newer than its call.
    let comes_late = |asked: Asked, later: Asked| {
        move |h: &mut History| {
            let call = h.reached(0, 1, asked);
            h.spotter.duplicated(call);
            h.spotter.over(call, false);
            h.reached(0, 1, later);
            h.spotter.delivered(copy_of(call));
            h.reached(0, 1, later);
        }
    };
    check(Overtaken, comes_late(entries, heartbeat(1)), comes_late(heartbeat(1), heartbeat(1)));
    check(
        SnapshotOvertaken,
        comes_late(snapshot(1, at(5, 1)), entries),
        comes_late(entries, snapshot(1, at(5, 1))),
    );
    check(
        AskedAgainAfterCrash,
        |h| {
            h.call(1, 2, vote(1), yes(1));
            h.restart(2);
            let call = h.sent(0, 2, vote(1));
            h.spotter.duplicated(call);
            h.spotter.over(call, true);
            h.spotter.delivered(copy_of(call));
        },
        |h| {
            h.call(1, 2, vote(1), yes(1));
            h.restart(2);
            let call = h.sent(0, 2, vote(1));
            h.spotter.delivered(copy_of(call));
        },
    );
}
