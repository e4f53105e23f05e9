//! What failure reports say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::circles::{Links, circle};
use super::kernel::{EPOCH, Key, ROOM, State, Status, Task};
use super::task::PanicBegun;
use crate::failure::ENDS_PROCESS;
use crate::killed::MOST_CAUGHT;
use crate::node::Node;

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

/// How long a task may wait for a lock before a failure of another task mentions it.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// A task has panicked. Why may lie elsewhere: tasks that have long waited for a lock are shown.
pub(super) fn panicked(task: &mut Task, words: String) -> Report {
    // The last one of these words: it may have caught others before.
    let panics = std::mem::take(&mut task.panics);
    match panics.into_iter().rfind(|begun| begun.words == words) {
        Some(begun) => begun.report(),
        None => {
            Report { task: Some(title(task)), message: words, location: None, details: Vec::new() }
        }
    }
}

impl PanicBegun {
    fn report(self) -> Report {
        let PanicBegun { words, at, title, waits } = self;
        Report { task: Some(title), message: words, location: at, details: waits }
    }
}

/// What is known when a panic in a destructor ends the process.
pub(super) struct PanicInDestructor {
    /// The panic, or the kill, that ran the destructor.
    pub(super) first: Report,
    /// What happened then.
    pub(super) then: Vec<String>,
}

/// A destructor has panicked while the task was being unwound.
pub(super) fn panic_in_destructor(task: &mut Task) -> PanicInDestructor {
    // The last one is std's own, which says that the process ends.
    task.panics.pop();
    let mut panics = std::mem::take(&mut task.panics).into_iter();
    let last = panics.next_back().map(PanicBegun::report);
    let (first, last) = match (panics.next().map(PanicBegun::report), last) {
        (Some(first), last) => (first, last),
        (None, last) => (being_ended(task), last),
    };
    let title = title(task);
    let then = match last {
        Some(Report { message, location, .. }) => format!(
            "then a destructor of {title} panicked at {}: {message}",
            location.as_deref().unwrap_or("an unknown place")
        ),
        None => format!("then a destructor of {title} panicked"),
    };
    PanicInDestructor { first, then: vec![then, ENDS_PROCESS.to_string()] }
}

fn being_ended(task: &Task) -> Report {
    Report {
        task: Some(title(task)),
        message: "it was being ended, since its node was killed or the run was over".to_string(),
        location: Some(task.last.to_string()),
        details: Vec::new(),
    }
}

/// There is no memory for another stack.
pub(super) fn no_stack(state: &State, size: usize, error: &std::io::Error) -> Report {
    let places = count_by(state.tasks.iter().flatten(), |task| task.started.to_string());
    let most = places
        .first()
        .map_or_else(String::new, |(place, count)| format!(", {count} of them started at {place}"));
    Report {
        task: None,
        message: format!(
            "there is no memory for another task's stack of {size} bytes: {} tasks at once{most} \
             ({error})",
            state.live
        ),
        location: places.first().map(|(place, _)| place.clone()),
        details: task_lines(state),
    }
}

pub(super) fn no_thread(error: &std::io::Error) -> Report {
    let message = format!("the operating system refuses a thread for a simulated world: {error}");
    Report { task: None, message, location: None, details: Vec::new() }
}

pub(super) fn main_killed() -> Report {
    let (task, message) = (Some("task `main`".to_string()), "the main task was killed".to_string());
    Report { task, message, location: None, details: Vec::new() }
}

/// How many tasks have each value, the most frequent first.
fn count_by<'a>(
    tasks: impl Iterator<Item = &'a Task>,
    value: impl Fn(&Task) -> String,
) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    for task in tasks {
        *counts.entry(value(task)).or_insert(0) += 1;
    }
    let mut counts = counts.into_iter().collect::<Vec<_>>();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// Tasks that have waited for a lock for a long time.
