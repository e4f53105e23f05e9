//! The results of a class as a table: CSV for a spreadsheet, Markdown for people.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use super::Class;
use super::alike::{PAIRS_OF_ONE, Pair, most_equal};
use crate::grade::outcome::{Begun, NOT_JUDGED, plain};
use crate::stress::markdown::{escape, table_with_words};

/// What is said of a result that stands until there is a new one.
const OF_BEFORE: &str =
    "this is of the crate as it was before it changed; it is not graded anew yet";

/// A student's line.
#[derive(Debug)]
pub(crate) struct Row {
    /// The name of the student's folder, as bytes.
    pub(crate) folder: OsString,
    package: String,
    /// None if there is no result.
    points: Option<f64>,
    of: f64,
    /// For each part that has points.
    parts: Vec<f64>,
    /// All is done that was to be done.
    is_finished: bool,
    /// What was done, in one line.
    state: String,
}

impl Row {
    /// The line of the student with this folder.
    pub(crate) fn of(folder: &OsStr, begun: &Begun) -> Row {
        let outcome = begun.shown();
        let before = begun.is_of_before().then(|| match begun.outcome.is_withdrawn() {
            true => format!("this is an earlier result; now {}", begun.outcome.state()),
            false => OF_BEFORE.to_string(),
        });
        let of_tests: Vec<&[String]> = outcome.tests.iter().map(|test| &*test.doubts).collect();
        let doubts = doubts(&of_tests);
        // Else the points of the parts would not add up to those of the crate, and nobody would know why.
        let more = outcome.lost_more().map(|(by_tests, least)| {
            format!("by its tests {by_tests:.2}, but a failed run costs at least {least}")
        });
        let remarks = before.iter().chain(&more).chain(&outcome.remarks).chain(&doubts);
        let remarks = remarks.map(String::as_str);
        let words: Vec<&str> = [outcome.state()]
            .into_iter()
            .chain(remarks)
            .map(|words| words.lines().next().unwrap_or_default().trim_end_matches(':'))
            .collect();
        Row {
            folder: folder.to_owned(),
            package: outcome.package.clone(),
            points: outcome.points,
            of: outcome.of,
            parts: outcome.parts().iter().map(|part| part.points).collect(),
            is_finished: begun.outcome.is_finished(),
            state: words.join("; "),
        }
    }

    /// True if it is as it should be, so far.
    pub(crate) fn is_well(&self) -> bool {
        self.points.is_some_and(|points| (points - self.of).abs() < 0.005)
    }

    /// The cells, as [`head`] names them.
    pub(crate) fn cells(&self) -> Vec<String> {
        // Without a result the points of parts are none either.
        let number = |points: f64| self.points.map_or(String::new(), |_| format!("{points:.2}"));
        // What is no text in a name is shown as �.
        let name = self.folder.to_string_lossy().into_owned();
        let mut cells = vec![name, self.package.clone()];
        cells.push(number(self.points.unwrap_or_default()));
        cells.push(format!("{:.2}", self.of));
        cells.extend(self.parts.iter().map(|points| number(*points)));
        cells.push(self.state.clone());
        cells
    }
}

/// In how many tests there are doubts of each kind; given are those of each test.
fn doubts(of_tests: &[&[String]]) -> Vec<String> {
    let count = |is: fn(&str) -> bool| {
        of_tests.iter().filter(|doubts| doubts.iter().any(|doubt| is(doubt))).count()
    };
    let not_judged = count(|doubt| doubt.starts_with(NOT_JUDGED));
    let not_the_same = count(|doubt| !doubt.starts_with(NOT_JUDGED));
    let kinds = [("not all was judged in", not_judged), ("not the same again in", not_the_same)];
    let kinds = kinds.into_iter().filter(|(_, count)| *count > 0);
    kinds.map(|(words, count)| format!("{words} {count} tests")).collect()
}

/// The names of the columns.
pub(crate) fn head(class: &Class) -> Vec<&str> {
    let parts = class.parts.iter().map(String::as_str);
    ["folder", "crate", "points", "of"].into_iter().chain(parts).chain(["state"]).collect()
}

/// What a pair of nearly equal crates is, and is not.
pub(crate) const ABOUT_PAIRS: &str = "A hint and not a verdict. Names, comments and order do not matter, and \
    what the skeleton gives does not count. There are many reasons why code can be alike.";

