//! Which kinds of trouble a test does not have. Nobody wants to read that there is none of them.

use std::collections::BTreeSet;

use run_record::setting::{Counts, Setting, Trouble};

use super::case::is_beyond_the_labs;
use crate::labs::{Lab, SOAK};

/// What was seen in the runs of a test, the reference's too.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    had: BTreeSet<Trouble>,
    /// There were none of these in a run that came to its end and might have had any number.
    lacked: BTreeSet<Trouble>,
}

impl Seen {
    /// A run with this setting had so many troubles of each kind.
    pub(crate) fn add(&mut self, setting: &Setting, troubles: &Counts, passed: bool) {
        for trouble in Trouble::ALL {
            if troubles.get(trouble) > 0 {
                self.had.insert(trouble);
            } else if passed && setting.limit(trouble).is_none() {
                self.lacked.insert(trouble);
            }
        }
    }

    /// The kinds that no run of this test has, as far as is known.
    pub(crate) fn absent(&self, test: &str) -> Vec<Trouble> {
        let of_a_lab = Lab::of(test).is_some() && !test.ends_with(SOAK);
        let is_absent = |trouble: &Trouble| {
            let lacked = self.lacked.contains(trouble) || of_a_lab && is_beyond_the_labs(*trouble);
            lacked && !self.had.contains(trouble)
        };
        Trouble::ALL.into_iter().filter(is_absent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(some: &[Trouble]) -> Counts {
        let mut counts = Counts::default();
        some.iter().for_each(|trouble| counts.set(*trouble, 3));
        counts
    }

    #[test]
    fn what_no_whole_run_has_is_absent() {
        use Trouble::{Crashes, Cuts, Losses, Switches};
        let mut seen = Seen::default();
        // It may have failed before there were any, and a limit may have kept them away.
        seen.add(&Setting::default(), &counts(&[Losses]), false);
        seen.add(&Setting::default().with(Crashes, Some(0)), &counts(&[Switches]), true);
        let absent = seen.absent("agreement_soak");
        assert!(absent.contains(&Cuts) && !absent.contains(&Losses), "{absent:?}");
        assert!(!absent.contains(&Crashes) && !absent.contains(&Switches), "{absent:?}");
        // One that has them is enough.
        seen.add(&Setting::default(), &counts(&[Cuts]), true);
        assert!(!seen.absent("agreement_soak").contains(&Cuts));
    }

    #[test]
    fn no_test_of_a_lab_has_what_is_beyond_the_labs() {
        let nothing = Seen::default();
        assert!(nothing.absent("basic_3A").contains(&Trouble::TornSaves));
        assert!(!nothing.absent("basic_3A").contains(&Trouble::Losses));
        assert!(nothing.absent("agreement_soak").is_empty());
    }
}
