//! What is to be shown and how, and what can be wrong with that.

use std::fmt;

use super::topic::Topic;

/// What is shown of a trace, and how.
///
/// An event is shown if it passes all filters. Without any filter on events, and without
/// [`all`](Options::all), heartbeats that change nothing are folded away, and of a long trace only
/// what happened shortly before the verdict and around its facts is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many columns the terminal has; less than 20 cannot be used.
    pub width: usize,
    /// Whether there are colours. They never say what the text does not.
    pub colour: bool,
    /// Whether there is nothing but ASCII.
    pub ascii: bool,
    /// Whether texts run over their columns and past the end of the line, rather than being cut.
    pub wide: bool,
    /// Whether everything is shown that no filter excludes.
    pub all: bool,
    /// Whether the events are shown at all, or only what comes before and after them.
    pub events: bool,
    /// Only events with one of these topics.
    pub only: Vec<String>,
    /// No events with one of these topics.
    pub hide: Vec<String>,
    /// Only events that concern one of these servers; messages concern both ends.
    pub server: Vec<u32>,
    /// Only events from this time on, in microseconds.
    pub from: Option<u64>,
    /// Only events up to this time, in microseconds.
    pub to: Option<u64>,
    /// Only what belongs to this call.
    pub call: Option<u64>,
    /// Only the event with this number and the chain of those that led to it.
    pub causes_of: Option<u64>,
    /// Only events whose text or message contains this, in whatever case.
    pub grep: Option<String>,
    /// Only the last so many of them.
    pub max_lines: Option<usize>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            width: 120,
            colour: false,
            ascii: false,
            wide: false,
            all: false,
            events: true,
            only: Vec::new(),
            hide: Vec::new(),
            server: Vec::new(),
            from: None,
            to: None,
            call: None,
            causes_of: None,
            grep: None,
            max_lines: None,
        }
    }
}

impl Options {
    /// How many columns to use.
    pub(super) fn columns(&self) -> usize {
        self.width.clamp(20, 10_000)
    }

    /// True if some filter says which part of the run it is about.
    pub(super) fn has_place(&self) -> bool {
        self.from.is_some() || self.to.is_some() || self.one_story()
    }

    /// True if it is about how a few events hang together.
    pub(super) fn one_story(&self) -> bool {
        self.call.is_some() || self.causes_of.is_some()
    }
}

/// Why a trace cannot be shown as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no such topic.
    Topic {
        /// What was asked for.
        name: String,
        /// The topics of this trace's notes, beside [`Topic::ALL`].
        own: Vec<String>,
    },
    /// There is no such server.
    Server {
        /// What was asked for.
        number: u32,
        /// How many there are.
        servers: u32,
    },
    /// There is no such call.
    Call {
        /// What was asked for.
        number: u64,
        /// The first and the last, if there are any.
        range: Option<(u64, u64)>,
    },
    /// There is no such event.
    Event {
        /// What was asked for.
        number: u64,
        /// The first and the last, if there are any.
        range: Option<(u64, u64)>,
    },
    /// The time to begin at is after the time to end at.
    Times {
        /// In microseconds.
        from: u64,
        /// In microseconds.
        to: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |f: &mut fmt::Formatter<'_>, range: &Option<(u64, u64)>| match range {
            Some((first, last)) => write!(f, "this trace has {first} to {last}"),
            None => write!(f, "this trace has none"),
        };
        match self {
            Error::Topic { name, own } => {
                let ours = Topic::ALL.map(Topic::name).join(", ");
                write!(f, "there is no topic `{name}`; there are {ours}")?;
                match own.as_slice() {
                    [] => Ok(()),
                    own => write!(f, "; and of this trace's own notes {}", own.join(", ")),
                }
            }
            Error::Server { number, servers: 0 } => {
                write!(f, "there is no server {number}: this trace has none")
            }
            Error::Server { number, servers } => {
                write!(f, "there is no server {number}: this trace has 0 to {}", servers - 1)
            }
            Error::Call { number, range: has } => {
                write!(f, "there is no call {number}: ")?;
                range(f, has)?;
                write!(f, " (`--wide` shows the calls' numbers)")
            }
            Error::Event { number, range: has } => {
                write!(f, "there is no event {number}: ")?;
                range(f, has)?;
                write!(f, " (at a width of 100 and more, each line begins with its event's number)")
            }
            Error::Times { from, to } => write!(
                f,
                "nothing happens from {} s to {} s: the end comes before the beginning",
                super::text::moment(*from),
                super::text::moment(*to)
            ),
        }
    }
}

impl std::error::Error for Error {}

/// Reads a time as people write it, in microseconds.
///
/// ```
/// use trace_view::terminal::parse_time;
///
/// for text in ["3.2s", "3200ms", "3.2", "3200000us"] {
///     assert_eq!(parse_time(text), Ok(3_200_000));
/// }
/// assert!(parse_time("3 hours").unwrap_err().contains("3.2s"));
/// ```
///
/// # Errors
/// If it is no time, in words.
pub fn parse_time(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; write it like 3.2s, 3200ms, or 3.2 for seconds");
    let trimmed = text.trim();
    // The longer names first: each ends in the last one's.
    let units = [("ms", 1e3), ("us", 1.0), ("µs", 1.0), ("s", 1e6)];
    let unit = units.iter().find_map(|(unit, us)| Some((trimmed.strip_suffix(unit)?, *us)));
    let (number, us) = unit.unwrap_or((trimmed, 1e6));
    let number = number.trim_end();
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(wrong());
    }
    let us = number.parse::<f64>().map_err(|_| wrong())? * us;
    // Beyond this a float does not count single microseconds any more; it is 285 years.
    if us < 9e15 { Ok(us.round() as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_usual_form() {
        assert_eq!(parse_time(" 4.612345 s "), Ok(4_612_345));
        assert_eq!(parse_time("12µs"), Ok(12));
        assert_eq!(parse_time("0"), Ok(0));
        for wrong in ["", "s", "-1", "1e3", "1h", "1.2.3", "nan", "99999999999999999999", "."] {
            let words = parse_time(wrong).expect_err(wrong);
            assert!(words.contains(&format!("`{wrong}`")) && words.contains("3200ms"), "{words}");
        }
    }

    #[test]
    fn errors_name_what_there_is() {
        let topic = Error::Topic { name: "votes".into(), own: vec!["timer".into()] };
        let words = topic.to_string();
        assert!(words.contains("`votes`") && words.contains("vote, leader"), "{words}");
        assert!(words.ends_with("own notes timer"), "{words}");
        let server = Error::Server { number: 5, servers: 5 }.to_string();
        assert_eq!(server, "there is no server 5: this trace has 0 to 4");
        assert!(Error::Call { number: 5, range: Some((1, 4)) }.to_string().contains("1 to 4"));
        assert!(Error::Event { number: 5, range: None }.to_string().contains("has none"));
        let times = Error::Times { from: 2_000_000, to: 1_000_000 }.to_string();
        assert!(times.contains("from 2.000000 s to 1.000000 s"), "{times}");
    }
}
