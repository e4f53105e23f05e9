//! A history as one HTML page that needs nothing else: no network, no other file.
//!
//! What was found stands in it as plain text too, so that it can be read without scripts.

use std::fmt::Write;

use super::json;
use super::picture::{Bar, ClaimKind, Note, Picture, Placed};

/// The page, with a name in double braces where each part of it goes.
const PAGE: &str = include_str!("page/page.html");
/// How it looks.
const STYLE: &str = include_str!("page/page.css");
/// What it does, in the order in which it is read.
const SCRIPTS: [&str; 4] = [
    include_str!("page/data.js"),
    include_str!("page/draw.js"),
    include_str!("page/panel.js"),
    include_str!("page/main.js"),
];

impl Picture {
    /// The page. Operations are bars, one row for each client; pointing at one shows the longest order
    /// that contains it.
    pub fn page(&self) -> String {
        let parts = [
            ("name", escape(&format!("{}: {}", self.title, self.claim.headline))),
            ("heading", escape(&self.title)),
            ("claim", self.claim_html()),
            ("style", STYLE.to_string()),
            ("data", self.data()),
            ("script", SCRIPTS.concat()),
        ];
        fill(&parts)
    }

    fn claim_html(&self) -> String {
        let class = match self.claim.kind {
            ClaimKind::Good => "good",
            ClaimKind::Bad => "bad",
            ClaimKind::Unsure => "unsure",
        };
        let mut out = format!("<section class=\"claim {class}\" aria-label=\"Answer\">\n");
        let _ = writeln!(out, "<h2>{}</h2>", escape(&self.claim.headline));
        for line in &self.claim.more {
            let _ = writeln!(out, "<p>{}</p>", escape(line));
        }
        if !self.core.is_empty() {
            let core = self.core.iter().map(|&operation| self.core_html(operation));
            let _ = writeln!(out, "<ol>\n{}</ol>", core.collect::<String>());
        }
        out + "</section>\n"
    }

    fn core_html(&self, operation: usize) -> String {
        let bar = &self.bars[operation];
        let text = escape(&bar.text);
        let mark = if self.culprit == Some(operation) {
            " <span class=\"mark\">with its return it was certain</span>"
        } else {
            ""
        };
        format!(
            "<li><button class=\"link\" data-operation=\"{operation}\">client {}: {text}</button>{mark}</li>\n",
            bar.client
        )
    }

    fn data(&self) -> String {
        let mut out = String::from("{\"objects\":");
        json::list(&mut out, &self.objects, |out, object| json::text(out, object));
        out += ",\n\"operations\":";
        json::list(&mut out, &self.bars, write_bar);
        out += ",\n\"orders\":";
        json::list(&mut out, &self.orders, |out, order| json::list(out, order, write_placed));
        out += ",\n\"core\":";
        json::list(&mut out, &self.core, |out, &of| json::number(out, Some(of as u64)));
        out += ",\n\"culprit\":";
        json::number(&mut out, self.culprit.map(|culprit| culprit as u64));
        out += ",\n\"notes\":";
        json::list(&mut out, &self.notes, write_note);
        out + "}"
    }
}

/// `[client, object, call's place, return's place, call's time, return's time, order, text]`
fn write_bar(out: &mut String, bar: &Bar) {
    let numbers = [
        Some(bar.client),
        Some(bar.object as u64),
        Some(bar.places.0.into()),
        bar.places.1.map(u64::from),
        Some(bar.times.0),
        bar.times.1,
        bar.order.map(|order| order as u64),
    ];
    out.push_str("\n[");
    for number in numbers {
        json::number(out, number);
        out.push(',');
    }
    json::text(out, &bar.text);
    out.push(']');
}

/// `[operation, state]`, and its text in this order if that is another one.
fn write_placed(out: &mut String, placed: &Placed) {
    let _ = write!(out, "[{},", placed.operation);
    json::text(out, &placed.state);
    if let Some(text) = &placed.text {
        out.push(',');
        json::text(out, text);
    }
    out.push(']');
}

/// `[lane, from, to, text]`
fn write_note(out: &mut String, note: &Note) {
    out.push('[');
    json::text(out, &note.lane);
    out.push(',');
    json::number(out, Some(note.from));
    out.push(',');
    json::number(out, note.to);
    out.push(',');
    json::text(out, &note.text);
    out.push(']');
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

/// Text for an element or an attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
