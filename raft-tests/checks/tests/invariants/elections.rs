//! Terms, votes and leaders.

use bytes::Bytes;
use raft_tests::Cluster;

use crate::puppet::{assert_broken, assert_fine, pause, puppet, verdict, verdict_of};

#[test]
fn one_leader_a_term() {
    assert_fine(|_| {
        puppet(0).leads(1, 4, (0, 0), &[]);
        puppet(0).leads(2, 4, (0, 0), &[]);
        puppet(2).leads(1, 5, (0, 0), &[]);
    });
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, (0, 0), &[]);
            pause();
            puppet(2).leads(1, 4, (0, 0), &[]);
        },
        "Election Safety",
        &[0, 2],
        &["server 0 sent AppendEntries as leader of term 4", "server 2 sent AppendEntries"],
    );
}

#[test]
fn a_leader_has_the_votes_of_a_majority() {
    assert_fine(|_| {
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, (0, 0), &[]);
    });
    assert_broken(
        |_| {
            puppet(0).asks_for_vote(0, 1, 4);
            puppet(1).answers(0, false);
            puppet(0).asks_for_vote(0, 1, 5);
            puppet(0).leads(1, 5, (0, 0), &[]);
        },
        "elected by a majority",
        &[0],
        &["in term 5 it has the votes of servers [0]", "in term 4 it had those of servers [0, 1]"],
    );
}

#[test]
fn one_vote_a_term() {
    assert_fine(|_| {
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(2).asks_for_vote(2, 1, 5);
        puppet(1).answers(5, false);
        puppet(0).asks_for_vote(0, 1, 5);
    });
    assert_broken(
        |_| {
            puppet(0).asks_for_vote(0, 1, 4);
            puppet(2).asks_for_vote(2, 1, 4);
        },
        "one vote a term",
        &[1],
        &["server 1 gave its vote in term 4 to server 0", "to server 2"],
    );
    // A candidate has voted for itself.
    assert_broken(
        |_| {
            puppet(1).asks_for_vote(1, 0, 4);
            puppet(2).asks_for_vote(2, 1, 4);
        },
        "one vote a term",
        &[1],
        &["server 1 gave its vote in term 4 to server 1", "to server 2"],
    );
}

#[test]
fn one_vote_a_term_across_restarts() {
    let verdict = verdict(|cluster| {
        puppet(0).asks_for_vote(0, 1, 4);
        cluster.start_server(1);
        cluster.connect(1);
        puppet(1).answers(4, true);
        puppet(2).asks_for_vote(2, 1, 4);
    });
    let verdict = verdict.expect("a rule is broken");
    assert_eq!(verdict.check, "one vote a term");
    assert_eq!(verdict.details, ["server 1 was restarted between the two"]);
    assert!(verdict.hint.is_some_and(|hint| hint.contains("forgotten its vote")));
}

#[test]
fn the_term_does_not_go_back() {
    assert_fine(|_| {
        puppet(1).answers(6, false);
        puppet(0).leads(1, 4, (0, 0), &[]);
        puppet(0).leads(1, 4, (0, 0), &[]);
        // Some send the request's term back.
        puppet(1).answers(4, false);
        puppet(0).leads(1, 4, (0, 0), &[]);
        // A request may have been prepared in an earlier term.
        puppet(0).answers(4, false);
        puppet(1).asks_for_vote(1, 0, 3);
    });
    assert_broken(
        |_| {
            puppet(1).answers(6, true);
            puppet(0).leads(1, 4, (0, 0), &[]);
            puppet(1).answers(5, true);
            puppet(0).leads(1, 4, (0, 0), &[]);
        },
        "term",
        &[1],
        &["server 1 sent a message of term 6", "it answers a later request with term 5"],
    );
    assert_broken(
        |cluster| {
            puppet(1).answers(6, true);
            puppet(0).leads(1, 4, (0, 0), &[]);
            cluster.start_server(1);
            cluster.connect(1);
            puppet(1).asks_for_vote(1, 0, 5);
        },
        "persistence: term",
        &[1],
        &["server 1 sent a message of term 6", "since its restart it sends one of term 5"],
    );
}

