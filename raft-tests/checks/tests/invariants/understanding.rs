//! Messages in other dresses: understood, or not judged and said so.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Serialize};
use labrpc::{ClientEnd, Service};
use labrt::channel::Sender;
use labrt::sync::Leaf;
use labrt::world::{self, Builder};
use labtrace::{Keep, Verdict, What};
use persister::Persister;
use raft_api::{ApplyMsg, Meaning, Raft, RaftState, Started, Wire};
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType};
use run_record::setting::Setting;

/// A Raft of one kind of messages.
trait Dress: Send + Sync + 'static {
    type Vote: Gob;
    type VoteReply: Gob;
    type Append: Gob;
    type AppendReply: Gob;
    fn vote(term: u64) -> Self::Vote;
    fn voted(term: u64) -> Self::VoteReply;
    fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> Self::Append;
    fn accepted(term: u64) -> Self::AppendReply;
    fn read(_: &Wire<'_>) -> Meaning {
        Meaning::ByNames
    }
}

struct Dressed<D> {
    peers: Vec<ClientEnd>,
    dress: std::marker::PhantomData<fn() -> D>,
}

#[derive(Default)]
struct Stage(Leaf<Vec<Vec<ClientEnd>>>);

impl<D: Dress> Raft for Dressed<D> {
    fn make(
        peers: Vec<ClientEnd>,
        _: usize,
        _: Arc<dyn Persister>,
        _: Sender<ApplyMsg>,
    ) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let stage = world::local::<Stage>().expect("in a world");
        stage.0.with(|all| all.push(peers.clone()));
        Ok(Arc::new(Dressed { peers, dress: std::marker::PhantomData }))
    }

    fn services(self: Arc<Self>) -> Vec<Service> {
        assert_eq!(self.peers.len(), 3);
        let service = Service::new("Raft")
            .method("RequestVote", |_: D::Vote| D::voted(4))
            .method("AppendEntries", |_: D::Append| D::accepted(4))
            .method("InstallSnapshot", |term: u64| term)
            .method("Tell", |term: u64| term);
        vec![service]
    }

    fn start(&self, _: Bytes) -> Option<Started> {
        None
    }

    fn state(&self) -> RaftState {
        RaftState { term: 1, is_leader: false }
    }

    fn read_message(message: &Wire<'_>) -> Meaning {
        D::read(message)
    }

    fn kill(&self) {}
}

/// What the servers of a run say.
struct Says<D>(std::marker::PhantomData<D>);

impl<D: Dress> Says<D> {
    fn end(from: usize, to: usize) -> ClientEnd {
        world::local::<Stage>().expect("in a world").0.with(|all| all[from][to].clone())
    }

    fn append(to: usize, term: u64, prev: (u64, u64), terms: &[u64], commit: u64) {
        let args = D::append(term, prev, terms, commit);
        let _ = Says::<D>::end(0, to).call::<_, D::AppendReply>("Raft.AppendEntries", &args);
    }
}

/// The verdict on a run, and what was not judged in it.
fn run<D: Dress>(play: fn()) -> (Option<Verdict>, Vec<String>) {
    let run = Run::silent();
    play_in::<D>(&run, play);
    (run.session().verdict(), run.not_judged())
}

fn play_in<D: Dress>(run: &Run, play: fn()) {
    let inside = run.clone();
    let _ = Builder::simulated(3).run(move || {
        inside.enter();
        let cluster = Cluster::in_run(RaftType::of::<Dressed<D>>(), &inside, 3, false);
        let _ = Says::<D>::end(0, 1).call::<_, D::VoteReply>("Raft.RequestVote", &D::vote(4));
        play();
        cluster.cleanup();
    });
}

/// Commits rightly, and then too early: who understands, finds it.
fn commits<D: Dress>() -> (Option<Verdict>, Vec<String>) {
    let right = run::<D>(|| {
        Says::<D>::append(1, 4, (0, 0), &[4, 4], 0);
        Says::<D>::append(1, 4, (2, 4), &[], 2);
    });
    assert_eq!(right.0, None);
    run::<D>(|| {
        Says::<D>::append(1, 4, (0, 0), &[], 0);
        Says::<D>::append(1, 4, (0, 0), &[4, 4], 2);
    })
}

