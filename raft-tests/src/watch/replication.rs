//! What must hold between a leader and its followers, as their messages show it.
//!
//! - A leader says that an entry is committed only if a majority has accepted it (section 5.3), and
//!   by counting it commits only entries of its own term (section 5.4.2).
//! - What a follower has accepted from a leader stays as long as that leader's term (section 5.3).
//! - A vote is given only to a candidate whose log is at least as up-to-date (section 5.4.1).
//!
//! Each says no more than the messages prove: what is still under way counts as done where that
//! speaks for the server.

use std::collections::BTreeMap;

use labtrace::{Fact, Verdict, verdict};

use super::message::{AppendEntries, Reply, Request};

/// Fine, or the verdict of a broken rule.
pub(crate) type Checked = Result<(), Box<Verdict>>;

/// What is known of replication in a cluster.
#[derive(Debug, Default)]
pub(crate) struct Replication {
    servers: usize,
    /// By leader and term.
    reigns: BTreeMap<(usize, u64), Reign>,
    calls: BTreeMap<u64, Call>,
    followers: Vec<Follower>,
}

/// A leader in its term.
#[derive(Debug)]
struct Reign {
    /// The commit index that it began with, as far as messages tell.
    first_commit: u64,
    commit: u64,
    /// The last entry that its log is known to have from an earlier term.
    old: Option<Place>,
    /// What each server has accepted from it, up to which index, and when.
    accepted: Vec<Option<(u64, u64)>>,
    refused: Vec<Refused>,
}

/// Refusals in a row of one follower, all with the same `prevLogIndex`.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    prev: u64,
    count: u64,
}

/// An entry's index and term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    index: u64,
    term: u64,
}

impl Place {
    fn of((index, term): (u64, u64)) -> Place {
        Place { index, term }
    }

    /// What logs are compared by.
    fn up_to_date(self) -> (u64, u64) {
        (self.term, self.index)
    }
}

/// A server as a follower.
#[derive(Clone, Copy, Debug, Default)]
struct Follower {
    /// What it has accepted from the latest leader: the leader, its term, the last entry, and when.
    last: Option<Accepted>,
    /// How many AppendEntries have reached it, and how many of them it has not answered.
    delivered: u64,
    open: u64,
}

#[derive(Clone, Copy, Debug)]
struct Accepted {
    leader: usize,
    in_term: u64,
    entry: Place,
    us: u64,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Append {
        from: usize,
        to: usize,
        term: u64,
        prev: Place,
        last: Place,
        /// Up to where the follower had accepted entries when this reached it.
        had: Option<u64>,
        open: bool,
    },
    Vote {
        from: usize,
        to: usize,
        term: u64,
        /// The last entry of the candidate's log.
        last: Place,
        /// What the voter had accepted when this reached it, and how many AppendEntries had come.
        voter: Option<(Accepted, u64)>,
    },
}

impl Replication {
    pub(crate) fn new(servers: usize) -> Replication {
        let followers = vec![Follower::default(); servers];
        Replication { servers, followers, ..Replication::default() }
    }

    /// A live server has sent a request; `last` is the last entry of an AppendEntries.
    pub(crate) fn sent(
        &mut self,
        call: u64,
        (from, to): (usize, usize),
        request: &Request<'_>,
        last: Option<(u64, u64)>,
    ) -> Checked {
        match request {
            Request::Vote { term, last: Some(last) } => {
                let last = Place::of(*last);
                self.calls.insert(call, Call::Vote { from, to, term: *term, last, voter: None });
                Ok(())
            }
            Request::Append(AppendEntries { term, prev: Some(prev), commit, .. }) => {
                let (term, prev) = (*term, Place::of(*prev));
                let last = last.map_or(prev, Place::of);
                let open = false;
                let append = Call::Append { from, to, term, prev, last, had: None, open };
                self.calls.insert(call, append);
                self.leads(from, term, [prev, last], *commit)
            }
            _ => Ok(()),
        }
    }

    fn reign(&mut self, leader: usize, term: u64, commit: u64) -> &mut Reign {
        let servers = self.servers;
        self.reigns.entry((leader, term)).or_insert_with(|| Reign {
            first_commit: commit,
            commit,
            old: None,
            accepted: vec![None; servers],
            refused: vec![Refused::default(); servers],
        })
    }

