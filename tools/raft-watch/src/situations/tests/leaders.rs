//! Leaders that are deposed, and what becomes of their entries.

use super::*;

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
fn a_tail_may_be_parted() {
    // Server 1 has the first of two entries of server 0, leads then and commits it; and overwrites the second one.
    let mut history = History::new();
    let h = &mut history;
    h.elect(0, 1);
    h.commands(0, 1, 1, 2);
    h.call(0, 1, append(1, at(0, 0), at(1, 1), 0), yes(1));
    h.reached(1, 0, vote(2));
    h.elect(1, 2);
    h.commands(1, 2, 2, 1);
    h.call(1, 2, append(2, at(0, 0), at(2, 2), 0), yes(2));
    h.call(1, 3, append(2, at(0, 0), at(2, 2), 2), yes(2));
    assert_eq!((h.count(TailCommitted), h.count(TailOverwritten)), (1, 0));
    h.call(1, 0, append(2, at(1, 1), at(2, 2), 2), yes(2));
    h.call(1, 0, append(2, at(1, 1), at(2, 2), 2), yes(2));
    assert_eq!((h.count(TailCommitted), h.count(TailOverwritten)), (1, 1));
    assert_eq!(h.count(DeposedWithTail), 1);
}

#[test]
fn a_tail_that_is_left_twice_is_one_tail() {
    // Server 0 leads once more, in term 3, and gets nothing committed, or takes more.
    let leaves_it_twice = |h: &mut History, more: u64| {
        leaves_a_tail(h, &[1]);
        h.elect(0, 3);
        h.commands(0, 3, 3, more);
        h.reached(2, 0, vote(4));
        assert_eq!(h.count(DeposedWithTail), 2);
    };
    for more in [0, 1] {
        let mut history = History::new();
        let h = &mut history;
        leaves_it_twice(h, more);
        h.elect(2, 4);
        h.commands(2, 4, 1, 1);
        h.call(2, 0, append(4, at(0, 0), at(1, 4), 0), yes(4));
        assert_eq!((h.count(TailOverwritten), h.count(TailCommitted)), (1, 0), "{more} more");

        let mut history = History::new();
        let h = &mut history;
        leaves_it_twice(h, more);
        h.elect(1, 4);
        h.commands(1, 4, 3, 1);
        h.sent(1, 2, append(4, at(2, 1), at(3, 4), 3));
        assert_eq!((h.count(TailOverwritten), h.count(TailCommitted)), (0, 1), "{more} more");
    }
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
    // Nobody leads a later term, but it reaches no majority: in one direction or the other, or since others are down.
    let reaches = |closes: fn(&mut History, usize), others: usize| {
        move |h: &mut History| {
            h.elect(0, 1);
            (1..=others).for_each(|other| closes(h, other));
            h.spotter.accepted(0, 1, 1);
        }
    };
    let ways: [fn(&mut History, usize); 3] = [
        |h, other| h.spotter.way(0, other, false),
        |h, other| h.spotter.way(other, 0, false),
        |h, other| h.spotter.crashed(other),
    ];
    for closes in ways {
        check(StaleLeaderAccepts, reaches(closes, 3), reaches(closes, 2));
    }
    check(StaleLeaderAccepts, reaches(ways[0], 3), |h| {
        h.elect(0, 1);
        for open in [false, true] {
            (1..SERVERS).for_each(|other| h.spotter.way(0, other, open));
        }
        h.spotter.accepted(0, 1, 1);
    });

    // Nobody tells of commands: what is sent for the first time was accepted before.
    let sends = |deposed: bool, of: u64| {
        move |h: &mut History| {
            h.elect(0, 1);
            if deposed {
                h.elect(1, 2);
            }
            for last in [0, 1, 1] {
                h.sent(0, 2, append(1, at(0, 0), at(last, of), 0));
            }
        }
    };
    check(StaleLeaderAccepts, sends(true, 1), sends(false, 1));
    check(StaleLeaderAccepts, sends(true, 1), sends(true, 0)); // of an earlier leader
    check(StaleLeaderAccepts, accepts(1), |h| {
        // Who tells of some tells of all.
        h.spotter.accepted(0, 1, 1);
        sends(true, 1)(h);
    });

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
