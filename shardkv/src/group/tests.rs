//! Every order in which a few groups can go through a few configurations.
//!
//! A world here is some groups, all messages that were ever sent between them, and a clerk that
//! writes twice. A step is one request executed by one group. Messages stay for ever: so each can come
//! late, again, or never, from whichever leader; a crash that takes back an answer is among that. From
//! each world that can come about, every step is tried.

use std::collections::BTreeSet;

use super::*;
use crate::message::Op;

const A: Gid = 1;
const B: Gid = 2;
const C: Gid = 3;

/// Keys of shards 0 and 1.
const KEYS: [&str; 2] = ["2", "3"];

fn config(number: u64, owners: [Gid; 2]) -> Config {
    let mut config = Config { number, ..Config::default() };
    config.shards[..2].copy_from_slice(&owners);
    config.groups = owners.into_iter().map(|gid| (gid, vec![format!("server of {gid}")])).collect();
    config.groups.remove(&NOBODY);
    config
}

/// What the clerk writes: one letter to the key of shard 0, then another.
fn write(number: u64) -> Numbered<Write> {
    let value = ["", "a", "b"][usize::try_from(number).expect("it is small")].to_string();
    let request = Write { key: KEYS[0].into(), value, op: Op::Append };
    Numbered { client: 7, number, request }
}

/// Something that one group has said to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Gob)]
enum Message {
    Handover {
        from: Gid,
        handover: Handover,
    },
    /// That `from` has sent it, and may forget it.
    Received {
        from: Gid,
        number: u64,
        shards: BTreeSet<usize>,
    },
}

#[derive(Clone)]
struct World {
    configs: Vec<Config>,
    groups: BTreeMap<Gid, Group>,
    /// All messages ever sent, encoded, so that they have an order.
    sent: BTreeSet<Vec<u8>>,
    /// How many writes the clerk knows to be done.
    written: u64,
}

impl World {
    /// Groups at the first configuration, with these owners of shards 0 and 1 in those that follow.
    fn new(owners: &[[Gid; 2]]) -> World {
        let groups: BTreeSet<Gid> = owners.iter().flatten().copied().collect();
        World {
            configs: owners.iter().zip(1..).map(|(owners, n)| config(n, *owners)).collect(),
            groups: groups
                .into_iter()
                .filter(|gid| *gid != NOBODY)
                .map(|gid| (gid, Group::new(gid)))
                .collect(),
            sent: BTreeSet::new(),
            written: 0,
        }
    }

    /// What makes a world another one than those that were seen.
    fn identity(&self) -> Vec<u8> {
        let states: Vec<State> = self.groups.values().map(|group| group.state.clone()).collect();
        let sent: Vec<&Vec<u8>> = self.sent.iter().collect();
        let sent: Vec<u8> = sent.into_iter().flatten().copied().collect();
        labgob::encode(&(states, sent, self.written))
    }

    /// All requests that some group could execute next.
    fn steps(&self) -> Vec<(Gid, Request)> {
        let mut steps = Vec::new();
        for gid in self.groups.keys() {
            // Those that the group has had or must not have yet, too: whoever asks may be behind.
            let configs = self.configs.iter().cloned();
            steps.extend(configs.map(|config| (*gid, Request::Configure(config))));
            let begun = self.written + 1;
            steps.extend((1..=begun.min(2)).map(|n| (*gid, Request::Write(write(n)))));
        }
        for message in &self.sent {
            match labgob::decode(message).expect("it was encoded here") {
                // Its names may be those of any other group by now.
                Message::Handover { handover, .. } => {
                    let anybody = self.groups.keys();
                    steps.extend(anybody.map(|gid| (*gid, Request::Receive(handover.clone()))));
                }
                Message::Received { from, number, shards } => {
                    steps.push((from, Request::Delivered { number, shards }));
                }
            }
        }
        steps
    }

    fn execute(&mut self, gid: Gid, request: Request) {
        let group = self.groups.get_mut(&gid).expect("it is one of them");
        match (request.clone(), group.apply(request)) {
            (Request::Write(write), Reply::Written) => {
                self.written = self.written.max(write.number);
            }
            (Request::Receive(handover), Reply::Received(Received::Ok)) => {
                self.acknowledge(&handover);
            }
            _ => {}
        }
        for (from, group) in &self.groups {
            for outgoing in group.outgoing().into_values() {
                let handover = outgoing.handover.clone();
                self.sent.insert(labgob::encode(&Message::Handover { from: *from, handover }));
            }
        }
    }

