//! Rules about what followers answer to AppendEntries (paper, section 5.3).
//!
//! - A yes says that the log holds the entry at `prevLogIndex`.
//! - What a follower has accepted from a leader stays as long as that leader's term.
//! - A candidate follows the leader of its term (section 5.2).

use labtrace::{Verdict, verdict};
use raft_api::{Persisted, SavedEntry};

use super::calls::{Append, Asked, Call, Delivered};
use super::evidence::{Deaf, Held, Suspicion};
use super::judge::{Checked, Judge, Means};
use super::persister::Look;
use super::reigns::{Accepted, Refused};
use super::saved::check_entry_saved;
use super::understanding::missing as rules;
use super::understanding::{Missing, Place, Reply};

/// Who begins an election asks for votes within this time.
const STANDS_WITHIN_US: u64 = 100_000;

impl Judge {
    /// A follower has answered.
    pub(super) fn answers(
        &mut self,
        call: &Call,
        delivered: Delivered,
        append: Append,
        reply: Reply,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        match reply.yes {
            Some(true) => {
                self.check_stale(call, delivered, append.term, us)?;
                if means.missing.allows(&rules::CHECKED) {
                    self.check_prev(call, delivered, append, us)?;
                }
                let look = match self.is_news(call, delivered, append) {
                    true => means.saved.since(call.to, delivered),
                    false => Look::IfCheap,
                };
                let place = self.accept(call, append, reply, us, means.missing)?;
                self.servers[call.to].promise(append.term, us);
                match means.saved.look(call.to, look) {
                    Some(saved) => check_entry_saved(call.to, append, place, reply, saved),
                    None => Ok(()),
                }
            }
            Some(false) => {
                self.refuse(call, delivered, append, reply, us, means)?;
                // Who refuses may send the request's term back.
                if reply.term == Some(append.term) {
                    return Ok(());
                }
                match means.saved.look(call.to, Look::IfCheap) {
                    Some(saved) => super::saved::check_term_saved(call.to, reply, saved),
                    None => Ok(()),
                }
            }
            None => {
                // Whatever it means, its server may keep in mind what it was told.
                self.servers[call.to].tell(append.term, append.commit, 0, us);
                Ok(())
            }
        }
    }

    /// True if this instance has not accepted as much before in this term.
    fn is_news(&self, call: &Call, delivered: Delivered, append: Append) -> bool {
        let accepted = self.reigns.of(append.term).and_then(|reign| reign.kept[call.to]);
        let has = |accepted: Accepted| {
            accepted.instance == delivered.instance && accepted.place.index >= append.last.index
        };
        append.brings_some() && !accepted.is_some_and(has)
    }

    /// A yes to entries behind a place says that the log has the entry there.
    fn check_prev(&self, call: &Call, delivered: Delivered, append: Append, us: u64) -> Checked {
        let Append { prev, .. } = append;
        let server = call.to;
        // Which entry it is, the request does not say.
        if prev.term == 0 {
            return Ok(());
        }
        let known = &self.servers[server];
        // With nothing else delivered in between, the log is as it was.
        if let Some(held) = delivered.held.filter(|_| known.appends == delivered.appends)
            && held.place.index >= prev.index
            && self.is_still(server, held)
            && let Some(term) = self.reigns.of(held.in_term).and_then(|r| r.terms.at(prev.index))
            && term != prev.term
        {
            return Err(self.accepted_conflict(call, held, prev, term, us));
        }
        let made = self.reigns.of(prev.term).is_some_and(|reign| reign.leader == server)
            || self.elections.stood(server, prev.term);
        let in_snapshot = prev.index <= known.snapshot_upto;
        if made || in_snapshot || known.may_have_been_sent(prev) {
            return Ok(());
        }
        let words = format!(
            "server {server} accepted what follows entry {} of term {}, which it cannot have",
            prev.index, prev.term
        );
        Err(Box::new(
            //= append.matches
            verdict("accepted after a look", words)
                .index(prev.index)
                .fact_at(call.sent_us, call.from, sent(call, append))
                .fact_at(us, server, format!("server {server} said yes"))
                .fact(
                    server,
                    format!("no entry {} of term {} was ever sent to it", prev.index, prev.term),
                )
                .hint(LOOK)
                .build(),
        ))
    }

