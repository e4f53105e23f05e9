//! The task that hands committed commands and the leader's snapshots to the service.

use std::sync::Arc;
use std::time::Duration;

use labrt::channel::{Receiver, SendTimeoutError, Sender};
use raft_api::ApplyMsg;

use super::status::Status;

/// How often the applier looks whether its server is over while the service takes nothing.
const LOOK: Duration = Duration::from_millis(100);

/// Hands messages to the service, one after the other, at the service's pace, until the server is
/// over or the service is gone.
///
/// A hand-over that has begun cannot be taken back: one message may still reach the service after
/// the server's end, if the service takes it before the next look.
pub(super) fn feed(
    to_apply: &Receiver<Vec<ApplyMsg>>,
    apply: &Sender<ApplyMsg>,
    status: &Arc<Status>,
) {
    for mut message in to_apply.iter().flatten() {
        // Before it is sent: whoever takes it may give us a snapshot at once.
        if let ApplyMsg::Command { index, .. } | ApplyMsg::Snapshot { index, .. } = message {
            status.hand_over(index);
        }
        loop {
            if status.is_over() {
                return;
            }
            match apply.send_timeout(message, LOOK) {
                Ok(()) => break,
                Err(SendTimeoutError::Timeout(back)) => message = back,
                Err(SendTimeoutError::Disconnected(_)) => return,
            }
        }
    }
}
