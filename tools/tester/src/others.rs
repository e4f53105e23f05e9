//! Calls from servers of one group to servers of other groups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use labrpc::{ClientEnd, Name};

use crate::members::Members;
use crate::net::Net;
use crate::observer::{Member, Party};

/// Makes the ends of one instance of a server to servers of other groups. Clones are the same one.
///
/// The ends belong to the instance: what it calls through them shows it as the caller, and they leave
/// the network when it crashes. One that it asks for after that leads nowhere. A server of another
/// group is reached unless somebody has [cut off](crate::Group::cut_from) one of the two from the other's
/// group; cuts and parts within a group are of no concern.
#[derive(Clone)]
pub struct Others {
    net: Net,
    from: Member,
    /// How its ends' names begin.
    owner: Arc<str>,
    /// The servers of its own group, to which it has ends already.
    own: Arc<BTreeMap<Name, ClientEnd>>,
}

impl Others {
    pub(crate) fn new(
        net: &Net,
        from: Member,
        name: &Name,
        own: BTreeMap<Name, ClientEnd>,
    ) -> Others {
        let owner = format!("{name} ({})", from.instance).into();
        Others { net: net.clone(), from, owner, own: Arc::new(own) }
    }

    /// Its end to the server of this name, which need not run or exist. There is one end for each name.
    /// To a server of its own group it is the one that the group made.
    pub fn end_to(&self, server: &Name) -> ClientEnd {
        if let Some(end) = self.own.get(server) {
            return end.clone();
        }
        let own = Name::from(format!("{} to {server}", self.owner));
        let to = self.net.book().with(|book| {
            book.ends.insert(own.clone(), Party::Server(self.from));
            book.servers.get(server).map(|to| (to.group, to.server))
        });
        self.net.crossings().lock().end(&self.net, self.from, to, server, own)
    }

    /// Its ends to all servers of another group, by their numbers.
    pub fn ends_to(&self, members: &Members) -> Vec<ClientEnd> {
        (0..members.count()).map(|server| self.end_to(&members.name(server))).collect()
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Others").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// A server: the number of its group, and its number there.
pub(crate) type Place = (usize, usize);

/// All ends that lead from one group to another, and who is cut off from whom.
#[derive(Default)]
pub(crate) struct Crossings {
    /// Those of the instances that run, by server.
    ends: BTreeMap<Place, Instance>,
    /// Servers that are cut off from groups.
    cuts: BTreeSet<(Place, usize)>,
}

/// The ends of a running instance.
struct Instance {
    number: u64,
    /// By the name of the server that they lead to.
    ends: BTreeMap<Name, Crossing>,
}

struct Crossing {
    name: Name,
    end: ClientEnd,
    /// Where it leads; none if there is no such server.
    to: Option<Place>,
}

impl Crossings {
    /// An instance of a server is about to run.
    pub(crate) fn begin(&mut self, of: Member) {
        let instance = Instance { number: of.instance, ends: BTreeMap::new() };
        self.ends.insert((of.group, of.server), instance);
    }

    /// What a server has made is gone.
    pub(crate) fn end_all(&mut self, net: &Net, of: Place) {
        let ends = self.ends.remove(&of).map(|instance| instance.ends);
        ends.unwrap_or_default().values().for_each(|end| net.network().remove_end(&end.name));
    }

    fn end(
        &mut self,
        net: &Net,
        from: Member,
        to: Option<Place>,
        server: &Name,
        name: Name,
    ) -> ClientEnd {
        let (network, place) = (net.network(), (from.group, from.server));
        let reaches = self.reaches(place, to);
        let running = self.ends.get_mut(&place).filter(|running| running.number == from.instance);
        let Some(Instance { ends, .. }) = running else {
            // It is dead, and does not know yet.
            let end = network.make_end(&name);
            network.remove_end(&name);
            return end;
        };
        let make = || {
            let end = network.make_end(&name);
            network.connect(&name, server);
            network.enable(&name, reaches);
            Crossing { name, end, to }
        };
        ends.entry(server.clone()).or_insert_with(make).end.clone()
    }

    fn reaches(&self, from: Place, to: Option<Place>) -> bool {
        let cut = |one: Place, other: Place| self.cuts.contains(&(one, other.0));
        !to.is_some_and(|to| cut(from, to) || cut(to, from))
    }

    /// Whether a server is cut off from a group.
    pub(crate) fn is_cut(&self, server: Place, group: usize) -> bool {
        self.cuts.contains(&(server, group))
    }

    /// Cuts a server off from a group and the group from it, or connects them again.
    pub(crate) fn cut(&mut self, net: &Net, server: Place, group: usize, cut: bool) {
        match cut {
            true => self.cuts.insert((server, group)),
            false => self.cuts.remove(&(server, group)),
        };
        for (&from, instance) in &self.ends {
            for end in instance.ends.values() {
                let concerned = match end.to {
                    Some(to) => from == server && to.0 == group || from.0 == group && to == server,
                    None => false,
                };
                if concerned {
                    net.network().enable(&end.name, self.reaches(from, end.to));
                }
            }
        }
    }
}
