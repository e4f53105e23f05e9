//! What failure reports say.

use std::fmt::Write as _;
use std::time::Duration;

use super::kernel::{Key, State, Status, Task};

/// The parts of a [`Failure`](crate::Failure) that the kernel's state decides.
pub(super) struct Report {
    pub(super) task: Option<String>,
    pub(super) message: String,
    pub(super) location: Option<String>,
    pub(super) details: Vec<String>,
}

/// A task's name, with its node's if it has one.
pub(super) fn title(task: &Task) -> String {
    match &task.node {
        Some(node) => format!("task `{}` of {}", task.name, node.name()),
        None => format!("task `{}`", task.name),
    }
}

pub(super) fn panicked(task: &mut Task, words: String) -> Report {
    let location = task.panicked_at.take();
    Report { task: Some(title(task)), message: words, location, details: Vec::new() }
}

pub(super) fn spinning(task: &Task, limit: u64) -> Report {
    Report {
        task: Some(title(task)),
        message: format!(
            "{limit} steps were made and simulated time stood still: something loops without \
             sleeping or waiting"
        ),
        location: Some(task.last.to_string()),
        details: Vec::new(),
    }
}

pub(super) fn stuck(state: &State, after: Duration) -> Report {
    let running = state.tasks.get(state.current).and_then(Option::as_ref);
    Report {
        task: running.map(title),
        message: format!(
            "no step for {} s of wall time: the task blocks in something that is not labrt's (a \
             std or parking_lot lock, a socket, a foreign channel) or computes without end; its \
             last call into labrt was at the place given",
            after.as_secs_f64()
        ),
        location: running.map(|task| task.last.to_string()),
        details: task_lines(state),
    }
}

pub(super) fn time_limit(state: &State, limit: Duration) -> Report {
    Report {
        task: None,
        message: format!("the run took longer than its limit of {} s", limit.as_secs_f64()),
        location: None,
        details: task_lines(state),
    }
}

pub(super) fn teardown(state: &State) -> Report {
    Report {
        task: None,
        message: "the run is over, but destructors of its tasks do not come to an end".to_string(),
        location: None,
        details: task_lines(state),
    }
}

pub(super) fn deadlock(state: &State) -> Report {
    let mut details = Vec::new();
    let cycle = find_cycle(state);
    let message = match &cycle {
        Some(cycle) => {
            details.push(describe_cycle(state, cycle));
            "tasks wait for each other in a circle; no other task can run and no timer is set"
        }
        None => "every task waits, and no timer is set",
    };
    details.extend(task_lines(state));
    Report { task: None, message: message.to_string(), location: None, details }
}

/// One line for each task: what it waits for, where, and who holds it.
fn task_lines(state: &State) -> Vec<String> {
    state.tasks.iter().flatten().map(|task| task_line(state, task)).collect()
}

fn task_line(state: &State, task: &Task) -> String {
    let mut line = title(task);
    match &task.status {
        Status::Ready => {
            let _ = write!(line, " can run; last seen at {}", task.last);
        }
        Status::Blocked { key, waiting } => {
            let _ = write!(line, " waits for {} at {}", waiting, waiting.at);
            for (holder, at) in key.iter().flat_map(|key| holders(state, *key)) {
                let _ = write!(line, ", held by {} since {at}", title(holder));
            }
            for held in &task.held {
                let _ = write!(line, ", while it holds the lock it took at {}", held.at);
            }
        }
    }
    line
}

fn holders(state: &State, key: Key) -> impl Iterator<Item = (&Task, super::kernel::At)> {
    state.tasks.iter().flatten().flat_map(move |task| {
        let held = task.held.iter().filter(move |held| held.key == key);
        held.map(move |held| (task, held.at))
    })
}

/// Slots of tasks of which each waits for a lock that the next one holds, the last for the first.
fn find_cycle(state: &State) -> Option<Vec<usize>> {
    let next = |slot: usize| {
        let Status::Blocked { key: Some(key), .. } = &state.tasks[slot].as_ref()?.status else {
            return None;
        };
        let holds = |task: &Task| task.held.iter().any(|held| held.key == *key);
        state.tasks.iter().position(|task| task.as_ref().is_some_and(holds))
    };
    (0..state.tasks.len()).find_map(|start| {
        let mut path = vec![start];
        loop {
            let slot = next(path[path.len() - 1])?;
            if let Some(place) = path.iter().position(|&seen| seen == slot) {
                return Some(path.split_off(place));
            }
            path.push(slot);
        }
    })
}

fn describe_cycle(state: &State, cycle: &[usize]) -> String {
    let names = cycle.iter().chain(cycle.first());
    let names = names.filter_map(|&slot| state.tasks[slot].as_ref()).map(title);
    format!("circle: {}", names.collect::<Vec<_>>().join(" -> "))
}
