//! What travels between servers and clerks, and what stands in their logs and snapshots.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use fuzz::{Form, Target};
use labgob::{DecodeError, Decoder, Encoder, Gob, Peek, View};
use rsm::once::{Numbered, Replies};
use serde::{Deserialize, Serialize};

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
    use shardctrler::{ChangeReply, JoinArgs, LeaveArgs, MoveArgs, Outcome, QueryArgs, QueryReply};
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
    let filled = Handover { shards: [(3, filled_shard())].into(), ..handover(&[]) };
    vec![
        kind([JoinArgs { groups: groups(), client, number }]),
        kind([LeaveArgs { gids: vec![100, u64::MAX], client, number }]),
        kind([MoveArgs { shard: 3, gid: 101, client, number }]),
        kind([Outcome::Ok, Outcome::WrongLeader].map(|outcome| ChangeReply { outcome })),
        kind([None, Some(0), Some(u64::MAX)].map(|number| QueryArgs { number })),
        kind([QueryReply { outcome: Outcome::Ok, config: config.clone() }]),
        kind([config, shard_api::Config::default()]),
        kind([handover(&[]), handover(&[0, 3, 9]), filled]),
        kind([Received::Ok, Received::NotYet, Received::WrongLeader]),
        kind([shardkv::PutAppendArgs {
            key: "k".into(),
            value: "v".into(),
            op: shardkv::Op::Append,
            client,
            number,
        }]),
        kind([shardkv::PutAppendReply { outcome: shardkv::Outcome::WrongGroup }]),
        kind([shardkv::GetArgs { key: "k".into() }]),
        kind([shardkv::GetReply { outcome: shardkv::Outcome::WrongGroup, value: "v".into() }]),
    ]
}

/// A shard with something in it. Only a group can write to one; but this is what it looks like.
fn filled_shard() -> shardkv::Shard {
    #[derive(Serialize, Deserialize, Gob)]
    struct Shard {
        values: BTreeMap<String, String>,
        written: Replies<()>,
    }
    let mut written = Replies::default();
    for client in [1, 251, u64::MAX] {
        written.once(client, 9, || ());
    }
    let values = [("a", "x 0 1 y"), ("ключ", "")];
    let values = values.map(|(key, value)| (key.to_string(), value.to_string())).into();
    labgob::decode(&labgob::encode(&Shard { values, written })).expect("a shard looks like this")
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

/// What is written one after the other in a stream.
type Values = (Vec<u64>, String, BTreeMap<u8, bool>, Named);

/// Writes a stream, in which those values are described that have a bit in `described`.
fn stream((votes, text, map, named): &Values, described: u8) -> Vec<u8> {
    let mut encoder = Encoder::new();
    match described & 1 {
        0 => encoder.encode_named("votes", votes),
        _ => encoder.encode_named_described("votes", votes),
    }
    match described & 2 {
        0 => encoder.encode(text),
        _ => encoder.encode_described(text),
    }
    match described & 4 {
        0 => encoder.encode(map),
        _ => encoder.encode_described(map),
    }
    match described & 8 {
        0 => encoder.encode_named("named", named),
        _ => encoder.encode_named_described("named", named),
    }
    encoder.into_bytes()
}

fn read_stream(bytes: &[u8]) -> Result<Values, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let votes = decoder.decode_named("votes")?;
    let (text, map) = (decoder.decode()?, decoder.decode()?);
    let named = decoder.decode_named("named")?;
    decoder.finish()?;
    Ok((votes, text, map, named))
}

/// Whether these bytes are what is written for these values. A description may be absent where there was one, and
/// there where there was none.
fn is_stream_of(values: &Values, bytes: &[u8]) -> bool {
    (0..16).any(|described| stream(values, described) == bytes)
}

fn some_values() -> Values {
    (vec![1, 251, 70_000], "text".to_string(), [(1, true)].into(), (7, None))
}

#[test]
fn streams() {
    let right = [0, 4 | 8].map(|described| stream(&some_values(), described));
    let target = Target::new("streams", Form::Bytes).right(right);
    target.inputs(1_000).memory(60_000, 400).run(|bytes| {
        let read = read_stream(bytes);
        match &read {
            Ok(values) => {
                assert!(is_stream_of(values, bytes), "{values:?} are written in another way");
            }
            Err(error) => assert!(error.to_string().starts_with("cannot decode"), "{error}"),
        }
        read.is_ok()
    });
}

/// A number that takes more bytes than it needs is no other way to write it, and nobody may read it. The damaged inputs
/// of the target above seldom have one that fits.
#[test]
fn a_stream_with_a_number_that_is_too_long() {
    let values = some_values();
    let plain = stream(&values, 0);
    let Some(at) = plain.windows(3).position(|bytes| bytes == [3, 1, 251]) else { panic!() };
    let mut long = plain.clone();
    long.splice(at..=at, [251, 3, 0]); // how many votes follow
    assert!(!is_stream_of(&values, &long));
    let words = read_stream(&long).expect_err("3 takes one byte").to_string();
    assert!(words.starts_with("cannot decode value 1, `votes`"), "{words}");
}
