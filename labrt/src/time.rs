//! Time that passes on the clock the caller is on.

use std::ops::{Add, AddAssign, Sub, SubAssign};
pub use std::time::Duration;

use crate::context::{self, Clock};
use crate::sim::kernel::{At, Op, Touch};

/// A moment, as [`std::time::Instant`]. On the simulated clock it depends on the seed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Moment);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Moment {
    Real(std::time::Instant),
    /// Since the beginning of simulated time.
    Simulated(Duration),
}

impl Instant {
    /// The present moment.
    #[track_caller]
    pub fn now() -> Instant {
        let at = std::panic::Location::caller();
        context::with(|clock| match clock {
            // Reading the clock is a step: a loop that waits for time to pass without sleeping
            // would otherwise go unnoticed.
            Clock::Simulated(kernel) => {
                kernel.step(Op::Now, Touch::Nothing, at);
                Instant(Moment::Simulated(kernel.now()))
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
            (Moment::Simulated(a), Moment::Simulated(b)) => a.saturating_sub(b),
            _ => panic!("one moment is of the real clock and the other of a simulated one"),
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
            Moment::Simulated(moment) => Moment::Simulated(moment.checked_add(duration)?),
        }))
    }

    /// This moment minus `duration`, unless that is out of range.
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        Some(Instant(match self.0 {
            Moment::Real(moment) => Moment::Real(moment.checked_sub(duration)?),
            Moment::Simulated(moment) => Moment::Simulated(moment.checked_sub(duration)?),
        }))
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

/// When a wait is to end: never, at a moment, or so long from now.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Never,
    At(Instant),
    After(Duration),
}

impl Until {
    /// As a moment of a kernel's clock.
    pub(crate) fn simulated(self, now: Duration) -> Option<Duration> {
        match self {
            Until::Never => None,
            Until::After(duration) => Some(now.saturating_add(duration)),
            Until::At(Instant(Moment::Simulated(moment))) => Some(moment),
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
            Until::At(Instant(Moment::Simulated(_))) => {
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
            let deadline = until.simulated(kernel.now()).expect("a sleep has an end");
            kernel.sleep_until(deadline, at);
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
