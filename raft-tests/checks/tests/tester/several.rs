//! Several clusters in one world, on one network: watched and traced, each by itself.

use std::ops::Range;

use labrt::world::Builder;
use labtrace::What;
use raft_checked::CheckedRaft;
use raft_tests::commands::number;
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType};
use tester::{Keep, Net, Setting};

type Clusters = [Cluster; 2];

/// Runs two clusters; returns the run, and the words of its failure.
fn play(body: fn(&Clusters)) -> (Run, Option<String>) {
    let run = Run::new(Keep::All, Setting::default());
    let inside = run.clone();
    let outcome = Builder::simulated(5).run(move || {
        inside.enter();
        let net = Net::new(&inside);
        let raft = RaftType::of::<CheckedRaft>();
        let clusters = ["100", "101"].map(|name| Cluster::on(raft, &net, name, 3));
        body(&clusters);
        clusters.iter().for_each(Cluster::end);
        net.cleanup();
    });
    (run, outcome.err().map(|failure| failure.message))
}

#[test]
fn two_clusters_agree_on_different_things() {
    let (run, failure) = play(|[one, other]| {
        for index in 1..=3 {
            assert_eq!(one.one(number(index), 3, true), index);
            assert_eq!(other.one(number(100 + index), 3, true), index);
        }
        let leader = one.check_one_leader();
        one.crash(leader);
        one.one(number(4), 2, true);
        assert_eq!(other.committed(4), (0, None));
    });
    assert_eq!(failure, None);
    assert_eq!(run.not_judged(), Vec::<String>::new());
    let events = run.session().take().events;
    let commands = |lanes: Range<u32>| {
        let mut commands: Vec<String> = events
            .iter()
            .filter(|event| event.lane.is_some_and(|lane| lanes.contains(&lane)))
            .filter_map(|event| match &event.what {
                What::Applied { command, .. } => Some(command.clone()),
                _ => None,
            })
            .collect();
        commands.sort();
        commands.dedup();
        commands
    };
    assert_eq!(commands(0..3), ["1", "2", "3", "4"]);
    assert_eq!(commands(3..6), ["101", "102", "103"]);
    let to_others = events.iter().any(|event| match (&event.what, event.lane) {
        (What::Sent { to, .. }, Some(from)) => (from < 3) != (*to < 3),
        _ => false,
    });
    assert!(!to_others, "servers call those of their own cluster");
}

#[test]
fn a_verdict_names_the_cluster_and_its_lanes() {
    let (run, failure) = play(|[_, other]| {
        other.crash(0);
        other.disconnect(1);
        other.disconnect(2);
        other.check_one_leader();
    });
    let words = "group 101: expected one leader, got none";
    assert_eq!(failure.as_deref(), Some(words));
    let verdict = run.session().verdict().expect("there is one");
    assert_eq!(verdict.words, words);
    let down = verdict.facts.iter().find(|fact| fact.text.contains("server 0 is down"));
    assert_eq!(down.expect("it is said").server, Some(3), "{verdict:?}");
}
