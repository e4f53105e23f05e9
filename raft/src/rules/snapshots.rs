//! Snapshots (paper, section 7 and Figure 13).

use bytes::Bytes;

use super::invariants::Before;
use super::{Core, InstallTicket, Role};
use crate::log::{Log, MAX_INDEX, Place};
use crate::message::{InstallSnapshotArgs, InstallSnapshotReply};
use crate::stored::Snapshot;

/// What an InstallSnapshot is to its receiver (Figure 13, receiver implementation).
enum Judgement {
    /// No correct leader sends it.
    Impossible,
    /// This server claims to lead a term that cannot have come about.
    TermOutOfReach(usize),
    /// 1. "term < currentTerm"
    OldTerm,
    /// Our log has all that the snapshot covers.
    Held,
    /// Something of it is not there, or is there otherwise.
    New,
}

impl Core {
    /// The service has put all that the entries up to and with `index` have led to into a snapshot
    /// (section 7): the log begins behind it from now on. Nothing happens if it begins there already,
    /// or later.
    ///
    /// # Panics
    /// If the service cannot have seen all these entries, since no [`Output`](super::Output) that was
    /// taken has said that they are committed; or if `data` is empty, which means no snapshot.
    pub fn take_snapshot(&mut self, index: u64, data: Bytes) {
        if index <= self.log.base().index {
            return;
        }
        let (me, given) = (self.me, self.given_out());
        assert!(
            //= snapshot.committed
            index <= given,
            "server {me}: a snapshot of {index} entries, of which {given} are out"
        );
        assert!(!data.is_empty(), "server {me}: the snapshot of {index} entries is empty");
        let before = Before::of(self);
        self.log.forget_through(index);
        self.snapshot = data;
        self.output.unsaved.snapshot = true;
        let first = self.log.first_index();
        if let Role::Leader { progress, .. } = &mut self.role {
            progress.iter_mut().for_each(|progress| progress.note_forgotten(first));
        }
        before.check(self);
    }

    /// Up to which index the outputs that were taken have said that entries are committed.
    fn given_out(&self) -> u64 {
        self.output.committed.as_ref().map_or(self.commit, |indexes| *indexes.start() - 1)
    }

    /// An InstallSnapshot has come (Figure 13, InstallSnapshot RPC, receiver implementation).
    pub fn install_snapshot(&mut self, args: &InstallSnapshotArgs) -> InstallSnapshotReply {
        let before = Before::of(self);
        match self.judge_snapshot(args) {
            Judgement::Impossible | Judgement::OldTerm => {}
            Judgement::TermOutOfReach(leader) => self.warn_of_term(leader, args.term),
            //= install.keep
            // 6. "If existing log entry has same index and term as snapshot's last included entry,
            //    retain log entries following it and reply." Those before it stay too: they lead to
            //    the same, and the service takes snapshots of its own.
            Judgement::Held => {
                self.follow(args.term);
                self.commit_up_to(args.last_included_index);
            }
            Judgement::New => {
                self.follow(args.term);
                self.install(last_included(args), args.data.clone());
            }
        }
        before.check(self);
        InstallSnapshotReply { term: self.hard.term }
    }

    fn judge_snapshot(&self, args: &InstallSnapshotArgs) -> Judgement {
        let leader = self.peer(args.leader_id).filter(|_| is_possible(args));
        let Some(leader) = leader else { return Judgement::Impossible };
        if !self.is_within_reach(args.term) {
            return Judgement::TermOutOfReach(leader);
        }
        //= install.stale
        // 1. "Reply immediately if term < currentTerm."
        if args.term < self.hard.term {
            return Judgement::OldTerm;
        }
        // Nobody else can lead the term that we lead.
        let ours = self.is_leader() && args.term == self.hard.term;
        let last = last_included(args);
        if ours || self.contradicts_committed(last) {
            return Judgement::Impossible;
        }
        let held = last.index <= self.commit || self.log.term_at(last.index) == Some(last.term);
        if held { Judgement::Held } else { Judgement::New }
    }

    /// True if an entry of this term at this index, which is committed, cannot be in one log with what
    /// is committed here: there is another one, or terms would decrease (section 5.4.3).
    fn contradicts_committed(&self, last: Place) -> bool {
        let base = self.log.base();
        if last.index < base.index {
            return last.term > base.term;
        }
        let behind = last.index > self.commit;
        let ours =
            self.log.term_at(last.index.min(self.commit)).expect("it is the base or behind it");
        if behind { last.term < ours } else { last.term != ours }
    }

    /// The snapshot takes the place of all that is there.
    fn install(&mut self, last: Place, data: Bytes) {
        //= install.newer
        // 2. to 4. are about chunks; there is only one.
        // 5. "Save snapshot file, discard any existing or partial snapshot with a smaller index."
        self.snapshot = data.clone();
        self.output.unsaved.snapshot = true;
        //= install.discard
        // 7. "Discard the entire log."
        self.log = Log::behind(last);
        self.output.unsaved.log_from = Some(last.index + 1);
        // 8. "Reset state machine using snapshot contents." What was committed and has not been taken
        //    yet is in it.
        self.commit = last.index;
        self.output.committed = None;
        //= install.reset
        self.output.installed = Some(Snapshot { last, data });
    }

    /// The reply to an InstallSnapshot has come (section 7).
    pub fn install_reply(
        &mut self,
        from: usize,
        ticket: InstallTicket,
        reply: &InstallSnapshotReply,
    ) {
        if !self.is_peer(from) || !self.believes(from, reply.term) {
            return;
        }
        let before = Before::of(self);
        self.see_term(reply.term);
        let (installed, last) = (reply.term == ticket.term, self.log.last_index());
        if let Role::Leader { progress, .. } = &mut self.role
            && ticket.term == self.hard.term
        {
            match installed {
                true => progress[from].note_installed(ticket, last),
                false => progress[from].note_install_lost(ticket),
            }
        }
        before.check(self);
    }

    /// No reply has come to an InstallSnapshot. The next heartbeat finds out whether the follower has
    /// got it all the same.
    pub fn install_failed(&mut self, from: usize, ticket: InstallTicket) {
        if !self.is_peer(from) {
            return;
        }
        let before = Before::of(self);
        if let Role::Leader { progress, .. } = &mut self.role {
            // One of an earlier term is not under way any more.
            progress[from].note_install_lost(ticket);
        }
        before.check(self);
    }
}

/// A leader's InstallSnapshot (Figure 13, arguments).
pub(super) fn install_args(
    term: u64,
    leader: u32,
    last: Place,
    data: Bytes,
) -> InstallSnapshotArgs {
    let (last_included_index, last_included_term) = (last.index, last.term);
    InstallSnapshotArgs { term, leader_id: leader, last_included_index, last_included_term, data }
}

fn last_included(args: &InstallSnapshotArgs) -> Place {
    Place { index: args.last_included_index, term: args.last_included_term }
}

/// True if a leader could have sent this: there is a snapshot, its last entry can be one, and is not of
/// a later term than the leader's.
fn is_possible(args: &InstallSnapshotArgs) -> bool {
    let Place { index, term } = last_included(args);
    !args.data.is_empty() && (1..=MAX_INDEX).contains(&index) && (1..=args.term).contains(&term)
}
