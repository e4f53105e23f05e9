//! What is checked, and within which bounds.

use crate::event::MOST_COMMANDS;
use crate::mistakes::Mistake;
use crate::start::Start;

/// A cluster, and how much may happen to it. All orders of what may happen are looked at.
///
/// What is never counted, since the other bounds limit it: messages that arrive or never do, elections
/// (by the terms), servers that come back (by the crashes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// How many servers.
    pub servers: usize,
    /// The last term. No election of a later one begins.
    pub terms: u8,
    /// How many commands clients give, with those of the start.
    pub commands: u8,
    /// How many times a leader's heartbeat timer runs out.
    pub heartbeats: u8,
    /// How many crashes.
    pub crashes: u8,
    /// How many times a message arrives and stays under way all the same. None: as often as may be, so that
    /// all messages stay under way for ever.
    pub duplicates: Option<u8>,
    /// How many times a message is lost and its caller hears of it. Messages that are lost without a word
    /// are those that never arrive, and need no bound.
    pub failures: u8,
    /// How many snapshots services take.
    pub snapshots: u8,
    /// How it begins.
    pub start: Start,
    /// States that differ only by the names of the servers count as one.
    pub symmetry: bool,
    /// What the servers do wrong, if anything.
    pub mistake: Option<Mistake>,
}

impl Default for Model {
    fn default() -> Model {
        Model {
            servers: 3,
            terms: 2,
            commands: 1,
            heartbeats: 0,
            crashes: 0,
            duplicates: Some(0),
            failures: 0,
            snapshots: 0,
            start: Start::New,
            symmetry: true,
            mistake: None,
        }
    }
}

/// How many bits each count of a state takes.
const BITS: u32 = 5;
/// The most of anything that a state has room to count.
const MOST: u8 = (1 << BITS) - 1;
/// The most servers: with more, each part of a state would have too many names.
const MOST_SERVERS: usize = 5;

impl Model {
    /// Looks whether the bounds are possible.
    ///
    /// # Errors
    /// If not: which, and why.
    pub fn validate(&self) -> Result<(), String> {
        let (servers, start) = (self.servers, self.start);
        let least = if start == Start::New { 1 } else { 3 };
        if let Start::Tails(tails) = start
            && !(1..MOST_COMMANDS).contains(&tails)
        {
            return Err(format!("{tails} tails: there can be 1 to {}", MOST_COMMANDS - 1));
        }
        if !(least..=MOST_SERVERS).contains(&servers) {
            return Err(format!(
                "{servers} servers: there can be {least} to {MOST_SERVERS} with this start"
            ));
        }
        let bounds = [
            ("terms", self.terms, start.terms(), MOST),
            ("commands", self.commands, start.commands(), MOST_COMMANDS),
            ("heartbeats", self.heartbeats, 0, MOST),
            ("crashes", self.crashes, 0, MOST),
            ("duplicates", self.duplicates.unwrap_or(0), 0, MOST),
            ("failures", self.failures, 0, MOST),
            ("snapshots", self.snapshots, 0, MOST),
        ];
        for (name, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "{value} {name}: there can be {least} to {most} with this start"
                ));
            }
        }
        Ok(())
    }
}

impl Model {
    /// The model in words.
    pub fn words(&self) -> String {
        let servers = counted(self.servers as u8, "server", "servers");
        let counts = [
            counted(self.terms, "term", "terms"),
            counted(self.commands, "command", "commands"),
            counted(self.heartbeats, "heartbeat", "heartbeats"),
            counted(self.crashes, "crash", "crashes"),
            match self.duplicates {
                Some(number) => counted(number, "duplicate", "duplicates"),
                None => "any number of duplicates".into(),
            },
            counted(self.failures, "failed call", "failed calls"),
            counted(self.snapshots, "snapshot", "snapshots"),
        ];
        let counts = counts.iter().filter(|count| !count.starts_with("0 "));
        let mut words = counts.fold(servers, |words, count| words + ", " + count);
        if let Start::Tails(tails) = self.start {
            let terms = counted(tails, "term", "terms");
            words += &format!("; at first server 0 alone has the entries of {terms}");
        }
        match self.mistake {
            Some(mistake) => words + "; " + mistake.says(),
            None => words,
        }
    }
}

/// So many of something, in words.
fn counted(number: u8, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// How much has happened, of what is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) commands: u8,
    pub(crate) heartbeats: u8,
    pub(crate) crashes: u8,
    pub(crate) duplicates: u8,
    pub(crate) failures: u8,
    pub(crate) snapshots: u8,
}

impl Spent {
    /// All counts in one number.
    pub(crate) fn packed(self) -> u32 {
        let Spent { commands, heartbeats, crashes, duplicates, failures, snapshots } = self;
        let all = [commands, heartbeats, crashes, duplicates, failures, snapshots];
        all.iter().fold(0, |packed, &count| packed << BITS | u32::from(count))
    }

    /// The counts in such a number.
    pub(crate) fn unpacked(packed: u32) -> Spent {
        let count = |place: u32| (packed >> (place * BITS)) as u8 & MOST;
        let [snapshots, failures, duplicates, crashes, heartbeats, commands] =
            [0, 1, 2, 3, 4, 5].map(count);
        Spent { commands, heartbeats, crashes, duplicates, failures, snapshots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_unpacked_as_they_were() {
        let spent = Spent {
            commands: 1,
            heartbeats: 31,
            crashes: 3,
            duplicates: 0,
            failures: 5,
            snapshots: 30,
        };
        assert_eq!(Spent::unpacked(spent.packed()), spent);
    }

    #[test]
    fn impossible_bounds_are_named() {
        let refused = |model: Model| model.validate().expect_err("it is impossible");
        assert_eq!(
            refused(Model { servers: 6, ..Model::default() }),
            "6 servers: there can be 1 to 5 with this start"
        );
        assert_eq!(
            refused(Model { start: Start::Tails(1), terms: 1, ..Model::default() }),
            "1 terms: there can be 2 to 31 with this start"
        );
        assert!(refused(Model { commands: 27, ..Model::default() }).starts_with("27 commands"));
        for tails in [0, 26, 255] {
            let model =
                Model { start: Start::Tails(tails), terms: 31, commands: 26, ..Model::default() };
            assert_eq!(refused(model), format!("{tails} tails: there can be 1 to 25"));
        }
        let most = Model { start: Start::Tails(25), terms: 31, commands: 26, ..Model::default() };
        assert_eq!(most.validate(), Ok(()));
    }
}
