//! What stands in the way when the cluster makes no progress, as facts of a verdict.
//!
//! These are no accusations: each may be in order by itself.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use labtrace::Fact;

use super::calls::Call;
use super::judge::Judge;
use super::reigns::Refused;
use super::understanding::Missing;
use super::understanding::missing as rules;
use super::votes::{Refusal, Vote};

/// What is younger may be on its way still.
pub(crate) const LONG_US: u64 = 500_000;
/// A call that was open for so long tells of a peer that does not answer.
const STUCK_US: u64 = 1_500_000;
/// So many refusals in a row are no ordinary repair any more.
const MANY: u64 = 3;

impl Judge {
    /// What keeps the cluster from agreement; what stands in the way most comes first.
    ///
    /// `waits` has a line for each task of a server that has waited for long.
    pub(crate) fn obstacles(&self, us: u64, missing: &Missing, waits: &[Vec<String>]) -> Vec<Fact> {
        if self.servers.iter().all(|server| !server.alive) {
            return vec![fact("no server runs".to_string(), None, None)];
        }
        let mut facts = Vec::new();
        let mut stuck = BTreeSet::new();
        if missing.allows(&rules::COMMITTED) {
            facts.extend(self.not_committed(us));
            facts.extend(self.not_applied(us));
            stuck.extend(facts.iter().filter_map(|fact| fact.server));
        }
        facts.extend(self.refused_without_end());
        facts.extend(self.snapshots_not_sent());
        facts.extend(self.snapshots_waited_for());
        facts.extend(self.elections_without_end());
        facts.extend(self.refused_votes());
        facts.extend(self.elections_while_heard());
        let calls = [self.not_answered(us), self.waits_for_calls(us)].concat();
        stuck.extend(calls.iter().filter_map(|fact| fact.server));
        facts.extend(calls);
        let starts = self.starts_that_wait(us);
        stuck.extend(starts.iter().filter_map(|fact| fact.server));
        facts.extend(starts);
        facts.extend(what_waits(&stuck, waits));
        facts
    }

    /// A majority has what the leader does not commit.
    fn not_committed(&self, us: u64) -> Option<Fact> {
        let (term, reign) = self.reigns.last()?;
        let (leader, committed) = (reign.leader, reign.committed);
        let runs = self.servers[leader].alive;
        // What all have is committed, too, but a leader need not count what is of an earlier term.
        let own = reign.terms.at(committed) == Some(term);
        if !runs || !own || committed <= reign.commit || us < reign.committed_us + LONG_US {
            return None;
        }
        let who: BTreeSet<usize> = reign.holders(committed).chain([leader]).collect();
        let text = format!(
            "{} have entry {committed} of term {term}, a majority, but server {leader}, leader of term \
             {term}, says that {} are committed",
            names(&who),
            reign.commit
        );
        Some(fact(text, Some(reign.committed_us), Some(leader)))
    }

    /// Servers that were told what they do not apply.
    fn not_applied(&self, us: u64) -> Vec<Fact> {
        if !self.hears_applied {
            return Vec::new();
        }
        // Of each leader a log may hold an entry that the service does not see.
        let applies = self.servers.iter().any(|server| server.applied > 0);
        let unseen = if applies && !self.all_applied { self.reigns.terms_led() as u64 } else { 0 };
        let behind = self.servers.iter().enumerate().filter_map(|(number, server)| {
            let (term, told) = server.told_last()?;
            // One that was restarted has to be told again.
            let due = told.commit.min(told.checked).min(server.heard_now);
            let since = told.us.max(server.heard_now_us);
            let late = server.alive && server.applied + unseen < due && us >= since + LONG_US;
            let text = format!(
                "server {number} was told in term {term} that entry {due} is committed and has \
                 accepted it, but has applied only {}",
                server.applied
            );
            late.then(|| fact(text, Some(told.us), Some(number)))
        });
        behind.collect()
    }

    fn refused_without_end(&self) -> Vec<Fact> {
        let Some((term, reign)) = self.reigns.last() else { return Vec::new() };
        let mut by_text: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (server, refused) in reign.refused.iter().enumerate() {
            if refused.count >= MANY {
                let text = format!(
                    "refused the last {} AppendEntries of server {} in term {term}, all with \
                     prevLogIndex {}",
                    refused.count, reign.leader, refused.prev
                );
                by_text.entry(text).or_default().insert(server);
            }
        }
        by_text.into_iter().map(|(text, who)| of_several(&who, &text)).collect()
    }