pub(super) fn long_waits(state: &State) -> Vec<String> {
    waits_for_locks(state, LONG_WAIT)
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

pub(super) fn catches_its_end(task: &Task) -> Report {
    Report {
        task: Some(title(task)),
        message: format!(
            "it was to end, and has caught the panic that ends it {MOST_CAUGHT} times: whoever catches panics \
             passes one whose payload is `labrt::Killed` on, with std::panic::resume_unwind"
        ),
        location: Some(task.last.to_string()),
        details: Vec::new(),
    }
}

/// How a world got stuck.
#[derive(Clone, Copy)]
pub(super) enum Stuck {
    /// It makes no step.
    NoStep,
    /// It makes few steps, and its time stands still.
    TimeStands {
        steps: u64,
        /// It has run most of the time, as far as that is known.
        computes: bool,
    },
}

pub(super) fn stuck(state: &State, how: Stuck, after: Duration) -> Report {
    let running = state.tasks.get(state.current).and_then(Option::as_ref);
    let seconds = after.as_secs_f64();
    let message = match how {
        Stuck::NoStep => format!(
            "no step for {seconds} s of wall time: the task blocks in something that is not \
             labrt's (a std or parking_lot lock, a socket, a foreign channel; run `cargo clippy`, \
             which names the lines) or computes without end; its last call into labrt was at the \
             place given"
        ),
        Stuck::TimeStands { steps, computes } => {
            let why = match computes {
                true => "it computes for long between its calls into labrt",
                false => {
                    "something sleeps or waits by a clock that is not labrt's (std::thread::sleep, \
                     std::time, tokio); `cargo clippy` names the lines"
                }
            };
            format!(
                "simulated time stands still, and in {seconds} s of wall time only {steps} steps were \
                 made: {why}; the last call into labrt was at the place given"
            )
        }
    };
    Report {
        task: running.map(title),
        message,
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
    let circle = |slot| circle(state, slot, Links::Likely);
    (0..state.tasks.len()).find_map(circle).unwrap_or_else(|| Report {
        task: None,
        message: match state.tasks.iter().flatten().any(is_held_up) {
            true => "every task waits or is of a paused node, and no timer is set".to_string(),
            false => "every task waits, and no timer is set".to_string(),
        },
        location: None,
        details: task_lines(state),
    })
}

/// Whether a task could run, were it not of a node that is paused.
fn is_held_up(task: &Task) -> bool {
    matches!(task.status, Status::Ready) && task.node.as_ref().is_some_and(Node::is_paused)
}

/// Tasks that have waited for a lock for so long, and who holds it.
pub(super) fn waits_for_locks(state: &State, at_least: Duration) -> Vec<String> {
    let long = |task: &&Task| match &task.status {
        Status::Blocked { key: Some(key), since, .. } => {
            state.now - *since >= at_least && holders(state, *key).next().is_some()
        }
        _ => false,
    };
    state.tasks.iter().flatten().filter(long).map(|task| task_line(state, task)).collect()
}

/// Tasks of the nodes of this name that have waited for so long.
pub(super) fn waits_of(state: &State, node: &str, at_least: Duration) -> Vec<String> {
    let is_of_it = |task: &&Task| task.node.as_ref().is_some_and(|of| of.name() == node);
    let waits = |task: &&Task| match &task.status {
        Status::Blocked { since, .. } => state.now - *since >= at_least,
        Status::Ready => false,
    };
    lines_of(state, state.tasks.iter().flatten().filter(is_of_it).filter(waits))
}

/// So many tasks that do the same, such as one of each server, are one line.
const ALIKE: usize = 3;
/// Of so many it is not said whose they are.
const CROWD: usize = 10;

/// How much a task may have to do with that nothing goes on: most comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    WaitsForLock,
    HoldsLock,
    /// It wants to send, and nobody receives.
    CannotSend,
    Idle,
}

fn standing(state: &State, task: &Task) -> Standing {
    match &task.status {
        Status::Blocked { key: Some(key), .. } if holders(state, *key).next().is_some() => {
            Standing::WaitsForLock
        }
        _ if !task.held.is_empty() => Standing::HoldsLock,
        Status::Blocked { waiting, .. } if waiting.what == ROOM => Standing::CannotSend,
        _ => Standing::Idle,
    }
}

/// Since when a task waits. Who can run comes behind all who wait.
fn waits_since(task: &Task) -> Duration {
    match task.status {
        Status::Blocked { since, .. } => since,
        Status::Ready => Duration::MAX,
    }
}

/// One line for each task: what it waits for, where, and who holds it. What may keep others waiting comes
/// first, and who has waited longest. Of many that wait alike for a lock the first one has a line. Idle tasks
/// that are alike are one line, at the end.
fn task_lines(state: &State) -> Vec<String> {
    lines_of(state, state.tasks.iter().flatten())
}

fn lines_of<'a>(state: &'a State, tasks: impl Iterator<Item = &'a Task>) -> Vec<String> {
    let mut tasks: Vec<&Task> = tasks.collect();
    tasks.sort_by_key(|task| (standing(state, task), waits_since(task)));
    let doing = |task: &Task| match &task.status {
        Status::Ready => "can run".to_string(),
        Status::Blocked { waiting, .. } => format!("wait for {waiting} at {}", waiting.at),
    };
    let mut alike: BTreeMap<(Standing, String), Vec<&Task>> = BTreeMap::new();
    for &task in tasks.iter().filter(|task| task.held.is_empty()) {
        let what = format!("tasks started at {} {}", task.started, doing(task));
        let lock = standing(state, task).min(Standing::HoldsLock);
        let lock = if lock == Standing::WaitsForLock { lock } else { Standing::Idle };
        alike.entry((lock, what)).or_default().push(task);
    }
    let mut alike: Vec<_> = alike.into_iter().filter(|(_, all)| all.len() >= ALIKE).collect();
    alike.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
    let of_a_lock = |lock: &Standing| *lock == Standing::WaitsForLock;
    // Whom others stand for, with how many these are; and who needs no line of his own.
    let (mut first, mut counted) = (BTreeMap::new(), BTreeSet::new());
    for ((lock, _), all) in &alike {
        let skipped = usize::from(of_a_lock(lock));
        counted.extend(all.iter().skip(skipped).map(|task| task.serial));
        first.extend(all.iter().take(skipped).map(|task| (task.serial, all.len() - skipped)));
    }
    let alone = tasks.iter().filter(|task| !counted.contains(&task.serial));
    let line = |task: &&Task| match first.get(&task.serial) {
        Some(more) => format!("{}; {more} more wait alike", task_line(state, task)),
        None => task_line(state, task),
    };
    let mut lines: Vec<_> = alone.map(line).collect();
    let idle = alike.iter().filter(|((lock, _), _)| !of_a_lock(lock));
    lines.extend(idle.map(|((_, what), all)| format!("{} {what}{}", all.len(), whose(all))));
    lines
}

