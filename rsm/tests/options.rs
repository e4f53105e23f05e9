//! What can be chosen: entries that are shared, and reads that need none. The Raft below is a puppet of
//! one server, whose log commits at once or when the test says so.

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use labgob::DecodeError;
use labrpc::{ClientEnd, Service};
use labrt::channel::{self, Receiver, Sender};
use labrt::sync::Leaf;
use labrt::thread;
use persister::{MemoryPersister, Persister};
use raft_api::{ApplyMsg, NoReadIndex, Raft, RaftState, Started, TellReadIndex};
use rsm::once::{Numbered, Once};
use rsm::{Machine, Options, Readable, Rsm, SubmitError};

/// Keeps all requests, in their order.
#[derive(Default)]
struct Diary(Vec<u32>);

impl Machine for Diary {
    type Request = u32;
    /// How many requests it has kept.
    type Reply = usize;

    fn apply(&mut self, request: u32) -> usize {
        self.0.push(request);
        self.0.len()
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.0))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.0 = labgob::decode(snapshot)?;
        Ok(())
    }
}

impl Readable for Diary {
    fn is_read(_: &u32) -> bool {
        true
    }

    fn read(&self, _: &u32) -> usize {
        self.0.len()
    }
}

/// The puppet.
struct Alone {
    apply: Sender<ApplyMsg>,
    state: Leaf<State>,
}

#[derive(Default)]
struct State {
    log: Vec<Bytes>,
    /// How many snapshots it was given.
    snapshots: usize,
    /// What is said to who wants to read; `None`: who asks must wait.
    read_index: Option<Result<u64, NoReadIndex>>,
    asking: Vec<TellReadIndex>,
}

impl Alone {
    fn entries(&self) -> usize {
        self.state.with(|state| state.log.len())
    }

    /// What is said to all who want to read, from now on.
    fn says(&self, index: Result<u64, NoReadIndex>) {
        let asking = self.state.with(|state| {
            state.read_index = Some(index);
            std::mem::take(&mut state.asking)
        });
        asking.into_iter().for_each(|tell| tell(index));
    }
}

