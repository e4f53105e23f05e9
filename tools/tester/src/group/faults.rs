//! Faults that no course's test has: cuts in one direction, slow links, servers that pause, and clocks of
//! their own. A run in which nobody asks for them is the same run as ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use labrpc::Name;
use labrt::Node;
use labtrace::What;
use run_record::setting::Trouble;

use super::{Group, Server};

/// What is wrong with the ways between the servers of a group.
#[derive(Default)]
pub(super) struct Ways {
    /// From whom nothing reaches whom.
    cut: BTreeSet<(usize, usize)>,
    /// How much longer messages take at most, in us, in both directions; by the lower and the higher number.
    slow: BTreeMap<(usize, usize), u64>,
}

/// Two servers, whichever is named first.
fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

impl<S: Server> Group<S> {
    // ---- Ways between servers ------------------------------------------------------------------

    /// Lets nothing that one server sends reach another one, unless the run's setting has no such cut left:
    /// no request, and no answer to a request. The other direction is as it was. It stays so if one of them
    /// crashes and is started again.
    #[track_caller]
    pub fn cut_one_way(&self, from: usize, to: usize) {
        self.check(from);
        self.check(to);
        if from != to && !self.is_cut_one_way(from, to) && self.run().may(Trouble::OneWayCuts) {
            self.set_way(from, to, true);
        }
    }

    /// Ends a [cut in one direction](Group::cut_one_way), if there is one.
    #[track_caller]
    pub fn heal_one_way(&self, from: usize, to: usize) {
        self.check(from);
        self.check(to);
        if self.is_cut_one_way(from, to) {
            self.set_way(from, to, false);
        }
    }

    /// True if nothing that the one sends reaches the other, though they are connected.
    #[track_caller]
    pub fn is_cut_one_way(&self, from: usize, to: usize) -> bool {
        self.check(from);
        self.check(to);
        self.inner.ways.with(|ways| ways.cut.contains(&(from, to)))
    }

    fn set_way(&self, from: usize, to: usize, cut: bool) {
        self.inner.ways.with(|ways| match cut {
            true => ways.cut.insert((from, to)),
            false => ways.cut.remove(&(from, to)),
        });
        self.record(from, What::OneWay { to: self.members().lane(to), cut });
        let (there, back) = (self.end_name(from, to), self.end_name(to, from));
        if let Some(there) = there {
            self.net().network().enable(there, self.reaches(from, to));
        }
        let open = self.reaches(from, to);
        self.watchers().iter().for_each(|watcher| watcher.way(from, to, open));
        if let Some(back) = back {
            self.net().network().set_way_back(back, !cut);
        }
    }

    /// Has each message between two servers take up to so much longer from now on, unless the run's setting
    /// has no slow link left. With zero they are as fast as others again. It stays so if one of them crashes
    /// and is started again.
    #[track_caller]
    pub fn slow_down(&self, one: usize, other: usize, by: Duration) {
        self.check(one);
        self.check(other);
        let by_us = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let before = self.slowness(one, other);
        if one == other || before == by_us {
            return;
        }
        if by_us > 0 && !self.run().may(Trouble::SlowLinks) {
            return;
        }
        self.inner.ways.with(|ways| match by_us {
            0 => ways.slow.remove(&pair(one, other)),
            by_us => ways.slow.insert(pair(one, other), by_us),
        });
        for (from, to) in [(one, other), (other, one)] {
            if let Some(name) = self.end_name(from, to) {
                self.net().network().set_slowness(name, by_us / 2, by_us);
            }
        }
        self.record(one, What::Slow { to: self.members().lane(other), by_us });
    }

    fn slowness(&self, one: usize, other: usize) -> u64 {
        self.inner.ways.with(|ways| ways.slow.get(&pair(one, other)).copied().unwrap_or(0))
    }

    pub(super) fn end_name(&self, from: usize, to: usize) -> Option<Name> {
        self.slot(from).with(|slot| slot.ends.get(to).cloned())
    }

