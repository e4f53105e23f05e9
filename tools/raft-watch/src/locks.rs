//! No RPC while holding a lock (the lab's rule): a peer that is away takes 7 s to fail.
//!
//! A lock counts if a handler of the server or a call of its service was seen to want it, or tasks that were started at
//! different places. One that only the tasks that send take, such as a lock for each peer, holds up nobody else.

use labrt::{Node, observe};
use labtrace::verdict;
use tester::Members;

/// Fails the run if the calling task of a server holds a lock that others wait for.
pub(crate) fn check(members: &Members, server: usize, method: &str) {
    let held = observe::held_locks_of_several();
    let Some(first) = held.first() else { return };
    let in_a_server = Node::current().is_some_and(|node| node.name() == members.node_name(server));
    if !in_a_server || observe::is_unwinding() {
        return;
    }
    //= lab.locks
    let broken = verdict(
        "RPC while holding a lock",
        format!("server {server} waits for {method} with a lock held"),
    )
    .at(format!("a call of {method}"))
    .fact(server, format!("the lock was taken at {first}"))
    .hint(
        "a call may take 7 s; until then nobody gets the lock, and two servers that call each \
             other so wait for each other: copy what the call needs, release the lock, then call",
    );
    members.fail(broken.build());
}
