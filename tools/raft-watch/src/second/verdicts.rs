//! What is said when a second server contradicts the first one.

use labtrace::{Verdict, verdict};

use super::questions::{Question, What};
use super::{News, Trial};
use crate::understanding::Place;

impl Trial {
    /// The verdict of a yes.
    pub(super) fn verdict(&self, question: &Question) -> Box<Verdict> {
        let server = self.server;
        let (promise, contradiction) = (self.promise(), self.contradiction(question.what));
        let words = format!("server {server} {promise}, but after a crash it {contradiction}");
        //= state.saved, state.term-grows, lab.restart
        let broken = verdict("promises survive a crash", words)
            .fact_at(self.us, server, format!("server {server} {promise}"))
            .fact(server, self.what_was_saved())
            .fact(server, format!("a second server, made from that, {contradiction}"));
        let broken = match question.wait {
            Some(_) => broken.fact(
                server,
                format!(
                    "a third one that was asked first what server {server} was asked, and then the \
                     same as the second one, said yes and then no"
                ),
            ),
            None => broken.fact(server, "it was asked the very same".to_string()),
        };
        Box::new(broken.hint(hint(question.what)).build())
    }

    fn promise(&self) -> String {
        match self.news {
            News::Vote { term, candidate } => format!("voted for {candidate} in term {term}"),
            News::Accepted { term, leader, last: Some((Place { index, term: of }, _)) } => format!(
                "accepted entry {index} of term {of} from server {leader}, the leader of term {term}"
            ),
            News::Accepted { term, leader, last: None } => {
                format!("accepted a request of server {leader}, the leader of term {term}")
            }
            News::Shown { term, asked } => {
                format!("refused a request of term {asked} and showed term {term}")
            }
        }
    }

    fn contradiction(&self, what: What) -> String {
        match what {
            What::SecondVote { candidate } => format!("votes for {candidate} in the same term"),
            What::EarlierTerm { term } => format!("accepts a request of the leader of term {term}"),
            What::OlderLog { candidate, term, last: Place { index: 0, .. } } => {
                format!("votes for {candidate} in term {term}, whose log is empty")
            }
            What::OlderLog { candidate, term, last: Place { index, term: of } } => format!(
                "votes for {candidate} in term {term}, whose log ends with entry {index} of term {of}"
            ),
            What::Again => "says yes to it".to_string(),
        }
    }

    fn what_was_saved(&self) -> String {
        let bytes = match (self.saved.state.len(), self.saved.snapshot.len()) {
            (0, 0) => "nothing was saved at that moment".to_string(),
            (state, 0) => format!("{state} bytes of state were saved at that moment"),
            (state, snapshot) => format!(
                "{state} bytes of state and {snapshot} of a snapshot were saved at that moment"
            ),
        };
        match self.saved_nothing {
            true => format!("{bytes}, and nothing was saved since the request had come"),
            false => bytes,
        }
    }
}

/// What usually leads to it.
fn hint(what: What) -> &'static str {
    match what {
        What::SecondVote { .. } => {
            "votedFor is not saved before the vote is given, or not read when the server is made (or \
             currentTerm, so that the vote counts as one of an earlier term)"
        }
        What::OlderLog { .. } => {
            "log[] is not saved before the entries are accepted, or not read when the server is made"
        }
        What::EarlierTerm { .. } | What::Again => {
            "currentTerm is not saved each time it changes, before the handler returns; or not read when \
             the server is made"
        }
    }
}
