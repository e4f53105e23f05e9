//! What ends grading early: a signal ends all of it, a time limit one crate's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Knows whether somebody wants us to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    came: AtomicBool,
    /// That of the crate that is being graded.
    stop: Mutex<Arc<AtomicBool>>,
}

/// Says when the work on a crate has to end.
#[derive(Debug)]
pub(crate) struct Stop {
    flag: Arc<AtomicBool>,
    signals: Signals,
    /// How long it may take, and since when.
    limit: Option<(Duration, Instant)>,
    /// Ends the thread that waits for the limit when it is dropped.
    waits: Option<mpsc::Sender<()>>,
}

impl Signals {
    /// Has signals end the work, and not the process. May be called once.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn heeded() -> Result<Signals> {
        let signals = Signals::default();
        let heard = signals.clone();
        ctrlc::set_handler(move || {
            heard.0.came.store(true, Ordering::Relaxed);
            heard.current().store(true, Ordering::Relaxed);
        })
        .context("cannot take care of signals")?;
        Ok(signals)
    }

    /// True if one has come.
    pub(crate) fn came(&self) -> bool {
        self.0.came.load(Ordering::Relaxed)
    }

    /// For the work on the next crate.
    pub(crate) fn stop(&self) -> Stop {
        let flag = Arc::<AtomicBool>::default();
        *self.0.stop.lock().unwrap_or_else(PoisonError::into_inner) = flag.clone();
        if self.came() {
            flag.store(true, Ordering::Relaxed);
        }
        Stop { flag, signals: self.clone(), limit: None, waits: None }
    }

    fn current(&self) -> Arc<AtomicBool> {
        self.0.stop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stop {
    /// From now on it may take so long.
    pub(crate) fn limit(&mut self, limit: Option<Duration>) {
        let Some(limit) = limit else { return };
        let (waits, ended) = mpsc::channel();
        let flag = self.flag.clone();
        std::thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::Relaxed);
            }
        });
        (self.limit, self.waits) = (Some((limit, Instant::now())), Some(waits));
    }

    /// Set when it has to end.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// True if a signal has come.
    pub(crate) fn interrupted(&self) -> bool {
        self.signals.came()
    }

    /// The time limit, if it is over.
    pub(crate) fn over(&self) -> Option<Duration> {
        let (limit, began) = self.limit?;
        (began.elapsed() >= limit).then_some(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_this_crate_and_those_after_it() {
        let signals = Signals::default();
        let first = signals.stop();
        assert!(!first.flag().load(Ordering::Relaxed) && !first.interrupted());
        signals.0.came.store(true, Ordering::Relaxed);
        assert!(signals.stop().flag().load(Ordering::Relaxed));
    }

    #[test]
    fn a_limit_ends_one_crate() {
        let signals = Signals::default();
        let mut first = signals.stop();
        first.limit(Some(Duration::ZERO));
        while !first.flag().load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        assert_eq!((first.over(), first.interrupted()), (Some(Duration::ZERO), false));
        let mut next = signals.stop();
        next.limit(Some(Duration::MAX));
        assert!(!next.flag().load(Ordering::Relaxed) && next.over().is_none());
    }
}
