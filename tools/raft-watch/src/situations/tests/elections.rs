//! Votes, candidates and terms, and servers that crash.

use super::*;

#[test]
fn elections_with_several_candidates() {
    let both = |h: &mut History| {
        h.answered(0, 2, vote(1), yes(1));
        h.answered(1, 2, vote(1), no(1));
    };
    let then_next = move |h: &mut History| {
        both(h);
        h.reached(0, 2, vote(2));
        h.reached(1, 2, vote(3));
    };
    let then_won = move |h: &mut History| {
        both(h);
        h.sent(0, 2, heartbeat(1));
        h.sent(0, 3, heartbeat(1));
        h.reached(1, 2, vote(2));
    };
    let one_after_the_other = |h: &mut History| {
        h.reached(0, 2, vote(1));
        h.reached(1, 2, vote(2));
        h.sent(1, 2, heartbeat(2));
        h.reached(0, 2, vote(3));
    };
    check(SplitVote, then_next, then_won);
    check(SplitVote, then_next, one_after_the_other);
    check(ContestedTerm, then_won, then_next);
    check(ContestedTerm, then_won, one_after_the_other);
}

#[test]
fn who_reaches_nobody_is_no_candidate() {
    // Two servers that are cut off stand in one term, and a third one in the next.
    let stand = |reaches: bool| {
        move |h: &mut History| {
            for candidate in [0, 1] {
                let call = h.sent(candidate, 2, vote(1));
                if reaches {
                    h.spotter.delivered(call);
                    let granted = Reply::new(1, candidate == 0, None);
                    h.spotter.replied(call, granted);
                } else {
                    h.spotter.lost(call);
                }
                h.spotter.over(call, !reaches);
            }
        }
    };
    let then_next = |reaches: bool| {
        move |h: &mut History| {
            stand(reaches)(h);
            h.reached(2, 3, vote(2));
        }
    };
    check(SplitVote, then_next(true), then_next(false));
    let then_led = |reaches: bool| {
        move |h: &mut History| {
            stand(reaches)(h);
            h.elect(2, 1);
        }
    };
    check(ContestedTerm, then_led(true), then_led(false));
    // A later term begins when somebody hears of it.
    check(SplitVote, then_next(true), |h| {
        stand(true)(h);
        h.sent(3, 4, vote(2));
    });
}

