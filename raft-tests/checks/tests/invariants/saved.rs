//! What is promised is saved.

use crate::puppet::{assert_broken, assert_fine, puppet, verdict};

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
    assert!(verdict.hint.is_some_and(|hint| hint.contains("in another order")));
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
        puppet(1).saves_behind((2, 4), 4, vec![4, 3], b"s");
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
