//! What is said if servers tell nothing, and what a trace has of what they tell.

use labrt::Node;
use labtrace::{Keep, What};
use shard_api::Listener as _;
use tester::Run;

use crate::world::{judge, not_judged, standing, start};

#[test]
fn who_tells_nothing_is_not_judged_and_each_test_says_so() {
    let said = not_judged(2, |world| {
        world.configured(1, &[100]);
        world.reads(100);
    });
    let expected = "not judged: configurations in order, the servers of a group change alike, one group serves a \
                    shard, served as configured, no shard is lost, lost shards are deleted, because no server told \
                    what its group does with the shards (`shard_api::tell`)";
    assert_eq!(said, [expected]);
    let of_groups = |words: &str| [expected.replace("no server told", words)];
    let said = not_judged(2, |world| {
        world.says(101, 0, "1");
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert_eq!(said, of_groups("no server of group 100 told"));
    let said = not_judged(3, |world| {
        world.says(102, 0, "1");
        world.configured(1, &[100]);
        world.reads(100);
        world.configured(2, &[101]);
        world.reads(101);
        world.reads(102);
    });
    assert_eq!(said, of_groups("no server of groups 100 and 101 told"));
}

#[test]
fn who_has_told_something_or_has_answered_nothing_is_not_named() {
    let said = not_judged(2, |world| {
        world.says(100, 0, "1 s0");
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert_eq!(said, Vec::<String>::new());
    let said = not_judged(2, |world| world.configured(1, &[100]));
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_server_that_only_says_that_it_begins_has_told_something() {
    let said = not_judged(2, |world| {
        world.says(100, 0, "0");
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn a_group_whose_servers_are_all_new_has_told_something() {
    let said = not_judged(2, |world| {
        world.says(100, 0, "1 s0");
        (0..3).for_each(|server| start(world.group(100), server));
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn of_a_trace_what_servers_tell_and_what_is_configured_stands_once() {
    let run = Run::new(Keep::All, Default::default());
    let verdict = judge(&run, 2, |world| {
        world.configured(1, &[100, 101]);
        world.configured(1, &[100, 101]);
        world.configured(2, &[100]);
        world.says(100, 1, "1 s0 k79");
        world.says(100, 1, "1 s0 k79");
        world.says(101, 0, "1 s1");
    });
    assert_eq!(verdict, None);
    let events = run.session().take().events;
    let configured = events.iter().filter_map(|event| match &event.what {
        What::Configured { config, owners } => Some((event.lane, *config, owners.clone())),
        _ => None,
    });
    let owners = [vec![100, 101, 0, 0, 0, 0, 0, 0, 0, 0], vec![100, 0, 0, 0, 0, 0, 0, 0, 0, 0]];
    let expected = [(None, 1, owners[0].clone()), (None, 2, owners[1].clone())];
    assert_eq!(configured.collect::<Vec<_>>(), expected);
    let told = events.iter().filter_map(|event| match &event.what {
        What::Shards { group, config, serves, keeps } => {
            Some((event.lane, *group, *config, serves.clone(), keeps.clone()))
        }
        _ => None,
    });
    let expected = [(Some(1), 100, 1, vec![0], vec![7, 9]), (Some(3), 101, 1, vec![1], Vec::new())];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn what_a_killed_server_says_is_not_said_by_its_successor() {
    let verdict = judge(&Run::silent(), 1, |world| {
        world.says(100, 0, "1 s0");
        let killed = world.group(100).instance(0).expect("it runs");
        let node = killed.enter(|_| Node::current()).flatten().expect("it was not killed");
        start(world.group(100), 0);
        world.says(100, 0, "1 s0");
        // On the real clock its tasks go on until they make a step.
        world.watch.told(&node, standing("5"));
        world.says(100, 0, "2 s0");
    });
    assert_eq!(verdict.map(|verdict| verdict.words), None);
}
