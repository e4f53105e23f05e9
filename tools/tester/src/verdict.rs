//! How a run ended, and what is said about one that has failed.

use std::fmt::Write as _;

use labrt::world::Outcome;
use labrt::{Failure, FailureKind};
use labtrace::Verdict;
use run_record::coverage::Coverage;
use run_record::setting::Counts;
use run_record::situations::Situations;
use run_record::trace::cut;
use trace_view::clean_lines;

use crate::observer::Obstacles;
use crate::run::Run;
use crate::test::Totals;
use crate::trace_files::{Files, LONGEST_TEXT};

/// A run that has failed.
pub(crate) struct Failed {
    pub(crate) failure: Box<Failure>,
    pub(crate) verdict: Verdict,
}

impl Failed {
    /// Whether another run of the same seed has failed as this one, at the same time.
    pub(crate) fn is_as(&self, other: &Failed) -> bool {
        let times = [self.failure.time, other.failure.time];
        self.verdict.words == other.verdict.words && times[0] == times[1]
    }

    /// The kind of the failure that the verdict is about.
    pub(crate) fn kind(&self) -> FailureKind {
        match self.verdict.words == self.failure.message {
            true => self.failure.kind,
            // A verdict is a panic, whatever came of its run when that was caught.
            false => FailureKind::Panic,
        }
    }
}

/// What a run was like.
pub(crate) struct Ran {
    /// With the sums of all its steps.
    pub(crate) result: Result<Outcome<Totals>, Failed>,
    /// Those of each step that is done.
    pub(crate) steps: Vec<Totals>,
    /// How the next task was chosen; none on the real clock.
    pub(crate) schedule: Option<String>,
    pub(crate) troubles: Counts,
    /// Which situations its servers came into, and how often.
    pub(crate) situations: Situations,
    /// What was seen in it, if somebody has asked for that.
    pub(crate) coverage: Coverage,
    /// Which rules could not be judged, and why.
    pub(crate) not_judged: Vec<String>,
    /// Where its trace lies, if one was asked for; or why there is none.
    pub(crate) files: Option<Result<Files, String>>,
}

/// The verdict of a failed run: the first one that was given, or what the failure itself says.
///
/// The code under test may have caught the panic of a verdict and gone on, and failed in another way
/// later: the first verdict counts all the same.
///
/// Of a run that has come to its time limit it says what stands in the way.
pub(crate) fn of(failure: &Failure, run: &Run) -> Verdict {
    let given = run.session().verdict();
    if let Some(earlier) = given.as_ref().filter(|given| given.words != failure.message) {
        return Verdict { details: vec![later(failure)], ..earlier.clone() };
    }
    let us = micros(failure);
    let mut verdict = given.unwrap_or_else(|| Verdict {
        check: failure.kind.to_string(),
        words: failure.message.clone(),
        us,
        hint: hint(failure.kind).map(str::to_string),
        ..Verdict::default()
    });
    verdict.task = verdict.task.or_else(|| failure.task.clone());
    verdict.location = verdict.location.or_else(|| failure.location.clone());
    verdict.details.extend(failure.details.iter().cloned());
    if failure.kind == FailureKind::TimeLimit {
        let Obstacles { clients, servers, hint } = run.obstacles(us);
        verdict.facts.extend(clients.into_iter().chain(servers).chain(run.late_rounds(us)));
        verdict.hint = hint.or(verdict.hint);
        verdict.details.insert(0, "a test may take 120 s of lab time".to_string());
    }
    verdict
}

/// When it happened, in microseconds.
fn micros(failure: &Failure) -> u64 {
    u64::try_from(failure.time.as_micros()).unwrap_or(u64::MAX)
}

/// What became of a run that went on after its verdict.
fn later(failure: &Failure) -> String {
    let us = micros(failure);
    let Failure { kind, message, .. } = failure;
    format!(
        "the panic of this verdict was caught; the run ended at {}: {kind}: {message}",
        seconds(us)
    )
}

fn hint(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::Panic => None,
        FailureKind::Deadlock => Some(
            "two paths take the same locks in opposite orders, or one takes a lock that it holds: \
             agree on one order, or copy and release before you go on",
        ),
        FailureKind::Spinning => Some(
            "a loop polls without letting time pass: wait on a condition variable or a channel, \
             or sleep 10 ms in each round",
        ),
        FailureKind::Stuck => Some(
            "a task computes for ever, or blocks in something that is not labrt's (a lock of std, \
             a socket): use labrt's own",
        ),
        FailureKind::TimeLimit => Some(
            "something waits for what will not come, or each step takes long: see who waits for what, \
                 and which call is open for long",
        ),
        _ => None,
    }
}

/// All that is said of a run of a test that was played outside of [`simulated`](crate::simulated) and has failed:
/// its verdict, in lines.
pub fn said_of(failure: &Failure, run: &Run) -> String {
    let verdict = of(failure, run);
    let failed = Failed { failure: Box::new(failure.clone()), verdict };
    text(&failed.verdict, failed.kind())
}

/// Words that code under test may have written, as they are shown to people: nothing in them steers a terminal, and who
/// panics with all that he has does not bury the rest.
pub(crate) fn said(words: &str) -> String {
    let mut said = words.to_string();
    // What is thrown away need not be cleaned, and what was cleaned may be longer.
    cut(&mut said, LONGEST_TEXT);
    said = clean_lines(&said);
    cut(&mut said, LONGEST_TEXT);
    said
}

/// The verdict in lines, made harmless by [`said`]; more about the run follows.
pub(crate) fn text(verdict: &Verdict, kind: FailureKind) -> String {
    let mut text = String::new();
    let mut verdict = verdict.clone();
    verdict.each_text(|text| *text = said(text));
    // Without a check of its own, the kind of failure says what it was.
    let kind = kind.to_string();
    let (check, kind) = match verdict.check == kind {
        true => (String::new(), format!("{kind} ")),
        false => (format!("{}: ", verdict.check), String::new()),
    };
    let _ = write!(text, "{check}{}", verdict.words);
    let _ = write!(text, "\n    {kind}at {}", seconds(verdict.us));
    if let Some(task) = &verdict.task {
        let _ = write!(text, " in {task}");
    }
    if let Some(location) = &verdict.location {
        let _ = write!(text, ", {location}");
    }
    for fact in &verdict.facts {
        let _ = write!(text, "\n    - {}", fact.text);
        if let Some(us) = fact.us {
            let _ = write!(text, " ({})", seconds(us));
        }
    }
    for line in &verdict.details {
        let _ = write!(text, "\n    {line}");
    }
    if let Some(hint) = &verdict.hint {
        let _ = write!(text, "\n    usual cause: {hint}");
    }
    text
}

fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}
