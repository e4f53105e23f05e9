//! What is promised is saved.

use labrt::thread;
use labtrace::Verdict;

use crate::puppet::{assert_broken, assert_fine, pause, puppet, verdict, verdict_of};

#[test]
fn what_is_promised_is_saved() {
    assert_fine(|_| {
        puppet(1).answers(4, true);
        puppet(1).saves(4, Some(0), vec![3, 4]);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
        // A refusal promises nothing; a later term has changed it all.
        puppet(1).saves(5, None, Vec::new());
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
    });
    let check = "saved before answered";
    assert_broken(
        |_| {
            puppet(1).answers(4, false);
            puppet(1).saves(3, Some(0), Vec::new());
            puppet(0).asks_for_vote(0, 1, 4);
        },
        check,
        &[1],
        &["server 1 answered with term 4", "its persister holds term 3"],
    );
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, None, Vec::new());
            puppet(0).asks_for_vote(0, 1, 4);
        },
        check,
        &[1],
        &["server 1 voted for 0 in term 4", "its persister holds no vote"],
    );
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, Some(0), vec![3]);
            puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
        },
        check,
        &[1],
        &["server 1 accepted entry 2 of term 4", "its persister holds none there"],
    );
}

#[test]
fn values_that_are_read_in_another_order_are_noticed() {
    let verdict = verdict(|_| {
        puppet(1).answers(4, true);
        // Term 4 and a vote for 0, the other way round.
        puppet(1).saves(0, Some(4), Vec::new());
        puppet(0).asks_for_vote(0, 1, 4);
    });
    let verdict = verdict.expect("a rule is broken");
    assert_eq!(verdict.check, "saved before answered");
    assert!(verdict.hint.is_some_and(|hint| hint.starts_with(EXCHANGED)));
}

/// What is said of term and vote that look as if each were the other.
const EXCHANGED: &str = "term and vote are read in another order than they were written";

