//! No RPC while holding a lock (the lab's rule): a peer that is away takes 7 s to fail.
//!
//! A lock counts if a handler of the server or a call of its service was seen to want it. One that only tasks that send
//! take holds up nobody else: it counts if tasks that were started at different places share it and it is held in calls
//! to several servers, so that one that is away holds up what others are to be told. A lock for each peer does not. Nor
//! does a read lock that nobody was seen to want for writing: all who want it get it.

use std::collections::BTreeMap;

use labrt::observe::HeldLock;
use labrt::sync::Leaf;
use labrt::{Node, observe};
use labtrace::verdict;
use tester::Members;

/// Locks of senders, by their number, with the server that was called while it was held.
#[derive(Default)]
pub(crate) struct SendersLocks(Leaf<BTreeMap<u64, usize>>);

impl SendersLocks {
    /// Whether others than those that wait for this server are held up while somebody with this lock calls it.
    fn holds_up_others(&self, held: &HeldLock, to: usize) -> bool {
        !held.harmless
            && (held.by_handler || self.0.with(|locks| *locks.entry(held.lock).or_insert(to) != to))
    }
}

/// Fails the run if the calling task of a server holds a lock that others wait for.
pub(crate) fn check(
    members: &Members,
    senders: &SendersLocks,
    (from, to): (usize, usize),
    method: &str,
) {
    let held = observe::held_locks_of_several();
    let Some(first) = held.iter().find(|held| senders.holds_up_others(held, to)) else { return };
    let in_a_server = Node::current().is_some_and(|node| node.name() == members.node_name(from));
    if !in_a_server || observe::is_unwinding() {
        return;
    }
    //= lab.locks
    let broken = verdict(
        "RPC while holding a lock",
        format!("server {from} waits for {method} with a lock held"),
    )
    .at(format!("a call of {method}"))
    .fact(from, format!("the lock was taken at {}", first.taken_at))
    .hint(
        "a call may take 7 s; until then nobody gets the lock, and two servers that call each \
             other so wait for each other: copy what the call needs, release the lock, then call",
    );
    members.fail(broken.build());
}
