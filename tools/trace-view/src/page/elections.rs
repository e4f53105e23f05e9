//! Elections as the messages show them, and appends that are refused again and again.

use std::collections::{BTreeMap, BTreeSet};

use run_record::names::Name;
use run_record::trace::{Event, Role, Trace, What};
use serde::Serialize;
use serde_json::Value;

use crate::fields::{Kind, answer, is_pre_vote, number, object};
use crate::groups;
use crate::replay::Replay;

/// A candidacy with the votes that it asked for and got, and what came of it. Numbers are those of
/// events.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Election {
    pub(super) term: Option<u64>,
    pub(super) candidate: u32,
    /// The first request and the last thing that belongs to it.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) granted: Vec<Vote>,
    pub(super) refused: u64,
    /// When it led.
    pub(super) won: Option<u64>,
    /// How many votes it had then, its own included; or in the end.
    pub(super) votes: u64,
    /// It led with fewer than a majority.
    pub(super) few: bool,
    /// Another server led the same term.
    pub(super) twice: bool,
    /// Votes of earlier terms that came while it was a candidate, if it led with too few of its own.
    pub(super) stale: Vec<Stale>,
    /// Who voted for another candidate of the same term too.
    pub(super) double: BTreeSet<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Vote {
    pub(super) voter: u32,
    /// When it was given, and when it came to the candidate.
    pub(super) given: u64,
    pub(super) came: Option<u64>,
    /// It will never come.
    pub(super) lost: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Stale {
    pub(super) voter: u32,
    pub(super) term: Option<u64>,
    pub(super) came: u64,
}

/// A leader and a follower that come no further: the same place, over and over.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    pub(super) leader: u32,
    pub(super) follower: u32,
    pub(super) term: Option<u64>,
    pub(super) prev: Option<u64>,
    pub(super) prev_term: Option<u64>,
    pub(super) count: u64,
    /// The first and the last refusal.
    pub(super) first: u64,
    pub(super) last: u64,
}

/// So many refusals in a row are worth a word.
const MANY: u64 = 4;

/// A call that the lists are about.
struct Call<'t> {
    kind: Kind,
    /// A vote that promises nothing elects nobody.
    is_pre_vote: bool,
    from: u32,
    to: u32,
    sent: u64,
    args: &'t Value,
}

/// What is gathered on the way through a trace.
#[derive(Default)]
pub(super) struct Elections<'t> {
    pub(super) elections: Vec<Election>,
    pub(super) refused: Vec<Refused>,
    calls: BTreeMap<u64, Call<'t>>,
    /// By term and candidate.
    places: BTreeMap<(Option<u64>, u32), usize>,
    /// The place of a call's election and of its vote in it.
    votes: BTreeMap<u64, (usize, usize)>,
    /// By leader and follower, the run of refusals that is not over.
    open: BTreeMap<(u32, u32), Refused>,
    /// By lane: the number of the first server of its group, and how many they are.
    groups: Vec<(usize, usize)>,
}

/// All of a trace.
pub(super) fn of(trace: &Trace) -> Elections<'_> {
    let mut replay = Replay::new(trace);
    let group = |lane| {
        let lanes = groups::with(trace, lane);
        (lanes.first().copied().unwrap_or(lane), lanes.len())
    };
    let groups = (0..replay.servers().len()).map(group).collect();
    let mut all = Elections { groups, ..Elections::default() };
    while let Some(event) = replay.step() {
        all.look_at(event);
        if let (Some(lane), What::State(_) | What::Inferred { .. }) = (event.lane, &event.what)
            && let Some(server) = replay.server(lane)
            && server.role == Some(Role::Leader)
        {
            all.leads(lane, server.term, event.n);
        }
    }
    for (_, run) in std::mem::take(&mut all.open) {
        all.refusals_end(run);
    }
    all.refused.sort_by_key(|run| run.first);
    all.count();
    all
}

