//! The report as one page that needs nothing else: no network, no other file but the logs.

use test_runs::stats::percentile;

use crate::stress::budget::{Line, TEST_LIMIT_S};
use crate::stress::model::{Group, Report, TestReport};
use crate::stress::table::words::{
    claim, clock, determinism, facts, group_facts, group_title, time,
};
use crate::stress::table::{BUDGET_HEAD, HEAD, budget_cells, cells};

/// The page, with a name in double braces where each part of it goes.
const PAGE: &str = include_str!("report.html");
/// The width and height of a histogram, in its own units.
const PLOT: (f64, f64) = (240.0, 60.0);
/// A histogram has no more bars than this.
const MOST_BARS: usize = 30;

/// The whole page, with the budgets as they were checked.
pub(crate) fn render(report: &Report, budgets: &[Line]) -> String {
    let bad = |bad: bool| if bad { " bad" } else { "" }.to_string();
    let facts = facts(report);
    let facts = facts
        .iter()
        .map(|(what, is)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(what), escape(is)));
    fill(&[
        ("name", escape(&report.name)),
        ("facts", facts.collect()),
        ("claim_class", bad(report.failures() > 0 || report.runs() == 0)),
        ("claim", escape(&claim(report))),
        ("tests", tests(report)),
        ("budgets", budget_table(budgets)),
        ("failures", failures(report)),
        ("determinism_class", bad(!report.determinism.differences.is_empty())),
        ("determinism", escape(&determinism(report))),
        ("plots", report.tests.iter().map(plot).collect()),
    ])
}

/// Puts the parts into the page, in one pass: what a part says is never taken for a name.
fn fill(parts: &[(&str, String)]) -> String {
    let mut pieces = PAGE.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("each name in the page is closed");
        let part = parts.iter().find(|(of, _)| *of == name);
        out += &part.unwrap_or_else(|| panic!("the page has no part `{name}`")).1;
        out += rest;
    }
    out
}

/// The table of the tests.
fn tests(report: &Report) -> String {
    let rows = report.tests.iter().map(|test| {
        let bad = test.failures() > 0;
        (cells(test), move |head: &str| (bad && head.starts_with("fail")).then_some("bad"))
    });
    table(&HEAD, rows)
}

/// The table of the budgets, if there are any.
fn budget_table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rows = lines.iter().map(|line| {
        let class = if line.over { "bad" } else { "good" };
        (budget_cells(line), move |head: &str| head.is_empty().then_some(class))
    });
    format!("<h2>Budgets</h2>\n<div class=\"wide\">\n{}</div>\n", table(&BUDGET_HEAD, rows))
}

