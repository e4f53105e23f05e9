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
    // It was passed over until now.
    let later = old && after.is_leader() && has_uncounted(before);
    seen.add_if(later, Situation::OldEntryCommittedLater);
}

/// True if a leader commits an entry of a leader that leads no more, and had not committed it. `has_left`: who led a
/// term is in a later one.
pub(crate) fn commits_tail(before: &Core, after: &Core, has_left: impl Fn(u64) -> bool) -> bool {
    let mut new = before.commit_index() + 1..=after.commit_index();
    let of_deposed = |term: u64| term < after.term() && has_left(term);
    after.is_leader() && new.any(|index| after.log().term_at(index).is_some_and(of_deposed))
}

/// True if a server that comes back has told another one that this one has its vote, and a third one's request for it is
/// under way.
pub(crate) fn is_asked_again<'m>(
    server: &Server,
    mut network: impl Iterator<Item = &'m Message>,
) -> bool {
    let hard = server.disk.hard;
    let Some(voted) = hard.voted_for.filter(|voted| *voted != server.me) else { return false };
    let asks = |message: &Message| {
        let asks = matches!(&message.payload, Payload::Vote(args) if args.term == hard.term);
        asks && message.to == server.me && message.from != voted
    };
    server.promised == hard && network.any(asks)
}

/// True if a leader knows a majority to have an entry of an earlier term, and has not committed it.
fn has_uncounted(core: &Core) -> bool {
    let by_majority = matched_by_majority(core);
    by_majority > core.commit_index()
        && core.log().term_at(by_majority).is_some_and(|term| term < core.term())
}

#[cfg(test)]
mod tests {
    use raft::rules::Core;
    use raft::{HardState, RequestVoteArgs, Stored};

    use super::*;
    use crate::event::command;

    /// A server that has voted in term 1, and has told so or not.
    fn voter(voted_for: usize, told: bool) -> Server {
        let hard = HardState { term: 1, voted_for: Some(voted_for) };
        let server = Server::new(2, 3, Stored { hard, ..Stored::default() });
        let promised = if told { hard } else { HardState::default() };
        Server { core: None, promised, ..server }
    }

    fn asks(from: usize, term: u64) -> Message {
        let candidate_id = u32::try_from(from).expect("it is small");
        let args = RequestVoteArgs { term, candidate_id, last_log_index: 0, last_log_term: 0 };
        Message { from, to: 2, payload: Payload::Vote(args) }
    }

    #[test]
    fn who_is_asked_again_has_told_another_one_of_its_vote() {
        let again =
            |server: &Server, message: Message| is_asked_again(server, [&message].into_iter());
        assert!(again(&voter(0, true), asks(1, 1)));
        // It has voted for itself; nobody was told; the same one asks; it asks for another term.
        assert!(!again(&voter(2, true), asks(1, 1)));
        assert!(!again(&voter(0, false), asks(1, 1)));
        assert!(!again(&voter(0, true), asks(0, 1)));
        assert!(!again(&voter(0, true), asks(1, 2)));
    }

    #[test]
    fn a_tail_is_what_somebody_has_left_who_leads_no_more() {
        // Alone it commits what it has taken: an entry of each of its terms.
        let led = |disk: Stored| {
            let mut core = Core::new(0, 1, disk);
            core.election_timeout();
            core.propose(command(0));
            core
        };
        let first = led(Stored::default());
        let log = first.log().clone();
        let hard = first.hard_state();
        let before = Core::new(0, 1, Stored { hard, log: log.clone(), ..Stored::default() });
        let after = led(Stored { hard, log, ..Stored::default() });
        assert_eq!((after.term(), after.commit_index()), (2, 2));
        assert!(commits_tail(&before, &after, |term| term == 1));
        // Who led term 1 has not heard of a later one; or nothing is new; or all is of its own term.
        assert!(!commits_tail(&before, &after, |_| false));
        assert!(!commits_tail(&after, &after, |_| true));
        assert!(!commits_tail(&Core::new(0, 1, Stored::default()), &first, |_| true));
        // Nobody knew a majority to have the entry, so that it would have been passed over.
        let mut seen = Seen::default();
        committed(&mut seen, &before, &after);
        assert_eq!(seen, Seen::default());
    }
}
