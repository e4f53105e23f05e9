//! Messages as students write them, and what is understood of each.

use std::sync::Arc;

use bytes::Bytes;
use labgob::{Deserialize, Gob, Peek, Serialize};
use labrpc::{CallEvent, KeptRequest, Network, Observer};
use labrt::observe::Cause;
use labrt::sync::Leaf;
use labrt::world::Builder;
use raft_api::{Meaning, Wire};
use run_record::names::Name;

use super::plan::Plan;
use super::*;

macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $ty:ty),* $(,)? })*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
            #[serde(crate = "labgob::serde")]
            $(#[$meta])*
            struct $name { $($field: $ty),* }
        )*
    };
}

messages! {
    Vote { term: u64, last_log_index: u64, last_log_term: u64 }
    Append { term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<(u64, u8, u8)>, leader_commit: u64 }
}

/// A value as it travels.
fn encoded<T: Gob>(value: &T) -> Encoded<'static> {
    let bytes: &'static [u8] = labgob::encode(value).leak();
    Encoded { bytes, shape: T::SHAPE, value: Peek::of::<T>(bytes) }
}

fn by_names() -> Understanding {
    Understanding::new(|_| Meaning::ByNames)
}

impl Understanding {
    fn asks<T: Gob>(&mut self, method: &str, value: &T) -> Request<'static> {
        self.request(method, encoded(value))
    }

    /// Term, index and term of a request for a vote.
    fn vote<T: Gob>(&mut self, value: &T) -> Option<(u64, u64, u64)> {
        match self.asks("Raft.RequestVote", value) {
            Request::Vote { term, last } => Some((term, last.index, last.term)),
            _ => None,
        }
    }

    /// Term, index and term before the entries, and what is committed, of an AppendEntries.
    fn append<T: Gob>(&mut self, value: &T) -> Option<(u64, u64, u64, Option<u64>)> {
        match self.asks("Raft.AppendEntries", value) {
            Request::Append(append) => {
                Some((append.term, append.prev.index, append.prev.term, append.commit))
            }
            _ => None,
        }
    }

    fn answers<T: Gob>(&mut self, value: &T) -> Reply {
        self.reply("Raft.AppendEntries", encoded(value))
    }

    /// Why a part is missing.
    fn lacking(&self, part: Part) -> String {
        let all = self.missing().sentences();
        assert_eq!((self.missing().lacks(part), all.len()), (true, 1), "{all:?}");
        all[0].split(", because ").nth(1).expect("it says why").to_string()
    }

    #[track_caller]
    fn assert_all_understood(&self) {
        assert_eq!(self.missing().sentences(), Vec::<String>::new());
    }
}

// ---- Numbers ---------------------------------------------------------------------------------------

messages! {
    #[serde(transparent)]
    Term { number: u64 }
    Index { number: i32 }
    Wrapped { term: Term, last_log_index: Index, last_log_term: Option<u8> }
    Signed { term: i64, last_log_index: i64, last_log_term: i64 }
    SignedAppend { term: i64, prev_log_index: i64, prev_log_term: i64, entries: Vec<(u64, u8, u8)>, leader_commit: i64 }
}

#[test]
fn numbers_are_read_in_newtypes_and_options_and_of_any_size() {
    let (term, last_log_index) = (Term { number: 7 }, Index { number: 5 });
    let mut read = by_names();
    let message = Wrapped { term, last_log_index, last_log_term: Some(3) };
    assert_eq!(read.vote(&message), Some((7, 5, 3)));
    // A number that is not there is none.
    assert_eq!(read.vote(&Wrapped { last_log_term: None, ..message }), None);
}

#[test]
fn what_is_before_the_first_entry_may_be_minus_one() {
    let mut read = by_names();
    let empty = Signed { term: 1, last_log_index: -1, last_log_term: -1 };
    assert_eq!(read.vote(&empty), Some((1, 0, 0)));
    assert_eq!(
        read.vote(&Signed { last_log_index: 4, last_log_term: 1, ..empty }),
        Some((1, 5, 1))
    );
    let mut first =
        SignedAppend { term: 1, prev_log_index: -1, prev_log_term: -1, ..Default::default() };
    first.leader_commit = -1;
    assert_eq!(read.append(&first), Some((1, 0, 0, Some(0))));
    first.leader_commit = 4;
    assert_eq!(read.append(&first), Some((1, 0, 0, Some(5))));
}