    /// A server's own entries may be lost in a restart, if nobody was told that it has them.
    pub(super) fn is_still(&self, server: usize, held: Held) -> bool {
        held.leader != server || held.instance == self.servers[server].instance
    }

    fn accepted_conflict(
        &self,
        call: &Call,
        held: Held,
        prev: Place,
        term: u64,
        us: u64,
    ) -> Box<Verdict> {
        let server = call.to;
        let words = format!(
            "server {server} accepted what follows entry {} of term {}, but its own entry there is of \
             term {term}",
            prev.index, prev.term
        );
        let has = match held.leader == server {
            true => format!("as leader of term {}, server {server} sent it", held.in_term),
            false => format!("server {server} accepted it from server {}", held.leader),
        };
        let has = format!("{has}: entry {} of term {term}", prev.index);
        Box::new(
            verdict("accepted after a look", words)
                .index(prev.index)
                .fact_at(held.us, server, has)
                .fact_at(
                    us,
                    server,
                    format!("server {server} said yes to prevLogTerm {}", prev.term),
                )
                .hint(LOOK)
                .build(),
        )
    }

    /// A follower has accepted: up to where. What it had refused in this term, it refused in this term.
    fn accept(
        &mut self,
        call: &Call,
        append: Append,
        reply: Reply,
        us: u64,
        missing: &Missing,
    ) -> Checked<Place> {
        let Append { term, last, .. } = append;
        let (server, leader) = (call.to, call.from);
        if let Some(suspicion) = self.servers[server].suspicion.take_if(|s| s.term == term)
            && (suspicion.resent || suspicion.is_resent_by(append.prev.index))
        {
            return Err(suspicion.verdict);
        }
        let (place, kept) = self.accepts_upto(call, append, reply);
        let Some(reign) = self.reigns.of_mut(term) else { return Ok(last) };
        reign.refused[server] = Refused::default();
        reign.taken[server] = reign.taken[server].max(last.index);
        let instance = self.servers[server].instance;
        let accepted = Accepted { place, us, at: self.now, instance };
        self.reigns.accept(term, server, accepted, kept);
        if let Some(call) = self.calls.get_mut(call.number) {
            (call.accepted, call.kept) = (Some(place), Some(kept));
        }
        let known = &mut self.servers[server];
        known.follows(term);
        known.tell(term, append.commit, last.index, us);
        if missing.allows(&rules::CHECKED) {
            known.holds(Held { place: kept, leader, in_term: term, us, instance });
        }
        Ok(kept)
    }

    /// Up to where a yes accepts: what its leader may count, and what the follower must keep.
    fn accepts_upto(&mut self, call: &Call, append: Append, reply: Reply) -> (Place, Place) {
        let Append { term, prev, last, .. } = append;
        let Some(upto) = reply.upto else { return (last, last) };
        let is_less = upto < prev.index.max(1) && !reply.exact;
        let for_refusals = is_less && self.is_number_for_refusals(upto);
        self.yes_has_number |= upto > 0;
        // It may say up to where it is by now, if that is more.
        let is_more = upto > last.index && upto <= self.may_have_accepted(call.to, call.from, term);
        let known = self.reigns.of(term).and_then(|reign| reign.terms.at(upto));
        let said = Place { index: upto, term: known.unwrap_or(0) };
        match () {
            () if for_refusals => (last, last),
            // Perhaps the rest is not on its disk yet, and perhaps it did not fill in the number.
            () if is_less => (last, said),
            // It may have accepted less.
            () if upto < last.index || is_more => (said, said),
            () => (last, last),
        }
    }

