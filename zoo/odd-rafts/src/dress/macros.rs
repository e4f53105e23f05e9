//! Most messages differ in their names only: these macros make one out of its names, given in the
//! order of Figure 2.

/// A RequestVote: term, candidate, index and term of the last entry; perhaps a mark for pre-votes.
macro_rules! vote_args {
    ($name:ident { $term:ident, $candidate:ident, $index:ident, $last:ident $(; $pre:ident)? }) => {
        #[derive(Clone, Debug, Serialize, Deserialize, Gob)]
        pub(crate) struct $name {
            $term: u64,
            $candidate: usize,
            $index: u64,
            $last: u64,
            $($pre: bool,)?
        }

        impl AsksVote for $name {
            $(const MARKS_PRE_VOTE: bool = stringify!($pre).len() > 0;)?

            fn dress(vote: &VoteRequest) -> Self {
                $name {
                    $term: vote.term,
                    $candidate: vote.candidate,
                    $index: vote.last.index,
                    $last: vote.last.term,
                    $($pre: vote.pre,)?
                }
            }

            fn undress(self) -> VoteRequest {
                VoteRequest {
                    term: self.$term,
                    candidate: self.$candidate,
                    last: Place { index: self.$index, term: self.$last },
                    pre: false $(|| self.$pre)?,
                }
            }
        }
    };
}

/// The reply to it: term, and whether the vote was given.
macro_rules! vote_reply {
    ($name:ident { $term:ident, $granted:ident }) => {
        #[derive(Clone, Debug, Serialize, Deserialize, Gob)]
        pub(crate) struct $name {
            $term: u64,
            $granted: bool,
        }

        impl AnswersVote for $name {
            fn dress(reply: &VoteReply) -> Self {
                $name { $term: reply.term, $granted: reply.granted }
            }

            fn undress(self, asked: &VoteRequest) -> VoteReply {
                let (term, granted) = (self.$term, self.$granted);
                VoteReply { term, asked: asked.term, pre: asked.pre, granted }
            }
        }
    };
}

/// An AppendEntries: term, leader, index and term before the entries, the entries, commit index.
macro_rules! append_args {
    ($name:ident {
        $term:ident, $leader:ident, $index:ident, $prev:ident, $entries:ident, $commit:ident
    }) => {
        #[derive(Clone, Debug, Serialize, Deserialize, Gob)]
        pub(crate) struct $name<E> {
            $term: u64,
            $leader: usize,
            $index: u64,
            $prev: u64,
            $entries: E,
            $commit: u64,
        }

        impl<E: Entries> AsksAppend for $name<E> {
            fn dress(append: &AppendRequest) -> Self {
                $name {
                    $term: append.term,
                    $leader: append.leader,
                    $index: append.prev.index,
                    $prev: append.prev.term,
                    $entries: E::dress(append),
                    $commit: append.commit,
                }
            }

            fn undress(self) -> AppendRequest {
                AppendRequest {
                    term: self.$term,
                    leader: self.$leader,
                    prev: Place { index: self.$index, term: self.$prev },
                    entries: self.$entries.undress(),
                    commit: self.$commit,
                }
            }
        }
    };
}

/// An entry of the log: term and command.
macro_rules! entry {
    ($name:ident { $term:ident, $command:ident }) => {
        #[derive(Clone, Debug, Serialize, Deserialize, Gob)]
        pub(crate) struct $name {
            $term: u64,
            $command: Bytes,
        }

        impl DressedEntry for $name {
            fn dress(entry: &Entry, _: u64, _: &AppendRequest) -> Self {
                $name { $term: entry.term, $command: entry.command.clone() }
            }

            fn undress(self) -> Entry {
                Entry { term: self.$term, command: self.$command }
            }
        }
    };
}

/// A reply to AppendEntries that says yes or no and nothing else: term, and the answer.
macro_rules! append_reply {
    ($name:ident { $term:ident, $success:ident }) => {
        #[derive(Clone, Debug, Serialize, Deserialize, Gob)]
        pub(crate) struct $name {
            $term: u64,
            $success: bool,
        }

        impl AnswersAppend for $name {
            fn dress(reply: &AppendReply) -> Self {
                $name { $term: reply.term, $success: reply.is_yes() }
            }

            fn undress(self, about: Subject) -> AppendReply {
                AppendReply::read(self.$term, about, about.outcome(self.$success, None))
            }
        }
    };
}