#[test]
fn an_index_counts_from_the_end_of_the_first_candidates_log_if_that_is_empty() {
    let mut read = by_names();
    assert_eq!(read.vote(&Vote { term: 1, last_log_index: 10, last_log_term: 0 }), Some((1, 0, 0)));
    assert_eq!(read.vote(&Vote { term: 2, last_log_index: 12, last_log_term: 1 }), Some((2, 2, 1)));
    // A log that has entries counts as everybody does; and so does what is committed.
    let mut read = by_names();
    assert_eq!(
        read.vote(&Vote { term: 3, last_log_index: 10, last_log_term: 2 }),
        Some((3, 10, 2))
    );
    let append =
        Append { term: 3, prev_log_index: 10, prev_log_term: 2, leader_commit: 9, entries: vec![] };
    assert_eq!(read.append(&append), Some((3, 10, 2, Some(9))));
    assert_eq!(read.append(&Append { leader_commit: 11, ..append }), Some((3, 10, 2, Some(11))));
}

// ---- Where fields are ------------------------------------------------------------------------------

messages! {
    Inner { term: u64, last_log_index: u64, spare: u64 }
    Middle { inner: Inner, last_log_term: u64 }
    Outer { middle: Middle, term: u64 }
    OneMore { outer: Outer, spare: u64 }
    #[serde(transparent)]
    Passed { it: Middle }
    Holder { last: Only, success: bool }
    Only { term: u64 }
}

#[test]
fn fields_are_found_three_deep_and_those_further_out_count() {
    let wanted = [Name::Term, Name::LastIndex, Name::LastTerm];
    let read = |value: Encoded<'static>| {
        let parts = Plan::of(value.shape, &wanted).read(value.value.expect("it is there"));
        wanted.map(|name| parts.get(name).and_then(plan::number))
    };
    let inner = Inner { term: 1, last_log_index: 2, spare: 0 };
    let middle = Middle { inner: inner.clone(), last_log_term: 3 };
    let outer = Outer { middle: middle.clone(), term: 4 };
    assert_eq!(read(encoded(&inner)), [Some(1), Some(2), None]);
    assert_eq!(read(encoded(&middle)), [Some(1), Some(2), Some(3)]);
    assert_eq!(read(encoded(&Passed { it: middle })), [Some(1), Some(2), Some(3)]);
    assert_eq!(read(encoded(&outer)), [Some(4), Some(2), Some(3)]);
    // What is deeper is not found: the last index here.
    assert_eq!(read(encoded(&OneMore { outer, spare: 0 })), [Some(4), None, Some(3)]);
}

#[test]
fn a_number_of_another_name_does_not_lend_its_term() {
    let reply = by_names().answers(&Holder { last: Only { term: 4 }, success: true });
    assert_eq!(reply, Reply { term: None, yes: Some(true), upto: None });
}

// ---- Votes -----------------------------------------------------------------------------------------