    /// A reply that is no yes to entries may tell, too, up to where its server has accepted what this leader has sent
    /// it: so much the leader may count. More is not promised by it.
    pub(super) fn says_accepted(&mut self, call: &Call, reply: Reply, us: u64) {
        let is_other = match call.asked {
            Asked::Append(_) => reply.yes != Some(true),
            Asked::Install(_) | Asked::Beat { .. } => true,
            Asked::Vote { .. } | Asked::Nothing => false,
        };
        let (Some(term), Some(index), true) = (call.asked.term(), reply.upto, is_other) else {
            return;
        };
        let in_term = reply.term.is_none_or(|shown| shown == term);
        if !in_term || index == 0 || index > self.may_have_accepted(call.to, call.from, term) {
            return;
        }
        let Some(reign) = self.reigns.of(term) else { return };
        let place = Place { index, term: reign.terms.at(index).unwrap_or(0) };
        let instance = self.servers[call.to].instance;
        self.reigns.may_count(term, call.to, Accepted { place, us, at: self.now, instance });
        if let Some(call) = self.calls.get_mut(call.number) {
            call.accepted = Some(place);
        }
    }

    /// A yes to what is beyond its number contradicts it. If nobody has said yes with another number than 0, and something
    /// is committed all the same, it was not counted by such numbers.
    fn is_number_for_refusals(&self, upto: u64) -> bool {
        let has_applied = || self.servers.iter().any(|server| server.applied > 0);
        upto == 0 && !self.yes_has_number && (has_applied() || self.reigns.says_committed())
    }

    /// Up to where a follower may have accepted by now what this leader has sent it, be its answers lost or late, or has
    /// what is committed.
    fn may_have_accepted(&self, server: usize, leader: usize, term: u64) -> u64 {
        let open = self.calls.open_at(server).filter(|open| open.from == leader);
        let open = open.filter_map(|open| open.asked.append()).filter(|open| open.term == term);
        let had = self.reigns.of(term).map(|reign| reign.taken[server]);
        let had = open.map(|open| open.last.index).chain(had).max();
        had.unwrap_or(0).max(self.reigns.committed)
    }

    /// A follower has refused. Is it something that it has accepted?
    fn refuse(
        &mut self,
        call: &Call,
        delivered: Delivered,
        append: Append,
        reply: Reply,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let Append { term, prev, last, .. } = append;
        let server = call.to;
        self.suspect_deaf(call, delivered, append, reply, us, means.missing);
        // What is committed it may keep in mind, whoever says so, until a request of this leader or a later one has
        // checked so much.
        self.servers[server].tell(term, append.commit, 0, us);
        let known = &self.servers[server];
        let Some(reign) = self.reigns.of_mut(term) else { return Ok(()) };
        if reply.term.is_none_or(|shown| shown == term) {
            let refused = &mut reign.refused[server];
            let count = if refused.prev == prev.index { refused.count + 1 } else { 1 };
            *refused = Refused { prev: prev.index, count };
        }
        let Some(had) = reign.kept[server] else { return Ok(()) };
        // A copy of a request is never the newest, whatever it is a copy of.
        let newest = known.newest.get(&call.from) == Some(&call.number);
        // Nor is one that ends before what the server may have taken since: that is an old one to it.
        let ends_it = last.index >= reign.taken[server];
        let fresh = newest && ends_it && known.open == 0 && call.sent_at > had.at;
        let covers = prev.index <= had.place.index && had.place.index <= last.index;
        let in_term = reply.term.is_none_or(|shown| shown == term) && known.promised.term <= term;
        if !(fresh && covers && in_term && means.missing.allows(&rules::ACCEPTED)) {
            return Ok(());
        }
        let restarted = had.instance != known.instance;
        let verdict = lost_entries(call, term, prev.index, had, restarted, us);
        // What it has put into a snapshot meanwhile it may refuse.
        let in_snapshot = self.snapshots_seen && prev.index < self.can_know(server);
        // Its term may have gone on without a word, or it is busy: what it has saved tells, or its next yes in this term.
        match means.saved.look(server, Look::Surely) {
            Some(saved) if saved.log_base > prev.index => Ok(()),
            Some(saved) if saved.term == term && !holds(saved, had.place) => Err(verdict),
            Some(saved) if saved.term == term => Ok(()),
            None if in_snapshot => Ok(()),
            _ => {
                let known = &mut self.servers[server].suspicion;
                if known.as_ref().is_none_or(|known| known.term != term) {
                    let refused = prev.index;
                    *known = Some(Suspicion { term, refused, resent: false, verdict });
                }
                Ok(())
            }
        }
    }
}

