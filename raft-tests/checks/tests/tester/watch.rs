//! Watching a run: traces, settings, and the invariants that hold for any Raft.

use std::collections::BTreeSet;

use labrt::Failure;
use labrt::world::{Builder, Outcome};
use labtrace::{Keep, Session, What};
use raft_checked::CheckedRaft;
use raft_tests::run::Run;
use raft_tests::{Cluster, RaftType, part_2b, part_2c};
use run_record::setting::{Setting, Trouble};
use run_record::trace::{Event, Role};

type Body = fn(&Cluster);

fn figure_8_unreliable(cluster: &Cluster) {
    part_2c::figure_8_unreliable(cluster, cluster.run());
}

fn figure_8(cluster: &Cluster) {
    part_2c::figure_8(cluster, cluster.run());
}

fn unreliable_churn(cluster: &Cluster) {
    part_2c::churn(cluster, cluster.run());
}

fn rejoin(cluster: &Cluster) {
    part_2b::rejoin_of_partitioned_leader(cluster, cluster.run());
}

fn play(
    run: &Run,
    servers: usize,
    unreliable: bool,
    body: Body,
) -> Result<Outcome<()>, Box<Failure>> {
    let run = run.clone();
    let switches = run.setting().limit(Trouble::Switches).unwrap_or(u64::MAX);
    Builder::simulated(11).forced_switches(switches).run(move || {
        run.enter();
        let cluster = Cluster::in_run(RaftType::of::<CheckedRaft>(), &run, servers, unreliable);
        body(&cluster);
        cluster.cleanup();
    })
}

fn events(session: &Session) -> Vec<Event> {
    session.take().events
}

#[test]
fn a_traced_run_is_the_same_run() {
    for (body, servers, unreliable) in [
        (figure_8_unreliable as Body, 5, true),
        (unreliable_churn as Body, 5, true),
        (rejoin as Body, 3, false),
    ] {
        let trace = |keep| {
            let run = Run::new(keep, Setting::default());
            play(&run, servers, unreliable, body).expect("the reference passes").trace
        };
        let off = trace(Keep::Nothing);
        assert_eq!(trace(Keep::All), off);
        assert_eq!(trace(Keep::Last(100)), off);
    }
}

#[test]
fn a_trace_tells_what_happened() {
    let run = Run::new(Keep::All, Setting::default());
    play(&run, 3, false, rejoin).expect("the reference passes");
    let events = events(run.session());
    assert!((1..).zip(&events).all(|(n, event)| event.n == n), "numbers are in order");
    assert!(events.is_sorted_by_key(|event| event.us), "time is in order");

    let count = |pick: &dyn Fn(&What) -> bool| events.iter().filter(|e| pick(&e.what)).count();
    assert_eq!(count(&|what| matches!(what, What::Started)), 3);
    assert_eq!(count(&|what| matches!(what, What::Disconnected)), 2, "two leaders are cut off");
    assert_eq!(count(&|what| matches!(what, What::Connected)), 5);
    let agreed = |what: &What| matches!(what, What::End { text, .. } if text.starts_with("index "));
    assert_eq!(count(&agreed), 4, "one() is called four times");
    assert_eq!(count(&|what| matches!(what, What::Applied { index: 4, .. })), 3);

    // Each delivery has its request, and each return its reply.
    let calls = |pick: &dyn Fn(&What) -> Option<u64>| -> BTreeSet<u64> {
        events.iter().filter_map(|event| pick(&event.what)).collect()
    };
    let sent = calls(&|what| match what {
        What::Sent { call, .. } => Some(*call),
        _ => None,
    });
    let delivered = calls(&|what| match what {
        What::Delivered { call } => Some(*call),
        _ => None,
    });
    let returned = calls(&|what| match what {
        What::Returned { call } => Some(*call),
        _ => None,
    });
    assert!(delivered.len() > 20 && delivered.is_subset(&sent) && returned.is_subset(&delivered));

    // Messages are there field by field.
    let vote = events.iter().find_map(|event| match &event.what {
        What::Sent { method, args, .. } if method == "Raft.RequestVote" => Some(args),
        _ => None,
    });
    assert_eq!(vote.expect("there was an election")["last_log_index"], 0);

    // Servers say what they are, and the tester need not guess.
    let leads = |what: &What| matches!(what, What::State(state) if state.role == Role::Leader);
    assert!(count(&leads) >= 3);
    assert_eq!(count(&|what| matches!(what, What::Inferred { .. })), 0);
}

