//! Which situations a run comes into, as its messages and the tester show them.
//!
//! Nothing here is a rule, and nobody is accused: what is seen is counted. It is told of the same events
//! as the rules, and keeps its own record of them, which is simpler than theirs: where a rule must be
//! sure, this may take what is likely for true. A follower's log, say, is what it has accepted.
//!
//! | file | situations |
//! |---|---|
//! | `elections` | of votes, candidates and terms |
//! | `leaders` | of leaders that are deposed, and of what becomes of their entries |
//! | `logs` | of entries that are refused, cut off or there already |
//! | `order` | of messages that come in another order than they were sent in |
//! | `seen` | none: whether a run is like another one |
//! | this one | of servers that crash |

use std::collections::{BTreeMap, BTreeSet};

use run_record::coverage::Coverage;
use run_record::situations::{self, Layer, Situation, Situations};

use super::calls::{Asked, copy_of, original_of};
use super::understanding::Reply;
use elections::Elections;
use leaders::Leaders;
use logs::Logs;
use order::Order;
use seen::{Event, Seen};

mod elections;
mod leaders;
mod logs;
mod order;
mod seen;
#[cfg(test)]
mod tests;

/// Counts the situations of a run.
#[derive(Debug, Default)]
pub(crate) struct Spotter {
    counts: Counts,
    servers: Vec<Server>,
    /// The calls that are under way.
    calls: BTreeMap<u64, Call>,
    /// Copies of requests that have not reached their server. A call may be over by then.
    copies: BTreeMap<u64, Call>,
    /// From whom nothing reaches whom.
    cut: BTreeSet<(usize, usize)>,
    /// It is told of accepted commands. Of a service nobody tells: then a leader has accepted what it sends.
    hears_commands: bool,
    elections: Elections,
    leaders: Leaders,
    logs: Logs,
    order: Order,
    /// None if nobody wants to know.
    seen: Option<Seen>,
}

/// How often each was seen; those that were not are there, too.
#[derive(Debug)]
struct Counts(situations::Counts);

impl Default for Counts {
    fn default() -> Counts {
        Counts(situations::Counts::of(Layer::Raft))
    }
}

impl Counts {
    fn add(&mut self, situation: Situation) {
        self.0.add(situation, 1, labtrace::now_us);
    }

    fn add_if(&mut self, is_there: bool, situation: Situation) {
        if is_there {
            self.add(situation);
        }
    }
}

/// What is known of a server.
#[derive(Clone, Copy, Debug, Default)]
struct Server {
    alive: bool,
    /// Which instance of it, from 1 on.
    instance: u64,
    /// The highest term that it has shown or was told.
    term: u64,
    role: Role,
    /// Its term when it crashed, until it has spoken since.
    crashed_in: Option<u64>,
    /// How often it has saved something.
    saves: u64,
    /// What it has been told, or says itself, to be committed.
    commit: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Follower,
    Candidate,
    Leader,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Call {
    from: usize,
    /// Which instance of the caller.
    instance: u64,
    to: usize,
    /// Which instance of the server that is called: the request reaches this one or none.
    to_instance: u64,
    asked: Asked,
    /// How often the server had saved something when the request reached it.
    delivered: Option<u64>,
    /// The request will not arrive, or who has it will not answer any more.
    lost: bool,
    reply: Option<Reply>,
}

impl Call {
    /// It comes from a leader.
    fn is_leaders(&self) -> bool {
        matches!(self.asked, Asked::Append(_) | Asked::Install(_) | Asked::Beat { .. })
    }
}

impl Spotter {
    /// `covers`: somebody wants to know what was seen besides.
    pub(crate) fn new(servers: usize, covers: bool) -> Spotter {
        Spotter {
            seen: covers.then(|| Seen::new(servers)),
            servers: vec![Server::default(); servers],
            logs: Logs::new(servers),
            leaders: Leaders::new(servers),
            ..Spotter::default()
        }
    }

    /// What was seen.
    pub(crate) fn seen(&self) -> Situations {
        self.counts.0.all()
    }

