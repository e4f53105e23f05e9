//! A trace as one HTML page that needs nothing else: no network, no other file.
//!
//! The page holds the whole trace as JSON and draws it itself. What a reader needs first, the verdict
//! and the command that repeats the run, stands in it as plain text, so that it can be read without
//! scripts too.

use std::fmt::Write;
use std::io;
use std::path::Path;

use run_record::Clock;
use run_record::trace::{Fact, Trace, Verdict, What, write_whole};
use serde_json::{Number, Value, to_value};

use crate::{grouped, groups};

mod blame;
mod elections;
#[cfg(test)]
pub(crate) mod fixture;
mod meaning;
mod sources;
#[cfg(test)]
mod tests;

use sources::Sources;

/// The page, with a name in double braces where each part of it goes.
const PAGE: &str = include_str!("page/page.html");
/// How it looks.
const STYLE: &str = include_str!("page/page.css");
/// What the buttons of class `copy` of a page do: they copy the text that stands before them.
pub const COPY: &str = include_str!("page/copy.js");
/// What it does, in the order in which it is read.
const SCRIPTS: [&str; 21] = [
    COPY,
    include_str!("page/model.js"),
    include_str!("page/calls.js"),
    include_str!("page/links.js"),
    include_str!("page/axis.js"),
    include_str!("page/story.js"),
    include_str!("page/elections.js"),
    include_str!("page/words.js"),
    include_str!("page/labels.js"),
    include_str!("page/draw.js"),
    include_str!("page/tester.js"),
    include_str!("page/operations.js"),
    include_str!("page/shards.js"),
    include_str!("page/lanes.js"),
    include_str!("page/arrows.js"),
    include_str!("page/focus.js"),
    include_str!("page/overview.js"),
    include_str!("page/panel.js"),
    include_str!("page/search.js"),
    include_str!("page/interact.js"),
    include_str!("page/main.js"),
];
/// The greatest whole number up to which JavaScript knows all.
const MOST_EXACT: u64 = (1 << 53) - 1;

/// Writes the page of a trace that this program has made to a file, whole or not at all. The lines of
/// source code that the verdict names are in it, if they are at hand.
///
/// # Errors
/// If the file cannot be written.
pub fn write(trace: &Trace, file: &Path) -> io::Result<()> {
    write_whole(file, |out| out.write_all(render_with(trace, &sources::at_hand(trace)).as_bytes()))
}

/// The whole page of a trace.
pub fn render(trace: &Trace) -> String {
    render_with(trace, &Sources::new())
}

fn render_with(trace: &Trace, sources: &Sources) -> String {
    let header = &trace.header;
    let outcome = match (verdict(trace), &trace.footer) {
        (Some(verdict), _) => format!("failed: {}", verdict.check),
        (None, Some(_)) => "passed".into(),
        (None, None) => "breaks off".into(),
    };
    fill(&[
        ("name", escape(&format!("{}: {outcome}", header.test))),
        ("heading", escape(&format!("{} ({})", header.title, header.part))),
        ("verdict", claim(trace)),
        ("why", why(trace, sources)),
        ("facts", facts(trace)),
        ("replay", escape(&header.replay)),
        ("style", STYLE.into()),
        ("data", data(trace, sources)),
        ("script", SCRIPTS.concat()),
    ])
}

/// Puts the parts into the page, in one pass: what a part says is never taken for a name.
fn fill(parts: &[(&str, String)]) -> String {
    let mut pieces = PAGE.split("{{");
    let mut out = String::with_capacity(parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    out += pieces.next().unwrap_or_default();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").expect("each name in the page is closed");
        let part = parts.iter().find(|(of, _)| *of == name);
        out += &part.unwrap_or_else(|| panic!("the page has no part `{name}`")).1;
        out += rest;
    }
    out
}

/// Why the run failed. If the trace breaks off, its last words count.
fn verdict(trace: &Trace) -> Option<&Verdict> {
    let violation = || {
        trace.events.iter().find_map(|event| match &event.what {
            What::Violation { verdict } => Some(verdict),
            _ => None,
        })
    };
    trace.verdict().or_else(violation)
}

