//! The report as one page that needs nothing else: no network, no other file but the logs.

use maud::{Markup, PreEscaped, html};

use crate::page::page;
use crate::stress::budget::Line;
use crate::stress::model::{Group, Report, TestReport};
use crate::stress::situations;
use crate::stress::table::{BUDGET_HEAD, HEAD, budget_cells, cells};
use crate::stress::words::{claim, clean, determinism, facts, group_facts, group_title};

mod plot;

/// The whole page, with the budgets as they were checked.
pub(crate) fn render(report: &Report, budgets: &[Line]) -> String {
    let name = format!("Stress run {}", clean(&report.name));
    let bad = report.failures() > 0 || report.runs() == 0;
    let body = html! {
        header {
            h1 { (name) }
            dl.facts { @for (what, is) in facts(report) { div { dt { (what) } dd { (is) } } } }
            p.claim.bad[bad] { (claim(report)) }
        }
        main {
            h2 { "Tests" }
            div.wide { (tests(report)) }
            (budget_table(budgets))
            (failures(report))
            (situation_table(report))
            h2 { "Determinism" }
            pre.bad[!report.determinism.differences.is_empty()] { (determinism(report)) }
            h2 { "Distributions" }
            p.dim {
                "Of runs that passed. Below each lab time: where it lies in the 120 s a test \
                 may take."
            }
            div.plots { @for test in &report.tests { (plot::plot(test)) } }
        }
        script { (PreEscaped(trace_view::page::COPY)) }
    };
    page(&name, true, &body)
}

/// The table of the tests.
fn tests(report: &Report) -> Markup {
    let rows = report.tests.iter().map(|test: &TestReport| {
        let bad = test.failures > 0;
        (cells(test), move |head: &str| (bad && head.starts_with("fail")).then_some("bad"))
    });
    table(&HEAD, rows)
}

/// The table of the budgets, if there are any.
fn budget_table(lines: &[Line]) -> Markup {
    let rows = lines.iter().map(|line| {
        let class = if line.over { "bad" } else { "good" };
        (budget_cells(line), move |head: &str| head.is_empty().then_some(class))
    });
    html! {
        @if !lines.is_empty() {
            h2 { "Budgets" }
            div.wide { (table(&BUDGET_HEAD, rows)) }
        }
    }
}

/// The situations that runs came into, and those that none did, if anybody has looked for them.
fn situation_table(report: &Report) -> Markup {
    let rows = situations::rows(report).into_iter().map(|cells| (cells, |_: &str| None));
    html! {
        @if situations::are_known(report) {
            h2 { "Situations" }
            div.wide { (table(&situations::HEAD, rows)) }
            ul { @for line in situations::sentences(report) { li { (clean(&line)) } } }
        }
    }
}

/// A table. Each row comes with the class of its cells by their head; each cell knows its head too,
/// since a narrow screen has no room for a line of heads.
fn table<'a, C>(head: &[&'a str], rows: impl Iterator<Item = (Vec<String>, C)>) -> Markup
where
    C: Fn(&'a str) -> Option<&'static str>,
{
    html! {
        table {
            thead { tr { @for text in head { th scope="col" { (text) } } } }
            tbody {
                @for (cells, class) in rows {
                    tr {
                        @for (text, head) in cells.iter().zip(head) {
                            td data-label=(head) class=[class(head)] { (clean(text)) }
                        }
                    }
                }
            }
        }
    }
}

/// All groups of failures, if there are any.
fn failures(report: &Report) -> Markup {
    let groups = report.groups();
    html! {
        @if !groups.is_empty() {
            h2 { "Failures" }
            @for group in groups { (failure(group)) }
        }
    }
}

/// A group of failures: its words, the link to its log and its command to copy.
fn failure((test, group): (&TestReport, &Group)) -> Markup {
    html! {
        section.failure {
            h3 { (group_title((test, group))) }
            pre { (clean(&group.verdict())) }
            @for (what, is) in group_facts(group) {
                @match what {
                    "replay" => div.replay { pre { (is) } button.copy type="button" { "Copy" } },
                    "log" => div { "log: " a href={ "./" (address(&is)) } { (is) } },
                    _ => div { (what) ": " (is) },
                }
            }
        }
    }
}

/// A relative path as an address.
fn address(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-".contains(&b);
    path.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::budget::check;
    use crate::stress::model::tests::{report, run};

    /// The page of a report.
    fn whole(report: &Report) -> String {
        render(report, &check(report))
    }

    #[test]
    fn the_page_needs_no_network() {
        let runs = (0..50).map(|index| run(index, (index % 20 == 3).then_some("no <b>"))).collect();
        let page = whole(&report("nightly", runs));
        for address in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(address), "{address}");
        }
        assert_eq!(page.matches("<svg class=\"bars\"").count(), 2);
        assert!(page.contains("<td data-label=\"failed\" class=\"bad\">3</td>"), "{page}");
    }

    #[test]
    fn situations_are_shown_if_anybody_has_looked_for_them() {
        let mut report = report("nightly", vec![run(0, None)]);
        assert!(!whole(&report).contains("Situations"));
        let seen = [("split_vote".to_string(), 3)].into();
        situations::add(&mut report.tests[0].situations, &seen);
        let page = whole(&report);
        assert!(page.contains("<h2>Situations</h2>"));
        assert!(page.contains("<td data-label=\"times\">3</td>"), "{page}");
        assert!(page.contains("<li>never reached in 1 runs: several candidates"), "{page}");
    }

    #[test]
    fn any_text_stays_text() {
        let evil = "</pre><script>alert(1)</script>\"'\u{1b}";
        let mut report = report(evil, vec![run(1, Some(evil))]);
        let failure = report.tests[0].groups[0].first.failure.as_mut().expect("it failed");
        failure.log = Some("javascript:alert(\"1\")/a b.txt".into());
        failure.replay = "A='<x>' cargo test".into();
        let page = whole(&report);
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(page.contains("<h1>Stress run &lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("href=\"./javascript%3Aalert%28%221%22%29/a%20b.txt\""), "{page}");
        assert!(page.contains("<pre>A='&lt;x&gt;' cargo test</pre><button"), "{page}");
        assert!(!page.contains('\u{1b}'));
    }
}