impl Raft for Alone {
    fn make(
        _: Vec<ClientEnd>,
        _: usize,
        _: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(Alone { apply, state: Leaf::default() }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        Vec::new()
    }

    /// Takes as long as a slow disk.
    fn start(&self, command: Bytes) -> Option<Started> {
        thread::sleep(Duration::from_millis(10));
        let index = self.state.with(|state| {
            state.log.push(command.clone());
            state.log.len() as u64
        });
        let _ = self.apply.send(ApplyMsg::Command { index, command });
        Some(Started { index, term: 1 })
    }

    fn read_index(&self, tell: TellReadIndex) {
        let told = self.state.with(|state| match state.read_index {
            Some(index) => Some((tell, index)),
            None => {
                state.asking.push(tell);
                None
            }
        });
        if let Some((tell, index)) = told {
            tell(index);
        }
    }

    /// Lets go of nothing, as if all that is saved were entries that are not committed.
    fn snapshot(&self, _: u64, _: Bytes) {
        self.state.with(|state| state.snapshots += 1);
    }

    fn state(&self) -> RaftState {
        RaftState { term: 1, is_leader: true }
    }

    fn kill(&self) {}
}

type Server = Arc<Rsm<Diary, Alone>>;

const SHARED: Options =
    Options { max_raft_state: None, read_index: false, batch: NonZeroUsize::new(8) };
const READS: Options = Options { max_raft_state: None, read_index: true, batch: None };

/// Plays a test with a server, for some seeds.
fn play(options: Options, test: impl Fn(&Server) + Copy + Send + 'static) {
    for seed in 0..20 {
        let run = move || {
            let persister = Arc::new(MemoryPersister::new());
            let server = Rsm::make(Vec::new(), 0, persister, options, Diary::default());
            let server = server.expect("there is no snapshot");
            test(&server);
            server.kill();
        };
        labrt::simulate(seed, run).expect("nothing fails");
    }
}

/// What is not committed yet may keep the saved state above its limit: then each entry finds it there.
#[test]
fn a_snapshot_is_taken_only_if_half_of_the_limit_was_executed_since_the_last_one() {
    let limit = 200;
    let run = move || {
        let persister = Arc::new(MemoryPersister::new());
        persister.save_raft_state(&vec![0; 10 * limit]).expect("memory can be written");
        let options = Options { max_raft_state: Some(limit), read_index: false, batch: None };
        let server: Server = Rsm::make(Vec::new(), 0, persister, options, Diary::default())
            .expect("there is no snapshot");
        for request in 1..=60 {
            server.submit(request).expect("it is executed");
        }
        thread::sleep(Duration::from_secs(1));
        let (bytes, snapshots) = server
            .raft()
            .state
            .with(|state| (state.log.iter().map(Bytes::len).sum::<usize>(), state.snapshots));
        let most = bytes / (limit / 2);
        assert!((most / 2..=most).contains(&snapshots), "{snapshots} for {bytes} bytes");
        assert!(most >= 4, "{bytes} bytes are too few to tell");
        server.kill();
    };
    labrt::simulate(0, run).expect("nothing fails");
}

type Results = Receiver<(u32, Result<usize, SubmitError>)>;

/// Submits 1 to `count` at once.
fn submit(server: &Server, count: u32) -> Results {
    let (sender, results) = channel::unbounded();
    for request in 1..=count {
        let sender = sender.clone();
        server.submit_then(request, move |result| {
            let _ = sender.send((request, result));
        });
    }
    results
}

#[test]
fn requests_that_wait_share_an_entry_and_keep_their_order() {
    play(SHARED, |server| {
        let results: Vec<_> = submit(server, 100).into_iter().collect();
        let expected: Vec<_> = (1..=100).map(|request| (request, Ok(request as usize))).collect();
        assert_eq!(results, expected);
        let entries = server.raft().entries();
        assert!((13..=20).contains(&entries), "{entries} entries with 8 requests at most");
    });
}

#[test]
fn by_default_each_request_has_its_entry() {
    play(Options::default(), |server| {
        assert_eq!(submit(server, 10).into_iter().count(), 10);
        assert_eq!(server.raft().entries(), 10);
    });
}

#[test]
fn nobody_waits_for_others_to_come() {
    play(SHARED, |server| {
        let began = labrt::time::Instant::now();
        assert_eq!(server.submit(1), Ok(1));
        assert!(began.elapsed() < Duration::from_millis(15), "{:?}", began.elapsed());
    });
}

#[test]
fn who_waits_for_an_entry_is_told_of_the_end() {
    play(SHARED, |server| {
        let results = submit(server, 100);
        thread::sleep(Duration::from_millis(25));
        server.kill();
        let results: Vec<_> = results.into_iter().collect();
        let done = results.iter().filter(|(_, result)| result.is_ok()).count();
        assert!(results.len() == 100 && done < 40, "{done} of {}", results.len());
        assert!(results[done..].iter().all(|(_, result)| *result == Err(SubmitError::Ended)));
        assert_eq!(server.submit(1), Err(SubmitError::Ended));
    });
}

#[test]
fn a_read_needs_no_entry_and_waits_until_its_index_is_executed() {
    play(READS, |server| {
        server.raft().says(Ok(2));
        assert_eq!(server.submit(7), Ok(1));
        let reading = {
            let server = server.clone();
            thread::spawn(move || server.read(0))
        };
        thread::sleep(Duration::from_millis(100));
        assert!(!reading.is_finished(), "entry 2 is missing");
        assert_eq!(server.submit(8), Ok(2));
        assert_eq!(reading.join().expect("no panic"), Ok(2));
        assert_eq!((server.read(0), server.raft().entries()), (Ok(2), 2));
    });
}

#[test]
fn where_raft_has_no_index_a_read_goes_into_the_log() {
    for why in [NoReadIndex::NothingCommitted, NoReadIndex::Unsupported] {
        play(READS, move |server| {
            server.raft().says(Err(why));
            assert_eq!((server.read(7), server.raft().entries()), (Ok(1), 1));
        });
    }
    play(Options::default(), |server| {
        assert_eq!((server.read(7), server.raft().entries()), (Ok(1), 1));
    });
}

#[test]
fn who_does_not_lead_answers_no_read() {
    play(READS, |server| {
        server.raft().says(Err(NoReadIndex::NotLeader));
        assert_eq!(server.read(7), Err(SubmitError::NotLeader));
        assert_eq!(server.raft().entries(), 0);
    });
}

#[test]
fn readers_are_told_of_the_end_wherever_they_wait() {
    play(READS, |server| {
        let read = || {
            let server = server.clone();
            thread::spawn(move || server.read(0))
        };
        let for_raft = read();
        thread::sleep(Duration::from_millis(1));
        server.raft().says(Ok(1));
        let for_the_entry = read();
        thread::sleep(Duration::from_millis(1));
        server.kill();
        for reading in [for_raft, for_the_entry] {
            assert_eq!(reading.join().expect("no panic"), Err(SubmitError::Ended));
        }
        assert_eq!(server.read(0), Err(SubmitError::Ended));
    });
}

/// Adds up what is not zero; a zero only asks for the sum.
#[derive(Default)]
struct Sum(u32);

impl Machine for Sum {
    type Request = u32;
    type Reply = u32;

