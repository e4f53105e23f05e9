//! Rules about what is committed (paper, sections 5.3 and 5.4.2).
//!
//! Committed is what some leader was seen to have on a majority together with an entry of its own
//! term, or on all. A server can know of it in two ways: it led and counted, or a leader told it in an
//! AppendEntries that checked its log so far. Nobody says or applies more than it can know.

use labtrace::{Verdict, VerdictBuilder, verdict};

use super::evidence::Told;
use super::judge::{Checked, Judge, Means};
use super::persister::Look;
use super::reigns::Reign;
use super::understanding::Missing;
use super::understanding::missing as rules;

/// How a leader has shown what it takes for committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// In an AppendEntries.
    Said,
    /// By applying it.
    Applied,
}

impl Judge {
    /// A leader says that so much is committed.
    pub(super) fn commits(
        &mut self,
        leader: usize,
        term: u64,
        commit: u64,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let reign = self.reigns.led_by(leader, term);
        if commit <= reign.commit {
            return Ok(());
        }
        reign.commit = commit;
        let allows = |rule| means.missing.allows(rule);
        let knows = match (allows(&rules::COMMITTED), allows(&rules::TOLD)) {
            (false, _) => return Ok(()),
            (true, false) => commit <= self.reigns.committed,
            (true, true) => self.can_know_of(leader, commit),
        };
        if !knows {
            return self.committed_too_early(leader, term, commit, Shown::Said, us);
        }
        if means.missing.allows(&rules::TOLD) {
            self.check_counting(leader, term, commit, Shown::Said, us)?;
        }
        self.check_own_share(leader, term, commit, us, means)?;
        if let Some(reign) = self.reigns.of(term) {
            self.settled.learn(term, reign, commit);
        }
        Ok(())
    }

    /// Up to which index a server can know that entries are committed. What one request checks, another one of
    /// the same leader may commit, be they answered yet or not.
    pub(crate) fn can_know(&self, server: usize) -> u64 {
        let known = &self.servers[server];
        let mut terms: Vec<(u64, Told)> = Vec::new();
        for append in self.open_appends(server) {
            let place = terms.iter().position(|(term, _)| *term == append.term);
            let place = place.unwrap_or_else(|| {
                let told = known.told(append.term);
                terms.push((append.term, Told { commit: known.told_up_to(append.term), ..told }));
                terms.len() - 1
            });
            let (_, told) = &mut terms[place];
            told.commit = told.commit.max(append.commit);
            told.checked = told.checked.max(append.last.index);
        }
        let knows = terms.iter().map(|(_, told)| told.commit.min(told.checked));
        knows.max().unwrap_or(0).max(known.knows)
    }

    /// True if a server can know that this entry is committed.
    pub(super) fn can_know_of(&self, server: usize, index: u64) -> bool {
        index <= self.servers[server].knows || index <= self.can_know(server)
    }

    /// What this instance of a server can have heard or counted.
    fn heard_now(&self, server: usize) -> u64 {
        let open = self.open_appends(server).map(|append| append.commit);
        open.max().unwrap_or(0).max(self.servers[server].heard_now)
    }

    /// A server has applied an entry. One that has crashed may go on for a moment; what it does then does
    /// not count, nor does what has reached it since.
    pub(crate) fn applies(
        &mut self,
        server: usize,
        index: u64,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let judged = self.has_seen_append() && missing.allows(&rules::APPLIED);
        let known = &mut self.servers[server];
        if !known.alive {
            return Ok(());
        }
        let had = std::mem::replace(&mut known.applied, index);
        self.all_applied |= index >= self.reigns.committed;
        if index <= had || !judged {
            return Ok(());
        }
        let known = &self.servers[server];
        if index <= known.knows.min(known.heard_now) {
            return Ok(());
        }
        let is_committed = index <= self.reigns.committed;
        let alone = self.servers.len() == 1;
        let blind = alone || !missing.allows(&rules::TOLD);
        // A leader applies what it has committed itself.
        let term = self.servers[server].promised.term;
        let leads = term > 0 && self.servers[server].led == term;
        if is_committed && (blind || self.can_know_of(server, index)) {
            return match leads && !blind {
                true => self.check_counting(server, term, index, Shown::Applied, us),
                false => {
                    // Only what was saved can tell it, before anybody else does.
                    self.commit_is_saved |= !blind && index > self.heard_now(server);
                    Ok(())
                }
            };
        }
        match (leads, is_committed) {
            (true, _) => self.committed_too_early(server, term, index, Shown::Applied, us),
            (false, true) => self.applied_untold(server, index, us),
            (false, false) => self.applied_uncommitted(server, index, us),
        }
    }

