//! Who serves a shard, and who has its data.

use shard_watch::Move;

use crate::world::{facts, right, standing, wrong};

#[test]
fn a_replica_that_lags_may_still_say_that_it_serves() {
    right(|world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 k0");
        world.says(101, 1, "1");
        world.says(101, 1, "2");
        world.says(101, 1, "2 s0");
        world.says(100, 1, "1 s0");
        world.says(100, 2, "1 s0");
        world.says(100, 2, "2 k0");
        world.says(100, 2, "2");
        world.says(100, 1, "2 k0");
    });
}

#[test]
fn who_begins_before_the_other_group_has_stopped_is_wrong() {
    wrong("one group serves a shard", "group 101 serves shard 0, and so does group 100", |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 1, "1 s0");
        world.says(101, 1, "1");
        world.says(101, 1, "2 s0");
    });
}

#[test]
fn who_serves_again_what_has_gone_is_wrong() {
    wrong("one group serves a shard", "group 100 serves shard 0, and so does group 101", |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 k0");
        world.says(101, 1, "1");
        world.says(101, 1, "2");
        world.says(101, 1, "2 s0");
        world.says(100, 0, "2 s0");
    });
}

#[test]
fn what_a_stopped_server_still_says_does_not_count() {
    right(|world| {
        world.says(100, 0, "1 s0");
        world.says(100, 1, "1 s0");
        let ghost = world.group(100).instance(0).expect("it runs");
        world.group(100).stop(0);
        world.says(100, 1, "2 k0");
        world.says(101, 0, "1");
        world.says(101, 0, "2 s0");
        ghost.enter(|_| shard_api::tell(|| standing("1 s01")));
    });
}

#[test]
fn what_the_configuration_gives_to_another_group_is_not_served() {
    let rule = "served as configured";
    let words = "group 100 serves shard 0 in configuration 2, which gives it to group 101";
    wrong(rule, words, |world| {
        world.configured(1, &[100]);
        world.says(100, 0, "1 s0");
        world.configured(2, &[101]);
        world.says(100, 0, "2 s0");
    });
    wrong(rule, words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 s0");
        world.says(100, 0, "3 k0");
        world.configured(2, &[101]); // told of when it is long over
    });
    right(|world| {
        world.configured(1, &[100]);
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 k0"); // nobody has it, or who is to get it is away
        world.configured(2, &[0]);
    });
}

#[test]
fn who_deletes_the_last_copy_is_found() {
    right(|world| {
        world.says(100, 0, "1 k0");
        world.says(100, 0, "1"); // nobody has ever served it
        world.says(100, 0, "2 s0");
        world.says(100, 0, "3 k0");
        world.says(101, 0, "1");
        world.says(101, 0, "2");
        world.says(101, 0, "3 k0");
        world.says(100, 0, "3");
        world.says(101, 0, "3 s0");
    });
    let words = "group 100 has deleted shard 0, and no other group has it";
    wrong("no shard is lost", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 k0");
        world.says(101, 0, "1");
        world.says(101, 0, "2");
        world.says(100, 0, "2");
    });
}

#[test]
fn who_deletes_what_nobody_is_to_have_is_told_that_it_stays() {
    let hint = |owner: Option<u64>| {
        let words = "group 100 has deleted shard 0, and no other group has it";
        let verdict = wrong("no shard is lost", words, move |world| {
            world.configured(1, &[100]);
            world.says(100, 0, "1 s0");
            if let Some(owner) = owner {
                world.configured(2, &[owner]);
            }
            world.says(100, 0, "2");
        });
        verdict.hint.expect("it names the usual cause")
    };
    let nobody = "the configuration gives the shard to nobody, and that deletes nothing";
    let other = hint(Some(101));
    assert!(hint(Some(0)).starts_with(nobody) && other.starts_with("a shard is deleted when"));
    assert!(!other.contains("nobody"), "{other}");
    // The group may have come to a configuration that nobody has told the tester of yet.
    let either = hint(None);
    assert!(either.contains("gives it to nobody, that deletes nothing"), "{either}");
}

