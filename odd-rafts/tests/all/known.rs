//! What is known of the rules of today.

use crate::census::Count;

/// Right Rafts that some rule accuses today.
const ACCUSED: &[&str] = &[];

/// Checks of the tester itself: who does not meet one has failed a test, and was not accused by a
/// rule that reads messages. That happens to no right Raft.
const TESTS: &[&str] = &[
    "agreement",
    "wait",
    "one leader",
    "no leader",
    "terms",
    "make",
    "State Machine Safety",
    "apply order",
    "panic",
    "deadlock",
    "spinning",
    "stuck",
    "time limit",
    "stuck at the end",
    "no memory",
];

/// What of this is not known, in words.
pub(crate) fn surprise(count: &Count) -> Option<String> {
    let name = &count.name;
    let failed = count.failed.iter();
    let (tests, rules): (Vec<_>, Vec<_>) =
        failed.partition(|(check, _)| TESTS.contains(&check.as_str()));
    let known = ACCUSED.contains(&name.as_str());
    let words = |(check, failed): &(&String, &crate::census::Failed)| {
        format!("{check}: {}\n    {}", failed.words, failed.replay)
    };
    match (tests.first(), rules.first()) {
        (Some(test), _) => Some(format!("{name} fails a test: {}", words(test))),
        (None, Some(rule)) if !known => Some(format!("{name} is accused: {}", words(rule))),
        (None, None) if known => {
            Some(format!("{name} is not accused any more: take it off the list in known.rs"))
        }
        _ => None,
    }
}