/// What a server has saved: its term, its vote, and the terms of its log.
type Saved = (u64, Option<usize>, &'static [u64]);

/// Server 1 has saved this, and answers server 0's request with this term (0: none) and yes or no.
fn answers(saved: Saved, term: u64, yes: bool, request: fn()) -> Option<Verdict> {
    verdict(move |_| {
        let (saved_term, vote, log) = saved;
        puppet(1).saves(saved_term, vote, log.to_vec());
        puppet(1).answers(term, yes);
        request();
    })
}

#[track_caller]
fn assert_behind(found: Option<Verdict>, promise: &str, has: &str) {
    let found = found.expect("a rule is broken");
    assert_eq!((found.check.as_str(), &found.servers[..]), ("saved before answered", &[1][..]));
    assert_eq!(found.words, format!("server 1 {promise}, but {has} is saved"));
    let facts: Vec<&str> = found.facts.iter().map(|fact| fact.text.as_str()).collect();
    assert_eq!(facts, [format!("server 1 {promise}"), format!("its persister holds {has}")]);
}

#[test]
fn a_vote_is_measured_by_the_vote_that_is_saved_in_its_term() {
    let asks = || puppet(0).asks_for_vote(0, 1, 4);
    let voted = "voted for 0 in term 4";
    assert_behind(answers((4, Some(2), &[]), 4, true, asks), voted, "a vote for 2");
    assert_behind(answers((4, None, &[]), 4, true, asks), voted, "no vote");
    // One that tells no term has voted in the request's.
    assert_behind(answers((3, Some(0), &[]), 0, true, asks), voted, "term 3");
    // In a later term the vote may be another one, or none yet.
    for vote in [Some(2), None] {
        assert_eq!(answers((5, vote, &[]), 0, true, asks), None);
    }
    // A refusal promises no more than its term.
    assert_eq!(answers((4, Some(2), &[]), 4, false, asks), None);
    assert_eq!(answers((3, None, &[]), 0, false, asks), None);
    assert_behind(answers((4, None, &[]), 5, false, asks), "answered with term 5", "term 4");
}

/// What was promised to a candidate, and is answered late, counts for nothing once its term has another leader.
#[test]
fn a_vote_may_be_the_leaders_by_the_time_it_is_answered() {
    fn answers_late(saved: Option<usize>) -> Option<Verdict> {
        verdict_of(5, move |_| {
            puppet(1).answers(4, true);
            [3, 4].into_iter().for_each(|voter| puppet(0).asks_for_vote(0, voter, 4));
            let follower = puppet(1);
            let stalled = follower.stalls();
            thread::spawn(|| puppet(2).asks_for_vote(2, 1, 4));
            pause();
            thread::spawn(|| puppet(0).leads(1, 4, (0, 0), &[]));
            pause();
            puppet(1).saves(4, saved, Vec::new());
            drop(stalled);
            pause();
        })
    }
    assert_eq!(answers_late(Some(0)), None);
    assert_behind(answers_late(Some(3)), "voted for 2 in term 4", "a vote for 3");
}

/// Server 1 has saved this behind a snapshot, and says yes to a heartbeat of term 4.
fn says_yes_having_saved(base: (u64, u64), term: u64, log: &'static [u64]) -> Option<Verdict> {
    verdict(move |_| {
        puppet(1).saves_state_behind(base, term, Some(0), log.to_vec());
        puppet(1).answers(0, true);
        puppet(0).leads(1, 4, (0, 0), &[]);
    })
}

#[test]
fn what_is_saved_is_a_log() {
    assert_eq!(says_yes_having_saved((0, 0), 4, &[2, 3, 3, 4]), None);
    assert_eq!(says_yes_having_saved((0, 7), 4, &[]), None);
    assert_eq!(says_yes_having_saved((5, 3), 4, &[3, 4]), None);
    let broken = |base, term, log, words: &str, has: &str, why: &str| {
        let found = says_yes_having_saved(base, term, log).expect("a rule is broken");
        assert_eq!((found.check.as_str(), &found.servers[..]), ("a saved log", &[1][..]));
        assert_eq!((&found.words[..], &found.facts[0].text[..]), (words, has));
        assert!(found.hint.is_some_and(|hint| hint.contains(why)), "{why}");
    };
    let deleted = "entries in conflict are deleted with all that follow them";
    broken(
        (0, 0),
        4,
        &[3, 2],
        "in the saved log of server 1 entry 2 of term 2 follows one of term 3",
        "its persister holds entry 1 of term 3, and entry 2 of term 2",
        deleted,
    );
    broken(
        (5, 3),
        4,
        &[2, 4],
        "in the saved log of server 1 entry 6 of term 2 follows one of term 3",
        "its persister holds entry 5 of term 3, and entry 6 of term 2",
        deleted,
    );
    let words = "server 1 has saved entry 2 of term 5, and term 4 as its own";
    broken((0, 0), 4, &[4, 5, 6], words, "its persister holds entry 2 of term 5", "currentTerm");
}

/// Who hears its leader need not look at a candidate's term, and may send it back.
#[test]
fn a_term_that_is_sent_back_with_a_refusal_need_not_be_saved() {
    fn refuses(term: u64, late: bool) -> Option<Verdict> {
        verdict(move |_| {
            puppet(1).saves(3, None, Vec::new());
            puppet(1).answers(3, true);
            puppet(0).leads(1, 3, (0, 0), &[]);
            for _ in 0..if late { 10 } else { 0 } {
                pause();
            }
            puppet(1).answers(term, false);
            puppet(2).asks_for_vote(2, 1, 4);
        })
    }
    assert_eq!(refuses(4, false), None);
    assert_behind(refuses(5, false), "answered with term 5", "term 3");
    // Its leader is silent.
    assert_behind(refuses(4, true), "answered with term 4", "term 3");
    // So it is with what a leader sends.
    let leads = || puppet(0).leads(1, 4, (0, 0), &[]);
    assert_eq!(answers((3, None, &[]), 4, false, leads), None);
    assert_behind(answers((3, None, &[]), 5, false, leads), "answered with term 5", "term 3");
}

#[test]
fn an_acceptance_is_measured_by_the_log_that_is_saved_in_its_term() {
    let brings = || puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
    let accepted = "accepted entry 2 of term 4";
    assert_behind(answers((4, None, &[3]), 0, true, brings), accepted, "none there");
    assert_behind(answers((4, None, &[3, 3]), 0, true, brings), accepted, "one of term 3");
    let term = "accepted a request of term 4";
    assert_behind(answers((3, None, &[3, 4]), 0, true, brings), term, "term 3");
    assert_eq!(answers((4, None, &[3, 4]), 0, true, brings), None);
    // In a later term another leader may have replaced it.
    assert_eq!(answers((5, None, &[]), 0, true, brings), None);
    // What follows nothing, or what nobody has named, need not be there.
    for prev in [|| puppet(0).leads(1, 4, (0, 0), &[]), || puppet(0).leads(1, 4, (2, 0), &[])] {
        assert_eq!(answers((4, None, &[]), 0, true, prev), None);
    }
}

#[test]
fn a_heartbeat_is_accepted_by_who_has_saved_the_entry_before_it() {
    fn heartbeat(log: &'static [u64]) -> Option<Verdict> {
        verdict(move |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, None, vec![3, 4]);
            puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
            puppet(1).saves(4, None, log.to_vec());
            puppet(0).leads(1, 4, (2, 4), &[]);
        })
    }
    assert_eq!(heartbeat(&[3, 4]), None);
    for (log, has) in [(&[3][..], "none there"), (&[3, 3], "one of term 3")] {
        let found = heartbeat(log).expect("a rule is broken");
        assert_eq!(found.check, "accepted after a look");
        let words = format!("server 1 accepted what follows entry 2 of term 4, but {has} is saved");
        assert_eq!(found.words, words);
        let facts: Vec<&str> = found.facts.iter().map(|fact| fact.text.as_str()).collect();
        let persister = format!("its persister holds {has}");
        assert_eq!(facts, ["server 1 said that its log has entry 2 of term 4", &persister]);
    }
}

