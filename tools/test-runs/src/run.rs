//! What is known of a run.

use std::collections::BTreeSet;

use run_record::coverage::Coverage;
use run_record::setting::Counts;
use run_record::situations::Situations;
use serde::{Deserialize, Serialize};

use crate::process::{AGAIN_ALONE, KILLED_AGAIN};

/// One run. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number among all runs of the test in the whole plan.
    pub index: u64,
    /// Its seed; none on the real clock.
    pub seed: Option<u64>,
    /// How many runs its process had made before it.
    #[serde(default)]
    pub before: u64,
    /// Lab time: that of the test's own clock.
    pub lab_us: u64,
    /// Wall time.
    pub wall_us: u64,
    /// CPU time of the process meanwhile.
    pub cpu_us: u64,
    /// RPCs sent.
    pub rpcs: u64,
    /// Bytes of arguments sent and replies delivered.
    pub bytes: u64,
    /// Entries committed.
    pub committed: u64,
    /// The hash over all steps; none on the real clock, or if the process died.
    pub hash: Option<String>,
    /// How many troubles there were; none if the process died before it could say so.
    #[serde(default)]
    pub troubles: Option<Counts>,
    /// Which situations its servers came into, and how often.
    #[serde(default, skip_serializing_if = "Situations::is_empty")]
    pub situations: Situations,
    /// What was seen in it, if that was asked for.
    #[serde(default, skip_serializing_if = "Coverage::is_empty")]
    pub coverage: Coverage,
    /// Which rules could not be judged, and why, in a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<String>,
    /// The names of the variables of the environment that its process had asked for by then, set or not. They are the
    /// same in nearly all runs, so they are not written with each of them.
    #[serde(skip)]
    pub asked: BTreeSet<String>,
    /// Why it failed, if it did.
    pub failure: Option<RunFailure>,
}

impl Run {
    /// A run of which nothing is known but its place and its seed.
    pub fn unmeasured(index: u64, seed: Option<u64>) -> Run {
        Run {
            index,
            seed,
            before: 0,
            lab_us: 0,
            wall_us: 0,
            cpu_us: 0,
            rpcs: 0,
            bytes: 0,
            committed: 0,
            hash: None,
            troubles: None,
            situations: Situations::new(),
            coverage: Coverage::default(),
            not_judged: Vec::new(),
            asked: BTreeSet::new(),
            failure: None,
        }
    }

    /// Its lab time, in microseconds; none if its process died before it could say so.
    pub fn known_lab_us(&self) -> Option<u64> {
        self.troubles.map(|_| self.lab_us)
    }

    /// True if its process was killed, was killed again when the run was made alone, and not by us. So nobody knows
    /// what the code would have done.
    pub fn was_killed(&self) -> bool {
        let by_others = |failure: &RunFailure| {
            failure.kind == "crash" && failure.message.ends_with(KILLED_AGAIN)
        };
        self.failure.as_ref().is_some_and(by_others)
    }
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFailure {
    /// `panic`, `deadlock` and so on as the test says; `crash` for a process that died, `hang` for
    /// one that had to be killed.
    pub kind: String,
    /// What happened, in one sentence.
    pub message: String,
    /// Where in the source.
    pub location: Option<String>,
    /// The rule or check that the run failed by; empty if the test does not say.
    #[serde(default)]
    pub check: String,
    /// The verdict as the test words it: the rule, the facts, the usual cause. If the process died before
    /// it could say so, what became of it and its last panic; empty if there is none.
    #[serde(default)]
    pub text: String,
    /// Its log, relative to the report's folder.
    pub log: Option<String>,
    /// The command that repeats it.
    pub replay: String,
}

impl RunFailure {
    /// A failure of which only this is known.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> RunFailure {
        RunFailure {
            kind: kind.into(),
            message: message.into(),
            location: None,
            check: String::new(),
            text: String::new(),
            log: None,
            replay: String::new(),
        }
    }