#[test]
fn a_vote_is_split_if_candidates_divide_what_there_is() {
    let next = |h: &mut History| {
        h.reached(4, 3, vote(2));
    };
    // Each has the vote of another server.
    let each_has_one = move |h: &mut History| {
        h.answered(0, 2, vote(1), yes(1));
        h.answered(1, 3, vote(1), yes(1));
        next(h);
    };
    // Both are heard of, and nobody has said a word.
    let unanswered = move |h: &mut History| {
        h.reached(0, 2, vote(1));
        h.reached(1, 3, vote(1));
        next(h);
    };
    // One asks the other, which has voted for itself.
    let asks_the_other = move |h: &mut History| {
        h.reached(0, 2, vote(1));
        h.reached(1, 0, vote(1));
        next(h);
    };
    check(SplitVote, each_has_one, unanswered);
    check(SplitVote, asks_the_other, unanswered);
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
    // What is lost, or cannot arrive as things are, is not on its way.
    check(TimeoutWhileHeartbeatTravels, stands(false), |h| {
        h.elect(0, 1);
        let call = h.sent(0, 1, heartbeat(1));
        h.spotter.lost(call);
        h.sent(1, 2, vote(2));
    });
    let cut = |to: usize| {
        move |h: &mut History| {
            h.elect(0, 1);
            h.sent(0, 1, heartbeat(1));
            h.spotter.way(0, to, false);
            h.sent(1, 2, vote(2));
        }
    };
    check(TimeoutWhileHeartbeatTravels, cut(2), cut(1));
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

    // Who crashes once more does not lose the same again, nor what the copy of a request asked for.
    let crashes_twice = |copied: bool| {
        move |h: &mut History| {
            let call = h.sent(0, 2, vote(1));
            if copied {
                h.spotter.duplicated(call);
                h.spotter.over(call, true);
                h.spotter.delivered(copy_of(call));
            } else {
                h.spotter.delivered(call);
            }
            h.spotter.saved(2, 1);
            h.restart(2);
            h.spotter.saved(2, 2);
            h.restart(2);
        }
    };
    check(CrashBeforeReply, crashes_twice(false), crashes(false, true));
    check(CrashBeforeReply, crashes_twice(true), crashes(false, true));

    // In the middle of a save, which is there all the same.
    let torn = |asked: bool, kept: bool| {
        move |h: &mut History| {
            if asked {
                h.reached(0, 2, vote(1));
            }
            h.reached(0, 3, vote(1));
            h.sent(1, 2, vote(1));
            h.answered(1, 2, vote(1), no(1));
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
    assert!(spotter.seen().values().all(|times| *times == 0));
}

#[test]
fn a_crash_in_the_middle_of_a_save_is_one_crash() {
    // One call is saved for and not answered, and another one is what the torn save was about.
    let torn = |kept: bool| {
        move |h: &mut History| {
            h.reached(0, 2, vote(1));
            h.spotter.saved(2, 1);
            h.reached(1, 2, vote(2));
            h.spotter.torn(2, kept);
            h.restart(2);
        }
    };
    let answered = |h: &mut History| {
        h.answered(0, 2, vote(1), yes(1));
        h.spotter.saved(2, 1);
        h.spotter.torn(2, true);
        h.restart(2);
    };
    check(CrashBeforeReply, torn(true), answered);
    check(CrashBeforeReply, torn(false), answered);
    // It is dead from then on, though it leaves the network later.
    let all_torn = |last: usize| {
        move |h: &mut History| {
            (0..last).for_each(|server| h.spotter.torn(server, false));
            (0..last).for_each(|server| h.spotter.crashed(server));
        }
    };
    check(AllDown, all_torn(SERVERS), all_torn(SERVERS - 1));
    let torn_leader = |h: &mut History| {
        h.elect(0, 1);
        h.spotter.torn(0, true);
    };
    let cut_off = |torn: usize| {
        move |h: &mut History| {
            h.elect(0, 1);
            (1..=torn).for_each(|other| h.spotter.torn(other, true));
            h.spotter.accepted(0, 1, 1);
        }
    };
    check(StaleLeaderAccepts, cut_off(3), cut_off(2));
    let mut history = History::new();
    torn_leader(&mut history);
    history.elect(1, 2);
    assert!(!history.spotter.is_deposed(0));
    check(
        DeposedByRequest,
        |h| {
            h.elect(0, 1);
            h.reached(1, 0, vote(2));
        },
        |h| {
            torn_leader(h);
            h.reached(1, 0, vote(2));
        },
    );
}

#[test]
fn what_reaches_a_dead_body_its_successor_has_not_heard() {
    let dies: [fn(&mut History, usize); 2] =
        [|h, server| h.spotter.crashed(server), |h, server| h.spotter.torn(server, true)];
    for dies in dies {
        // Server 2 votes and crashes; what another candidate asks was sent before the crash, or after the restart.
        let asks = |early: bool, copied: bool| {
            move |h: &mut History| {
                h.call(0, 2, vote(1), yes(1));
                let mut call = h.sent(1, 2, vote(1));
                if copied {
                    h.spotter.duplicated(call);
                    h.spotter.over(call, true);
                    call = copy_of(call);
                }
                dies(h, 2);
                h.restart(2);
                if !early {
                    call = h.sent(1, 2, vote(1));
                }
                h.spotter.delivered(call);
            }
        };
        check(AskedAgainAfterCrash, asks(false, false), asks(true, false));
        check(AskedAgainAfterCrash, asks(false, true), asks(true, true));
        // Nor does it hear of a term.
        let mut history = History::new();
        let call = history.sent(1, 2, vote(7));
        dies(&mut history, 2);
        history.spotter.delivered(call);
        history.restart(2);
        history.spotter.delivered(call);
        assert_eq!(history.spotter.servers[2].term, 0);
        // And what was sent to the one before the crash is not on its way to the one after it.
        let stands = |restarts: bool| {
            move |h: &mut History| {
                h.elect(0, 1);
                h.sent(0, 1, heartbeat(1));
                if restarts {
                    dies(h, 1);
                    h.restart(1);
                }
                h.sent(1, 2, vote(2));
            }
        };
        check(TimeoutWhileHeartbeatTravels, stands(false), stands(true));
    }
}
