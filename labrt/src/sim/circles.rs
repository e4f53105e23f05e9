//! Tasks that wait for each other in a circle, also while others go on.
//!
//! A task that waits for a lock waits for whoever holds it, and one that joins another waits for its
//! end: such a circle lasts for ever. A task that waits for room in a channel waits for whoever receives
//! from it. Who that will be nobody knows: the only one that has received up to now, most likely, unless it has
//! started others since, which may have the receiver. Such a circle counts when it has lasted for a while.

use std::time::Duration;

use super::kernel::{Kernel, Key, State, Status, TO_WRITE, Task};
use super::report::{Report, task_line, title};
use super::task::Held;
use crate::failure::FailureKind;

/// How long a circle over a channel must last.
const SUSPECT_FOR: Duration = Duration::from_secs(1);

/// What a task may wait for from another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// A lock that it holds, or its end.
    Sure,
    /// These, or that it receives.
    Likely,
}

/// A circle over a channel: one of its tasks, and when that began to wait.
pub(super) struct Suspect {
    slot: usize,
    serial: u64,
    since: Duration,
}

impl Suspect {
    /// True if the task has waited all the time.
    fn still_waits(&self, state: &State) -> bool {
        state.tasks[self.slot].as_ref().is_some_and(|task| {
            let since = match task.status {
                Status::Blocked { since, .. } => Some(since),
                Status::Ready => None,
            };
            task.serial == self.serial && since == Some(self.since)
        })
    }
}

impl Kernel {
    /// Fails the run if the running task, which is about to wait, waits for itself over others.
    pub(super) fn look_for_circle(&self, state: &mut State) {
        let slot = state.current;
        if let Some(report) = circle(state, slot, Links::Sure) {
            self.fail_in(state, FailureKind::Deadlock, report);
        } else if !state.awaited_receivers.is_empty()
            && find_circle(state, slot, Links::Likely).is_some()
        {
            let (serial, since) = (state.running().serial, state.now);
            state.suspects.push(Suspect { slot, serial, since });
        }
    }

    /// Fails the run if a circle over a channel has lasted for long enough.
    pub(super) fn look_at_suspects(&self, state: &mut State) {
        let long_ago = state.now.saturating_sub(SUSPECT_FOR);
        let (old, young): (Vec<_>, _) =
            state.suspects.drain(..).partition(|suspect| suspect.since <= long_ago);
        state.suspects = young;
        let report = old
            .iter()
            .filter(|suspect| suspect.still_waits(state))
            .find_map(|suspect| circle(state, suspect.slot, Links::Likely));
        if let Some(report) = report {
            self.fail_in(state, FailureKind::Deadlock, report);
        }
    }
}

/// The report if the task in `slot` waits, over others, for itself.
pub(super) fn circle(state: &State, slot: usize, links: Links) -> Option<Report> {
    let circle = find_circle(state, slot, links)?;
    let tasks = || circle.iter().filter_map(|&slot| state.tasks[slot].as_ref());
    let names = tasks().chain(tasks().next()).map(title).collect::<Vec<_>>();
    let message = match &names[..] {
        [alone, _] => format!("{alone} waits for itself and will never go on"),
        _ => "tasks wait for each other in a circle and will never go on".to_string(),
    };
    let mut details = vec![format!("circle: {}", names.join(" -> "))];
    details.extend(tasks().map(|task| task_line(state, task)));
    let location = tasks().next().map(|task| task.last.to_string());
    Some(Report { task: None, message, location, details })
}

/// Slots of tasks of which each waits without limit for something that the next one has to give (a
/// lock, its end, room in a channel), and the last one for the first, which is `start`.
fn find_circle(state: &State, start: usize, links: Links) -> Option<Vec<usize>> {
    let mut path = vec![start];
    let mut seen = vec![false; state.tasks.len()];
    leads_back(state, links, &mut path, &mut seen).then_some(path)
}

/// Whether a task waits to write what this lock guards.
fn waits_to_write(state: &State, key: Key) -> bool {
    let waits = |task: &Task| {
        matches!(&task.status, Status::Blocked { key: Some(of), waiting, .. }
            if *of == key && waiting.what == TO_WRITE)
    };
    state.tasks.iter().flatten().any(waits)
}

/// Extends `path`, depth first, to one that leads back to its beginning.
fn leads_back(state: &State, links: Links, path: &mut Vec<usize>, seen: &mut [bool]) -> bool {
    let task = state.tasks[path[path.len() - 1]].as_ref();
    let Some(Status::Blocked { key: Some(key), waiting, .. }) =
        task.filter(|task| task.waits_without_limit()).map(|task| &task.status)
    else {
        return false;
    };
    // Shares keep nobody from reading but where a writer waits for them.
    let shares_count = waiting.what == TO_WRITE || waits_to_write(state, *key);
    for slot in 0..state.tasks.len() {
        let gives = |task: &Task| {
            let keeps = |held: &Held| held.key == *key && (!held.shared || shares_count);
            *key == Key::Exit(task.serial)
                || task.held.iter().any(keeps)
                || (links == Links::Likely && waiting.receiver.is_some_and(|one| one.is(task)))
        };
        if !state.tasks[slot].as_ref().is_some_and(gives) {
            continue;
        }
        if slot == path[0] {
            return true;
        }
        if !std::mem::replace(&mut seen[slot], true) {
            path.push(slot);
            if leads_back(state, links, path, seen) {
                return true;
            }
            path.pop();
        }
    }
    false
}