/// On which nodes tasks are, if there are not too many.
fn whose(tasks: &[&Task]) -> String {
    let nodes: BTreeSet<&str> =
        tasks.iter().filter_map(|task| task.node.as_ref().map(Node::name)).collect();
    match nodes.len() {
        1..CROWD if tasks.len() < CROWD => {
            format!(" (of {})", nodes.into_iter().collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    }
}

pub(super) fn task_line(state: &State, task: &Task) -> String {
    let mut line = title(task);
    match &task.status {
        Status::Ready if is_held_up(task) => {
            let _ =
                write!(line, " is held up, since its node is paused; last seen at {}", task.last);
        }
        Status::Ready => {
            let _ = write!(line, " can run; last seen at {}", task.last);
        }
        Status::Blocked { key, waiting, since } => {
            let _ = write!(line, " waits for {} at {}", waiting, waiting.at);
            if state.now > *since {
                let _ = write!(line, " since {:.3} s", (*since - EPOCH).as_secs_f64());
            }
            for (holder, at) in key.iter().flat_map(|key| holders(state, *key)) {
                let _ = write!(line, ", held by {} (taken at {at})", title(holder));
            }
            let receiver = |task: &&Task| waiting.receiver.is_some_and(|one| one.is(task));
            if let Some(receiver) = state.tasks.iter().flatten().find(receiver) {
                let _ = write!(line, ", which {} receives from", title(receiver));
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
