//! Watching over a world from outside: has it got stuck?
//!
//! That is judged by wall time, since a world that is stuck has no other. Time in which it could have gone on but had
//! no processor says nothing: on a machine with far too much to do that can be most of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use parking_lot::Mutex;

use super::kernel::Kernel;
use super::report::Stuck;
use crate::context::{self, Clock};
use crate::failure::Failure;

/// A world that makes fewer steps in a second of wall time waits for something outside of it. Even
/// one that switches between threads makes more.
const SLOW: u64 = 10_000;

/// The threads that a world runs on, each from when it has begun: one, or one for each task. They end with the
/// world.
#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<PathBuf>>);

/// What the system says of threads, of which one at a time has something to do. Where it says nothing, all is zero.
#[derive(Clone, Copy, Default)]
struct Usage {
    /// How long they have run.
    cpu: Duration,
    /// How long they could have run and had no processor, up to when they had one the last time.
    waited: Duration,
    /// One of them runs, or waits for a processor.
    can_run: bool,
}

impl Usage {
    fn and(self, other: Usage) -> Usage {
        Usage {
            cpu: self.cpu + other.cpu,
            waited: self.waited + other.waited,
            can_run: self.can_run || other.can_run,
        }
    }
}

impl Threads {
    /// The calling one is one of them.
    pub(super) fn add_this(&self) {
        if let Ok(link) = std::fs::read_link("/proc/thread-self") {
            self.0.lock().push(Path::new("/proc").join(link));
        }
    }

    fn usage(&self) -> Usage {
        self.0
            .lock()
            .iter()
            .filter_map(|thread| usage_of(thread))
            .fold(Usage::default(), Usage::and)
    }
}

fn usage_of(thread: &Path) -> Option<Usage> {
    let text = |file: &str| std::fs::read_to_string(thread.join(file)).ok();
    usage(&text("schedstat")?, &text("stat")?)
}

/// From Linux's files on a thread.
fn usage(times: &str, state: &str) -> Option<Usage> {
    let mut times = times.split_whitespace().map(|time| time.parse().map(Duration::from_nanos));
    let (cpu, waited) = (times.next()?.ok()?, times.next()?.ok()?);
    // The name before it may have any letters.
    let can_run = state.rsplit_once(')')?.1.trim_start().starts_with('R');
    Some(Usage { cpu, waited, can_run })
}

/// Waits for the end of the world; gives up on one that makes no step, or that makes few although its
/// time stands still.
pub(super) fn watch(kernel: &Kernel, ended: &Receiver<()>) -> Option<Failure> {
    let limit = kernel.settings.stuck_after;
    let look = (limit / 10).clamp(Duration::from_millis(1), Duration::from_secs(1));
    let mut watch = Watch::new(limit);
    let (mut at, mut looked) = (Duration::ZERO, Instant::now());
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(look) {
        at += watched(std::mem::replace(&mut looked, Instant::now()).elapsed(), look);
        let [steps, time] =
            [&kernel.progress, &kernel.time].map(|number| number.load(Ordering::Relaxed));
        if kernel.hosts.load(Ordering::Relaxed) > 0 {
            // Somebody else watches over the world within.
            watch.begin(at, steps, time, kernel.threads.usage());
        } else if let Some(how) = watch.look(at, steps, time, kernel.threads.usage()) {
            return Some(kernel.fail_stuck(how));
        }
    }
    None
}

/// How long a world has been watched, of the time since the last look. Who looks much too late was stopped (by Ctrl-Z,
/// or with the whole machine) or had no processor, and so it was with the world, or with who has a lock that it waits
/// for. That says next to nothing; not nothing, so that a world that is stuck is told in the end.
fn watched(since_look: Duration, look: Duration) -> Duration {
    if since_look <= 2 * look { since_look } else { look / 10 }
}

/// As long as it lives a task of the calling thread's world is a host: it runs a world within this one, and waits
/// for its end.
pub(super) struct Hosting(Option<Arc<Kernel>>);

impl Hosting {
    pub(super) fn begin() -> Hosting {
        let outer = context::with(|clock| match clock {
            Clock::Simulated(kernel) => kernel.itself.upgrade(),
            Clock::Real => None,
        });
        outer.iter().for_each(|kernel| _ = kernel.hosts.fetch_add(1, Ordering::Relaxed));
        Hosting(outer)
    }
}