    /// Tells all who have sent such a hand-over.
    fn acknowledge(&mut self, received: &Handover) {
        let senders: Vec<Gid> = self
            .sent
            .iter()
            .filter_map(|message| match labgob::decode(message).expect("it was encoded here") {
                Message::Handover { from, handover, .. } if handover == *received => Some(from),
                _ => None,
            })
            .collect();
        let shards: BTreeSet<usize> = received.shards.keys().copied().collect();
        for from in senders {
            let (number, shards) = (received.number, shards.clone());
            self.sent.insert(labgob::encode(&Message::Received { from, number, shards }));
        }
    }

    /// What holds at every moment.
    fn check(&self) {
        for (shard, key) in KEYS.iter().enumerate() {
            let serves = |group: &&Group| (*group).clone().served(key).is_some();
            let serving: Vec<Gid> =
                self.groups.values().filter(serves).map(|group| group.gid).collect();
            let says = |group: &&Group| group.told().shards[shard] == Holding::Serves;
            let said: Vec<Gid> = self.groups.values().filter(says).map(|group| group.gid).collect();
            assert_eq!(said, serving, "what they tell of shard {shard}");
            assert!(serving.len() <= 1, "groups {serving:?} serve shard {shard}");
            for gid in &serving {
                let owner = self.groups[gid].state.config.shards[shard];
                assert_eq!(owner, *gid, "the owner of shard {shard}, which group {gid} serves");
            }
            let copies = self.live_copies(shard);
            let wanted = usize::from(self.has_begun(shard));
            assert_eq!(copies.len(), wanted, "so often is shard {shard} there");
            if shard == 0
                && let [copy] = &copies[..]
            {
                let value = copy.get(key).cloned().unwrap_or_default();
                assert!("ab".starts_with(&value), "the writes had this effect: `{value}`");
                let written = usize::try_from(self.written).expect("it is small");
                assert!(value.len() >= written, "of {written} writes this is left: `{value}`");
            }
        }
        for group in self.groups.values() {
            let mut restored = Group::new(group.gid);
            let snapshot = labgob::encode(group.state());
            restored.restore(labgob::decode(&snapshot).expect("it is one"));
            assert_eq!(&restored, group, "from its snapshot");
            let State { here, leaving, .. } = &group.state;
            assert!(here.keys().all(|shard| !leaving.contains_key(shard)), "two copies: {group:?}");
        }
    }

    /// Whether the first group that owns a shard has come to the configuration that says so.
    fn has_begun(&self, shard: usize) -> bool {
        let first = self.configs.iter().find(|config| config.shards[shard] != NOBODY);
        first.is_some_and(|first| {
            self.groups[&first.shards[shard]].standing().number >= first.number
        })
    }

    /// The copies of a shard from which it will go on: those that are somewhere, and those on their
    /// way to a group that has not got them yet.
    fn live_copies(&self, shard: usize) -> Vec<Shard> {
        let mut copies = Vec::new();
        for group in self.groups.values() {
            copies.extend(group.state.here.get(&shard).cloned());
            if let Some(leaving) = group.state.leaving.get(&shard) {
                let Standing { number, awaited, .. } = self.groups[&leaving.to].standing();
                let waits = number < leaving.number
                    || (number == leaving.number && awaited.contains(&shard));
                copies.extend(waits.then(|| leaving.shard.clone()));
            }
        }
        copies
    }

    /// Lets everything that can happen happen, and checks that nothing is left to do.
    fn check_that_it_ends_well(mut self) {
        loop {
            let before = self.identity();
            for (gid, request) in self.steps() {
                self.execute(gid, request);
            }
            if self.identity() == before {
                break;
            }
        }
        let last = self.configs.last().expect("there are some").clone();
        for (gid, group) in &self.groups {
            assert_eq!(group.state.config, last, "group {gid} has come to the end");
            assert!(group.standing().finished() && group.state.leaving.is_empty(), "{group:?}");
            for (shard, owner) in last.shards.iter().enumerate().take(2) {
                let here = group.state.here.contains_key(&shard);
                assert!(*owner == NOBODY || here == (owner == gid), "shard {shard}: {group:?}");
            }
        }
        self.check();
    }
}

