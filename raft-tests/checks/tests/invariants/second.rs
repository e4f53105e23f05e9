//! What comes back after a crash keeps what was promised, tried with second servers.
//!
//! The zoo of wrong Rafts has those that save too little. Here are Rafts that a second server makes look as
//! if they did.

use std::error::Error;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::{Leaf, Mutex};
use labrt::thread;
use labrt::time::Instant;
use labrt::world::{self, Builder};
use labtrace::Verdict;
use persister::Persister;
use raft_api::{ApplyMsg, Raft, RaftState, Started};
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType};

/// In which way a server is not as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is as all others.
    Usual,
    /// It does not save its votes.
    VotesUnsaved,
    /// It does not save its log.
    LogUnsaved,
    /// It saves all of its log but the last of several entries.
    LastEntryUnsaved,
    /// It saves nothing when it accepts entries.
    NothingSavedThen,
    /// It saves its term only when it votes.
    TermUnsaved,
    /// It knows the candidate by the sender of a message.
    CandidateIsSender,
    /// It compares logs by a field that only it knows, and gives no vote for a second after it has heard
    /// a leader.
    LogEndElsewhere,
    /// It cannot be made from what it has saved.
    NeverComesBack,
    /// Made from what it has saved, it does not answer.
    SilentAfterwards,
    /// It saves nothing at all.
    NothingSaved,
}

/// How the servers of a world are, those of second servers' worlds too.
#[derive(Default)]
struct Chosen(OnceLock<Way>);

fn way() -> Way {
    *world::inherited::<Chosen>()
        .and_then(|chosen| chosen.0.get().copied())
        .as_ref()
        .expect("chosen")
}

/// By server, its ends.
#[derive(Default)]
struct Ends(Leaf<Vec<Vec<ClientEnd>>>);

