//! Part 4A: the controller.

use std::collections::BTreeMap;

use shard_api::{Config, Gid};
use tester::{Net, Run, Totals};

use crate::admin::{Admin, Groups};
use crate::configs::{
    check_all, check_groups, check_rebalanced, check_same, check_too_large, moved,
};
use crate::controllers::Controllers;
use crate::subject::Subject;

/// What the steps of [`basic`] are called.
pub(crate) const BASIC: [&str; 6] = [
    "Basic leave/join",
    "Historical queries",
    "Move",
    "Concurrent leave/join",
    "Minimal transfers after joins",
    "Minimal transfers after leaves",
];

/// What the steps of [`multi`] are called.
pub(crate) const MULTI: [&str; 5] = [
    "Multi-group join/leave",
    "Concurrent multi leave/join",
    "Minimal transfers after multijoins",
    "Minimal transfers after multileaves",
    "Check Same config on servers",
];

/// How many servers the controller has.
const SERVERS: usize = 3;

/// A controller alone on a network, and a clerk of it.
struct Stage {
    run: Run,
    net: Net,
    controllers: Controllers,
    admin: Admin,
    /// The sums at the end of the last step.
    before: Totals,
}

impl Stage {
    fn new(subject: Subject, run: &Run) -> Stage {
        let net = Net::of_service(run);
        let controllers = Controllers::new(subject, &net, "", SERVERS);
        controllers.start_all();
        let admin = controllers.clerk("client 0");
        Stage { run: run.clone(), net, controllers, admin, before: Totals::default() }
    }

    fn totals(&self) -> Totals {
        self.net.totals(SERVERS, self.net.operations())
    }

    fn ends_step(&mut self) {
        let totals = self.totals();
        self.run.ends_step(totals.since(&self.before));
        self.before = totals;
    }

    /// The latest configuration, which must have these groups.
    #[track_caller]
    fn check(&mut self, expected: &[Gid]) -> Config {
        let config = self.admin.latest();
        check_groups(&config, expected);
        config
    }

    /// Changes the groups. The new configuration has these ones, and no more has moved than must.
    #[track_caller]
    fn change(&mut self, expected: &[Gid], change: impl FnOnce(&mut Admin)) -> Config {
        let before = self.admin.latest();
        change(&mut self.admin);
        let after = self.check(expected);
        check_rebalanced(&before, &after);
        after
    }

    fn join(&mut self, gids: &[Gid], expected: &[Gid]) -> Config {
        self.change(expected, |admin| admin.join(groups(gids)))
    }

    fn leave(&mut self, gids: &[Gid], expected: &[Gid]) -> Config {
        self.change(expected, |admin| admin.leave(gids))
    }

    /// Many clerks at work at once, each with its number.
    fn concurrently(&self, clerks: u64, work: impl Fn(u64, &mut Admin) + Clone + Send + 'static) {
        let threads: Vec<_> = (0..clerks)
            .map(|number| {
                let name = format!("client {}", number + 1);
                let mut admin = self.controllers.clerk(&name);
                let work = work.clone();
                labrt::thread::Builder::new().name(name).spawn(move || work(number, &mut admin))
            })
            .collect();
        let join = |thread: labrt::thread::JoinHandle<()>| thread.join();
        threads.into_iter().map(join).for_each(|end| end.expect("a clerk that fails ends the run"));
    }

    fn finish(mut self) -> Totals {
        check_all(&mut self.admin);
        let Stage { run, net, controllers, admin, before } = self;
        let totals = net.totals(SERVERS, net.operations());
        drop(admin);
        run.session().close();
        controllers.end();
        net.cleanup();
        controllers.check_changes();
        totals.since(&before)
    }
}

/// The names of a group's servers, which are its own.
fn names(gid: Gid) -> Vec<String> {
    ["x", "y", "z"].iter().map(|name| format!("server-{gid}-{name}")).collect()
}

fn groups(gids: &[Gid]) -> Groups {
    gids.iter().map(|gid| (*gid, names(*gid))).collect()
}

#[track_caller]
fn check_names(config: &Config, gids: &[Gid]) {
    let there: BTreeMap<Gid, &Vec<String>> =
        config.groups.iter().filter(|(gid, _)| gids.contains(gid)).map(|(g, n)| (*g, n)).collect();
    let expected = groups(gids);
    let wanted: BTreeMap<Gid, &Vec<String>> = expected.iter().map(|(g, n)| (*g, n)).collect();
    if there != wanted {
        let words = format!(
            "configuration {} has the servers {there:?}, and those that joined are {wanted:?}",
            config.number
        );
        labtrace::verdict("groups", words).fail();
    }
}