impl<'t> Elections<'t> {
    fn look_at(&mut self, event: &'t Event) {
        match &event.what {
            What::Sent { call, to, method, args, .. } => {
                let Some(from) = event.lane else { return };
                let (kind, is_pre_vote) = (Kind::of(method, args), is_pre_vote(method, args));
                let sent = Call { kind, is_pre_vote, from, to: *to, sent: event.n, args };
                if kind == Kind::Vote && !is_pre_vote {
                    self.asks(&sent);
                }
                self.calls.insert(*call, sent);
            }
            What::Replied { call, reply, .. } => {
                let Some(asked) = self.calls.get(call) else { return };
                match (asked.kind, answer(object(reply))) {
                    (Kind::Vote, _) if asked.is_pre_vote => {}
                    (Kind::Vote, Some(yes)) => self.votes_for(*call, event.n, yes),
                    (Kind::Append | Kind::Heartbeat, Some(yes)) => {
                        self.answers_append(*call, event.n, yes);
                    }
                    _ => {}
                }
            }
            What::Returned { call } => self.vote_came(*call, Some(event.n)),
            What::Lost { call, .. } | What::Failed { call } => self.vote_came(*call, None),
            _ => {}
        }
    }

    fn election(&self, call: &Call<'_>) -> Option<usize> {
        let term = number(object(call.args), Name::Term);
        self.places.get(&(term, call.from)).copied()
    }

    fn asks(&mut self, call: &Call<'_>) {
        let term = number(object(call.args), Name::Term);
        let (candidate, first) = (call.from, call.sent);
        self.places.entry((term, candidate)).or_insert_with(|| {
            let election = Election { term, candidate, first, last: first, ..Election::default() };
            self.elections.push(election);
            self.elections.len() - 1
        });
    }

    fn votes_for(&mut self, number: u64, given: u64, yes: bool) {
        let call = &self.calls[&number];
        let voter = call.to;
        let Some(place) = self.election(call).filter(|_| voter != call.from) else {
            return; // its own vote, which counts whether or not it asks itself for it
        };
        let election = &mut self.elections[place];
        if !yes {
            election.refused += 1;
            return;
        }
        let vote = Vote { voter, given, came: None, lost: false };
        match election.granted.iter().position(|known| known.voter == voter) {
            // One that has come counts, whatever comes later.
            Some(known) if election.granted[known].came.is_some() => {}
            Some(known) => {
                election.granted[known] = vote;
                self.votes.insert(number, (place, known));
            }
            None => {
                election.granted.push(vote);
                self.votes.insert(number, (place, election.granted.len() - 1));
            }
        }
    }

    fn vote_came(&mut self, call: u64, at: Option<u64>) {
        let Some((election, vote)) = self.votes.get(&call).copied() else { return };
        let election = &mut self.elections[election];
        let vote = &mut election.granted[vote];
        vote.lost = at.is_none() && vote.came.is_none();
        vote.came = vote.came.or(at);
        election.last = election.last.max(at.unwrap_or(0));
    }

    /// Some say a new term a moment before they step down: only who stood for election can lead.
    fn leads(&mut self, lane: u32, term: Option<u64>, at: u64) {
        if let Some(place) = self.places.get(&(term, lane)) {
            self.elections[*place].won.get_or_insert(at);
        }
    }

    fn answers_append(&mut self, number_of_call: u64, at: u64, yes: bool) {
        let call = &self.calls[&number_of_call];
        let (leader, follower, args) = (call.from, call.to, object(call.args));
        let number = |name| number(args, name);
        let term = number(Name::Term);
        let (prev, prev_term) = (number(Name::PrevIndex), number(Name::PrevTerm));
        let before = self.open.remove(&(leader, follower));
        if yes {
            before.into_iter().for_each(|run| self.refusals_end(run));
            return;
        }
        let run = match before {
            Some(run) if (run.term, run.prev) == (term, prev) => {
                Refused { count: run.count + 1, last: at, ..run }
            }
            other => {
                other.into_iter().for_each(|run| self.refusals_end(run));
                Refused { leader, follower, term, prev, prev_term, count: 1, first: at, last: at }
            }
        };
        self.open.insert((leader, follower), run);
    }

