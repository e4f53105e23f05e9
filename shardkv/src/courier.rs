//! The tasks that hand shards over to other groups.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use labrt::thread;
use raft_api::Raft;
use rsm::Rsm;
use shard_api::{Gid, MakeEnd};

use crate::board::{Board, Replica};
use crate::ends::Groups;
use crate::group::{Outgoing, Request};
use crate::message::Received;

/// How long a courier waits before it tries again, when the other group cannot take the shards yet. Each
/// time twice as long as before, from the first to the second of these.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];

/// How often one looks whether its server leads, while there is something to hand over.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the task that starts a courier for each group that gets shards, once for each. So they are
/// as many as there are groups, and none waits for another one's group.
pub(crate) fn start<R: Raft>(rsm: Arc<Rsm<Replica, R>>, board: Arc<Board>, make_end: MakeEnd) {
    thread::Builder::new().name("couriers").spawn(move || {
        let _ends = rsm.ends_with_task();
        let mut known = BTreeSet::new();
        while let Some(gid) = board.wait_for_outgoing(|outgoing| {
            outgoing.keys().find(|gid| !known.contains(*gid)).copied()
        }) {
            known.insert(gid);
            let (rsm, board, groups) = (rsm.clone(), board.clone(), Groups::new(make_end.clone()));
            thread::Builder::new()
                .name(format!("courier to group {gid}"))
                .spawn(move || run(gid, &rsm, &board, groups));
        }
    });
}

/// Hands over what this group has for another one, while this server leads.
///
/// What a leader has handed over without having it noted, the next one hands over again. That does no
/// harm.
fn run<R: Raft>(gid: Gid, rsm: &Rsm<Replica, R>, board: &Board, mut groups: Groups) {
    let _ends = rsm.ends_with_task();
    let [first, most] = PAUSES;
    let mut pause = first;
    while let Some(outgoing) = board.wait_for_outgoing(|outgoing| outgoing.get(&gid).cloned()) {
        if rsm.is_over() {
            return;
        }
        if !rsm.state().is_leader {
            thread::sleep(LOOK);
            pause = first;
        } else if deliver(gid, &outgoing, &mut groups) {
            let Outgoing { handover, .. } = &*outgoing;
            let (number, shards) = (handover.number, handover.shards.keys().copied().collect());
            // If this server has ceased to lead, the next leader sees to it.
            let _ = rsm.submit(Request::Delivered { number, shards });
            pause = first;
        } else {
            thread::sleep(pause);
            pause = (pause * 2).min(most);
        }
    }
}

/// True if the other group has them.
fn deliver(gid: Gid, outgoing: &Outgoing, groups: &mut Groups) -> bool {
    let received = groups.servers(gid, &outgoing.servers).ask_each(
        |server, place, answers| server.hand_over_to(&outgoing.handover, place, answers),
        // A leader that is not ready yet may be one that is cut off from its group, and never will be.
        |received| (received == Received::Ok).then_some(()),
    );
    received.is_some()
}
