//! At the end of a swarm test logs are no longer than snapshots make them.

use std::time::Duration;

use labrt::{simulate, thread};
use labtrace::Verdict;
use tester::{Group, Net, Run, swarm};

use crate::start;

/// What is said of a group of which a server has saved so many bytes, and from 3 s on so many, after 5 s.
fn said(max_raft_state: Option<usize>, sizes: [usize; 2]) -> Option<Verdict> {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = simulate(3, move || {
        inside.enter();
        let group = Group::new(&Net::new(&inside), "", 3);
        start(&group);
        let persister = group.instance(1).expect("it runs").enter(|idle| idle.persister.clone());
        let persister = persister.expect("it lives");
        let [first, then] = sizes.map(|size| vec![0; size]);
        persister.save_raft_state(&first).expect("memory");
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(3));
            persister.save_raft_state(&then).expect("memory");
        });
        swarm::await_trimmed(&group, max_raft_state, Duration::from_secs(5));
        group.end();
        group.net().cleanup();
    });
    let verdict = run.session().verdict();
    assert_eq!(outcome.err().map(|failure| failure.message), verdict.clone().map(|it| it.words));
    verdict
}

#[test]
fn a_log_that_stays_too_long_is_found() {
    let verdict = said(Some(2000), [16_001, 16_001]).expect("it is too long");
    assert_eq!(verdict.words, "logs were not trimmed (16001 > 16000) at server 1");
    let facts: Vec<_> = verdict.facts.iter().map(|fact| fact.text.as_str()).collect();
    assert_eq!(
        facts,
        ["all servers were healed 5 s ago and more", "server 1 has saved 16001 bytes"]
    );
    assert_eq!(said(Some(2000), [16_000, 16_001]).map(|it| it.check).as_deref(), None);
}

#[test]
fn a_log_that_is_trimmed_in_time_is_fine() {
    assert_eq!(said(Some(2000), [100_000, 16_000]), None);
}

#[test]
fn however_early_snapshots_are_due_some_bytes_are_fine() {
    assert_eq!(said(Some(1), [8_000, 8_000]), None);
    assert!(said(Some(1), [8_001, 8_001]).is_some());
}

#[test]
fn who_never_makes_snapshots_may_save_anything() {
    assert_eq!(said(None, [1_000_000, 1_000_000]), None);
}