/// The names of the columns of the pairs.
pub(crate) const PAIR_HEAD: [&str; 4] = ["one", "another", "alike", "where"];

/// What stands above the pairs.
pub(crate) fn pairs_title(class: &Class) -> String {
    let (listed, all) = (most_equal(&class.pairs).len(), class.pairs.len());
    match listed == all {
        true => "Nearly equal".to_string(),
        false => format!(
            "Nearly equal ({listed} of {all} pairs: for each crate the {PAIRS_OF_ONE} most equal)"
        ),
    }
}

/// What can be said of the whole class. What is not finished has points yet to come: only results count.
pub(crate) fn summary(class: &Class) -> String {
    let rows = &class.rows;
    let finished: Vec<&Row> = rows.iter().filter(|row| row.is_finished).collect();
    let count = |wanted: fn(&Row) -> bool| finished.iter().filter(|row| wanted(row)).count();
    let mut points: Vec<f64> = finished.iter().filter_map(|row| row.points).collect();
    points.sort_by(f64::total_cmp);
    let half = points.get(points.len() / 2).map_or(String::new(), |median| {
        format!(" Half of those with a result have {median:.2} points or more.")
    });
    format!(
        "{} crates, {} of them finished; {} have all points, {} have none, {} have no result.{half}",
        rows.len(),
        finished.len(),
        count(Row::is_well),
        count(|row| row.points == Some(0.0)),
        rows.iter().filter(|row| row.points.is_none()).count(),
    )
}

/// What is to be said of files that look like archives, if there are any.
pub(crate) fn not_unpacked(archives: &[String]) -> Option<String> {
    let names = archives.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| format!("Not graded, since they are not unpacked: {names}."))
}

/// The cells of a pair.
pub(crate) fn pair_cells(pair: &Pair) -> Vec<String> {
    let places: Vec<String> =
        pair.places.iter().map(|(one, two)| format!("{one} ~ {two}")).collect();
    let share = format!("{:.0} %", 100.0 * pair.share);
    vec![pair.one.clone(), pair.two.clone(), share, places.join("; ")]
}

/// The table for a spreadsheet.
pub(crate) fn csv(class: &Class) -> String {
    let line = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|text| quoted(text)).collect();
        cells.join(",") + "\r\n"
    };
    let mut out = line(&head(class));
    for row in &class.rows {
        let cells = row.cells();
        out += &line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    out
}

/// The tables for people.
pub(crate) fn markdown(class: &Class) -> String {
    let rows: Vec<_> = class.rows.iter().map(Row::cells).collect();
    let (name, head) = (escape(&class.name), head(class));
    let table = table_with_words(&head, &rows, &[0, 1, head.len() - 1]);
    let mut out = format!("# Class {name}\n\n{}\n\n{table}", summary(class));
    if let Some(words) = not_unpacked(&class.archives) {
        let _ = writeln!(out, "\n{}", escape(&words));
    }
    if !class.pairs.is_empty() {
        let rows: Vec<_> = most_equal(&class.pairs).into_iter().map(pair_cells).collect();
        let table = table_with_words(&PAIR_HEAD, &rows, &[0, 1, 3]);
        let _ = write!(out, "\n## {}\n\n{ABOUT_PAIRS}\n\n{table}", pairs_title(class));
    }
    out
}

