//! What the trace of a run learns about a server.

use std::sync::Arc;
use std::time::Duration;

use labrt::channel::Receiver;
use labrt::{Node, channel, simulate, thread};
use labtrace::{Keep, LogBase, Role, Session, State, What};
use persister::{MemoryPersister, Persister};
use raft::rules::{Core, Unsaved};
use raft::storage::Storage;
use raft::{HardState, Stored};
use raft_api::{ApplyMsg, Raft};
use raft_checked::CheckedRaft;

/// What a server that begins in this term, alone, is said to do within 3 s.
fn traced(term: u64) -> Vec<What> {
    recorded(move || {
        let persister = disk_of(term);
        let (_node, raft, _commands) = server(&persister);
        thread::sleep(Duration::from_secs(2));
        raft.start("x".into());
        thread::sleep(Duration::from_secs(1));
    })
}

/// What is recorded of a server 0 in a world of its own.
fn recorded(main: impl FnOnce() + Send + 'static) -> Vec<What> {
    let session = Session::new(Keep::All, vec!["server 0".into()]);
    let inside = session.clone();
    let run = simulate(0, move || {
        inside.enter();
        main();
    });
    run.expect("nothing fails");
    session.take().events.into_iter().map(|event| event.what).collect()
}

/// The disk of a server that is in this term.
fn disk_of(term: u64) -> Arc<MemoryPersister> {
    let persister = Arc::new(MemoryPersister::new());
    let hard = HardState { term, voted_for: None };
    let (mut storage, ..) = Storage::open(persister.clone()).unwrap();
    let core = Core::new(0, 1, Stored { hard, ..Stored::default() });
    storage.save(&core, &Unsaved { hard_state: true, ..Unsaved::default() }).unwrap();
    persister
}

/// A server that is alone, its node, and what it applies.
fn server(persister: &Arc<MemoryPersister>) -> (Node, Arc<CheckedRaft>, Receiver<ApplyMsg>) {
    let peers = vec![labrpc::Network::new().make_end("0 to 0")];
    let (apply, commands) = channel::unbounded();
    let persister: Arc<dyn Persister> = persister.clone();
    let node = Node::new("server 0");
    let raft = node.enter(|| CheckedRaft::make(peers, 0, persister, apply));
    (node, raft.unwrap().unwrap(), commands)
}

fn notes(events: &[What], about: &str) -> Vec<String> {
    let note = |event: &What| match event {
        What::Note { topic, text } if topic == about => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(note).collect()
}

#[test]
fn a_trace_tells_what_a_server_is_and_why_it_stands_for_election() {
    let events = traced(6);
    assert_eq!(notes(&events, "timer"), ["no leader heard of: the election of term 7 begins"]);
    let states: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            What::State(state) => {
                let log = state.log.as_ref().map(|log| (log.from, log.entries.len()));
                Some((state.role, state.term, state.vote, state.commit, log))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        states,
        [
            (Role::Follower, 6, None, Some(0), Some((1, 0))),
            (Role::Leader, 7, Some(0), Some(0), None),
            (Role::Leader, 7, Some(0), Some(1), Some((1, 1))),
        ]
    );
}

#[test]
fn a_trace_tells_where_a_log_begins() {
    let events = recorded(|| {
        let persister = disk_of(6);
        let (node, raft, commands) = server(&persister);
        thread::sleep(Duration::from_secs(2));
        for command in ["x", "y", "z"] {
            raft.start(command.into());
        }
        thread::sleep(Duration::from_secs(1));
        assert_eq!(commands.try_iter().count(), 3);
        raft.snapshot(2, "x y".into());
        thread::sleep(Duration::from_secs(1));
        // A new instance finds it on its disk.
        node.kill();
        let _kept = server(&persister);
        thread::sleep(Duration::from_millis(1));
    });
    let changes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            What::State(State { log: Some(log), .. }) => {
                Some((log.from, log.entries.len(), log.base))
            }
            _ => None,
        })
        .collect();
    let base = Some(LogBase { index: 2, term: 7 });
    assert!(changes[..4].iter().all(|(_, _, base)| base.is_none()), "{changes:?}");
    assert_eq!(changes[4..], [(4, 0, base), (3, 1, base)]);
}

#[test]
fn what_the_operator_should_hear_of_is_in_the_trace() {
    let warnings = notes(&traced(u64::MAX), "warning");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("server 0: this is the last term there is"), "{warnings:?}");
}