    /// What is committed anyway is not committed by counting either: the leader was told of it before
    /// a restart only, has forgotten that, and counts entries of an earlier term.
    ///
    /// A Raft may save its commit index. So this is said only of one that was seen to forget it. A leader
    /// that goes beyond what it was told before anybody has answered it has read it from what it saved.
    fn check_counting(
        &mut self,
        leader: usize,
        term: u64,
        index: u64,
        shown: Shown,
        us: u64,
    ) -> Checked {
        let Some(reign) = self.reigns.of(term) else { return Ok(()) };
        let server = &self.servers[leader];
        let knows = self.heard_now(leader).max(server.applied_when_stood);
        let counted = 1 + reign.holders(index).count() > self.servers.len() / 2;
        let old = reign.terms.at(index).is_some_and(|old| old < term);
        self.commit_is_saved |= index > knows && !counted;
        let forgets = self.commit_is_forgotten && !self.commit_is_saved;
        match index > knows && counted && old && forgets {
            true => self.committed_too_early(leader, term, index, shown, us),
            false => Ok(()),
        }
    }

    /// A leader counts itself only for what it has saved: others may be a majority without it.
    fn check_own_share(
        &mut self,
        leader: usize,
        term: u64,
        commit: u64,
        us: u64,
        means: &mut Means<'_>,
    ) -> Checked {
        let Some(reign) = self.reigns.of(term) else { return Ok(()) };
        let others: Vec<usize> = reign.holders(commit).collect();
        let majority = self.servers.len() / 2 + 1;
        // Committed in an earlier reign, or by the others alone.
        let enough = commit > reign.committed || others.len() >= majority;
        if enough || !means.missing.allows(&rules::COUNTED) {
            return Ok(());
        }
        let Some(saved) = means.saved.look(leader, Look::IfCheap) else { return Ok(()) };
        let has = saved.log_base.saturating_add(saved.log_terms.len() as u64);
        if has >= commit {
            return Ok(());
        }
        let words = format!(
            "server {leader}, leader of term {term}, committed entry {commit}, which it has not saved \
             itself"
        );
        let count = others.len();
        Err(Box::new(
            verdict("saved before counted", words)
                .index(commit)
                .fact_at(
                    us,
                    leader,
                    format!("server {leader} says that entry {commit} is committed"),
                )
                .fact(leader, format!("what its persister holds ends with entry {has}"))
                .fact(
                    leader,
                    format!(
                        "without it, in this term {count} of {} are known to have the entry",
                        self.servers.len()
                    ),
                )
                .hint(
                    "save the log when `start` appends to it, before the entry counts as the \
                     leader's own",
                )
                .build(),
        ))
    }

    fn committed_too_early(
        &self,
        leader: usize,
        term: u64,
        commit: u64,
        shown: Shown,
        us: u64,
    ) -> Checked {
        let reign = self.reigns.of(term).expect("it has just said something");
        let (count, servers) = (1 + reign.holders(commit).count(), self.servers.len());
        let shows = match shown {
            Shown::Said => format!("says that entry {commit} is committed"),
            Shown::Applied => format!("applied entry {commit}"),
        };
        let says = format!("server {leader} {shows}");
        let old = reign.terms.at(commit).filter(|old| *old < term);
        if let Some(old) = old.filter(|_| count > servers / 2) {
            // What it applies may have become committed together with a later entry.
            let later = (shown == Shown::Applied).then(|| self.of_too_few(term, reign)).flatten();
            return Err(match later {
                Some((own, count)) => {
                    let says = (us, format!("{says}, which is of term {old}"));
                    self.committed_with_too_few(leader, term, commit, (own, count), says)
                }
                None => committed_by_counting(leader, term, (commit, old), (us, says)),
            });
        }
        let words = match commit > self.reigns.committed {
            true => format!(
                "server {leader}, leader of term {term}, {shows}, but in this term only {count} of \
                 {servers} are known to have it"
            ),
            false => {
                format!("server {leader}, leader of term {term}, {shows}: it cannot know that yet")
            }
        };
        let broken =
            //= leaders.commit, leaders.success, lab.half
            verdict("committed by a majority", words).index(commit).fact_at(us, leader, says);
        let broken = who_accepted(broken, reign);
        let knows = self.can_know(leader);
        Err(Box::new(
            broken
                .fact(
                    leader,
                    format!("server {leader} can know that {knows} entries are committed"),
                )
                .hint(if servers == 1 { ALONE } else { MATCHED })
                .build(),
        ))
    }

