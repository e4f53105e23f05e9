//! Who may answer: a server that knows that the write is committed, or for a read, of all writes that
//! were acknowledged before.
//!
//! Only the client knows which reply was its answer. So an answer is wrong if none of the replies that
//! came to it since it asked can be right. That may be a server's fault, which answers too early, or the client's, which
//! takes a refusal or a call that has failed for an answer: what the replies say is shown, since nobody here can tell a
//! refusal from an answer.

use std::collections::BTreeSet;

use labtrace::{Verdict, VerdictBuilder, verdict};

use crate::facts;
use crate::operations::{Entry, Number, Operation, Reply};
use crate::{Change, Checked, Place, State};

/// What usually leads to an operation that is done when a call has failed.
const FAILED_IS_NOT_DONE: &str = "the clerk takes a failed call, or a refusal, for done: a call that fails says nothing of \
     what became of the request; ask again, the next server, until one of them answers that it is done";

impl State {
    /// A client has its answer.
    pub(crate) fn check_replies(&mut self, number: Number, read: Option<&str>) -> Checked {
        let Some(operation) = self.operations.get(number) else { return Ok(()) };
        let Some(last) = operation.replies.last() else { return self.check_unanswered(operation) };
        match operation.asked.change {
            Change::Nothing if self.operations.hides() => Ok(()),
            Change::Nothing => self.check_read(operation, read, last),
            _ if !self.operations.understands(&operation.asked) => Ok(()),
            _ if operation.was_sent() && self.operations.hides() => Ok(()),
            _ if !operation.was_sent() && self.may_be_hidden(operation) => {
                self.operations.note_unseen(number);
                Ok(())
            }
            _ => self.check_write(operation),
        }
    }

    /// Whether an entry that was not seen to hold a write can be its own for all that. It is no proof of anything:
    /// what clients read later decides.
    fn may_be_hidden(&self, operation: &Operation) -> bool {
        let committed =
            |place: Place| self.groups[place.group].below.committed_term_at(place.index);
        let may_hide = |reply: &Reply| self.operations.sent.may_hide(operation, reply, committed);
        operation.replies.iter().any(may_hide)
    }

    /// A client is done and has no reply. What it remembers is not for these rules; but a call that has failed
    /// has done nothing for all that it can know.
    fn check_unanswered(&self, operation: &Operation) -> Checked {
        let writes = operation.asked.change != Change::Nothing;
        let Some(failed) = self.failed_at(operation).filter(|_| writes) else { return Ok(()) };
        let words = format!("{failed}, and nobody had replied to it");
        let broken = verdict("answered when applied", words);
        let broken = facts::of_operation(broken, operation, "");
        let broken = operation.entries.iter().fold(broken, |broken, of| self.entry(broken, of));
        Err(self.build(broken, operation, FAILED_IS_NOT_DONE))
    }

    fn check_write(&self, operation: &Operation) -> Checked {
        if operation.replies.iter().any(|reply| operation.may_be_done(reply)) {
            return Ok(());
        }
        let Operation { name, asked, .. } = operation;
        let names = self.names_of(&operation.replies);
        let early = "before an entry of it can have been applied";
        let words = match self.failed_at(operation) {
            Some(failed) => format!("{failed}, {early} where it had a reply from: {names}"),
            None => format!("{names} answered {name}, {}, {early} there", asked.text),
        };
        let broken = verdict("answered when applied", words);
        let broken = facts::of_operation(broken, operation, "");
        let broken = self.replies(broken, &operation.replies);
        let broken = match operation.entries.first() {
            Some(entry) => self.entry(broken.index(entry.place.index), entry),
            None => {
                broken.fact(None, "no entry that holds it has been sent by anybody".to_string())
            }
        };
        let hint = "the answer must wait until the entry comes out of the apply channel: `start` only \
                    says where it will stand if it is ever committed; and what comes out there must be \
                    the same request, not just any at that index; or the clerk takes a refusal or a failed \
                    call for done";
        Err(self.build(broken, operation, hint))
    }

