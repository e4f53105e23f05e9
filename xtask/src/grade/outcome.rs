//! A student's result, and the files it is written to.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use trace_view::clean_lines;

use super::args::Weights;
use super::print::Print;
use crate::labs::{Lab, Part};

mod begun;

pub(crate) use begun::{AnotherWay, Begun};

/// The file for programs.
const JSON: &str = "grade.json";
/// How a doubt begins that is about a rule; others are about a run that was made again.
pub(crate) const NOT_JUDGED: &str = "not judged";
/// What is noted as long as there is something to do.
const NOT_FINISHED: &str = "not finished";
/// Fewer points than this are not seen, so nobody has lost them: sums of shares are not exact.
const SEEN: f64 = 0.005;

/// A student's result; `grade.json` is this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) package: String,
    /// The crate's folder, if there is a crate.
    #[serde(default, rename = "crate")]
    dir: Option<String>,
    /// None if there is no result.
    pub(crate) points: Option<f64>,
    pub(crate) of: f64,
    /// How many points are lost at least if any run fails.
    least_loss: f64,
    /// All is done that was to be done.
    finished: bool,
    /// The time limit that was over before that, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out_of_time: Option<Duration>,
    /// Why there could be no tests, if so.
    pub(crate) problem: Option<String>,
    /// What else is to be known of the result.
    note: Option<String>,
    /// What is to be known of the crate.
    pub(crate) remarks: Vec<String>,
    /// How it was graded, and which crate.
    print: Print,
    pub(crate) tests: Vec<Graded>,
}

/// One test's part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Graded {
    pub(crate) test: String,
    pub(crate) part: String,
    /// How many runs were made.
    runs: u64,
    /// How many were to be made.
    of_runs: u64,
    passed: u64,
    pub(crate) points: f64,
    pub(crate) of: f64,
    /// All runs were made that were to be made, or it was given up.
    pub(crate) done: bool,
    /// There are no points, whatever has passed.
    #[serde(default)]
    void: bool,
    /// The first failure: what happened, and the command that repeats it.
    failure: Option<String>,
    /// What could not be judged, and what was not the same when it was repeated.
    pub(crate) doubts: Vec<String>,
}

/// The points of a part.
#[derive(Debug, PartialEq)]
pub(crate) struct PartPoints {
    pub(crate) name: String,
    pub(crate) points: f64,
    pub(crate) of: f64,
}

/// What came of a test.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) runs: u64,
    pub(crate) passed: u64,
    /// The first failure, and why not all runs were made.
    pub(crate) failure: Option<String>,
    /// No more runs are to be made.
    pub(crate) done: bool,
    /// Why a run that passed may not show that all is well.
    pub(crate) doubts: Vec<String>,
    /// There are no points, whatever has passed.
    pub(crate) void: bool,
}