    /// Followers that refuse all, of a leader that has forgotten entries and sends no snapshot.
    fn snapshots_not_sent(&self) -> Vec<Fact> {
        let Some((term, reign)) = self.reigns.last() else { return Vec::new() };
        let (leader, base) = (reign.leader, self.servers[reign.leader].base.index);
        // Behind that it has entries still, and may go back to them.
        let refuse = reign.refused.iter().enumerate();
        let refuse = refuse.filter(|(_, refused)| refused.count >= MANY && refused.prev <= base);
        let without = refuse.filter(|(server, _)| !self.sendings.any((leader, *server), term));
        let fact = |(server, _): (usize, &Refused)| {
            let text = format!(
                "server {leader}, leader of term {term}, has saved a log that begins behind entry {base}; \
                 server {server} refuses what it sends, and no InstallSnapshot was sent to it"
            );
            fact(text, None, Some(leader))
        };
        if base > 0 { without.map(fact).collect() } else { Vec::new() }
    }

    /// Calls with a snapshot that were open for long, while the same server answered others. Of several pairs of
    /// servers the one is told that has most of them.
    fn snapshots_waited_for(&self) -> Option<Fact> {
        let ((from, to), most) = self.slow.failed().max_by_key(|(_, failed)| failed.count)?;
        let others = self.slow.failed().map(|(_, failed)| failed.count).sum::<u64>() - most.count;
        let others = match others {
            0 => String::new(),
            others => format!("; so did {others} between other servers"),
        };
        let text = format!(
            "InstallSnapshot of server {from} to server {to} ended without an answer {} times, after up to {:.1} s, \
             though that server had answered other calls of server {from} meanwhile{others}: it is slow to wait for \
             that",
            most.count,
            most.longest_us as f64 / 1e6
        );
        Some(fact(text, None, Some(from)))
    }

    /// Calls of `start` that do not return.
    fn starts_that_wait(&self, us: u64) -> Vec<Fact> {
        let mut facts: Vec<Fact> = Vec::new();
        for (server, since) in self.starts.values().copied() {
            let known = facts.iter().any(|fact| fact.server == u32::try_from(server).ok());
            if us < since + STUCK_US || !self.servers[server].alive || known {
                continue;
            }
            let text = format!(
                "`start` of server {server} has not returned for {:.1} s: it must never wait, neither for \
                 the commit nor for an answer",
                (us - since) as f64 / 1e6
            );
            facts.push(fact(text, Some(since), Some(server)));
        }
        facts
    }

    fn elections_without_end(&self) -> Option<Fact> {
        let last = self.elections.leaders.last_key_value();
        let since = last.map_or(0, |(term, _)| *term);
        let stood = |((server, term), vote): &(&(usize, u64), &Vote)| {
            *term > since && vote.candidate == *server
        };
        let elections = self.elections.votes.iter().filter(stood);
        let candidates: BTreeSet<usize> =
            elections.clone().map(|((server, _), _)| *server).collect();
        let count = elections.count();
        if count == 0 {
            return None;
        }
        let who = list(&candidates);
        let text = match last {
            Some((term, (leader, ..))) => format!(
                "server {leader} was the last leader, of term {term}; {count} elections since \
                 then, of servers {who}, and none was won"
            ),
            None => format!("{count} elections, of servers {who}, and none was won"),
        };
        Some(fact(text, last.map(|(_, (_, us, _))| *us), None))
    }

    /// The refusals that lost the latest elections, if there were several.
    fn refused_votes(&self) -> Vec<Fact> {
        /// The latest ones tell enough.
        const SHOWN: usize = 4;
        let mut by_text: Vec<(String, u64, Refusal)> = Vec::new();
        for refusal in self.elections.refusals_since_the_last_leader() {
            let text = why_refused(refusal);
            match by_text.iter_mut().find(|(known, ..)| *known == text) {
                Some((_, count, _)) => *count += 1,
                None => by_text.push((text, 1, *refusal)),
            }
        }
        let fact = |(text, count, refusal): (String, u64, Refusal)| {
            let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
            fact(text + &times, Some(refusal.us), Some(refusal.voter))
        };
        by_text.into_iter().take(SHOWN).map(fact).collect()
    }

