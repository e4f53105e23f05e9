//! Requests with other numbers in them.

use labrpc::{CallEvent, KeptRequest, Network, Observer};
use labrt::observe::Cause;
use labrt::sync::Leaf;
use labrt::world::Builder;

use super::*;

messages! {
    Candidacy { term: u8, candidate_id: u64, last_log_index: u64, last_log_term: u64 }
}

#[derive(Clone, Default)]
struct Keeps(Arc<Leaf<Option<KeptRequest>>>);

impl Observer for Keeps {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        if let Some(request) = event.keep() {
            self.0.with(|kept| *kept = Some(request));
        }
        None
    }
}

/// A request for a vote as it is kept when it is sent.
pub(crate) fn kept<T: Gob + Clone + Send + Sync>(args: &T) -> KeptRequest {
    let args = args.clone();
    let world = Builder::simulated(1).run(move || {
        let (network, keeps) = (Network::new(), Keeps::default());
        network.watch(keeps.clone());
        let _ = network.make_end("nobody's").call::<T, Answer>("Raft.RequestVote", &args);
        keeps.0.with(Option::take)
    });
    world.expect("nothing fails").value.expect("it was sent")
}

fn decoded<T: Gob>(request: Option<KeptRequest>) -> T {
    labgob::decode(request.expect("it can be changed").bytes()).expect("it is encoded as before")
}

#[test]
fn a_vote_is_asked_for_once_more_with_another_end_of_the_log() {
    let vote = Vote { term: 2, last_log_index: 5, last_log_term: 1 };
    let again = by_names().with_vote(&kept(&vote), 9, Place { index: 3, term: 2 });
    assert_eq!(decoded::<Vote>(again), Vote { term: 9, last_log_index: 3, last_log_term: 2 });
    // As this Raft counts; and what says so already stays as it is.
    let mut read = by_names();
    let empty = Signed { term: 1, last_log_index: -1, last_log_term: -1 };
    assert_eq!(read.vote(&empty), Some((1, 0, 0)));
    let again = read.with_vote(&kept(&empty), 9, Place::default());
    assert_eq!(decoded::<Signed>(again), Signed { term: 9, ..empty.clone() });
    let again = read.with_vote(&kept(&empty), 9, Place { index: 3, term: 2 });
    assert_eq!(decoded::<Signed>(again), Signed { term: 9, last_log_index: 2, last_log_term: 2 });
    // What lacks a field, or cannot hold the number, is not changed.
    let request = kept(&Candidacy::default());
    assert!(read.with_vote(&request, 255, Place::default()).is_some());
    assert!(read.with_vote(&request, 256, Place::default()).is_none());
    assert!(read.with_vote(&kept(&Inner::default()), 9, Place::default()).is_none());
}

#[test]
fn a_candidate_is_renamed_as_this_raft_counts_servers() {
    let renamed = |named: u64, candidate: usize| {
        let request = kept(&Candidacy { candidate_id: named, ..Default::default() });
        let request = by_names().with_candidate(&request, 2, candidate);
        request.map(|request| decoded::<Candidacy>(Some(request)).candidate_id)
    };
    // Server 2 is called 2, or 3.
    assert_eq!((renamed(2, 0), renamed(2, 1)), (Some(0), Some(1)));
    assert_eq!((renamed(3, 0), renamed(3, 1)), (Some(1), Some(2)));
    // Nobody knows what else it may be called.
    assert_eq!((renamed(4, 0), renamed(1, 0)), (None, None));
}