#[test]
fn a_trace_tells_what_led_to_what() {
    let run = Run::new(Keep::All, Setting::default());
    play(&run, 3, false, rejoin).expect("the reference passes");
    let events = events(run.session());
    let event = |n: u64| &events[usize::try_from(n).unwrap() - 1];
    // The command 105 travels in an AppendEntries that its offer has caused: the last one, since a
    // leader that was cut off may have accepted it first.
    let offered = events.iter().rfind(|event| {
        matches!(&event.what, What::Offered { command, index: Some(_), .. } if command == "105")
    });
    let offered = offered.expect("it was accepted").n;
    let caused = |what: fn(&What) -> bool| {
        events.iter().any(|event| event.cause == Some(offered) && what(&event.what))
    };
    assert!(caused(|what| matches!(what, What::Sent { .. })));
    // Each vote that is answered: the answer's cause is the delivery of its request.
    let mut answered = 0;
    for reply in &events {
        if let (What::Replied { call, .. }, Some(cause)) = (&reply.what, reply.cause)
            && matches!(event(cause).what, What::Delivered { call: delivered } if delivered == *call)
        {
            answered += 1;
        }
    }
    let replies = events.iter().filter(|e| matches!(e.what, What::Replied { .. })).count();
    assert!(answered * 10 >= replies * 9, "{answered} of {replies} replies know their request");
    // An election that a timer has started has no cause.
    let first_vote = events.iter().find(|e| matches!(e.what, What::Sent { .. })).unwrap();
    assert_eq!(first_vote.cause, None);
}

#[test]
fn a_ring_keeps_the_end() {
    let run = Run::new(Keep::Last(50), Setting::default());
    play(&run, 3, false, rejoin).expect("the reference passes");
    let recorded = run.session().take();
    assert_eq!(recorded.events.len(), 50);
    assert_eq!(recorded.events.last().map(|event| event.n), Some(recorded.total));
}

#[test]
fn a_setting_takes_troubles_away() {
    let troubles = |setting: Setting, body: Body| {
        let run = Run::new(Keep::Nothing, setting);
        // With less trouble the reference passes as well.
        play(&run, 5, true, body).expect("the reference passes");
        let mut troubles = Trouble::ALL.map(|trouble| (trouble, run.troubles().get(trouble)));
        troubles.sort();
        troubles
    };
    let limits = |limit| {
        Trouble::ALL.iter().fold(Setting::default(), |all, trouble| all.with(*trouble, Some(limit)))
    };
    for (body, kinds) in [
        (figure_8_unreliable as Body, &[Trouble::Reorders, Trouble::Cuts, Trouble::Rounds][..]),
        (figure_8 as Body, &[Trouble::Crashes, Trouble::Rounds][..]),
        (unreliable_churn as Body, &[Trouble::Crashes, Trouble::Losses, Trouble::Delays][..]),
    ] {
        let whole = troubles(Setting::default(), body);
        for kind in kinds {
            assert!(
                whole.iter().any(|(trouble, count)| trouble == kind && *count > 3),
                "{whole:?}"
            );
        }
        assert!(troubles(limits(0), body).iter().all(|(_, count)| *count == 0));
        for kind in Trouble::ALL {
            let without = troubles(Setting::default().with(kind, Some(0)), body);
            assert!(without.iter().all(|(trouble, count)| *trouble != kind || *count == 0));
        }
        assert!(troubles(limits(2), body).iter().all(|(_, count)| *count <= 2));
        // A limit that is not reached changes nothing.
        assert_eq!(troubles(limits(u64::MAX), body), whole);
    }
}
