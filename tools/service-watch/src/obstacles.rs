//! What stands in the way when clients wait and nothing comes, as facts of a verdict.
//!
//! These are no accusations: each may be in order by itself.

use std::collections::BTreeMap;

use labtrace::Fact;

use crate::operations::{Entry, Operation};
use crate::tries::{How, Try};
use crate::{Change, State};

/// What is younger may be answered soon, in microseconds.
const LONG_US: u64 = 500_000;

/// A client that has asked so often has not been left waiting: it was sent on, or its calls have failed.
const OFTEN: u64 = 20;

/// What usually keeps a client waiting whom servers answer, and who asks again after each answer.
const REFUSED_AGAIN: &str = "nobody leaves the client waiting: it was refused each time that it was answered, and asks \
     again and again. Either no server can do what is asked (none leads; in lab 4, no group serves the shard), or one \
     refuses for a reason that does not pass: that a key has no value is an answer, and no refusal";

/// What usually keeps a client waiting whose calls all go to one server that it does not reach.
const STICKS: &str = "the clerk asks one server again and again though its calls fail: a server that does not answer may \
     be down or cut off, so the next call goes to another one, as after a refusal";

/// Of several things of a kind the first ones tell enough.
const SHOWN: usize = 4;

impl State {
    /// What clients wait for: the operation that has waited longest, whom its client has asked and what they
    /// said, where its entry stands; and who else waits.
    pub(crate) fn clients_wait(&self, us: u64) -> Vec<Fact> {
        let mut open: Vec<&Operation> = self.operations.under_way().collect();
        open.sort_by_key(|operation| operation.began);
        let Some((longest, others)) = open.split_first() else { return Vec::new() };
        let asked: u64 = longest.tries.iter().map(|one| one.count).sum();
        let asked = match asked {
            0 => "nobody".to_string(),
            1 => "once".to_string(),
            _ => format!("{asked} times"),
        };
        let text = format!(
            "{} has waited {:.1} s for {}, and has asked {asked}",
            longest.name,
            seconds(us.saturating_sub(longest.began)),
            longest.asked.text
        );
        let mut facts = vec![fact(text, Some(longest.began), Some(longest.lane))];
        facts.extend(self.who_was_asked(longest));
        facts.extend(self.where_it_stands(longest));
        facts.extend(who_else_waits(others));
        facts
    }