    fn check_read(&self, operation: &Operation, read: Option<&str>, last: &Reply) -> Checked {
        let object = &operation.asked.object;
        let must_know = |reply: &Reply| {
            let (write, known) = self.operations.latest_write(object, reply.group)?;
            let before = write.ended.is_some_and(|ended| ended < operation.began);
            before.then_some((write, known.entry))
        };
        let can_know = |reply: &Reply| {
            let index = must_know(reply).map_or(0, |(_, entry)| entry.place.index);
            reply.known.is_none_or(|known| known >= index)
        };
        if operation.replies.iter().any(can_know) {
            return Ok(());
        }
        let Some((write, entry)) = must_know(last) else { return Ok(()) };
        let Operation { name, asked, replies, .. } = operation;
        let names = self.names_of(replies);
        let late = "cannot know of what was acknowledged before";
        let words = match self.failed_at(operation) {
            Some(failed) => format!("{failed}, and where it had a reply from {late}: {names}"),
            None => format!("{names} answered {name}, {}, and {late}", asked.text),
        };
        let broken = verdict("a read that cannot know", words).index(entry.place.index);
        let broken = facts::of_operation(broken, write, "");
        let broken = self.entry(broken, &entry);
        let got = read.map_or(String::new(), |read| {
            format!(", and got {}", facts::end_of(read, facts::SHOWN))
        });
        let broken = self.replies(facts::of_operation(broken, operation, &got), replies);
        let hint = "a read that is answered from the server's own state, without an entry in the log \
                    and without asking a majority whether it still leads; or the clerk takes a refusal for an answer";
        Err(self.build(broken, operation, hint))
    }

    /// Who replied. Only the client knows which of them gave it its answer.
    fn names_of(&self, replies: &[Reply]) -> String {
        let names: BTreeSet<String> = replies.iter().map(|reply| self.name_of(reply)).collect();
        names.into_iter().collect::<Vec<_>>().join(" or ")
    }

    /// The last reply of each server.
    fn replies(&self, broken: VerdictBuilder, replies: &[Reply]) -> VerdictBuilder {
        let later = |place: usize| {
            let of = |reply: &Reply| (reply.group, reply.server);
            replies[place + 1..].iter().any(|later| of(later) == of(&replies[place]))
        };
        let last = replies.iter().enumerate().filter(|(place, _)| !later(*place));
        last.fold(broken, |broken, (_, reply)| self.reply(broken, reply))
    }

    /// What a server replied, and what it could know.
    fn reply(&self, broken: VerdictBuilder, reply: &Reply) -> VerdictBuilder {
        let Reply { group, server, us, known, answer, .. } = reply;
        let lane = self.groups[*group].members.lane(*server) as usize;
        let server = self.name_of(reply);
        let said = answer.as_ref().map_or(String::new(), |answer| format!(" {}", answer.text()));
        let known = facts::entries(known.unwrap_or_default());
        let text = format!("{server} answered{said}, and could know that {known} committed");
        broken.fact_at(*us, lane, text)
    }

    /// After which call the client was done, if no reply has come behind that. Then none of those who have replied
    /// need be guilty.
    fn failed_at(&self, operation: &Operation) -> Option<String> {
        let ((group, server), _) = operation.failed?;
        let to = self.groups[group].members.node_name(server);
        let Operation { name, asked, .. } = operation;
        Some(format!("{name} was done with {} when its call to {to} had failed", asked.text))
    }

    pub(crate) fn entry(&self, broken: VerdictBuilder, entry: &Entry) -> VerdictBuilder {
        broken.with_fact(self.entry_fact(entry))
    }

    fn name_of(&self, reply: &Reply) -> String {
        self.groups[reply.group].members.node_name(reply.server)
    }

    fn build(&self, broken: VerdictBuilder, operation: &Operation, hint: &str) -> Box<Verdict> {
        let Operation { name, replies, .. } = operation;
        let Some(failed) = self.failed_fact(operation) else {
            let at = format!("what {} answered", self.names_of(replies));
            return Box::new(broken.hint(hint).at(at).build());
        };
        let at = format!("what {name} took for its answer");
        Box::new(broken.with_fact(failed).hint(FAILED_IS_NOT_DONE).at(at).build())
    }
}
