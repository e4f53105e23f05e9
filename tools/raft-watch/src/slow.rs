//! Calls that end without an answer after long, though their server answers others: what a wait for them costs.

use std::collections::BTreeMap;

use super::calls::{Asked, Call};

/// Who waits longer has waited for nothing.
const LONG_US: u64 = 1_500_000;

/// By sender and receiver.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// When an answer came last.
    answered: BTreeMap<(usize, usize), u64>,
    /// Calls with a snapshot that failed although others were answered meanwhile.
    failed: BTreeMap<(usize, usize), Failed>,
}

/// How often that was, and how long the longest one took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) count: u64,
    pub(crate) longest_us: u64,
}

impl Slow {
    /// A call is over.
    pub(super) fn over(&mut self, call: &Call, failed: bool, us: u64) {
        let between = (call.from, call.to);
        if !failed {
            self.answered.insert(between, us);
            return;
        }
        let took_us = us.saturating_sub(call.sent_us);
        let meanwhile = self.answered.get(&between).is_some_and(|then| *then > call.sent_us);
        if took_us >= LONG_US && meanwhile && matches!(call.asked, Asked::Install(_)) {
            let known = self.failed.entry(between).or_default();
            known.count += 1;
            known.longest_us = known.longest_us.max(took_us);
        }
    }

    /// The calls with snapshots that took so long.
    pub(super) fn failed(&self) -> impl Iterator<Item = ((usize, usize), Failed)> + '_ {
        self.failed.iter().map(|(between, failed)| (*between, *failed))
    }
}
