//! Messages under way.

use std::fmt;
use std::hash::Hash as _;

use raft::rules::{InstallTicket, Request, Ticket};
use raft::{
    AppendEntriesArgs, AppendEntriesReply, Entry, InstallSnapshotArgs, InstallSnapshotReply,
    RequestVoteArgs, RequestVoteReply,
};

use crate::fingerprint::{Fingerprint, Renaming, fingerprint};

/// A message under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Message {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) payload: Payload,
}

/// What it says. A reply comes with what its receiver knows of the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payload {
    Vote(RequestVoteArgs),
    Voted { sent_in: u64, reply: RequestVoteReply },
    Append(AppendEntriesArgs, Ticket),
    Appended(Ticket, AppendEntriesReply),
    Install(InstallSnapshotArgs, InstallTicket),
    Installed(InstallTicket, InstallSnapshotReply),
}

impl Payload {
    /// What a core wants to be sent.
    ///
    /// # Panics
    /// If it is the question of a leader that reads without a log entry: nobody reads here.
    pub(crate) fn of(request: Request) -> Payload {
        match request {
            Request::Vote(args) => Payload::Vote(args),
            Request::Append(args, ticket) => Payload::Append(args, ticket),
            Request::Install(args, ticket) => Payload::Install(args, ticket),
            Request::Confirm(..) => panic!("nobody reads without a log entry here"),
        }
    }

    /// True if it answers another message.
    pub(crate) fn is_reply(&self) -> bool {
        use Payload::{Appended, Installed, Voted};
        matches!(self, Voted { .. } | Appended(..) | Installed(..))
    }

    /// True if its caller is told what has become of the call.
    pub(crate) fn has_ticket(&self) -> bool {
        !matches!(self, Payload::Vote(_) | Payload::Voted { .. })
    }

    /// The term that a leader says it leads, if a leader says this.
    pub(crate) fn leader_term(&self) -> Option<u64> {
        match self {
            Payload::Append(args, _) => Some(args.term),
            Payload::Install(args, _) => Some(args.term),
            _ => None,
        }
    }

    fn renamed(&self, renaming: &Renaming) -> Payload {
        let mut payload = self.clone();
        match &mut payload {
            Payload::Vote(args) => args.candidate_id = renaming.of_number(args.candidate_id),
            Payload::Append(args, _) => args.leader_id = renaming.of_number(args.leader_id),
            Payload::Install(args, _) => args.leader_id = renaming.of_number(args.leader_id),
            Payload::Voted { .. } | Payload::Appended(..) | Payload::Installed(..) => {}
        }
        payload
    }
}

impl Message {
    /// Who has made the call that it belongs to.
    pub(crate) fn caller(&self) -> usize {
        if self.payload.is_reply() { self.to } else { self.from }
    }

    /// What stands for it if the servers are renamed.
    pub(crate) fn fingerprint(&self, renaming: &Renaming) -> Fingerprint {
        let (from, to) = (renaming.of(self.from), renaming.of(self.to));
        let payload = self.payload.renamed(renaming);
        fingerprint(|hasher| ("message", from, to, &payload).hash(hasher))
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}: {}", self.from, self.to, self.payload)
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Vote(args) => write!(
                f,
                "RequestVote of term {}, its log ends with {}/{}",
                args.term, args.last_log_index, args.last_log_term
            ),
            Payload::Voted { sent_in, reply } => {
                let said = if reply.vote_granted { "yes" } else { "no" };
                write!(f, "{said} to RequestVote of term {sent_in}, in term {}", reply.term)
            }
            Payload::Append(args, _) => write!(
                f,
                "AppendEntries of term {}, behind {}/{} {}, committed {}",
                args.term,
                args.prev_log_index,
                args.prev_log_term,
                in_short(&args.entries),
                args.leader_commit
            ),
            Payload::Appended(ticket, reply) => {
                let said = if reply.success { "yes" } else { "no" };
                write!(
                    f,
                    "{said} to AppendEntries of term {} behind {} with {}, in term {}",
                    ticket.term, ticket.prev, ticket.count, reply.term
                )
            }
            Payload::Install(args, _) => write!(
                f,
                "InstallSnapshot of term {} up to {}/{}",
                args.term, args.last_included_index, args.last_included_term
            ),
            Payload::Installed(ticket, reply) => write!(
                f,
                "answer to InstallSnapshot of term {} up to {}, in term {}",
                ticket.term, ticket.last, reply.term
            ),
        }
    }
}

/// Entries, each as its term and its command: `[1a 2b]`.
pub(crate) fn in_short(entries: &[Entry]) -> String {
    let words = entries.iter().map(|entry| format!("{}{}", entry.term, text(&entry.command)));
    format!("[{}]", words.collect::<Vec<_>>().join(" "))
}

/// A command, or a snapshot, for people to read.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
