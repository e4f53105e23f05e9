//! Servers that say what a test wants, to each other and to clients, and what the watch makes of it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Reply, Service};
use labrt::channel::Sender;
use labrt::sync::Leaf;
use labrt::world::Builder;
use labrt::{simulate, thread};
use labtrace::{Fact, Verdict};
use persister::Persister;
use raft_api::{ApplyMsg, Bytes, Persisted, Raft, RaftState, Started};
use raft_watch::RaftType;
use service_watch::{Asked, Change, Limits, Operation, Watch};
use tester::{Client, Group, Judged, Net, Run, Seat, Server};

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct Entry {
    term: u64,
    command: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
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
pub(crate) struct InstallSnapshotArgs {
    term: u64,
    last_included_index: u64,
    last_included_term: u64,
    data: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct InstallSnapshotReply {
    term: u64,
}

/// Of a Raft whose heartbeats are messages of their own.
#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct HeartbeatArgs {
    term: u64,
    leader_commit: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
pub(crate) struct HeartbeatReply {
    term: u64,
}

#[labrpc::service(name = "Raft")]
pub(crate) trait Rpc {
    fn install_snapshot(&self, args: InstallSnapshotArgs) -> InstallSnapshotReply;
    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply;
    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply;
    fn heartbeat(&self, args: HeartbeatArgs) -> HeartbeatReply;
    fn gossip(&self, args: u64) -> u64;
}

#[labrpc::service]
pub(crate) trait Ask {
    #[rpc(inline)]
    fn ask(&self, args: (), reply: Reply<String>);
}

/// A server that says what it is told to say, and does nothing of its own accord.
#[derive(Clone)]
pub(crate) struct Puppet {
    peers: Arc<[RpcClient]>,
    persister: Arc<dyn Persister>,
    /// What it answers to entries.
    answer: Arc<Leaf<Answer>>,
    /// The requests of clients that it has not answered.
    open: Arc<Leaf<Vec<Reply<String>>>>,
}

/// What a server answers to entries: in this term at least, whether it takes them, and after how long.
#[derive(Clone, Copy)]
struct Answer {
    term: u64,
    takes: bool,
    after: Duration,
}

impl Server for Puppet {
    fn services(&self) -> Vec<Service> {
        let puppet = Arc::new(self.clone());
        vec![RpcService::of(puppet.clone()), AskService::of(puppet)]
    }

    fn kill(&self) {}
}

impl Rpc for Puppet {
    fn install_snapshot(&self, args: InstallSnapshotArgs) -> InstallSnapshotReply {
        InstallSnapshotReply { term: args.term }
    }

    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply {
        let granted = self.answer.with(|answer| answer.takes);
        RequestVoteReply { term: args.term, vote_granted: granted }
    }

    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply {
        let Answer { term, takes, after } = self.answer.with(|answer| *answer);
        if !after.is_zero() {
            thread::sleep(after);
        }
        AppendEntriesReply { term: term.max(args.term), success: takes }
    }

    fn heartbeat(&self, args: HeartbeatArgs) -> HeartbeatReply {
        HeartbeatReply { term: args.term }
    }

    fn gossip(&self, args: u64) -> u64 {
        args
    }
}

impl Puppet {
    fn beats(&self, to: usize, term: u64) {
        let _ = self.peers[to].heartbeat(&HeartbeatArgs { term, leader_commit: 0 });
    }

    fn gossips(&self, to: usize) {
        let _ = self.peers[to].gossip(&1);
    }
}

impl Ask for Puppet {
    fn ask(&self, _args: (), reply: Reply<String>) {
        self.open.with(|open| open.push(reply));
    }
}

/// What the watch below takes the servers' Raft for: it tells what the servers have saved.
enum Below {}

impl Raft for Below {
    fn make(
        _: Vec<ClientEnd>,
        _: usize,
        _: Arc<dyn Persister>,
        _: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        Err("nobody can be made of it".into())
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        match *self {}
    }

    fn start(&self, _: Bytes) -> Option<Started> {
        match *self {}
    }

    fn snapshot(&self, _: u64, _: Bytes) {
        match *self {}
    }

    fn state(&self) -> RaftState {
        match *self {}
    }

    fn read_persisted(state: &[u8]) -> Option<Persisted> {
        let (log_base, log_terms, _) = labgob::decode::<(u64, Vec<u64>, Vec<u8>)>(state).ok()?;
        let log_base_term = u64::from(log_base > 0);
        Some(Persisted { term: 1, log_base, log_base_term, log_terms, ..Persisted::default() })
    }

    fn kill(&self) {
        match *self {}
    }
}

/// A service on one group of three servers, or on several groups.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) watch: Watch,
    pub(crate) groups: Vec<Group<Puppet>>,
}

impl World {
    fn new(run: &Run, names: &[&str], limits: Limits) -> World {
        let net = Net::new(run);
        let groups = names.iter().map(|name| Group::new(&net, name, 3)).collect();
        let world = World { net, watch: Watch::of(run), groups };
        for group in &world.groups {
            let below = raft_watch::Watch::of(RaftType::of::<Below>(), group);
            world.watch.add(group, &below, limits);
        }
        for (number, group) in world.groups.iter().enumerate() {
            (0..group.servers()).for_each(|server| world.starts((number, server)));
        }
        world
    }

    /// Starts a server, which crashes first if it runs.
    pub(crate) fn starts(&self, (group, server): (usize, usize)) {
        let make = |seat: Seat| {
            move || {
                Ok(Puppet {
                    peers: seat.ends.into_iter().map(RpcClient::new).collect(),
                    persister: seat.persister,
                    answer: Arc::new(Leaf::new(Answer {
                        term: 0,
                        takes: true,
                        after: Duration::ZERO,
                    })),
                    open: Arc::default(),
                })
            }
        };
        self.groups[group].start(server, make);
        self.groups[group].connect(server);
    }

    /// Something is done as code of a server.
    fn at<T>(&self, (group, server): (usize, usize), act: impl FnOnce(&Puppet) -> T) -> T {
        let instance = self.groups[group].instance(server).expect("it runs");
        instance.enter(act).expect("it was not killed")
    }

    /// From now on a server answers to entries in this term, and takes them or not.
    pub(crate) fn takes(&self, server: (usize, usize), term: u64, takes: bool) {
        let change = |answer: &mut Answer| (answer.term, answer.takes) = (term, takes);
        self.at(server, |puppet| puppet.answer.with(change));
    }

    /// From now on a server answers to entries after so long.
    pub(crate) fn answers_after(&self, server: (usize, usize), ms: u64) {
        let change = |answer: &mut Answer| answer.after = Duration::from_millis(ms);
        self.at(server, |puppet| puppet.answer.with(change));
    }

    /// A leader sends entries that stand behind this index and term, and says that so much is committed.
    pub(crate) fn sends(
        &self,
        from: (usize, usize),
        to: usize,
        term: u64,
        prev: (u64, u64),
        commands: &[&str],
        commit: u64,
    ) {
        let entry = |command: &&str| Entry { term, command: (*command).to_string() };
        let args = AppendEntriesArgs {
            term,
            prev_log_index: prev.0,
            prev_log_term: prev.1,
            entries: commands.iter().map(entry).collect(),
            leader_commit: commit,
        };
        self.at(from, |puppet| drop(puppet.peers[to].append_entries(&args)));
    }

    /// A leader sends a heartbeat that is no AppendEntries.
    pub(crate) fn beats(&self, from: (usize, usize), to: usize, term: u64) {
        self.at(from, |puppet| puppet.beats(to, term));
    }

    /// A server says something to another one that nobody knows the meaning of.
    pub(crate) fn gossips(&self, from: (usize, usize), to: usize) {
        self.at(from, |puppet| puppet.gossips(to));
    }

    /// The first server of the first group, leader of term 1, sends a snapshot of all up to an index.
    pub(crate) fn sends_snapshot(&self, to: usize, upto: u64) {
        let args = InstallSnapshotArgs {
            term: 1,
            last_included_index: upto,
            last_included_term: 1,
            data: vec![0; 50],
        };
        self.at((0, 0), |puppet| drop(puppet.peers[to].install_snapshot(&args)));
    }

    /// A server asks another one for its vote, and gets it if that one takes entries.
    pub(crate) fn asks_for_vote(&self, from: (usize, usize), to: usize, term: u64) {
        let args =
            RequestVoteArgs { term, candidate_id: from.1, last_log_index: 100, last_log_term: 1 };
        self.at(from, |puppet| drop(puppet.peers[to].request_vote(&args)));
    }

    /// The first server of the first group, leader of term 1, sends an entry to the second one, which takes
    /// it: so the leader can know that all up to it is committed.
    pub(crate) fn commits(&self, index: u64, command: &str) {
        pause();
        self.sends((0, 0), 1, 1, (index - 1, u64::from(index > 1)), &[command], 0);
        pause();
    }

    /// The same to the third server, which does not take it.
    pub(crate) fn only_sends(&self, index: u64, command: &str) {
        pause();
        self.takes((0, 2), 0, false);
        self.sends((0, 0), 2, 1, (index - 1, u64::from(index > 1)), &[command], 0);
        self.takes((0, 2), 0, true);
        pause();
    }

    /// A client that reaches all servers.
    pub(crate) fn client(&self, name: &str) -> Client {
        let client = Client::new(&self.net, name);
        self.groups.iter().for_each(|group| client.connect(group.members(), &[0, 1, 2]));
        client
    }

    /// The client calls a server, and waits beside the test for as long as it is there.
    pub(crate) fn calls(&self, client: &Client, (group, server): (usize, usize)) {
        let end = client.end_to(&self.groups[group].members().name(server));
        thread::spawn(move || drop(AskClient::new(end).ask(&())));
        pause();
    }

    /// A server answers all requests that it has not answered.
    pub(crate) fn replies(&self, server: (usize, usize), text: &str) {
        let open = self.at(server, |puppet| puppet.open.with(std::mem::take));
        self.at(server, |_| open.into_iter().for_each(|reply| reply.send(text.to_string())));
        pause();
    }

    /// The client calls a server and gets a reply.
    pub(crate) fn gets_reply(&self, client: &Client, server: (usize, usize)) {
        self.calls(client, server);
        self.replies(server, "done");
    }

    /// A client writes something: a server replies, and the client takes that for its answer.
    pub(crate) fn does(&self, client: &Client, asked: Asked, server: (usize, usize)) {
        let operation = self.watch.asks(client, asked);
        self.gets_reply(client, server);
        self.watch.answered(operation, None);
    }

    /// A client reads this value at a server of the first group.
    pub(crate) fn reads(
        &self,
        client: &Client,
        key: &str,
        value: &str,
        server: usize,
    ) -> Operation {
        let operation = self.watch.asks(client, get(key));
        self.gets_reply(client, (0, server));
        self.watch.answered(operation, Some(value));
        operation
    }

    /// A server saves a state of so many bytes whose log has what stands behind one index and up to another,
    /// and a snapshot if one is given.
    pub(crate) fn saves(
        &self,
        server: (usize, usize),
        (base, last): (u64, u64),
        size: usize,
        snapshot: Option<usize>,
    ) {
        let log = vec![1u64; usize::try_from(last - base).expect("it is short")];
        let of = |padding: usize| labgob::encode(&(base, log.clone(), vec![0u8; padding]));
        let state = (0..=size).rev().map(of).find(|state| state.len() <= size);
        let state = state.expect("it is not too small");
        let saved = self.at(server, |puppet| match snapshot {
            None => puppet.persister.save_raft_state(&state),
            Some(bytes) => puppet.persister.save_state_and_snapshot(&state, &vec![0; bytes]),
        });
        saved.expect("memory can be written");
    }
}

pub(crate) fn pause() {
    sleep_ms(10);
}

pub(crate) fn sleep_ms(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

pub(crate) fn asked(text: String, object: &str, change: Change) -> Asked {
    Asked { text, object: object.to_string(), change }
}

pub(crate) fn get(key: &str) -> Asked {
    asked(format!("Get {key}"), key, Change::Nothing)
}

pub(crate) fn put(key: &str, value: &str) -> Asked {
    asked(format!("Put {key} {value}"), key, Change::Set(value.to_string()))
}

pub(crate) fn append(key: &str, value: &str) -> Asked {
    asked(format!("Append {key} {value}"), key, Change::Add(value.to_string()))
}

/// Adds servers to the only object that there is, by their names.
pub(crate) fn join(names: &[&str]) -> Asked {
    let all = names.iter().map(|name| (*name).to_string()).collect();
    asked(format!("Join {}", names.join(" ")), "the configuration", Change::AddAll(all))
}

/// Texts of facts, one a line.
pub(crate) fn texts(facts: &[Fact]) -> String {
    facts.iter().map(|fact| fact.text.clone() + "\n").collect()
}

/// What came of a run.
pub(crate) struct Judgement {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) not_judged: Vec<String>,
}

/// What the watch says of a run of these groups.
pub(crate) fn judge(
    run: Run,
    groups: &'static [&'static str],
    limits: Limits,
    play: impl FnOnce(&World) + Send + 'static,
) -> Judgement {
    let inside = run.clone();
    let outcome = simulate(1, move || {
        inside.enter();
        let world = World::new(&inside, groups, limits);
        play(&world);
        world.groups.iter().for_each(Group::end);
        world.net.cleanup();
    });
    let verdict = run.session().verdict();
    assert_eq!(outcome.err().map(|failure| failure.message), verdict.clone().map(|v| v.words));
    // Here nobody is elected who leads, which is no matter of a service.
    let of_services = |words: &String| !words.ends_with("no RequestVote was seen");
    let not_judged = run.not_judged().into_iter().filter(of_services).collect();
    Judgement { verdict, not_judged }
}

