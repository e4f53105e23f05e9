//! The report in Markdown: the tables to paste into an issue or a document.

use crate::stress::budget::Line;
use crate::stress::model::Report;
use crate::stress::situations;
use crate::stress::table::words::{claim, clean, determinism, facts, group_facts, group_title};
use crate::stress::table::{BUDGET_HEAD, HEAD, budget_cells, cells};

/// The whole report in Markdown, with the budgets as they were checked.
pub(crate) fn render(report: &Report, budgets: &[Line]) -> String {
    let facts = facts(report);
    let facts: Vec<_> = facts.iter().map(|(what, is)| format!("{what} {}", escape(is))).collect();
    let mut out = format!("# Stress run {}\n\n{}\n\n", escape(&report.name), facts.join(", "));
    let rows: Vec<_> = report.tests.iter().map(cells).collect();
    out += &table(&HEAD, &rows);
    let budgets: Vec<_> = budgets.iter().map(budget_cells).collect();
    if !budgets.is_empty() {
        out += &format!("\n## Budgets\n\n{}", table(&BUDGET_HEAD, &budgets));
    }
    if situations::are_known(report) {
        let rows = situations::rows(report);
        out += &format!("\n## Situations\n\n{}\n", table(&situations::HEAD, &rows));
        situations::sentences(report)
            .iter()
            .for_each(|line| out += &format!("- {}\n", escape(line)));
    }
    out += &format!("\n{}\n", escape(&claim(report)));
    let groups = report.groups();
    if !groups.is_empty() {
        out += "\n## Failures\n";
    }
    for (test, group) in groups {
        out += &format!("\n### {}\n\n", escape(&group_title((test, group))));
        out += &block(&group.verdict());
        for (what, is) in group_facts(group) {
            out += &match what {
                "replay" => format!("\n{}", block(&is)),
                _ => format!("\n- {what}: {}", escape(&is)),
            };
        }
    }
    out += "\n## Determinism\n\n";
    let determinism = determinism(report);
    let mut lines = determinism.lines();
    out += &format!("{}\n", escape(lines.next().unwrap_or_default()));
    for (number, line) in lines.enumerate() {
        out += &format!("{}- {}\n", if number == 0 { "\n" } else { "" }, escape(line.trim()));
    }
    out
}

/// A table; all columns but the first two end in line.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    table_with_words(head, rows, &[0, 1])
}

/// A table in which these columns have words, and the others numbers.
pub(crate) fn table_with_words(head: &[&str], rows: &[Vec<String>], words: &[usize]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let rule = |column| if words.contains(&column) { "---" } else { "---:" }.to_string();
    let rules = (0..head.len()).map(rule);
    let mut out = line(head.iter().map(|text| escape(text)).collect()) + &line(rules.collect());
    for row in rows {
        out += &line(row.iter().map(|text| escape(text)).collect());
    }
    out
}

/// A text that Markdown shows as it is, in one line.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::new();
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let inside = before.is_alphanumeric() && chars.peek().is_some_and(|c| c.is_alphanumeric());
        match c {
            // Inside of a word it marks nothing: the names of tests stay readable.
            '_' if inside => out.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' => {
                out.extend(['\\', c]);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// A block of text as it is, in a fence longer than any that it has itself.
fn block(text: &str) -> String {
    let text = clean(text);
    let mut fence = "```".to_string();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::budget::check;
    use crate::stress::model::tests::{report, run};

    #[test]
    fn the_tables_have_as_many_cells_in_each_line() {
        let report = report("nightly", vec![run(0, None), run(1, Some("a | b"))]);
        let text = render(&report, &check(&report));
        let cells = |line: &&str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(lines[..3].iter().map(cells).collect::<Vec<_>>(), [HEAD.len() + 1; 3]);
        assert_eq!(lines[3..].iter().map(cells).collect::<Vec<_>>(), [BUDGET_HEAD.len() + 1; 4]);
        assert!(lines[2].starts_with("| initial_election_2A | sim | 2 | 1 | 50.00 % (9.45 % to"));
        assert!(lines[1].starts_with("| --- | --- | ---: |"));
    }

    #[test]
    fn a_failure_shows_its_words_and_its_replay() {
        let text = render(&report("r", vec![run(1, Some("a\n```\nb"))]), &[]);
        assert!(text.contains("\n### panic in 1 run of initial_election_2A (sim)\n"), "{text}");
        assert!(text.contains("\n````text\na\n```\nb\n````\n"), "{text}");
        assert!(text.contains("\n```text\nLAB_SEED=10 cargo test\n```\n"), "{text}");
        assert!(text.contains("\n- log: logs/1.txt\n"), "{text}");
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(escape("a_b _c_ <i>|*x*\n`"), r"a_b \_c\_ \<i\>\|\*x\* \`");
    }
}
