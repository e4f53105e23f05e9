//! The situations of a step that one server can tell by itself.

use std::collections::BTreeSet;

use raft::rules::{Core, Role};
use run_record::situations::Situation;

use crate::event::Event;
use crate::message::{Message, Payload};
use crate::seen::Seen;
use crate::server::{Server, matched_by_majority};

/// A server comes back, or goes down (`core` is none).
pub(crate) fn restart(server: &Server, core: Option<&Core>) -> Seen {
    let mut seen = Seen::default();
    let within = core.is_some() && server.disk.hard.voted_for.is_some();
    seen.add_if(within, Situation::RestartWithinTerm);
    seen
}

/// Something has happened to a server that is up.
pub(crate) fn event(before: &Core, after: &Core, event: &Event) -> Seen {
    let mut seen = Seen::default();
    if let Event::Deliver(message) = event {
        heard(&mut seen, before, after, message);
    }
    cut(&mut seen, before, after);
    committed(&mut seen, before, after);
    seen.add_if(has_uncounted(after) && !has_uncounted(before), Situation::OldEntryNotCounted);
    seen
}

fn heard(seen: &mut Seen, before: &Core, after: &Core, message: &Message) {
    let payload = &message.payload;
    let deposed = before.is_leader() && !after.is_leader();
    let reply = payload.is_reply();
    seen.add_if(deposed && reply, Situation::DeposedByReply);
    seen.add_if(deposed && !reply, Situation::DeposedByRequest);
    let tail = before.log().last_index() > before.commit_index();
    seen.add_if(deposed && tail, Situation::DeposedWithTail);
    let candidate = matches!(before.role(), Role::Candidate { .. });
    let leads_ours = payload.leader_term() == Some(before.term());
    seen.add_if(candidate && leads_ours, Situation::CandidateHearsLeader);
    let old = |term: u64| term < before.term();
    match payload {
        Payload::Vote(_) => {}
        Payload::Voted { sent_in, .. } => {
            seen.add_if(old(*sent_in), Situation::ReplyToEarlierTerm);
        }
        Payload::Append(args, _) => {
            seen.add_if(old(args.term), Situation::StaleLeaderRefused);
            let last_new = args.prev_log_index + args.entries.len() as u64;
            let last = args.entries.last().map(|entry| entry.term);
            let stored = last.is_some() && before.log().term_at(last_new) == last;
            seen.add_if(stored && !old(args.term), Situation::LatePrefix);
            // Only this leader has sent entries of this term.
            seen.add_if(stored && last == Some(before.term()), Situation::SameRequestTwice);
            let short = !old(args.term) && before.log().last_index() < args.prev_log_index;
            seen.add_if(short, Situation::FollowerTooShort);
        }
        Payload::Appended(ticket, reply) => {
            seen.add_if(old(ticket.term), Situation::ReplyToEarlierTerm);
            let Role::Leader { progress, .. } = before.role() else { return };
            let later = progress[message.from].matched > ticket.prev + ticket.count;
            let ours = ticket.term == before.term();
            seen.add_if(later && reply.success && ours, Situation::LateReply);
        }
        Payload::Install(args, _) => {
            let older = args.last_included_index < before.log().base().index;
            seen.add_if(older && !old(args.term), Situation::SnapshotOld);
        }
        Payload::Installed(ticket, _) => {
            seen.add_if(old(ticket.term), Situation::ReplyToEarlierTerm);
        }
    }
}

/// Entries that were there are gone, and no snapshot covers them.
fn cut(seen: &mut Seen, before: &Core, after: &Core) {
    let old = before.log();
    let there = old.first_index().max(after.log().first_index())..=old.last_index();
    let gone = there.filter(|&index| old.get(index) != after.log().get(index));
    let terms: BTreeSet<u64> = gone.filter_map(|index| old.term_at(index)).collect();
    seen.add_if(!terms.is_empty(), Situation::TailOverwritten);
    seen.add_if(terms.len() == 1, Situation::ConflictOneTerm);
    seen.add_if(terms.len() == 2, Situation::ConflictTwoTerms);
    seen.add_if(terms.len() > 2, Situation::ConflictMoreTerms);
}

/// A leader commits, and with an entry of its own some of earlier leaders.
fn committed(seen: &mut Seen, before: &Core, after: &Core) {
    let mut new = before.commit_index() + 1..=after.commit_index();
    let old = new.any(|index| after.log().term_at(index).is_some_and(|term| term < after.term()));
    seen.add_if(old && after.is_leader(), Situation::OldEntryCommittedLater);
    seen.add_if(old && after.is_leader(), Situation::TailCommitted);
}

/// True if a leader knows a majority to have an entry of an earlier term, and has not committed it.
fn has_uncounted(core: &Core) -> bool {
    let by_majority = matched_by_majority(core);
    by_majority > core.commit_index()
        && core.log().term_at(by_majority).is_some_and(|term| term < core.term())
}