    /// A leader has these entries, and says that so much is committed.
    fn leads(&mut self, leader: usize, term: u64, has: [Place; 2], commit: Option<u64>) -> Checked {
        let Some(commit) = commit else { return Ok(()) };
        let majority = self.servers / 2 + 1;
        let reign = self.reign(leader, term, commit);
        for place in has.into_iter().filter(|place| place.term < term) {
            if reign.old.is_none_or(|old| old.index < place.index) {
                reign.old = Some(place);
            }
        }
        if commit <= reign.commit {
            return Ok(());
        }
        reign.commit = commit;
        if let Some(old) = reign.old.filter(|old| commit <= old.index) {
            return committed_old_entry(leader, term, commit, old);
        }
        let has = |accepted: &&Option<(u64, u64)>| accepted.is_some_and(|(upto, _)| upto >= commit);
        let count = 1 + reign.accepted.iter().filter(has).count();
        match count < majority && commit > reign.first_commit {
            true => committed_too_early(leader, term, commit, count, &reign.accepted),
            false => Ok(()),
        }
    }

    /// A request reaches its server.
    pub(crate) fn delivered(&mut self, call: u64) {
        match self.calls.get_mut(&call) {
            Some(Call::Append { from, to, term, had, open, .. }) => {
                let reign = self.reigns.get(&(*from, *term));
                *had = reign.and_then(|reign| reign.accepted[*to]).map(|(upto, _)| upto);
                *open = true;
                let follower = &mut self.followers[*to];
                follower.delivered += 1;
                follower.open += 1;
            }
            Some(Call::Vote { to, voter, .. }) => {
                let Follower { last, delivered, open } = self.followers[*to];
                *voter = last.filter(|_| open == 0).map(|last| (last, delivered));
            }
            None => {}
        }
    }