/// What came of the run, as the first thing on the page.
fn claim(trace: &Trace) -> String {
    let (class, title, words) = match (verdict(trace), &trace.footer) {
        (Some(verdict), _) => (" bad", escape(&verdict.check), escape(&verdict.words)),
        (None, Some(footer)) => {
            let words = format!("No rule was broken in {}.", seconds(footer.end_us));
            ("", "Passed".into(), words)
        }
        (None, None) => {
            let words = "The trace ends before the run did, and up to there no rule was broken.";
            (" unsure", "No verdict".into(), words.into())
        }
    };
    format!(
        "<section class=\"claim{class}\" aria-label=\"Verdict\">\n<h2>{title}</h2>\n\
         <p class=\"words\">{words}</p>\n</section>\n"
    )
}

/// What the verdict rests on, and what the trace does not have.
fn why(trace: &Trace, sources: &Sources) -> String {
    let why = verdict(trace).map(|verdict| failure(trace, verdict, sources)).unwrap_or_default();
    let gaps: String = gaps(trace).map(|gap| format!("<p class=\"warn\">{gap}</p>\n")).collect();
    match why.is_empty() && gaps.is_empty() {
        true => String::new(),
        false => format!("<section class=\"why\" aria-label=\"Why\">\n{why}{gaps}</section>\n"),
    }
}

/// What the trace does not have.
fn gaps(trace: &Trace) -> impl Iterator<Item = String> {
    let before = trace.events.first().map_or(0, |first| first.n.saturating_sub(1));
    let beginning = (before > 0).then(|| {
        format!(
            "The trace has lost its beginning, {before} of its events. What a server was before it \
             says so is not known."
        )
    });
    let middle = trace.events.iter().filter_map(|event| match event.what {
        What::LeftOut { events, until_us } => Some(format!(
            "The run was too long to be kept whole: between {} and {}, {} events are left out.",
            seconds(event.us),
            seconds(until_us),
            grouped(events)
        )),
        _ => None,
    });
    let end = trace.footer.is_none().then(|| {
        "The trace breaks off: the process was killed, or still runs. What came later is not here."
            .to_string()
    });
    beginning.into_iter().chain(middle).chain(end)
}

/// What a verdict says besides its rule and its words.
fn failure(trace: &Trace, verdict: &Verdict, sources: &Sources) -> String {
    let mut out = "<h2>What does not fit together</h2>\n".to_string();
    if !verdict.facts.is_empty() {
        let facts = verdict.facts.iter().enumerate().map(fact).collect::<String>();
        let _ = writeln!(out, "<ol class=\"conflict-facts\">\n{facts}</ol>");
    }
    if let Some(hint) = &verdict.hint {
        let _ = writeln!(out, "<p><strong>Usual cause:</strong> {}</p>", escape(hint));
    }
    let servers = verdict.servers.iter().map(|lane| groups::short(trace, *lane as usize));
    let servers: Vec<_> = servers.collect();
    let who = match servers.len() {
        0 => String::new(),
        1 => format!(", server {}", servers[0]),
        _ => format!(", servers {}", servers.join(", ")),
    };
    let at = verdict.task.iter().map(|task| format!(", noticed in {task}"));
    let at = at.chain(verdict.location.iter().map(|place| format!(", at {place}")));
    let when = time(verdict.us, None);
    let rest = escape(&(who + &at.collect::<String>()));
    let _ = writeln!(out, "<p class=\"dim\">At {when}{rest}</p>");
    if !verdict.details.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", escape(&verdict.details.join("\n")));
    }
    let lines = sources::places(verdict).into_iter().filter_map(|place| {
        let text = sources.get(&place)?;
        Some(format!("<dt>{}</dt><dd><code>{}</code></dd>\n", escape(&place), escape(text)))
    });
    let lines: String = lines.collect();
    if !lines.is_empty() {
        let _ = writeln!(out, "<dl class=\"source\">\n{lines}</dl>");
    }
    out
}