    fn refusals_end(&mut self, run: Refused) {
        if run.count >= MANY {
            self.refused.push(run);
        }
    }

    /// Votes, when all is known.
    fn count(&mut self) {
        let groups = std::mem::take(&mut self.groups);
        let group =
            |one: &Election| groups.get(one.candidate as usize).copied().unwrap_or_default();
        let mut leaders: BTreeMap<(Option<u64>, usize), u64> = BTreeMap::new();
        for one in self.elections.iter().filter(|one| one.won.is_some()) {
            *leaders.entry((one.term, group(one).0)).or_default() += 1;
        }
        for one in &mut self.elections {
            let in_time = |came: u64| one.won.is_none_or(|won| came <= won);
            let counted = one.granted.iter().filter(|vote| vote.came.is_some_and(in_time));
            one.votes = 1 + counted.count() as u64;
            let (first, servers) = group(one);
            one.twice = one.won.is_some() && leaders[&(one.term, first)] > 1;
            one.few = one.won.is_some() && one.votes <= servers as u64 / 2;
        }
        let double = self.double_votes();
        for place in 0..self.elections.len() {
            self.elections[place].stale = self.stale_votes(place);
        }
        for one in &mut self.elections {
            let voters: Vec<u32> = one.voters().collect();
            let twice = |voter: &u32| double.contains(&(one.term, *voter));
            one.double = voters.into_iter().filter(twice).collect();
        }
        self.leave_out();
    }

    /// Of very many elections those that cannot be right are kept, and the last ones.
    fn leave_out(&mut self) {
        const MOST: usize = 2000;
        let surplus = self.elections.len().saturating_sub(MOST);
        let mut place = 0;
        self.elections.retain(|one| {
            place += 1;
            place > surplus || one.few || one.twice || !one.double.is_empty()
        });
    }

    fn stale_votes(&self, place: usize) -> Vec<Stale> {
        let new = &self.elections[place];
        let Some(won) = new.won.filter(|_| new.few) else { return Vec::new() };
        let earlier = self.elections.iter();
        let earlier = earlier.filter(|one| one.candidate == new.candidate && one.term < new.term);
        let votes = earlier.flat_map(|one| {
            let term = one.term;
            one.granted
                .iter()
                .filter_map(move |vote| Some(Stale { voter: vote.voter, term, came: vote.came? }))
        });
        votes.filter(|vote| vote.came > new.first && vote.came <= won).collect()
    }

    /// The terms and the servers that voted for two candidates in them.
    fn double_votes(&self) -> BTreeSet<(Option<u64>, u32)> {
        let mut seen = BTreeSet::new();
        let all = self.elections.iter().flat_map(|one| one.voters().map(|voter| (one.term, voter)));
        all.filter(|vote| !seen.insert(*vote)).collect()
    }
}