    /// A live server has answered.
    pub(crate) fn replied(&mut self, call: u64, reply: Reply, us: u64) -> Checked {
        self.close(call);
        match (self.calls.get(&call).copied(), reply.yes) {
            (Some(Call::Append { from, to, term, prev, last, had, .. }), Some(yes)) => {
                let reign = self.reign(from, term, 0);
                if yes {
                    reign.refused[to] = Refused::default();
                    if reign.accepted[to].is_none_or(|(upto, _)| upto < last.index) {
                        reign.accepted[to] = Some((last.index, us));
                    }
                    let follower = &mut self.followers[to].last;
                    let news = Accepted { leader: from, in_term: term, entry: last, us };
                    let later =
                        |old: &Accepted| (old.in_term, old.entry.index) < (term, last.index);
                    if follower.as_ref().is_none_or(later) {
                        *follower = Some(news);
                    }
                    return Ok(());
                }
                if reply.term != Some(term) {
                    return Ok(());
                }
                let refused = &mut reign.refused[to];
                let again = refused.prev == prev.index;
                *refused =
                    Refused { prev: prev.index, count: if again { refused.count + 1 } else { 1 } };
                match (had, reign.accepted[to]) {
                    (Some(had), Some((_, then))) if prev.index <= had => {
                        lost_entries(from, to, term, prev.index, had, then)
                    }
                    _ => Ok(()),
                }
            }
            (Some(Call::Vote { from, to, term, last, voter: Some(voter) }), Some(true)) => {
                let (had, delivered) = voter;
                let undisturbed = self.followers[to].delivered == delivered;
                match undisturbed && last.up_to_date() < had.entry.up_to_date() {
                    true => voted_for_older_log(from, to, term, last, had),
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// A call is over.
    pub(crate) fn over(&mut self, call: u64) {
        self.close(call);
        self.calls.remove(&call);
    }

    /// An AppendEntries is no longer being handled.
    fn close(&mut self, call: u64) {
        if let Some(Call::Append { to, open, .. }) = self.calls.get_mut(&call)
            && std::mem::take(open)
        {
            self.followers[*to].open -= 1;
        }
    }

    /// What keeps the latest leader from agreement, as facts of a verdict.
    pub(crate) fn obstacles(&self) -> Vec<Fact> {
        /// Fewer may be an ordinary repair.
        const MANY: u64 = 3;
        let latest = self.reigns.iter().max_by_key(|((_, term), _)| *term);
        let Some(((leader, term), reign)) = latest else { return Vec::new() };
        let many = reign.refused.iter().enumerate().filter(|(_, refused)| refused.count >= MANY);
        let fact = |(server, refused): (usize, &Refused)| Fact {
            text: format!(
                "server {server} refused the last {} AppendEntries of server {leader} in term \
                 {term}, all with prevLogIndex {}",
                refused.count, refused.prev
            ),
            us: None,
            server: u32::try_from(server).ok(),
        };
        many.map(fact).collect()
    }
}

fn committed_old_entry(leader: usize, term: u64, commit: u64, old: Place) -> Checked {
    let Place { index, term: old_term } = old;
    let words = format!(
        "server {leader}, leader of term {term}, committed entry {commit}, which is of an earlier \
         term, by counting"
    );
    Err(Box::new(
        verdict("old entries are not committed by counting", words)
            .index(commit)
            .fact(leader, format!("server {leader} says that entry {commit} is committed"))
            .fact(
                leader,
                format!("its log has term {old_term} at index {index}, and it leads term {term}"),
            )
            .hint(
                "section 5.4.2: an entry of an earlier term can be on a majority and still be \
                 overwritten; commit by counting only entries of the current term, and older ones \
                 with them",
            )
            .build(),
    ))
}

fn committed_too_early(
    leader: usize,
    term: u64,
    commit: u64,
    count: usize,
    accepted: &[Option<(u64, u64)>],
) -> Checked {
    let words = format!(
        "server {leader}, leader of term {term}, says that entry {commit} is committed, but only \
         {count} of {} servers have it",
        accepted.len()
    );
    let mut broken = verdict("committed by a majority", words)
        .index(commit)
        .fact(leader, format!("server {leader} says that entry {commit} is committed"));
    for (server, accepted) in accepted.iter().enumerate().filter(|(server, _)| *server != leader) {
        broken = match accepted {
            Some((upto, us)) => {
                broken.fact_at(*us, server, format!("server {server} accepted up to entry {upto}"))
            }
            None => broken.fact(server, format!("server {server} accepted nothing in this term")),
        };
    }
    Err(Box::new(
        broken
            .hint(
                "matchIndex must be what the follower has accepted, prevLogIndex + the number of \
                 entries *of that request*: not nextIndex - 1 or the end of the leader's log, \
                 which have moved on since",
            )
            .build(),
    ))
}

fn lost_entries(
    leader: usize,
    server: usize,
    term: u64,
    prev: u64,
    had: u64,
    then: u64,
) -> Checked {
    let words = format!(
        "server {server} accepted entries up to {had} from server {leader} in term {term}, and has \
         lost some of them"
    );
    Err(Box::new(
        verdict("accepted entries stay", words)
            .index(prev)
            .fact_at(then, server, format!("server {server} accepted entries up to {had}"))
            .fact(server, format!("now it refuses entries that follow entry {prev}"))
            .hint(
                "the log was cut off by an old, delayed AppendEntries (cut only where an entry \
                 conflicts), or was not saved before a restart",
            )
            .build(),
    ))
}

fn voted_for_older_log(
    candidate: usize,
    voter: usize,
    term: u64,
    last: Place,
    had: Accepted,
) -> Checked {
    let Accepted { leader, in_term, entry, us } = had;
    let words = format!(
        "server {voter} voted for server {candidate} in term {term}, whose log is older than its own"
    );
    Err(Box::new(
        verdict("election restriction", words)
            .index(entry.index)
            .fact_at(
                us,
                voter,
                format!(
                    "server {voter} accepted entry {} of term {} from server {leader} in term \
                     {in_term}",
                    entry.index, entry.term
                ),
            )
            .fact(
                candidate,
                format!(
                    "the log of server {candidate} ends with entry {} of term {}",
                    last.index, last.term
                ),
            )
            .hint(
                "section 5.4.1: compare the terms of the last entries first, and their indexes \
                 only if the terms are equal",
            )
            .build(),
    ))
}
