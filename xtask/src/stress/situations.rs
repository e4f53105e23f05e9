//! Which situations the runs came into, which never, and what another run of each test would still show.

use std::collections::{BTreeMap, BTreeSet};

use run_record::situations::{Layer, Situation, Situations};
use serde::{Deserialize, Serialize};
use test_runs::stats::unseen;

use super::model::{Report, TestReport};
use super::table::words::clean;

/// The heads of the columns.
pub(crate) const HEAD: [&str; 5] = ["situation", "most in", "runs", "of all", "times"];

/// How often a test came into a situation; never, if it is there because somebody has looked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// In how many of its runs.
    pub(crate) runs: u64,
    /// How often in all of them.
    pub(crate) times: u64,
}

/// By the names of situations.
pub(crate) type AllReached = BTreeMap<String, Reached>;

/// Counts a run.
pub(crate) fn add(known: &mut AllReached, run: &Situations) {
    for (key, times) in run {
        absorb_one(known, key, Reached { runs: u64::from(*times > 0), times: *times });
    }
}

/// More sentences than this are not kept of a test: a Raft has few reasons.
const MOST_SENTENCES: usize = 20;

/// Adds what a run says of rules that could not be judged.
pub(crate) fn add_not_judged(known: &mut BTreeMap<String, u64>, of_run: &[String]) {
    for sentence in of_run {
        if known.len() < MOST_SENTENCES || known.contains_key(sentence) {
            *known.entry(sentence.clone()).or_default() += 1;
        }
    }
}

/// Adds the runs of another part of the same test.
pub(crate) fn absorb(known: &mut AllReached, part: &AllReached) {
    part.iter().for_each(|(key, reached)| absorb_one(known, key, *reached));
}

fn absorb_one(known: &mut AllReached, key: &str, more: Reached) {
    let reached = known.entry(key.to_string()).or_default();
    reached.runs += more.runs;
    reached.times = reached.times.saturating_add(more.times);
}

/// True if the tests tell of situations at all.
pub(crate) fn are_known(report: &Report) -> bool {
    report.tests.iter().any(|test| !test.situations.is_empty())
}

/// A line for each situation that was reached, as many cells as [`HEAD`] has.
pub(crate) fn rows(report: &Report) -> Vec<Vec<String>> {
    let all = report.runs();
    let row = |situation: &Situation| {
        let sum = sum(report, *situation);
        if sum.runs == 0 {
            return None;
        }
        let most = report.tests.iter().filter_map(|test| {
            let reached = test.situations.get(situation.key())?;
            Some((reached.runs as f64 / test.runs.max(1) as f64, test.test.as_str()))
        });
        let (_, most) = most.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let share = 100.0 * sum.runs as f64 / all.max(1) as f64;
        Some(vec![
            situation.says().to_string(),
            most.to_string(),
            sum.runs.to_string(),
            format!("{share:.1} %"),
            sum.times.to_string(),
        ])
    };
    Situation::ALL.iter().filter_map(row).collect()
}

/// What was never reached though somebody has looked for it, and what is still to be expected; a sentence each.
pub(crate) fn sentences(report: &Report) -> Vec<String> {
    let runs = report.runs();
    let never = Situation::ALL.iter().filter(|situation| {
        is_looked_for(report, situation.layer()) && sum(report, **situation).runs == 0
    });
    let (mut sentences, mut unseen, mut reasons) = (Vec::new(), 0, BTreeSet::new());
    for one in never {
        match why_it_could_not_be_seen(report, *one) {
            Some(why) => {
                unseen += 1;
                reasons.insert(clean(why));
            }
            None => sentences.push(format!("never reached in {runs} runs: {}", one.says())),
        }
    }
    if unseen > 0 {
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
        sentences.push(format!("{unseen} more situations could not be seen, because {reasons}"));
    }
    let (most_likely, lower, upper) = still_to_come(report);
    sentences.push(format!(
        "one more run of each test would show some {most_likely:.3} situations that the test has not \
         shown yet (95 %: {lower:.3} to {upper:.3})"
    ));
    sentences
}

