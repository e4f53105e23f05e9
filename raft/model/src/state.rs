//! A state of the whole cluster, and what can happen next.

use crate::model::{Model, Spent};
use crate::tables::Tables;

/// A state of the whole cluster. Servers, messages and histories are called by their numbers in
/// [`Tables`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) servers: Vec<u32>,
    pub(crate) history: u32,
    pub(crate) spent: Spent,
    /// The messages under way; one that is there twice may arrive twice.
    pub(crate) network: Vec<u32>,
}

impl State {
    /// Becomes the state that these words stand for.
    pub(crate) fn read(&mut self, words: &[u32], servers: usize) {
        let (first, rest) = words.split_at(servers);
        self.servers.clear();
        self.servers.extend_from_slice(first);
        (self.history, self.spent) = (rest[0], Spent::unpacked(rest[1]));
        self.network.clear();
        self.network.extend_from_slice(&rest[2..]);
    }

    /// Adds the words that stand for it.
    pub(crate) fn write(&self, words: &mut Vec<u32>) {
        words.extend_from_slice(&self.servers);
        words.extend([self.history, self.spent.packed()]);
        words.extend_from_slice(&self.network);
    }
}

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) what: What,
    /// The server saves what comes of it, and crashes before it tells anybody.
    pub(crate) cut_short: bool,
}

/// What happens: to a server, or to the message at a place in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Timeout(u8),
    Heartbeat(u8),
    Propose(u8),
    /// The server's service takes a snapshot of all up to an index.
    Snapshot(u8, u8),
    Crash(u8),
    Restart(u8),
    Deliver(u8),
    /// The message arrives, and stays under way.
    Duplicate(u8),
    /// The message is lost, and whoever made the call hears of it.
    Fail(u8),
}

/// All that can happen next, always in the same order.
pub(crate) fn actions(model: &Model, tables: &Tables, state: &State, out: &mut Vec<Action>) {
    out.clear();
    let spent = state.spent;
    let may_crash = spent.crashes < model.crashes;
    let mut whole = |what| out.push(Action { what, cut_short: false });
    for (server, &number) in (0..).zip(&state.servers) {
        let outline = tables.outline(number);
        if !outline.is_up {
            whole(What::Restart(server));
            continue;
        }
        if !outline.leads && outline.term < u64::from(model.terms) {
            whole(What::Timeout(server));
        }
        if outline.leads && spent.heartbeats < model.heartbeats {
            whole(What::Heartbeat(server));
        }
        if outline.leads && spent.commands < model.commands {
            whole(What::Propose(server));
        }
        if spent.snapshots < model.snapshots {
            let indexes = outline.base + 1..=outline.commit;
            indexes.for_each(|index| whole(What::Snapshot(server, index as u8)));
        }
        if may_crash {
            whole(What::Crash(server));
        }
    }
    for (place, &number) in state.network.iter().enumerate() {
        if state.network[..place].contains(&number) {
            continue; // the same as the one before it
        }
        let message = tables.messages.get(number);
        let at = u8::try_from(place).expect("the bounds let no more messages be under way");
        if tables.outline(state.servers[message.to]).is_up {
            whole(What::Deliver(at));
            if model.duplicates.is_some_and(|most| spent.duplicates < most) {
                whole(What::Duplicate(at));
            }
        }
        let caller = state.servers[message.caller()];
        let hears = message.payload.has_ticket() && tables.outline(caller).is_up;
        if hears && spent.failures < model.failures {
            whole(What::Fail(at));
        }
    }
    if may_crash {
        let cut_short = |action: &Action| Action { cut_short: true, ..*action };
        let can_be = |action: &&Action| action.what.can_be_cut_short();
        let more: Vec<Action> = out.iter().filter(can_be).map(cut_short).collect();
        out.extend(more);
    }
}

impl What {
    /// True if it may lead to a save.
    fn can_be_cut_short(self) -> bool {
        use What::{Deliver, Propose, Snapshot, Timeout};
        matches!(self, Deliver(_) | Propose(_) | Snapshot(..) | Timeout(_))
    }
}
