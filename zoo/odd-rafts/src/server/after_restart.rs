//! The habit `replies_after_restart`: what was promised before a crash is said again.

use super::Server;
use crate::durable::Accepted;
use crate::message::{AppendReply, Outcome, Reply, Subject, VoteReply};

impl Server {
    /// The last vote and the last yes to an AppendEntries of the latest term, and to whom. Both are
    /// saved, so they are as true as when they were first said.
    pub(crate) fn last_words(&self) -> Vec<(usize, Reply)> {
        if !self.habits.replies_after_restart {
            return Vec::new();
        }
        let term = self.durable.term;
        let vote = self.durable.voted_for.filter(|candidate| *candidate != self.me);
        let vote = vote.map(|candidate| {
            let reply = VoteReply { term, asked: term, pre: false, granted: true };
            (candidate, Reply::Vote(reply))
        });
        let accepted = self.durable.accepted.filter(|accepted| accepted.term == term);
        let accepted = accepted.map(|Accepted { leader, upto, .. }| {
            let about = Subject { term, prev: upto, last: upto };
            let (outcome, log_end) = (Outcome::Accepted { upto }, self.durable.log.last_index());
            (leader, Reply::Append(AppendReply { term, about, outcome, log_end }))
        });
        vote.into_iter().chain(accepted).collect()
    }
}
