//! Taking things away from a test, to find the least that still fails.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The environment variable that holds a [`Setting`].
pub const VARIABLE: &str = "LAB_SETTING";

/// The kinds of trouble that a run can have less of. A new one goes to the end: numbers of them are stored in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Requests and replies that an unreliable network drops.
    Losses,
    /// Requests that an unreliable network lets wait.
    Delays,
    /// Replies that the network holds back so that others overtake them.
    Reorders,
    /// Crashes of servers, restarts included.
    Crashes,
    /// Servers that are cut off.
    Cuts,
    /// Rounds of a test that does the same over and over, with the commands that belong to them.
    Rounds,
    /// Switches from one task to another that the scheduler forces.
    Switches,
    /// Requests that the network delivers twice.
    Duplicates,
    /// Servers that are cut off from others in one direction.
    OneWayCuts,
    /// Pairs of servers with a slow link between them.
    SlowLinks,
    /// Servers that do nothing for a while.
    Pauses,
    /// Servers whose clocks run faster or slower than others.
    Drifts,
    /// Crashes in the middle of a save.
    TornSaves,
}

impl Trouble {
    /// All kinds, the most disturbing first; rounds and switches, which are none by themselves, at the end.
    pub const ALL: [Trouble; 13] = [
        Trouble::Losses,
        Trouble::Delays,
        Trouble::Reorders,
        Trouble::Crashes,
        Trouble::Cuts,
        Trouble::Duplicates,
        Trouble::OneWayCuts,
        Trouble::SlowLinks,
        Trouble::Pauses,
        Trouble::Drifts,
        Trouble::TornSaves,
        Trouble::Rounds,
        Trouble::Switches,
    ];

    /// Its name in a [`Setting`].
    pub fn name(self) -> &'static str {
        match self {
            Trouble::Losses => "losses",
            Trouble::Delays => "delays",
            Trouble::Reorders => "reorders",
            Trouble::Crashes => "crashes",
            Trouble::Cuts => "cuts",
            Trouble::Rounds => "rounds",
            Trouble::Switches => "switches",
            Trouble::Duplicates => "duplicates",
            Trouble::OneWayCuts => "one-way-cuts",
            Trouble::SlowLinks => "slow-links",
            Trouble::Pauses => "pauses",
            Trouble::Drifts => "drifts",
            Trouble::TornSaves => "torn-saves",
        }
    }
}

/// How many of each kind of trouble a run has: a number for each [`Trouble`].
///
/// Written as a list of numbers, in the order in which [`Trouble`] declares its kinds (not that of
/// [`Trouble::ALL`]). One that is written by an earlier version, and
/// so has fewer, is read as if there were none of the kinds that it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>")]
pub struct Counts([u64; Trouble::ALL.len()]);

impl From<Vec<u64>> for Counts {
    fn from(list: Vec<u64>) -> Counts {
        let mut counts = Counts::default();
        counts.0.iter_mut().zip(list).for_each(|(count, number)| *count = number);
        counts
    }
}

impl Counts {
    /// The number for one kind.
    pub fn get(&self, trouble: Trouble) -> u64 {
        self.0[trouble as usize]
    }

    /// Sets the number for one kind.
    pub fn set(&mut self, trouble: Trouble, count: u64) {
        self.0[trouble as usize] = count;
    }
}

/// How much of each kind of trouble a run may have; no limit for most.
///
/// Written as in `losses=0,crashes=2`: the first two crashes happen as the test wants them, and no
/// more; no message is dropped.
///
/// ```
/// use run_record::setting::{Setting, Trouble};
///
/// let setting: Setting = "losses=0,crashes=2".parse().unwrap();
/// assert_eq!(setting.limit(Trouble::Crashes), Some(2));
/// assert_eq!(setting.limit(Trouble::Cuts), None);
/// assert_eq!(setting.to_string(), "losses=0,crashes=2");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Setting([Option<u64>; Trouble::ALL.len()]);

impl Setting {
    /// The limit for one kind.
    pub fn limit(&self, trouble: Trouble) -> Option<u64> {
        self.0[trouble as usize]
    }

    /// This setting with another limit for one kind.
    #[must_use]
    pub fn with(mut self, trouble: Trouble, limit: Option<u64>) -> Setting {
        self.0[trouble as usize] = limit;
        self
    }

    /// True if nothing is limited.
    pub fn is_whole(&self) -> bool {
        *self == Setting::default()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = Trouble::ALL.iter().filter_map(|t| Some((t.name(), self.limit(*t)?)));
        for (number, (name, limit)) in limits.enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{name}={limit}")?;
        }
        Ok(())
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting, String> {
        let mut setting = Setting::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let parsed = part.split_once('=').and_then(|(name, limit)| {
                let trouble = Trouble::ALL.into_iter().find(|t| t.name() == name.trim())?;
                Some((trouble, limit.trim().parse().ok()?))
            });
            let Some((trouble, limit)) = parsed else {
                let names = Trouble::ALL.map(Trouble::name).join(", ");
                return Err(format!(
                    "`{part}` is no part of a setting, which is written like losses=0,crashes=2; \
                     there are {names}"
                ));
            };
            setting = setting.with(trouble, Some(limit));
        }
        Ok(setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_are_written() {
        let mut setting = Setting::default();
        for (limit, trouble) in Trouble::ALL.into_iter().enumerate() {
            assert_eq!(setting.to_string().parse(), Ok(setting));
            setting = setting.with(trouble, Some(limit as u64));
        }
        assert_eq!(setting.to_string().parse(), Ok(setting));
        assert_eq!(" cuts = 3, ".parse(), Ok(Setting::default().with(Trouble::Cuts, Some(3))));
    }

    #[test]
    fn counts_of_earlier_and_later_versions_are_read() {
        let read = |text: &str| serde_json::from_str::<Counts>(text).expect("counts");
        let old = read("[1,2,3,4,5,6,7]");
        assert_eq!((old.get(Trouble::Switches), old.get(Trouble::Pauses)), (7, 0));
        let text = serde_json::to_string(&old).expect("numbers");
        assert_eq!(read(&text), old);
        assert_eq!(read(&text.replace(']', ",9]")), old);
    }

    #[test]
    fn what_is_no_setting_is_refused_in_words() {
        for wrong in ["x=1", "losses", "losses=", "losses=-1", "losses=a", "losses=1=2"] {
            let words = wrong.parse::<Setting>().expect_err("it makes no sense");
            assert!(words.contains(wrong) && words.contains("crashes"), "{words}");
        }
    }
}