/// The rules that need no more of a Raft's messages than most of its situations do, and than those about votes.
const NEEDS_APPENDS: &str = "Election Safety";
const NEEDS_VOTES: &str = "one vote a term";

/// Why a situation can have been in none of the runs that looked for it, as far as anybody could see: what it shows in
/// was not understood.
fn why_it_could_not_be_seen(report: &Report, situation: Situation) -> Option<&str> {
    let needs: &[&str] = match situation {
        _ if situation.layer() != Layer::Raft => return None,
        // They show in what the tester does.
        Situation::AllDown | Situation::CrashBeforeReply => return None,
        Situation::SplitVote | Situation::ContestedTerm | Situation::AskedAgainAfterCrash => {
            &[NEEDS_VOTES]
        }
        Situation::CandidateHearsLeader | Situation::TimeoutWhileHeartbeatTravels => {
            &[NEEDS_APPENDS, NEEDS_VOTES]
        }
        _ => &[NEEDS_APPENDS],
    };
    let mut looking = report.tests.iter().filter(|test| !test.situations.is_empty());
    let first = looking.next().and_then(|test| reason(test, needs))?;
    looking.all(|test| reason(test, needs).is_some()).then_some(first)
}

/// Why one of these rules was judged in no run of a test.
fn reason<'a>(test: &'a TestReport, rules: &[&str]) -> Option<&'a str> {
    test.not_judged.iter().find_map(|(sentence, runs)| {
        let (names, why) = sentence.strip_prefix("not judged: ")?.split_once(", because ")?;
        let names_one = names.split(", ").any(|name| rules.contains(&name));
        (names_one && *runs == test.runs).then_some(why)
    })
}

/// Whether some test tells of situations of this layer, be it that it came into none.
fn is_looked_for(report: &Report, layer: Layer) -> bool {
    let mut situations = layer.situations().iter();
    situations.any(|one| report.tests.iter().any(|test| test.situations.contains_key(one.key())))
}

fn sum(report: &Report, situation: Situation) -> Reached {
    let mut sums = AllReached::new();
    for test in &report.tests {
        if let Some(reached) = test.situations.get(situation.key()) {
            absorb_one(&mut sums, situation.key(), *reached);
        }
    }
    sums.get(situation.key()).copied().unwrap_or_default()
}

