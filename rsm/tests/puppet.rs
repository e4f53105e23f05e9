//! What a server makes of what its Raft says and hands over. The Raft below is a puppet: it says and does
//! nothing but what the test has it say and do.

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
use raft_api::{ApplyMsg, Persisted, Raft, RaftState, Started, TellReadIndex};
use rsm::{Machine, MakeError, Options, Readable, Rsm, SubmitError};

/// A request that the machine below does not survive.
const PANICS: u32 = 666;

/// Keeps all requests, in their order.
#[derive(Default)]
struct Diary {
    requests: Vec<u32>,
    /// Shows whether the diary is still there.
    _held: Arc<()>,
}

impl Machine for Diary {
    type Request = u32;
    /// How many requests it has kept.
    type Reply = usize;

    fn apply(&mut self, request: u32) -> usize {
        assert_ne!(request, PANICS, "what this machine cannot do");
        self.requests.push(request);
        self.requests.len()
    }

    fn snapshot(&self) -> Bytes {
        Bytes::from(labgob::encode(&self.requests))
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), DecodeError> {
        self.requests = labgob::decode(snapshot)?;
        Ok(())
    }
}

impl Readable for Diary {
    fn is_read(request: &u32) -> bool {
        *request != PANICS
    }

    fn read(&self, _: &u32) -> usize {
        self.requests.len()
    }
}

/// The puppet.
#[derive(Default)]
struct Puppet {
    strings: Leaf<Strings>,
}

struct Strings {
    /// None when it has been killed.
    apply: Option<Sender<ApplyMsg>>,
    /// What was started, in order.
    commands: Vec<Bytes>,
    /// The last index that it has given, or of a snapshot that it has handed over.
    last: u64,
    /// The snapshots that it was given, with their indexes.
    snapshots: Vec<(u64, Bytes)>,
    /// What it believes.
    state: RaftState,
    /// How often it was asked for that.
    looks: usize,
    /// It takes no command, and believes this from the next one on.
    refuses: Option<RaftState>,
}

impl Default for Strings {
    fn default() -> Strings {
        let state = RaftState { term: 1, is_leader: true };
        let (commands, snapshots) = (Vec::new(), Vec::new());
        Strings { apply: None, commands, last: 0, snapshots, state, looks: 0, refuses: None }
    }
}

impl Puppet {
    fn hand_over(&self, message: ApplyMsg) {
        let apply = self.strings.with(|strings| {
            if let ApplyMsg::Snapshot { index, .. } = message {
                strings.last = strings.last.max(index);
            }
            strings.apply.clone().expect("it lives")
        });
        apply.send(message).expect("the server takes what was committed");
    }

    /// Hands over the command that was started last, as the entry at this index.
    fn commit(&self, index: u64) {
        let command = self.strings.with(|strings| strings.commands.last().cloned());
        self.hand_over(ApplyMsg::Command { index, command: command.expect("one was started") });
    }

    /// The snapshots that it was given, with their indexes.
    fn snapshots(&self) -> Vec<(u64, Bytes)> {
        thread::sleep(Duration::from_millis(1)); // a snapshot is taken after a reply
        self.strings.with(|strings| strings.snapshots.clone())
    }

    fn looks(&self) -> usize {
        self.strings.with(|strings| strings.looks)
    }

    fn believes(&self, state: RaftState) {
        self.strings.with(|strings| strings.state = state);
    }
}

impl Raft for Puppet {
    fn make(
        _: Vec<ClientEnd>,
        _: usize,
        _: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let puppet = Puppet::default();
        puppet.strings.with(|strings| strings.apply = Some(apply));
        Ok(Arc::new(puppet))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        Vec::new()
    }

    /// Gives one index after the other.
    fn start(&self, command: Bytes) -> Option<Started> {
        self.strings.with(|strings| {
            strings.commands.push(command);
            if let Some(state) = strings.refuses {
                strings.state = state;
                return None;
            }
            strings.last += 1;
            Some(Started { index: strings.last, term: strings.state.term })
        })
    }

    fn read_index(&self, tell: TellReadIndex) {
        tell(Ok(5));
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.strings.with(|strings| strings.snapshots.push((index, snapshot)));
    }

    fn state(&self) -> RaftState {
        self.strings.with(|strings| {
            strings.looks += 1;
            strings.state
        })
    }

