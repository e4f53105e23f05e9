//! The fingerprint of a whole state.

use crate::fingerprint::Fingerprint;
use crate::model::Spent;
use crate::state::State;
use crate::step::Change;
use crate::tables::Tables;

/// The sums of the fingerprints of a state's parts, one for each way to name the servers.
#[derive(Debug)]
pub(crate) struct Sums(Vec<Fingerprint>);

impl Sums {
    pub(crate) fn of(tables: &Tables, state: &State) -> Sums {
        let mut sums = Sums(vec![spent(state.spent); tables.renamings()]);
        sums.add(tables.history_prints(state.history));
        for &server in &state.servers {
            sums.add(tables.servers.prints(server));
        }
        for &message in &state.network {
            sums.add(tables.messages.prints(message));
        }
        sums
    }

    fn add(&mut self, prints: &[Fingerprint]) {
        self.0.iter_mut().zip(prints).for_each(|(sum, print)| *sum = sum.wrapping_add(*print));
    }

    fn subtract(&mut self, prints: &[Fingerprint]) {
        self.0.iter_mut().zip(prints).for_each(|(sum, print)| *sum = sum.wrapping_sub(*print));
    }

    /// Become those of the state behind a change; these are those of the state before it.
    pub(crate) fn behind(
        &self,
        tables: &Tables,
        state: &State,
        change: &Change<'_>,
        out: &mut Sums,
    ) {
        out.0.clone_from(&self.0);
        out.subtract(tables.servers.prints(state.servers[change.server]));
        out.add(tables.servers.prints(change.next));
        if let Some(place) = change.removed {
            out.subtract(tables.messages.prints(state.network[place]));
        }
        for &message in change.sent {
            if !state.has_already(change, message) {
                out.add(tables.messages.prints(message));
            }
        }
        if change.history != state.history {
            out.subtract(tables.history_prints(state.history));
            out.add(tables.history_prints(change.history));
        }
        if change.spent != state.spent {
            let more = spent(change.spent).wrapping_sub(spent(state.spent));
            out.0.iter_mut().for_each(|sum| *sum = sum.wrapping_add(more));
        }
    }

    /// No sums, to be filled.
    pub(crate) fn empty() -> Sums {
        Sums(Vec::new())
    }

    /// What stands for the state: the same for states that differ only by names.
    pub(crate) fn print(&self) -> Fingerprint {
        *self.0.iter().min().expect("there is at least one way to name servers")
    }

    /// How many states differ from this one by names alone, itself included: the ways to name servers, but
    /// for those that change nothing.
    pub(crate) fn stands_for(&self) -> u8 {
        let same = self.0.iter().filter(|sum| **sum == self.0[0]).count();
        (self.0.len() / same) as u8
    }
}

/// Some odd number: different counts have different products.
const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// What stands for how much has happened.
fn spent(spent: Spent) -> Fingerprint {
    u128::from(spent.packed()).wrapping_mul(ODD)
}
