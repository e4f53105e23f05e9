//! What servers may tell, however close it comes to what a rule forbids, and what they must not.
//!
//! The servers here do nothing but tell: `3 s01 k7` is "at configuration 3, serves 0 and 1, keeps 7".

use std::sync::Arc;

use labrpc::{Reply, Service};
use labrt::simulate;
use labtrace::Verdict;
use raft_watch::RaftType;
use shard_api::{Config, Gid, Holding, SHARDS, Standing};
use shard_watch::Watch;
use tester::{Client, Group, Net, Run, Server};

#[labrpc::service]
trait Get {
    #[rpc(inline)]
    fn get(&self, args: (), reply: Reply<()>);
}

#[derive(Clone)]
struct Teller;

impl Get for Teller {
    fn get(&self, _args: (), reply: Reply<()>) {
        reply.send(());
    }
}

impl Server for Teller {
    fn services(&self) -> Vec<Service> {
        vec![GetService::of(Arc::new(self.clone()))]
    }

    fn kill(&self) {}
}

/// Two groups of three, 100 and 101.
struct World {
    net: Net,
    watch: Watch,
    service: service_watch::Watch,
    groups: [Group<Teller>; 2],
}

impl World {
    fn new(run: &Run) -> World {
        let net = Net::of_service(run);
        let groups = ["100", "101"].map(|name| Group::new(&net, name, 3));
        let service = service_watch::Watch::new();
        let watch = Watch::new(&service);
        for (gid, group) in (100..).zip(&groups) {
            watch.add(gid, group);
            let below = raft_watch::Watch::of(RaftType::of::<raft::Raft>(), group);
            let limits = service_watch::Limits::default();
            service.add(group, &below, limits);
            (0..3).for_each(|server| start(group, server));
        }
        World { net, watch, service, groups }
    }

    fn group(&self, gid: Gid) -> &Group<Teller> {
        &self.groups[usize::try_from(gid - 100).expect("it is small")]
    }

    /// A server tells something.
    fn says(&self, gid: Gid, server: usize, words: &str) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        let standing = standing(words);
        let instance = self.group(gid).instance(server).expect("it runs");
        instance.enter(|_| shard_api::tell(|| standing)).expect("it was not killed");
    }

    /// A configuration in which these groups have the first shards.
    fn configured(&self, number: u64, owners: &[Gid]) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        let mut config = Config { number, ..Config::default() };
        config.shards[..owners.len()].copy_from_slice(owners);
        self.watch.configured(&config);
    }

    /// A client reads the key "2", which is in shard 0, and a group answers.
    fn reads(&self, gid: Gid) {
        labrt::thread::sleep(std::time::Duration::from_millis(10));
        let client = Client::new(&self.net, "client");
        let members = self.group(gid).members();
        client.connect(members, &[0]);
        let (text, object) = ("Get \"2\"".to_string(), "2".to_string());
        let asked = service_watch::Asked { text, object, change: service_watch::Change::Nothing };
        let operation = self.service.asks(&client, asked);
        GetClient::new(client.end_to(&members.name(0))).get(&()).expect("it answers");
        self.service.answered(operation, None);
    }
}

fn start(group: &Group<Teller>, server: usize) {
    group.start(server, |_| || Ok(Teller));
    group.connect(server);
}

fn standing(words: &str) -> Standing {
    let mut words = words.split(' ');
    let config = words.next().and_then(|n| n.parse().ok()).expect("a number");
    let mut shards = [Holding::Nothing; SHARDS];
    for word in words {
        let (kind, numbers) = word.split_at(1);
        let holding = if kind == "s" { Holding::Serves } else { Holding::Keeps };
        for shard in numbers.chars().filter_map(|c| c.to_digit(10)) {
            shards[usize::try_from(shard).expect("a digit")] = holding;
        }
    }
    Standing { config, shards }
}

/// The verdict on this, and what was not judged.
fn judged(play: impl FnOnce(&World) + Send + 'static) -> (Option<Verdict>, Vec<String>) {
    let run = Run::silent();
    let inside = run.clone();
    let outcome = simulate(1, move || {
        inside.enter();
        let world = World::new(&inside);
        play(&world);
        world.groups.iter().for_each(Group::end);
        world.net.cleanup();
    });
    let verdict = run.session().verdict();
    assert_eq!(outcome.err().map(|failure| failure.message), verdict.clone().map(|v| v.words));
    (verdict, run.not_judged())
}

