//! What a trace shows of a Raft that says nothing itself.

use std::time::Duration;

use bytes::Bytes;
use labrt::thread;
use labrt::world::Builder;
use labtrace::Keep;
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType};
use run_record::coverage::Kind;
use run_record::setting::Setting;
use run_record::situations::Situation;

use crate::puppet::{Puppet, puppet};

#[test]
fn roles_are_inferred_from_messages() {
    let run = Run::new(Keep::All, Setting::default());
    let inside = run.clone();
    let outcome = Builder::simulated(3).run(move || {
        inside.enter();
        let cluster = Cluster::in_run(RaftType::of::<Puppet>(), &inside, 3, false);
        puppet(1).answers(4, true);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, (0, 0), &[]);
        // What it answers to a candidate of its own term, or of an earlier one, changes nothing for it.
        puppet(0).answers(4, false);
        puppet(2).asks_for_vote(2, 0, 4);
        puppet(2).asks_for_vote(2, 0, 3);
        puppet(0).answers(0, true);
        puppet(1).asks_for_vote(1, 0, 5);
        cluster.cleanup();
    });
    outcome.expect("no rule is broken");
    let events = run.session().take().events;
    let inferred = events.iter().filter_map(|event| match &event.what {
        labtrace::What::Inferred { role, term } => Some((event.lane?, *role, *term)),
        _ => None,
    });
    use labtrace::Role::{Candidate, Follower, Leader};
    let expected =
        [(0, Candidate, 4), (1, Follower, 4), (0, Leader, 4), (2, Candidate, 4), (1, Candidate, 5)];
    assert_eq!(inferred.collect::<Vec<_>>(), expected);
}

/// Three puppets, which break no rule.
fn run(play: fn(&Cluster)) -> Run {
    run_in(Run::silent(), play)
}

fn run_in(run: Run, play: fn(&Cluster)) -> Run {
    let inside = run.clone();
    let outcome = Builder::simulated(3).run(move || {
        inside.enter();
        let cluster = Cluster::in_run(RaftType::of::<Puppet>(), &inside, 3, false);
        play(&cluster);
        cluster.cleanup();
    });
    outcome.expect("no rule is broken");
    run
}

#[test]
fn a_run_tells_which_situations_it_came_into() {
    let run = run(|_| {
        (0..2).for_each(|server| puppet(server).answers(0, false));
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(2).asks_for_vote(2, 0, 4);
        puppet(0).asks_for_vote(0, 1, 5);
    });
    assert_eq!(run.situations().get(Situation::SplitVote.key()), Some(&1));
}

#[test]
fn a_run_tells_of_a_request_that_the_network_has_doubled() {
    let run = run(|cluster| {
        cluster.set_duplication(1.0);
        puppet(0).asks_for_vote(0, 1, 4);
        cluster.set_duplication(0.0);
        thread::sleep(Duration::from_secs(1));
    });
    assert_eq!(run.situations().get(Situation::SameRequestTwice.key()), Some(&1));
}

#[test]
fn a_run_tells_which_ways_are_cut() {
    let run = run(|cluster| {
        puppet(1).answers(4, true);
        puppet(0).asks_for_vote(0, 1, 4);
        for server in [2, 1] {
            cluster.disconnect(server);
            let _ = cluster.start(0, Bytes::from_static(b"4 1"));
        }
    });
    assert_eq!(run.situations().get(Situation::StaleLeaderAccepts.key()), Some(&1));
}

#[test]
fn a_run_tells_whoever_searches_what_was_seen_in_it_and_nobody_else() {
    let play = |_: &Cluster| {
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(2).asks_for_vote(2, 0, 4);
        puppet(0).asks_for_vote(0, 1, 5);
    };
    let searched = run_in(Run::covered(), play).coverage();
    for kind in Kind::ALL {
        assert_ne!(searched.of(kind).count(), 0, "{kind:?}");
    }
    assert!(run(play).coverage().is_empty());
}

#[test]
fn where_no_leader_has_sent_anything_that_is_said() {
    let votes = run(|_| puppet(0).asks_for_vote(0, 1, 4)).not_judged();
    assert!(votes.iter().any(|words| words.ends_with("no AppendEntries was seen")), "{votes:?}");
    let both = run(|_| {
        puppet(1).answers(4, true);
        puppet(0).asks_for_vote(0, 1, 4);
        puppet(0).leads(1, 4, (0, 0), &[]);
    });
    assert_eq!(both.not_judged(), Vec::<String>::new());
}
