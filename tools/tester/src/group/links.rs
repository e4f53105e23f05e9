//! Who reaches whom in a group, and in others.

use std::collections::BTreeSet;

use labtrace::What;
use run_record::setting::Trouble;

use super::{Group, Server};
use crate::members::Members;
use crate::others::Place;

/// Those that are connected and not in a part of their own.
const WHOLE: usize = 0;

impl<S: Server> Group<S> {
    /// True if the server is connected, be it in a part of the group only.
    #[track_caller]
    pub fn is_connected(&self, server: usize) -> bool {
        self.check(server);
        self.part(server).is_some()
    }

    /// True if calls of the one reach the other, should both run.
    #[track_caller]
    pub fn reaches(&self, one: usize, other: usize) -> bool {
        self.check(one);
        self.check(other);
        self.are_together(one, other) && !self.is_cut_one_way(one, other)
    }

    fn are_together(&self, one: usize, other: usize) -> bool {
        let part = self.part(one);
        part.is_some() && part == self.part(other)
    }

    fn part(&self, server: usize) -> Option<usize> {
        self.slot(server).with(|slot| slot.part)
    }

    /// Lets a server reach all connected ones and them reach it. If the group is split into parts, it
    /// comes to the first of them.
    #[track_caller]
    pub fn connect(&self, server: usize) {
        self.check(server);
        let elsewhere = self.part(server).is_some_and(|part| part != WHOLE);
        self.put(server, Some(WHOLE));
        let (with, without) = self.sides_of(server);
        if elsewhere {
            self.note_parts();
            self.enable_ends(server, &without, false);
        }
        self.enable_ends(server, &with, true);
    }

    /// Cuts a server off from all others, unless the run's setting has no cut left.
    #[track_caller]
    pub fn disconnect(&self, server: usize) {
        self.check(server);
        if !self.is_connected(server) || self.run().may(Trouble::Cuts) {
            self.cut_off(server);
        }
    }

    pub(super) fn cut_off(&self, server: usize) {
        self.put(server, None);
        self.enable_ends(server, &(0..self.servers()).collect(), false);
    }

    /// Splits the group into parts, each of which lives on by itself. A server that is in none is cut
    /// off from all others. `&[&[0, 1, 2]]` connects three.
    ///
    /// If anybody is cut off from anybody by that, it counts as one cut. If the run's setting has none
    /// left, those in the parts are all connected with each other instead, and the others stay as they
    /// are.
    ///
    /// # Panics
    /// If a server stands in two parts, or twice in one.
    #[track_caller]
    pub fn partition(&self, parts: &[&[usize]]) {
        self.check_parts(parts);
        let all = || 0..self.servers();
        let part_of = |server: usize| parts.iter().position(|part| part.contains(&server));
        let together = |one, other| part_of(one).is_some() && part_of(one) == part_of(other);
        let cuts = |one: usize| {
            all()
                .any(|other| one != other && self.are_together(one, other) && !together(one, other))
        };
        let may = !all().any(cuts) || self.run().may(Trouble::Cuts);
        let was_split = all().any(|server| self.part(server).is_some_and(|part| part != WHOLE));
        for server in all() {
            match part_of(server) {
                Some(_) if !may => self.put(server, Some(WHOLE)),
                None if !may => {}
                part => self.put(server, part),
            }
        }
        if may {
            self.note_split(parts);
        } else if was_split {
            self.note_parts();
        }
        for server in all() {
            let (with, without) = self.sides_of(server);
            self.enable_ends(server, &without, false);
            self.enable_ends(server, &with, true);
        }
    }

    #[track_caller]
    fn check_parts(&self, parts: &[&[usize]]) {
        let mut part_of = vec![None; self.servers()];
        for (part, servers) in parts.iter().enumerate() {
            for &server in *servers {
                self.check(server);
                let Some(former) = part_of[server].replace(part) else { continue };
                let how = if former == part { "twice in one part" } else { "in two parts" };
                panic!("{} stands {how}", self.members().node_name(server));
            }
        }
    }

