//! A result that is being made, beside what an earlier grading has left.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{JSON, Outcome};

/// The folder of a new result, below that of the one that stands until then.
const ANEW: &str = "anew";

/// A result that is being made.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) outcome: Outcome,
    /// An earlier result, mostly of the crate as it was before it changed. It stands until the new one is finished.
    standing: Option<Outcome>,
}

/// An earlier grading was another way of grading, so that it cannot be gone on with.
#[derive(Debug)]
pub(crate) struct AnotherWay(String);

impl Display for AnotherWay {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for AnotherWay {}

impl Outcome {
    /// What an earlier grading has left in a folder, and what is to be done now.
    ///
    /// What an earlier grading of the same crate did not finish is to be done, also what it had no time for, if there
    /// is more of it now: `limit`. A crate that has changed is graded anew; until that is finished, its old result
    /// stands, and the new one lies in a folder within this one. It stands too if there can be no result now.
    ///
    /// # Errors
    /// [`AnotherWay`] if what is there was graded in another way, with words that say how they differ; or if it cannot
    /// be read.
    pub(crate) fn resumed(self, folder: &Path, limit: Option<Duration>) -> Result<Begun> {
        let Some(standing) = self.earlier(folder)? else { return Ok(Begun::of(self)) };
        if self.is_withdrawn() {
            return Ok(Begun { outcome: self, standing: Some(standing) });
        }
        // What is no crate any more has its result already.
        if standing.print == self.print && !self.finished {
            return Ok(Begun::of(self.going_on(standing, limit)));
        }
        let anew = self.earlier(&folder.join(ANEW))?.filter(|anew| anew.print == self.print);
        let outcome = match anew {
            Some(anew) => self.going_on(anew, limit),
            None => self,
        };
        Ok(Begun { outcome, standing: Some(standing) })
    }

    /// The result in a folder, if it is one that can be gone on with: also what was done before there could be none,
    /// for want of room on the disk, say.
    fn earlier(&self, folder: &Path) -> Result<Option<Outcome>> {
        let file = folder.join(JSON);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        let mut earlier: Outcome = serde_json::from_str(&text).map_err(|error| {
            AnotherWay(format!(
                "{} was written by another version of grade: {error}",
                file.display()
            ))
        })?;
        if earlier.is_withdrawn() {
            let is_of_use =
                earlier.print == self.print && earlier.tests.iter().any(|test| test.done);
            earlier.work_out();
            // What is no result, and of no use, cannot be lost.
            return Ok(is_of_use.then_some(earlier));
        }
        match self.print.another_way(&earlier.print) {
            Some(words) => {
                let folder = folder.display();
                let words = format!("what is in {folder} was graded in another way: {words}");
                Err(AnotherWay(words).into())
            }
            None => Ok(Some(earlier)),
        }
    }

    /// An earlier result of the same crate, to be finished.
    fn going_on(&self, mut earlier: Outcome, limit: Option<Duration>) -> Outcome {
        let had_less = |had: &mut Duration| limit.is_none_or(|limit| limit > *had);
        if earlier.out_of_time.take_if(had_less).is_some() {
            earlier.finished = false;
        }
        if !earlier.finished {
            earlier.note.clone_from(&self.note);
        }
        earlier.dir.clone_from(&self.dir);
        earlier
    }
}

impl Begun {
    /// Nothing stands before it is finished.
    pub(crate) fn of(outcome: Outcome) -> Begun {
        Begun { outcome, standing: None }
    }

    /// What is to be shown: the result that stands, or what is there of a first one.
    pub(crate) fn shown(&self) -> &Outcome {
        self.standing.as_ref().unwrap_or(&self.outcome)
    }

    /// True if what is shown is an earlier result: mostly of the crate as it was before it changed.
    pub(crate) fn is_of_before(&self) -> bool {
        self.standing.is_some()
    }

    /// Writes what there is: in the place of what stands only if it is finished.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub(crate) fn write(&mut self, folder: &Path) -> Result<()> {
        if self.standing.is_some() && !self.outcome.is_finished() {
            // Without a result, and with nothing done: what was begun there may be worth more.
            if self.outcome.is_withdrawn() && self.outcome.tests.iter().all(|test| !test.done) {
                return Ok(());
            }
            return self.outcome.write(&folder.join(ANEW));
        }
        self.outcome.write(folder)?;
        self.standing = None;
        // What was begun for a crate that is another one by now is of no use any more.
        let _ = fs::remove_dir_all(folder.join(ANEW));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::outcome;
    use super::super::{Counted, Print};
    use super::*;

