//! What travels between servers and clerks, and what stands in their logs and snapshots.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use fuzz::{Form, Target};
use labgob::{Decoder, Encoder, Gob, Peek, View};
use rsm::once::{Numbered, Replies};

/// A type of messages, and values of it.
struct Kind {
    fingerprint: u32,
    read: fn(&[u8]) -> bool,
    /// Encodings of the values.
    right: Vec<Vec<u8>>,
}

fn kind<T: Gob + Debug>(values: impl IntoIterator<Item = T>) -> Kind {
    let encode = |value: T| [labgob::encode(&value), labgob::encode_described(&value)];
    let right = values.into_iter().flat_map(encode).collect();
    Kind { fingerprint: T::fingerprint(), read: read::<T>, right }
}

/// Reads a value by each of labgob's ways.
fn read<T: Gob + Debug>(bytes: &[u8]) -> bool {
    let decoded = labgob::decode::<T>(bytes);
    match &decoded {
        Ok(value) => {
            let (plain, described) = (labgob::encode(value), labgob::encode_described(value));
            assert!(plain == bytes || described == bytes, "{value:?} is written in another way");
            let peek = Peek::of::<T>(&plain).expect("it begins like one");
            assert_eq!(peek.view(), Some(View::of(value)));
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("cannot decode as `") && text.contains("byte "), "{text}");
        }
    }
    if let Some(peek) = Peek::of::<T>(bytes) {
        look(peek);
        // As text and as JSON, for traces.
        if let Some(view) = peek.view() {
            assert!(!view.to_string().contains(['\u{1b}', '\n']));
            serde_json::to_value(&view).expect("a view is a plain tree");
        }
    }
    decoded.is_ok()
}

/// Looks at all parts of a value.
fn look(peek: Peek<'_>) {
    assert!(peek.number().is_none() || peek.bool().is_none());
    peek.fields().for_each(|(_, part)| look(part));
    peek.items().into_iter().flatten().for_each(look);
}

fn kinds() -> Vec<Kind> {
    let mut kinds = of_raft();
    kinds.extend(of_services());
    kinds.extend(of_shards());
    kinds
}

fn of_raft() -> Vec<Kind> {
    use raft::*;
    let entry = |term, command: &'static str| Entry { term, command: command.into() };
    let append = |entries| AppendEntriesArgs {
        term: 300,
        leader_id: 1,
        prev_log_index: 70_000,
        prev_log_term: 299,
        entries,
        leader_commit: u64::MAX,
    };
    let reply = |conflict| AppendEntriesReply { term: 4, success: false, conflict };
    let data = Bytes::from(vec![7; 300]);
    vec![
        kind([RequestVoteArgs { term: 7, candidate_id: 2, last_log_index: 300, last_log_term: 6 }]),
        kind([true, false].map(|vote_granted| RequestVoteReply { term: 251, vote_granted })),
        kind([append(vec![]), append(vec![entry(298, "x 0 1 y"), entry(299, "")])]),
        kind([
            reply(None),
            reply(Some(Conflict { term: Some(3), index: 9 })),
            reply(Some(Conflict { term: None, index: 70_000 })),
        ]),
        kind([InstallSnapshotArgs {
            term: 4,
            leader_id: 0,
            last_included_index: 99,
            last_included_term: 3,
            data,
        }]),
        kind([InstallSnapshotReply { term: 4 }]),
        kind([ConfirmLeaderArgs { term: 4 }]),
        kind([ConfirmLeaderReply { term: 1 << 40 }]),
        kind([HardState { term: 3, voted_for: Some(1) }]),
    ]
}

fn of_services() -> Vec<Kind> {
    use kv::*;
    let (key, value) = (|| "ключ".to_string(), || "x 0 1 y".to_string());
    let (client, number) = (u64::MAX - 1, 3);
    let mut replies = Replies::default();
    for client in [1, 251, u64::MAX] {
        replies.once(client, 9, || Some("done".to_string()));
    }
    vec![
        kind([GetArgs { key: key() }]),
        kind(
            [Outcome::Ok, Outcome::NoKey, Outcome::WrongLeader]
                .map(|outcome| GetReply { outcome, value: value() }),
        ),
        kind([Op::Put, Op::Append].map(|op| PutAppendArgs {
            key: key(),
            value: value(),
            op,
            client,
            number,
        })),
        kind([PutAppendReply { outcome: Outcome::WrongLeader }]),
        kind([Numbered { client, number, request: vec![Some(key())] }]),
        kind([replies]),
    ]
}

