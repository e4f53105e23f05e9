//! The callers' ends of a network.

use std::collections::BTreeMap;

use crate::name::Name;

/// Names an end; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndId {
    slot: usize,
    serial: u64,
}

/// An end as its callers hold it.
#[derive(Clone)]
pub(crate) struct EndRef {
    pub(crate) id: EndId,
    pub(crate) name: Name,
}

pub(crate) struct End {
    pub(crate) enabled: bool,
    pub(crate) server: Option<Name>,
}

/// All ends that were made and not removed.
#[derive(Default)]
pub(crate) struct Ends {
    slots: Vec<Option<(u64, End)>>,
    free: Vec<usize>,
    next_serial: u64,
    by_name: BTreeMap<Name, EndId>,
}

impl Ends {
    /// A new end, neither enabled nor connected; `None` if there is one of this name.
    pub(crate) fn insert(&mut self, name: Name) -> Option<EndId> {
        if self.by_name.contains_key(&name) {
            return None;
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some((serial, End { enabled: false, server: None }));
        let id = EndId { slot, serial };
        self.by_name.insert(name, id);
        Some(id)
    }

    /// Forgets an end; false if there is none of this name.
    pub(crate) fn remove(&mut self, name: &Name) -> bool {
        let Some(id) = self.by_name.remove(name) else { return false };
        self.slots[id.slot] = None;
        self.free.push(id.slot);
        true
    }

    /// The end, unless it was removed.
    pub(crate) fn get(&self, id: EndId) -> Option<&End> {
        let (serial, end) = self.slots[id.slot].as_ref()?;
        (*serial == id.serial).then_some(end)
    }

    /// The end of this name.
    pub(crate) fn find(&mut self, name: &Name) -> Option<(EndId, &mut End)> {
        let id = *self.by_name.get(name)?;
        self.slots[id.slot].as_mut().map(|(_, end)| (id, end))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.by_name.keys()
    }
}
