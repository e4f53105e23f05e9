//! Faults that no course's test has.

use labrt::thread;
use labrt::time::{Duration, Instant};
use persister::Persister;
use tester::{Group, Trouble};

use super::{Idle, reached, with_setting};

fn again(group: &Group<Idle>, server: usize) {
    group.start(server, |seat| move || Idle::make(seat));
    group.connect(server);
}

#[test]
fn a_cut_in_one_direction_loses_requests_and_answers_of_one_side() {
    with_setting("", |group| {
        group.cut_one_way(1, 0);
        // 0 asks 1 in vain too: the answer would have to go the way that is cut.
        let enter = |from: usize, to: usize| {
            group
                .instance(from)
                .expect("it runs")
                .enter(|server| server.asks(to))
                .expect("it lives")
        };
        let pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2)];
        let all = |group: &Group<Idle>| {
            assert!(group.is_connected(0) && group.is_connected(1));
            pairs.map(|(from, to)| enter(from, to).is_some())
        };
        assert_eq!(all(group), [false, false, true, true, true]);
        assert!(group.reaches(0, 1) && !group.reaches(1, 0));
        // Neither a restart nor parts change that.
        again(group, 0);
        group.partition(&[&[0, 1, 2, 3]]);
        assert_eq!(all(group), [false, false, true, true, true]);
        group.heal_ways();
        assert_eq!(reached(group), vec![vec![0, 1, 2, 3]; 4]);
        assert_eq!(group.run().troubles().get(Trouble::OneWayCuts), 1);
    });
}

#[test]
fn messages_over_a_slow_link_take_longer_in_both_directions() {
    with_setting("", |group| {
        let takes = |from: usize, to: usize| {
            let server = group.instance(from).expect("it runs");
            let began = Instant::now();
            assert_eq!(server.enter(|server| server.asks(to)), Some(Some(to as u64)));
            began.elapsed()
        };
        group.slow_down(0, 1, Duration::from_millis(100));
        for again in [false, true] {
            for (from, to) in [(0, 1), (1, 0)] {
                let took = takes(from, to).as_millis();
                assert!((100..=210).contains(&took), "{took} ms there and back");
            }
            assert!(takes(0, 2) < Duration::from_millis(5));
            if !again {
                super::start(group); // all anew
            }
        }
        group.heal_ways();
        assert!(takes(0, 1) < Duration::from_millis(5));
    });
}

/// How many delays are counted while a server asks another one over a slow link, on an unreliable network.
fn delays_of_a_slow_link(group: &Group<Idle>) -> u64 {
    group.net().set_reliable(false);
    group.slow_down(0, 1, Duration::from_millis(100));
    let server = group.instance(0).expect("it runs");
    for _ in 0..20 {
        server.enter(|server| server.asks(1));
    }
    group.run().troubles().get(Trouble::Delays)
}

#[test]
fn what_a_slow_link_takes_is_not_counted_as_a_delay() {
    with_setting("delays=0,losses=0", |group| assert_eq!(delays_of_a_slow_link(group), 0));
    with_setting("delays=5,losses=0", |group| assert_eq!(delays_of_a_slow_link(group), 5));
}

#[test]
fn a_paused_server_answers_late_and_nobody_can_enter_it() {
    with_setting("pauses=2", |group| {
        group.pause(1);
        assert!(group.is_paused(1) && group.is_running(1) && group.is_connected(1));
        assert_eq!(group.instance(1).expect("it runs").enter(|server| server.asks(0)), None);
        let resume = group.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            resume.resume(1);
        });
        let began = Instant::now();
        let asker = group.instance(0).expect("it runs");
        assert_eq!(asker.enter(|server| server.asks(1)), Some(Some(1)));
        assert!(began.elapsed() >= Duration::from_millis(300));
        // A crash ends a pause.
        group.pause(1);
        group.crash(1);
        again(group, 1);
        assert_eq!(reached(group), vec![vec![0, 1, 2, 3]; 4]);
        group.pause(1);
        assert!(!group.is_paused(1), "the setting has no pause left");
    });
}

#[test]
fn a_servers_clock_counts_from_its_next_start() {
    with_setting("drifts=1", |group| {
        group.set_clock(2, 1250);
        group.set_clock(3, 1250);
        super::start(group);
        let second = |server: usize| {
            let (began, server) = (Instant::now(), group.instance(server).expect("it runs"));
            server.enter(|_| thread::sleep(Duration::from_millis(1000)));
            began.elapsed().as_millis()
        };
        assert_eq!([second(0), second(2), second(3)], [1000, 800, 1000]);
    });
}

#[test]
fn a_server_crashes_in_a_save_and_keeps_all_that_it_had_saved() {
    with_setting("torn-saves=40,crashes=0", |group| {
        let mut kept = 0;
        for round in 0..40_u8 {
            let server = group.instance(2).expect("it runs");
            let before = [&b"safe"[..], &[round]].concat();
            server
                .enter(|server| server.persister.save_raft_state(&before))
                .expect("it lives")
                .ok();
            group.tear_next_save(2, true);
            let torn = server.enter(|server| server.persister.append_raft_state(b" torn"));
            assert!(torn.is_none(), "the save does not return");
            assert!(group.is_running(2), "nobody has noticed");
            group.bury(2);
            assert!(!group.is_running(2) && !group.is_connected(2));
            let found = group.persister(2).read_raft_state().expect("memory");
            let whole = [&before[..], b" torn"].concat();
            assert!(found == before || found == whole, "{found:?}");
            kept += usize::from(found == whole);
            again(group, 2);
        }
        assert!((3..37).contains(&kept), "the unfinished save was there {kept} times of 40");
        // The setting has no such crash left.
        group.tear_next_save(2, true);
        let saved = group
            .instance(2)
            .expect("it runs")
            .enter(|server| server.persister.save_raft_state(b"fine").is_ok());
        assert_eq!(saved, Some(true));
        group.bury(2);
        assert_eq!(reached(group), vec![vec![0, 1, 2, 3]; 4]);
    });
}