#[test]
fn who_serves_a_shard_and_since_when_is_told() {
    let play = |then: &'static [&'static str]| {
        let words = "group 101 serves shard 0, and so does group 100";
        wrong("one group serves a shard", words, move |world| {
            world.says(100, 0, "1 s0");
            then.iter().for_each(|words| world.says(100, 1, words));
            world.says(101, 1, "1");
            world.says(101, 1, "2 s0");
        })
    };
    let verdict = play(&[]);
    let since = "server 100-0 said: configuration 1, serves 0";
    let begins = "server 101-1 said: configuration 2, serves 0";
    assert_eq!(facts(&verdict), [since, begins]);
    assert_eq!(
        (verdict.servers.as_slice(), verdict.location.as_deref()),
        (&[4][..], Some("what server 101-1 tells"))
    );
    // It goes on serving, whatever else it does.
    let verdict = play(&["1 s0", "1 s01", "2 s0 k1"]);
    assert_eq!(
        facts(&verdict),
        [since, "server 100-1 said: configuration 2, serves 0, keeps 1", begins]
    );
}

#[test]
fn the_way_of_a_shard_is_known() {
    right(|world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 k0");
        let stopped = labtrace::now_us();
        world.says(101, 1, "1");
        world.says(101, 1, "2");
        assert_eq!(world.watch.moves(), []);
        world.says(101, 1, "2 s0");
        let one = Move { shard: 0, from: 100, to: 101, us: (stopped, labtrace::now_us()) };
        assert_eq!(world.watch.moves(), [one]);
        // A group that stops and begins again has moved nothing.
        world.says(101, 1, "2 k0");
        world.says(101, 1, "2 s0");
        world.says(101, 1, "2 s01");
        assert_eq!(world.watch.moves(), [one]);
        world.says(101, 1, "3 k0 s1");
        world.says(100, 0, "3 k0");
        world.says(100, 0, "3 s0");
        let ways: Vec<_> = world.watch.moves().iter().map(|of| (of.from, of.to)).collect();
        assert_eq!(ways, [(100, 101), (101, 100)]);
    });
}

#[test]
fn who_has_deleted_the_last_copy_and_what_the_others_had_is_told() {
    let verdict = wrong(
        "no shard is lost",
        "group 100 has deleted shard 0, and no other group has it",
        |world| {
            world.says(100, 0, "1 s0");
            world.says(100, 0, "2 k0");
            world.says(101, 2, "1 k1");
            world.says(100, 1, "1 s0");
            world.says(100, 1, "2 k0");
            world.says(100, 1, "2");
        },
    );
    let expected = [
        "server 100-0 said: configuration 2, keeps 0",
        "server 100-1 said: configuration 2, has nothing",
        "server 101-2 said: configuration 1, keeps 1",
    ];
    assert_eq!((facts(&verdict), verdict.servers.clone()), (expected.to_vec(), vec![1]));
    // Also the data that were served a moment ago.
    wrong(
        "no shard is lost",
        "group 100 has deleted shard 0, and no other group has it",
        |world| {
            world.says(100, 0, "1 s0");
            world.says(100, 0, "2");
        },
    );
}

#[test]
fn who_has_data_that_another_group_has_too_may_delete_them() {
    right(|world| {
        world.says(100, 0, "1 s0");
        world.says(101, 0, "1 k0");
        world.says(100, 0, "2");
    });
}

#[test]
fn what_the_configuration_says_is_told() {
    let verdict = wrong(
        "served as configured",
        "group 100 serves shard 1 in configuration 2, which gives it to nobody",
        |world| {
            world.configured(1, &[100, 100]);
            world.configured(2, &[100, 0]);
            world.says(100, 0, "1 s01");
            world.says(100, 2, "1 s01");
            world.says(100, 2, "2 s01");
        },
    );
    let expected = [
        "server 100-0 said: configuration 1, serves 0 1",
        "server 100-2 said: configuration 2, serves 0 1",
    ];
    assert_eq!((facts(&verdict), verdict.servers.clone()), (expected.to_vec(), vec![2]));
}

#[test]
fn who_keeps_what_the_configuration_gives_away_does_not_serve_it() {
    right(|world| {
        world.configured(1, &[100, 101]);
        world.says(100, 0, "1 s0 k1");
        world.says(101, 0, "1 s1 k0");
        world.configured(2, &[101, 101]);
        world.says(100, 0, "2 k01");
    });
}
