//! What servers have saved is looked at when it matters, and else as often as it costs little.

use labgob::encode;
use raft_api::Persisted;
use raft_tests::RaftType;

use crate::puppet::{Puppet, assert_broken, assert_fine, puppet, reads};

/// Saves more than is read at once for nothing: so many entries of a term.
fn saves_much(term: u64, vote: Option<usize>, of: u64) {
    puppet(1).saves(term, vote, vec![of; 40_000]);
}

const CHECK: &str = "saved before answered";

#[test]
fn what_is_accepted_is_looked_for_however_long_the_state_is() {
    assert_broken(
        |_| {
            saves_much(4, None, 3);
            puppet(0).leads(1, 4, (0, 0), &[(3, "a")]);
            saves_much(4, None, 3);
            puppet(0).leads(1, 4, (1, 3), &[(4, "b")]);
        },
        CHECK,
        &[1],
        &["server 1 accepted entry 2 of term 4", "its persister holds one of term 3"],
    );
    // The same entry again, of a new instance.
    assert_broken(
        |cluster| {
            saves_much(4, None, 3);
            puppet(0).leads(1, 4, (0, 0), &[(3, "a")]);
            cluster.start_server(1);
            cluster.connect(1);
            saves_much(4, None, 2);
            puppet(0).leads(1, 4, (0, 0), &[(3, "a")]);
        },
        CHECK,
        &[1],
        &["server 1 accepted entry 1 of term 3", "its persister holds one of term 2"],
    );
}

#[test]
fn a_vote_is_looked_for_however_long_the_state_is() {
    assert_broken(
        |_| {
            saves_much(4, Some(0), 3);
            puppet(0).asks_for_vote(0, 1, 4);
            saves_much(5, None, 3);
            puppet(0).asks_for_vote(0, 1, 5);
        },
        CHECK,
        &[1],
        &["server 1 voted for 0 in term 5", "its persister holds no vote"],
    );
}

#[test]
fn what_promises_nothing_new_is_not_worth_a_look_at_a_long_state() {
    assert_fine(|_| {
        saves_much(4, None, 3);
        puppet(0).leads(1, 4, (0, 0), &[(3, "a")]);
        let before = reads();
        for _ in 0..20 {
            saves_much(4, None, 3);
            puppet(0).leads(1, 4, (0, 0), &[(3, "a")]);
            saves_much(4, None, 3);
            puppet(0).leads(1, 4, (1, 3), &[]);
        }
        assert_eq!(reads() - before, 0);
    });
}

#[test]
fn a_state_is_looked_at_when_it_becomes_shorter() {
    assert_fine(|_| {
        puppet(0).commits(1, 4, (0, 0), 9, 0);
        puppet(0).commits(1, 4, (9, 4), 0, 9);
        puppet(1).saves_behind((5, 4), 4, vec![4; 9], b"s");
        puppet(0).commits(1, 4, (9, 4), 0, 9);
        let saves = |entries: usize| {
            let before = reads();
            puppet(1).saves_state_behind((5, 4), 4, None, vec![4; entries]);
            reads() - before
        };
        assert_eq!([9, 9, 10, 9, 9, 8].map(saves), [0, 0, 0, 1, 0, 1]);
    });
}

#[test]
fn a_type_of_raft_says_what_was_saved() {
    let raft = RaftType::of::<Puppet>();
    let state = encode(&(4_u64, Some(2_usize), (7_u64, 3_u64), vec![3_u64, 4]));
    let expected = Persisted {
        term: 4,
        voted_for: Some(2),
        log_base: 7,
        log_base_term: 3,
        log_terms: vec![3, 4],
        ..Persisted::default()
    };
    assert_eq!(raft.read_persisted(&state), Some(expected));
    assert_eq!(raft.read_persisted(b"?"), None);
}
