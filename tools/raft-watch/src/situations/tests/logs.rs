//! Entries that are refused, cut off or there already.

use super::*;

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
