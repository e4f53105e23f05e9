//! Snapshots (paper, section 7 and Figure 13).

use std::sync::Arc;

use labrt::thread;
use raft_api::{ApplyMsg, Bytes};

use crate::Kind;
use crate::log::Log;
use crate::message::{AppendEntriesArgs, InstallSnapshotArgs, InstallSnapshotReply};
use crate::server::{Role, State, Student};

impl Student {
    /// The service has put all up to an index into a snapshot.
    pub(crate) fn take_snapshot(&self, index: u64, snapshot: Bytes) {
        let mut state = self.state.lock();
        let index = match self.has(Kind::SnapshotOfAll) {
            true => state.log.last_index(),
            false => index,
        };
        if index <= state.log.base() {
            return;
        }
        if !self.has(Kind::LogNotCut) {
            state.log.forget_through(index, u64::from(self.has(Kind::CutOffByOne)));
        }
        if self.has(Kind::StateSavedAlone) {
            self.persist(&state);
        }
        state.snapshot = snapshot;
        if !self.has(Kind::SnapshotNotSaved) {
            self.persist(&state);
        }
    }

    /// A follower lacks what this leader has forgotten.
    pub(crate) fn send_snapshot(self: &Arc<Self>, state: &State, peer: usize) {
        let args = InstallSnapshotArgs {
            term: state.current_term,
            leader_id: self.me,
            last_included_index: state.log.base(),
            last_included_term: state.log.base_term(),
            data: state.snapshot.clone(),
        };
        let raft = self.clone();
        thread::spawn(move || {
            let reply = raft.call(|| raft.peers[peer].install_snapshot(&args));
            if let Some((mut state, reply)) = reply {
                raft.handle_install_reply(&mut state, peer, &args, &reply);
            }
        });
    }

    fn handle_install_reply(
        self: &Arc<Self>,
        state: &mut State,
        peer: usize,
        args: &InstallSnapshotArgs,
        reply: &InstallSnapshotReply,
    ) {
        self.see_term_of_reply(state, reply.term);
        if state.role != Role::Leader || state.current_term != args.term {
            return;
        }
        if self.has(Kind::NextIndexNotMoved) {
            return;
        }
        let installed = match self.has(Kind::InstalledIsBase) {
            true => state.log.base(),
            false => args.last_included_index,
        };
        state.match_index[peer] = state.match_index[peer].max(installed);
        if state.next_index[peer] <= state.match_index[peer] {
            state.next_index[peer] = state.match_index[peer] + 1;
            self.send_append_entries(state, peer);
        }
    }

    /// InstallSnapshot RPC, receiver implementation (Figure 13).
    pub(crate) fn handle_install_snapshot(
        self: &Arc<Self>,
        args: InstallSnapshotArgs,
    ) -> InstallSnapshotReply {
        let mut state = self.state.lock();
        self.see_term(&mut state, args.term);
        let reply = InstallSnapshotReply { term: state.current_term };
        // 1. "Reply immediately if term < currentTerm."
        let deaf = state.role == Role::Leader && self.has(Kind::LeaderDeaf);
        if args.term < state.current_term || deaf {
            return reply;
        }
        state.role = Role::Follower;
        self.reset_election_timer(&mut state);
        // What is committed here is in the log, or on its way to the service.
        let (index, term) = (args.last_included_index, args.last_included_term);
        let known = match self.bug {
            Some(Kind::SnapshotGoesBack) => 0,
            Some(Kind::SnapshotEmptiesLog) => state.log.base(),
            _ => state.commit_index,
        };
        if index <= known {
            return reply;
        }
        // 6. "If existing log entry has same index and term as snapshot's last included entry, retain
        //    log entries following it and reply." 7. "Discard the entire log."
        let holds = state.log.term_at(index) == Some(term);
        match holds && !self.has(Kind::SnapshotEmptiesLog) {
            true => state.log.forget_through(index, 0),
            false => state.log = Log::new(index, term, Vec::new()),
        }
        // 5. "Save snapshot file."
        state.snapshot = args.data.clone();
        self.persist(&state);
        // 8. "Reset state machine using snapshot contents."
        if index <= state.last_applied && !self.has(Kind::SnapshotGoesBack) {
            return reply;
        }
        state.commit_index = index;
        let term = if self.has(Kind::SnapshotTermIsCurrent) { state.current_term } else { term };
        let message = ApplyMsg::Snapshot { index, term, snapshot: args.data };
        if self.has(Kind::SnapshotByItself) {
            state.last_applied = index;
            let raft = self.clone();
            thread::spawn(move || raft.apply.send(message));
        } else if self.has(Kind::SnapshotUnderLock) {
            state.last_applied = index;
            let _ = self.apply.send(message);
        } else {
            state.installed = Some(message);
        }
        self.committed.notify_one();
        self.tell(&state);
        reply
    }

    /// Hands the service the snapshot that has come, if there is one.
    pub(crate) fn take_installed(state: &mut State) -> Option<ApplyMsg> {
        let message = state.installed.take()?;
        if let ApplyMsg::Snapshot { index, .. } = message {
            state.last_applied = index;
        }
        Some(message)
    }

    /// What an AppendEntries says about entries that are not forgotten: those were committed, so they
    /// are the leader's.
    pub(crate) fn behind_base(state: &State, args: &AppendEntriesArgs) -> AppendEntriesArgs {
        let (base, mut args) = (state.log.base(), args.clone());
        if let Some(known) = base.checked_sub(args.prev_log_index).filter(|known| *known > 0) {
            let known = (known as usize).min(args.entries.len());
            args.entries.drain(..known);
            (args.prev_log_index, args.prev_log_term) = (base, state.log.base_term());
        }
        args
    }
}