    /// The same and more, for a search. What is not a situation only if that was wanted from the beginning.
    pub(crate) fn coverage(&self) -> Coverage {
        let mut all = self.seen.as_ref().map(Seen::all).unwrap_or_default();
        all.add(self.counts.0.coverage());
        all
    }

    /// True if a server leads, as far as it knows, while another one leads a later term.
    pub(crate) fn is_deposed(&self, server: usize) -> bool {
        let Server { alive, role, term, .. } = self.servers[server];
        alive && role == Role::Leader && self.elections.has_leader_after(term)
    }

    // ---- Servers -------------------------------------------------------------------------------

    pub(crate) fn started(&mut self, server: usize, instance: u64) {
        let known = &mut self.servers[server];
        (known.alive, known.role, known.instance) = (true, Role::Follower, instance);
        known.commit = 0;
        self.see(server, Event::Starts);
    }

    /// A server has crashed. If that was in the middle of a save, it was told already.
    pub(crate) fn crashed(&mut self, server: usize) {
        self.dies(server, false);
    }

    /// A server crashes in the middle of a save, and what it was about to save is there or not. It is dead from here on,
    /// though that it has crashed is told only when it leaves the network.
    pub(crate) fn torn(&mut self, server: usize, kept: bool) {
        self.dies(server, kept);
    }

    /// A server is dead from now on, if it was not before; `kept`: the last that it did was to save something.
    fn dies(&mut self, server: usize, kept: bool) {
        let known = self.servers[server];
        if !known.alive {
            return;
        }
        let saves = known.saves + u64::from(kept);
        let unanswered = |call: &Call| {
            call.to == server
                && call.reply.is_none()
                && !call.lost
                && call.delivered.is_some_and(|then| then < saves)
        };
        let before_reply = self.calls.values().any(unanswered);
        self.counts.add_if(before_reply, Situation::CrashBeforeReply);
        // Of a copy nobody hears that it is over. And who crashes once more does not lose the same again.
        self.calls.retain(|&number, call| {
            let is_there = call.to == server && call.delivered.is_some();
            call.lost |= is_there && call.reply.is_none();
            !is_there || number == original_of(number)
        });
        let known = &mut self.servers[server];
        (known.alive, known.crashed_in) = (false, Some(known.term));
        self.elections.crashed(server);
        let all = self.servers.iter().all(|server| !server.alive && server.instance > 0);
        self.counts.add_if(all, Situation::AllDown);
        self.see(server, Event::Crashes);
    }

    pub(crate) fn saved(&mut self, server: usize, instance: u64) {
        let known = &mut self.servers[server];
        known.saves += u64::from(known.alive && known.instance == instance);
    }

    /// A server has accepted a command as this entry.
    pub(crate) fn accepted(&mut self, server: usize, index: u64, term: u64) {
        self.hears_commands = true;
        self.logs.appends(server, index, term);
        self.counts.add_if(self.is_in_vain(server, term), Situation::StaleLeaderAccepts);
        self.see(server, Event::Accepts);
    }

    /// What a leader of a term takes now, it will not commit unless something changes: another one leads a later term, or
    /// it reaches no majority.
    fn is_in_vain(&self, leader: usize, term: u64) -> bool {
        let is_cut = |ways: [(usize, usize); 2]| ways.iter().any(|way| self.cut.contains(way));
        let reaches = |&other: &usize| {
            let both_ways = [(leader, other), (other, leader)];
            other == leader || self.servers[other].alive && !is_cut(both_ways)
        };
        let reached = (0..self.servers.len()).filter(reaches).count();
        self.elections.has_leader_after(term) || reached <= self.servers.len() / 2
    }

    /// What one server sends reaches another one from now on, or does not.
    pub(crate) fn way(&mut self, from: usize, to: usize, open: bool) {
        match open {
            true => self.cut.remove(&(from, to)),
            false => self.cut.insert((from, to)),
        };
    }

    /// A server has a snapshot of its own of all up to an index.
    pub(crate) fn snapshot(&mut self, server: usize, index: u64) {
        self.logs.snapshot(server, index);
    }