messages! {
    Flagged { term: u64, last_log_index: u64, last_log_term: u64, pre_vote: bool, leadership_transfer: bool }
    Marked { term: u64, last_log_index: u64, last_log_term: u64, force: bool }
    MarkedWithin { vote: Vote, how: How }
    How { kind: Kind, times: u64 }
    Telling { term: u64, last_log_index: u64, last_log_term: u64, commit_index: u64 }
    Nothing {}
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Kind {
    #[default]
    Usual,
    Odd,
}

#[test]
fn a_pre_vote_promises_nothing_and_a_transfer_is_a_vote() {
    let mut read = by_names();
    let vote = Flagged { term: 2, last_log_index: 1, last_log_term: 1, ..Default::default() };
    assert_eq!(read.vote(&vote), Some((2, 1, 1)));
    assert_eq!(read.vote(&Flagged { leadership_transfer: true, ..vote.clone() }), Some((2, 1, 1)));
    let request = read.asks("Raft.RequestVote", &Flagged { pre_vote: true, ..vote.clone() });
    assert!(matches!(request, Request::Nothing), "{request:?}");
    // A method of its own says so too.
    assert!(matches!(read.asks("Raft.PreVote", &vote), Request::Nothing));
    read.assert_all_understood();
}

#[test]
fn a_mark_that_nobody_knows_may_be_the_one_of_a_pre_vote() {
    let mut read = by_names();
    assert_eq!(read.vote(&Marked::default()), None);
    assert_eq!(read.lacking(Part::Votes), "nobody here knows what `force` of RequestVote means");
    let mut read = by_names();
    assert_eq!(read.vote(&MarkedWithin::default()), None);
    assert_eq!(read.lacking(Part::Votes), "nobody here knows what `kind` of RequestVote means");
}

#[test]
fn who_may_learn_elsewhere_what_is_committed_is_not_held_to_what_it_was_told() {
    let mut read = by_names();
    assert!(read.vote(&Telling::default()).is_some());
    let why = "a server may learn from RequestVote what is committed";
    assert_eq!(read.lacking(Part::Hearsay), why);
    let mut read = by_names();
    assert_eq!(read.answers(&TellingReply { success: true, commit_index: 3 }).yes, Some(true));
    let why = "a server may learn from AppendEntries what is committed";
    assert_eq!(read.lacking(Part::Hearsay), why);
    let mut read = by_names();
    read.answers(&Answer { term: 1, success: true });
    read.assert_all_understood();
}

#[test]
fn what_a_message_lacks_is_named_with_what_it_has() {
    let mut read = by_names();
    assert_eq!(read.vote(&Nothing {}), None);
    let why = "RequestVote has no `term` or the like: it has no fields";
    assert_eq!(read.lacking(Part::Votes), why);
    let mut read = by_names();
    assert_eq!(read.vote(&Inner::default()), None);
    let why = "RequestVote has no `last_log_term` or the like: fields term, last_log_index, spare";
    assert_eq!(read.lacking(Part::Votes), why);
}

// ---- AppendEntries and heartbeats ------------------------------------------------------------------

messages! {
    Beat { term: u64, leader_commit: u64 }
    NoPlace { term: u64, entries: Vec<(u64, u8, u8)>, leader_commit: u64 }
    NoTerm { term: u64, prev_log_index: u64, leader_commit: u64 }
    Both { term: u64, prev_log_index: u64, prev_log_term: u64, entries: Vec<Entry3>, leader_commit: u64, success: bool }
    Entry3 { term: u64, command: u64, spare: u64 }
}

#[track_caller]
fn assert_beat(request: Request<'_>, of: (u64, Option<u64>)) {
    let Request::Beat { term, commit } = request else { panic!("{request:?}") };
    assert_eq!((term, commit), of);
}

#[test]
fn a_heartbeat_of_its_own_says_who_leads_and_what_is_committed() {
    let mut read = by_names();
    let beat = Beat { term: 3, leader_commit: 2 };
    assert_beat(read.asks("Raft.Heartbeat", &beat), (3, Some(2)));
    read.assert_all_understood();
    // An AppendEntries that says no more, or not behind which entry, is no better; and that is said.
    let mut read = by_names();
    assert_beat(read.asks("Raft.AppendEntries", &beat), (3, Some(2)));
    let why = "AppendEntries has no `prev_log_index` or the like: fields term, leader_commit";
    assert_eq!(read.lacking(Part::Appends), why);
    let mut read = by_names();
    let no_place = NoPlace { term: 3, leader_commit: 2, ..Default::default() };
    assert_beat(read.asks("Raft.AppendEntries", &no_place), (3, Some(2)));
    assert!(read.lacking(Part::Appends).contains("has no `prev_log_index`"));
    let mut read = by_names();
    let no_term = NoTerm { term: 3, leader_commit: 2, ..Default::default() };
    assert_beat(read.asks("Raft.AppendEntries", &no_term), (3, Some(2)));
    assert!(read.lacking(Part::Appends).contains("has no `prev_log_term`"));
}

#[test]
fn one_type_may_be_request_and_reply_and_serve_two_methods() {
    let mut read = by_names();
    let both = Both { term: 3, leader_commit: 2, success: true, ..Default::default() };
    for _ in 0..2 {
        assert_eq!(read.append(&both), Some((3, 0, 0, Some(2))));
        assert_eq!(read.answers(&both).yes, Some(true));
        assert_beat(read.asks("Raft.Heartbeat", &both), (3, Some(2)));
    }
    // How to read it was worked out once for each.
    assert_eq!(read.known.len(), 3);
}

// ---- Entries ---------------------------------------------------------------------------------------

messages! {
    Odd { epoch: u64, what: Vec<u8> }
    OddTurned { what: Vec<u8>, epoch: u64 }
    Placed { index: u64, what: Vec<u8> }
    Three { term: u64, one: Vec<u8>, two: Vec<u8> }
    Named { index: u64, term: u64, command: u16 }
}

/// Terms and commands of entries, as they are encoded; or why they cannot be read.
fn entries<T: Gob>(list: &Vec<T>) -> Result<Vec<(u64, Vec<u8>)>, &'static str> {
    let list = encoded(list);
    let plan = EntryPlan::of(list.shape)?;
    let entries = Entries::Encoded(list.value.expect("it is there"), Arc::new(plan));
    assert_eq!(entries.are_none(), entries.read().is_empty());
    Ok(entries.read().iter().map(|(entry, _)| (entry.term, entry.command.bytes.to_vec())).collect())
}