#[test]
fn votes_go_to_logs_that_are_up_to_date() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(2).asks_with_log(2, 1, 5, (3, 4));
        puppet(2).asks_with_log(2, 1, 6, (1, 5));
        puppet(1).answers(7, false);
        puppet(2).asks_with_log(2, 1, 7, (9, 3));
    });
    let check = "election restriction";
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(2).asks_with_log(2, 1, 5, (9, 3));
        },
        check,
        &[1, 2],
        &[
            "server 1 accepted entry 3 of term 4 from server 0",
            "the log of server 2 ends with entry 9 of term 3",
        ],
    );
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 3, 0);
            puppet(2).asks_with_log(2, 1, 5, (2, 4));
        },
        check,
        &[1, 2],
        &["the log of server 2 ends with entry 2 of term 4"],
    );
}

/// What was compared may have been the wrong entry.
#[test]
fn a_vote_for_an_older_log_is_told_with_the_end_of_the_saved_one() {
    let broken = verdict(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).saves(5, Some(2), vec![4]);
        puppet(2).asks_with_log(2, 1, 5, (2, 4));
    });
    let broken = broken.expect("a rule is broken");
    assert_eq!(broken.check, "election restriction");
    let text = "what server 1 has saved ends with entry 1 of term 4";
    assert!(broken.facts.iter().any(|fact| fact.text == text), "{broken:?}");
    let hint = broken.hint.expect("there is a usual cause");
    assert!(hint.ends_with("or what followed a conflicting entry was not deleted"), "{hint}");
    // A log that is none is told first.
    let broken = verdict(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).saves(5, Some(2), vec![4, 4, 3]);
        puppet(2).asks_with_log(2, 1, 5, (2, 4));
    });
    assert_eq!(broken.expect("a rule is broken").check, "a saved log");
}

/// `votedFor` may become the leader's when that has spoken. Whatever was sent before may come late.
#[test]
fn who_follows_a_leader_may_note_that_one_as_its_vote() {
    fn votes_for_2_of_5() {
        puppet(2).asks_for_vote(2, 1, 4);
        [3, 4].into_iter().for_each(|voter| puppet(0).asks_for_vote(0, voter, 4));
    }
    let follows = verdict_of(5, |_| {
        votes_for_2_of_5();
        puppet(0).leads(1, 4, (0, 0), &[(4, "a")]);
        puppet(0).asks_with_log(0, 1, 4, (0, 0));
        // Its own vote is another matter, and so is that of another one.
        puppet(0).leads(2, 4, (0, 0), &[(4, "a")]);
        puppet(0).asks_with_log(0, 2, 4, (0, 0));
    });
    assert_eq!(follows, None);
    // It has not heard of the leader yet, or it is another one that asks.
    let early = verdict_of(5, |_| {
        votes_for_2_of_5();
        puppet(0).asks_for_vote(0, 1, 4);
    });
    assert_eq!(early.expect("a rule is broken").check, "one vote a term");
    let another = verdict_of(5, |_| {
        votes_for_2_of_5();
        puppet(0).leads(3, 4, (0, 0), &[(4, "a")]);
        puppet(2).asks_for_vote(2, 3, 4);
    });
    assert_eq!(another.expect("a rule is broken").check, "one vote a term");
}

#[test]
fn what_a_dead_server_says_does_not_count() {
    assert_fine(|cluster| {
        puppet(0).leads(1, 4, (0, 0), &[]);
        let old = puppet(2);
        cluster.crash(2);
        old.leads(1, 4, (0, 0), &[]);
    });
}

#[test]
fn nobody_leads_who_did_not_stand_for_election() {
    // If nobody ever asks for a vote, elections go by ways that nobody knows.
    assert_fine(|_| puppet(2).leads(1, 5, (0, 0), &[]));
    let check = "elected by a majority";
    assert_broken(
        |_| {
            puppet(0).asks_for_vote(0, 1, 4);
            puppet(0).leads(1, 4, (0, 0), &[]);
            // A deposed leader builds its heartbeat with the new term.
            puppet(2).asks_for_vote(2, 1, 5);
            puppet(2).leads(1, 5, (0, 0), &[]);
            puppet(0).leads(1, 5, (0, 0), &[]);
        },
        check,
        &[0, 2],
        &["it sent no RequestVote of term 5", "server 2 sent AppendEntries as leader of term 5"],
    );
}

