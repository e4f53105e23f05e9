//! Logs of leaders.

use crate::puppet::{assert_broken, assert_fine, puppet};

#[test]
fn one_entry_for_each_index_and_term() {
    assert_fine(|_| {
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
        puppet(2).answers(0, false);
        puppet(0).leads(2, 4, (1, 3), &[(4, "b"), (4, "c")]);
        puppet(2).leads(1, 5, (0, 0), &[(3, "a"), (5, "x")]);
    });
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
            puppet(2).leads(1, 5, (1, 3), &[(4, "z")]);
        },
        "Log Matching",
        &[0, 2],
        &["server 0 sent b as the entry of term 4 at index 2", "server 2 sent z"],
    );
}

#[test]
fn terms_in_a_log_do_not_fall() {
    let check = "a leader's log";
    assert_fine(|_| puppet(0).leads(1, 4, (0, 0), &[(2, "a"), (2, "b"), (4, "c"), (4, "d")]));
    assert_broken(
        |_| puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (2, "b")]),
        check,
        &[0],
        &["its entry 1 is of term 3", "its entry 2 is of term 2"],
    );
    assert_broken(
        |_| puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (5, "b")]),
        check,
        &[0],
        &["server 0 leads term 4", "its entry 2 is of term 5"],
    );
}

#[test]
fn a_leader_does_not_contradict_its_own_log() {
    assert_fine(|_| {
        puppet(0).leads(1, 4, (0, 0), &[(2, "a"), (3, "b"), (4, "c")]);
        puppet(2).answers(0, false);
        puppet(0).leads(2, 4, (2, 3), &[(4, "c"), (4, "d")]);
        puppet(0).leads(1, 4, (1, 2), &[]);
    });
    assert_broken(
        |_| {
            puppet(0).leads(1, 4, (0, 0), &[(2, "a"), (3, "b"), (4, "c")]);
            puppet(0).leads(2, 4, (2, 2), &[]);
        },
        "a leader's log",
        &[0],
        &["server 0 sent entry 2 of term 3 in this term", "now its entry 2 is of term 2"],
    );
}

#[test]
fn numbers_out_of_this_world_do_no_harm() {
    assert_fine(|_| {
        let most = u64::MAX;
        puppet(1).answers(0, false);
        puppet(0).leads(1, most, (most, most), &[(most, "a"), (most, "b")]);
        puppet(0).leads(1, most, (most - 1, most), &[(most, "a"), (most, "b")]);
        puppet(2).asks_with_log(2, 1, most, (most, most));
    });
}

#[test]
fn the_place_before_new_entries_is_the_one_that_was_committed() {
    assert_broken(
        |_| {
            puppet(0).commits(1, 4, (0, 0), 9, 0);
            puppet(0).commits(1, 4, (9, 4), 0, 9);
            puppet(1).leads(2, 5, (9, 3), &[(5, "x")]);
        },
        "Leader Completeness",
        &[1],
        &["server 1 says: entry 9 is of term 3", "entry 9 of term 4 is committed"],
    );
}
