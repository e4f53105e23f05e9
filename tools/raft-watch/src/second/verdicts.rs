//! What is said when a second server contradicts the first one.

use labtrace::{Verdict, verdict};

use super::questions::{Question, What};
use super::{News, Trial};
use crate::understanding::Place;

impl Trial {
    /// The verdict of a yes.
    pub(super) fn verdict(&self, question: &Question) -> Box<Verdict> {
        let server = self.server;
        let (promise, contradiction) = (self.promise(), contradiction(question.what));
        let words = format!("server {server} {promise}; after a crash it would {contradiction}");
        let again = match question.wait {
            Some(_) => format!(
                "a third server was first asked what server {server} was asked, and then the same as the \
                 second one: it said yes and then no"
            ),
            None => "the first time the answer was no".to_string(),
        };
        //= state.saved, state.term-grows, lab.restart
        let broken = verdict("promises survive a crash", words)
            .fact_at(self.us, server, format!("server {server} {promise}"))
            .fact(server, self.what_was_saved())
            .fact(server, self.asked(question.what))
            .fact(server, again);
        let mut broken = broken.hint(hint(question.what)).build();
        broken.location = Some(self.location.clone());
        Box::new(broken)
    }

    /// What the second server was asked, and that it said yes.
    fn asked(&self, what: What) -> String {
        let method = self.request.method();
        let asked = match what {
            What::SecondVote { candidate } => format!("the same {method}, from server {candidate}"),
            What::EarlierTerm { term } => format!("the same {method}, with term {term}"),
            What::OlderLog { candidate, term, last } => format!(
                "a request of server {candidate} for its vote in term {term}, with {}",
                log_that_ends(last)
            ),
            What::Again => format!("the same {method}"),
        };
        format!("a second server, made from that, was sent {asked}, and said yes")
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

    fn what_was_saved(&self) -> String {
        let bytes = match (self.saved.state.len(), self.saved.snapshot.len()) {
            (0, 0) => return "nothing was saved at that moment".to_string(),
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

/// What a server would do that it must not.
fn contradiction(what: What) -> String {
    match what {
        What::SecondVote { candidate } => format!("vote for {candidate} in the same term"),
        What::EarlierTerm { term } => format!("accept a request of a leader of term {term}"),
        What::OlderLog { last, .. } => format!("vote for a candidate with {}", log_that_ends(last)),
        What::Again => "say yes to it".to_string(),
    }
}

fn log_that_ends(last: Place) -> String {
    match last {
        Place { index: 0, .. } => "an empty log".to_string(),
        Place { index, term } => format!("a log that ends with entry {index} of term {term}"),
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