#[test]
fn only_the_leader_accepts_commands() {
    fn offer(cluster: &Cluster, server: usize, words: &'static str) {
        cluster.start(server, Bytes::from_static(words.as_bytes()));
    }
    assert_fine(|cluster| {
        puppet(0).asks_for_vote(0, 1, 4);
        offer(cluster, 0, "4 1");
        puppet(0).leads(1, 4, (0, 0), &[]);
        offer(cluster, 0, "4 2");
    });
    assert_broken(
        |cluster| {
            puppet(0).asks_for_vote(0, 1, 4);
            puppet(0).leads(1, 4, (0, 0), &[]);
            offer(cluster, 2, "4 1");
        },
        "elected by a majority",
        &[2, 0],
        &["server 2 accepted a command as leader of term 4"],
    );
    assert_broken(
        |cluster| {
            offer(cluster, 0, "4 1");
            offer(cluster, 2, "4 1");
        },
        "Election Safety",
        &[0, 2],
        &["server 2 accepted a command as leader of term 4"],
    );
}

#[test]
fn a_yes_is_not_of_an_earlier_term_than_its_request() {
    assert_fine(|_| {
        // A refusal may be: some servers do not look at candidates while they hear a leader.
        puppet(1).answers(3, false);
        puppet(0).asks_for_vote(0, 1, 4);
    });
    assert_broken(
        |_| {
            puppet(1).answers(3, true);
            puppet(0).asks_for_vote(0, 1, 4);
        },
        "term",
        &[0, 1],
        &["server 1 said yes with term 3"],
    );
}

#[test]
fn stale_requests_get_no_yes() {
    assert_fine(|_| {
        puppet(2).asks_for_vote(2, 1, 5);
        puppet(1).answers(5, false);
        puppet(0).asks_for_vote(0, 1, 4);
    });
    assert_fine(|_| {
        puppet(2).leads(1, 5, (0, 0), &[]);
        puppet(1).answers(5, false);
        puppet(0).leads(1, 4, (0, 0), &[]);
    });
    let check = "stale request";
    assert_broken(
        |_| {
            puppet(2).asks_for_vote(2, 1, 5);
            puppet(0).asks_for_vote(0, 1, 4);
        },
        check,
        &[1, 0],
        &["server 1 showed term 5", "server 0 sent its request of term 4"],
    );
    let verdict = verdict(|cluster| {
        puppet(2).leads(1, 5, (0, 0), &[]);
        cluster.start_server(1);
        cluster.connect(1);
        puppet(0).leads(1, 4, (0, 0), &[]);
    });
    let verdict = verdict.expect("a rule is broken");
    assert_eq!(verdict.check, check);
    assert_eq!(verdict.details, ["server 1 was restarted in between"]);
}

#[test]
fn what_is_not_known_any_more_is_not_held_against_a_voter() {
    // Another leader's request has reached it, and nobody knows what became of it.
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        puppet(1).answers(6, false);
        puppet(2).leads(1, 6, (1, 4), &[(6, "x")]);
        puppet(1).answers(7, true);
        puppet(2).asks_with_log(2, 1, 7, (2, 4));
    });
    let verdict = verdict(|cluster| {
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        cluster.start_server(1);
        cluster.connect(1);
        puppet(2).asks_with_log(2, 1, 7, (2, 4));
    });
    let verdict = verdict.expect("a rule is broken");
    assert_eq!(verdict.check, "election restriction");
    assert_eq!(verdict.details, ["server 1 was restarted in between"]);
    assert!(verdict.hint.is_some_and(|hint| hint.contains("forgot what it had accepted")));
}