    fn elections_while_heard(&self) -> Vec<Fact> {
        let often = self.elections.while_heard.iter().filter(|(_, count)| **count >= MANY);
        let fact = |(server, count): (&usize, &u64)| {
            let text = format!(
                "server {server} stood for election {count} times within 100 ms after a message of a \
                 leader had reached it: its timer is not restarted by each of them"
            );
            fact(text, None, Some(*server))
        };
        often.map(fact).collect()
    }

    /// Requests that have reached their server, whose handler does not return.
    fn not_answered(&self, us: u64) -> Vec<Fact> {
        let servers = 0..self.servers.len();
        let oldest =
            servers.filter_map(|server| self.calls.open_at(server).min_by_key(|call| call.sent_at));
        let stuck = oldest.filter(|call| us >= call.sent_us + STUCK_US);
        let fact = |call: &Call| {
            let text = format!(
                "server {} has had {} of server {} for {:.1} s, and has not answered",
                call.to,
                call.asked.name(),
                call.from,
                (us - call.sent_us) as f64 / 1e6
            );
            fact(text, Some(call.sent_us), Some(call.to))
        };
        stuck.map(fact).collect()
    }

    /// Servers that have sent nothing since they called one that does not answer.
    fn waits_for_calls(&self, us: u64) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (server, known) in self.servers.iter().enumerate().filter(|(_, known)| known.alive) {
            let is_own = |call: &&Call| call.from == server && call.instance == known.instance;
            let oldest = self.calls.all().filter(is_own).min_by_key(|call| call.sent_at);
            let (Some(oldest), Some(latest)) = (oldest, known.sent_us) else { continue };
            let open = us.saturating_sub(oldest.sent_us);
            if open < STUCK_US || latest > oldest.sent_us + LONG_US / 5 {
                continue;
            }
            let text = format!(
                "server {server} has waited {:.1} s for the answer of server {} to {}, and has sent \
                 nothing since",
                open as f64 / 1e6,
                oldest.to,
                oldest.asked.name()
            );
            facts.push(fact(text, Some(oldest.sent_us), Some(server)));
        }
        facts
    }
}

/// What tasks of these servers wait for, so far as there are not too many.
fn what_waits(servers: &BTreeSet<u32>, waits: &[Vec<String>]) -> Vec<Fact> {
    /// Of each server.
    const SHOWN: usize = 4;
    let of = |server: &u32| {
        let lines = waits.get(*server as usize).map_or(&[][..], Vec::as_slice);
        let server = *server;
        lines.iter().take(SHOWN).map(move |line| Fact {
            text: line.clone(),
            us: None,
            server: Some(server),
        })
    };
    servers.iter().flat_map(of).collect()
}

/// Why a vote was refused, as far as that is known.
fn why_refused(refusal: &Refusal) -> String {
    let Refusal { voter, candidate, last, own, bound, .. } = *refusal;
    let asked = format!("server {voter} refused its vote to server {candidate}");
    let ends = format!("{} of term {}", last.index, last.term);
    match own {
        _ if bound => format!("{asked}: it had voted for another one, or was in a later term"),
        None => format!("{asked}, whose log ends with entry {ends}"),
        Some((own, exactly)) => {
            let (ours, has) = (own, if exactly { "ends with" } else { "has" });
            let own = format!("its own log {has} entry {} of term {}", ours.index, ours.term);
            match last.up_to_date() < ours.up_to_date() {
                true => format!("{asked}, whose log ends with entry {ends}; {own}"),
                false if exactly => {
                    format!("{asked}, though free: that one's log ends with entry {ends}; {own}")
                }
                false => format!("{asked}, whose log ends with entry {ends}; {own} at least"),
            }
        }
    }
}

fn fact(text: String, us: Option<u64>, server: Option<usize>) -> Fact {
    Fact { text, us, server: server.and_then(|server| u32::try_from(server).ok()) }
}

/// One fact about one server or several.
pub fn of_several(who: &BTreeSet<usize>, text: &str) -> Fact {
    fact(format!("{} {text}", names(who)), None, who.first().copied())
}

/// `server 1`, `servers 0, 1`.
fn names(who: &BTreeSet<usize>) -> String {
    let plural = if who.len() > 1 { "s" } else { "" };
    format!("server{plural} {}", list(who))
}

fn list(who: &BTreeSet<usize>) -> String {
    who.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
