//! The servers of groups, found by their names.

use std::collections::BTreeMap;
use std::fmt;

use rsm::ask::Servers;
use shard_api::{Gid, MakeEnd};

use crate::message::ShardKVClient;

/// The servers of each group that was asked for, with what is known of who leads there. It makes one
/// end for each name.
pub(crate) struct Groups {
    make_end: MakeEnd,
    clients: BTreeMap<String, ShardKVClient>,
    groups: BTreeMap<Gid, (Vec<String>, Servers<ShardKVClient>)>,
}

impl Groups {
    pub(crate) fn new(make_end: MakeEnd) -> Groups {
        Groups { make_end, clients: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// The servers with these names, of this group.
    ///
    /// # Panics
    /// If there are no names.
    pub(crate) fn servers(&mut self, gid: Gid, names: &[String]) -> &mut Servers<ShardKVClient> {
        let known = self.groups.get(&gid).is_some_and(|(before, _)| before == names);
        if !known {
            let clients = names.iter().map(|name| self.client(name)).collect();
            self.groups.insert(gid, (names.to_vec(), Servers::new(clients)));
        }
        let (_, servers) = self.groups.get_mut(&gid).expect("it has just been looked for");
        servers
    }

    fn client(&mut self, name: &str) -> ShardKVClient {
        let make = || ShardKVClient::new((self.make_end)(name));
        self.clients.entry(name.to_string()).or_insert_with(make).clone()
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Groups").field("groups", &self.groups).finish_non_exhaustive()
    }
}