    /// A saved state of some bytes: three entries, behind so many that the first byte says, of which so many
    /// are commands that the second one says.
    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        let log_base = u64::from(*state.first()?);
        let log_base_commands = state.get(1).map(|count| u64::from(*count));
        let log_terms = vec![1; 3];
        Some(Persisted { log_base, log_base_commands, log_terms, ..Persisted::default() })
    }

    fn kill(&self) {
        self.strings.with(|strings| strings.apply = None);
    }
}

type Server = Arc<Rsm<Diary, Puppet>>;

fn with_limit(limit: usize) -> Options {
    Options { max_raft_state: Some(limit), ..Options::default() }
}

/// A server with this saved Raft state.
fn make(options: Options, saved: &[u8]) -> Result<Server, MakeError> {
    make_behind(&[], options, saved)
}

/// A server with this snapshot, and this Raft state beside it.
fn make_behind(snapshot: &[u8], options: Options, saved: &[u8]) -> Result<Server, MakeError> {
    let persister = MemoryPersister::new();
    persister.save_state_and_snapshot(saved, snapshot).expect("memory can be written");
    Rsm::make(Vec::new(), 0, Arc::new(persister), options, Diary::default())
}

/// A server that begins anew.
fn server(options: Options) -> Server {
    make(options, &[]).expect("nothing is saved")
}

/// Plays a test, for some seeds.
fn play(test: impl Fn() + Copy + Send + 'static) {
    for seed in 0..10 {
        labrt::simulate(seed, test).expect("nothing fails");
    }
}

fn submit(server: &Server, request: u32) -> Receiver<Result<usize, SubmitError>> {
    let (sender, results) = channel::bounded(1);
    server.submit_then(request, move |result| {
        let _ = sender.send(result);
    });
    results
}

/// Submits a request, and has it committed at this index.
#[track_caller]
fn execute(server: &Server, index: u64, request: u32) -> Result<usize, SubmitError> {
    let result = submit(server, request);
    server.raft().commit(index);
    result.recv().expect("the end of a submission is told")
}

/// A server has executed so many requests. This is what it gives its Raft then.
fn snapshot_of(count: u64) -> Bytes {
    let server = server(with_limit(0));
    for index in 1..=count {
        assert_eq!(execute(&server, index, 7), Ok(index as usize));
    }
    let (index, snapshot) = server.raft().snapshots().pop().expect("one with each request");
    assert_eq!(index, count);
    server.kill();
    snapshot
}

#[test]
fn a_newer_snapshot_takes_the_machine_to_its_index() {
    play(|| {
        let server = server(Options::default());
        assert_eq!(execute(&server, 1, 7), Ok(1));
        let snapshot = snapshot_of(4);
        server.raft().hand_over(ApplyMsg::Snapshot { index: 4, term: 1, snapshot });
        assert_eq!(execute(&server, 5, 7), Ok(5));
        server.kill();
    });
}

/// It is not even looked at.
#[test]
fn a_snapshot_of_what_was_executed_changes_nothing() {
    play(|| {
        let server = server(Options::default());
        for index in 1..=3 {
            assert_eq!(execute(&server, index, 7), Ok(index as usize));
        }
        for index in [3, 2] {
            let snapshot = Bytes::from("it would not be understood");
            server.raft().hand_over(ApplyMsg::Snapshot { index, term: 1, snapshot });
        }
        assert_eq!(execute(&server, 4, 7), Ok(4));
        server.kill();
    });
}

/// (The front page: "at three quarters of the limit".)
#[test]
fn a_snapshot_is_due_at_three_quarters_of_the_limit() {
    for (saved, due) in [(599, false), (600, true), (601, true)] {
        play(move || {
            let server = make(with_limit(800), &vec![0; saved]).expect("nothing is missing");
            for index in 1..=50 {
                assert_eq!(execute(&server, index, 7), Ok(index as usize));
            }
            assert_eq!(!server.raft().snapshots().is_empty(), due, "{saved} of 800 bytes");
            server.kill();
        });
    }
}

/// The limit is all that can be chosen, and the same as that of [`Options`].
#[test]
fn a_server_made_as_any_is_has_its_limit() {
    play(|| {
        for (limit, due) in [(None, false), (Some(0), true)] {
            let persister = Arc::new(MemoryPersister::new());
            let made: Result<Server, _> =
                rsm_api::Server::make(Vec::new(), 0, persister, limit, Diary::default());
            let server = made.expect("nothing is saved");
            assert_eq!(execute(&server, 1, 7), Ok(1));
            assert_eq!(!server.raft().snapshots().is_empty(), due, "{limit:?}");
            rsm_api::Server::kill(&*server);
            assert!(rsm_api::Server::submit(&*server, 7).is_err(), "it is over");
        }
    });
}

