//! A history as text.

use std::fmt::Write;

use super::bars::Scale;
use super::picture::{Picture, Placed};

/// How many columns the bars take.
const BARS: usize = 40;
/// How many characters of an operation or a state.
const TEXT: usize = 60;
/// How many operations of the longest order are shown, from its end.
const SHOWN: usize = 12;

impl Picture {
    /// The answer as lines for a terminal: what was found, the operations that cannot be ordered as
    /// bars, and the end of the longest order. Nothing in it steers a terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}: {}", plain(&self.title), self.claim.headline.to_lowercase());
        for line in &self.claim.more {
            let _ = writeln!(out, "{}", plain(line));
        }
        if !self.core.is_empty() {
            self.write_core(&mut out);
        }
        if let Some(order) = self.orders.first().filter(|_| self.culprit.is_some()) {
            self.write_order(&mut out, order);
        }
        out
    }

    fn write_core(&self, out: &mut String) {
        let scale = Scale::of(self, &self.core, BARS);
        out.push('\n');
        for &operation in &self.core {
            let bar = &self.bars[operation];
            let mark =
                if self.culprit == Some(operation) { "  <- certain with its return" } else { "" };
            let (line, text) = (scale.bar(bar), short(&bar.text));
            let _ = writeln!(out, "  client {:<3} {line}  {text}{mark}", bar.client);
        }
    }

    fn write_order(&self, out: &mut String, order: &[Placed]) {
        let skipped = order.len().saturating_sub(SHOWN);
        let _ = writeln!(out, "\nThe longest order has {} operations:", order.len());
        if skipped > 0 {
            let _ = writeln!(out, "       ... {skipped} more");
        }
        for (number, placed) in order.iter().enumerate().skip(skipped) {
            let bar = &self.bars[placed.operation];
            let state = match &placed.state[..] {
                "" => String::new(),
                state => format!("   now {}", short(state)),
            };
            let text = short(placed.text.as_ref().unwrap_or(&bar.text));
            let _ = writeln!(out, "  {:>4}. client {:<3} {text}{state}", number + 1, bar.client);
        }
    }
}

/// Plain text that fits into a line, without its middle if it does not.
fn short(text: &str) -> String {
    let chars: Vec<char> = plain(text).chars().collect();
    if chars.len() <= TEXT {
        return chars.into_iter().collect();
    }
    let (begin, end) = (&chars[..TEXT / 2], &chars[chars.len() - TEXT / 2..]);
    let [begin, end] = [begin, end].map(|part| part.iter().collect::<String>());
    format!("{begin} ... {end}")
}

/// Text without anything that a terminal obeys.
fn plain(text: &str) -> String {
    // Marks of direction would let a text stand elsewhere than where it is.
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}