impl Drop for Hosting {
    fn drop(&mut self) {
        self.0.iter().for_each(|kernel| _ = kernel.hosts.fetch_sub(1, Ordering::Relaxed));
    }
}

/// What was seen of a world.
struct Watch {
    limit: Duration,
    /// How many steps it had made at the last look, and since when it had.
    steps: u64,
    steps_since: Mark,
    /// The time that it had, since when, and how many steps it had made by then.
    time: u64,
    time_since: Mark,
    steps_before: u64,
}

/// A moment: how long the world had been watched without waiting for a processor, and how long it had run.
#[derive(Clone, Copy, Default)]
struct Mark {
    at: Duration,
    cpu: Duration,
}

impl Mark {
    fn new(watched: Duration, usage: Usage) -> Mark {
        Mark { at: watched.saturating_sub(usage.waited), cpu: usage.cpu }
    }
}

impl Watch {
    fn new(limit: Duration) -> Watch {
        let mark = Mark::default();
        Watch { limit, steps: 0, steps_since: mark, time: 0, time_since: mark, steps_before: 0 }
    }

    /// Watches from now on: nothing before counts.
    fn begin(&mut self, watched: Duration, steps: u64, time: u64, usage: Usage) {
        let now = Mark::new(watched, usage);
        (self.steps, self.steps_since) = (steps, now);
        (self.time, self.time_since, self.steps_before) = (time, now, steps);
    }

