//! What is promised must be saved by then (Figure 2: "updated on stable storage before responding to
//! RPCs").

use labtrace::verdict;
use raft_api::{Persisted, SavedEntry};

use super::calls::Append;
use super::judge::Checked;
use super::understanding::{Place, Reply};

/// A reply's term is saved.
pub(super) fn check_term_saved(server: usize, reply: Reply, saved: &Persisted) -> Checked {
    match reply.term.filter(|term| *term > saved.term) {
        Some(term) => behind(
            server,
            format!("answered with term {term}"),
            format!("term {}", saved.term),
            looks_exchanged(saved, term),
        ),
        None => Ok(()),
    }
}

/// A vote is saved. In a later term it may have been given to another one since.
pub(super) fn check_vote_saved(
    candidate: usize,
    voter: usize,
    term: u64,
    reply: Reply,
    saved: &Persisted,
) -> Checked {
    check_term_saved(voter, reply, saved)?;
    if reply.yes != Some(true) || saved.term > term {
        return Ok(());
    }
    let promise = format!("voted for {candidate} in term {term}");
    let exchanged = looks_exchanged(saved, term);
    if saved.term < term {
        return behind(voter, promise, format!("term {}", saved.term), exchanged);
    }
    match saved.voted_for {
        Some(vote) if vote == candidate => Ok(()),
        vote => {
            let has = vote.map_or("no vote".to_string(), |vote| format!("a vote for {vote}"));
            behind(voter, promise, has, exchanged)
        }
    }
}

/// An accepted entry is saved, whether the request brought it or asked for it. In a later term it may
/// have been replaced since.
pub(super) fn check_entry_saved(
    server: usize,
    append: Append,
    place: Place,
    reply: Reply,
    saved: &Persisted,
) -> Checked {
    check_term_saved(server, reply, saved)?;
    let term = append.term;
    let exchanged = looks_exchanged(saved, term);
    if saved.term < term {
        let promise = format!("accepted a request of term {term}");
        return behind(server, promise, format!("term {}", saved.term), exchanged);
    }
    let Place { index, term: of } = place;
    if saved.term > term || index == 0 || of == 0 {
        return Ok(());
    }
    let has = match saved.entry(index) {
        SavedEntry::OfTerm(term) if term != of => format!("one of term {term}"),
        SavedEntry::Missing => "none there".to_string(),
        SavedEntry::OfTerm(_) | SavedEntry::InSnapshot => return Ok(()),
    };
    match append.brings_some() {
        true => behind(server, format!("accepted entry {index} of term {of}"), has, exchanged),
        false => not_there(server, place_words(index, of), has),
    }
}

fn place_words(index: u64, term: u64) -> String {
    format!("entry {index} of term {term}")
}

/// A request without entries was accepted by a server that has saved no such entry.
fn not_there(server: usize, place: String, has: String) -> Checked {
    let words = format!("server {server} accepted what follows {place}, but {has} is saved");
    Err(Box::new(
        verdict("accepted after a look", words)
            .fact(server, format!("server {server} said that its log has {place}"))
            .fact(server, format!("its persister holds {has}"))
            .hint(
                "a heartbeat is accepted without a look at the entry at prevLogIndex; or the log is \
                 not saved before the reply that accepts it",
            )
            .build(),
    ))
}

/// Term and vote look as if each were the other.
fn looks_exchanged(saved: &Persisted, term: u64) -> bool {
    let vote = saved.voted_for.and_then(|vote| u64::try_from(vote).ok());
    saved.term != term && vote.is_some_and(|vote| vote.abs_diff(term) <= 1)
}

fn behind(server: usize, promise: String, has: String, exchanged: bool) -> Checked {
    let words = format!("server {server} {promise}, but {has} is saved");
    let hint = match exchanged {
        true => {
            "term and vote are read in another order than they were written: look at \
             `read_persisted` and at what restores the state"
        }
        false => {
            "save term, vote and log before the handler returns, on every path; or they are read in \
             another order than written"
        }
    };
    Err(Box::new(
        //= state.saved
        verdict("saved before answered", words)
            .fact(server, format!("server {server} {promise}"))
            .fact(server, format!("its persister holds {has}"))
            .hint(hint)
            .build(),
    ))
}
