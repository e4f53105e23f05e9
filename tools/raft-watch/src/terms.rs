//! Rules about terms (paper, section 5.1).
//!
//! - A term does not go back, also not in a restart.
//! - A yes is not of an earlier term than its request.
//! - A request of an earlier term than the server has shown gets no yes.

use labtrace::verdict;

use super::calls::{Call, Delivered};
use super::judge::{Checked, Judge};
use super::understanding::missing as rules;
use super::understanding::{Missing, Reply};

impl Judge {
    /// `currentTerm` is persistent: no instance is behind an earlier one (Figure 2, State).
    pub(super) fn check_term_after_restart(
        &self,
        server: usize,
        term: u64,
        missing: &Missing,
    ) -> Checked {
        let before = self.servers[server].before;
        if term >= before.term || !missing.allows(&rules::TERM_KEPT) {
            return Ok(());
        }
        let (before, then) = (before.term, before.us);
        let words =
            format!("the term of server {server} went back from {before} to {term} in a restart");
        Err(Box::new(
            //= state.term-grows, lab.restart
            verdict("persistence: term", words)
                .fact_at(then, server, format!("server {server} sent a message of term {before}"))
                .fact(server, format!("since its restart it sends one of term {term}"))
                .hint(
                    "currentTerm is not saved each time it changes, or not read when the server \
                     is made (or read in another order than written); another server's higher term \
                     counts too",
                )
                .build(),
        ))
    }

    /// `currentTerm` never decreases: an answer to a request that came after the server had shown a
    /// term is of that term or a later one, unless it sends the request's own term back.
    pub(super) fn check_term_of_reply(
        &self,
        call: &Call,
        delivered: Delivered,
        reply: Reply,
        us: u64,
    ) -> Checked {
        let server = call.to;
        let (Some(term), Some(asked)) = (reply.term, call.asked.term()) else { return Ok(()) };
        let before = delivered.promised;
        if reply.yes == Some(true) && term < asked {
            let words = format!(
                "server {server} said yes to a request of term {asked} with a reply of term {term}"
            );
            return Err(Box::new(
                //= state.term-grows
                verdict("term", words)
                    .fact(call.from, format!("server {} sent a request of term {asked}", call.from))
                    .fact_at(us, server, format!("server {server} said yes with term {term}"))
                    .hint(
                        "the term of the reply is read before the request's newer one is taken \
                         over, or the newer one is not taken over at all",
                    )
                    .build(),
            ));
        }
        if term >= before.term || term == asked {
            return Ok(());
        }
        let words = format!("the term of server {server} went back from {} to {term}", before.term);
        let first = format!("server {server} sent a message of term {}", before.term);
        Err(Box::new(
            verdict("term", words)
                .fact_at(before.us, server, first)
                .fact_at(us, server, format!("it answers a later request with term {term}"))
                .hint(
                    "currentTerm is set from a message without looking whether that is higher, or \
                     was not saved before a restart",
                )
                .build(),
        ))
    }

    /// "Reply false if term < currentTerm" (Figure 2, both RPCs): no yes to a request whose term is
    /// below one that the server had promised before it came.
    pub(super) fn check_stale(
        &self,
        call: &Call,
        delivered: Delivered,
        term: u64,
        us: u64,
    ) -> Checked {
        let promised = delivered.promised;
        if promised.term <= term {
            return Ok(());
        }
        let (from, server) = (call.from, call.to);
        let words = format!(
            "server {server} said yes to a request of term {term} from server {from}, though it had \
             shown term {}",
            promised.term
        );
        //= vote.stale, append.stale, install.stale
        let broken = verdict("stale request", words)
            .fact_at(promised.us, server, format!("server {server} showed term {}", promised.term))
            .fact_at(call.sent_us, from, format!("server {from} sent its request of term {term}"))
            .fact_at(us, server, format!("server {server} said yes"));
        let restarted = promised.instance != delivered.instance;
        let broken = match restarted {
            true => broken.detail(format!("server {server} was restarted in between")),
            false => broken,
        };
        let hint = match restarted {
            true => {
                "currentTerm is not saved each time it changes, or not read when the server is made"
            }
            false => "\"reply false if term < currentTerm\" comes first in both handlers",
        };
        Err(Box::new(broken.hint(hint).build()))
    }
}
