//! The callers' ends of a network.

use std::collections::BTreeMap;

use crate::name::Name;
use crate::slots::{Id, Slots};

/// Names an end.
pub(crate) type EndId = Id;

/// An end as its callers hold it.
#[derive(Clone)]
pub(crate) struct EndRef {
    pub(crate) id: EndId,
    pub(crate) name: Name,
}

pub(crate) struct End {
    pub(crate) enabled: bool,
    pub(crate) server: Option<Name>,
    /// Replies come back to it.
    pub(crate) way_back: bool,
    /// How much longer each message takes on its way, in us.
    pub(crate) slowness: (u64, u64),
}

impl End {
    fn new() -> End {
        End { enabled: false, server: None, way_back: true, slowness: (0, 0) }
    }
}

/// All ends that were made and not removed.
#[derive(Default)]
pub(crate) struct Ends {
    ends: Slots<End>,
    by_name: BTreeMap<Name, EndId>,
}

impl Ends {
    /// A new end, neither enabled nor connected; `None` if there is one of this name.
    pub(crate) fn insert(&mut self, name: Name) -> Option<EndId> {
        if self.by_name.contains_key(&name) {
            return None;
        }
        let id = self.ends.insert(End::new());
        self.by_name.insert(name, id);
        Some(id)
    }

    /// Forgets an end; false if there is none of this name.
    pub(crate) fn remove(&mut self, name: &Name) -> bool {
        let id = self.by_name.remove(name);
        id.and_then(|id| self.ends.remove(id)).is_some()
    }

    /// The end, unless it was removed.
    pub(crate) fn get(&self, id: EndId) -> Option<&End> {
        self.ends.get(id)
    }

    /// The end of this name.
    pub(crate) fn find(&mut self, name: &Name) -> Option<(EndId, &mut End)> {
        let id = *self.by_name.get(name)?;
        self.ends.get_mut(id).map(|end| (id, end))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.by_name.keys()
    }
}