    /// A server begins a message with its own term.
    fn speaks(&mut self, server: usize, term: u64) {
        let known = &mut self.servers[server];
        let within = known.crashed_in.take() == Some(term) && term > 0;
        self.counts.add_if(within, Situation::RestartWithinTerm);
        known.term = known.term.max(term);
    }

    // ---- Messages ------------------------------------------------------------------------------

    /// A server has sent a request.
    pub(crate) fn sent(&mut self, number: u64, from: usize, to: usize, asked: Asked) {
        let Some(term) = asked.term() else { return };
        let Server { alive, instance, .. } = self.servers[from];
        if !alive {
            return;
        }
        let to_instance = self.servers[to].instance;
        let (delivered, lost, reply) = (None, false, None);
        let call = Call { from, instance, to, to_instance, asked, delivered, lost, reply };
        match asked {
            Asked::Vote { .. } => self.stands(from, term),
            _ => self.leads(&call, term),
        }
        self.speaks(from, term);
        self.calls.insert(number, call);
        self.see(from, Event::Sends(asked));
    }

    fn stands(&mut self, server: usize, term: u64) {
        if !self.elections.stands(server, term) {
            return;
        }
        let before = self.servers[server].term;
        let from_leader = |call: &Call| {
            let to_it = call.to == server && call.to_instance == self.servers[server].instance;
            let under_way = to_it && call.delivered.is_none() && !call.lost;
            let arrives = under_way && !self.cut.contains(&(call.from, server));
            arrives && call.is_leaders() && call.asked.term() == Some(before)
        };
        let too_early = self.calls.values().any(from_leader);
        self.counts.add_if(too_early, Situation::TimeoutWhileHeartbeatTravels);
        self.servers[server].role = Role::Candidate;
    }

    fn leads(&mut self, call: &Call, term: u64) {
        if self.servers[call.from].term > term {
            return; // prepared before it was deposed
        }
        self.servers[call.from].role = Role::Leader;
        self.elections.leads(call.from, term, &mut self.counts);
        if let Some(append) = call.asked.append() {
            let is_new = self.logs.shows(call.from, append.last) && append.last.term == term;
            let accepted = is_new && !self.hears_commands && self.is_in_vain(call.from, term);
            self.counts.add_if(accepted, Situation::StaleLeaderAccepts);
        }
        let Some(commit) = commit_of(call.asked) else { return };
        self.knows_committed(call.from, commit);
        self.leaders.commits((call.from, term), commit, &self.logs, &mut self.counts);
    }

    /// A request is lost: it will not reach its server.
    pub(crate) fn lost(&mut self, number: u64) {
        self.calls.entry(number).and_modify(|call| call.lost = true);
    }

    /// The network has made a copy of a request, which is a call of its own from when it arrives. Nobody hears its answer.
    pub(crate) fn duplicated(&mut self, number: u64) {
        if let Some(call) = self.calls.get(&number) {
            let copy = Call { delivered: None, lost: false, reply: None, ..*call };
            self.copies.insert(copy_of(number), copy);
        }
    }

    /// The copy of a request is answered.
    pub(crate) fn copy_is_over(&mut self, copy: u64) {
        self.calls.remove(&copy);
    }

    /// A request has reached its server, or the copy of one. That may be a dead one, whose successor runs perhaps: a request
    /// goes to the very instance that was there when it was sent.
    pub(crate) fn delivered(&mut self, number: u64) {
        self.calls.extend(self.copies.remove_entry(&number));
        let Some(call) = self.calls.get_mut(&number) else { return };
        let server = self.servers[call.to];
        if !server.alive || server.instance != call.to_instance {
            if number != original_of(number) {
                self.calls.remove(&number); // of a copy nobody hears that it is over
            }
            return;
        }
        call.delivered = Some(server.saves);
        let call = *call;
        let term = call.asked.term().unwrap_or(0);
        if call.is_leaders() && server.role == Role::Candidate && server.term == term {
            self.counts.add(Situation::CandidateHearsLeader);
            self.servers[call.to].role = Role::Follower;
        }
        if let Asked::Vote { term, .. } = call.asked {
            self.elections.asked((call.from, call.to), term, &mut self.counts);
        }
        self.order.delivered(
            original_of(number),
            (call.from, call.to),
            call.asked,
            &mut self.counts,
        );
        if let Asked::Install(install) = call.asked {
            let old = install.last.index < self.logs.base(call.to);
            self.counts.add_if(old, Situation::SnapshotOld);
        }
        self.hears_of(call.to, term, Situation::DeposedByRequest);
        if let Some(commit) = commit_of(call.asked).filter(|_| term >= server.term) {
            self.knows_committed(call.to, commit);
        }
        self.see(call.to, Event::Hears(call.asked, server.term));
    }