    /// Adds words to the end of its message, also where its text quotes that.
    pub(crate) fn say_more(&mut self, words: &str) {
        let before = self.message.clone();
        self.message.push_str(words);
        self.text = self.text.replacen(&before, &self.message, 1);
    }

    /// What the run failed by: the rule or check if the test names one, else the kind.
    pub fn title(&self) -> &str {
        if self.check.is_empty() { &self.kind } else { &self.check }
    }

    /// The verdict as the test words it or, of a process that died, what became of it.
    pub fn verdict(&self) -> &str {
        if self.text.is_empty() { &self.message } else { &self.text }
    }

    /// What alike failures have in common: kind, rule, place, and words without their numbers and what they quote.
    /// That a run failed again when it was made alone makes it no other failure: only runs that were made among others
    /// are made once more.
    pub fn likeness(&self) -> (String, String, Option<String>, String) {
        let again = [AGAIN_ALONE, KILLED_AGAIN];
        let message = again.iter().find_map(|words| self.message.strip_suffix(words));
        let words = without_quoted(&without_numbers(message.unwrap_or(&self.message)));
        (self.kind.clone(), self.check.clone(), self.location.clone(), words)
    }
}

/// A message with each number replaced, so that alike failures are recognized.
pub fn without_numbers(message: &str) -> String {
    let mut out = String::new();
    for c in message.chars() {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if !(c == '#' && out.ends_with('#')) {
            out.push(c);
        }
    }
    out
}

/// A message without what stands between quotes: a value that was read is hardly ever the same in two runs.
fn without_quoted(message: &str) -> String {
    let parts: Vec<&str> = message.split('"').collect();
    let last = parts.len() - 1;
    let quoted = |place: usize| place % 2 == 1 && place < last;
    let shown = |(place, part)| if quoted(place) { "..." } else { part };
    parts.iter().copied().enumerate().map(shown).collect::<Vec<_>>().join("\"")
}

#[cfg(test)]
mod tests {
    use super::{AGAIN_ALONE, KILLED_AGAIN, Run, RunFailure, without_numbers, without_quoted};
    use crate::process::NOT_ALONE;

    #[test]
    fn only_who_was_killed_twice_and_not_by_us_tells_nothing() {
        let ended = |kind: &str, words: &str| {
            let message = format!("the process died of signal 9{words}");
            let failure = Some(RunFailure::new(kind, message));
            Run { failure, ..Run::unmeasured(1, Some(1)) }
        };
        assert!(ended("crash", KILLED_AGAIN).was_killed());
        assert!(!ended("crash", "").was_killed() && !Run::unmeasured(1, None).was_killed());
        assert!(!ended("panic", KILLED_AGAIN).was_killed(), "the code can say so too");
    }

    #[test]
    fn failures_are_alike_whether_they_were_made_alone_or_once_more() {
        let likeness = |words: &str| {
            let message = format!("the process died of signal 11{words}");
            RunFailure::new("crash", message).likeness()
        };
        assert_eq!(likeness(AGAIN_ALONE), likeness(""));
        assert_eq!(likeness(KILLED_AGAIN), likeness(""));
        // Nobody knows whether that was the run's own doing.
        assert_ne!(likeness(NOT_ALONE), likeness(""));
    }

    #[test]
    fn messages_are_alike_whatever_they_quote() {
        assert_eq!(without_quoted("got \"x # y\", wanted \"\""), "got \"...\", wanted \"...\"");
        // What is not closed is no quote.
        assert_eq!(without_quoted("a \"b\" c\" d"), "a \"...\" c\" d");
        assert_eq!(without_quoted("an 8\" disk"), "an 8\" disk");
    }

    #[test]
    fn messages_are_alike_if_only_numbers_differ() {
        assert_eq!(without_numbers("one(104) failed at 3.25 s"), "one(#) failed at #.# s");
        assert_eq!(without_numbers("one(7) failed at 12.5 s"), "one(#) failed at #.# s");
    }
}