    /// What there is to go on with.
    fn resumed(outcome: Outcome, folder: &Path, limit: Option<Duration>) -> Outcome {
        let begun = outcome.resumed(folder, limit).expect("it is graded in the same way");
        assert!(begun.standing.is_none(), "it is the same crate");
        begun.outcome
    }

    /// The points in a folder.
    fn points(folder: &Path) -> Option<f64> {
        let text = fs::read_to_string(folder.join(JSON)).expect("a result");
        serde_json::from_str::<Outcome>(&text).expect("a result").points
    }

    fn print(text: &str) -> Print {
        serde_json::from_str(text).expect("a print")
    }

    #[test]
    fn what_was_done_in_the_same_way_is_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut earlier = outcome();
        earlier.take(
            0,
            Counted { runs: 20, passed: 20, failure: None, done: true, ..Counted::default() },
        );
        earlier.interrupt();
        earlier.write(folder.path()).expect("it can be written");
        let resumed = |outcome: Outcome| resumed(outcome, folder.path(), None);
        let same = resumed(outcome());
        assert_eq!((same.points, same.state()), (Some(10.0), "not finished"));
        assert!(same.tests[0].done && !same.tests[1].done);
    }

    #[test]
    fn what_was_done_before_there_could_be_no_result_is_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |earlier: &mut Outcome| {
            earlier.withdraw("the disk is full");
            earlier.write(folder.path()).expect("it can be written");
            assert_eq!(points(folder.path()), None);
        };
        let done = |passed| Counted { runs: 20, passed, done: true, ..Counted::default() };
        let mut earlier = outcome();
        earlier.take(0, done(20));
        earlier.take(1, done(10));
        write(&mut earlier);
        let resumed = |outcome: Outcome| resumed(outcome, folder.path(), None);
        let same = resumed(outcome());
        assert_eq!((same.points, same.state()), (Some(15.0), "not finished"));
        assert!(same.tests[1].done && !same.tests[2].done && !same.is_finished());
        // A run that has failed costs as much as ever.
        let mut earlier = outcome();
        (0..13).for_each(|place| earlier.take(place, done(20)));
        earlier.take(12, done(19));
        write(&mut earlier);
        assert_eq!(resumed(outcome()).points, Some(90.0));
        // Of another crate, or another way of grading, nothing is of use, and nothing can be lost.
        for differs in [r#"{"of_crate":"x"}"#, r#"{"settings":{"--seeds":"3"}}"#] {
            let other = resumed(Outcome { print: print(differs), ..outcome() });
            assert_eq!((other.points, other.tests[0].done), (Some(0.0), false), "{differs}");
        }
    }

    #[test]
    fn a_result_stands_while_there_can_be_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let (top, anew) = (folder.path(), folder.path().join(ANEW));
        let unreadable = || {
            let mut outcome = outcome();
            outcome.withdraw("the crate cannot be read");
            outcome
        };
        // There is none yet.
        let mut begun = unreadable().resumed(top, None).expect("it is the same way");
        assert!(!begun.is_of_before() && !begun.outcome.is_finished());
        begun.write(top).expect("it can be written");
        assert_eq!(points(top), None);
        let done = || Counted { runs: 20, passed: 20, done: true, ..Counted::default() };
        let mut earlier = Outcome { print: print(r#"{"of_crate":"x"}"#), ..outcome() };
        earlier.take(0, done());
        earlier.write(top).expect("it can be written");
        earlier.take(1, done());
        earlier.write(&anew).expect("it can be written");
        let mut begun = unreadable().resumed(top, None).expect("it is the same way");
        begun.write(top).expect("it can be written");
        assert_eq!((points(top), begun.shown().points), (Some(10.0), Some(10.0)));
        assert_eq!(points(&anew), Some(20.0), "that was begun may be gone on with later");
        assert!(begun.is_of_before() && !begun.outcome.is_finished());
    }

    #[test]
    fn what_was_graded_in_another_way_is_not_gone_on_with() {
        let folder = tempfile::tempdir().expect("a folder");
        outcome().write(folder.path()).expect("it can be written");
        let before = fs::read(folder.path().join(JSON)).expect("a result");
        for (differs, words) in [
            (r#"{"settings":{"--seeds":"3"}}"#, "--seeds was not set, and is `3` now"),
            (r#"{"workspace":"x"}"#, "the code of this workspace"),
            (r#"{"compiler":"rustc 2"}"#, "the compiler was"),
        ] {
            let other = Outcome { print: print(differs), ..outcome() };
            let refused = other.resumed(folder.path(), None).expect_err("it is another way");
            let refused = refused.to_string();
            assert!(
                refused.contains("graded in another way") && refused.contains(words),
                "{refused}"
            );
        }
        assert_eq!(fs::read(folder.path().join(JSON)).expect("a result"), before);
        // Another version of ours has other words for it.
        fs::write(folder.path().join(JSON), r#"{"points":30,"print":"0123"}"#).expect("a file");
        let refused = outcome().resumed(folder.path(), None).expect_err("it cannot be read");
        assert!(refused.to_string().contains("another version of grade"), "{refused:#}");
    }

    #[test]
    fn a_result_stands_until_its_changed_crate_has_another_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (top, anew) = (folder.path(), folder.path().join(ANEW));
        let done = || Counted { runs: 20, passed: 20, done: true, ..Counted::default() };
        let mut earlier = outcome();
        earlier.take(0, done());
        earlier.finish();
        earlier.write(top).expect("it can be written");
        let changed = || Outcome { print: print(r#"{"of_crate":"x"}"#), ..outcome() };
        let mut begun = changed().resumed(top, None).expect("only the crate is another one");
        assert_eq!(begun.outcome.points, Some(0.0), "all is done anew");
        for _ in 0..2 {
            begun.write(top).expect("it can be written");
            assert_eq!((points(top), begun.shown().points), (Some(10.0), Some(10.0)));
        }
        // It is interrupted, and gone on with.
        begun.outcome.take(0, done());
        begun.outcome.take(1, done());
        begun.outcome.interrupt();
        begun.write(top).expect("it can be written");
        assert_eq!((points(top), points(&anew)), (Some(10.0), Some(20.0)));
        let mut begun = changed().resumed(top, None).expect("only the crate is another one");
        assert!(begun.outcome.tests[1].done && !begun.outcome.tests[2].done);
        // There is no result for now.
        begun.outcome.withdraw("the disk is full");
        begun.write(top).expect("it can be written");
        assert_eq!(points(top), Some(10.0));
        let mut begun = changed().resumed(top, None).expect("only the crate is another one");
        assert_eq!(begun.outcome.points, Some(20.0), "what was done is done");
        (0..2).for_each(|place| begun.outcome.take(place, Counted { passed: 0, ..done() }));
        begun.outcome.finish();
        begun.write(top).expect("it can be written");
        assert_eq!(
            (points(top), begun.shown().points),
            (Some(0.0), Some(0.0)),
            "if it is a worse one, too"
        );
        assert!(!anew.exists());
    }

    #[test]
    fn what_there_was_no_time_for_is_gone_on_with_if_there_is_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let seconds = |seconds: u64| Some(Duration::from_secs(seconds));
        let mut earlier = outcome();
        earlier.take(
            0,
            Counted { runs: 20, passed: 20, failure: None, done: true, ..Counted::default() },
        );
        earlier.run_out_of_time(Duration::from_secs(20));
        earlier.write(folder.path()).expect("it can be written");
        for limit in [seconds(10), seconds(20)] {
            let resumed = resumed(outcome(), folder.path(), limit);
            assert!(resumed.is_finished() && resumed.state().starts_with("the time limit of 20s"));
        }
        for limit in [seconds(21), None] {
            let resumed = resumed(outcome(), folder.path(), limit);
            assert_eq!((resumed.points, resumed.state()), (Some(10.0), "not finished"));
            assert!(!resumed.is_finished() && resumed.tests[0].done && !resumed.tests[1].done);
        }
    }
}
