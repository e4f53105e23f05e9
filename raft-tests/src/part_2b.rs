//! Part 2B: log replication.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use labrt::thread;
use labtrace::show;
use raft_api::Started;

use crate::cluster::{Cluster, sleep_elections};
use crate::commands::{number, random, text};
use crate::run::Run;

//= state.begin, leaders.command, leaders.send, append.new
/// Commands are committed in the order they are given, and not before.
pub fn basic_agreement(cluster: &Cluster, _: &Run) {
    for index in 1..=3 {
        let (count, _) = cluster.committed(index);
        assert_eq!(count, 0, "some have committed index {index} before Start()");
        let got = cluster.one(number(index * 100), cluster.servers(), false);
        cluster.check_index(got, index, &format!("got index {got} but expected {index}"));
    }
}

//= lab.bytes
/// Each command is sent to each peer about once.
pub fn rpc_byte_count(cluster: &Cluster, _: &Run) {
    const COMMANDS: u64 = 10;
    const LENGTH: usize = 5000;
    let servers = cluster.servers();
    cluster.one(number(99), servers, false);
    let before = cluster.network().total_bytes();
    for index in 2..2 + COMMANDS {
        let command = cluster.draw(|rng| text(rng, LENGTH));
        let got = cluster.one(command, servers, false);
        cluster.check_index(got, index, &format!("got index {got} but expected {index}"));
    }
    let used = cluster.network().total_bytes() - before;
    let limit = servers as u64 * COMMANDS * LENGTH as u64 + 50_000;
    assert!(used <= limit, "too many RPC bytes; got {used}, expected at most {limit}");
}

/// Fewer and fewer followers: a majority agrees, a minority commits nothing.
pub fn progressive_failure_of_followers(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(number(101), servers, false);
    let leader1 = cluster.check_one_leader();
    cluster.disconnect((leader1 + 1) % servers);
    cluster.one(number(102), servers - 1, false);
    sleep_elections(1.0);
    cluster.one(number(103), servers - 1, false);
    let leader2 = cluster.check_one_leader();
    cluster.disconnect((leader2 + 1) % servers);
    cluster.disconnect((leader2 + 2) % servers);
    let started = cluster.start(leader2, number(104));
    let index = started.expect("leader rejected Start()").index;
    cluster.check_index(index, 4, &format!("expected index 4, got {index}"));
    sleep_elections(2.0);
    cluster.check_minority_commits_nothing(index);
}

/// Leader after leader is lost: the rest agrees as long as it is a majority.
pub fn failure_of_leaders(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(number(101), servers, false);
    cluster.disconnect(cluster.check_one_leader());
    cluster.one(number(102), servers - 1, false);
    sleep_elections(1.0);
    cluster.one(number(103), servers - 1, false);
    cluster.disconnect(cluster.check_one_leader());
    for server in 0..servers {
        cluster.start(server, number(104));
    }
    sleep_elections(2.0);
    cluster.check_minority_commits_nothing(4);
}

/// A follower that was away catches up.
pub fn agreement_despite_follower_disconnection(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(number(101), servers, false);
    let leader = cluster.check_one_leader();
    let away = (leader + 1) % servers;
    cluster.disconnect(away);
    // The rest, a majority, goes on.
    cluster.one(number(102), servers - 1, false);
    cluster.one(number(103), servers - 1, false);
    sleep_elections(1.0);
    cluster.one(number(104), servers - 1, false);
    cluster.one(number(105), servers - 1, false);
    cluster.connect(away);
    // It may have a later term by now, so that the leader changes.
    cluster.one(number(106), servers, true);
    sleep_elections(1.0);
    cluster.one(number(107), servers, true);
}

/// Without a majority nothing is committed, and afterwards all goes on.
pub fn no_agreement_if_too_many_followers_disconnect(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(number(10), servers, false);
    let leader = cluster.check_one_leader();
    let away = [1, 2, 3].map(|step| (leader + step) % servers);
    away.iter().for_each(|server| cluster.disconnect(*server));
    let started = cluster.start(leader, number(20)).expect("leader rejected Start()");
    cluster.check_index(started.index, 2, &format!("expected index 2, got {}", started.index));
    sleep_elections(2.0);
    cluster.check_minority_commits_nothing(2);
    away.iter().for_each(|server| cluster.connect(*server));
    // The majority may have chosen a leader that has never heard of index 2.
    let leader2 = cluster.check_one_leader();
    let started = cluster.start(leader2, number(30)).expect("leader2 rejected Start()");
    assert!((2..=3).contains(&started.index), "unexpected index {}", started.index);
    cluster.one(number(1000), servers, true);
}

/// Commands given at the same time are all committed, each at its own index.
pub fn concurrent_starts(cluster: &Cluster, _: &Run) {
    for attempt in 0..5 {
        if attempt > 0 {
            // Time for the term to settle.
            thread::sleep(Duration::from_secs(3));
        }
        if start_concurrently(cluster) {
            return;
        }
    }
    cluster.fail_unsettled(&number(1));
}

