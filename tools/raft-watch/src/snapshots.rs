//! Rules about snapshots that leaders send (paper, section 7 and Figure 13).
//!
//! - A snapshot holds only what is committed, and what its sender can know to be so.
//! - Its last entry is the one that was committed there.
//! - A follower that has got it keeps what it has accepted behind it.
//! - It is not sent over and over again.

use std::collections::BTreeMap;

use labtrace::{VerdictBuilder, verdict};

use super::calls::{Asked, Call, Delivered};
use super::heartbeats::{MOST_HEARTBEATS, WINDOW_US};
use super::judge::{Checked, Judge, Means};
use super::saved::check_term_saved;
use super::understanding::missing as rules;
use super::understanding::{Install, Missing, Place, Reply};

/// How often a leader may send the same snapshot to the same follower within [`WINDOW_US`] with nothing
/// new to say meanwhile: with each heartbeat. And how often in all once the follower has answered that it
/// has come: it may take a while until the follower's service has looked at it, and until then the follower
/// may refuse what follows it.
const MOST_SENT: usize = MOST_HEARTBEATS;

/// What leaders have sent to followers.
#[derive(Debug, Default)]
pub(crate) struct Sendings(BTreeMap<(usize, usize), Sending>);

/// The snapshot that a leader has sent last to a follower.
#[derive(Debug, Default)]
struct Sending {
    term: u64,
    last: Place,
    /// The leader's last entry, as far as it was known.
    shown: u64,
    /// When it was sent once more, without any news in between.
    again: Vec<u64>,
    bytes: u64,
    /// The first message of it, if none says which part it brings.
    part: Option<u64>,
    /// Which instance has answered that the snapshot has come, and when; and how often it was sent since.
    answered: Option<(u64, u64)>,
    after_answer: usize,
    /// A call with it has failed: it must be sent once more.
    failed: bool,
}

impl Sending {
    /// What is wrong, if it was sent too often.
    fn too_often(&self, (from, to): (usize, usize)) -> Option<VerdictBuilder> {
        let (count, after, bytes) = (self.again.len(), self.after_answer, self.bytes);
        let last = self.last.index;
        let sent = format!("server {from} sent server {to} its snapshot of 1 to {last}");
        let broken = |words: String| verdict("snapshots sent again", words).index(last);
        if let Some((_, at)) = self.answered.filter(|_| after > MOST_SENT) {
            let words = format!(
                "{sent} {after} times more after that one had answered: {bytes} bytes in all"
            );
            let answer = format!("server {to} answered that the snapshot has come");
            return Some(broken(words).fact_at(at, to, answer));
        }
        let at = *self.again.first().filter(|_| count > MOST_SENT)?;
        let words = format!("{sent} {count} times within 2 s: {bytes} bytes");
        Some(broken(words).fact_at(at, from, format!("the first of {count} InstallSnapshots")))
    }
}

impl Sendings {
    /// True if a leader has sent a follower a snapshot in this term.
    pub(crate) fn any(&self, (from, to): (usize, usize), term: u64) -> bool {
        self.0.get(&(from, to)).is_some_and(|sending| sending.term == term)
    }

    /// A call has failed.
    pub(crate) fn failed(&mut self, call: &Call) {
        if let Asked::Install(install) = call.asked
            && let Some(sending) = self.0.get_mut(&(call.from, call.to))
        {
            sending.failed |= (sending.term, sending.last) == (install.term, install.last);
        }
    }

    /// An answer has come back to the leader: the snapshot is there.
    fn answered(&mut self, (from, to): (usize, usize), of: Install, instance: u64, us: u64) {
        if let Some(sending) = self.0.get_mut(&(from, to))
            && (sending.term, sending.last) == (of.term, of.last)
        {
            sending.answered.get_or_insert((instance, us));
        }
    }
}

impl Judge {
    /// A leader sends a snapshot, or a part of one.
    pub(super) fn offers(
        &mut self,
        (from, to): (usize, usize),
        install: Install,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        self.snapshots_seen = true;
        self.check_last_included(from, install, us, means.missing)?;
        if means.missing.allows(&rules::SNAPSHOTS)
            && !self.may_be_committed(from, install.last.index, means.missing)
        {
            return Err(self.not_committed_yet(from, install.last.index, "sends", us));
        }
        self.check_resending((from, to), install, us, means.missing)
    }

    /// True if a server can know, as far as can be seen, that all up to an index is committed.
    pub(super) fn may_be_committed(&self, server: usize, index: u64, missing: &Missing) -> bool {
        match missing.allows(&rules::TOLD) {
            true => self.can_know_of(server, index),
            false => index <= self.reigns.committed,
        }
    }

    pub(super) fn not_committed_yet(
        &self,
        server: usize,
        index: u64,
        does: &str,
        us: u64,
    ) -> Box<labtrace::Verdict> {
        let knows = self.can_know(server);
        let words = format!(
            "server {server} {does} a snapshot of the entries up to {index}, and cannot know that they \
             are committed"
        );
        Box::new(
            //= snapshot.committed
            verdict("snapshots of what is committed", words)
                .index(index)
                .fact_at(us, server, format!("server {server} {does} a snapshot of 1 to {index}"))
                .fact(server, format!("it can know that {knows} entries are committed"))
                .fact(None, format!("{} entries are, as far as messages show it", self.reigns.committed))
                .hint(
                    "the index of a snapshot is the one that the service gave with it: neither the end of \
                     the log, nor commitIndex, nor one further",
                )
                .build(),
        )
    }