/// (The front page: "half of the limit must have been executed since the last one".)
#[test]
fn a_snapshot_is_worth_it_when_half_of_the_limit_was_executed() {
    play(|| {
        let taken_at = |limit: usize| {
            let server = make(with_limit(limit), &vec![0; 10 * limit]).expect("nothing is missing");
            for index in 1..=12 {
                assert_eq!(execute(&server, index, 7), Ok(index as usize));
            }
            let indexes: Vec<u64> =
                server.raft().snapshots().into_iter().map(|(index, _)| index).collect();
            let bytes = server.raft().strings.with(|strings| strings.commands[0].len());
            server.kill();
            (bytes, indexes)
        };
        let (bytes, _) = taken_at(1000);
        assert_eq!(taken_at(2 * 5 * bytes), (bytes, vec![5, 10]));
        assert_eq!(taken_at(2 * 5 * bytes + 2), (bytes, vec![6, 12]));
    });
}

/// A server whose log goes on from a snapshot that is gone would execute what it has as if it was the
/// beginning.
#[test]
fn a_server_whose_log_does_not_go_on_from_its_snapshot_is_not_made() {
    play(|| {
        let Err(error) = make(Options::default(), &[5]) else {
            panic!("the entries 1 to 5 are missing")
        };
        assert!(
            matches!(error, MakeError::Apart { snapshot: 0, first: 6, last: 8 }),
            "it says: {error}"
        );
        make(Options::default(), &[0]).expect("nothing is missing").kill();
    });
}

/// Such as those without a command that a new leader appends. The indexes of `read_persisted` count them, those of
/// the snapshot do not.
#[test]
fn a_server_whose_log_has_forgotten_what_is_no_command_is_made() {
    play(|| {
        let snapshot = snapshot_of(5);
        for saved in [&[7, 5][..], &[7]] {
            let server = make_behind(&snapshot, Options::default(), saved).expect("it goes on");
            server.raft().strings.with(|strings| strings.last = 5);
            assert_eq!(execute(&server, 6, 7), Ok(6));
            server.kill();
        }
        let Err(error) = make_behind(&snapshot, Options::default(), &[7, 6]) else {
            panic!("the command 6 is missing")
        };
        assert!(
            matches!(error, MakeError::Apart { snapshot: 5, first: 7, last: 9 }),
            "it says: {error}"
        );
    });
}

/// (The front page: "a task looks every 100 ms, and only while somebody waits".)
#[test]
fn a_server_looks_whether_it_leads_only_while_somebody_waits() {
    play(|| {
        let server = server(Options::default());
        thread::sleep(Duration::from_secs(1));
        assert_eq!(server.raft().looks(), 0);
        let result = submit(&server, 7);
        thread::sleep(Duration::from_millis(950));
        // Once before the request was started.
        assert_eq!(server.raft().looks(), 11);
        server.raft().commit(1);
        assert_eq!(result.recv(), Ok(Ok(1)));
        thread::sleep(Duration::from_secs(1));
        assert_eq!(server.raft().looks(), 11);
        server.kill();
    });
}

#[test]
fn who_waits_learns_that_its_server_leads_no_longer() {
    let later = RaftState { term: 2, is_leader: false };
    let again = RaftState { term: 2, is_leader: true };
    let same = RaftState { term: 1, is_leader: false };
    for state in [later, again, same] {
        play(move || {
            let server = server(Options::default());
            assert_eq!(server.state(), RaftState { term: 1, is_leader: true });
            let result = submit(&server, 7);
            thread::sleep(Duration::from_millis(250));
            assert!(result.is_empty(), "it leads");
            server.raft().believes(state);
            assert_eq!(server.state(), state);
            thread::sleep(Duration::from_millis(150));
            assert_eq!(result.try_recv(), Ok(Err(SubmitError::Unknown { index: 1 })));
            server.kill();
        });
    }
}

