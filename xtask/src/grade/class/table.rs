//! The results of a class as a table: CSV for a spreadsheet, Markdown for people.

use std::fmt::Write as _;

use super::Class;
use super::alike::Pair;
use crate::grade::outcome::Outcome;
use crate::stress::markdown::{escape, table};

/// A student's line.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    package: String,
    /// None if there is no result.
    points: Option<f64>,
    of: f64,
    /// For each part that has points.
    parts: Vec<f64>,
    /// What was done, in one line.
    state: String,
}

impl Row {
    /// The line of the student with this folder.
    pub(crate) fn of(name: &str, outcome: &Outcome) -> Row {
        let doubted = outcome.tests.iter().filter(|test| !test.doubts.is_empty()).count();
        let doubts = (doubted > 0).then(|| format!("not all was judged in {doubted} tests"));
        let remarks = outcome.remarks.iter().chain(&doubts).map(String::as_str);
        let words: Vec<&str> = [outcome.state()]
            .into_iter()
            .chain(remarks)
            .map(|words| words.lines().next().unwrap_or_default().trim_end_matches(':'))
            .collect();
        Row {
            name: name.to_string(),
            package: outcome.package.clone(),
            points: outcome.points,
            of: outcome.of,
            parts: outcome.parts().iter().map(|part| part.points).collect(),
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
        let mut cells = vec![self.name.clone(), self.package.clone()];
        cells.push(number(self.points.unwrap_or_default()));
        cells.push(format!("{:.2}", self.of));
        cells.extend(self.parts.iter().map(|points| number(*points)));
        cells.push(self.state.clone());
        cells
    }
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

/// More pairs than this say only that a class began with the same code.
const MOST_PAIRS: usize = 100;

/// The pairs that are listed: the most equal ones.
pub(crate) fn shown(class: &Class) -> &[Pair] {
    &class.pairs[..class.pairs.len().min(MOST_PAIRS)]
}

/// What stands above the pairs.
pub(crate) fn pairs_title(class: &Class) -> String {
    match class.pairs.len() {
        ..=MOST_PAIRS => "Nearly equal".to_string(),
        all => format!("Nearly equal (the first {MOST_PAIRS} of {all} pairs)"),
    }
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
    let mut out = format!("# Class {}\n\n{}", escape(&class.name), table(&head(class), &rows));
    if !class.pairs.is_empty() {
        let rows: Vec<_> = shown(class).iter().map(pair_cells).collect();
        let table = table(&PAIR_HEAD, &rows);
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

    /// A class of three: right, wrong in a strange way, and without a result.
    pub(crate) fn class() -> Class {
        let row = |name: &str, points, state: &str| Row {
            name: name.to_string(),
            package: "my-raft".to_string(),
            points,
            of: 100.0,
            parts: vec![30.0, 45.5],
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
    fn pairs_stand_below_the_table() {
        let text = markdown(&class());
        assert!(text.contains("\"x\" \\| y"), "{text}");
        assert!(
            text.contains("| ann | =bob | 88 % | src/lib.rs:1-9 \\~ src/raft.rs:4-12 |"),
            "{text}"
        );
        let without = Class { pairs: Vec::new(), ..class() };
        assert!(!markdown(&without).contains("Nearly"));
    }
}