/// A value's encoding as a part of another one.
fn bare<T: Gob>(value: &T) -> Vec<u8> {
    encoded(value).value.expect("it is there").bytes().to_vec()
}

#[test]
fn entries_are_read_by_names_and_else_by_their_places() {
    let what = vec![7, 8];
    let of_4 = Ok(vec![(4, bare(&what))]);
    assert_eq!(entries(&vec![Odd { epoch: 4, what: what.clone() }]), of_4);
    assert_eq!(entries(&vec![OddTurned { epoch: 4, what: what.clone() }]), of_4);
    assert_eq!(entries(&vec![(4u64, what.clone())]), of_4);
    assert_eq!(entries(&vec![(what.clone(), 4u64)]), of_4);
    let named = Named { index: 9, term: 4, command: 5 };
    assert_eq!(entries(&vec![named]), Ok(vec![(4, bare(&5u16))]));
    // An index is no term.
    assert_eq!(entries(&vec![Placed { index: 4, what: what.clone() }]), Err("they have no term"));
    assert_eq!(entries(&vec![what.clone()]), Err("they have no term"));
    // Which of several fields is the command, nobody knows: all of the entry then.
    let three = Three { term: 4, one: what.clone(), two: what };
    assert_eq!(entries(&vec![three.clone()]), Ok(vec![(4, bare(&three))]));
    assert!(!EntryPlan::of(encoded(&vec![three]).shape).is_ok_and(|plan| plan.has_command));
}

#[test]
fn what_is_the_same_in_two_messages_is_the_encoding_of_their_entries() {
    fn of(commands: &[u16]) -> Vec<Named> {
        (1..).zip(commands).map(|(index, &command)| Named { index, term: 4, command }).collect()
    }
    let read = |commands: &[u16]| {
        let list = encoded(&of(commands));
        let plan = EntryPlan::of(list.shape).expect("they can be read");
        Entries::Encoded(list.value.expect("it is there"), Arc::new(plan)).encoded()
    };
    assert_eq!(read(&[]), None);
    for commands in [&[5][..], &[5, 6, 300], &[5; 300]] {
        let each: Vec<u8> = of(commands).iter().flat_map(bare).collect();
        assert_eq!(read(commands), Some(&each[..]), "{} entries", commands.len());
    }
}

// ---- Replies ---------------------------------------------------------------------------------------

