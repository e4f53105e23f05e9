//! Servers that are not made, and why.

use std::sync::Arc;
use std::time::Duration;

use persister::{MemoryPersister, Persister};
use raft::storage::RestoreError;
use raft::{MakeError, Options, Raft, RequestVoteArgs};

use crate::model::{Saved, Unreadable, history};

/// Why server `me` of three cannot be made with this persister.
fn make_error(me: usize, persister: Arc<dyn Persister>) -> MakeError {
    made(me, persister, Options::default()).expect_err("it cannot be made")
}

/// Whether server `me` of three can be made.
fn made(me: usize, persister: Arc<dyn Persister>, options: Options) -> Result<(), MakeError> {
    let outcome = labrt::simulate(0, move || {
        let network = labrpc::Network::new();
        let peers = (0..3).map(|peer| network.make_end(format!("end {peer}"))).collect();
        let (apply, _commands) = labrt::channel::unbounded();
        Raft::open(peers, me, persister, apply, options).map(|raft| raft_api::Raft::kill(&*raft))
    });
    outcome.expect("an error is no failure").value
}

fn holding(bytes: &[u8]) -> Arc<MemoryPersister> {
    let persister = MemoryPersister::new();
    persister.save_raft_state(bytes).unwrap();
    Arc::new(persister)
}

fn says(error: &MakeError, words: &[&str]) {
    let text = error.to_string();
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
}

#[test]
fn a_server_with_a_corrupt_state_is_not_made_and_says_what_to_do() {
    let (bytes, ends) = history();
    let cut = &bytes[..bytes.len() - 1];
    let error = make_error(1, holding(cut));
    assert!(matches!(error, MakeError::Restore { me: 1, error: RestoreError::Corrupt { .. } }));
    let place = format!("byte {} of {}", ends[ends.len() - 2].0, cut.len());
    says(&error, &["server 1", "corrupt", &place, "does not start", "restore the state"]);
}

#[test]
fn a_server_with_a_contradictory_state_is_not_made_and_says_so() {
    let (bytes, ends) = history();
    let (first, second) = bytes[..ends[1].0].split_at(ends[0].0);
    let error = make_error(2, holding(&[second, first].concat()));
    assert!(matches!(error, MakeError::Restore { me: 2, error: RestoreError::Impossible { .. } }));
    says(&error, &["server 2", "contradicts itself", "does not start", "restore the state"]);
}

#[test]
fn a_server_whose_state_cannot_be_read_is_not_made_and_says_so() {
    let error = make_error(0, Arc::new(Unreadable));
    assert!(matches!(error, MakeError::Restore { me: 0, error: RestoreError::Read(_) }));
    says(&error, &["server 0", "cannot be read", "the test's disk"]);
}

#[test]
fn a_server_with_a_vote_of_another_cluster_is_not_made_and_says_so() {
    let mut saved = Saved::new(9);
    saved.core.request_vote(&RequestVoteArgs {
        term: 4,
        candidate_id: 7,
        last_log_index: 0,
        last_log_term: 0,
    });
    saved.save();
    let error = make_error(1, saved.persister.clone());
    assert!(matches!(error, MakeError::ForeignVote { me: 1, vote: 7, servers: 3 }));
    says(&error, &["server 1", "vote for server 7", "only 3 servers", "another cluster"]);
}

#[test]
fn a_server_that_is_no_peer_is_not_made_and_says_so() {
    for me in [3, usize::MAX] {
        let error = make_error(me, Arc::new(MemoryPersister::new()));
        assert!(matches!(error, MakeError::NoSuchServer { servers: 3, .. }));
        says(&error, &[&format!("server {me} is not one of the 3 servers")]);
    }
}

/// With these a server would come to its end on a task of its own, or never have a leader for long.
#[test]
fn a_server_with_impossible_options_is_not_made_and_says_so() {
    let made = |heartbeat, election_timeout_ms| {
        let mut options = Options::default();
        (options.heartbeat, options.election_timeout_ms) = (heartbeat, election_timeout_ms);
        made(1, Arc::new(MemoryPersister::new()), options)
    };
    let ms = Duration::from_millis;
    let year = 365 * 24 * 3600 * 1000;
    let impossible = [
        (ms(110), (600, 300)),
        (ms(0), (300, 600)),
        (ms(300), (300, 600)),
        (ms(450), (300, 600)),
        (Duration::MAX, (300, 600)),
        (ms(0), (0, 0)),
        (ms(110), (0, 600)),
        (ms(110), (300, year + 1)),
        (ms(110), (u64::MAX, u64::MAX)),
    ];
    for (heartbeat, timeouts) in impossible {
        let error = made(heartbeat, timeouts).expect_err("it cannot work");
        assert!(matches!(error, MakeError::ImpossibleOptions { me: 1, .. }), "{error}");
        let (least, most) = timeouts;
        says(
            &error,
            &["server 1", &format!("every {heartbeat:?}"), &format!("{least} to {most} ms")],
        );
        says(&error, &["0 < heartbeat < least timeout <= most timeout"]);
    }
    let possible = [
        (ms(110), (300, 600)),
        (ms(1), (2, 2)),
        (Duration::from_nanos(1), (1, 1)),
        (ms(1), (2, year)),
    ];
    for (heartbeat, timeouts) in possible {
        assert!(made(heartbeat, timeouts).is_ok(), "{heartbeat:?}, {timeouts:?}");
    }
}