#[derive(Clone, Copy, Debug, Serialize, Deserialize, Gob)]
struct RequestVoteArgs {
    sender: u64,
    term: u64,
    candidate_id: u16,
    last_log_index: u64,
    last_log_term: u64,
    log_end: (u64, u64),
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct AppendEntriesArgs {
    term: u64,
    prev_log_index: u64,
    prev_log_term: u64,
    entries: Vec<Entry>,
    leader_commit: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Entry {
    term: u64,
    command: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Answer {
    term: u64,
    success: bool,
}

/// What is saved.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Gob)]
struct State {
    term: u64,
    vote: Option<u64>,
    log: Vec<u64>,
}

/// A server that answers as Figure 2 demands, and does nothing else.
struct Follower {
    state: Mutex<State>,
    heard: Mutex<Option<Instant>>,
    /// The term of its last vote, and the vote.
    voted: Mutex<(u64, Option<u64>)>,
    is_back: bool,
    persister: Arc<dyn Persister>,
}

impl Raft for Follower {
    fn make(
        peers: Vec<ClientEnd>,
        _: usize,
        persister: Arc<dyn Persister>,
        _: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let saved = persister.read_raft_state()?;
        let is_back = !saved.is_empty();
        if is_back && way() == Way::NeverComesBack {
            return Err("it does not like its state".into());
        }
        let state = if is_back { labgob::decode(&saved)? } else { State::default() };
        world::local::<Ends>().expect("in a world").0.with(|ends| ends.push(peers));
        let voted = Mutex::new((state.term, state.vote));
        let (state, heard) = (Mutex::new(state), Mutex::new(None));
        Ok(Arc::new(Follower { state, heard, voted, is_back, persister }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        let (voter, follower) = (self.clone(), self);
        let service = Service::new("Raft")
            .method("RequestVote", move |args: RequestVoteArgs| voter.votes(&args))
            .method("AppendEntries", move |args: AppendEntriesArgs| follower.appends(&args));
        vec![service]
    }

    fn start(&self, _: Bytes) -> Option<Started> {
        None
    }

    fn state(&self) -> RaftState {
        RaftState { term: self.state.lock().term, is_leader: false }
    }

    fn kill(&self) {}
}

impl Follower {
    fn votes(&self, args: &RequestVoteArgs) -> Answer {
        if self.is_back && way() == Way::SilentAfterwards {
            thread::sleep(Duration::from_secs(1_000));
        }
        let mut state = self.state.lock();
        state.sees(args.term);
        let candidate = match way() {
            Way::CandidateIsSender => args.sender,
            _ => args.candidate_id.into(),
        };
        let (index, term) = match way() {
            Way::LogEndElsewhere => args.log_end,
            _ => (args.last_log_index, args.last_log_term),
        };
        let own = (state.log.last().copied().unwrap_or(0), state.log.len() as u64);
        let heard = self.heard.lock().is_some_and(|heard| heard.elapsed() < Duration::from_secs(1));
        let bound = heard && way() == Way::LogEndElsewhere;
        let free = state.vote.is_none_or(|vote| vote == candidate) && !bound;
        let success = args.term == state.term && free && (term, index) >= own;
        if success {
            state.vote = Some(candidate);
            *self.voted.lock() = (state.term, state.vote);
        }
        self.save(&state);
        Answer { term: state.term, success }
    }

    fn appends(&self, args: &AppendEntriesArgs) -> Answer {
        let mut state = self.state.lock();
        state.sees(args.term);
        let prev = usize::try_from(args.prev_log_index).expect("logs are short");
        let fits = prev == 0 || state.log.get(prev - 1) == Some(&args.prev_log_term);
        let success = args.term == state.term && fits;
        if success {
            *self.heard.lock() = Some(Instant::now());
            state.log.truncate(prev);
            state.log.extend(args.entries.iter().map(|entry| entry.term));
        }
        if way() != Way::NothingSavedThen {
            self.save(&state);
        }
        Answer { term: state.term, success }
    }

    fn save(&self, state: &State) {
        let mut saved = state.clone();
        match way() {
            Way::NothingSaved => return,
            Way::VotesUnsaved => saved.vote = None,
            Way::LogUnsaved => saved.log.clear(),
            Way::LastEntryUnsaved => saved.log.truncate(1.max(saved.log.len().saturating_sub(1))),
            Way::TermUnsaved => (saved.term, saved.vote) = *self.voted.lock(),
            _ => {}
        }
        self.persister.save_raft_state(&labgob::encode(&saved)).expect("memory can be written");
    }
}

impl State {
    fn sees(&mut self, term: u64) {
        if term > self.term {
            *self = State { term, vote: None, log: std::mem::take(&mut self.log) };
        }
    }
}

fn end(from: usize, to: usize) -> ClientEnd {
    world::local::<Ends>().expect("in a world").0.with(|ends| ends[from][to].clone())
}

/// Asks for a vote, with a log that ends there.
fn asks_for_vote(from: usize, to: usize, term: u64, (index, of): (u64, u64)) -> bool {
    let args = RequestVoteArgs {
        sender: from as u64,
        term,
        candidate_id: u16::try_from(from).expect("there are few"),
        last_log_index: index,
        last_log_term: of,
        log_end: (index, of),
    };
    end(from, to).call::<_, Answer>("Raft.RequestVote", &args).expect("it answers").success
}

/// Sends an entry of this term behind a place.
fn leads(from: usize, to: usize, term: u64, prev: (u64, u64)) -> bool {
    appends(from, to, term, prev, 1)
}

/// Sends so many entries of this term behind a place.
fn appends(from: usize, to: usize, term: u64, (index, of): (u64, u64), count: usize) -> bool {
    let entries = vec![Entry { term, command: format!("c{index}") }; count];
    let args = AppendEntriesArgs {
        term,
        prev_log_index: index,
        prev_log_term: of,
        entries,
        leader_commit: 0,
    };
    end(from, to).call::<_, Answer>("Raft.AppendEntries", &args).expect("it answers").success
}

/// Two elections, two entries, and one who comes too late.
fn play() {
    assert!(asks_for_vote(0, 1, 1, (0, 0)) && asks_for_vote(0, 2, 1, (0, 0)));
    assert!(leads(0, 1, 1, (0, 0)) && leads(0, 2, 1, (0, 0)));
    // A candidate with a long log, in a term that has passed.
    assert!(!asks_for_vote(2, 1, 0, (9, 9)));
    thread::sleep(Duration::from_secs(2));
    assert!(leads(0, 1, 1, (1, 1)));
    thread::sleep(Duration::from_secs(2));
    assert!(asks_for_vote(0, 1, 3, (2, 1)) && leads(0, 1, 3, (2, 1)));
    assert!(!asks_for_vote(2, 1, 2, (9, 9)));
}

/// The verdict on servers of this kind, what was not judged, and the run's hash.
fn run(way: Way) -> (Option<Verdict>, Vec<String>, Option<u64>) {
    run_of(way, play)
}

fn run_of(way: Way, play: fn()) -> (Option<Verdict>, Vec<String>, Option<u64>) {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = Builder::simulated(3).run(move || {
        inside.enter();
        let chosen = world::inherited::<Chosen>().expect("in a world");
        chosen.0.set(way).expect("only here");
        let cluster = Cluster::in_run(RaftType::of::<Follower>(), &inside, 3, false);
        play();
        cluster.cleanup();
    });
    let verdict = run.session().verdict();
    let hash = outcome.as_ref().ok().and_then(|outcome| Some(outcome.trace.as_ref()?.hash));
    assert_eq!(outcome.is_err(), verdict.is_some(), "{outcome:?}");
    (verdict, run.not_judged(), hash)
}

const CHECK: &str = "promises survive a crash";

#[test]
fn a_vote_that_is_not_saved_is_found() {
    let verdict = run(Way::VotesUnsaved).0.expect("a rule is broken");
    let words =
        "server 1 voted for 0 in term 1; after a crash it would vote for 2 in the same term";
    assert_eq!((verdict.check.as_str(), verdict.words.as_str()), (CHECK, words));
    assert_eq!(verdict.servers, [1]);
    let place = "the reply to Raft.RequestVote from server 0 to server 1";
    assert_eq!(verdict.location.as_deref(), Some(place));
    let facts: Vec<&str> = verdict.facts.iter().map(|fact| fact.text.as_str()).collect();
    let asked = "a second server, made from that, was sent the same Raft.RequestVote, from server 2, \
                 and said yes";
    assert!(facts.contains(&asked), "{facts:?}");
}

/// What is said of servers of this kind: the words behind the server, and the facts behind the first.
#[track_caller]
fn assert_forgets(way: Way, play: fn(), promise: &str, would: &str, facts: &[&str], hint: &str) {
    let found = run_of(way, play).0.expect("a rule is broken");
    assert_eq!((found.check.as_str(), &found.servers[..]), (CHECK, &[1][..]));
    assert_eq!(found.words, format!("server 1 {promise}; after a crash it would {would}"));
    let told: Vec<&str> = found.facts.iter().map(|fact| fact.text.as_str()).collect();
    assert_eq!(told[0], format!("server 1 {promise}"));
    assert!(told[1].contains("bytes of state were saved at that moment"), "{told:?}");
    let nothing_since = told[1].ends_with(", and nothing was saved since the request had come");
    assert_eq!(nothing_since, way == Way::NothingSavedThen, "{told:?}");
    assert_eq!(told[2..], *facts);
    assert!(found.hint.as_ref().is_some_and(|said| said.starts_with(hint)), "{:?}", found.hint);
}

/// What is said if a third server answers as the run's.
const COMPARED: &str = "a third server was first asked what server 1 was asked, and then the same as the \
                        second one: it said yes and then no";

#[test]
fn entries_that_are_not_saved_are_found_by_a_candidate_that_lacks_them() {
    let asked = |candidate: usize, end: &str| {
        format!(
            "a second server, made from that, was sent a request of server {candidate} for its vote in term 1001, with \
             {end}, and said yes"
        )
    };
    for way in [Way::LogUnsaved, Way::NothingSavedThen] {
        assert_forgets(
            way,
            play,
            "accepted entry 1 of term 1 from server 0, the leader of term 1",
            "vote for a candidate with an empty log",
            &[&asked(0, "an empty log"), COMPARED],
            "log[] is not saved before the entries are accepted",
        );
    }
    assert_forgets(
        Way::LastEntryUnsaved,
        play,
        "accepted entry 2 of term 1 from server 0, the leader of term 1",
        "vote for a candidate with a log that ends with entry 1 of term 1",
        &[&asked(2, "a log that ends with entry 1 of term 1"), COMPARED],
        "log[] is not saved before the entries are accepted",
    );
}

#[test]
fn a_term_that_is_not_saved_is_found_by_a_leader_of_the_term_before() {
    fn follows(count: usize) {
        assert!(asks_for_vote(0, 1, 1, (0, 0)) && asks_for_vote(0, 2, 5, (0, 0)));
        assert!(appends(0, 1, 5, (0, 0), count));
    }
    let facts = [
        "a second server, made from that, was sent the same Raft.AppendEntries, with term 4, and said yes",
        COMPARED,
    ];
    for (play, promise) in [
        ((|| follows(1)) as fn(), "accepted entry 1 of term 5 from server 0, the leader of term 5"),
        (|| follows(0), "accepted a request of server 0, the leader of term 5"),
    ] {
        let would = "accept a request of a leader of term 4";
        assert_forgets(Way::TermUnsaved, play, promise, would, &facts, "currentTerm is not saved");
        assert_eq!(run_of(Way::Usual, play).0, None);
    }
}

#[test]
fn a_term_that_is_shown_and_not_saved_is_found_by_the_same_request() {
    fn refuses(then: fn()) {
        assert!(asks_for_vote(0, 1, 1, (0, 0)) && asks_for_vote(0, 2, 1, (0, 0)));
        assert!(leads(0, 1, 1, (0, 0)));
        assert!(!asks_for_vote(2, 1, 5, (0, 0)));
        then();
    }
    for (play, method) in [
        ((|| refuses(|| assert!(!asks_for_vote(2, 1, 3, (9, 9))))) as fn(), "Raft.RequestVote"),
        (
            || {
                refuses(|| {
                    assert!(asks_for_vote(2, 0, 3, (9, 9)));
                    assert!(!leads(2, 1, 3, (1, 1)));
                });
            },
            "Raft.AppendEntries",
        ),
    ] {
        let asked =
            format!("a second server, made from that, was sent the same {method}, and said yes");
        assert_forgets(
            Way::TermUnsaved,
            play,
            "refused a request of term 3 and showed term 5",
            "say yes to it",
            &[&asked, "the first time the answer was no"],
            "currentTerm is not saved",
        );
        assert_eq!(run_of(Way::Usual, play).0, None);
    }
}

#[test]
fn a_raft_that_is_asked_something_else_than_we_believe_is_not_accused() {
    for way in [Way::Usual, Way::CandidateIsSender, Way::LogEndElsewhere] {
        let (verdict, not_judged, _) = run(way);
        assert_eq!(verdict, None, "{way:?}");
        assert!(!not_judged.iter().any(|words| words.contains(CHECK)), "{not_judged:?}");
    }
}

#[test]
fn who_saves_nothing_is_not_asked() {
    let (verdict, not_judged, _) = run(Way::NothingSaved);
    assert_eq!((verdict, not_judged), (None, Vec::new()));
}

#[test]
fn where_a_second_server_cannot_be_asked_nothing_is_judged_and_that_is_said() {
    for (way, why) in [
        (Way::NeverComesBack, "cannot be made: it does not like its state"),
        (Way::SilentAfterwards, "failed: "),
    ] {
        let (verdict, not_judged, _) = run(way);
        assert_eq!(verdict, None, "{way:?}");
        let said = not_judged.iter().find(|words| words.contains(CHECK)).expect("it is said");
        let why = format!("because a second server, made from what was saved, {why}");
        assert!(said.contains(&why), "{said}");
    }
}

/// A test that runs itself again, with another choice in the environment.
#[test]
fn second_servers_change_nothing_about_a_run() {
    let name = "second::second_servers_change_nothing_about_a_run";
    let hash = format!("hash {:?}", run(Way::Usual).2.expect("it passes"));
    println!("{hash}, found: {}", run(Way::VotesUnsaved).0.is_some());
    if std::env::var_os("LAB_SECOND").is_some() {
        return;
    }
    for (choice, found) in [("never", "false"), ("rarely", ""), ("often", "true")] {
        let line = format!("{hash}, found: {found}");
        let again = Command::new(std::env::current_exe().expect("a running program"))
            .args(["--exact", name, "--nocapture"])
            .env("LAB_SECOND", choice)
            .output()
            .expect("it can be run");
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains(&line), "{choice}: {said}, not {line}");
    }
}