/// Joins, leaves and moves, one group at a time.
pub(crate) fn basic(subject: Subject, run: &Run) -> Totals {
    let mut stage = Stage::new(subject, run);
    let known = leave_and_join(&mut stage);
    stage.ends_step();
    historical_queries(&mut stage, &known);
    stage.ends_step();
    moves(&mut stage);
    stage.ends_step();
    let ten: Vec<Gid> = (0..10).map(|k| 100 + 10 * k).collect();
    concurrent_leave_and_join(&mut stage, &ten);
    stage.ends_step();
    one_after_the_other_joins(&mut stage, &ten);
    stage.ends_step();
    one_after_the_other_leaves(&mut stage, &ten);
    stage.finish()
}

fn leave_and_join(stage: &mut Stage) -> Vec<Config> {
    let first = stage.check(&[]);
    let one = stage.join(&[1], &[1]);
    let both = stage.join(&[2], &[1, 2]);
    check_names(&both, &[1, 2]);
    let other = stage.leave(&[1], &[2]);
    let none = stage.leave(&[2], &[]);
    vec![first, one, both, Config::default(), other, none]
}

fn historical_queries(stage: &mut Stage, known: &[Config]) {
    for server in 0..SERVERS {
        stage.controllers.shut_down(server);
        for config in known {
            check_same(config, &stage.admin.numbered(config.number));
        }
        stage.controllers.start(server);
    }
    // A number that no configuration has yet gives the latest one.
    let latest = stage.admin.latest();
    for number in [latest.number + 1, u64::MAX] {
        check_too_large(number, &latest, &stage.admin.numbered(number));
    }
}

/// Each shard goes to the other group than it is to be at, and then there.
fn moves(stage: &mut Stage) {
    const GROUPS: [Gid; 2] = [503, 504];
    stage.join(&[503], &[503]);
    stage.join(&[504], &GROUPS);
    for shard in 0..10 {
        move_shard(stage, shard, GROUPS[1 - shard / 5]);
        move_shard(stage, shard, GROUPS[shard / 5]);
    }
    stage.leave(&[503], &[504]);
    stage.leave(&[504], &[]);
}

/// Moves a shard, unless it is there.
#[track_caller]
fn move_shard(stage: &mut Stage, shard: usize, gid: Gid) {
    let before = stage.admin.latest();
    if before.shards[shard] == gid {
        return;
    }
    stage.admin.move_shard(shard, gid);
    let after = stage.admin.latest();
    let words = if after.number <= before.number {
        format!("Move of shard {shard} made no new configuration")
    } else if after.shards[shard] != gid || moved(&before, &after) > 1 {
        format!("after Move of shard {shard} to group {gid} the shards are at {:?}", after.shards)
    } else {
        return;
    };
    let were = format!("before it they were at {:?}", before.shards);
    labtrace::verdict("move", words).fact(None, were).fail();
}

fn concurrent_leave_and_join(stage: &mut Stage, gids: &[Gid]) {
    stage.concurrently(gids.len() as u64, |number, admin| {
        let gid = 100 + 10 * number;
        let named = |gid: Gid, name: &str| BTreeMap::from([(gid, vec![name.to_string()])]);
        admin.join(named(gid + 1000, &format!("server-{gid}-a")));
        admin.join(named(gid, &format!("server-{gid}-b")));
        admin.leave(&[gid + 1000]);
    });
    stage.check(gids);
}

/// Five groups more than there are shards for move nothing. Then all but two of them leave, and others
/// come back one by one.
fn one_after_the_other_joins(stage: &mut Stage, ten: &[Gid]) {
    let mut there = ten.to_vec();
    for gid in 11..=15 {
        there.push(gid);
        stage.join(&[gid], &there);
    }
    let away = there.split_off(2);
    stage.leave(&away, &there);
    for gid in away {
        there.push(gid);
        stage.join(&[gid], &there);
    }
}

/// Groups leave one by one, until the last two.
fn one_after_the_other_leaves(stage: &mut Stage, ten: &[Gid]) {
    let mut there = ten.to_vec();
    there.extend(11..=15);
    for gid in (11..=15).chain(ten[2..].iter().copied()) {
        there.retain(|other| *other != gid);
        stage.leave(&[gid], &there);
    }
}

