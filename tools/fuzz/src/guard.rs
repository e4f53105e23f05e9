//! One check of one input, within its bounds.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{fs, io, process, thread};

use allocation_counter::measure;

/// After so long a check is taken for one that does not end. It is meant to take some milliseconds, but the
/// machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The check that is under way: since when, and of what.
type UnderWay = Mutex<Option<(Instant, Vec<u8>)>>;

/// Runs the checks of a target.
pub(crate) struct Guard {
    memory: Option<(u64, u64)>,
    under_way: Arc<UnderWay>,
}

thread_local! {
    /// Whether a check is under way on this thread.
    static CHECKS: Cell<bool> = const { Cell::new(false) };
    /// What the check on this thread takes on others.
    static ELSEWHERE: RefCell<Elsewhere> = RefCell::default();
    /// What the last panic of a check said.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The memory that a check takes on other threads than its own, such as that of a simulated world.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere(Arc<AtomicU64>);

impl Elsewhere {
    /// That of the check which is under way on the calling thread; of no check, if there is none.
    pub fn of_this_check() -> Elsewhere {
        ELSEWHERE.with_borrow(Elsewhere::clone)
    }

    /// Runs a part of the check, and counts the most bytes that its thread takes at a time meanwhile. All tasks of
    /// a simulated world share one thread (where there are coroutines), so all that they take in this time is counted.
    /// The bytes of several parts are added up. A part that does not return is not counted.
    pub fn measure<T>(&self, part: impl FnOnce() -> T) -> T {
        let mut value = None;
        let used = measure(|| value = Some(part()));
        self.0.fetch_add(used.bytes_max, Ordering::Relaxed);
        value.expect("the part has run")
    }
}

impl Guard {
    pub(crate) fn new(name: &'static str, memory: Option<(u64, u64)>) -> Guard {
        keep_panics();
        let under_way = Arc::default();
        let watched = Arc::downgrade(&under_way);
        thread::spawn(move || watch(name, &watched));
        Guard { memory, under_way }
    }

    /// What the check says.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn passes(
        &self,
        input: &[u8],
        check: &impl Fn(&[u8]) -> bool,
    ) -> Result<bool, String> {
        self.note(Some((Instant::now(), input.to_vec())));
        let mut outcome = Ok(false);
        let elsewhere = Elsewhere::default();
        ELSEWHERE.set(elsewhere.clone());
        let used = measure(|| {
            CHECKS.set(true);
            outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
            CHECKS.set(false);
        });
        self.note(None);
        let read = outcome.map_err(|payload| said(&*payload))?;
        let bytes = used.bytes_max + elsewhere.0.load(Ordering::Relaxed);
        match self.memory.map(|(base, for_each_byte)| base + for_each_byte * input.len() as u64) {
            Some(most) if bytes > most => Err(format!(
                "{bytes} bytes of memory at a time for an input of {} bytes; the most is {most}",
                input.len()
            )),
            _ => Ok(read),
        }
    }

    fn note(&self, check: Option<(Instant, Vec<u8>)>) {
        *self.under_way.lock().unwrap_or_else(PoisonError::into_inner) = check;
    }
}

/// Where an input is written that does not pass.
pub(crate) fn file(name: &str, input: &[u8]) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
    dir.join(format!("{name}-{:08x}", crc32fast::hash(input)))
}

pub(crate) fn write(file: &Path, input: &[u8]) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(file, input)
}

/// Ends the process if a check of the target does not end. There is no way to end the check alone.
fn watch(name: &str, checks: &Weak<UnderWay>) {
    loop {
        thread::sleep(Duration::from_secs(1));
        let Some(check) = checks.upgrade() else { return };
        let check = check.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, input)) = &*check
            && since.elapsed() > PATIENCE
        {
            let file = file(name, input);
            let _ = write(&file, input); // the name of the target at least is known
            eprintln!("{name}: no end within {PATIENCE:?}\n    input: {}", file.display());
            process::abort();
        }
    }
}

/// Has the panics of checks kept and not printed: while an input is made smaller there are many.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| match CHECKS.get() {
            true => PANIC.set(Some(info.to_string())),
            false => usual(info),
        }));
    });
}

/// What a panic said, and where.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
    PANIC.take().or(text).unwrap_or_else(|| "a panic without words".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_and_too_much_memory_do_not_pass() {
        let guard = Guard::new("guard", Some((1_000, 10)));
        assert_eq!(guard.passes(b"", &|_| true), Ok(true));
        let panics = guard.passes(b"", &|_| panic!("what it says"));
        assert!(panics.clone().is_err_and(|words| words.contains("what it says")), "{panics:?}");
        let takes = |_: &[u8]| !std::hint::black_box(vec![0_u8; 5_000]).is_empty();
        let taken = guard.passes(b"", &takes);
        assert!(taken.clone().is_err_and(|words| words.contains("bytes of memory")), "{taken:?}");
        assert_eq!(guard.passes(&[0; 500], &takes), Ok(true));
    }

    #[test]
    fn what_a_check_takes_on_another_thread_counts() {
        let guard = Guard::new("guard", Some((1_000, 10)));
        let takes = |_: &[u8]| {
            let elsewhere = Elsewhere::of_this_check();
            let part = || !std::hint::black_box(vec![0_u8; 5_000]).is_empty();
            thread::spawn(move || elsewhere.measure(part)).join().expect("it ends")
        };
        let taken = guard.passes(b"", &takes);
        assert!(taken.clone().is_err_and(|words| words.contains("bytes of memory")), "{taken:?}");
        assert_eq!(guard.passes(&[0; 1_000], &takes), Ok(true));
        // The next check begins with nothing.
        assert_eq!(guard.passes(b"", &|_| true), Ok(true));
    }
}