#[track_caller]
fn assert_understood<D: Dress>() {
    let (verdict, not_judged) = commits::<D>();
    assert_eq!(verdict.map(|verdict| verdict.check), Some("committed by a majority".into()));
    assert_eq!(not_judged, Vec::<String>::new());
}

#[track_caller]
fn assert_not_judged<D: Dress>(expected: &str) {
    let (verdict, not_judged) = commits::<D>();
    assert_eq!(verdict, None);
    assert!(not_judged.iter().any(|words| words.contains(expected)), "{expected}: {not_judged:#?}");
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct VoteArgs {
    term: u64,
    last_log_index: u64,
    last_log_term: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Granted {
    term: u64,
    granted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Append<E> {
    term: u64,
    prev_log_index: u64,
    prev_log_term: u64,
    entries: Vec<E>,
    leader_commit: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Success {
    term: u64,
    success: bool,
}

/// A dress that is plain but for the entries and the answer to AppendEntries.
macro_rules! dress {
    ($name:ident, $entry:ty, |$term:ident| $make:expr, $reply:ty, |$of:ident| $answer:expr) => {
        enum $name {}
        impl Dress for $name {
            type Vote = VoteArgs;
            type VoteReply = Granted;
            type Append = Append<$entry>;
            type AppendReply = $reply;
            fn vote(term: u64) -> VoteArgs {
                VoteArgs { term, last_log_index: 0, last_log_term: 0 }
            }
            fn voted(term: u64) -> Granted {
                Granted { term, granted: true }
            }
            fn append(
                term: u64,
                (prev_log_index, prev_log_term): (u64, u64),
                terms: &[u64],
                leader_commit: u64,
            ) -> Append<$entry> {
                let entries = terms.iter().map(|$term| $make).collect();
                Append { term, prev_log_index, prev_log_term, entries, leader_commit }
            }
            fn accepted($of: u64) -> $reply {
                $answer
            }
        }
    };
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Odd {
    epoch: u64,
    what: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Header {
    from: u64,
    t: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Wrapped {
    header: Header,
    body: Result<u64, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
enum Verdicts {
    Accepted {
        term: u64,
    },
    #[allow(dead_code, reason = "the type needs it")]
    Rejected {
        term: u64,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct Unknown {
    ok2: bool,
    t: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct OnlyConflict {
    term: u64,
    conflict: Option<u64>,
}

dress!(Tuples, (u64, Bytes), |term| (*term, Bytes::new()), Success, |term| Success {
    term,
    success: true
});
dress!(Enums, (Bytes, u32), |term| (Bytes::new(), *term as u32), Verdicts, |term| {
    Verdicts::Accepted { term }
});
dress!(Bools, Odd, |term| Odd { epoch: *term, what: Vec::new() }, bool, |_term| true);
dress!(Wrappers, Odd, |term| Odd { epoch: *term, what: Vec::new() }, Wrapped, |term| Wrapped {
    header: Header { from: 1, t: term },
    body: Ok(1)
});
dress!(Packed, Bytes, |_term| Bytes::new(), Success, |term| Success { term, success: true });
dress!(Strange, (u64, Bytes), |term| (*term, Bytes::new()), Unknown, |term| Unknown {
    ok2: true,
    t: term
});
dress!(Conflicts, (u64, Bytes), |term| (*term, Bytes::new()), OnlyConflict, |term| OnlyConflict {
    term,
    conflict: None
});

/// One entry for each message, or none: the rest comes in messages of its own.
enum OneByOne {}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct AppendOne {
    term: u64,
    prev_log_index: u64,
    prev_log_term: u64,
    entry: Option<Odd>,
    leader_commit: u64,
}

impl Dress for OneByOne {
    type Vote = VoteArgs;
    type VoteReply = Granted;
    type Append = AppendOne;
    type AppendReply = Success;
    fn vote(term: u64) -> VoteArgs {
        Tuples::vote(term)
    }
    fn voted(term: u64) -> Granted {
        Tuples::voted(term)
    }
    fn append(term: u64, prev: (u64, u64), terms: &[u64], leader_commit: u64) -> AppendOne {
        let (prev_log_index, prev_log_term) = prev;
        let entry = terms.first().map(|term| Odd { epoch: *term, what: Vec::new() });
        AppendOne { term, prev_log_index, prev_log_term, entry, leader_commit }
    }
    fn accepted(term: u64) -> Success {
        Tuples::accepted(term)
    }
}

#[test]
fn one_entry_in_an_option_is_understood() {
    let (verdict, not_judged) = run::<OneByOne>(|| {
        Says::<OneByOne>::append(1, 4, (0, 0), &[4], 0);
        Says::<OneByOne>::append(1, 4, (1, 4), &[4], 1);
        Says::<OneByOne>::append(1, 4, (2, 4), &[], 2);
    });
    assert_eq!((verdict, not_judged), (None, Vec::new()));
    let (verdict, _) = run::<OneByOne>(|| {
        Says::<OneByOne>::append(1, 4, (0, 0), &[4], 0);
        Says::<OneByOne>::append(1, 4, (1, 4), &[], 2);
    });
    assert_eq!(verdict.map(|verdict| verdict.check), Some("committed by a majority".into()));
}

/// Each message goes one way; what answers it is a call of its own.
enum OneWay {}

impl Dress for OneWay {
    type Vote = VoteArgs;
    type VoteReply = ();
    type Append = <Tuples as Dress>::Append;
    type AppendReply = ();
    fn vote(term: u64) -> VoteArgs {
        Tuples::vote(term)
    }
    fn voted(_: u64) {}
    fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> Self::Append {
        Tuples::append(term, prev, terms, commit)
    }
    fn accepted(_: u64) {}
}

#[test]
fn one_way_messages_are_not_judged() {
    assert_not_judged::<OneWay>(
        "committed by a majority, committed when told, applied when committed, refused entries, because the reply to \
         AppendEntries has no `success` or the like",
    );
    assert_not_judged::<OneWay>(
        "one vote a term, a follower stands for election, election restriction, because the reply to \
         RequestVote",
    );
}

#[test]
fn other_dresses_are_understood() {
    assert_understood::<Tuples>();
    assert_understood::<Enums>();
    assert_understood::<Bools>();
    assert_understood::<Wrappers>();
}

#[test]
fn what_is_not_understood_is_not_judged() {
    assert_not_judged::<Strange>(
        "committed by a majority, committed when told, applied when committed, refused entries, because the reply to \
         AppendEntries has no `success` or the like: fields ok2, t",
    );
    assert_not_judged::<Conflicts>("because the reply to AppendEntries has no `success`");
    assert_not_judged::<Packed>("because the entries of AppendEntries cannot be read");
}

#[test]
fn an_install_snapshot_that_says_too_little_switches_off_what_it_could_change() {
    let (verdict, not_judged) = run::<Tuples>(|| {
        let _ = Says::<Tuples>::end(0, 1).call::<_, u64>("Raft.InstallSnapshot", &7u64);
        Says::<Tuples>::append(1, 4, (0, 0), &[4, 4], 2);
    });
    assert_eq!(verdict, None);
    assert!(not_judged[0].contains("InstallSnapshot has no `term` or the like"), "{not_judged:?}");
    assert!(not_judged[0].contains("committed by a majority"), "{not_judged:?}");
}

#[test]
fn a_call_that_nobody_knows_switches_off_what_it_could_change() {
    let (verdict, not_judged) = run::<Tuples>(|| {
        let _ = Says::<Tuples>::end(0, 1).call::<_, u64>("Raft.Tell", &7u64);
        Says::<Tuples>::append(1, 4, (0, 0), &[4, 4], 2);
    });
    assert_eq!(verdict, None);
    assert!(not_judged[0].contains("nobody here knows what Tell means"), "{not_judged:?}");
    // Log Matching speaks of what is sent only.
    assert!(!not_judged[0].contains("Log Matching"), "{not_judged:?}");
}

/// As [`Strange`], but it says what its messages mean.
enum Explained {}

impl Dress for Explained {
    type Vote = VoteArgs;
    type VoteReply = Granted;
    type Append = <Strange as Dress>::Append;
    type AppendReply = Unknown;
    fn vote(term: u64) -> VoteArgs {
        Strange::vote(term)
    }
    fn voted(term: u64) -> Granted {
        Strange::voted(term)
    }
    fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> Self::Append {
        Strange::append(term, prev, terms, commit)
    }
    fn accepted(term: u64) -> Unknown {
        Strange::accepted(term)
    }
    fn read(message: &Wire<'_>) -> Meaning {
        if message.method == "Raft.InstallSnapshot" {
            let Ok(term) = labgob::decode::<u64>(message.bytes) else { return Meaning::Nothing };
            let (last_included_index, last_included_term) = (2, term);
            return match message.reply {
                true => Meaning::SnapshotInstalled { term },
                false => Meaning::InstallSnapshot { term, last_included_index, last_included_term },
            };
        }
        if message.method != "Raft.AppendEntries" || !message.reply {
            return Meaning::ByNames;
        }
        match labgob::decode::<Unknown>(message.bytes) {
            Ok(Unknown { ok2, t }) => {
                Meaning::Appended { term: t, success: ok2, match_index: None }
            }
            Err(_) => Meaning::Nothing,
        }
    }
}

fn installs(to: usize, term: u64) {
    let _ = Says::<Explained>::end(0, to).call::<_, u64>("Raft.InstallSnapshot", &term);
}

#[test]
fn a_raft_may_say_what_its_messages_mean() {
    assert_understood::<Explained>();
    // Nothing is switched off by it, and it is judged.
    let right = run::<Explained>(|| {
        Says::<Explained>::append(1, 4, (0, 0), &[4, 4], 0);
        installs(2, 4);
        Says::<Explained>::append(2, 4, (2, 4), &[], 2);
    });
    assert_eq!(right, (None, Vec::new()));
    let (verdict, _) = run::<Explained>(|| {
        Says::<Explained>::append(1, 4, (0, 0), &[4], 0);
        installs(2, 4);
    });
    let check = verdict.map(|verdict| verdict.check);
    assert_eq!(check.as_deref(), Some("snapshots of what is committed"));
}

#[test]
fn what_is_not_judged_stands_in_the_trace_when_that_turns_out() {
    let run = Run::new(Keep::All, Setting::default());
    play_in::<Strange>(&run, || {
        for _ in 0..3 {
            Says::<Strange>::append(1, 4, (0, 0), &[4], 0);
        }
        for _ in 0..3 {
            let _ = Says::<Strange>::end(0, 1).call::<_, u64>("Raft.Tell", &7u64);
        }
    });
    let notes = run.session().take().events.into_iter().filter_map(|event| match event.what {
        What::Note { topic, text } if topic == "not judged" => Some(text),
        _ => None,
    });
    let notes: Vec<String> = notes.collect();
    let (answer, tell) = ("AppendEntries has no `success` or the like", "what Tell means");
    // With the second reason the first one is told once more.
    assert_eq!(notes.len(), 3, "{notes:#?}");
    assert!(notes[0].contains(answer) && notes[1].contains(answer) && notes[2].contains(tell));
}

/// As [`Tuples`], but candidates say what they take for committed; and it says what its snapshots are.
enum Telling {}

#[derive(Clone, Debug, Serialize, Deserialize, Gob)]
struct TellingVote {
    term: u64,
    last_log_index: u64,
    last_log_term: u64,
    commit_index: u64,
}

impl Dress for Telling {
    type Vote = TellingVote;
    type VoteReply = Granted;
    type Append = <Tuples as Dress>::Append;
    type AppendReply = Success;
    fn vote(term: u64) -> TellingVote {
        TellingVote { term, last_log_index: 0, last_log_term: 0, commit_index: 0 }
    }
    fn voted(term: u64) -> Granted {
        Tuples::voted(term)
    }
    fn append(term: u64, prev: (u64, u64), terms: &[u64], commit: u64) -> Self::Append {
        Tuples::append(term, prev, terms, commit)
    }
    fn accepted(term: u64) -> Success {
        Tuples::accepted(term)
    }
    fn read(message: &Wire<'_>) -> Meaning {
        match message.method {
            "Raft.InstallSnapshot" => Explained::read(message),
            _ => Meaning::ByNames,
        }
    }
}

#[test]
fn where_servers_may_learn_elsewhere_a_snapshot_holds_what_is_committed_at_all() {
    let (verdict, not_judged) = run::<Telling>(|| {
        Says::<Telling>::append(1, 4, (0, 0), &[4, 4], 0);
        installs(2, 4);
    });
    assert_eq!(verdict, None);
    let why = "because a server may learn from RequestVote what is committed";
    assert!(not_judged[0].contains("committed when told") && not_judged[0].contains(why));
    let (verdict, _) = run::<Telling>(|| {
        Says::<Telling>::append(1, 4, (0, 0), &[4], 0);
        installs(2, 4);
    });
    let check = verdict.map(|verdict| verdict.check);
    assert_eq!(check.as_deref(), Some("snapshots of what is committed"));
}