/// A cell of a CSV file. A spreadsheet must not take a student's words for a formula.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_string() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::grade::outcome::Counted;

    /// A class of three: right, wrong in a strange way, and without a result.
    pub(crate) fn class() -> Class {
        let row = |name: &str, points, state: &str| Row {
            folder: name.into(),
            package: "my-raft".to_string(),
            points,
            of: 100.0,
            parts: vec![30.0, 45.5],
            is_finished: points.is_some(),
            state: state.to_string(),
        };
        let pair = Pair {
            one: "ann".to_string(),
            two: "=bob".to_string(),
            share: 0.876,
            places: vec![("src/lib.rs:1-9".to_string(), "src/raft.rs:4-12".to_string())],
        };
        Class {
            name: "autumn".to_string(),
            parts: vec!["2A".to_string(), "2B".to_string()],
            rows: vec![
                row("ann", Some(100.0), "graded"),
                row("=bob", Some(75.5), "<b>no</b>, \"x\" | y"),
                row("cid", None, "there is no result"),
            ],
            pairs: vec![pair],
            archives: Vec::new(),
        }
    }

    #[test]
    fn a_spreadsheet_reads_text_as_text() {
        let expected = "folder,crate,points,of,2A,2B,state\r\n\
             ann,my-raft,100.00,100.00,30.00,45.50,graded\r\n\
             '=bob,my-raft,75.50,100.00,30.00,45.50,\"<b>no</b>, \"\"x\"\" | y\"\r\n\
             cid,my-raft,,100.00,,,there is no result\r\n";
        assert_eq!(csv(&class()), expected);
    }

    #[test]
    fn what_was_not_judged_and_what_was_not_the_same_again_are_counted_apart() {
        let rule = "not judged: a rule".to_string();
        let again = "seed 1 gave another run".to_string();
        assert_eq!(doubts(&[&[]]), [""; 0]);
        let one = std::slice::from_ref(&again);
        assert_eq!(doubts(&[&[], one]), ["not the same again in 1 tests"]);
        assert_eq!(
            doubts(&[&[rule.clone(), again], &[rule.clone(), rule]]),
            ["not all was judged in 2 tests", "not the same again in 1 tests"]
        );
    }

    #[test]
    fn a_summary_stands_above_the_table_and_pairs_below() {
        let text = markdown(&class());
        assert!(
            text.contains(
                "\n3 crates, 2 of them finished; 1 have all points, 0 have none, 1 have no result. Half of \
                 those with a result have 100.00 points or more.\n"
            ),
            "{text}"
        );
        assert!(text.contains("| --- | --- | ---: | ---: | ---: | ---: | --- |\n"), "{text}");
        assert!(text.contains("\"x\" \\| y"), "{text}");
        assert!(
            text.contains("| ann | =bob | 88 % | src/lib.rs:1-9 \\~ src/raft.rs:4-12 |"),
            "{text}"
        );
        let without = Class { pairs: Vec::new(), ..class() };
        assert!(!markdown(&without).contains("Nearly"));
    }

    #[test]
    fn what_is_not_begun_or_has_no_result_is_not_counted_for_half_of_the_class() {
        let mut class = class();
        let begun = || Begun::of(crate::grade::outcome::tests::outcome());
        class.rows.extend([(); 4].map(|()| Row::of(OsStr::new("dan"), &begun())));
        let summary = summary(&class);
        let expected = "7 crates, 2 of them finished; 1 have all points, 0 have none, 1 have no result. Half of those \
                        with a result have 100.00 points or more.";
        assert_eq!(summary, expected);
        class.rows.drain(..2);
        assert!(!self::summary(&class).contains("Half"), "there is no result yet");
    }

    #[test]
    fn why_an_earlier_result_stands_is_said() {
        use crate::grade::outcome::Outcome;

        let folder = tempfile::tempdir().expect("a folder");
        let outcome = crate::grade::outcome::tests::outcome;
        outcome().write(folder.path()).expect("it can be written");
        let mut now: Outcome = outcome();
        now.withdraw("the crate cannot be read");
        let begun = now.resumed(folder.path(), None).expect("it is the same way");
        let row = Row::of(OsStr::new("ann"), &begun);
        let words = "not finished; this is an earlier result; now there is no result: the crate cannot be read";
        assert_eq!((row.points, &*row.state, row.is_finished), (Some(0.0), words, false));
    }

    #[test]
    fn points_of_parts_that_do_not_add_up_are_explained() {
        let mut outcome = crate::grade::outcome::tests::outcome();
        let all = |passed| Counted { runs: 20, passed, done: true, ..Counted::default() };
        (0..13).for_each(|place| outcome.take(place, all(20)));
        outcome.take(3, all(19));
        outcome.finish();
        let row = Row::of(OsStr::new("ann"), &Begun::of(outcome));
        assert_eq!((row.points, row.parts.iter().sum::<f64>() > 99.6), (Some(90.0), true));
        assert_eq!(row.state, "graded; by its tests 99.65, but a failed run costs at least 10");
        let mut outcome = crate::grade::outcome::tests::outcome();
        (0..13).for_each(|place| outcome.take(place, all(0)));
        outcome.finish();
        assert_eq!(Row::of(OsStr::new("ann"), &Begun::of(outcome)).state, "graded");
    }
}
