//! The habits: what a Raft may do this way or that without breaking a rule.

macro_rules! habits {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// Which habits a Raft has. The front page says how they are chosen.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Habits {
            $($(#[doc = $doc])+ pub $name: bool,)*
        }

        impl Habits {
            /// The names of all habits.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Gives a Raft the habit of this name; false if there is none.
            pub(crate) fn add(&mut self, name: &str) -> bool {
                match name {
                    $(stringify!($name) => self.$name = true,)*
                    _ => return false,
                }
                true
            }

            /// The names of the habits that it has.
            pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
                let all = [$((stringify!($name), self.$name),)*];
                all.into_iter().filter_map(|(name, has)| has.then_some(name))
            }
        }
    };
}

habits! {
    // ---- What a leader sends -------------------------------------------------------------------

    /// A new leader's first message has no entries, `prevLogIndex` 0 and `leaderCommit` 0.
    bare_first_heartbeat,
    /// A message without entries has `prevLogIndex` 0. It can check nothing, so its `leaderCommit` is
    /// no more than what this follower is known to have.
    heartbeats_without_prev,
    /// `leaderCommit` is at most the follower's `matchIndex`.
    capped_commit,
    /// `leaderCommit` is 0 in messages without entries. A follower is told what is committed with the
    /// next entries or, if there are none, with its last entry once more.
    no_commit_without_entries,
    /// Up to three AppendEntries with entries are on their way to a follower.
    pipelined,
    /// Any number of them, each from the first entry that the follower has not acknowledged.
    overlapping,
    /// One entry in a message, and up to sixteen messages on their way to a follower. That one waits a
    /// while for an entry that is missing before it refuses the next one.
    one_entry,
    /// Each `start` sends at once, whatever is on its way.
    eager,
    /// A leader sends new entries before it has saved them itself. It counts itself as one who has
    /// them only when it has.
    parallel_disk_write,
    /// A new leader appends an entry without a command. The service sees nothing of it: the indexes
    /// of `start` and `apply` count commands only.
    noop,
    /// A leader that has not heard a majority for a while follows again, in the same term.
    check_quorum,
    /// A leader that has led for a second and has nothing to do, since all servers have its whole log, asks a
    /// follower to stand for election at once (Ongaro's thesis, section 3.10). It does so once.
    leadership_transfer,

    // ---- What a follower does ------------------------------------------------------------------

    /// A follower whose entry at `prevLogIndex` conflicts deletes it, and all that follow, when it
    /// refuses; not only when it gets other ones.
    cut_on_refusal,
    /// A follower refuses an AppendEntries that ends before one that it has handled in this term.
    old_requests_refused,
    /// A follower stores only the first half of the entries of a message, and says so.
    partial_acceptance,
    /// A server that hears the leader of its term notes that one as its vote, whomever it has voted for. So a request for
    /// its vote that the leader has sent before, and that comes late, gets a yes.
    vote_follows_leader,
    /// The commit index is saved, and a restarted server begins with it.
    commit_persisted,

    // ---- Snapshots -----------------------------------------------------------------------------

    /// A snapshot is sent in parts, each after the one before was answered.
    chunked_snapshots,
    /// A snapshot is sent once more with each heartbeat until it is answered.
    snapshot_each_heartbeat,
    /// Some entries are kept that the snapshot holds, for followers that are a little behind.
    entries_kept,

    // ---- Elections -----------------------------------------------------------------------------

    /// Before an election a server asks whether it could win. It does so with the next term, and
    /// nobody takes that over. A dress without a mark for it gives it a method of its own, `PreVote`.
    pre_vote,
    /// With pre-vote: the answer to a pre-vote that would be given shows the next term too.
    pre_vote_reply_next_term,
    /// A server that has heard a leader lately refuses its vote and does not even take over the term.
    leader_stickiness,

    // ---- Messages ------------------------------------------------------------------------------

    /// Every reply shows the term of its request.
    replies_echo_term,
    /// Replies that say yes show term 0.
    success_with_term_0,
    /// Each request is sent twice (but for long ones, since the lab limits the bytes).
    duplicates,
    /// Who sends a request and waits for its reply holds a lock meanwhile: one for each peer, which all who send
    /// to it share, and which nobody else takes. Shapes that do not wait have no such lock.
    locked_while_sent,
    /// A request waits for up to 20 ms before it is handled.
    slow_handlers,
    /// A reply waits for up to 20 ms after its request was handled.
    slow_replies,
    /// A restarted server answers once more what it had said yes to last before the crash. Needs
    /// replies that are messages of their own.
    replies_after_restart,
}