/// Candidates that do not follow.
impl Judge {
    /// "If AppendEntries RPC received from new leader: convert to follower" (Figure 2, Rules for candidates).
    /// A candidate that refuses the first request of its term's leader, though its log holds what is before
    /// the entries, is suspected: it may be in a later term already, of which it has said nothing yet. If it refuses
    /// the next one as well, it does not follow.
    fn suspect_deaf(
        &mut self,
        call: &Call,
        delivered: Delivered,
        append: Append,
        reply: Reply,
        us: u64,
        missing: &Missing,
    ) {
        let Append { term, prev, .. } = append;
        let (leader, server) = (call.from, call.to);
        let in_term = reply.term.is_none_or(|shown| shown == term);
        let known = &mut self.servers[server];
        if let Some(deaf) = &mut known.deaf {
            // What is before its entries was in the log, too.
            let may_follow = call.sent_us > deaf.us && prev.index <= deaf.log_end;
            if deaf.term == term && in_term && may_follow {
                deaf.again_us.get_or_insert(us);
            }
        }
        let stood = self.elections.stood(server, term)
            && (delivered.promised.term, delivered.instance) == (term, known.instance);
        let first_since = known
            .log_end
            .filter(|(_, appends)| delivered.appends == appends + 1)
            .map(|(end, _)| end);
        if !(stood && in_term && first_since == Some(prev) && missing.allows(&rules::FOLLOWS)) {
            return;
        }
        let words = format!(
            "server {server}, a candidate of term {term}, refuses to follow server {leader}, the leader of \
             that term"
        );
        let has = match prev.index {
            0 => "its log is empty, and the request brings entries from 1 on, or none".to_string(),
            index => {
                format!("its log ends with entry {index} of term {}, as the leader says", prev.term)
            }
        };
        //= candidates.leader
        let verdict = verdict("a candidate follows", words)
            .fact_at(call.sent_us, leader, sent(call, append))
            .fact(server, has)
            .fact_at(us, server, format!("server {server} refuses"))
            .hint(
                "an AppendEntries of the candidate's own term comes from the leader of that term: become a \
                 follower and go on as one",
            )
            .build();
        let verdict = Box::new(verdict);
        let (log_end, again_us) = (prev.index, None);
        self.servers[server].deaf = Some(Deaf { term, us, log_end, again_us, verdict });
    }

    /// Who stands for the next term was in the one before until now, or until just now. Once it may have been busy, and
    /// have followed all the same.
    pub(super) fn check_deaf(&mut self, server: usize, term: u64, us: u64) -> Checked {
        // Who asks once more in its term is still in it.
        let known = &mut self.servers[server].deaf;
        let Some(deaf) = known.take_if(|deaf| deaf.term < term) else { return Ok(()) };
        let is_next = deaf.term.checked_add(1) == Some(term);
        match deaf.again_us.is_some_and(|again| us >= again + STANDS_WITHIN_US) && is_next {
            true => Err(deaf.verdict),
            false => Ok(()),
        }
    }
}

/// True if a saved log has an entry there, and it is of this term if that is known.
fn holds(saved: &Persisted, place: Place) -> bool {
    match saved.entry(place.index) {
        SavedEntry::OfTerm(term) => place.term == 0 || term == place.term,
        SavedEntry::InSnapshot => true,
        SavedEntry::Missing => false,
    }
}

fn sent(call: &Call, append: Append) -> String {
    let Append { term, prev, .. } = append;
    format!(
        "server {} sent AppendEntries of term {term} with prevLogIndex {} and prevLogTerm {}",
        call.from, prev.index, prev.term
    )
}

fn lost_entries(
    call: &Call,
    term: u64,
    prev: u64,
    had: Accepted,
    restarted: bool,
    us: u64,
) -> Box<Verdict> {
    let (leader, server, upto) = (call.from, call.to, had.place.index);
    let words = format!(
        "server {server} accepted entries up to {upto} from server {leader} in term {term}, and has \
         lost some of them"
    );
    //= append.conflict, install.keep
    let broken = verdict("accepted entries stay", words)
        .index(prev)
        .fact_at(had.us, server, format!("server {server} accepted entries up to {upto}"))
        .fact_at(us, server, format!("now it refuses entries that follow entry {prev}"));
    let (broken, hint) = match restarted {
        true => (
            broken.detail(format!("server {server} was restarted in between")),
            "it forgot in the restart what it had accepted: entries must be saved before they are \
             accepted, and read when the server is made",
        ),
        false => (
            broken,
            "the log was cut off by an old, delayed AppendEntries: cut only where an entry conflicts",
        ),
    };
    Box::new(broken.hint(hint).build())
}