#[test]
fn when_a_leader_spoke_first_is_told() {
    let verdict = verdict(|_| {
        puppet(0).leads(1, 4, (0, 0), &[]);
        pause();
        puppet(0).leads(1, 4, (0, 0), &[]);
        pause();
        puppet(2).leads(1, 4, (0, 0), &[]);
    });
    let facts = verdict.expect("a rule is broken").facts;
    let when = facts.iter().filter_map(|fact| fact.us).collect::<Vec<_>>();
    assert!(matches!(when[..], [first, other] if other - first >= 200_000), "{facts:?}");
}

#[test]
fn who_sends_the_term_of_a_request_back_has_not_promised_it() {
    assert_fine(|_| {
        puppet(1).answers(7, false);
        puppet(0).leads(1, 7, (0, 0), &[]);
        puppet(1).answers(6, false);
        puppet(2).leads(1, 5, (0, 0), &[]);
    });
}

#[test]
fn entries_that_nobody_has_accepted_may_be_lost_in_a_restart() {
    fn leads_in_vain() {
        puppet(2).answers(0, false);
        puppet(1).leads(2, 4, (0, 0), &[(4, "a")]);
    }
    assert_fine(|cluster| {
        leads_in_vain();
        cluster.start_server(1);
        cluster.connect(1);
        puppet(2).asks_with_log(2, 1, 5, (0, 0));
    });
    assert_broken(
        |_| {
            leads_in_vain();
            puppet(2).asks_with_log(2, 1, 5, (0, 0));
        },
        "election restriction",
        &[1, 2],
        &["server 1 had entry 1 of term 4 as leader of term 4"],
    );
}

/// It asks while its own vote is on its way to the disk, and would count it only then.
#[test]
fn who_has_only_asked_may_have_forgotten_it_after_a_crash() {
    fn crashes(cluster: &Cluster, saved: Option<usize>) {
        puppet(1).saves(4, None, Vec::new());
        puppet(2).answers(5, false);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
        if saved == Some(1) {
            puppet(1).saves(5, saved, Vec::new());
        }
        cluster.start_server(1);
        cluster.connect(1);
        puppet(1).saves(5, Some(0), Vec::new());
        puppet(0).asks_with_log(0, 1, 5, (0, 0));
    }
    assert_fine(|cluster| crashes(cluster, None));
    // What it had saved it must read.
    assert_broken(
        |cluster| crashes(cluster, Some(1)),
        "one vote a term",
        &[1],
        &["server 1 gave its vote in term 5 to server 1"],
    );
    // Nor is its term to be kept.
    assert_fine(|cluster| {
        puppet(0).asks_with_log(0, 2, 4, (0, 0));
        puppet(0).leads(1, 4, (0, 0), &[]);
        puppet(1).saves(4, None, Vec::new());
        cluster.disconnect(1);
        puppet(1).asks_with_log(1, 2, 5, (0, 0));
        cluster.start_server(1);
        cluster.connect(1);
        puppet(0).leads(1, 4, (0, 0), &[]);
    });
}

/// Who leads by its own vote has counted it.
#[test]
fn a_leader_has_saved_its_own_vote() {
    fn leads(term: u64, vote: Option<usize>) -> impl FnOnce(&Cluster) {
        move |_| {
            puppet(0).saves(term, vote, Vec::new());
            puppet(0).asks_with_log(0, 1, 4, (0, 0));
            puppet(0).leads(1, 4, (0, 0), &[]);
        }
    }
    assert_fine(leads(4, Some(0)));
    assert_fine(leads(5, None));
    for (term, vote, has) in
        [(3, None, "holds term 3"), (4, None, "holds no vote"), (4, Some(2), "holds a vote for 2")]
    {
        assert_broken(
            leads(term, vote),
            "saved before counted",
            &[0],
            &["server 0 leads term 4", "the votes of servers [0, 1]", has],
        );
    }
    // The others are a majority without it.
    assert_fine(|_| {
        puppet(0).saves(3, None, Vec::new());
        puppet(0).asks_with_log(0, 1, 4, (0, 0));
        puppet(0).asks_with_log(0, 2, 4, (0, 0));
        puppet(0).leads(1, 4, (0, 0), &[]);
    });
}