    /// The first entry of a leader's own term, if some have accepted it and no majority has; and how many have it.
    fn of_too_few(&self, term: u64, reign: &Reign) -> Option<(u64, usize)> {
        let own = reign.terms.first_of(term)?;
        let count = 1 + reign.holders(own).count();
        (count > 1 && count <= self.servers.len() / 2).then_some((own, count))
    }

    /// A leader applies an old entry while too few have one of its own term.
    fn committed_with_too_few(
        &self,
        leader: usize,
        term: u64,
        commit: u64,
        (own, count): (u64, usize),
        (us, says): (u64, String),
    ) -> Box<Verdict> {
        let reign = self.reigns.of(term).expect("it has just said something");
        let words = format!(
            "server {leader}, leader of term {term}, applied entry {commit} of an earlier term, but only \
             {count} of {} servers have entry {own}, the first one of its own term",
            self.servers.len()
        );
        let broken =
            verdict("committed by a majority", words).index(commit).fact_at(us, leader, says);
        Box::new(who_accepted(broken, reign).hint(TOO_FEW).build())
    }

    fn applied_uncommitted(&self, server: usize, index: u64, us: u64) -> Checked {
        let words = format!("server {server} applied entry {index}, which is not committed");
        let committed = self.reigns.committed;
        //= all.apply
        let known = match self.servers.len() {
            1 => format!("{committed} commands were offered to it, which is alone"),
            _ => format!("up to entry {committed} a majority has accepted what was sent"),
        };
        let mut broken = verdict("applied when committed", words)
            .index(index)
            .fact_at(us, server, format!("server {server} applied entry {index}"))
            .fact(None, known);
        if let Some((_, reign)) = self.reigns.last() {
            broken = who_accepted(broken, reign);
        }
        let hint = if self.servers.len() == 1 { ALONE } else { APPLIED };
        Err(Box::new(broken.hint(hint).build()))
    }

    fn applied_untold(&self, server: usize, index: u64, us: u64) -> Checked {
        let words = format!("server {server} applied entry {index}, which it was not told of");
        //= append.commit
        let mut broken = verdict("applied when told", words).index(index).fact_at(
            us,
            server,
            format!("server {server} applied entry {index}"),
        );
        if let Some((term, told)) = self.servers[server].told_last() {
            let text = format!(
                "in term {term} it was told that {} entries are committed, and its log was checked up \
                 to entry {}",
                told.commit, told.checked
            );
            broken = broken.fact_at(told.us, server, text);
        }
        Err(Box::new(broken.hint(APPLIED).build()))
    }
}

/// A leader takes an entry of an earlier term for committed that a majority has.
fn committed_by_counting(
    leader: usize,
    term: u64,
    (commit, old): (u64, u64),
    (us, says): (u64, String),
) -> Box<Verdict> {
    let words = format!(
        "server {leader}, leader of term {term}, committed entry {commit}, which is of an earlier \
         term, by counting"
    );
    let has = format!("its log has term {old} at index {commit}, and it leads term {term}");
    Box::new(
        //= leaders.commit
        verdict("old entries are not committed by counting", words)
            .index(commit)
            .fact_at(us, leader, says)
            .fact(leader, has)
            .hint(OLD_TERM)
            .build(),
    )
}

fn who_accepted(broken: VerdictBuilder, reign: &Reign) -> VerdictBuilder {
    let followers = reign.accepted.iter().enumerate().filter(|(server, _)| *server != reign.leader);
    followers.fold(broken, |broken, (server, accepted)| match accepted {
        Some(accepted) => {
            let text = format!("server {server} accepted up to entry {}", accepted.place.index);
            broken.fact_at(accepted.us, server, text)
        }
        None => broken.fact(server, format!("server {server} accepted nothing in this term")),
    })
}

/// Why counting is not enough for an entry of an earlier term.
const OLD_TERM: &str = "section 5.4.2: an entry of an earlier term can be on a majority and still be \
     overwritten; commit by counting only entries of the current term, and older ones with them. Or \
     entries of the current term are counted, but as committed before a majority has them";

/// The same, where a later entry may have been counted.
const TOO_FEW: &str = "an entry of its own term was taken for committed, and the older ones with it, \
     before a majority had accepted it: in a sorted matchIndex, the leader's own included, so many as a \
     majority must be at least as high as what is taken. Or the old entry itself was counted \
     (section 5.4.2)";

/// What usually leads to an entry that its leader takes for committed too early.
const MATCHED: &str = "matchIndex must be what the follower has accepted, prevLogIndex + the number of \
     entries *of that request*: not nextIndex - 1 or the end of the leader's log, which have moved on \
     since; and an election or a restart commits nothing";