impl Election {
    /// Who voted for it, the candidate included.
    fn voters(&self) -> impl Iterator<Item = u32> {
        self.granted.iter().map(|vote| vote.voter).chain([self.candidate])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{call, leads, trace, vote};
    use super::*;

    #[test]
    fn an_election_has_its_votes_and_its_end() {
        let mut events = vote(1, 0, 1, 3, true);
        events.extend(vote(2, 0, 2, 3, false));
        events.push(leads(0, 3));
        let trace = trace(&events);
        let [one] = &of(&trace).elections[..] else { panic!("one election") };
        assert_eq!((one.term, one.candidate, one.first, one.won), (Some(3), 0, 1, Some(9)));
        assert_eq!((one.votes, one.refused, one.few, one.twice), (2, 1, false, false));
        assert_eq!(one.granted, [Vote { voter: 1, given: 3, came: Some(4), lost: false }]);
        assert!(one.stale.is_empty() && one.double.is_empty());
    }

    #[test]
    fn what_cannot_be_right_is_marked() {
        // Server 2 votes twice in term 3, and server 1 leads term 4 by a vote of term 3.
        let mut events = vote(1, 0, 2, 3, true);
        events.push(leads(0, 3));
        events.extend(vote(2, 1, 2, 3, true));
        let old = events.pop().expect("the vote comes");
        events.extend(vote(3, 1, 0, 4, false));
        events.push(old);
        events.push(leads(1, 4));
        let trace = trace(&events);
        let all = of(&trace).elections;
        let [first, second, third] = &all[..] else { panic!("three elections") };
        assert_eq!((&first.double, &second.double), (&[2].into(), &[2].into()));
        assert!(third.few && !first.few, "one vote of three");
        let term = Some(3);
        assert_eq!(third.stale, [Stale { voter: 2, term, came: 13 }]);
    }

    #[test]
    fn a_candidate_that_asks_itself_has_one_vote_of_its_own() {
        let mut events = vote(1, 0, 0, 3, true);
        events.extend(vote(2, 0, 1, 3, false));
        events.push(leads(0, 3));
        events.extend(vote(3, 2, 2, 4, false));
        let trace = trace(&events);
        let [one, other] = &of(&trace).elections[..] else { panic!("two elections") };
        assert_eq!((one.votes, one.refused, one.few), (1, 1, true));
        assert!(one.granted.is_empty() && one.double.is_empty());
        assert_eq!((other.votes, other.refused), (1, 0));
    }

    #[test]
    fn a_vote_that_promises_nothing_elects_nobody() {
        let args = json!({ "term": 3, "pre_vote": true });
        let events = call(1, (0, 1), "Raft.RequestVote", args, json!({ "granted": true }));
        assert!(of(&trace(&events)).elections.is_empty());
    }

    #[test]
    fn a_pre_vote_that_comes_late_is_no_vote_of_the_election_behind_it() {
        let ask = |number: u64, from: u32, to: u32, pre_vote: bool, yes: bool| {
            let args = json!({ "term": 3, "candidate_id": from, "pre_vote": pre_vote });
            call(number, (from, to), "Raft.RequestVote", args, json!({ "vote_granted": yes }))
        };
        // Server 0 asks both whether they would vote, and stands as soon as server 1 would. Server 2 says that it
        // would when it votes for server 1 already.
        let late = ask(1, 0, 2, true, true);
        let mut events = vec![late[0].clone()];
        events.extend(ask(2, 0, 1, true, true));
        events.extend(ask(3, 0, 1, false, true));
        events.extend(ask(4, 1, 2, false, true));
        events.extend(late[1..].iter().cloned());
        events.push(leads(0, 3));
        let trace = trace(&events);
        let all = of(&trace).elections;
        let [first, second] = &all[..] else { panic!("two elections") };
        assert_eq!((first.candidate, first.votes, first.few), (0, 2, false));
        assert_eq!((second.candidate, second.votes), (1, 2));
        let voters = |one: &Election| one.granted.iter().map(|vote| vote.voter).collect::<Vec<_>>();
        assert_eq!((voters(first), voters(second)), (vec![1], vec![2]));
        assert!(!first.double.contains(&2) && !second.double.contains(&2));
    }

    #[test]
    fn refusals_at_the_same_place_are_counted() {
        let append = |number, prev: u64, yes: bool| {
            let args =
                json!({ "term": 3, "prev_log_index": prev, "prev_log_term": 1, "entries": [] });
            call(number, (0, 1), "Raft.AppendEntries", args, json!({ "term": 3, "success": yes }))
        };
        let mut events: Vec<_> = (1..=5).flat_map(|number| append(number, 7, false)).collect();
        events.extend((6..=8).flat_map(|number| append(number, 6, false)));
        events.extend(append(9, 5, true));
        let trace = trace(&events);
        let [run] = &of(&trace).refused[..] else { panic!("three are not many") };
        assert_eq!((run.leader, run.follower, run.count, run.prev), (0, 1, 5, Some(7)));
        assert_eq!((run.first, run.last), (3, 19));
    }
}