    /// A new end of a server to another one is as the way between the two.
    pub(super) fn prepare_way(&self, (from, to): (usize, usize), end: &Name) {
        if self.is_cut_one_way(to, from) {
            self.net().network().set_way_back(end, false);
        }
        let slow = self.slowness(from, to);
        if slow > 0 {
            self.net().network().set_slowness(end, slow / 2, slow);
        }
    }

    /// Ends all cuts in one direction, and makes all links as fast as they were.
    pub fn heal_ways(&self) {
        for from in 0..self.servers() {
            for to in 0..self.servers() {
                self.heal_one_way(from, to);
                self.slow_down(from, to, Duration::ZERO);
            }
        }
    }

    // ---- Time of a server ----------------------------------------------------------------------

    /// Stops a server for a while, unless it does not run, or the run's setting has no pause left: nothing of
    /// it runs until it is [resumed](Group::resume) or crashes. Simulated clock only.
    #[track_caller]
    pub fn pause(&self, server: usize) {
        self.check(server);
        self.hold_up(server);
    }

    fn hold_up(&self, server: usize) {
        let Some(instance) = self.instance(server) else { return };
        if instance.node.is_paused() || !self.run().may(Trouble::Pauses) {
            return;
        }
        instance.node.pause();
        self.record(server, What::Paused);
        self.watchers().iter().for_each(|watcher| watcher.paused(server, true));
    }

    /// Lets a server go on, if it is paused.
    #[track_caller]
    pub fn resume(&self, server: usize) {
        self.check(server);
        self.let_go_on(server);
    }

    fn let_go_on(&self, server: usize) {
        let Some(instance) = self.instance(server) else { return };
        if instance.node.is_paused() {
            self.record(server, What::Resumed);
            self.watchers().iter().for_each(|watcher| watcher.paused(server, false));
            instance.node.resume();
        }
    }

    /// True if it is paused.
    #[track_caller]
    pub fn is_paused(&self, server: usize) -> bool {
        self.check(server);
        self.instance(server).is_some_and(|instance| instance.node.is_paused())
    }

    /// Has the clock of a server run at so many thousandths of the usual speed from its next start on, unless
    /// the run's setting has no such clock left. Simulated clock only.
    #[track_caller]
    pub fn set_clock(&self, server: usize, thousandths: u32) {
        self.check(server);
        if thousandths != 1000 && self.run().may(Trouble::Drifts) {
            self.slot(server).with(|slot| slot.clock = Some(thousandths));
        }
    }

    /// A new instance's clock.
    pub(super) fn set_clock_of(&self, server: usize, node: &Node) {
        let Some(thousandths) = self.slot(server).with(|slot| slot.clock) else { return };
        node.set_clock_rate(thousandths);
        self.record(server, What::Clock { thousandths });
        self.watchers().iter().for_each(|watcher| watcher.has_clock(server, thousandths));
    }

    // ---- Saves ---------------------------------------------------------------------------------

    /// Has a server crash in the middle of its next save, or not, unless the run's setting has no such crash
    /// left then. What it was saving is there afterwards, or is not, as after a crash of a machine with a
    /// [`FilePersister`](persister::FilePersister); what it had saved before is there. The server does nothing
    /// any more, but leaves the network only when it is [buried](Group::bury).
    #[track_caller]
    pub fn tear_next_save(&self, server: usize, tear: bool) {
        self.check(server);
        self.slot(server).with(|slot| slot.tear.clone()).with(|armed| *armed = tear);
    }

    /// A server that has crashed in the middle of a save leaves the network and its slot, as after a
    /// [`crash`](Group::crash). Others are left alone.
    #[track_caller]
    pub fn bury(&self, server: usize) {
        self.check(server);
        if self.instance(server).is_some_and(|instance| instance.node.is_killed()) {
            drop(self.take_away(server));
        }
    }
}
