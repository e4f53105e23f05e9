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

/// A vote is saved. In a later term it may have been given to another one since. Who follows the leader of the term may
/// have noted that one as its vote meanwhile: nobody else can be elected any more. `leads` tells whether a server is
/// elected in this term.
pub(super) fn check_vote_saved(
    (candidate, voter): (usize, usize),
    term: u64,
    reply: Reply,
    saved: &Persisted,
    leads: impl Fn(usize) -> bool,
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
        Some(vote) if vote == candidate || leads(vote) => Ok(()),
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

/// Why what is saved cannot be a log. Its terms never fall from one entry to the next, and none is later than the
/// server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disorder {
    /// The entry with this index is of an earlier term than the one before it.
    Falls { index: u64, before: u64, term: u64 },
    /// The entry with this index is of a later term than the saved one, which is `current`.
    Ahead { index: u64, term: u64, current: u64 },
}

impl Disorder {
    /// The first one in a saved log. To look costs less than what it took to read the log.
    pub(crate) fn of(saved: &Persisted) -> Option<Disorder> {
        // Before the first entry of all there is none, whatever is said of its term.
        let base_term = if saved.log_base == 0 { 0 } else { saved.log_base_term };
        let terms = &saved.log_terms;
        let mut neighbours = std::iter::once(&base_term).chain(terms).zip(terms);
        let index = |place: usize| saved.log_base.saturating_add(place as u64 + 1);
        if let Some(place) = neighbours.position(|(before, term)| term < before) {
            let before = place.checked_sub(1).map_or(base_term, |before| terms[before]);
            return Some(Disorder::Falls { index: index(place), before, term: terms[place] });
        }
        let (term, current) = (terms.last().copied().unwrap_or(base_term), saved.term);
        let place = terms.iter().position(|term| *term > current);
        let index = place.map_or(saved.log_base, index);
        let term = place.map_or(term, |place| terms[place]);
        (term > current).then_some(Disorder::Ahead { index, term, current })
    }
}

/// A saved log is one (Figure 3, Log Matching: an entry follows the same entry in all logs, and each leader appends what
/// is of its own term).
pub(super) fn check_log(server: usize, disorder: Option<Disorder>) -> Checked {
    let broken = match disorder {
        None => return Ok(()),
        Some(Disorder::Falls { index, before, term }) => {
            let words = format!(
                "in the saved log of server {server} entry {index} of term {term} follows one of term {before}"
            );
            let has = format!(
                "its persister holds entry {} of term {before}, and entry {index} of term {term}",
                index - 1
            );
            //= append.conflict
            let broken = verdict("a saved log", words).index(index).fact(server, has);
            broken.hint(
                "section 5.3: entries in conflict are deleted with all that follow them. What follows a \
                 new entry is at least as new",
            )
        }
        Some(Disorder::Ahead { index, term, current }) => {
            let words = format!(
                "server {server} has saved entry {index} of term {term}, and term {current} as its own"
            );
            let has = format!("its persister holds entry {index} of term {term}");
            //= state.saved
            let broken = verdict("a saved log", words).index(index).fact(server, has);
            broken.fact(server, format!("its persister holds term {current}")).hint(
                "currentTerm is saved whenever it changes, is never taken back, and no entry is appended before \
                 its leader's term was taken over",
            )
        }
    };
    Err(Box::new(broken.build()))
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