messages! {
    Answer { term: u64, success: bool }
    TellingReply { success: bool, commit_index: u64 }
    Flag { it: bool }
    FlagReply { term: u64, success: Flag }
    VoteReply { term: u64, how: Given }
    Undecided { term: u64, how: Perhaps }
    Boxed { it: Detailed }
    Counted { term: u64, success: bool, match_index: u64 }
    Misnamed { term: u64, success: u64 }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Given {
    Granted,
    #[default]
    Refused,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Perhaps {
    #[default]
    Accepted,
    Later,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Gob)]
#[serde(crate = "labgob::serde")]
enum Detailed {
    Accepted { term: u64, match_index: u64 },
    Rejected { term: u64 },
}

impl Default for Detailed {
    fn default() -> Detailed {
        Detailed::Rejected { term: 0 }
    }
}

#[test]
fn a_yes_is_a_flag_or_a_variant_of_an_enum_that_knows_only_yes_and_no() {
    let reply = |term, yes| Reply { term, yes: Some(yes), upto: None };
    let mut read = by_names();
    for yes in [true, false] {
        let flag = FlagReply { term: 4, success: Flag { it: yes } };
        assert_eq!(read.answers(&flag), reply(Some(4), yes));
        assert_eq!(read.answers(&yes), reply(None, yes));
        let how = if yes { Given::Granted } else { Given::Refused };
        assert_eq!(read.answers(&VoteReply { term: 4, how: how.clone() }), reply(Some(4), yes));
        assert_eq!(read.answers(&how), reply(None, yes));
    }
    read.assert_all_understood();
    let undecided = read.answers(&Undecided { term: 4, how: Perhaps::Accepted });
    assert_eq!(undecided, Reply { term: Some(4), yes: None, upto: None });
    let why = "the reply to AppendEntries has no `success` or the like: fields term, how";
    assert_eq!(read.lacking(Part::AppendReplies), why);
    // A number is no flag, whatever its name is.
    assert_eq!(by_names().answers(&Misnamed { term: 4, success: 1 }).yes, None);
}

#[test]
fn a_variant_may_hold_the_term_and_how_much_is_accepted() {
    let mut read = by_names();
    let accepted = Detailed::Accepted { term: 4, match_index: 9 };
    let yes = Reply { term: Some(4), yes: Some(true), upto: Some(9) };
    assert_eq!(read.answers(&accepted), yes);
    assert_eq!(read.answers(&Counted { term: 4, success: true, match_index: 9 }), yes);
    let no = Reply { term: Some(5), yes: Some(false), upto: None };
    assert_eq!(read.answers(&Detailed::Rejected { term: 5 }), no);
    // A term that was left at nothing says nothing.
    assert_eq!(read.answers(&Detailed::Rejected { term: 0 }).term, None);
    assert_eq!(read.answers(&Boxed { it: accepted }).yes, Some(true));
    read.assert_all_understood();
}

// ---- Snapshots -------------------------------------------------------------------------------------

messages! {
    Install { term: u64, last_included_index: u64, last_included_term: u64, offset: u64, data: Vec<u8>, done: bool }
    Whole { term: u64, last_included_index: u64, last_included_term: u64, data: Vec<u8> }
    Odder { term: u64, last_included_index: u64, last_included_term: u64, done: u64 }
}

#[test]
fn a_snapshot_comes_in_parts_only_if_its_message_says_so() {
    let mut read = by_names();
    let mut install = |message: &dyn Fn(&mut Understanding) -> Request<'static>| {
        let request = message(&mut read);
        let Request::Install(install) = request else { panic!("{request:?}") };
        assert_eq!((install.term, install.last.index, install.last.term), (4, 9, 3));
        (install.offset, install.done)
    };
    let part = |offset, done| {
        let (term, last_included_index, last_included_term) = (4, 9, 3);
        Install { term, last_included_index, last_included_term, offset, data: vec![1], done }
    };
    const METHOD: &str = "Raft.InstallSnapshot";
    assert_eq!(install(&|read| read.asks(METHOD, &part(100, false))), (100, false));
    assert_eq!(install(&|read| read.asks(METHOD, &part(200, true))), (200, true));
    let (term, last_included_index, last_included_term) = (4, 9, 3);
    let whole = Whole { term, last_included_index, last_included_term, data: vec![1] };
    assert_eq!(install(&|read| read.asks(METHOD, &whole)), (0, true));
    // A number is no flag.
    let odder = Odder { term, last_included_index, last_included_term, done: 0 };
    assert_eq!(install(&|read| read.asks(METHOD, &odder)), (0, true));
    read.assert_all_understood();
}

// ---- What a Raft says itself -----------------------------------------------------------------------

#[test]
fn what_a_raft_says_of_a_message_is_what_it_means() {
    /// The byte of a message tells which it is.
    fn means(wire: &Wire<'_>) -> Meaning {
        let term = 4;
        match (wire.bytes.last(), wire.reply) {
            (Some(1), false) => Meaning::RequestVote { term, last_log_index: 9, last_log_term: 3 },
            (Some(2), false) => Meaning::AppendEntries {
                term,
                prev_log_index: 9,
                prev_log_term: 3,
                entries: vec![(4, Bytes::from_static(b"x"))],
                leader_commit: 8,
            },
            (Some(1), true) => Meaning::Vote { term, granted: true },
            (Some(2), true) => Meaning::Appended { term, success: false, match_index: Some(9) },
            (Some(3), true) => Meaning::SnapshotInstalled { term },
            (Some(4), true) => Meaning::SnapshotInstalled { term: 0 },
            _ => Meaning::Nothing,
        }
    }
    let mut read = Understanding::new(means);
    assert_eq!(read.vote(&1u8), Some((4, 9, 3)));
    let request = read.asks("Raft.Whatever", &2u8);
    let Request::Append(append) = request else { panic!("{request:?}") };
    assert_eq!(
        (append.term, append.prev, append.commit),
        (4, Place { index: 9, term: 3 }, Some(8))
    );
    assert!(!append.entries.are_none() && append.entries.read()[0].0.command.bytes == b"x");
    assert!(matches!(read.asks("Raft.RequestVote", &9u8), Request::Nothing));

    assert_eq!(read.answers(&1u8), Reply { term: Some(4), yes: Some(true), upto: None });
    assert_eq!(read.answers(&2u8), Reply { term: Some(4), yes: Some(false), upto: Some(9) });
    assert_eq!(read.answers(&3u8), Reply { term: Some(4), yes: None, upto: None });
    assert_eq!(read.answers(&4u8), Reply::default());
    assert_eq!(read.answers(&9u8), Reply::default());
    read.assert_all_understood();
}