/// True if the term stayed the same, so that the result could be judged.
fn start_concurrently(cluster: &Cluster) -> bool {
    const COMMANDS: u64 = 5;
    let servers = cluster.servers();
    let leader = cluster.check_one_leader();
    let Some(Started { term, .. }) = cluster.start(leader, number(1)) else { return false };
    let starters: Vec<_> = (0..COMMANDS)
        .map(|i| {
            let cluster = cluster.clone();
            thread::spawn(move || {
                let started = cluster.start(leader, number(100 + i))?;
                (started.term == term).then_some(started.index)
            })
        })
        .collect();
    let indexes: Vec<u64> = starters
        .into_iter()
        .filter_map(|starter| starter.join().expect("it did not panic"))
        .collect();
    let moved =
        (0..servers).any(|server| cluster.state(server).is_some_and(|state| state.term != term));
    if moved {
        return false;
    }
    let mut committed = BTreeSet::new();
    for index in indexes {
        match cluster.wait(index, servers, Some(term)) {
            Some(command) => committed.insert(command),
            // Judging what was committed makes sense only if the term stayed.
            None => return false,
        };
    }
    for i in 0..COMMANDS {
        let wanted = number(100 + i);
        let shown: Vec<String> = committed.iter().map(|command| show(command)).collect();
        assert!(committed.contains(&wanted), "cmd {} missing in {shown:?}", show(&wanted));
    }
    true
}

/// A leader that was cut off with entries nobody else has gives them up when it comes back.
pub fn rejoin_of_partitioned_leader(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers();
    cluster.one(number(101), servers, true);
    let leader1 = cluster.check_one_leader();
    cluster.disconnect(leader1);
    for n in 102..=104 {
        cluster.start(leader1, number(n));
    }
    // The new leader commits something else at the same index.
    cluster.one(number(103), 2, true);
    let leader2 = cluster.check_one_leader();
    cluster.disconnect(leader2);
    cluster.connect(leader1);
    cluster.one(number(104), 2, true);
    cluster.connect(leader2);
    cluster.one(number(105), servers, true);
}

//= leaders.back-up
/// Logs with many wrong entries are repaired without a round trip for each.
pub fn leader_backs_up_quickly(cluster: &Cluster, _: &Run) {
    const ENTRIES: usize = 50;
    let servers = cluster.servers();
    let command = || cluster.draw(random);
    let offer_many = |leader| {
        for _ in cluster.rounds(ENTRIES) {
            cluster.start(leader, command());
        }
    };
    let agree_on_many = || {
        for _ in cluster.rounds(ENTRIES) {
            cluster.one(command(), 3, true);
        }
    };
    cluster.one(command(), servers, true);
    // The leader and one follower are left alone, with entries that cannot be committed.
    let leader1 = cluster.check_one_leader();
    let rest = [2, 3, 4].map(|step| (leader1 + step) % servers);
    rest.iter().for_each(|server| cluster.disconnect(*server));
    offer_many(leader1);
    sleep_elections(0.5);
    cluster.disconnect(leader1);
    cluster.disconnect((leader1 + 1) % servers);
    // The other three agree on much.
    rest.iter().for_each(|server| cluster.connect(*server));
    agree_on_many();
    // Their leader and one more are left alone, again with entries that cannot be committed.
    let leader2 = cluster.check_one_leader();
    let mut other = (leader1 + 2) % servers;
    if leader2 == other {
        other = (leader2 + 1) % servers;
    }
    cluster.disconnect(other);
    offer_many(leader2);
    sleep_elections(0.5);
    // The first leader comes back with its follower and the one that was left out.
    (0..servers).for_each(|server| cluster.disconnect(server));
    cluster.connect(leader1);
    cluster.connect((leader1 + 1) % servers);
    cluster.connect(other);
    agree_on_many();
    (0..servers).for_each(|server| cluster.connect(server));
    cluster.one(command(), servers, true);
}

//= lab.rpcs
/// Electing a leader, agreeing and idling take few RPCs.
pub fn rpc_counts(cluster: &Cluster, _: &Run) {
    let servers = cluster.servers() as u64;
    cluster.check_one_leader();
    let election = cluster.network().total_count();
    assert!(
        (1..=30).contains(&election),
        "too many or few RPCs ({election}) to elect initial leader"
    );
    let mut agreed = false;
    for attempt in 0..5 {
        if attempt > 0 {
            thread::sleep(Duration::from_secs(3));
        }
        agreed = agree_with_few_rpcs(cluster);
        if agreed {
            break;
        }
    }
    if !agreed {
        cluster.fail_unsettled(&number(1));
    }
    let before = cluster.network().total_count();
    sleep_elections(1.0);
    let idle = cluster.network().total_count() - before;
    let limit = servers * 20;
    assert!(idle <= limit, "too many RPCs ({idle}) for 1 second of idleness; at most {limit}");
}

/// True if the term stayed the same, so that the result could be judged.
fn agree_with_few_rpcs(cluster: &Cluster) -> bool {
    const COMMANDS: u64 = 10;
    let servers = cluster.servers();
    let leader = cluster.check_one_leader();
    let before = cluster.network().total_count();
    let Some(Started { index: first, term }) = cluster.start(leader, number(1)) else {
        return false;
    };
    let mut commands: Vec<Bytes> = Vec::new();
    for offset in 1..COMMANDS + 2 {
        let command = cluster.draw(random);
        commands.push(command.clone());
        match cluster.start(leader, command) {
            Some(started) if started.term == term => {
                assert_eq!(started.index, first + offset, "Start() failed");
            }
            _ => return false,
        }
    }
    for offset in 1..=COMMANDS {
        let Some(command) = cluster.wait(first + offset, servers, Some(term)) else {
            return false;
        };
        let wanted = &commands[offset as usize - 1];
        assert_eq!(command, *wanted, "wrong value for index {}", first + offset);
    }
    if (0..servers).any(|server| cluster.state(server).is_some_and(|state| state.term != term)) {
        return false;
    }
    let used = cluster.network().total_count() - before;
    let limit = (COMMANDS + 1 + 3) * 3;
    assert!(used <= limit, "too many RPCs ({used}) for {COMMANDS} entries; at most {limit}");
    true
}