    fn apply(&mut self, add: u32) -> u32 {
        self.0 += add;
        self.0
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.0))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.0 = labgob::decode(snapshot)?;
        Ok(())
    }
}

impl Readable for Sum {
    fn is_read(add: &u32) -> bool {
        *add == 0
    }

    fn read(&self, _: &u32) -> u32 {
        self.0
    }
}

#[test]
fn a_machine_that_executes_once_can_be_read_without_an_entry() {
    let run = || {
        let persister = Arc::new(MemoryPersister::new());
        let server: Arc<Rsm<Once<Sum>, Alone>> =
            Rsm::make(Vec::new(), 0, persister, READS, Once::new(Sum::default()))
                .expect("there is no snapshot");
        let numbered = |number, request| Numbered { client: 7, number, request };
        server.raft().says(Ok(0));
        assert_eq!(server.read(numbered(1, 0)), Ok(Some(0)));
        for _ in 0..2 {
            assert_eq!(server.submit(numbered(2, 5)), Ok(Some(5)), "it has one effect");
        }
        // Also where the client has gone on since.
        for number in [1, 3] {
            assert_eq!(server.read(numbered(number, 0)), Ok(Some(5)));
        }
        assert_eq!(server.raft().entries(), 2, "reads need none");
        server.raft().says(Err(NoReadIndex::NothingCommitted));
        assert_eq!(server.read(numbered(3, 0)), Ok(Some(5)));
        assert_eq!(server.raft().entries(), 3, "where there is no index they do");
        server.kill();
    };
    labrt::simulate(0, run).expect("nothing fails");
}

#[test]
#[should_panic(expected = "a request that changes something was to be read: it needs `submit`")]
fn what_changes_a_machine_that_executes_once_is_no_read() {
    let run = || {
        let persister = Arc::new(MemoryPersister::new());
        let server: Arc<Rsm<Once<Sum>, Alone>> =
            Rsm::make(Vec::new(), 0, persister, READS, Once::new(Sum::default()))
                .expect("there is no snapshot");
        let _ = server.read(Numbered { client: 7, number: 1, request: 5 });
    };
    if let Err(failure) = labrt::simulate(0, run) {
        panic!("{}", failure.message);
    }
}
