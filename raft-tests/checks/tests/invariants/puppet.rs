//! Servers that say what a test wants, and what the watch makes of it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::{Leaf, Mutex, MutexGuard, RwLock};
use labrt::world::{self, Builder};
use labrt::{FailureKind, thread};
use labtrace::{Keep, Verdict};
use persister::Persister;
use raft_api::{ApplyMsg, Persisted, Raft, RaftState, Started};
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType};
use run_record::setting::Setting;

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct RequestVoteArgs {
    term: u64,
    candidate_id: usize,
    last_log_index: u64,
    last_log_term: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct RequestVoteReply {
    term: u64,
    vote_granted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Entry {
    term: u64,
    command: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesArgs {
    term: u64,
    prev_log_index: u64,
    prev_log_term: u64,
    entries: Vec<Entry>,
    leader_commit: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct AppendEntriesReply {
    term: u64,
    success: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotArgs {
    term: u64,
    last_included_index: u64,
    last_included_term: u64,
    offset: u64,
    data: Vec<u8>,
    done: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotReply {
    term: u64,
}

#[labrpc::service(name = "Raft")]
pub(crate) trait Rpc {
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply;
    fn install_snapshot(&self, args: InstallSnapshotArgs) -> InstallSnapshotReply;
}

/// A server that says what it is told to say, and does nothing of its own accord.
pub(crate) struct Puppet {
    peers: Vec<RpcClient>,
    /// Term 0 says nothing about the term.
    answer: Mutex<Answer>,
    lock: Arc<Mutex<()>>,
    /// A lock that its handler of AppendEntries reads or writes.
    shared: RwLock<()>,
    writes: AtomicBool,
    persister: Arc<dyn Persister>,
    apply: Sender<ApplyMsg>,
    /// The snapshots that its service has given, with their indexes.
    given: Leaf<Vec<(u64, Bytes)>>,
    killed: AtomicBool,
}

/// What a puppet answers.
#[derive(Clone, Copy)]
struct Answer {
    term: u64,
    yes: bool,
}

/// The puppets of the caller's world, latest instances only.
#[derive(Default)]
struct Stage(Leaf<Vec<(usize, Arc<Puppet>)>>, AtomicBool, AtomicUsize);

impl Stage {
    /// This is a world of a test. In the worlds that the watch makes to try what servers have saved,
    /// puppets refuse everything, so that they contradict nobody.
    fn open(&self) {
        self.1.store(true, Ordering::Relaxed);
    }

    fn is_open(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}

/// How often the watch has read in the caller's world what servers have saved.
pub(crate) fn reads() -> usize {
    world::local::<Stage>().expect("in a world").2.load(Ordering::Relaxed)
}

pub(crate) fn puppet(server: usize) -> Arc<Puppet> {
    let stage = world::local::<Stage>().expect("in a world");
    let found = stage.0.with(|all| all.iter().rev().find(|(me, _)| *me == server).cloned());
    found.expect("it was made").1
}

impl Raft for Puppet {
    fn make(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Arc<dyn Persister>,
        apply: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let stage = world::local::<Stage>().expect("in a world");
        let puppet = Arc::new(Puppet {
            peers: peers.into_iter().map(RpcClient::new).collect(),
            answer: Mutex::new(Answer { term: 0, yes: stage.is_open() }),
            lock: Arc::default(),
            shared: RwLock::default(),
            writes: AtomicBool::new(false),
            persister,
            apply,
            given: Leaf::default(),
            killed: AtomicBool::new(false),
        });
        stage.0.with(|all| all.push((me, puppet.clone())));
        Ok(puppet)
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        vec![RpcService::of(self)]
    }

    fn start(&self, command: Bytes) -> Option<Started> {
        let args = AppendEntriesArgs { term: 1, ..AppendEntriesArgs::default() };
        if &command[..] == b"read and call" {
            let _share = self.shared.read();
            let _ = self.peers[1].append_entries(&AppendEntriesArgs { term: 2, ..args });
            return None;
        }
        if &command[..] != b"call" {
            let text = String::from_utf8(command.to_vec()).ok()?;
            let (word, number) = text.split_once(' ')?;
            let number = number.parse().ok()?;
            // Tasks of the server's own that call with a lock held, which they take for that, started in one of two
            // places.
            let (lock, peer) = (self.lock.clone(), self.peers.get(number as usize).cloned());
            let calls = move || {
                let _guard = lock.lock();
                let _ = peer.expect("there is such a server").append_entries(&args);
            };
            let task = match word {
                "send" => thread::spawn(calls),
                "repeat" => thread::spawn(calls),
                // A term and an index: it says that it leads.
                term => return Some(Started { index: number, term: term.parse().ok()? }),
            };
            task.join().expect("it ends");
            return None;
        }
        let _guard = self.lock.lock();
        let _ = self.peers[1].append_entries(&args);
        None
    }

    fn snapshot(&self, index: u64, snapshot: Bytes) {
        self.given.with(|given| given.push((index, snapshot)));
    }

    fn state(&self) -> RaftState {
        RaftState { term: 1, is_leader: false }
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        if let Some(stage) = world::local::<Stage>() {
            stage.2.fetch_add(1, Ordering::Relaxed);
        }
        // Empty for a test that does not care.
        let (term, voted_for, (log_base, log_base_term), log_terms) = labgob::decode(state).ok()?;
        Some(Persisted {
            term,
            voted_for,
            log_base,
            log_base_term,
            log_terms,
            ..Persisted::default()
        })
    }

    fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }
}

impl Rpc for Puppet {
    fn request_vote(&self, _: RequestVoteArgs) -> RequestVoteReply {
        drop(self.lock.lock());
        let Answer { term, yes } = *self.answer.lock();
        RequestVoteReply { term, vote_granted: yes }
    }

    fn append_entries(&self, _: AppendEntriesArgs) -> AppendEntriesReply {
        match self.writes.load(Ordering::Relaxed) {
            true => drop(self.shared.write()),
            false => drop(self.shared.read()),
        }
        let Answer { term, yes } = *self.answer.lock();
        AppendEntriesReply { term, success: yes }
    }

    fn install_snapshot(&self, args: InstallSnapshotArgs) -> InstallSnapshotReply {
        let Answer { term, yes } = *self.answer.lock();
        // One that answers without a term sends the request's back.
        InstallSnapshotReply { term: if yes && term == 0 { args.term } else { term } }
    }
}

impl Puppet {
    pub(crate) fn answers(&self, term: u64, yes: bool) {
        *self.answer.lock() = Answer { term, yes };
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// From now on its handler of AppendEntries writes what it has read before.
    pub(crate) fn writes(&self) {
        self.writes.store(true, Ordering::Relaxed);
    }

    /// Its handlers wait for as long as the guard is kept.
    pub(crate) fn stalls(&self) -> MutexGuard<'_, impl Sized> {
        self.answer.lock()
    }

    pub(crate) fn asks_for_vote(&self, me: usize, to: usize, term: u64) {
        self.asks_with_log(me, to, term, (100, 100));
    }

    /// Asks for a vote with a log that ends with this index and term.
    pub(crate) fn asks_with_log(&self, me: usize, to: usize, term: u64, last: (u64, u64)) {
        let (last_log_index, last_log_term) = last;
        let args = RequestVoteArgs { term, candidate_id: me, last_log_index, last_log_term };
        let _ = self.peers[to].request_vote(&args);
    }

    /// Sends entries behind this place, and says that so much is committed.
    pub(crate) fn commits(
        &self,
        to: usize,
        term: u64,
        prev: (u64, u64),
        entries: u64,
        commit: u64,
    ) {
        let entry = |n| Entry { term, command: format!("c{n}") };
        let args = AppendEntriesArgs {
            term,
            prev_log_index: prev.0,
            prev_log_term: prev.1,
            entries: (prev.0 + 1..=prev.0 + entries).map(entry).collect(),
            leader_commit: commit,
        };
        let _ = self.peers[to].append_entries(&args);
    }

    /// Sends entries behind this place: index and term.
    pub(crate) fn leads(&self, to: usize, term: u64, prev: (u64, u64), entries: &[(u64, &str)]) {
        let entry =
            |(term, command): &(u64, &str)| Entry { term: *term, command: (*command).into() };
        let args = AppendEntriesArgs {
            term,
            prev_log_index: prev.0,
            prev_log_term: prev.1,
            entries: entries.iter().map(entry).collect(),
            leader_commit: 0,
        };
        let _ = self.peers[to].append_entries(&args);
    }

    /// Sends a snapshot with this last entry: index and term.
    pub(crate) fn installs(&self, to: usize, term: u64, last: (u64, u64)) {
        self.installs_part(to, term, last, 0, true);
    }

    /// Sends a part of such a snapshot.
    pub(crate) fn installs_part(
        &self,
        to: usize,
        term: u64,
        last: (u64, u64),
        offset: u64,
        done: bool,
    ) {
        let (last_included_index, last_included_term) = last;
        let data = vec![7; 100];
        let args = InstallSnapshotArgs {
            term,
            last_included_index,
            last_included_term,
            offset,
            data,
            done,
        };
        let _ = self.peers[to].install_snapshot(&args);
    }

    /// Hands over the snapshot that this puppet's service has given for an index.
    pub(crate) fn hands_over(&self, of: &Puppet, index: u64, term: u64) {
        let snapshot = of.given(index);
        let message = ApplyMsg::Snapshot { index, term, snapshot };
        self.apply.send(message).expect("the tester listens");
        pause();
    }

    /// The snapshot that its service has given for an index.
    pub(crate) fn given(&self, index: u64) -> Bytes {
        let found = self.given.with(|all| all.iter().find(|(of, _)| *of == index).cloned());
        found.expect("it was given").1
    }

    /// Applies commands up to an index, from 1 on.
    pub(crate) fn applies(&self, last: u64) {
        self.applies_behind(0, last);
    }

    /// Applies commands behind one index and up to another.
    pub(crate) fn applies_behind(&self, before: u64, last: u64) {
        for index in before + 1..=last {
            let command = Bytes::from(format!("c{index}"));
            self.apply.send(ApplyMsg::Command { index, command }).expect("the tester listens");
        }
        pause();
    }

    /// Applies a command of another text than all others.
    pub(crate) fn applies_another(&self, index: u64) {
        self.applies_command(index, "another");
    }

    /// Applies this command at an index.
    pub(crate) fn applies_command(&self, index: u64, command: &'static str) {
        let command = Bytes::from_static(command.as_bytes());
        self.apply.send(ApplyMsg::Command { index, command }).expect("the tester listens");
        pause();
    }

    /// Saves a state that nobody can read, and a snapshot.
    pub(crate) fn saves_secretly(&self, snapshot: &[u8]) {
        let saved = self.persister.save_state_and_snapshot(b"?", snapshot);
        saved.expect("memory can be written");
    }

    pub(crate) fn saves(&self, term: u64, vote: Option<usize>, log_terms: Vec<u64>) {
        self.saves_state_behind((0, 0), term, vote, log_terms);
    }

    /// The entries up to `base` (index and term) are in a snapshot that is saved with the rest.
    pub(crate) fn saves_behind(
        &self,
        base: (u64, u64),
        term: u64,
        log_terms: Vec<u64>,
        snapshot: &[u8],
    ) {
        let bytes = labgob::encode(&(term, None::<usize>, base, log_terms));
        let saved = self.persister.save_state_and_snapshot(&bytes, snapshot);
        saved.expect("memory can be written");
    }

    /// The same state as before, but for a term in which it votes for itself.
    pub(crate) fn saves_own_vote(&self, me: usize, term: u64) {
        type State = (u64, Option<usize>, (u64, u64), Vec<u64>);
        let state = self.persister.read_raft_state().expect("memory can be read");
        let (_, _, base, log_terms): State = labgob::decode(&state).expect("it has saved some");
        self.saves_state_behind(base, term, Some(me), log_terms);
    }

    /// As that, without the snapshot.
    pub(crate) fn saves_state_behind(
        &self,
        base: (u64, u64),
        term: u64,
        vote: Option<usize>,
        log_terms: Vec<u64>,
    ) {
        let bytes = labgob::encode(&(term, vote, base, log_terms));
        self.persister.save_raft_state(&bytes).expect("memory can be written");
    }
}

/// The verdict on a run of three puppets; none if it passes.
pub(crate) fn verdict(play: impl FnOnce(&Cluster) + Send + 'static) -> Option<Verdict> {
    play_with(3, false, play)
}

/// The same for so many.
pub(crate) fn verdict_of(
    servers: usize,
    play: impl FnOnce(&Cluster) + Send + 'static,
) -> Option<Verdict> {
    play_with(servers, false, play)
}

/// What is not judged of a run of so many, with the reasons.
pub(crate) fn not_judged_of(servers: usize, play: fn(&Cluster)) -> Vec<String> {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = Builder::simulated(3).run(move || {
        inside.enter();
        let cluster = Cluster::in_run(RaftType::of::<Puppet>(), &inside, servers, false);
        play(&cluster);
        cluster.cleanup();
    });
    outcome.expect("nothing is broken");
    run.not_judged()
}

/// The same for three whose services take snapshots.
pub(crate) fn verdict_with_snapshots(
    play: impl FnOnce(&Cluster) + Send + 'static,
) -> Option<Verdict> {
    play_with(3, true, play)
}

/// What fails in a run on the real clock; none if it passes.
pub(crate) fn failure_on_the_real_clock(
    play: impl FnOnce(&Cluster) + Send + 'static,
) -> Option<String> {
    let outcome = Builder::real().run(move || {
        let run = Run::silent();
        run.enter();
        world::local::<Stage>().expect("in a world").open();
        let cluster = Cluster::in_run(RaftType::of::<Puppet>(), &run, 3, false);
        play(&cluster);
        cluster.cleanup();
    });
    outcome.err().map(|failure| failure.message)
}

/// The same for one alone.
pub(crate) fn verdict_alone_with_snapshots(
    play: impl FnOnce(&Cluster) + Send + 'static,
) -> Option<Verdict> {
    play_with(1, true, play)
}

fn play_with(
    servers: usize,
    snapshots: bool,
    play: impl FnOnce(&Cluster) + Send + 'static,
) -> Option<Verdict> {
    let run = Run::new(Keep::All, Setting::default());
    let inside = run.clone();
    let outcome = Builder::simulated(3).run(move || {
        inside.enter();
        world::local::<Stage>().expect("in a world").open();
        let raft = RaftType::of::<Puppet>();
        let cluster = match snapshots {
            true => Cluster::with_snapshots(raft, &inside, servers, false),
            false => Cluster::in_run(raft, &inside, servers, false),
        };
        play(&cluster);
        cluster.cleanup();
    });
    let verdict = run.session().verdict();
    match outcome {
        Ok(_) => assert_eq!(verdict, None),
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::Panic, "{failure}");
            assert_eq!(verdict.as_ref().map(|v| &v.words), Some(&failure.message));
            let last = run.session().take().events.pop().expect("there are events");
            assert!(matches!(last.what, labtrace::What::Violation { .. }), "{last:?}");
        }
    }
    verdict
}

#[track_caller]
pub(crate) fn assert_broken(
    play: impl FnOnce(&Cluster) + Send + 'static,
    check: &str,
    servers: &[u32],
    facts: &[&str],
) {
    assert_broken_of(3, play, check, servers, facts);
}

/// The same for a run of so many.
#[track_caller]
pub(crate) fn assert_broken_of(
    count: usize,
    play: impl FnOnce(&Cluster) + Send + 'static,
    check: &str,
    servers: &[u32],
    facts: &[&str],
) {
    let verdict = verdict_of(count, play).expect("a rule is broken");
    assert_eq!(verdict.check, check, "{verdict:?}");
    assert_eq!(verdict.servers, servers, "{verdict:?}");
    assert!(verdict.hint.is_some());
    for fact in facts {
        assert!(verdict.facts.iter().any(|has| has.text.contains(fact)), "{fact}: {verdict:?}");
    }
}

#[track_caller]
pub(crate) fn assert_fine(play: impl FnOnce(&Cluster) + Send + 'static) {
    assert_eq!(verdict(play), None);
}

pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(100));
}

/// Server 1 gets this request and never answers it, for it is cut off.
pub(crate) fn is_not_answered(cluster: &Cluster, request: impl FnOnce() + Send + 'static) {
    let follower = puppet(1);
    let stalled = follower.stalls();
    let call = thread::spawn(request);
    pause();
    cluster.disconnect(1);
    call.join().expect("it fails");
    drop(stalled);
    pause();
    cluster.connect(1);
}