/// Tries every order; returns how many worlds there are.
fn explore(owners: &[[Gid; 2]]) -> usize {
    let first = World::new(owners);
    let mut seen = BTreeSet::from([first.identity()]);
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        world.check();
        world.clone().check_that_it_ends_well();
        for (gid, request) in world.steps() {
            let mut next = world.clone();
            next.execute(gid, request);
            if seen.insert(next.identity()) {
                open.push(next);
            }
        }
    }
    seen.len()
}

#[test]
fn of_what_is_handed_over_a_group_takes_what_it_waits_for_and_nothing_else() {
    let mut group = Group::new(A);
    group.apply(Request::Configure(config(1, [B, A])));
    group.apply(Request::Write(Numbered {
        client: 7,
        number: 1,
        request: Write { key: KEYS[1].into(), value: "a".into(), op: Op::Put },
    }));
    group.apply(Request::Configure(config(2, [A, A])));
    let shards = BTreeMap::from([(0, Shard::default()), (1, Shard::default())]);
    let handover = Handover { to: A, number: 2, shards };
    assert_eq!(group.apply(Request::Receive(handover)), Reply::Received(Received::Ok));
    let get = |group: &mut Group, key: &str| group.apply(Request::Get { key: key.into() });
    assert_eq!(get(&mut group, KEYS[0]), Reply::Value(None));
    assert_eq!(get(&mut group, KEYS[1]), Reply::Value(Some("a".into())), "as it was");
}

#[test]
fn a_parcel_for_another_group_is_not_taken_nor_called_received() {
    let shards = BTreeMap::from([(0, Shard::default())]);
    let parcel = Handover { to: B, number: 2, shards };
    let mut group = Group::new(C);
    for (number, owners) in [(1, [A, A]), (2, [C, A]), (3, [C, A])] {
        group.apply(Request::Configure(config(number, owners)));
        let before = group.clone();
        let answer = group.apply(Request::Receive(parcel.clone()));
        assert_eq!(answer, Reply::Received(Received::NotYet), "in configuration {number}");
        assert_eq!(group, before);
    }
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let mut group = Group::new(A);
    let before = group.clone();
    assert_eq!(group.apply(Request::Write(write(1))), Reply::WrongGroup);
    assert_eq!(group, before);
    group.apply(Request::Configure(config(1, [A, A])));
    assert_eq!(group.apply(Request::Write(write(1))), Reply::Written);
    assert_eq!(group.apply(Request::Get { key: KEYS[0].into() }), Reply::Value(Some("a".into())));
}

#[test]
fn there_and_back_and_there_again() {
    assert!(explore(&[[A, A], [B, A], [A, A], [B, A], [A, B]]) > 200);
}

#[test]
fn two_groups_hand_shards_to_each_other_at_once() {
    assert!(explore(&[[A, B], [B, A], [A, B], [B, A]]) > 200);
}

#[test]
fn round_among_three_groups() {
    assert!(explore(&[[A, A], [B, C], [C, A], [A, B]]) > 2000);
}

#[test]
fn one_group_gets_shards_of_two_groups_and_of_two_configurations() {
    assert!(explore(&[[A, B], [C, B], [C, C], [A, C], [A, A]]) > 500);
}

#[test]
fn all_groups_leave_and_others_come() {
    assert!(explore(&[[NOBODY, A], [A, A], [NOBODY, NOBODY], [B, A], [A, A]]) > 100);
}

#[test]
fn a_parcel_goes_to_where_its_group_is_now() {
    let mut group = Group::new(A);
    let mut at = |number: u64, owners: [Gid; 2], names: &[(Gid, &str)]| {
        let mut config = config(number, owners);
        config.groups = names.iter().map(|(gid, name)| (*gid, vec![(*name).to_string()])).collect();
        group.apply(Request::Configure(config));
        group.outgoing().get(&B).map(|outgoing| outgoing.servers.clone())
    };
    assert_eq!(at(1, [A, A], &[(A, "a")]), None);
    assert_eq!(at(2, [B, A], &[(A, "a"), (B, "b")]), Some(vec!["b".to_string()]));
    assert_eq!(at(3, [B, A], &[(A, "a"), (B, "other b")]), Some(vec!["other b".to_string()]));
    // It has left. What it is to get it must get all the same, where it was found last.
    assert_eq!(at(4, [A, A], &[(A, "a")]), Some(vec!["other b".to_string()]));
}