/// Several groups in one call.
pub(crate) fn multi(subject: Subject, run: &Run) -> Totals {
    let mut stage = Stage::new(subject, run);
    multi_leave_and_join(&mut stage);
    stage.ends_step();
    let ten: Vec<Gid> = (1000..1010).collect();
    stage.concurrently(10, |number, admin| {
        let gid = 1000 + number;
        let names = |gid: Gid, server: &str| vec![format!("server-{gid}-{server}")];
        let more = [(gid + 1000, names(gid, "s")), (gid + 2000, names(gid, "t"))];
        admin.join(groups(&[gid]).into_iter().chain(more).collect());
        admin.leave(&[gid + 1000, gid + 2000]);
    });
    stage.check(&ten);
    stage.ends_step();
    many_join_at_once(&mut stage, &ten);
    stage.ends_step();
    many_leave_at_once(&mut stage);
    stage.ends_step();
    same_on_all_servers(&mut stage);
    stage.finish()
}

fn multi_leave_and_join(stage: &mut Stage) {
    stage.check(&[]);
    stage.join(&[1, 2], &[1, 2]);
    let three = stage.join(&[3], &[1, 2, 3]);
    check_names(&three, &[1, 2, 3]);
    let one = stage.leave(&[1, 3], &[2]);
    check_names(&one, &[2]);
    stage.leave(&[2], &[]);
}

fn many_join_at_once(stage: &mut Stage, ten: &[Gid]) {
    let more: Vec<Gid> = (11..=15).collect();
    stage.join(&more, &[ten, &more].concat());
    stage.leave(&[&ten[2..], &more[..]].concat(), &ten[..2]);
    stage.join(&more[..1], &[&ten[..2], &more[..1]].concat());
    stage.join(&more[1..], &[&ten[..2], &more[..]].concat());
}

/// There are two of the old groups, and 11 to 15.
fn many_leave_at_once(stage: &mut Stage) {
    stage.leave(&[13, 15], &[1000, 1001, 11, 12, 14]);
    stage.leave(&[1001, 12], &[1000, 11, 14]);
    stage.leave(&[11, 14], &[1000]);
}

fn same_on_all_servers(stage: &mut Stage) {
    stage.join(&[1, 2, 3], &[1, 2, 3, 1000]);
    let leader = stage.controllers.wait_for_leader();
    let before = stage.admin.latest();
    stage.controllers.shut_down(leader);
    stage.controllers.wait_for_leader();
    check_same(&before, &stage.admin.latest());
    stage.controllers.start(leader);
}

/// Few groups, so that shards do move: of them, only those that must.
pub(crate) fn minimal_movement_again(subject: Subject, run: &Run) -> Totals {
    let mut stage = Stage::new(subject, run);
    stage.join(&[1], &[1]);
    let two = stage.join(&[2], &[1, 2]);
    let three = stage.join(&[3], &[1, 2, 3]);
    only_moved(&two, &three, |_, to| to == 3);
    let without = stage.leave(&[1], &[2, 3]);
    only_moved(&three, &without, |from, _| from == 1);
    stage.join(&[1], &[1, 2, 3]);
    stage.join(&[4], &[1, 2, 3, 4]);
    stage.join(&[5], &[1, 2, 3, 4, 5]);
    stage.leave(&[2, 4], &[1, 3, 5]);
    stage.join(&[6, 7, 8, 9], &[1, 3, 5, 6, 7, 8, 9]);
    stage.leave(&[1, 3, 5, 6, 7], &[8, 9]);
    // A Move makes it uneven; the next Join or Leave may undo it, and moves no more than it must.
    let shard = stage.admin.latest().shards.iter().position(|gid| *gid == 8).expect("it has five");
    stage.admin.move_shard(shard, 9);
    stage.join(&[10], &[8, 9, 10]);
    stage.finish()
}

/// Checks that a shard has moved only where it may, and that at most four have.
#[track_caller]
fn only_moved(before: &Config, after: &Config, may: impl Fn(Gid, Gid) -> bool) {
    let pairs = before.shards.iter().zip(&after.shards).enumerate();
    let wrong = pairs.filter(|(_, (from, to))| from != to && !may(**from, **to)).map(|(s, _)| s);
    let wrong: Vec<usize> = wrong.collect();
    if !wrong.is_empty() || moved(before, after) > 4 {
        let words = format!(
            "shards {wrong:?} moved without need; the shards were at {:?} and are at {:?}",
            before.shards, after.shards
        );
        labtrace::verdict("minimal movement", words).fail();
    }
}
