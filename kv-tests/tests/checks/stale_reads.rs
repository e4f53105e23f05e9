//! Reads without a log entry that leave out one of the two precautions (paper, section 8) are found.

use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;

use labrpc::{ClientEnd, Service};
use labrt::channel::{self, Sender};
use labrt::sync::Leaf;
use labrt::thread;
use persister::Persister;
use raft_api::{
    ApplyMsg, Bytes, Meaning, NoReadIndex, Persisted, Raft, RaftState, Started, TellReadIndex, Wire,
};
use tester::Run;

use crate::chosen::scenario::leaders_change;
use crate::chosen::{Chosen, ReadIndex};

/// What a Raft says to who wants to read.
trait Careless: Send + Sync + 'static {
    fn read_index(of: &Below, tell: TellReadIndex);
}

/// It does not ask the others whether it still leads.
struct AsksNobody;

impl Careless for AsksNobody {
    fn read_index(of: &Below, tell: TellReadIndex) {
        let RaftState { term, is_leader } = of.raft.state();
        let Seen { handed_over, started } = of.seen.with(|seen| *seen);
        let own = started.is_some_and(|own| own.term == term && own.index <= handed_over);
        tell(match (is_leader, own) {
            (false, _) => Err(NoReadIndex::NotLeader),
            (true, false) => Err(NoReadIndex::NothingCommitted),
            (true, true) => Ok(handed_over),
        });
    }
}

/// It believes that it knows what is committed as soon as it leads.
struct HasCommittedNothing;

impl Careless for HasCommittedNothing {
    fn read_index(of: &Below, tell: TellReadIndex) {
        let seen = of.seen.clone();
        of.raft.read_index(Box::new(move |index| {
            tell(match index {
                Err(NoReadIndex::NothingCommitted) => Ok(seen.with(|seen| seen.handed_over)),
                other => other,
            });
        }));
    }
}

/// It has no read indexes at all.
struct SaysNothing;

impl Careless for SaysNothing {
    fn read_index(_: &Below, tell: TellReadIndex) {
        tell(Err(NoReadIndex::Unsupported));
    }
}

/// The reference below.
struct Below {
    raft: Arc<raft::Raft>,
    seen: Arc<Leaf<Seen>>,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    /// The last index that was handed to the service.
    handed_over: u64,
    /// The last command that was accepted.
    started: Option<Started>,
}

/// The reference, but for its reads.
struct Wrong<C>(Below, PhantomData<C>);

impl<C: Careless> Raft for Wrong<C> {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let (sender, messages) = channel::bounded(0);
        let raft = raft::Raft::make(peers, me, persister, sender)?;
        let seen = Arc::new(Leaf::new(Seen::default()));
        let notes = seen.clone();
        thread::spawn(move || {
            for message in messages {
                if let ApplyMsg::Command { index, .. } | ApplyMsg::Snapshot { index, .. } = message
                {
                    notes.with(|seen| seen.handed_over = index);
                }
                if apply.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Arc::new(Wrong(Below { raft, seen }, PhantomData)))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        self.0.raft.clone().services()
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        let started = self.0.raft.start(command);
        self.0.seen.with(|seen| seen.started = started.or(seen.started));
        started
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.0.raft.snapshot(index, snapshot);
    }

    fn read_index(&self, tell: TellReadIndex) {
        C::read_index(&self.0, tell);
    }

    fn state(&self) -> RaftState {
        self.0.raft.state()
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        raft::Raft::read_persisted(state)
    }

    fn read_message(message: &Wire<'_>) -> Meaning {
        raft::Raft::read_message(message)
    }

    fn kill(&self) {
        self.0.raft.kill();
    }
}

/// What is said when the leader changes again and again, if anything, with any of a few seeds.
fn failure<R: Raft>() -> Option<String> {
    let play = |seed| {
        let test = leaders_change::<Chosen<ReadIndex, R>>();
        labrt::simulate(seed, move || test.play(&Run::silent())).err()
    };
    (0..5).find_map(play).map(|failure| failure.message)
}

#[test]
fn a_leader_that_asks_nobody_whether_it_leads() {
    let words = failure::<Wrong<AsksNobody>>().expect("it is found");
    assert!(words.contains("history is not linearizable"), "{words}");
}

#[test]
fn a_leader_that_has_committed_nothing_of_its_term() {
    let words = failure::<Wrong<HasCommittedNothing>>().expect("it is found");
    assert!(words.contains("history is not linearizable"), "{words}");
}

/// A Raft that knows no read index is no worse: its service puts reads into the log.
#[test]
fn a_raft_without_read_indexes() {
    assert_eq!(failure::<Wrong<SaysNothing>>(), None);
}

#[test]
fn the_reference() {
    assert_eq!(failure::<raft::Raft>(), None);
}
