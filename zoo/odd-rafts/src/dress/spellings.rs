//! The same messages by other names.

/// A few letters each, as those write who type a lot.
pub(crate) mod short {
    use labgob::Gob;
    use raft_api::Bytes;
    use serde::{Deserialize, Serialize};

    use crate::dress::entries::{DressedEntry, Entries};
    use crate::dress::{AnswersAppend, AnswersVote, AsksAppend, AsksVote};
    use crate::message::{
        AppendReply, AppendRequest, Entry, Place, Subject, VoteReply, VoteRequest,
    };

    vote_args!(VoteArgs { t, id, lli, llt });
    vote_reply!(VoteReplyArgs { t, ok });
    append_args!(AppendArgs { t, id, pli, plt, es, lc });
    append_reply!(AppendReplyArgs { t, ok });
    entry!(E { t, c });

    pub(crate) type Append = AppendArgs<Vec<E>>;
}

/// The term by another name everywhere, as in Zab and in Kafka's Raft.
pub(crate) mod epochs {
    use labgob::Gob;
    use raft_api::Bytes;
    use serde::{Deserialize, Serialize};

    use crate::dress::entries::{DressedEntry, Entries};
    use crate::dress::{AnswersAppend, AnswersVote, AsksAppend, AsksVote};
    use crate::message::{
        AppendReply, AppendRequest, Entry, Place, Subject, VoteReply, VoteRequest,
    };

    vote_args!(RequestVoteArgs { epoch, candidate_id, last_log_index, last_log_epoch });
    vote_reply!(RequestVoteReply { epoch, vote_granted });
    append_args!(AppendEntriesArgs {
        epoch,
        leader_id,
        prev_log_index,
        prev_log_epoch,
        entries,
        leader_commit
    });
    append_reply!(AppendEntriesReply { epoch, success });
    entry!(LogEntry { epoch, command });

    pub(crate) type AppendEntries = AppendEntriesArgs<Vec<LogEntry>>;
}

/// One entry instead of a list.
pub(crate) mod single {
    use labgob::Gob;
    use serde::{Deserialize, Serialize};

    use crate::dress::AsksAppend;
    use crate::dress::entries::{Entries, LogEntry};
    use crate::message::{AppendRequest, Place};

    append_args!(AppendEntryArgs {
        term,
        leader_id,
        prev_log_index,
        prev_log_term,
        entry,
        leader_commit
    });

    pub(crate) type AppendEntry = AppendEntryArgs<Option<LogEntry>>;
}