/// All that is said of a run of two groups that comes to its time limit after this.
pub(crate) fn said_at_the_limit(play: impl FnOnce(&World) + Send + 'static) -> String {
    let run = Run::silent();
    let inside = run.clone();
    let limit = Duration::from_secs(10);
    let outcome = Builder::simulated(1).time_limit(limit).run(move || {
        inside.enter();
        let world = World::new(&inside, &["100", "101"], Limits::default());
        play(&world);
        thread::sleep(2 * limit);
    });
    let failure = outcome.map(drop).expect_err("it sleeps for too long");
    tester::said_of(&failure, &run)
}

pub(crate) fn right_with(limits: Limits, play: impl FnOnce(&World) + Send + 'static) {
    let Judgement { verdict, .. } = judge(Run::silent(), &[""], limits, play);
    assert_eq!(verdict.map(|verdict| verdict.words), None);
}

/// Nothing is wrong with this on one group.
pub(crate) fn right(play: impl FnOnce(&World) + Send + 'static) {
    right_with(Limits::default(), play);
}

/// Nothing is wrong with this on two groups, `100` and `101`.
pub(crate) fn right_of_two(play: impl FnOnce(&World) + Send + 'static) {
    let Judgement { verdict, .. } = judge(Run::silent(), &["100", "101"], Limits::default(), play);
    assert_eq!(verdict.map(|verdict| verdict.words), None);
}