#[test]
fn of_several_reasons_for_one_part_the_first_one_is_told() {
    let mut missing = Missing::default();
    assert_eq!(missing.count(), 0);
    missing.note(Part::Saved, "of this".to_string());
    missing.note(Part::Saved, "of that".to_string());
    missing.note(Part::SecondServer, "of that".to_string());
    assert_eq!(missing.count(), 2);
    assert!(missing.lacks(Part::Saved) && !missing.lacks(Part::Votes));
    assert!(!missing.allows(&missing::SAVED) && missing.allows(&missing::ONE_VOTE));
    let said = "not judged: saved before answered, snapshots that are saved, because of this";
    assert!(missing.sentences().iter().any(|words| words == said), "{:?}", missing.sentences());
}

// ---- Requests with other numbers ------------------------------------------------------------------

messages! {
    Candidacy { term: u8, candidate_id: u64, last_log_index: u64, last_log_term: u64 }
}

#[derive(Clone, Default)]
struct Keeps(Arc<Leaf<Option<KeptRequest>>>);

impl Observer for Keeps {
    fn observe(&self, event: &CallEvent<'_>) -> Option<Cause> {
        if let Some(request) = event.keep() {
            self.0.with(|kept| *kept = Some(request));
        }
        None
    }
}

/// A request for a vote as it is kept when it is sent.
pub(crate) fn kept<T: Gob + Clone + Send + Sync>(args: &T) -> KeptRequest {
    let args = args.clone();
    let world = Builder::simulated(1).run(move || {
        let (network, keeps) = (Network::new(), Keeps::default());
        network.watch(keeps.clone());
        let _ = network.make_end("nobody's").call::<T, Answer>("Raft.RequestVote", &args);
        keeps.0.with(Option::take)
    });
    world.expect("nothing fails").value.expect("it was sent")
}

fn decoded<T: Gob>(request: Option<KeptRequest>) -> T {
    labgob::decode(request.expect("it can be changed").bytes()).expect("it is encoded as before")
}

#[test]
fn a_vote_is_asked_for_once_more_with_another_end_of_the_log() {
    let vote = Vote { term: 2, last_log_index: 5, last_log_term: 1 };
    let again = by_names().with_vote(&kept(&vote), 9, Place { index: 3, term: 2 });
    assert_eq!(decoded::<Vote>(again), Vote { term: 9, last_log_index: 3, last_log_term: 2 });
    // As this Raft counts; and what says so already stays as it is.
    let mut read = by_names();
    let empty = Signed { term: 1, last_log_index: -1, last_log_term: -1 };
    assert_eq!(read.vote(&empty), Some((1, 0, 0)));
    let again = read.with_vote(&kept(&empty), 9, Place::default());
    assert_eq!(decoded::<Signed>(again), Signed { term: 9, ..empty.clone() });
    let again = read.with_vote(&kept(&empty), 9, Place { index: 3, term: 2 });
    assert_eq!(decoded::<Signed>(again), Signed { term: 9, last_log_index: 2, last_log_term: 2 });
    // What lacks a field, or cannot hold the number, is not changed.
    let request = kept(&Candidacy::default());
    assert!(read.with_vote(&request, 255, Place::default()).is_some());
    assert!(read.with_vote(&request, 256, Place::default()).is_none());
    assert!(read.with_vote(&kept(&Inner::default()), 9, Place::default()).is_none());
}

#[test]
fn a_candidate_is_renamed_as_this_raft_counts_servers() {
    let renamed = |named: u64, candidate: usize| {
        let request = kept(&Candidacy { candidate_id: named, ..Default::default() });
        let request = by_names().with_candidate(&request, 2, candidate);
        request.map(|request| decoded::<Candidacy>(Some(request)).candidate_id)
    };
    // Server 2 is called 2, or 3.
    assert_eq!((renamed(2, 0), renamed(2, 1)), (Some(0), Some(1)));
    assert_eq!((renamed(3, 0), renamed(3, 1)), (Some(1), Some(2)));
    // Nobody knows what else it may be called.
    assert_eq!((renamed(4, 0), renamed(1, 0)), (None, None));
}