    /// Cuts a server off from all servers of another group, both ways, unless the run's setting has no
    /// cut left. It stays so if it crashes and is started again.
    ///
    /// # Panics
    /// If the other one is not a group of the same network, or is this one.
    #[track_caller]
    pub fn cut_from(&self, server: usize, other: &Members) {
        let crossing = self.crossing(server, other);
        if !self.is_cut_across(crossing) && self.run().may(Trouble::Cuts) {
            self.cut_across(crossing, true);
            self.note_crossing(server, "is cut off from", other);
        }
    }

    /// Lets a server reach another group again, and be reached by it.
    ///
    /// # Panics
    /// As [`cut_from`](Group::cut_from) does.
    #[track_caller]
    pub fn rejoin(&self, server: usize, other: &Members) {
        let crossing = self.crossing(server, other);
        if self.is_cut_across(crossing) {
            self.cut_across(crossing, false);
            self.note_crossing(server, "reaches", other);
        }
    }

    fn is_cut_across(&self, (place, group): (Place, usize)) -> bool {
        self.net().crossings().lock().is_cut(place, group)
    }

    fn cut_across(&self, (place, group): (Place, usize), cut: bool) {
        self.net().crossings().lock().cut(self.net(), place, group, cut);
    }

    #[track_caller]
    fn crossing(&self, server: usize, other: &Members) -> (Place, usize) {
        self.check(server);
        let first = other.name(0);
        let found = self.net().book().with(|book| book.servers.get(&first).copied());
        let group = found.expect("the other group is on this network").group;
        assert!(group != self.inner.number, "a group is cut in parts by `partition`");
        ((self.inner.number, server), group)
    }

    fn note_crossing(&self, server: usize, words: &str, other: &Members) {
        let text = format!("{} {words} group {}", self.members().node_name(server), other.group());
        self.run().session().record(None, What::Note { topic: "crossing".into(), text });
    }

    /// Notes how the group is split now.
    fn note_parts(&self) {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for server in 0..self.servers() {
            let Some(part) = self.part(server) else { continue };
            parts.resize(parts.len().max(part + 1), Vec::new());
            parts[part].push(server);
        }
        self.note_split(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    /// Notes how the group is split. People read it, and the page of a trace does: the first part is the one to
    /// which comes who is connected later.
    fn note_split(&self, parts: &[&[usize]]) {
        let part = |part: &&[usize]| {
            let numbers: Vec<String> = part.iter().map(usize::to_string).collect();
            numbers.join(", ")
        };
        let parts: Vec<String> = parts.iter().map(part).collect();
        let mut text = parts.join(" | ");
        let group = self.members().group();
        if !group.is_empty() {
            text = format!("group {group}: {text}");
        }
        self.run().session().record(None, What::Note { topic: "partition".into(), text });
    }

    /// The servers in two parts, of which the second is a minority with this server in it: the first of
    /// the others that are a majority, and the rest with this one at its end.
    ///
    /// Of one server or two, the others are no majority: then the first part is all of them, and this one is alone.
    ///
    /// # Panics
    /// If the group has no such server.
    #[track_caller]
    pub fn minority_with(&self, server: usize) -> (Vec<usize>, Vec<usize>) {
        self.check(server);
        let mut others: Vec<usize> = (0..self.servers()).filter(|other| *other != server).collect();
        let mut minority = others.split_off((self.servers() / 2 + 1).min(others.len()));
        minority.push(server);
        (others, minority)
    }

    /// Who is in one part with a server, and who is not.
    fn sides_of(&self, server: usize) -> (BTreeSet<usize>, BTreeSet<usize>) {
        (0..self.servers()).partition(|peer| self.are_together(server, *peer))
    }

    fn put(&self, server: usize, part: Option<usize>) {
        let before = self.slot(server).with(|slot| std::mem::replace(&mut slot.part, part));
        match (before, part) {
            (None, Some(_)) => _ = self.record(server, What::Connected),
            (Some(_), None) => _ = self.record(server, What::Disconnected),
            _ => {}
        }
    }

    fn enable_ends(&self, server: usize, peers: &BTreeSet<usize>, on: bool) {
        let watchers = self.watchers();
        let to = |from: usize, to: usize| {
            let open = on && !self.is_cut_one_way(from, to);
            if let Some(name) = self.end_name(from, to) {
                self.net().network().enable(name, open);
            }
            watchers.iter().for_each(|watcher| watcher.way(from, to, open));
        };
        for &peer in peers {
            to(server, peer);
            to(peer, server);
        }
    }
}