    /// Looks at a world that has been watched for so long.
    fn look(&mut self, watched: Duration, steps: u64, time: u64, usage: Usage) -> Option<Stuck> {
        let now = Mark::new(watched, usage);
        let limit = self.limit;
        let has_run = |since: Mark| now.cpu.saturating_sub(since.cpu) >= limit / 2;
        let is_over = |since: Mark| {
            // Who can run and has hardly done so has waited all the time, which is told later.
            let starved = usage.can_run && !has_run(since);
            now.at.saturating_sub(since.at) >= limit && !starved
        };
        if time != self.time {
            (self.time, self.time_since, self.steps_before) = (time, now, steps);
        }
        if steps != self.steps {
            (self.steps, self.steps_since) = (steps, now);
        } else if is_over(self.steps_since) {
            return Some(Stuck::NoStep);
        }
        let made = steps - self.steps_before;
        let stood = now.at.saturating_sub(self.time_since.at);
        let slow = (made as f64) < SLOW as f64 * stood.as_secs_f64();
        let how = Stuck::TimeStands { steps: made, computes: has_run(self.time_since) };
        (slow && is_over(self.time_since)).then_some(how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Builder;
    use crate::{SwitchBy, thread};

    const LIMIT: Duration = Duration::from_secs(20);

    /// After how many seconds a world counts as stuck of which this is seen at each of them, within five minutes,
    /// and how.
    fn stuck(look: impl Fn(u64) -> (u64, u64, Usage)) -> Option<(u64, Stuck)> {
        let mut watch = Watch::new(LIMIT);
        (1..300).find_map(|second| {
            let (steps, time, usage) = look(second);
            let how = watch.look(Duration::from_secs(second), steps, time, usage)?;
            Some((second, how))
        })
    }

    /// The same, and whether it makes no step.
    fn stuck_after(look: impl Fn(u64) -> (u64, u64, Usage)) -> Option<(u64, bool)> {
        stuck(look).map(|(second, how)| (second, matches!(how, Stuck::NoStep)))
    }

    fn usage(cpu_ms: u64, waited_ms: u64, can_run: bool) -> Usage {
        let [cpu, waited] = [cpu_ms, waited_ms].map(Duration::from_millis);
        Usage { cpu, waited, can_run }
    }

    #[test]
    fn who_blocks_or_computes_is_stuck() {
        // Nobody says anything of the thread; it blocks; it computes.
        assert_eq!(stuck_after(|_| (7, 5, Usage::default())), Some((21, true)));
        assert_eq!(stuck_after(|_| (7, 5, usage(1, 0, false))), Some((21, true)));
        assert_eq!(stuck_after(|s| (7, 5, usage(s * 1000, 0, true))), Some((21, true)));
        // It sleeps by another clock, and makes a step each second; or a few thousand; or goes on in time.
        assert_eq!(stuck_after(|s| (s, 5, usage(s, 0, false))), Some((21, false)));
        assert_eq!(stuck_after(|s| (s * 9_000, 5, usage(s * 100, 0, false))), Some((21, false)));
        assert_eq!(stuck_after(|s| (s * 11_000, 5, usage(s * 100, 0, true))), None);
        assert_eq!(stuck_after(|s| (s, s, usage(s, 0, false))), None);
    }

    #[test]
    fn who_computes_between_its_steps_is_not_said_to_sleep() {
        let computes = |cpu_ms| {
            let how = stuck(|s| (s * 900, 5, usage(s * cpu_ms, 0, true))).expect("it is stuck").1;
            matches!(how, Stuck::TimeStands { computes: true, .. })
        };
        assert!(computes(1000) && computes(600));
        let sleeps = stuck(|s| (s * 900, 5, usage(s * 100, 0, false))).expect("it is stuck").1;
        assert!(matches!(sleeps, Stuck::TimeStands { computes: false, .. }));
    }

    #[test]
    fn who_has_no_processor_is_not_stuck() {
        // It has some milliseconds of each second, for a few steps.
        assert_eq!(stuck_after(|s| (s * 50, 5, usage(s * 5, s * 990, true))), None);
        // It has none at all for minutes, and nobody has said so yet.
        assert_eq!(stuck_after(|_| (7, 5, usage(5, 0, true))), None);
        // It has a tenth of one, and computes without a step: that takes ten times longer to tell.
        let (seconds, no_step) =
            stuck_after(|s| (7, 5, usage(s * 100, s * 900, true))).expect("it is");
        assert!(no_step && (200..215).contains(&seconds), "{seconds}");
        // Who waited for long and blocks then has all the time again.
        let late = stuck_after(|s| (s.min(50), 5, usage(50, s.min(50) * 990, s < 50)));
        assert!(late.is_some_and(|(seconds, _)| (69..73).contains(&seconds)), "{late:?}");
    }

    #[test]
    fn who_is_hardly_looked_at_is_not_stuck() {
        // Each look comes ten seconds late, and between them another world's thread had what this one waited for.
        let mut watch = Watch::new(LIMIT);
        let mut at = Duration::ZERO;
        let told = (1..100).find(|looks| {
            at += watched(Duration::from_secs(11), Duration::from_secs(1));
            watch.look(at, looks / 2, 5, usage(*looks, 0, false)).is_some()
        });
        assert_eq!(told, None, "that is 18 minutes");
        assert_eq!(watched(Duration::from_secs(2), Duration::from_secs(1)), Duration::from_secs(2));
    }

    #[test]
    fn what_the_system_says_is_understood() {
        let read = |times: &str, state: &str| super::usage(times, state);
        let known = read("5000000 7000000 3\n", "12 (a) R b) R 1 2").expect("it is known");
        let expected = [5, 7].map(Duration::from_millis);
        assert!([known.cpu, known.waited] == expected && known.can_run);
        assert!(read("1 2 3", "12 (a R) S 1").is_some_and(|known| !known.can_run));
        assert!(read("", "12 (a) R").is_none() && read("1 2 3", "").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_thread_that_has_the_turn_is_known() {
        fn compute() {
            context::with(|clock| {
                let Clock::Simulated(kernel) = clock else { unreachable!("it is simulated") };
                let (usage, began) = (|| kernel.threads.usage(), Instant::now());
                let before = usage();
                while usage().cpu == before.cpu && began.elapsed() < Duration::from_secs(60) {}
                assert!(usage().cpu > before.cpu && usage().can_run);
            });
        }
        assert_eq!(
            Threads::default().usage().cpu,
            Duration::ZERO,
            "nobody has said which they are"
        );
        for by in [SwitchBy::Coroutines, SwitchBy::Threads] {
            let world = Builder::simulated(1).switch_by(by);
            world.run(|| thread::spawn(compute).join().expect("it ends")).expect("nothing fails");
        }
    }
}
