//! Moments from which on a simulated run draws other random numbers than its seed would.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The environment variable that holds the [`Choices`] of a run; for several runs they are separated by
/// semicolons.
pub const VARIABLE: &str = "LAB_CHOICES";

/// A moment from which on all draws are others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// When, on the world's clock.
    pub us: u64,
    /// Which other draws.
    pub number: u32,
}

/// The changes of a run, in the order of their times. A seed and its choices stand for one run.
///
/// ```
/// use run_record::choices::Choices;
///
/// let choices: Choices = "1.25:7,3:12".parse().unwrap();
/// assert_eq!(choices.to_string(), "1.250000:7,3.000000:12");
/// assert!(Choices::default().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Choices(Vec<Change>);

impl Choices {
    /// The choices with these changes.
    pub fn new(mut changes: Vec<Change>) -> Choices {
        changes.sort();
        Choices(changes)
    }

    /// True if the seed alone decides.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes.
    pub fn changes(&self) -> &[Change] {
        &self.0
    }

    /// The same up to this moment, and from there on something else.
    pub fn with(&self, change: Change) -> Choices {
        let earlier = self.0.iter().copied().filter(|one| one.us < change.us);
        Choices(earlier.chain([change]).collect())
    }

    /// The choices of several runs, as the variable has them.
    ///
    /// # Errors
    /// If one of them makes no sense, in words.
    pub fn list(text: &str) -> Result<Vec<Choices>, String> {
        text.split(';').map(str::parse).collect()
    }
}

/// What stands for one simulated run of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// Where it draws other numbers than the seed's.
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    pub choices: Choices,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        match self.choices.is_empty() {
            true => Ok(()),
            false => write!(f, ", choices {}", self.choices),
        }
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Change { us, number }) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}.{:06}:{number}", us / 1_000_000, us % 1_000_000)?;
        }
        Ok(())
    }
}

impl From<Choices> for String {
    fn from(choices: Choices) -> String {
        choices.to_string()
    }
}

impl TryFrom<String> for Choices {
    type Error = String;

    fn try_from(text: String) -> Result<Choices, String> {
        text.parse()
    }
}

impl FromStr for Choices {
    type Err = String;

    fn from_str(text: &str) -> Result<Choices, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let change = |part: &str| {
            change(part).ok_or_else(|| {
                format!(
                    "`{part}` is no change, which is written like 1.25:7: from 1.25 s on, other draws, \
                     of all that there are those with number 7"
                )
            })
        };
        parts.map(change).collect::<Result<_, _>>().map(Choices::new)
    }
}

fn change(text: &str) -> Option<Change> {
    let (time, number) = text.split_once(':')?;
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    if fraction.len() > 6 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
    let us = seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?;
    Some(Change { us, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        for text in ["", "0.000001:0", "1.250000:7,3.000000:4294967295"] {
            let choices: Choices = text.parse().expect("choices");
            assert_eq!(choices.to_string(), text);
        }
        let choices: Choices = " 3:1, 1.5:2 ".parse().expect("choices");
        assert_eq!(choices.to_string(), "1.500000:2,3.000000:1");
        assert_eq!(Choices::list("1:2;;3:4").expect("a list").len(), 3);
    }

    #[test]
    fn what_is_no_choice_is_refused_with_an_example() {
        for wrong in ["1", "1:", ":1", "1.2345678:1", "-1:1", "1.+5:1", "1:4294967296", "x:1"] {
            let words = wrong.parse::<Choices>().expect_err("it makes no sense");
            assert!(words.contains(&format!("`{wrong}`")) && words.contains("1.25:7"), "{words}");
        }
        assert!(Choices::list("1:1;x").is_err());
    }

    #[test]
    fn a_change_takes_the_place_of_what_came_after_it() {
        let choices: Choices = "1:1,3:3,5:5".parse().expect("choices");
        let changed = choices.with(Change { us: 3_500_000, number: 9 });
        assert_eq!(changed.to_string(), "1.000000:1,3.000000:3,3.500000:9");
        assert_eq!(choices.with(Change { us: 0, number: 9 }).to_string(), "0.000000:9");
    }
}