fn right(play: impl FnOnce(&World) + Send + 'static) {
    let (verdict, _) = judged(play);
    assert_eq!(verdict.map(|verdict| verdict.words), None);
}

/// It breaks this rule, in these words.
fn wrong(rule: &str, words: &str, play: impl FnOnce(&World) + Send + 'static) {
    let (verdict, _) = judged(play);
    let verdict = verdict.expect("a rule is broken");
    assert_eq!((verdict.check.as_str(), verdict.words.as_str()), (rule, words));
    assert!(verdict.hint.is_some() && verdict.facts.len() >= 2, "{verdict:?}");
}

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
fn a_server_that_starts_again_may_begin_anywhere_before_its_group() {
    right(|world| {
        for words in ["1 s0", "2 k0", "3 k0", "3 s0", "4 s0"] {
            world.says(100, 0, words);
        }
        start(world.group(100), 0);
        world.says(100, 0, "0");
        world.says(100, 0, "3 k0"); // from a snapshot
        world.says(100, 0, "3 s0");
        world.says(100, 0, "4 s0");
        world.says(100, 0, "5 s0");
        world.says(100, 1, "5 s0"); // from the leader's
        world.says(100, 1, "6 s0");
    });
}

#[test]
fn a_group_that_stands_as_it_stood_before_is_right() {
    right(|world| {
        for words in ["1 s0", "1 k0", "1 s0", "2 s0"] {
            world.says(100, 0, words);
        }
        for words in ["1 s0", "1 k0", "1 s0", "2 s0", "3 s0"] {
            world.says(100, 1, words);
        }
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
fn a_configuration_that_is_left_out_is_found() {
    let words = "group 100: server 100-1 went from configuration 1 on, past 2 to 3, to 4";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 1, "1 s0");
        world.says(100, 1, "4 s0");
    });
    let words = "group 100: server 100-1 went from configuration 0 on, past 1, to 2";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 1, "2 s01"); // another one than its group had, and not the next one
    });
}

#[test]
fn who_goes_back_is_found() {
    let words = "group 100: server 100-0 went from configuration 2 back, to 1";
    wrong("configurations in order", words, |world| {
        world.says(100, 0, "1 s0");
        world.says(100, 0, "2 s0");
        world.says(100, 0, "1 s0");
    });
}

#[test]
fn servers_that_change_at_different_places_are_found() {
    let words =
        "group 100: server 100-1 changed otherwise than its group did at the same place of the log";
    wrong("the servers of a group change alike", words, |world| {
        world.says(100, 0, "1");
        world.says(100, 0, "1 s0");
        world.says(100, 0, "1 s01");
        world.says(100, 1, "1");
        world.says(100, 1, "1 s1");
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
fn who_answers_for_a_shard_that_is_not_its_own_is_found() {
    let rule = "answered by the owner";
    right(|world| {
        world.configured(1, &[100]);
        world.reads(100);
        world.reads(101); // the next configuration is there and not known yet
        world.configured(2, &[101]);
        world.reads(101);
        world.reads(100);
        world.configured(3, &[100]);
        world.configured(4, &[100]);
    });
    wrong(rule, "group 101 answered for shard 0, which no configuration gives to it", |world| {
        world.configured(1, &[100]);
        world.reads(100);
        world.reads(101);
        world.configured(2, &[100]);
    });
    let words = "group 100 answered for shard 0 after that had gone to another group";
    wrong(rule, words, |world| {
        world.configured(1, &[100]);
        world.configured(2, &[101]);
        world.reads(101);
        world.reads(100);
        world.configured(3, &[101]);
    });
    right(|world| {
        world.configured(1, &[100]);
        world.configured(3, &[100]);
        world.reads(101); // configuration 2 is not known
        world.configured(4, &[100]);
    });
}

#[test]
fn who_tells_nothing_is_not_judged_and_each_test_says_so() {
    let (verdict, words) = judged(|world| {
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert_eq!(verdict, None);
    let words = words.into_iter().find(|words| words.contains("one group serves a shard"));
    assert!(words.is_some_and(|words| words.contains("because no server told")));
    let (_, words) = judged(|world| {
        world.says(101, 0, "1");
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert!(words.iter().any(|words| words.contains("because no server of group 100 told")));
    let (_, words) = judged(|world| {
        world.says(100, 0, "1 s0");
        world.configured(1, &[100]);
        world.reads(100);
    });
    assert!(!words.iter().any(|words| words.contains("one group")), "{words:?}");
}
