//! Time that passes on the clock the caller is on.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::discriminant;
use std::ops::{Add, AddAssign, Sub, SubAssign};
pub use std::time::Duration;

use crate::context::{self, Clock};
use crate::sim::kernel::{At, Kernel, Op, Touch};

/// A moment, as [`std::time::Instant`]. On the simulated clock it depends on the seed alone.
///
/// Each simulated world has a clock of its own, and there is the real one. Moments of two clocks are never equal, and
/// none is earlier: to ask which one is panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instant(Moment);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Real(std::time::Instant),
    /// Since the beginning of simulated time, in the world of this number.
    Simulated(Duration, u64),
}

// A world's number differs from run to run. So it appears neither here nor in the hash, where it could make two runs of
// one seed differ.
impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Real(moment) => f.debug_tuple("Real").field(moment).finish(),
            Moment::Simulated(moment, _) => f.debug_tuple("Simulated").field(moment).finish(),
        }
    }
}

impl Hash for Moment {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self).hash(state);
        match self {
            Moment::Real(moment) => moment.hash(state),
            Moment::Simulated(moment, _) => moment.hash(state),
        }
    }
}

impl Instant {
    /// The present moment.
    #[track_caller]
    pub fn now() -> Instant {
        Instant::read(std::panic::Location::caller(), |kernel, now| {
            kernel.local_clock().map_or(now, |rate| rate.local(now))
        })
    }

    /// The present moment on the world's clock, though the calling task's node may have
    /// [another one](crate::Node::set_clock_rate). For code that works for others on tasks of nodes.
    #[track_caller]
    pub fn of_world() -> Instant {
        Instant::read(std::panic::Location::caller(), |_, now| now)
    }

    /// The present moment; on the simulated clock as this shows the world's.
    fn read(at: At, shown: impl FnOnce(&Kernel, Duration) -> Duration) -> Instant {
        context::with(|clock| match clock {
            // Reading the clock is a step: a loop that waits for time to pass without sleeping
            // would otherwise go unnoticed.
            Clock::Simulated(kernel) => {
                kernel.step(Op::Now, Touch::Nothing, at);
                Instant(Moment::Simulated(shown(kernel, kernel.now()), kernel.shared.number))
            }
            Clock::Real => {
                context::checkpoint();
                Instant(Moment::Real(std::time::Instant::now()))
            }
        })
    }

    /// How long ago this moment was.
    #[track_caller]
    pub fn elapsed(&self) -> Duration {
        Instant::now() - *self
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    ///
    /// # Panics
    /// If the two are of different clocks.
    #[track_caller]
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        match (self.0, earlier.0) {
            (Moment::Real(a), Moment::Real(b)) => a.saturating_duration_since(b),
            (Moment::Simulated(a, of), Moment::Simulated(b, of_b)) if of == of_b => {
                a.saturating_sub(b)
            }
            (a, b) => two_clocks(a, b),
        }
    }

    /// As [`duration_since`](Instant::duration_since), which saturates too.
    #[track_caller]
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }

    /// This moment plus `duration`, unless that is out of range.
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        Some(Instant(match self.0 {
            Moment::Real(moment) => Moment::Real(moment.checked_add(duration)?),
            Moment::Simulated(moment, of) => Moment::Simulated(moment.checked_add(duration)?, of),
        }))
    }

    /// This moment minus `duration`, unless that is out of range.
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        Some(Instant(match self.0 {
            Moment::Real(moment) => Moment::Real(moment.checked_sub(duration)?),
            Moment::Simulated(moment, of) => Moment::Simulated(moment.checked_sub(duration)?, of),
        }))
    }
}

#[cold]
#[track_caller]
fn two_clocks(one: Moment, other: Moment) -> ! {
    match (one, other) {
        (Moment::Simulated(..), Moment::Simulated(..)) => {
            panic!("the two moments are of different simulated worlds")
        }
        _ => panic!("one moment is of the real clock and the other of a simulated one"),
    }
}

impl Ord for Instant {
    /// # Panics
    /// If the two are of different clocks.
    #[track_caller]
    fn cmp(&self, other: &Instant) -> Ordering {
        match (self.0, other.0) {
            (Moment::Real(a), Moment::Real(b)) => a.cmp(&b),
            (Moment::Simulated(a, of), Moment::Simulated(b, of_b)) if of == of_b => a.cmp(&b),
            (a, b) => two_clocks(a, b),
        }
    }
}