/// A table. Each row comes with the class of its cells by their head; each cell knows its head too,
/// since a narrow screen has no room for a line of heads.
fn table<'a, C>(head: &[&'a str], rows: impl Iterator<Item = (Vec<String>, C)>) -> String
where
    C: Fn(&'a str) -> Option<&'static str>,
{
    let heads = head.iter().map(|text| format!("<th scope=\"col\">{}</th>", escape(text)));
    let mut out =
        format!("<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n", heads.collect::<String>());
    for (cells, class) in rows {
        let cells = cells.iter().zip(head).map(|(text, head)| {
            let class = class(head).map_or(String::new(), |class| format!(" class=\"{class}\""));
            format!("<td data-label=\"{}\"{class}>{}</td>", escape(head), escape(text))
        });
        out += &format!("<tr>{}</tr>\n", cells.collect::<String>());
    }
    out + "</tbody>\n</table>\n"
}

/// All groups of failures, if there are any.
fn failures(report: &Report) -> String {
    let groups = report.groups();
    if groups.is_empty() {
        return String::new();
    }
    format!("<h2>Failures</h2>\n{}", groups.iter().map(failure).collect::<String>())
}

/// A group of failures: its words, the link to its log and its command to copy.
fn failure(group: &Group<'_>) -> String {
    let mut out =
        format!("<section class=\"failure\">\n<h3>{}</h3>\n", escape(&group_title(group)));
    out += &format!("<pre>{}</pre>\n", escape(&group.failure.message));
    for (what, is) in group_facts(group) {
        let text = escape(&is);
        out += &match what {
            "replay" => format!(
                "<div class=\"replay\"><pre>{text}</pre>\
                 <button type=\"button\" class=\"copy\">Copy</button></div>\n"
            ),
            "log" => format!("<div>log: <a href=\"./{}\">{text}</a></div>\n", address(&is)),
            _ => format!("<div>{}: {text}</div>\n", escape(what)),
        };
    }
    out + "</section>\n"
}

/// How lab time and RPCs of a test are distributed.
fn plot(test: &TestReport) -> String {
    let name = format!("{} ({})", test.test, clock(test.clock));
    let mut out = format!("<section class=\"plot\">\n<h3>{}</h3>\n", escape(&name));
    let lab = test.sorted(|run| run.lab_us);
    out += &histogram("lab time", &lab, time);
    if let (Some(first), Some(last)) = (lab.first(), lab.last()) {
        let share = |us: u64| (us as f64 / 1e6 / TEST_LIMIT_S).min(1.0) * PLOT.0;
        let (from, to) = (share(*first), share(*last));
        let class = if *last as f64 > TEST_LIMIT_S * 1e6 { "over" } else { "bar" };
        out += &format!(
            "<svg class=\"track\" viewBox=\"0 0 {} 6\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"up to {} of {TEST_LIMIT_S} s\">\
             <rect class=\"back\" width=\"{}\" height=\"6\"/>\
             <rect class=\"{class}\" x=\"{:.2}\" width=\"{:.2}\" height=\"6\"/></svg>\n\
             <div class=\"scale\"><span>0 s</span><span>{TEST_LIMIT_S} s</span></div>\n",
            PLOT.0,
            time(*last),
            PLOT.0,
            from.min(PLOT.0 - 1.5),
            (to - from).max(1.5)
        );
    }
    out += &histogram("RPCs", &test.sorted(|run| run.rpcs), |rpcs| rpcs.to_string());
    out + "</section>\n"
}

/// A histogram of sorted values, from the least to the greatest.
fn histogram(name: &str, values: &[u64], text: fn(u64) -> String) -> String {
    let [Some(&least), Some(&most)] = [values.first(), values.last()] else {
        return format!("<p class=\"dim\">{}: no run has passed</p>\n", escape(name));
    };
    let bars = bars(values);
    let (width, height) = PLOT;
    let step = width / bars.len() as f64;
    let highest = bars.iter().map(|bar| bar.count).max().unwrap_or(1) as f64;
    let rects = bars.iter().enumerate().filter(|(_, bar)| bar.count > 0).map(|(place, bar)| {
        // A single run among thousands is what one looks for: no bar is too low to be seen.
        let tall = (bar.count as f64 / highest * height).max(1.5);
        let (from, to) = (text(bar.from), text(bar.to));
        format!(
            "<rect class=\"bar\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{tall:.2}\">\
             <title>{from} to {to}: {}</title></rect>",
            place as f64 * step,
            height - tall,
            step * 0.92,
            bar.count
        )
    });
    let (rects, median): (String, _) = (rects.collect(), text(percentile(values, 50)));
    let (name, least, most) = (escape(name), text(least), text(most));
    format!(
        "<figure>\n<figcaption><span>{name}, median {median}</span>\
         <span>{} runs</span></figcaption>\n\
         <svg class=\"bars\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{name}: {least} to {most}, median {median}\">{rects}</svg>\n\
         <div class=\"scale\"><span>{least}</span><span>{most}</span></div>\n</figure>\n",
        values.len()
    )
}

/// A bar of a histogram.
#[derive(Debug, PartialEq)]
struct Bar {
    /// The least and the greatest value that belong to it.
    from: u64,
    to: u64,
    count: usize,
}

/// The bars of sorted values, all of a width. There are about as many as the root of the number of
/// values, and never more than the values that could be told apart.
fn bars(values: &[u64]) -> Vec<Bar> {
    let [Some(&least), Some(&most)] = [values.first(), values.last()] else { return Vec::new() };
    let span = most - least + 1;
    let count = ((values.len() as f64).sqrt().ceil() as u64).min(MOST_BARS as u64);
    let width = span.div_ceil(count);
    let mut bars: Vec<Bar> = (0..span.div_ceil(width))
        .map(|place| least + place * width)
        .map(|from| Bar { from, to: from + width - 1, count: 0 })
        .collect();
    for value in values {
        bars[((value - least) / width) as usize].count += 1;
    }
    bars
}

/// Text for an element or an attribute.
fn escape(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
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

    /// Checks that each element is closed in order; the page is written so that all must be.
    fn check_nesting(page: &str) {
        let (before, rest) = page.split_once("<script>").unwrap();
        let (_, after) = rest.split_once("</script>").unwrap();
        let mut open = Vec::new();
        for tag in [before, after].concat().split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("each tag ends");
            let name = tag.split([' ', '\n']).next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop().as_deref(), Some(name)),
                None if tag.ends_with('/') || tag.starts_with('!') => {}
                None => open.push(name.to_string()),
            }
        }
        assert!(open.is_empty(), "{open:?} stay open");
    }

    #[test]
    fn the_page_is_well_formed_and_needs_no_network() {
        let runs = (0..50).map(|index| run(index, (index % 20 == 3).then_some("no <b>"))).collect();
        let page = whole(&report("nightly", runs));
        check_nesting(&page);
        for address in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(address), "{address}");
        }
        assert!(!page.contains("{{"));
        assert_eq!(page.matches("<svg class=\"bars\"").count(), 2);
        check_nesting(&whole(&report("empty", Vec::new())));
    }

    #[test]
    fn any_text_stays_text() {
        let evil = "</pre><script>alert(1)</script>{{claim}}\"'\u{1b}";
        let mut report = report(evil, vec![run(1, Some(evil))]);
        let failure = report.tests[0].runs[0].failure.as_mut().unwrap();
        failure.log = Some("javascript:alert(\"1\")/a b.txt".into());
        failure.replay = "A='<x>' cargo test".into();
        let page = whole(&report);
        check_nesting(&page);
        assert_eq!(page.matches("<script>").count(), 1);
        let escaped = "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{claim}}&quot;&#39;";
        assert!(page.contains(&format!("<h1>Stress run {escaped}</h1>")));
        assert!(page.contains("href=\"./javascript%3Aalert%28%221%22%29/a%20b.txt\""), "{page}");
        assert!(page.contains("<pre>A=&#39;&lt;x&gt;&#39; cargo test</pre><button"));
    }

    #[test]
    fn bars_count_each_value_once() {
        let values = [10, 10, 11, 14, 15, 18, 18, 18, 18];
        let bar = |from, to, count| Bar { from, to, count };
        assert_eq!(bars(&values), [bar(10, 12, 3), bar(13, 15, 2), bar(16, 18, 4)]);
        assert_eq!(bars(&[7; 100]), [bar(7, 7, 100)]);
        assert_eq!(bars(&[]), []);
        let many: Vec<u64> = (0..5000).collect();
        assert!(bars(&many).len() <= MOST_BARS);
        assert_eq!(bars(&many).iter().map(|bar| bar.count).sum::<usize>(), 5000);
        // Few whole numbers: a bar for each, rather than gaps that mean nothing.
        assert_eq!(bars(&[1, 2, 2, 3, 3, 3, 3, 3, 3, 3]).len(), 3);
    }

    #[test]
    fn a_test_beyond_its_limit_stands_out() {
        let mut long = run(0, None);
        long.lab_us = 121_000_000;
        assert!(whole(&report("r", vec![long])).contains("<rect class=\"over\""));
        assert!(!whole(&report("r", vec![run(0, None)])).contains("<rect class=\"over\""));
    }
}