impl Outcome {
    /// Nothing is done yet, so there are no points.
    ///
    /// The tests of a part for which `weights` says nothing are not run. If any run fails, at least
    /// `least_loss` points are lost.
    pub(crate) fn new(
        package: &str,
        lab: &Lab,
        weights: &Weights,
        (seeds, least_loss): (u64, f64),
        print: Print,
    ) -> Outcome {
        let graded = |part: &'static Part| {
            let points = weights.get(part.name).map(|points| points / part.tests.len() as f64);
            points.into_iter().flat_map(move |of| {
                part.tests.iter().map(move |test| Graded {
                    test: test.to_string(),
                    part: part.name.to_string(),
                    runs: 0,
                    of_runs: seeds,
                    passed: 0,
                    points: 0.0,
                    of,
                    done: false,
                    void: false,
                    failure: None,
                    doubts: Vec::new(),
                })
            })
        };
        Outcome {
            package: package.to_string(),
            dir: None,
            points: Some(0.0),
            of: weights.values().sum(),
            least_loss,
            finished: false,
            out_of_time: None,
            problem: None,
            note: Some(NOT_FINISHED.to_string()),
            remarks: Vec::new(),
            print,
            tests: lab.parts.iter().flat_map(graded).collect(),
        }
    }

    /// The same, of the crate in this folder.
    pub(crate) fn of(self, dir: &Path) -> Outcome {
        Outcome { dir: Some(dir.display().to_string()), ..self }
    }

    /// The other crate whose result a folder has, if it has one. If this is the result of no
    /// crate, one that lies in its folder, `dir`, is no other.
    pub(crate) fn another(&self, folder: &Path, dir: &Path) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "crate")]
            dir: Option<String>,
        }
        // Whatever else another version of ours has written.
        let other: Named =
            serde_json::from_str(&fs::read_to_string(folder.join(JSON)).ok()?).ok()?;
        let other = other.dir?;
        let same = match &self.dir {
            Some(dir) => *dir == other,
            None => Path::new(&other).starts_with(dir),
        };
        (!same).then_some(other)
    }

    /// Some or all runs of a test were made.
    pub(crate) fn take(&mut self, place: usize, counted: Counted) {
        let test = &mut self.tests[place];
        (test.runs, test.passed, test.failure) = (counted.runs, counted.passed, counted.failure);
        (test.done, test.doubts, test.void) = (counted.done, counted.doubts, counted.void);
        // What was to be run and was not has not passed.
        let share = if test.void { 0.0 } else { test.passed as f64 / test.of_runs as f64 };
        test.points = test.of * share;
        self.work_out();
    }

    /// What its tests make of it.
    fn work_out(&mut self) {
        let least = if self.any_failed() { self.least_loss } else { 0.0 };
        self.points = Some(self.by_tests().min((self.of - least).max(0.0)));
    }

    /// True if a run has failed. One that was not made has not.
    fn any_failed(&self) -> bool {
        self.tests.iter().any(|test| test.passed < test.runs)
    }

    /// True if no more runs are to be made of any test.
    pub(crate) fn has_all(&self) -> bool {
        self.tests.iter().all(|test| test.done)
    }

    /// The points of all tests.
    fn by_tests(&self) -> f64 {
        self.tests.iter().map(|test| test.points).sum()
    }

    /// If a run that failed costs more than its test: the points of all tests, and how many such a run costs at least.
    pub(crate) fn lost_more(&self) -> Option<(f64, f64)> {
        let by_tests = self.by_tests();
        let is_less = self.points.is_some_and(|points| points + SEEN < by_tests);
        (is_less && self.any_failed()).then_some((by_tests, self.least_loss))
    }

    /// There can be no tests, and that is the student's fault.
    pub(crate) fn fail(&mut self, problem: &str) {
        self.problem = Some(plain(problem));
        self.finish();
    }

    /// True if there can be no result.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.points.is_none()
    }

    /// There can be no result, and that is not the student's fault.
    pub(crate) fn withdraw(&mut self, reason: &str) {
        self.points = None;
        self.note = Some(plain(&format!("there is no result: {reason}")));
    }

    /// It was ended from outside.
    pub(crate) fn interrupt(&mut self) {
        self.note = Some(format!("{NOT_FINISHED}: grading was interrupted"));
    }

    /// The time limit is over; what was not done by then is not done any more.
    pub(crate) fn run_out_of_time(&mut self, limit: Duration) {
        self.note = Some(format!(
            "the time limit of {} was over before all runs were made; the others have not passed",
            humantime::format_duration(limit)
        ));
        self.out_of_time = Some(limit);
        self.finish();
    }

    /// All is done; what was noted since the beginning stays.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        self.note = self.note.take().filter(|note| note != NOT_FINISHED);
    }

    /// Something that is to be known of the crate, whatever points it has.
    pub(crate) fn remark(&mut self, words: &str) {
        let words = plain(words);
        if !self.remarks.contains(&words) {
            self.remarks.push(words);
        }
    }

    /// What was done, in a few words.
    pub(crate) fn state(&self) -> &str {
        match (&self.problem, &self.note) {
            (Some(words), _) | (None, Some(words)) => words,
            (None, None) => "graded",
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The points of each part that has some, in the order of the lab.
    pub(crate) fn parts(&self) -> Vec<PartPoints> {
        let mut parts: Vec<PartPoints> = Vec::new();
        for test in &self.tests {
            if parts.last().is_none_or(|part| part.name != test.part) {
                parts.push(PartPoints { name: test.part.clone(), points: 0.0, of: 0.0 });
            }
            if let Some(part) = parts.last_mut() {
                part.points += test.points;
                part.of += test.of;
            }
        }
        parts
    }

    /// Writes all forms of the result. Who reads a file while it is written, or after we were killed,
    /// finds the old one or the new one.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let json = serde_json::to_string_pretty(self).context("cannot encode the result")?;
        let gradescope =
            serde_json::to_string_pretty(&self.gradescope()).context("cannot encode the result")?;
        let files = [("grade.txt", self.text()), (JSON, json), ("results.json", gradescope)];
        for (name, text) in files {
            replace(&folder.join(name), &text)?;
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        let mut text = match self.points {
            Some(points) => format!("{}: {points:.1} of {:.1} points\n", self.package, self.of),
            None => format!("{}: no points\n", self.package),
        };
        if let Some((by_tests, least)) = self.lost_more() {
            let _ = writeln!(
                text,
                "\nBy its tests it has {by_tests:.1}. But a run has failed, and that costs at least {least} points.\n"
            );
        }
        for words in self.note.iter().chain(&self.problem).chain(&self.remarks) {
            let _ = writeln!(text, "\n{words}\n");
        }
        for test in &self.tests {
            let _ = writeln!(text, "  {}", test.line());
            for line in test.words().lines() {
                let _ = writeln!(text, "                  {line}");
            }
        }
        text
    }

    /// The form that Gradescope's autograder reads from `results.json`. Without a score it says that
    /// grading has failed, and not that the student has.
    fn gradescope(&self) -> serde_json::Value {
        let test = |test: &Graded| {
            serde_json::json!({
                "name": test.test,
                "number": test.part,
                "score": round(test.points),
                "max_score": round(test.of),
                // Of a test without points it would take any for passed.
                "status": if test.has_passed() { "passed" } else { "failed" },
                "output": format!("{} of {} runs passed\n{}", test.passed, test.of_runs, test.words()),
            })
        };
        match self.points {
            Some(points) => serde_json::json!({
                "score": round(points),
                "output": self.text(),
                "tests": self.tests.iter().map(test).collect::<Vec<_>>(),
            }),
            None => serde_json::json!({ "output": self.text() }),
        }
    }
}

impl Graded {
    /// True if all is done and nothing is wrong.
    fn has_passed(&self) -> bool {
        self.done && self.passed == self.of_runs && !self.void
    }

    /// What is to be said of it beside its numbers: the first failure, and doubts.
    fn words(&self) -> String {
        let doubts = self.doubts.iter().map(|doubt| format!("careful: {doubt}"));
        self.failure.iter().cloned().chain(doubts).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn line(&self) -> String {
        let Graded { test, of_runs, passed, points, of, .. } = self;
        format!("{points:5.2} of {of:5.2}  {passed:>3}/{of_runs} passed  {test}")
    }
}

/// Writes a file as a whole: who reads it finds the old text or the new one.
pub(crate) fn replace(file: &Path, text: &str) -> Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// A text without what would colour or steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            // A colour ends with the first letter.
            '\x1b' if rest.next_if_eq(&'[').is_some() => {
                rest.by_ref().find(|c| c.is_ascii_alphabetic());
            }
            c => plain.push(c),
        }
    }
    clean_lines(&plain)
}

