//! Entries of a log, as an AppendEntries carries them.

use std::collections::{BTreeMap, BTreeSet};

use labgob::{Peek, Shape, Type};
use run_record::names::{self, Name};

use super::plan::{self, Plan, fields, is_whole_number};
use super::{Entries, Place};
use crate::digest;

/// How to read the entries of a message.
#[derive(Clone, Debug)]
pub(crate) struct EntryPlan {
    kind: Kind,
    /// The command's place is known, so that two entries can be compared.
    pub(crate) has_command: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// By the names of its fields.
    Named(Plan),
    /// By their places: the one of the term, and that of the command.
    Placed { term: usize, command: usize },
}

/// Term and command of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) term: u64,
    pub(crate) command: Command<'a>,
}

/// The command of an entry, as it is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) bytes: &'a [u8],
    /// None for bare bytes.
    pub(crate) shape: Option<&'static Shape>,
}

impl Command<'_> {
    /// True if it holds nothing: none, or a variant without content. That may stand for a command that its receiver
    /// has.
    pub(crate) fn is_none(&self) -> bool {
        let has_kinds = matches!(self.shape, Some(Shape::Option(_) | Shape::Enum { .. }));
        has_kinds && self.bytes.len() == 1
    }

    /// True if the two may be one command.
    pub(crate) fn may_be(&self, other: &Command<'_>) -> bool {
        self.bytes == other.bytes || self.is_none() || other.is_none()
    }

    /// The command for people.
    pub(crate) fn show(&self) -> String {
        let Some(shape) = self.shape else { return labtrace::show(self.bytes) };
        let view = Peek::part(shape, self.bytes).view();
        view.map_or_else(String::new, |view| labtrace::show(view.to_string().as_bytes()))
    }
}

impl EntryPlan {
    /// How to read the entries in a field of this type; or why that cannot be done.
    pub(crate) fn of(list: &'static Shape) -> Result<EntryPlan, &'static str> {
        let item = match list {
            // One entry for each message, or none.
            Shape::List(item) | Shape::Array(item, _) | Shape::Option(item) => item,
            _ => return Err("they are no list"),
        };
        EntryPlan::of_entry(item.shape())
    }

    fn of_entry(shape: &'static Shape) -> Result<EntryPlan, &'static str> {
        let named = Plan::of(shape, &[Name::Term, Name::Command]);
        if named.has(Name::Term) && named.has(Name::Command) {
            return Ok(EntryPlan { kind: Kind::Named(named), has_command: true });
        }
        let types: Vec<&Type> = match shape {
            Shape::Tuple(items) => items.iter().collect(),
            _ if fields(shape).iter().any(|field| names::is(field.name, Name::Index)) => Vec::new(),
            _ => fields(shape).iter().map(|field| &field.ty).collect(),
        };
        if types.iter().any(|ty| Plan::of(ty.shape(), &[Name::Term]).has(Name::Term)) {
            return Err("which number is their term is not clear");
        }
        let numbers: Vec<bool> = types.iter().map(|ty| is_whole_number(ty.shape())).collect();
        match numbers[..] {
            [true, false] => Ok(EntryPlan::placed(0, 1)),
            [false, true] => Ok(EntryPlan::placed(1, 0)),
            _ if named.has(Name::Term) => {
                Ok(EntryPlan { kind: Kind::Named(named), has_command: false })
            }
            _ => Err("they have no term"),
        }
    }

    fn placed(term: usize, command: usize) -> EntryPlan {
        EntryPlan { kind: Kind::Placed { term, command }, has_command: true }
    }

    /// True if a number counts as their term only for its place.
    pub(crate) fn is_by_place(&self) -> bool {
        matches!(self.kind, Kind::Placed { .. })
    }

    /// The entries one by one.
    pub(crate) fn entries<'a>(&self, list: Peek<'a>) -> impl Iterator<Item = Peek<'a>> + use<'a> {
        list.items().into_iter().flatten()
    }

    pub(crate) fn read<'a>(&self, entry: Peek<'a>) -> Option<Entry<'a>> {
        let (term, command) = match &self.kind {
            Kind::Named(plan) => {
                let parts = plan.read(entry);
                (parts.get(Name::Term), parts.get(Name::Command).or(Some(entry)))
            }
            Kind::Placed { term, command } => match entry.items() {
                Some(items) => pick(items, *term, *command),
                None => pick(entry.fields().map(|(_, field)| field), *term, *command),
            },
        };
        let (term, command) = (plan::term_of_entry(term?)?, command?);
        let command = Command { bytes: command.bytes(), shape: Some(command.shape()) };
        Some(Entry { term, command })
    }
}

/// Whether the numbers of entries that have no names are their terms. They may be indexes.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// They are terms: some number was not the index of its entry, and somebody had led that term.
    are_terms: bool,
    /// The terms in which somebody has led.
    led: BTreeSet<u64>,
    /// The indexes of entries whose number was just that, each with what stands for its command.
    alike: BTreeMap<u64, u64>,
}

impl Numbers {
    /// Somebody leads.
    pub(crate) fn leads(&mut self, term: u64) {
        if !self.are_terms {
            self.led.insert(term);
        }
    }

    /// True if they may be terms. An entry was made by a leader of its term; and where the number is the index, that
    /// leader was seen to send it, nobody sends another command under the same number, and no `prevLogTerm` tells
    /// another term.
    pub(crate) fn may_be_terms(&mut self, term: u64, prev: Place, entries: &Entries<'_>) -> bool {
        if self.are_terms {
            return true;
        }
        let is_other = self.alike.contains_key(&prev.index) && prev.term != prev.index;
        let mut were_made = true;
        for (index, (entry, _)) in (prev.index.saturating_add(1)..).zip(entries.read()) {
            let was_led = self.led.contains(&entry.term);
            if entry.term != index {
                were_made &= was_led;
                self.are_terms |= was_led;
                continue;
            }
            let command = digest::of([entry.command.bytes]);
            let known = self.alike.insert(index, command);
            were_made &= was_led && known.map_or(entry.term == term, |known| known == command);
        }
        self.are_terms &= were_made && !is_other;
        were_made && !is_other
    }
}

fn pick<'a>(
    parts: impl Iterator<Item = Peek<'a>>,
    one: usize,
    other: usize,
) -> (Option<Peek<'a>>, Option<Peek<'a>>) {
    let parts: Vec<Peek<'a>> = parts.collect();
    (parts.get(one).copied(), parts.get(other).copied())
}
