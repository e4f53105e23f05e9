//! What leaders have said to be committed, which no later leader lacks (paper, section 5.4.3).

use labtrace::verdict;

use super::judge::{Checked, Judge};
use super::reigns::{Reign, Terms};
use super::understanding::missing as rules;
use super::understanding::{Missing, Place};

/// The terms of the entries that some leader has said to be committed, and could say so.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    terms: Terms,
    upto: u64,
    /// The latest term in which more was said to be committed. Leaders of earlier ones may have other
    /// entries there, which will never be committed.
    in_term: u64,
}

impl Settled {
    /// The leader of a term has said that so much is committed.
    pub(crate) fn learn(&mut self, term: u64, reign: &Reign, commit: u64) {
        if commit <= self.upto {
            return;
        }
        let (before, last) = (Place { index: self.upto, term: 0 }, Place { index: commit, term });
        for (of, from, to) in reign.terms.between(before, last) {
            // Who contradicts what was committed has been told so.
            let _ = self.terms.add(Place { index: from, term: of });
            let _ = self.terms.add(Place { index: to, term: of });
        }
        (self.upto, self.in_term) = (commit, self.in_term.max(term));
    }

    /// The term of the entry that was committed at an index, if that is known.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        (index <= self.upto).then(|| self.terms.at(index))?
    }
}

impl Judge {
    /// Leader Completeness (Figure 3): a leader has the entries that were committed in earlier terms. It
    /// says so, too, of an entry that its log has forgotten.
    pub(super) fn check_complete(
        &self,
        leader: usize,
        term: u64,
        place: Place,
        us: u64,
        missing: &Missing,
    ) -> Checked {
        let Place { index, term: of } = place;
        let known = self.settled.term_at(index).filter(|known| *known != of);
        let Some(known) = known.filter(|_| term >= self.settled.in_term) else { return Ok(()) };
        if !missing.allows(&rules::COMPLETE) {
            return Ok(());
        }
        let words = format!(
            "server {leader}, leader of term {term}, says that its entry {index} is of term {of}, but \
             the one that was committed is of term {known}"
        );
        Err(Box::new(
            //= vote.up-to-date
            verdict("Leader Completeness", words)
                .index(index)
                .fact_at(us, leader, format!("server {leader} says: entry {index} is of term {of}"))
                .fact(
                    None,
                    format!("a leader said that entry {index} of term {known} is committed"),
                )
                .hint(
                    "the term of the last entry in a snapshot must be kept, saved and read again; \
                     behind a snapshot an index is no place in the list of entries any more; or \
                     committed entries were lost",
                )
                .build(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::understanding::Part;
    use super::*;

    #[test]
    fn what_was_committed_stays_so_when_a_leader_says_less() {
        let mut reign = Reign::new(0, 3);
        for (index, term) in [(1, 2), (3, 4), (5, 4)] {
            reign.terms.add(Place { index, term }).expect("it fits");
        }
        let mut settled = Settled::default();
        settled.learn(4, &reign, 4);
        settled.learn(6, &reign, 3);
        let known = |settled: &Settled| [1, 2, 3, 4, 5].map(|index| settled.term_at(index));
        assert_eq!(known(&settled), [Some(2), None, Some(4), Some(4), None]);
        // Who says less says nothing new of its own term.
        assert_eq!(settled.in_term, 4);
        settled.learn(5, &reign, 5);
        assert_eq!((settled.term_at(5), settled.in_term), (Some(4), 5));
    }

    #[test]
    fn leaders_are_held_against_what_was_committed_if_that_is_understood() {
        let mut judge = Judge::new(3);
        let mut reign = Reign::new(0, 3);
        reign.terms.add(Place { index: 3, term: 4 }).expect("it fits");
        judge.settled.learn(4, &reign, 3);
        let says = |term, of, missing: &Missing| {
            judge.check_complete(1, term, Place { index: 3, term: of }, 0, missing).is_ok()
        };
        let all = Missing::default();
        assert!(says(5, 4, &all) && says(3, 2, &all));
        assert!(!says(5, 5, &all) && !says(4, 3, &all));
        let mut missing = Missing::default();
        missing.note(Part::Commit, "of a test".to_string());
        assert!(says(5, 5, &missing));
    }
}