fn of_shards() -> Vec<Kind> {
    use shardctrler::{JoinArgs, LeaveArgs, MoveArgs, Outcome, QueryArgs, QueryReply};
    use shardkv::{Handover, Received, Shard};
    let (client, number) = (8, 3);
    let names = |gid: u64| (0..3).map(|server| format!("server-{gid}-{server}")).collect();
    let groups = || BTreeMap::from([100, 101].map(|gid| (gid, names(gid))));
    let config = shard_api::Config { number: 7, shards: [100; _], groups: groups() };
    let handover = |shards: &[usize]| Handover {
        to: 100,
        number: 7,
        shards: shards.iter().map(|shard| (*shard, Shard::default())).collect(),
    };
    vec![
        kind([JoinArgs { groups: groups(), client, number }]),
        kind([LeaveArgs { gids: vec![100, u64::MAX], client, number }]),
        kind([MoveArgs { shard: 3, gid: 101, client, number }]),
        kind([None, Some(0), Some(u64::MAX)].map(|number| QueryArgs { number })),
        kind([QueryReply { outcome: Outcome::Ok, config: config.clone() }]),
        kind([config, shard_api::Config::default()]),
        kind([handover(&[]), handover(&[0, 3, 9])]),
        kind([Received::Ok, Received::NotYet, Received::WrongLeader]),
        kind([shardkv::PutAppendArgs {
            key: "k".into(),
            value: "v".into(),
            op: shardkv::Op::Append,
            client,
            number,
        }]),
        kind([shardkv::GetReply { outcome: shardkv::Outcome::WrongGroup, value: "v".into() }]),
    ]
}

#[test]
fn messages() {
    let kinds = kinds();
    let right = kinds.iter().flat_map(|kind| kind.right.clone());
    let target = Target::new("messages", Form::Bytes).right(right);
    target.inputs(3_000).memory(60_000, 400).run(|bytes| {
        let begin = bytes.first_chunk().map(|begin| u32::from_le_bytes(*begin));
        // Behind a description nobody can tell at a glance whose it is.
        let described = bytes.starts_with(b"GOB+");
        // Whoever gets another one's message must say so.
        let strange = &kinds[bytes.len() % kinds.len()];
        let meant = kinds.iter().filter(|kind| described || Some(kind.fingerprint) == begin);
        meant.chain([strange]).filter(|kind| (kind.read)(bytes)).count() > 0
    });
}

type Named = (u64, Option<String>);

#[test]
fn streams() {
    let mut encoder = Encoder::new();
    encoder.encode_named("votes", &vec![1_u64, 251, 70_000]);
    encoder.encode(&"text".to_string());
    encoder.encode_described(&BTreeMap::from([(1_u8, true)]));
    encoder.encode_named_described::<Named>("named", &(7, None));
    let target = Target::new("streams", Form::Bytes).right([encoder.into_bytes()]);
    target.inputs(1_000).memory(60_000, 400).run(|bytes| {
        let mut decoder = Decoder::new(bytes);
        let mut again = Encoder::new();
        let read = (|| {
            again.encode_named("votes", &decoder.decode_named::<Vec<u64>>("votes")?);
            again.encode(&decoder.decode::<String>()?);
            again.encode_described(&decoder.decode::<BTreeMap<u8, bool>>()?);
            again.encode_named_described("named", &decoder.decode_named::<Named>("named")?);
            decoder.finish()
        })();
        match &read {
            // A description may be absent where it was written, and there where it was not.
            Ok(()) => assert!(bytes.len() != again.len() || bytes == again.into_bytes()),
            Err(error) => assert!(error.to_string().starts_with("cannot decode"), "{error}"),
        }
        read.is_ok()
    });
}