    /// The last entry of a snapshot is one of the leader's log.
    fn check_last_included(
        &mut self,
        leader: usize,
        install: Install,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let Install { term, last, .. } = install;
        let Place { index, term: of } = last;
        if index == 0 {
            return Ok(()); // one of nothing, which followers ignore
        }
        self.check_complete(leader, term, last, us, missing)?;
        if !missing.allows(&rules::LEADERS_LOG) {
            return Ok(());
        }
        let reign = self.reigns.led_by(leader, term);
        let other = match reign.terms.add(last) {
            _ if of == 0 || of > term => Some(format!("the leader's term is {term}")),
            Err(known) => Some(format!("its entry {} is of term {}", known.index, known.term)),
            Ok(()) => None,
        };
        let Some(other) = other else { return Ok(()) };
        let words = format!(
            "server {leader} sends a snapshot whose last entry, {index}, shall be of term {of}: that \
             cannot be"
        );
        Err(Box::new(
            //= snapshot.base-term
            verdict("a snapshot's last entry", words)
                .index(index)
                .fact_at(us, leader, format!("lastIncludedIndex is {index}, lastIncludedTerm {of}"))
                .fact(leader, other)
                .hint(LAST_INCLUDED)
                .build(),
        ))
    }

    /// A snapshot may be sent with each heartbeat until it is answered, and not much longer.
    fn check_resending(
        &mut self,
        (from, to): (usize, usize),
        install: Install,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let shown = self.reigns.of(install.term).map_or(0, |reign| reign.shown);
        let instance = self.servers[to].instance;
        let sending = self.sendings.0.entry((from, to)).or_default();
        if (sending.term, sending.last) != (install.term, install.last) {
            let (Install { term, last, bytes, part, .. }, again) = (install, vec![us]);
            *sending = Sending { term, last, shown, again, bytes, part, ..Sending::default() };
            return Ok(());
        }
        sending.bytes += install.bytes;
        // The parts of a snapshot count as one.
        let news = std::mem::replace(&mut sending.shown, shown) != shown;
        let news = std::mem::take(&mut sending.failed) || news;
        if news || install.offset > 0 || install.part != sending.part {
            return Ok(());
        }
        sending.again.retain(|then| us - then < WINDOW_US);
        sending.again.push(us);
        if sending.answered.is_some_and(|(by, _)| by != instance) {
            (sending.answered, sending.after_answer) = (None, 0);
        }
        sending.after_answer += usize::from(sending.answered.is_some());
        let broken = sending.too_often((from, to)).filter(|_| missing.allows(&rules::RESENT));
        let Some(broken) = broken else { return Ok(()) };
        Err(Box::new(
            broken
                .fact_at(us, from, format!("server {from} sends it once more"))
                .hint(
                    "an answer moves nextIndex behind the snapshot; until it comes or the call fails, no \
                     other one is needed",
                )
                .build(),
        ))
    }

    /// A follower has answered to a snapshot.
    pub(super) fn answers_install(
        &mut self,
        call: &Call,
        delivered: Delivered,
        install: Install,
        reply: Reply,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let server = call.to;
        if reply.yes == Some(true) {
            self.check_stale(call, delivered, install.term, us)?;
        }
        let in_term = reply.term.is_none_or(|term| term == install.term);
        // Without a yes or no it may have taken it, and have gone on to a later term since.
        if in_term || reply.yes.is_none() {
            let index = install.last.index;
            self.servers[server].tell(install.term, index, index, us);
        }
        if in_term {
            let says_so = reply.yes.unwrap_or(reply.term.is_some());
            if let Some(known) = self.calls.get_mut(call.number) {
                known.installed = says_so && install.done;
            }
        }
        let look = means.saved.since(server, delivered);
        if let Some(saved) = means.saved.look(server, look) {
            check_term_saved(server, reply, saved)?;
            let (term, end) =
                (saved.term, saved.log_base.saturating_add(saved.log_terms.len() as u64));
            self.check_kept(call, install, (term, end), us, means.missing)?;
        }
        Ok(())
    }

    /// "If existing log entry has same index and term as snapshot's last included entry, retain log
    /// entries following it" (Figure 13, InstallSnapshot RPC, receiver 6). What a follower has accepted
    /// from the same leader is so.
    fn check_kept(
        &self,
        call: &Call,
        install: Install,
        (term, end): (u64, u64),
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let server = call.to;
        let had = self.reigns.of(install.term).and_then(|reign| reign.kept[server]);
        let Some(had) = had.filter(|had| had.place.index > end && term == install.term) else {
            return Ok(());
        };
        if !missing.allows(&rules::ACCEPTED) {
            return Ok(());
        }
        let (upto, last) = (had.place.index, install.last.index);
        let words = format!(
            "server {server} accepted entries up to {upto} from server {} in term {term}, and has lost \
             some of them since a snapshot of 1 to {last} came",
            call.from
        );
        Err(Box::new(
            //= install.keep
            verdict("accepted entries stay", words)
                .index(upto)
                .fact_at(had.us, server, format!("server {server} accepted entries up to {upto}"))
                .fact_at(us, server, format!("it answers to InstallSnapshot with lastIncludedIndex {last}"))
                .fact(server, format!("what its persister holds ends with entry {end}"))
                .hint(
                    "Figure 13, 6: if the log has the snapshot's last entry, what follows it stays; and a \
                     snapshot that is older than the log's own is no news",
                )
                .build(),
        ))
    }

    /// An InstallSnapshot is over, and its answer has come to the leader.
    pub(super) fn knows_installed(&mut self, call: &Call, install: Install, us: u64) {
        if let Some(delivered) = call.delivered {
            self.sendings.answered((call.from, call.to), install, delivered.instance, us);
        }
    }
}

/// What usually leads to a wrong last entry.
pub(super) const LAST_INCLUDED: &str = "lastIncludedTerm is the term of the log's entry at \
     lastIncludedIndex: look it up before the entries are cut off, keep it, save it and read it again";
