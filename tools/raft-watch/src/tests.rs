//! What a watch tells of the servers of its group.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ::persister::Persister;
use bytes::Bytes;
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::thread;
use labrt::world::Builder;
use raft_api::{ApplyMsg, Persisted, Raft, RaftState};
use tester::{Net, Run};

use super::*;

/// A Raft that saves one byte: the index that its log follows.
pub(crate) struct OneByte;

impl Raft for OneByte {
    fn make(
        _: Vec<ClientEnd>,
        _: usize,
        _: Arc<dyn Persister>,
        _: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(OneByte))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        Vec::new()
    }

    fn start(&self, _: Bytes) -> Option<Started> {
        None
    }

    fn state(&self) -> RaftState {
        RaftState { term: 0, is_leader: false }
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        let log_base = state.first().copied().unwrap_or(0).into();
        Some(Persisted { log_base, ..Persisted::default() })
    }

    fn kill(&self) {}
}

/// What runs in a slot: it only keeps what it can save to.
#[derive(Clone)]
struct Keeper(Arc<dyn Persister>);

impl Server for Keeper {
    fn services(&self) -> Vec<Service> {
        Vec::new()
    }

    fn kill(&self) {}
}

#[test]
fn with_which_snapshot_an_instance_began_is_known_if_there_was_one() {
    let world = Builder::simulated(1).run(|| {
        let run = Run::silent();
        run.enter();
        let net = Net::new(&run);
        let group: Group<Keeper> = Group::new(&net, "group", 2);
        let watch = Watch::of(RaftType::of::<OneByte>(), &group);
        let start = || group.start(1, |seat| move || Ok(Keeper(seat.persister)));
        let saves = |state: &[u8], snapshot: &[u8]| {
            let saved = group
                .instance(1)
                .expect("it runs")
                .enter(|Keeper(persister)| persister.save_state_and_snapshot(state, snapshot));
            saved.expect("it was not killed").expect("memory can be written");
        };
        start();
        assert_eq!(watch.began(1), None);
        saves(&[0], b"");
        start();
        assert_eq!(watch.began(1), None);
        saves(&[3], b"four");
        assert_eq!(watch.began(1), None);
        thread::sleep(Duration::from_millis(5));
        start();
        assert_eq!(watch.began(1), Some(Began { us: 5_000, upto: 3, bytes: 4 }));
        assert_eq!(watch.began(0), None);
    });
    world.expect("nothing fails");
}
