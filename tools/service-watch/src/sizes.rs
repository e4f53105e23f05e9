//! What servers save stays within its limits, while a test runs and not only at its end.

use labtrace::verdict;

use crate::{Checked, State};

/// How much a server may save, in bytes. `None`: any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The Raft state, log included. A server may have more for a while: entries that are not committed
    /// can be in no snapshot. It has to be larger than what clients write meanwhile, and than any entry,
    /// such as one that hands a shard over.
    pub state: Option<usize>,
    /// The snapshot, at any time.
    pub snapshot: Option<usize>,
}

impl Limits {
    /// Those of the labs, if a snapshot is due from so many bytes of Raft state on. Without that, a server
    /// never makes a snapshot.
    pub fn of_lab(max_raft_state: Option<usize>) -> Limits {
        match max_raft_state {
            Some(most) => Limits { state: Some(8 * most), snapshot: None },
            None => Limits { state: None, snapshot: Some(0) },
        }
    }
}

/// How long a server that learns of new committed entries may have too large a state, in microseconds.
const LONG_US: u64 = 1_000_000;

/// How large a server's saved state is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Size {
    /// Since it is too large: when that began, and up to which index the server knew then that
    /// entries are committed.
    over: Option<(u64, u64)>,
    /// When it was first seen to know of more: only then it could make a snapshot.
    more: Option<u64>,
}

impl State {
    /// Looks at what a server has saved.
    pub(crate) fn check_sizes(&mut self, group: usize, server: usize, us: u64) -> Checked {
        let seen = &mut self.groups[group];
        let (limits, lane) = (seen.limits, seen.members.lane(server) as usize);
        let of = &mut seen.servers[server];
        // What an instance saves that has crashed does not count.
        let Some(persister) = &of.persister else { return Ok(()) };
        let snapshot = persister.snapshot_size();
        if let Some(most) = limits.snapshot.filter(|most| snapshot > *most) {
            let name = seen.members.node_name(server);
            let words = format!("snapshot too large ({snapshot} > {most}) at {name}");
            return Err(Box::new(
                verdict("snapshot size", words)
                    .fact_at(us, lane, format!("{name} has a snapshot of {snapshot} bytes"))
                    .hint(match most {
                        0 => "no server was to make a snapshot: a limit of none means never",
                        _ => "old values, or the answers to all requests of a client, not its last one",
                    })
                    .at(format!("what {name} saves"))
                    .build(),
            ));
        }
        let size = persister.raft_state_size();
        let Some(most) = limits.state.filter(|most| size > *most) else {
            of.size = Size::default();
            return Ok(());
        };
        let Some(known) = seen.below.can_know(server) else { return Ok(()) };
        let (since, knew) = *of.size.over.get_or_insert((us, known));
        // What is not committed can be in no snapshot.
        if known <= knew {
            return Ok(());
        }
        let more = *of.size.more.get_or_insert(us);
        if us < more + LONG_US {
            return Ok(());
        }
        let name = seen.members.node_name(server);
        let words = format!("logs were not trimmed ({size} > {most}) at {name}");
        Err(Box::new(
            verdict("log size", words)
                .fact_at(since, lane, format!("{name} has saved more than {most} bytes"))
                .fact_at(more, lane, format!("it could learn that entry {} is committed", knew + 1))
                .fact_at(us, lane, format!("{name} has saved {size} bytes"))
                .hint(
                    "snapshots that are not made, or only when it is too late; or Raft does not drop \
                     what they cover",
                )
                .at(format!("what {name} saves"))
                .build(),
        ))
    }
}
