//! Worlds on the real clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, bounded};

use super::{Outcome, Settings, WorldShared};
use crate::context::Member;
use crate::failure::{Failure, FailureKind};
use crate::thread::spawn_member;

/// How long a failed or ended world's threads are waited for. They end at their next call into this
/// crate; one that never makes another is left behind.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked whether a task has failed: the main one may be where it does not notice.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn run_world<T: Send + 'static>(
    settings: &Settings,
    shared: Arc<WorldShared>,
    main: impl FnOnce() -> T + Send + 'static,
) -> Result<Outcome<T>, Box<Failure>> {
    let (sender, result) = bounded(1);
    let member = Member { world: Some(shared.clone()), node: None };
    let root = spawn_member(
        "main",
        member,
        Box::new(move || {
            let value = main();
            // The receiver has given up on a world that ran for too long.
            let _ = sender.send(value);
            None
        }),
    );
    let limit = shared.began.checked_add(settings.time_limit);
    let value = loop {
        let next = Instant::now() + LOOK;
        let value = result.recv_deadline(limit.map_or(next, |limit| next.min(limit)));
        let goes_on = matches!(value, Err(RecvTimeoutError::Timeout));
        let is_over = limit.is_some_and(|limit| Instant::now() >= limit);
        if goes_on && is_over {
            let failure = over_the_limit(settings.time_limit, shared.began.elapsed());
            shared.fail(Failure { details: shared.witnesses.lines(), ..failure });
        }
        if !goes_on || shared.is_ending() {
            break value;
        }
    };
    let elapsed = shared.began.elapsed();
    shared.begin_ending();
    let left = wait_for_tasks(&shared, &root);
    match (shared.failure.lock().take(), value) {
        (Some(mut failure), _) => {
            failure.details.extend(left_behind(left));
            Err(Box::new(failure))
        }
        (None, Ok(value)) => Ok(Outcome { value, elapsed, trace: None }),
        (None, Err(_)) => Err(Box::new(ended_itself(elapsed))),
    }
}

fn over_the_limit(limit: Duration, time: Duration) -> Failure {
    let message = format!("the run took longer than its limit of {} s", limit.as_secs_f64());
    failure(FailureKind::TimeLimit, time, message)
}

/// The main task can end as killed without a failure only if it belonged to a node.
fn ended_itself(time: Duration) -> Failure {
    failure(FailureKind::Panic, time, "the main task was killed".to_string())
}

fn failure(kind: FailureKind, time: Duration, message: String) -> Failure {
    let task = Some("task `main`".to_string());
    Failure {
        kind,
        seed: None,
        time,
        task,
        message,
        location: None,
        details: Vec::new(),
        forced_switches: 0,
    }
}

/// Gives the world's tasks the time to end; how many have not.
fn wait_for_tasks(shared: &WorldShared, root: &std::thread::JoinHandle<()>) -> u64 {
    let deadline = Instant::now() + GRACE;
    let mut pause = Duration::from_micros(50);
    while Instant::now() < deadline {
        if root.is_finished() && shared.tasks_alive() == 0 {
            return 0;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    shared.tasks_alive()
}

/// What is said of tasks that have not ended.
fn left_behind(tasks: u64) -> Option<String> {
    let which = match tasks {
        0 => return None,
        1 => "1 task has".to_string(),
        _ => format!("{tasks} tasks have"),
    };
    let grace = GRACE.as_secs();
    Some(format!(
        "{which} not ended within {grace} s: on the real clock, what makes no call into labrt cannot be ended"
    ))
}