/// How many situations one more run of each test would show that the test has not shown, with its
/// interval.
fn still_to_come(report: &Report) -> (f64, f64, f64) {
    // Where nobody looks for situations, as in a test without a network, none will show. A test whose runs came into none
    // has them all with 0, and its runs count.
    let tests = report.tests.iter().filter(|test| !test.situations.is_empty());
    let counts = tests.map(|test| {
        let in_runs = |runs| test.situations.values().filter(|one| one.runs == runs).count() as u64;
        (in_runs(1), in_runs(2), test.runs)
    });
    unseen(&counts.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use run_record::situations::Counts;

    use super::*;
    use crate::stress::model::tests::{report, run};

    fn seen(counts: &[(Situation, u64)]) -> Situations {
        counts.iter().map(|(one, count)| (one.key().to_string(), *count)).collect()
    }

    #[test]
    fn the_table_has_what_was_reached_and_the_rest_is_named() {
        let mut report = report("r", vec![run(0, None), run(1, None)]);
        let known = &mut report.tests[0].situations;
        add(known, &seen(&[(Situation::SplitVote, 2), (Situation::AllDown, 1)]));
        add(known, &seen(&[(Situation::SplitVote, 1)]));
        assert!(are_known(&report));
        let rows = rows(&report);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0][1..], ["initial_election_2A", "2", "100.0 %", "3"]);
        assert_eq!(rows[1][1..], ["initial_election_2A", "1", "50.0 %", "1"]);
        let sentences = sentences(&report);
        let of_raft = Layer::Raft.situations().len();
        assert_eq!(sentences.len(), of_raft - 2 + 1, "nobody has looked for those of services");
        assert!(sentences[0].starts_with("never reached in 2 runs: several candidates"));
        // One of two was seen in one run only.
        assert!(sentences.last().expect("there is one").contains("some 0.500 situations"));
    }

    #[test]
    fn what_cannot_show_in_messages_that_are_not_understood_is_not_said_to_be_never_reached() {
        let mut report = report("r", vec![run(0, None)]);
        report.tests[0].runs = 2;
        add(&mut report.tests[0].situations, &seen(&[(Situation::AllDown, 1)]));
        let of_raft = Layer::Raft.situations().len();
        let why = "a message has no term";
        let appends = format!("not judged: Election Safety, Log Matching, because {why}");
        let votes = format!("not judged: elected by a majority, one vote a term, because {why}");
        let mut hears = |sentence: &String| {
            add_not_judged(&mut report.tests[0].not_judged, std::slice::from_ref(sentence));
            sentences(&report)
        };
        assert_eq!(hears(&appends).len(), of_raft, "in one run of two they could be seen");
        let said = hears(&appends);
        let (never, more) = said.split_at(4);
        assert!(never.iter().all(|line| line.starts_with("never reached in 2 runs")), "{said:?}");
        assert!(never[0].contains("several candidates in a term"), "{said:?}");
        let unseen = of_raft - 1 - never.len();
        assert_eq!(more[0], format!("{unseen} more situations could not be seen, because {why}"));
        assert_eq!(more.len(), 2, "{said:?}");
        hears(&votes);
        let said = hears(&votes);
        assert!(said[0].starts_with("never reached in 2 runs: a server crashes after"), "{said:?}");
        assert!(said[1].starts_with(&format!("{} more situations", of_raft - 2)), "{said:?}");
    }

    #[test]
    fn what_was_looked_for_and_never_seen_is_named() {
        let mut report = report("r", vec![run(0, None)]);
        let looked_for =
            seen(&[(Situation::RetryAfterCommit, 0), (Situation::WriteAtTwoLeaders, 0)]);
        add(&mut report.tests[0].situations, &looked_for);
        assert!(rows(&report).is_empty());
        let sentences = sentences(&report);
        let of_services = Layer::Service.situations().len();
        assert_eq!(sentences.len(), of_services + 1, "{sentences:?}");
        let first = "never reached in 1 runs: a client asks again for a write";
        assert!(sentences[0].starts_with(first), "{sentences:?}");
    }

    #[test]
    fn a_run_that_came_into_nothing_counts_for_what_it_has_looked_for() {
        let mut report = report("r", vec![run(0, None)]);
        let nothing = Counts::of(Layer::Raft).all();
        add(&mut report.tests[0].situations, &nothing);
        let said = sentences(&report);
        let (last, never) = said.split_last().expect("there is one");
        assert_eq!(never.len(), Layer::Raft.situations().len());
        assert!(never.iter().all(|line| line.starts_with("never reached in 1 runs: ")), "{said:?}");
        // What comes with a chance of 2.5 % or more in a run may have been missed by all so far.
        assert!(last.ends_with(
            "some 0.000 situations that the test has not shown yet (95 %: 0.000 to 3.689)"
        ));
        // Another test that nobody looks in changes nothing.
        let mut other = report.tests[0].clone();
        other.situations.clear();
        report.tests.push(other);
        assert_eq!(sentences(&report).last(), Some(last));
    }

    #[test]
    fn parts_of_a_test_are_added_up() {
        let mut one = AllReached::new();
        add(&mut one, &seen(&[(Situation::AllDown, 1)]));
        let mut other = one.clone();
        absorb(&mut other, &one);
        assert_eq!(other[Situation::AllDown.key()], Reached { runs: 2, times: 2 });
    }
}