#[test]
fn term_and_vote_that_look_exchanged_are_told_from_those_that_are_old() {
    let asks = || puppet(0).asks_for_vote(0, 1, 4);
    let looks_exchanged = |saved: Saved| {
        let hint = answers(saved, 4, true, asks).and_then(|found| found.hint);
        hint.expect("it helps").starts_with(EXCHANGED)
    };
    // The vote is about as high as the term should be, and the term is not.
    for vote in [3, 4, 5] {
        assert!(looks_exchanged((0, Some(vote), &[])), "{vote}");
    }
    assert!(!looks_exchanged((0, Some(2), &[])));
    assert!(!looks_exchanged((3, Some(0), &[])) && !looks_exchanged((3, None, &[])));
    // The term is right, and only the vote is another one.
    assert!(!looks_exchanged((4, Some(3), &[])));
}

#[test]
fn what_a_snapshot_holds_is_saved() {
    // Behind the snapshot each entry still has its own place: neither one further nor one less.
    fn two_are_committed() {
        puppet(1).answers(4, true);
        puppet(1).saves(4, None, vec![3, 4]);
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
        puppet(0).commits(1, 4, (2, 4), 0, 2);
    }
    assert_fine(|_| {
        two_are_committed();
        puppet(1).saves_behind((2, 4), 4, Vec::new(), b"s");
        puppet(0).commits(1, 4, (2, 4), 0, 2);
        puppet(1).saves_behind((2, 4), 4, vec![4], b"s");
        puppet(0).leads(1, 4, (2, 4), &[(4, "c")]);
    });
    assert_broken(
        |_| {
            two_are_committed();
            puppet(1).saves_behind((2, 4), 4, vec![3, 4], b"s");
            puppet(0).leads(1, 4, (2, 4), &[(4, "c")]);
        },
        "saved before answered",
        &[1],
        &["server 1 accepted entry 3 of term 4", "its persister holds one of term 3"],
    );
}

#[test]
fn a_snapshot_that_is_left_behind_is_found_by_what_its_server_could_know_then() {
    /// Server 1 has saved a snapshot of nine entries, and then it is told of twelve.
    fn knows_of_twelve() {
        puppet(0).commits(1, 4, (0, 0), 9, 0);
        puppet(0).commits(1, 4, (9, 4), 0, 9);
        puppet(1).saves_behind((9, 4), 4, Vec::new(), b"s");
        puppet(0).commits(1, 4, (9, 4), 0, 9);
        puppet(1).saves_state_behind((9, 4), 4, None, vec![4; 3]);
        puppet(0).commits(1, 4, (9, 4), 3, 9);
        puppet(0).commits(1, 4, (12, 4), 0, 12);
    }
    /// It cuts its log off there.
    fn saves_the_state_alone() {
        puppet(1).saves_state_behind((12, 4), 4, None, Vec::new());
        puppet(0).commits(1, 4, (12, 4), 0, 12);
    }
    assert_fine(|_| {
        knows_of_twelve();
        puppet(1).saves_behind((12, 4), 4, Vec::new(), b"t");
        puppet(0).commits(1, 4, (12, 4), 0, 12);
    });
    assert_broken(
        |_| {
            knows_of_twelve();
            saves_the_state_alone();
        },
        "state and snapshot belong together",
        &[1],
        &["follows entry 12", "when it could know only that 9 entries are committed"],
    );
    // A crash may have torn its last save: nobody knows which snapshot that has left.
    assert_fine(|cluster| {
        knows_of_twelve();
        cluster.start_server(1);
        cluster.connect(1);
        saves_the_state_alone();
    });
}

#[test]
fn a_promise_is_looked_at_if_nothing_was_saved_for_it_however_much_there_is() {
    const MANY: u64 = 20_000;
    let check = "saved before answered";
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, Some(0), vec![4; 20_000]);
            puppet(0).commits(1, 4, (0, 0), MANY, 0);
            puppet(0).commits(1, 4, (MANY, 4), 1, 0);
        },
        check,
        &[1],
        &["server 1 accepted entry 20001 of term 4", "its persister holds none there"],
    );
    assert_broken(
        |_| {
            puppet(1).answers(4, true);
            puppet(1).saves(4, None, vec![4; 20_000]);
            puppet(0).asks_with_log(0, 1, 4, (MANY, 4));
        },
        check,
        &[1],
        &["server 1 voted for 0 in term 4", "its persister holds no vote"],
    );
}
