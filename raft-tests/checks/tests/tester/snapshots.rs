//! What a run with snapshots leaves behind: its trace, and what is said of each server when it fails.

use std::time::Duration;

use bytes::Bytes;
use labrt::world::{Builder, Outcome};
use labrt::{Failure, thread};
use labtrace::{Keep, Verdict, What};
use raft_checked::CheckedRaft;
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType, part_2d};
use run_record::setting::Setting;
use run_record::trace::Event;

type Body = fn(&Cluster);

fn play(run: &Run, body: Body) -> Result<Outcome<()>, Box<Failure>> {
    let run = run.clone();
    Builder::simulated(7).run(move || {
        run.enter();
        let cluster = Cluster::with_snapshots(RaftType::of::<CheckedRaft>(), &run, 3, false);
        body(&cluster);
        cluster.cleanup();
    })
}

fn recording(keep: Keep) -> Run {
    Run::new(keep, Setting::default())
}

fn agree(cluster: &Cluster, commands: std::ops::RangeInclusive<u32>, servers: usize) {
    for command in commands {
        cluster.one(Bytes::from(command.to_string()), servers, true);
    }
}

fn disconnect_and_crash(cluster: &Cluster) {
    part_2d::install_snapshots_disconnect(cluster, cluster.run());
    part_2d::crash_and_restart_all(cluster, cluster.run());
}

#[test]
fn a_traced_run_with_snapshots_is_the_same_run() {
    let trace = |keep| play(&recording(keep), disconnect_and_crash).expect("it passes").trace;
    assert_eq!(trace(Keep::All), trace(Keep::Nothing));
}

/// A server is away for as long as it takes to forget what it lacks; in the end all are started anew.
fn one_is_away(cluster: &Cluster) {
    agree(cluster, 1..=1, 3);
    let away = (cluster.check_one_leader() + 1) % 3;
    cluster.disconnect(away);
    agree(cluster, 2..=12, 2);
    cluster.connect(away);
    agree(cluster, 13..=13, 3);
    (0..3).for_each(|server| cluster.crash(server));
    (0..3).for_each(|server| cluster.start_server(server));
    thread::sleep(Duration::from_secs(1));
}

#[test]
fn a_trace_tells_the_way_of_a_snapshot() {
    let run = recording(Keep::All);
    play(&run, one_is_away).expect("it passes");
    let events = run.session().take().events;
    let find = |what: &dyn Fn(&What) -> bool| {
        events.iter().filter(|event| what(&event.what)).collect::<Vec<&Event>>()
    };
    let taken = find(&|what| matches!(what, What::Snapshot { index: 9, .. }));
    assert_eq!(taken.len(), 2, "those that are there take one");
    let sent = find(&|what| {
        matches!(what, What::Sent { method, args, .. }
            if method == "Raft.InstallSnapshot" && args["last_included_index"] == 9)
    });
    assert_eq!(sent.len(), 1, "and one is sent");
    let (leader, away) = match sent[0].what {
        What::Sent { to, .. } => (sent[0].lane, Some(to)),
        _ => panic!("{sent:?}"),
    };
    let base_of = |what: &What| match what {
        What::State(state) => state.log.as_ref().and_then(|log| log.base).map(|base| base.index),
        _ => None,
    };
    let of = |lane: Option<u32>, what: &dyn Fn(&What) -> bool| {
        let it = events.iter().find(|event| event.lane == lane && what(&event.what));
        it.map(|event| event.n).expect("it is in the trace")
    };
    let new_base = |what: &What| base_of(what) == Some(9);
    let saves = |what: &What| matches!(what, What::Saved { snapshot: Some(1..), .. });
    let installs = |what: &What| matches!(what, What::Installed { index: 9, term: Some(1..), .. });
    for lane in [leader, away] {
        assert!(of(lane, &saves).abs_diff(of(lane, &new_base)) == 1, "saved and said at once");
    }
    assert!(of(leader, &saves) < sent[0].n && sent[0].n < of(away, &saves));
    assert!(of(away, &saves) < of(away, &installs));
    let stored = find(&|what| matches!(what, What::Installed { index: 9, term: None, .. }));
    assert_eq!(stored.len(), 3, "a new instance begins with what is stored");
    let begun = stored[0].n;
    let says = |event: &&Event| event.n > begun && new_base(&event.what);
    assert_eq!(events.iter().filter(says).count(), 3, "and says so");
}

/// Two servers are cut off, and the third one waits for them in vain.
fn no_majority(cluster: &Cluster) {
    agree(cluster, 1..=11, 3);
    let leader = cluster.check_one_leader();
    thread::sleep(Duration::from_millis(500));
    (0..3).filter(|server| *server != leader).for_each(|server| cluster.disconnect(server));
    agree(cluster, 12..=12, 3);
}

#[test]
fn a_verdict_says_what_each_server_has_saved() {
    let run = recording(Keep::Nothing);
    play(&run, no_majority).expect_err("there is no majority");
    let Verdict { facts, .. } = run.session().verdict().expect("a verdict");
    let facts: Vec<_> = facts.iter().map(|fact| fact.text.as_str()).collect();
    let is_told =
        |words: &[&str]| facts.iter().any(|fact| words.iter().all(|words| fact.contains(words)));
    let saved = "applied 11 entries, saved a snapshot up to 9 and a log from 10 to 11";
    assert!(is_told(&["cut off", saved]), "{facts:?}");
    let leader = "applied 11 entries, saved a snapshot up to 9 and a log from 10 to 1";
    assert!(is_told(&["is connected", leader]), "{facts:?}");
}