/// What usually leads to a yes without a look.
const LOOK: &str = "a heartbeat is an AppendEntries: \"reply false if log doesn't contain an entry at \
     prevLogIndex whose term matches prevLogTerm\" holds for it too";

#[cfg(test)]
mod tests {
    use super::super::calls::Sent;
    use super::super::evidence::Promise;
    use super::super::understanding::Request;
    use super::*;

    fn place(index: u64, term: u64) -> Place {
        Place { index, term }
    }

    /// Server 0 leads term 4 and calls server 1. Entry 3 of its log is of term 3; 6, 7 and 8 are of term 4.
    fn asks(prev: Place, last: Place, sent_at: u64) -> (Judge, Call, Append) {
        let mut judge = Judge::new(3);
        (0..3).for_each(|server| judge.started(server, 1));
        let reign = judge.reigns.led_by(0, 4);
        for known in [place(3, 3), place(6, 4), place(8, 4)] {
            reign.terms.add(known).expect("it fits");
        }
        let append = Append { term: 4, prev, last, commit: 0, may_be_told_to_stand: false };
        let (from, to, request) = (0, 1, Request::Nothing);
        let sent = Sent { call: 9, from, instance: 1, to, request, us: 0 };
        let call = Call::new(&sent, 1, Asked::Append(append), sent_at);
        judge.calls.insert(call);
        (judge, call, append)
    }

    #[test]
    fn a_follower_has_accepted_as_much_as_it_says_if_it_may_have_it() {
        let accepts = |upto| {
            let (mut judge, call, append) = asks(place(0, 0), place(5, 4), 1);
            judge.reigns.committed = 7;
            let reply = Reply::new(4, true, upto);
            let place = judge.accept(&call, append, reply, 0, &Missing::default());
            let place = place.expect("nothing is broken");
            assert_eq!(judge.calls.get(9).expect("it is open").accepted, Some(place));
            let held = judge.servers[1].held().expect("it has accepted");
            assert_eq!((held.place, held.leader, held.in_term), (place, 0, 4));
            place
        };
        assert_eq!(accepts(None), place(5, 4));
        // Less: its log is shorter, whatever the term of the entry there.
        assert_eq!(accepts(Some(3)), place(3, 3));
        assert_eq!(accepts(Some(4)), place(4, 0));
        assert_eq!(accepts(Some(5)), place(5, 4));
        // More, and it is committed; more than anybody can have from a leader.
        assert_eq!(accepts(Some(6)), place(6, 4));
        assert_eq!(accepts(Some(7)), place(7, 4));
        assert_eq!(accepts(Some(8)), place(5, 4));
    }

    /// What was sent before a follower accepted may have reached it before, too.
    #[test]
    fn only_what_was_sent_after_it_accepted_is_held_against_a_follower() {
        let is_suspected = |sent_at, open| {
            let (mut judge, call, append) = asks(place(3, 3), place(6, 4), sent_at);
            let accepted = Accepted { place: place(3, 3), us: 0, at: 5, instance: 1 };
            judge.reigns.accept(4, 1, accepted, accepted.place);
            judge.servers[1].reached(0, 9, 4, 0);
            judge.servers[1].open = open;
            let (promised, instance) = (Promise::default(), 1);
            let delivered = Delivered { instance, promised, held: None, appends: 1, saves: 0 };
            let reply = Reply::new(4, false, None);
            Means::with(&Missing::default(), |means| {
                judge
                    .refuse(&call, delivered, append, reply, 0, means)
                    .expect("it may yet be right");
            });
            judge.servers[1].suspicion.is_some()
        };
        assert!(is_suspected(6, 0));
        assert!(!is_suspected(5, 0));
        assert!(!is_suspected(4, 0));
        // Another one is under way that it may have handled before.
        assert!(!is_suspected(6, 1));
    }
}