    /// What usually keeps a client from its answer that has waited as the longest of all does, if that can be told
    /// from how its calls have ended.
    pub(crate) fn why_clients_wait(&self, us: u64) -> Option<&'static str> {
        let longest = self.operations.under_way().min_by_key(|operation| operation.began)?;
        let tries = || longest.tries.iter();
        let waits = |one: &Try| matches!(one.how, How::Reached) && one.us + LONG_US <= us;
        if tries().any(waits) {
            return None;
        }
        let answered: u64 = tries().map(|one| one.answered).sum();
        let most = tries().max_by_key(|one| one.failed)?;
        let others: u64 = tries().map(|one| one.count).sum::<u64>() - most.count;
        if most.failed >= OFTEN && most.answered == 0 && others * OFTEN <= most.count {
            return Some(STICKS);
        }
        (answered >= OFTEN).then_some(REFUSED_AGAIN)
    }

    /// What became of the last calls for an operation, each kind of end once.
    fn who_was_asked(&self, operation: &Operation) -> Vec<Fact> {
        let mut alike: Vec<(String, Vec<&Try>)> = Vec::new();
        for one in operation.tries.iter() {
            let text = match &one.how {
                How::Reached => "got its request, and did not answer".to_string(),
                How::Answered(answer) => format!("answered it: {}", answer.text()),
                How::Failed => "could not be reached, or gave no answer in time".to_string(),
                How::OnItsWay => "did not get the last request yet".to_string(),
            };
            match alike.iter_mut().find(|(known, _)| *known == text) {
                Some((_, who)) => who.push(one),
                None => alike.push((text, vec![one])),
            }
        }
        // Who does not answer comes first.
        alike.sort_by_key(|(_, who)| !matches!(who[0].how, How::Reached));
        let fact = |(text, who): (String, Vec<&Try>)| {
            let first = who.iter().min_by_key(|one| one.us).expect("somebody is in it");
            let servers: Vec<_> = who.iter().map(|one| one.server).collect();
            self.of_servers(&servers, &text, first.us)
        };
        alike.into_iter().map(fact).collect()
    }

    /// Where the latest entries of a write stand, and whether they are committed.
    fn where_it_stands(&self, operation: &Operation) -> Vec<Fact> {
        let writes = operation.asked.change != Change::Nothing;
        let understands = self.operations.understands(&operation.asked) && !self.operations.hides();
        if writes && operation.entries.is_empty() && understands {
            let text = "no entry that holds it has been sent by anybody".to_string();
            return vec![fact(text, None, None)];
        }
        let fact = |entry: &Entry| {
            let Fact { text, us, server } = self.entry_fact(entry);
            let below = &self.groups[entry.place.group].below;
            let (index, servers) =
                (entry.place.index, self.groups[entry.place.group].members.count());
            let knows =
                |server: &usize| below.can_know(*server).is_some_and(|known| known >= index);
            let who = (0..servers).filter(knows).map(|server| (entry.place.group, server));
            let who: Vec<_> = who.collect();
            let stands = match below.committed_term_at(index) {
                Some(term) if term != entry.term => String::new(), // that is said already
                _ if who.is_empty() => "; nobody can know that it is committed".to_string(),
                _ => format!("; {} can know that it is committed", self.names(&who)),
            };
            Fact { text: text + &stands, us, server }
        };
        operation.entries.iter().rev().take(SHOWN).map(fact).collect()
    }

    /// The servers of a group that have not answered requests of clients; who has done so longest comes first.
    pub(crate) fn servers_keep_waiting(&self, group: usize, us: u64) -> Vec<Fact> {
        let servers = self.groups[group].servers.iter().enumerate();
        let mut keep: Vec<_> = servers
            .filter_map(|(server, seen)| {
                let waits = seen.waiting.values();
                let waits = waits.filter(|waiting| !waiting.is_over(&self.operations));
                let oldest = waits.clone().min_by_key(|waiting| waiting.since())?;
                if us < oldest.since() + LONG_US {
                    return None;
                }
                let (method, client) = oldest.what();
                let client = self.operations.name_of(client);
                let count = match waits.count() {
                    1 => "1 request".to_string(),
                    count => format!("{count} requests"),
                };
                let waited = seconds(us.saturating_sub(oldest.since()));
                let text = format!(
                    "kept {count} of clients waiting up to the end, the oldest for {waited:.1} s: {method} of \
                     {client}"
                );
                Some((oldest.since(), text, server))
            })
            .collect();
        keep.sort();
        let mut alike: BTreeMap<(u64, String), Vec<(usize, usize)>> = BTreeMap::new();
        for (since, text, server) in keep {
            alike.entry((since, text)).or_default().push((group, server));
        }
        let facts = alike.into_iter().take(SHOWN);
        facts.map(|((since, text), who)| self.of_servers(&who, &text, since)).collect()
    }

    /// A fact about one server or several, by their groups and their numbers there.
    fn of_servers(&self, who: &[(usize, usize)], text: &str, us: u64) -> Fact {
        let lane = who.first().map(|(group, server)| self.groups[*group].members.lane(*server));
        fact(format!("{} {text}", self.names(who)), Some(us), lane)
    }

    /// `server 1`, `servers 0, 1`, `servers 100-0, 101-2`.
    fn names(&self, who: &[(usize, usize)]) -> String {
        let name = |(group, server): &(usize, usize)| {
            let members = &self.groups[*group].members;
            members.name(*server).to_string()
        };
        let mut names: Vec<String> = who.iter().map(name).collect();
        names.sort();
        format!("server{} {}", if names.len() > 1 { "s" } else { "" }, names.join(", "))
    }
}

fn who_else_waits(others: &[&Operation]) -> Option<Fact> {
    let since = |of: &&Operation| {
        format!("{} since {:.3} s for {}", of.name, seconds(of.began), of.asked.text)
    };
    let shown: Vec<_> = others.iter().take(SHOWN).map(since).collect();
    let more = match others.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let text = format!("others wait, too: {}{more}", shown.join(", "));
    (!others.is_empty()).then(|| fact(text, None, None))
}

fn fact(text: String, us: Option<u64>, server: Option<u32>) -> Fact {
    Fact { text, us, server }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