/// It breaks this rule, in these words.
pub(crate) fn wrong_with(
    limits: Limits,
    (rule, words): (&str, &str),
    play: impl FnOnce(&World) + Send + 'static,
) -> Verdict {
    accused(judge(Run::silent(), &[""], limits, play), rule, words)
}

pub(crate) fn wrong(
    rule: &str,
    words: &str,
    play: impl FnOnce(&World) + Send + 'static,
) -> Verdict {
    wrong_with(Limits::default(), (rule, words), play)
}

pub(crate) fn wrong_of_two(
    rule: &str,
    words: &str,
    play: impl FnOnce(&World) + Send + 'static,
) -> Verdict {
    accused(judge(Run::silent(), &["100", "101"], Limits::default(), play), rule, words)
}

fn accused(of: Judgement, rule: &str, words: &str) -> Verdict {
    let verdict = of.verdict.expect("a rule is broken");
    assert_eq!((verdict.check.as_str(), verdict.words.as_str()), (rule, words), "{verdict:?}");
    assert!(verdict.hint.is_some() && verdict.location.is_some(), "{verdict:?}");
    verdict
}

/// A run that is judged only by this.
pub(crate) fn judged_less(judged: Judged) -> Run {
    Run::judged_less(judged)
}

/// A write whose entry holds what is written, in both groups if there are two.
pub(crate) fn understood(world: &World) {
    let other = world.client("other");
    let known = world.watch.asks(&other, append("other", "x 9 9 y"));
    world.commits(1, "x 9 9 y");
    if world.groups.len() > 1 {
        world.sends((1, 0), 1, 1, (0, 0), &["x 9 9 y"], 0);
    }
    world.gets_reply(&other, (0, 0));
    world.watch.answered(known, None);
    pause();
}