    fn knows_committed(&mut self, server: usize, commit: u64) {
        let known = &mut self.servers[server];
        known.commit = known.commit.max(commit);
    }

    /// A server hears of a term.
    fn hears_of(&mut self, server: usize, term: u64, situation: Situation) {
        let known = &mut self.servers[server];
        if term <= known.term {
            return;
        }
        let (role, reigned) = (known.role, known.term);
        (known.term, known.role) = (term, Role::Follower);
        if role == Role::Leader {
            self.counts.add(situation);
            self.leaders.deposed((server, reigned), &self.logs, &mut self.counts);
        }
    }

    /// A server has answered.
    pub(crate) fn replied(&mut self, number: u64, reply: Reply) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.delivered.is_none() || call.lost || !self.servers[call.to].alive {
            return;
        }
        call.reply = Some(reply);
        let call = *call;
        let (from, to, asked) = (call.from, call.to, call.asked.term().unwrap_or(0));
        if let Some(term) = reply.term {
            self.speaks(to, term);
        }
        let is_stale = reply.term.is_some_and(|term| term > asked);
        match (call.asked, reply.yes) {
            (Asked::Vote { term, .. }, Some(true)) => self.elections.votes(to, term, from),
            (Asked::Vote { term, .. }, Some(false)) => self.elections.refuses(to, term, from),
            (Asked::Append(append), Some(true)) => {
                self.logs.accepts(from, to, append, &mut self.counts);
                self.leaders.overwrites(to, &self.logs, &mut self.counts);
            }
            (Asked::Append(_) | Asked::Beat { .. }, Some(false)) if is_stale => {
                self.counts.add(Situation::StaleLeaderRefused);
            }
            (Asked::Append(append), Some(false)) => {
                let short = self.logs.last(to) < append.prev.index;
                self.counts.add_if(short, Situation::FollowerTooShort);
            }
            (Asked::Install(install), _) if !is_stale && install.done => {
                self.logs.installs(from, to, install.last);
            }
            _ => {}
        }
        self.see(to, Event::Answers(call, reply));
    }

    /// A call is over: its caller has the answer, or will never have one.
    pub(crate) fn over(&mut self, number: u64, failed: bool) {
        let Some(call) = self.calls.remove(&number) else { return };
        let caller = self.servers[call.from];
        if !caller.alive || caller.instance != call.instance {
            return;
        }
        let reply = call.reply.filter(|_| !failed);
        if let Some(reply) = reply {
            self.returns(number, &call, caller, reply);
        }
        self.see(call.from, Event::Learns(call, reply, caller.term));
    }

    /// The caller has an answer.
    fn returns(&mut self, number: u64, call: &Call, caller: Server, reply: Reply) {
        let asked = call.asked.term().unwrap_or(0);
        self.counts.add_if(caller.term > asked, Situation::ReplyToEarlierTerm);
        if let Asked::Append(append) = call.asked {
            self.order.returned(number, (call.from, call.to), &mut self.counts);
            if reply.yes == Some(true) && caller.role == Role::Leader && caller.term == append.term
            {
                let leader = (call.from, append.term);
                self.leaders.counts(leader, call.to, append.last.index, &self.logs);
            }
        }
        if let Some(term) = reply.term {
            self.hears_of(call.from, term, Situation::DeposedByReply);
        }
    }
}

/// What a leader says to be committed.
fn commit_of(asked: Asked) -> Option<u64> {
    match asked {
        Asked::Append(append) => Some(append.commit),
        Asked::Beat { commit, .. } => Some(commit),
        _ => None,
    }
}
