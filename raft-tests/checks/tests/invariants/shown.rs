//! What the watch tells those who judge the services above.

use raft_tests::watch::Bookmark;

use crate::puppet::{assert_fine, not_judged_of, pause, puppet, verdict, verdict_of};

#[test]
fn what_servers_can_know_is_told_as_soon_as_leaders_speak() {
    assert_fine(|cluster| {
        let watch = cluster.watch();
        let can_know = || [0, 1, 2].map(|server| watch.can_know(server));
        assert_eq!(can_know(), [None; 3]);
        puppet(0).leads(1, 4, (0, 0), &[]);
        assert_eq!(can_know(), [Some(0); 3]);
        puppet(0).commits(1, 4, (0, 0), 3, 0);
        assert_eq!(can_know(), [Some(3), Some(0), Some(0)]);
        puppet(0).commits(1, 4, (3, 4), 0, 2);
        assert_eq!(can_know(), [Some(3), Some(2), Some(0)]);
    });
    let alone = verdict_of(1, |cluster| assert_eq!(cluster.watch().can_know(0), None));
    assert_eq!(alone, None);
}

#[test]
fn terms_and_leaders_are_told() {
    assert_fine(|cluster| {
        let watch = cluster.watch();
        let shown = || [0, 1, 2].map(|server| watch.shown_term(server));
        let leaders = || [4, 5, 6].map(|term| watch.leader_of(term));
        assert_eq!((shown(), leaders()), ([0; 3], [None; 3]));
        puppet(0).leads(1, 4, (0, 0), &[]);
        assert_eq!((shown(), leaders()), ([4, 4, 0], [Some(0), None, None]));
        puppet(2).leads(1, 6, (0, 0), &[]);
        assert_eq!((shown(), leaders()), ([4, 6, 6], [Some(0), None, Some(2)]));
    });
}

#[test]
fn when_a_server_was_called_by_a_leader_is_told() {
    assert_fine(|cluster| {
        let watch = cluster.watch();
        let heard = || [0, 1, 2].map(|server| watch.heard(server));
        assert_eq!(heard(), [None; 3]);
        pause();
        puppet(0).leads(1, 4, (0, 0), &[]);
        let first = watch.heard(1).expect("it was called");
        assert!((100_000..=labtrace::now_us()).contains(&first), "{first}");
        pause();
        assert_eq!(heard(), [None, Some(first), None]);
        puppet(0).leads(1, 4, (0, 0), &[]);
        assert!(watch.heard(1) >= Some(first + 100_000));
    });
}

#[test]
fn the_terms_of_entries_are_told_and_which_are_committed() {
    assert_fine(|cluster| {
        let watch = cluster.watch();
        let terms = || [1, 2, 3, 4].map(|index| watch.term_at(index));
        let committed = || [1, 2, 3, 4].map(|index| watch.committed_term_at(index));
        puppet(0).leads(1, 4, (0, 0), &[(2, "a"), (3, "b"), (4, "c")]);
        assert_eq!((terms(), committed()), ([Some(2), Some(3), Some(4), None], [None; 4]));
        puppet(0).commits(1, 4, (3, 4), 0, 3);
        assert_eq!(committed(), [Some(2), Some(3), Some(4), None]);
        // A later leader may have something else behind them.
        puppet(0).leads(1, 4, (3, 4), &[(4, "d")]);
        puppet(2).leads(0, 6, (3, 4), &[(5, "e")]);
        assert_eq!(terms(), [Some(2), Some(3), Some(4), Some(5)]);
    });
}

#[test]
fn each_entry_is_told_when_it_is_sent_for_the_first_time() {
    assert_fine(|cluster| {
        let mut bookmark = Bookmark::default();
        let mut news = || {
            let mut seen = Vec::new();
            cluster.watch().read_entries(&mut bookmark, |entry| {
                let command = entry.command.last().copied().expect("it is not empty");
                seen.push((entry.server, entry.index, entry.term, char::from(command)));
            });
            seen
        };
        assert_eq!(news(), []);
        puppet(0).leads(1, 4, (0, 0), &[(3, "a"), (4, "b")]);
        assert_eq!(news(), [(0, 1, 3, 'a'), (0, 2, 4, 'b')]);
        puppet(0).leads(2, 4, (0, 0), &[(3, "a"), (4, "b")]);
        assert_eq!(news(), []);
        puppet(2).leads(1, 5, (0, 0), &[(3, "a"), (5, "x")]);
        assert_eq!(news(), [(2, 2, 5, 'x')]);
    });
}

#[test]
fn where_entries_come_from_is_told_if_servers_apply_different_ones() {
    let verdict = verdict(|_| {
        puppet(0).commits(1, 4, (0, 0), 1, 0);
        puppet(0).commits(1, 4, (1, 4), 0, 1);
        puppet(0).applies(1);
        puppet(1).applies_command(1, "x");
    });
    let facts = verdict.expect("they do not agree").facts;
    let expected = "server 0 sent c1 as the entry of term 4 at index 1";
    assert!(facts.iter().any(|fact| fact.text == expected), "{facts:#?}");
}

#[test]
fn that_no_leader_spoke_is_told_unless_there_is_nobody_to_speak_to() {
    let why = "because no AppendEntries was seen";
    let silent = not_judged_of(3, |_| puppet(0).asks_for_vote(0, 1, 4));
    assert!(silent.iter().any(|sentence| sentence.ends_with(why)), "{silent:?}");
    let spoken = not_judged_of(3, |_| puppet(0).leads(1, 4, (0, 0), &[]));
    assert!(!spoken.iter().any(|sentence| sentence.ends_with(why)), "{spoken:?}");
    let alone = not_judged_of(1, |_| {});
    assert_eq!(alone, Vec::<String>::new());
    // And so it is with candidates.
    let why = "because no RequestVote was seen";
    assert!(spoken.iter().any(|sentence| sentence.ends_with(why)), "{spoken:?}");
    assert!(!silent.iter().any(|sentence| sentence.ends_with(why)), "{silent:?}");
}

#[test]
fn a_server_that_crashes_is_told_so() {
    assert_fine(|cluster| {
        let (crashed, other) = (puppet(2), puppet(1));
        assert!(!crashed.was_killed());
        cluster.crash(2);
        assert!(crashed.was_killed() && !other.was_killed());
    });
}