fn round(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::labs::LABS;

    pub(in crate::grade) fn outcome() -> Outcome {
        let weights = [("2A".to_string(), 30.0), ("2B".to_string(), 70.0)].into();
        Outcome::new("my-raft", &LABS[0], &weights, (20, 10.0), Print::default())
    }

    #[test]
    fn parts_without_points_have_no_tests() {
        let of = |part: &str| outcome().tests.iter().filter(|test| test.part == part).count();
        assert_eq!(["2A", "2B", "2C", "2D"].map(of), [3, 10, 0, 0]);
        let weights = [("2D".to_string(), 70.0)].into();
        let outcome = Outcome::new("my-raft", &LABS[0], &weights, (20, 10.0), Print::default());
        assert_eq!((outcome.tests.len(), outcome.tests[0].of), (7, 10.0));
    }

    #[test]
    fn what_was_not_run_has_not_passed() {
        let mut outcome = outcome();
        assert_eq!((outcome.points, outcome.is_finished()), (Some(0.0), false));
        outcome.take(
            0,
            Counted { runs: 10, passed: 10, failure: None, done: true, ..Counted::default() },
        );
        assert_eq!(outcome.points, Some(5.0));
        assert!(outcome.text().contains("not finished\n"), "{}", outcome.text());
        outcome.finish();
        assert!(!outcome.text().contains("not finished"), "{}", outcome.text());
        assert!(outcome.text().contains(" 5.00 of 10.00   10/20 passed  initial_election_2A"));
    }

    #[test]
    fn a_run_that_fails_costs_something_however_rare_it_is() {
        let mut outcome = outcome();
        let all = |passed| Counted { runs: 20, passed, done: true, ..Counted::default() };
        (0..13).for_each(|place| outcome.take(place, all(20)));
        assert_eq!(outcome.points, Some(100.0));
        outcome.take(3, all(19));
        assert_eq!(outcome.points, Some(90.0));
        let text = outcome.text();
        assert!(text.contains("By its tests it has 99.7. But a run has failed"), "{text}");
        // Who has lost more by the tests loses nothing else.
        (0..3).for_each(|place| outcome.take(place, all(0)));
        assert_eq!(outcome.points, Some(outcome.by_tests()));
        assert!(!outcome.text().contains("By its tests"), "{}", outcome.text());
        // There is not less than nothing.
        let weights = [("2A".to_string(), 6.0)].into();
        let mut outcome = Outcome::new("my-raft", &LABS[0], &weights, (20, 10.0), Print::default());
        (0..3).for_each(|place| outcome.take(place, all(19)));
        assert_eq!(outcome.points, Some(0.0));
    }

    #[test]
    fn who_passes_everything_is_told_of_no_failure() {
        // Those of docs/grading.md, and such as an instructor may choose: their shares add up to a little more.
        for (lab, weights) in [
            (0, &[("2A", 30.0), ("2B", 35.0), ("2C", 35.0)][..]),
            (0, &[("2A", 20.0), ("2B", 30.0), ("2C", 30.0), ("2D", 20.0)]),
            (1, &[("3A", 40.0), ("3B", 60.0)]),
            (2, &[("4A", 25.0), ("4B", 75.0)]),
        ] {
            let weights = weights.iter().map(|(part, points)| (part.to_string(), *points));
            let weights = weights.collect();
            let mut outcome = Outcome::new("x", &LABS[lab], &weights, (25, 10.0), Print::default());
            let all = |passed| Counted { runs: 25, passed, done: true, ..Counted::default() };
            (0..outcome.tests.len()).for_each(|place| outcome.take(place, all(25)));
            outcome.finish();
            assert_eq!(outcome.lost_more(), None, "{weights:?}");
            assert!(
                outcome.text().starts_with("x: 100.0 of 100.0 points\n  "),
                "{}",
                outcome.text()
            );
            outcome.take(0, all(24));
            assert!(outcome.lost_more().is_some(), "{weights:?}");
        }
    }

    #[test]
    fn a_test_passes_on_gradescope_only_if_all_is_well() {
        let weights = [("2A".to_string(), 100.0), ("rare".to_string(), 0.0)].into();
        let mut outcome = Outcome::new("x", &LABS[0], &weights, (20, 10.0), Print::default());
        let all = || Counted { runs: 20, passed: 20, done: true, ..Counted::default() };
        let place = |outcome: &Outcome| {
            outcome.tests.iter().position(|test| test.part == "rare").expect("a test")
        };
        let status = |outcome: &Outcome| {
            outcome.gradescope()["tests"][place(outcome)]["status"].as_str().map(str::to_string)
        };
        let rare = place(&outcome);
        // Nothing was done yet, nor is it worth anything.
        assert_eq!(status(&outcome).as_deref(), Some("failed"));
        for (counted, expected) in [
            (all(), "passed"),
            (Counted { passed: 19, ..all() }, "failed"),
            (Counted { runs: 19, passed: 19, ..all() }, "failed"),
            (Counted { done: false, ..all() }, "failed"),
            (Counted { void: true, ..all() }, "failed"),
        ] {
            let words = format!("{counted:?}");
            outcome.take(rare, counted);
            assert_eq!(status(&outcome).as_deref(), Some(expected), "{words}");
        }
    }

    #[test]
    fn doubts_are_shown_and_cost_points_if_they_are_to() {
        let mut outcome = outcome();
        let doubts = vec!["not judged: a rule".to_string()];
        outcome.take(0, Counted { runs: 20, passed: 20, doubts, ..Counted::default() });
        assert_eq!(outcome.points, Some(10.0));
        assert!(outcome.text().contains("careful: not judged: a rule"), "{}", outcome.text());
        let doubts = vec!["not judged: a rule".to_string()];
        let void = Counted { runs: 20, passed: 20, doubts, void: true, ..Counted::default() };
        outcome.take(0, void);
        assert_eq!(outcome.points, Some(0.0));
    }

    #[test]
    fn without_a_result_there_is_no_score() {
        let mut outcome = outcome();
        outcome.take(
            0,
            Counted { runs: 20, passed: 20, failure: None, done: true, ..Counted::default() },
        );
        outcome.withdraw("the disk is full");
        assert_eq!(outcome.gradescope().get("score"), None);
        assert!(outcome.text().starts_with("my-raft: no points\n\nthere is no result: the disk"));
    }

    #[test]
    fn files_are_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let outcome = outcome();
        outcome.write(&folder.path().join("a/b")).expect("the folder is made");
        outcome.write(&folder.path().join("a/b")).expect("the files are replaced");
        let mut names: Vec<_> = fs::read_dir(folder.path().join("a/b"))
            .expect("the folder")
            .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        assert_eq!(names, ["grade.json", "grade.txt", "results.json"]);
    }

    #[test]
    fn colours_and_bells_are_left_out() {
        assert_eq!(plain("\x1b[1;31merror\x1b[0m: x\x07\ty\nz"), "error: x\\u{7} y\nz");
        assert_eq!(plain("\x1b"), "\\u{1b}");
        assert_eq!(plain("\u{202e}x\u{2066}"), "\\u{202e}x\\u{2066}");
    }
}
