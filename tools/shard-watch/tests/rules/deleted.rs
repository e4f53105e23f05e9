//! Where the data of shards are when everything has come to rest.

use crate::world::{World, facts, right, wrong};

#[test]
fn what_is_kept_is_wrong_only_for_who_asks() {
    let play = |world: &World| {
        world.configured(1, &[100, 100]);
        world.configured(2, &[101, 100]);
        world.says(100, 0, "1 s01");
        world.says(100, 0, "2 s1 k0");
        world.says(101, 0, "1");
        world.says(101, 0, "2");
        world.says(101, 0, "2 s0");
    };
    right(play);
    let rule = "lost shards are deleted";
    wrong(rule, "group 100 still has data of shard 0", move |world| {
        play(world);
        world.watch.check_deleted();
    });
    right(move |world| {
        play(world);
        world.says(100, 0, "2 s1");
        world.watch.check_deleted();
        assert_eq!(world.watch.moves().len(), 1);
    });
    wrong(rule, "group 101 does not serve shards 0 and 1 yet", |world| {
        world.configured(1, &[101, 101, 100]);
        world.says(100, 0, "1 s2");
        world.says(101, 0, "1 k0");
        world.watch.check_deleted();
    });
}

#[test]
fn what_nobody_is_to_have_may_be_anywhere() {
    right(|world| {
        world.configured(1, &[100, 0, 101]);
        world.says(100, 0, "1 s0 k1");
        world.says(101, 0, "1 s2 k1");
        world.watch.check_deleted();
    });
}

#[test]
fn nothing_is_demanded_of_who_tells_nothing_or_of_an_unknown_configuration() {
    right(|world| {
        world.says(100, 0, "1 s0");
        world.watch.check_deleted();
        world.configured(1, &[100, 101]);
        world.watch.check_deleted();
    });
}

#[test]
fn the_latest_configuration_counts() {
    right(|world| {
        world.configured(2, &[101]);
        world.configured(1, &[100]);
        world.says(101, 0, "1");
        world.says(101, 0, "2 s0");
        world.watch.check_deleted();
    });
}

#[test]
fn who_has_data_of_the_shards_in_question_is_told() {
    let verdict = wrong(
        "lost shards are deleted",
        "group 100 still has data of shards 0, 1 and 2",
        |world| {
            world.configured(1, &[100, 100, 100, 101]);
            world.configured(2, &[101, 101, 101, 101]);
            world.says(100, 0, "1 s012");
            world.says(100, 0, "2 k012");
            world.says(101, 1, "1 s3");
            world.says(101, 1, "2 s3");
            world.says(101, 1, "2 s0123");
            world.watch.check_deleted();
        },
    );
    let expected = [
        "server 100-0 said: configuration 2, keeps 0 1 2",
        "configuration 2, the latest one, has the owners [101, 101, 101, 101, 0, 0, 0, 0, 0, 0]",
        "server 101-1 said: configuration 2, serves 0 1 2 3",
    ];
    assert_eq!((facts(&verdict), verdict.servers.clone()), (expected.to_vec(), vec![0]));
    // Who has only others is left out.
    let verdict =
        wrong("lost shards are deleted", "group 100 does not serve shard 0 yet", |world| {
            world.configured(1, &[100, 101]);
            world.says(100, 0, "1 k0");
            world.says(101, 1, "1 s1");
            world.watch.check_deleted();
        });
    assert_eq!(facts(&verdict).len(), 2, "{verdict:?}");
    // Who lacks a shard and who keeps it.
    let verdict =
        wrong("lost shards are deleted", "group 100 does not serve shard 0 yet", |world| {
            world.configured(1, &[100, 101]);
            world.says(100, 0, "1");
            world.says(101, 1, "1 s1 k0");
            world.watch.check_deleted();
        });
    assert_eq!(facts(&verdict)[2], "server 101-1 said: configuration 1, serves 1, keeps 0");
}