impl PartialOrd for Instant {
    #[track_caller]
    fn partial_cmp(&self, other: &Instant) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    // The operators by themselves, so that a panic names who compares.
    #[track_caller]
    fn lt(&self, other: &Instant) -> bool {
        self.cmp(other).is_lt()
    }

    #[track_caller]
    fn le(&self, other: &Instant) -> bool {
        self.cmp(other).is_le()
    }

    #[track_caller]
    fn gt(&self, other: &Instant) -> bool {
        self.cmp(other).is_gt()
    }

    #[track_caller]
    fn ge(&self, other: &Instant) -> bool {
        self.cmp(other).is_ge()
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    #[track_caller]
    fn add(self, duration: Duration) -> Instant {
        self.checked_add(duration).expect("a moment that far ahead cannot be represented")
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    #[track_caller]
    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration).expect("a moment that far back cannot be represented")
    }
}

impl AddAssign<Duration> for Instant {
    #[track_caller]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Instant {
    #[track_caller]
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    #[track_caller]
    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

/// A clock that runs faster or slower than the world's, which it agreed with at some moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockRate {
    since: Duration,
    thousandths: u32,
}

impl ClockRate {
    pub(crate) fn new(since: Duration, thousandths: u32) -> ClockRate {
        ClockRate { since, thousandths }
    }

    /// What it shows at a moment of the world.
    fn local(self, world: Duration) -> Duration {
        let passed = world.saturating_sub(self.since).as_nanos();
        self.since.saturating_add(span(passed * u128::from(self.thousandths) / 1000))
    }

    /// When it shows this, on the world's clock: never a moment too early.
    fn of_world(self, local: Duration) -> Duration {
        let passed = local.checked_sub(self.since);
        passed.map_or(local, |passed| self.since.saturating_add(self.span_of_world(passed)))
    }

    /// How long so much of its time takes.
    fn span_of_world(self, local: Duration) -> Duration {
        span((local.as_nanos().saturating_mul(1000)).div_ceil(u128::from(self.thousandths)))
    }
}

/// So many ns, or as many as there can be.
fn span(nanos: u128) -> Duration {
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}

/// When a wait is to end: never, at a moment, or so long from now.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Never,
    At(Instant),
    After(Duration),
}

impl Until {
    /// As a moment of a kernel's clock.
    pub(crate) fn simulated(self, kernel: &Kernel) -> Option<Duration> {
        match self {
            Until::Never => None,
            Until::After(duration) => {
                let rate = kernel.local_clock();
                let duration = rate.map_or(duration, |rate| rate.span_of_world(duration));
                // Out of range is further away than any run lasts.
                kernel.now().checked_add(duration)
            }
            Until::At(Instant(Moment::Simulated(_, of))) if of != kernel.shared.number => {
                panic!("a deadline of another simulated world means nothing in this one")
            }
            Until::At(Instant(Moment::Simulated(moment, _))) => {
                Some(kernel.local_clock().map_or(moment, |rate| rate.of_world(moment)))
            }
            Until::At(Instant(Moment::Real(_))) => {
                panic!("a deadline of the real clock means nothing in a simulated world")
            }
        }
    }

    /// As a moment of the real clock.
    pub(crate) fn real(self) -> Option<std::time::Instant> {
        match self {
            Until::Never => None,
            // Out of range is further away than any run lasts.
            Until::After(duration) => std::time::Instant::now().checked_add(duration),
            Until::At(Instant(Moment::Real(moment))) => Some(moment),
            Until::At(Instant(Moment::Simulated(..))) => {
                panic!("a deadline of a simulated clock means nothing outside its world")
            }
        }
    }
}

/// Blocks the calling task until then.
pub(crate) fn sleep(until: Until, at: At) {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => {
            kernel.step(Op::Sleep, Touch::Nothing, at);
            kernel.sleep_until(until.simulated(kernel), at);
        }
        Clock::Real => {
            let deadline = until.real();
            if !context::can_be_killed() {
                return match deadline {
                    Some(deadline) => std::thread::sleep(
                        deadline.saturating_duration_since(std::time::Instant::now()),
                    ),
                    None => loop {
                        std::thread::park();
                    },
                };
            }
            context::in_slices(deadline, |slice| -> Option<()> {
                std::thread::sleep(slice.saturating_duration_since(std::time::Instant::now()));
                None
            });
        }
    });
}
