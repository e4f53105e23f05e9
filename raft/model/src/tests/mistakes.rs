//! Each mistake is found, by the property that it breaks.

use super::{all, one_term};
use crate::{Limits, Mistake, Model, Property, Start, check};

/// For each mistake the smallest cluster that shows it, what it breaks, and after how many steps.
fn mistakes() -> Vec<(Mistake, Model, Property, usize)> {
    use Mistake::*;
    let one_term = one_term();
    let crash = Model { crashes: 1, ..one_term.clone() };
    let two_terms = Model { terms: 2, ..one_term.clone() };
    let snapshot = Model { snapshots: 1, ..one_term.clone() };
    let tails = Model { start: Start::Tails(1), terms: 3, commands: 3, ..one_term.clone() };
    let beat = |model: &Model| Model { heartbeats: 1, ..model.clone() };
    vec![
        (VoteNotSaved, crash.clone(), Property::OneVote, 5),
        (LogNotSaved, one_term.clone(), Property::OnMajority, 8),
        (LeaderLogNotSaved, one_term.clone(), Property::OnMajority, 8),
        (AnsweredFirst, crash, Property::OneVote, 4),
        (OldTermsCounted, Model { terms: 4, ..tails.clone() }, Property::LeaderCompleteness, 11),
        (StaleVoteCounted, two_terms.clone(), Property::ElectionSafety, 7),
        (RefusalCounted, one_term.clone(), Property::ElectionSafety, 6),
        (RestrictionIgnored, two_terms.clone(), Property::LeaderCompleteness, 11),
        (StaleAppendAccepted, two_terms, Property::LeaderCompleteness, 11),
        (RefusedAccepted, tails.clone(), Property::OnMajority, 8),
        (LateAppendErases, beat(&one_term), Property::OnMajority, 10),
        (CommitUnchecked, beat(&tails), Property::StateMachineSafety, 10),
        (
            SnapshotEmptiesLog,
            beat(&Model { commands: 2, ..snapshot.clone() }),
            Property::OnMajority,
            18,
        ),
        (CommandChanged, one_term.clone(), Property::LogMatching, 7),
        (SnapshotNotSaved, Model { crashes: 1, ..snapshot }, Property::OwnPromises, 10),
    ]
}

#[test]
fn each_mistake_is_found() {
    let found = mistakes();
    assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), Mistake::ALL);
    for (mistake, model, property, steps) in found {
        let wrong = Model { mistake: Some(mistake), ..model };
        let found = all(&wrong);
        let counterexample =
            found.counterexample.unwrap_or_else(|| panic!("{} is missed", mistake.key()));
        let broken = (counterexample.violation.property, counterexample.steps.len());
        assert_eq!(broken, (property, steps), "{}:\n{}", mistake.key(), counterexample.words());
    }
}

/// The clusters in which they are found are right without them, as far as was looked.
#[test]
fn nobody_is_accused_where_mistakes_are_found() {
    for (_, model, _, steps) in mistakes() {
        let limits = Limits { depth: steps as u32, ..Limits::default() };
        let found = check(&model, &limits, &mut |_| {});
        let words = found.counterexample.map(|it| it.words());
        assert_eq!(words, None, "{}", model.words());
    }
}
