//! Which types make up which dress.

use raft_api::Bytes;

use super::entries::{BookkeptEntry, FlaggedEntry, Segment};
use super::one_way::OneWay;
use super::plain::RequestVoteReply;
use super::plain::{AppendEntries, AppendEntriesArgs, AppendEntriesReply, RequestVoteArgs};
use super::spellings::{epochs, short, single};
use super::votes::{self, marked};
use super::wrapped::{Answer, Call};
use super::{Calls, Dress, go_style, headed, installing, replies, zero_based};

/// A dress with its name.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) dress: &'static dyn Dress,
    /// Replies say up to where the logs agree, so that a follower may store less than it got.
    pub(crate) says_how_far: bool,
    /// The habit that the dress is for.
    pub(crate) habit: Option<&'static str>,
}

impl Row {
    const fn new(name: &'static str, dress: &'static dyn Dress) -> Row {
        Row { name, dress, says_how_far: false, habit: None }
    }

    const fn says_how_far(self) -> Row {
        Row { says_how_far: true, ..self }
    }

    const fn with(self, habit: &'static str) -> Row {
        Row { habit: Some(habit), ..self }
    }
}

/// Plain but for the RequestVote.
type AskingBy<V> = Calls<V, RequestVoteReply, AppendEntries, AppendEntriesReply>;
/// Plain but for the reply to it.
type VotingBy<VR> = Calls<RequestVoteArgs, VR, AppendEntries, AppendEntriesReply>;
/// Plain but for the entries.
type Sending<E> =
    Calls<RequestVoteArgs, RequestVoteReply, AppendEntriesArgs<E>, AppendEntriesReply>;
/// Plain but for the reply to AppendEntries.
type Answering<AR> = Calls<RequestVoteArgs, RequestVoteReply, AppendEntries, AR>;

type Plain = AskingBy<RequestVoteArgs>;
type GoStyle = Calls<
    go_style::RequestVoteArgs,
    go_style::RequestVoteReply,
    go_style::AppendEntries,
    go_style::AppendEntriesReply,
    installing::Whole,
>;
type Short = Calls<short::VoteArgs, short::VoteReplyArgs, short::Append, short::AppendReplyArgs>;
type Epochs = Calls<
    epochs::RequestVoteArgs,
    epochs::RequestVoteReply,
    epochs::AppendEntries,
    epochs::AppendEntriesReply,
>;
type ZeroBased = Calls<
    zero_based::RequestVoteArgs,
    RequestVoteReply,
    zero_based::AppendEntriesArgs,
    zero_based::AppendEntriesReply,
    installing::ZeroBased,
>;
type Single = Calls<RequestVoteArgs, RequestVoteReply, single::AppendEntry, AppendEntriesReply>;
type Wrapped = Calls<
    Call<RequestVoteArgs>,
    Answer<RequestVoteReply>,
    Call<AppendEntries>,
    Answer<AppendEntriesReply>,
>;

type Headed = Calls<headed::VoteArgs, RequestVoteReply, headed::AppendArgs, AppendEntriesReply>;
type InParts =
    Calls<RequestVoteArgs, RequestVoteReply, AppendEntries, AppendEntriesReply, installing::Parts>;

/// All dresses; the first is the one of a Raft that names none.
pub(crate) static DRESSES: &[Row] = &[
    Row::new("plain", &Plain::NEW),
    // Other names.
    Row::new("go_style", &GoStyle::NEW),
    Row::new("short_names", &Short::NEW),
    Row::new("epochs", &Epochs::NEW),
    Row::new("zero_based", &ZeroBased::NEW),
    Row::new("wrapped", &Wrapped::NEW),
    Row::new("headed", &Headed::NEW),
    // Entries.
    Row::new("tuple_entries", &Sending::<Vec<(u64, Bytes)>>::NEW),
    Row::new("byte_entries", &Sending::<Vec<Bytes>>::NEW),
    Row::new("packed_entries", &Sending::<Bytes>::NEW),
    Row::new("epoch_entries", &Sending::<Vec<epochs::LogEntry>>::NEW),
    Row::new("flagged_entries", &Sending::<Vec<FlaggedEntry>>::NEW),
    Row::new("bookkept_entries", &Sending::<Vec<BookkeptEntry>>::NEW),
    Row::new("single_entry", &Single::NEW).with("one_entry"),
    Row::new("log_segments", &Sending::<Segment>::NEW),
    // Replies to AppendEntries.
    Row::new("success", &Answering::<replies::Success>::NEW),
    Row::new("ok", &Answering::<replies::Ok>::NEW),
    Row::new("accepted", &Answering::<replies::Accepted>::NEW),
    Row::new("outcome_enum", &Answering::<replies::Verdict>::NEW),
    Row::new("only_conflict", &Answering::<replies::OnlyConflict>::NEW),
    Row::new("with_conflict", &Answering::<replies::WithConflict>::NEW),
    Row::new("match_index", &Answering::<replies::MatchIndex>::NEW).says_how_far(),
    Row::new("last_log_index", &Answering::<replies::LastLogIndex>::NEW),
    // Votes.
    Row::new("granted", &VotingBy::<votes::Granted>::NEW),
    Row::new("vote", &VotingBy::<votes::Vote>::NEW),
    Row::new("vote_enum", &VotingBy::<votes::Ballot>::NEW),
    Row::new("pre_vote_field", &AskingBy::<marked::PreVoteArgs>::NEW).with("pre_vote"),
    Row::new("is_pre_vote_field", &AskingBy::<marked::IsPreVoteArgs>::NEW).with("pre_vote"),
    Row::new("prevote_field", &AskingBy::<marked::PrevoteArgs>::NEW).with("pre_vote"),
    // Snapshots.
    Row::new("snapshot_parts", &InParts::NEW).with("chunked_snapshots"),
    // Not calls at all.
    Row::new("one_way", &OneWay).says_how_far(),
];