#[test]
fn a_request_that_raft_does_not_take_was_not_done_unless_the_server_may_be_over() {
    let leader = RaftState { term: 1, is_leader: true };
    let over = RaftState { term: 1, is_leader: false };
    let deposed = RaftState { term: 2, is_leader: false };
    let deposed_again = RaftState { term: 3, is_leader: false };
    let elected = RaftState { term: 3, is_leader: true };
    let told = |before: RaftState, after: RaftState| {
        let play = move || {
            let server = server(Options::default());
            server.raft().strings.with(|strings| {
                (strings.state, strings.refuses) = (before, Some(after));
            });
            let result = submit(&server, 7).recv().expect("it is told");
            let asked = server.raft().strings.with(|strings| strings.commands.len());
            server.kill();
            (result.expect_err("it is refused"), asked)
        };
        labrt::simulate(1, play).expect("nothing fails").value
    };
    assert_eq!(told(over, over), (SubmitError::NotLeader, 0), "Raft need not be asked");
    // It may have been saved, and the server be over since: deposed before that or not, and perhaps elected once more.
    for after in [over, deposed, deposed_again, elected] {
        let (error, asked) = told(leader, after);
        assert_eq!((error, asked), (SubmitError::NoPlace, 1), "{after:?}");
        assert!(error.may_have_happened());
    }
}

/// On the real clock, where the panic of a task ends nothing else.
#[test]
fn a_machine_that_panics_lets_nobody_wait_and_its_server_does_not_lead() {
    let server = server(Options { read_index: true, ..Options::default() });
    let (bad, later) = (submit(&server, PANICS), submit(&server, 7));
    let read = {
        let (sender, read) = channel::bounded(1);
        server.read_then(0, move |result| _ = sender.send(result));
        read
    };
    server.raft().strings.with(|strings| strings.commands.truncate(1));
    server.raft().commit(1);
    assert_eq!(bad.recv(), Ok(Err(SubmitError::Ended)));
    assert_eq!(later.recv(), Ok(Err(SubmitError::Ended)));
    assert_eq!(read.recv(), Ok(Err(SubmitError::Ended)));
    wait_until_killed(&server);
}

fn wait_until_killed(server: &Server) {
    while server.raft().strings.with(|strings| strings.apply.is_some()) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// On the real clock, too.
#[test]
fn a_submitter_that_panics_on_a_task_of_the_server_lets_nobody_else_wait() {
    let server = server(Options { batch: NonZeroUsize::new(8), ..Options::default() });
    server.raft().believes(RaftState { term: 1, is_leader: false });
    server.submit_then(7, |result| panic!("a service that cannot bear {result:?}"));
    wait_until_killed(&server);
    assert_eq!(submit(&server, 7).recv(), Ok(Err(SubmitError::Ended)));
    assert!(server.is_over());
}

/// On the real clock, too. The task that panics is the only one that takes them out of the queue.
#[test]
fn who_waits_for_an_entry_is_told_when_the_task_that_starts_entries_panics() {
    let server = server(Options { batch: NonZeroUsize::new(1), ..Options::default() });
    server.raft().believes(RaftState { term: 1, is_leader: false });
    let (they_wait, begin) = channel::bounded::<()>(1);
    server.submit_then(7, move |result| {
        let _ = begin.recv();
        panic!("a service that cannot bear {result:?}")
    });
    let waiting = [submit(&server, 7), submit(&server, 7)];
    they_wait.send(()).expect("it is the first one that is refused");
    for result in waiting {
        assert_eq!(result.recv_timeout(Duration::from_secs(60)), Ok(Err(SubmitError::Ended)));
    }
}

#[test]
#[should_panic(expected = "it needs `submit`")]
fn who_wants_to_read_what_changes_something_is_told_at_once() {
    let _ = server(Options::default()).read(PANICS);
}

/// Its tasks end, wherever they wait, and let go of the machine.
#[test]
fn nothing_is_left_of_a_server_that_was_killed_or_dropped() {
    let options = Options { max_raft_state: None, read_index: true, batch: NonZeroUsize::new(8) };
    for (somebody_waits, killed) in [(false, true), (true, true), (false, false), (true, false)] {
        play(move || {
            let held = Arc::new(());
            let diary = Diary { requests: Vec::new(), _held: held.clone() };
            let persister = Arc::new(MemoryPersister::new());
            let server: Server =
                Rsm::make(Vec::new(), 0, persister, options, diary).expect("nothing is saved");
            if somebody_waits {
                server.submit_then(7, drop);
                server.read_then(7, drop);
            }
            thread::sleep(Duration::from_millis(10));
            let raft = server.raft().clone();
            if killed {
                server.kill();
            }
            drop(server);
            thread::sleep(Duration::from_secs(1));
            assert_eq!(Arc::strong_count(&held), 1, "a task of it still runs");
            assert!(raft.strings.with(|strings| strings.apply.is_none()), "its Raft was killed");
        });
    }
}