/// The same, of a server without others.
const ALONE: &str = "alone, a server commits what it has saved, and nothing else: each command that was \
     offered to it has one index, and an entry without a command, such as one at the beginning of a term, \
     must not take an index of the service";

/// What usually leads to an entry that is applied too early.
const APPLIED: &str = "a follower commits min(leaderCommit, index of the last *new* entry), which is \
     prevLogIndex + the number of entries of this request, and only if it accepts it; what is restored \
     after a restart is not committed for that";

#[cfg(test)]
mod tests {
    use super::super::reigns::Accepted;
    use super::super::understanding::{Part, Place};
    use super::*;

    /// Three servers, of which the first one runs.
    fn first_of_three() -> Judge {
        let mut judge = Judge::new(3);
        judge.started(0, 1);
        judge.append_seen = true;
        judge
    }

    fn lacks(part: Part) -> Missing {
        let mut missing = Missing::default();
        missing.note(part, "of a test".to_string());
        missing
    }

    /// Between a crash and the end of its last task a server may go on for a moment, with messages whose
    /// arrival does not count any more.
    #[test]
    fn what_a_crashed_server_applies_does_not_count() {
        let mut judge = first_of_three();
        let applies = |judge: &mut Judge| judge.applies(0, 1, 0, &Missing::default());
        let broken = applies(&mut judge).expect_err("nothing is committed");
        assert!(broken.words.contains("server 0 applied entry 1"), "{}", broken.words);
        judge.started(0, 2);
        judge.crashed(0);
        assert!(applies(&mut judge).is_ok());
    }

    #[test]
    fn how_many_have_an_entry_is_said_unless_their_answers_are_on_their_way() {
        let says = |commit: u64| {
            let mut judge = first_of_three();
            let reign = judge.reigns.led_by(0, 4);
            let place = |index| Place { index, term: 4 };
            (1..=3).for_each(|index| reign.terms.add(place(index)).expect("it fits"));
            let accepted = Accepted { place: place(2), us: 0, at: 0, instance: 1 };
            judge.reigns.accept(4, 1, accepted, accepted.place);
            let missing = Missing::default();
            let broken = Means::with(&missing, |means| judge.commits(0, 4, commit, 0, means));
            let broken = broken.expect_err("no answer has come back");
            assert_eq!(broken.check, "committed by a majority");
            broken.words
        };
        let begins = "server 0, leader of term 4, says that entry";
        assert_eq!(says(1), format!("{begins} 1 is committed: it cannot know that yet"));
        assert_eq!(says(2), format!("{begins} 2 is committed: it cannot know that yet"));
        let few =
            format!("{begins} 3 is committed, but in this term only 1 of 3 are known to have it");
        assert_eq!(says(3), few);
    }

    /// That nothing is applied twice is another rule's matter.
    #[test]
    fn what_a_server_began_with_is_not_measured_again() {
        let mut judge = first_of_three();
        judge.restored(0, 5);
        assert!(judge.applies(0, 5, 0, &Missing::default()).is_ok());
        assert!(judge.applies(0, 4, 0, &Missing::default()).is_ok());
        assert!(judge.applies(0, 6, 0, &Missing::default()).is_err());
    }

    #[test]
    fn what_is_applied_is_judged_if_all_that_commits_is_understood() {
        let applies = |seen: bool, missing: &Missing| {
            let mut judge = first_of_three();
            judge.append_seen = seen;
            judge.applies(0, 1, 0, missing)
        };
        assert!(applies(true, &Missing::default()).is_err());
        assert!(applies(false, &Missing::default()).is_ok());
        for part in [Part::Entries, Part::AppendReplies, Part::Others] {
            assert!(applies(true, &lacks(part)).is_ok(), "{part:?}");
        }
    }

    #[test]
    fn where_other_messages_tell_too_a_leader_says_what_anybody_can_know() {
        let missing = lacks(Part::Hearsay);
        let says = |commit| {
            let mut judge = first_of_three();
            judge.reigns.committed = 2;
            Means::with(&missing, |means| judge.commits(0, 4, commit, 0, means))
        };
        assert!(says(1).is_ok() && says(2).is_ok());
        let broken = says(3).expect_err("nobody has it");
        assert_eq!(broken.check, "committed by a majority");
        assert_eq!(
            broken.words,
            "server 0, leader of term 4, says that entry 3 is committed, but in this term only 1 of 3 are known to have it"
        );
    }
}