fn fact((number, fact): (usize, &Fact)) -> String {
    let when = fact.us.map(|us| format!("{}: ", time(us, Some(number))));
    format!("<li>{}{}</li>\n", when.unwrap_or_default(), escape(&fact.text))
}

/// A time that leads to its place in the diagram once the script runs; perhaps that of a fact.
fn time(us: u64, fact: Option<usize>) -> String {
    let fact = fact.map(|number| format!(" data-fact=\"{number}\"")).unwrap_or_default();
    format!("<span class=\"time\" data-us=\"{us}\"{fact}>{}</span>", seconds(us))
}

fn seconds(us: u64) -> String {
    format!("{}.{:06} s", us / 1_000_000, us % 1_000_000)
}

/// Which run it was.
fn facts(trace: &Trace) -> String {
    let header = &trace.header;
    let clock = match header.clock {
        Clock::Sim => "simulated",
        Clock::Real => "real",
    };
    let whole = trace.footer.as_ref().map(|footer| seconds(footer.end_us));
    let facts = [
        ("test", Some(header.test.clone())),
        ("package", Some(header.package.clone())),
        ("clock", Some(clock.into())),
        ("seed", header.seed.map(|seed| seed.to_string())),
        ("setting", header.setting.clone()),
        ("servers", Some(header.servers.to_string())),
        ("lab time", whole),
        ("events", Some(trace.events.len().to_string())),
    ];
    let rows = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    rows.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(&value)))
        .collect()
}

/// The trace as JSON within an element, with what is worked out of it here.
fn data(trace: &Trace, sources: &Sources) -> String {
    let mut out = format!("{{\"header\":{},\"events\":[", json(to_value(&trace.header)));
    let meant = meaning::all(trace).into_iter().zip(meaning::learned(trace));
    for (place, (event, (is, learned))) in trace.events.iter().zip(meant).enumerate() {
        let mut value = to_value(event);
        if let Ok(Value::Object(fields)) = &mut value {
            let more = [("is", is), ("learned", learned)];
            fields.extend(more.into_iter().filter_map(|(name, v)| Some((name.to_string(), v?))));
        }
        // A line for each, so that the source of a page can be read.
        out += if place == 0 { "\n" } else { ",\n" };
        out += &json(value);
    }
    let verdict = verdict(trace);
    let fact = |fact| verdict.and_then(|verdict| blame::fact(trace, verdict, fact));
    let elections = elections::of(trace);
    let parts = [
        ("footer", to_value(&trace.footer)),
        ("guilty", to_value(verdict.and_then(|v| blame::guilty(trace, v, &elections.refused)))),
        ("facts", to_value(verdict.map(|v| v.facts.iter().map(fact).collect::<Vec<_>>()))),
        ("elections", to_value(&elections.elections)),
        ("refused", to_value(&elections.refused)),
        ("sources", to_value(sources)),
    ];
    out += "\n]";
    for (name, part) in parts {
        let _ = write!(out, ",\n\"{name}\":{}", json(part));
    }
    out + "}"
}

/// JSON that JavaScript reads exactly and that no element ends at.
fn json(value: serde_json::Result<Value>) -> String {
    let mut value = value.expect("a trace has text keys only");
    make_exact(&mut value);
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // In JSON these stand in strings only, so they can be written like this.
            '<' | '>' | '&' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Makes text of whole numbers that JavaScript would round, such as seeds.
fn make_exact(value: &mut Value) {
    match value {
        Value::Number(number) if is_rounded(number) => *value = number.to_string().into(),
        Value::Array(values) => values.iter_mut().for_each(make_exact),
        Value::Object(fields) => fields.values_mut().for_each(make_exact),
        _ => {}
    }
}

fn is_rounded(number: &Number) -> bool {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    size.is_some_and(|size| size > MOST_EXACT)
}

/// Text for an element or an attribute.
fn escape(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
