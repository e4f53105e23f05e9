//! Things with names that are never used again for others.

/// The name of a thing in [`Slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    slot: usize,
    serial: u64,
}

/// Things that come and go, in the room of those there are at most.
pub(crate) struct Slots<T> {
    slots: Vec<Option<(u64, T)>>,
    free: Vec<usize>,
    next_serial: u64,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { slots: Vec::new(), free: Vec::new(), next_serial: 0 }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, thing: T) -> Id {
        let serial = self.next_serial;
        self.next_serial += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some((serial, thing));
        Id { slot, serial }
    }

    /// The thing, unless it is gone.
    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        match self.slots.get(id.slot) {
            Some(Some((serial, thing))) if *serial == id.serial => Some(thing),
            _ => None,
        }
    }

    /// The thing, unless it is gone.
    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        match self.slots.get_mut(id.slot) {
            Some(Some((serial, thing))) if *serial == id.serial => Some(thing),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        self.get(id)?;
        self.free.push(id.slot);
        self.slots[id.slot].take().map(|(_, thing)| thing)
    }

    /// Removes all.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().flatten().map(|(_, thing)| thing).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        let all = self.slots.iter().enumerate();
        all.filter_map(|(slot, entry)| {
            let (serial, thing) = entry.as_ref()?;
            Some((Id { slot, serial: *serial }, thing))
        })
    }
}
