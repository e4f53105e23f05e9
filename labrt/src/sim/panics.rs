//! What happens when a panic begins in a world.
//!
//! A hook, put in front of the one there was, notes where the panic began, so that the run's
//! [`Failure`](crate::Failure) can say so. In a world it prints nothing itself, since whoever runs
//! the world gets the failure; with `RUST_BACKTRACE` set the former hook prints as well.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;

use crate::context::{self, Clock};
use crate::failure::{Failure, FailureKind};

thread_local! {
    /// The last two panics of this thread, with their places (real clock).
    static LAST: RefCell<[Option<Begun>; 2]> = const { RefCell::new([None, None]) };
}

struct Begun {
    words: String,
    at: Option<String>,
}

static INSTALL: Once = Once::new();

/// Puts the hook in place, once in a process.
pub(crate) fn install_hook() {
    INSTALL.call_once(|| {
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !note(info) || std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0") {
                former(info);
            }
        }));
    });
}

/// Notes where the panic began; false if it does not belong to a world.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let (words, at) = (words_of(info), info.location().map(ToString::to_string));
    let ends_process = ends_process(&words);
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => {
            let noted = kernel.panic_begins(words, at);
            if ends_process && let Some(failure) = kernel.last_words() {
                kernel.settings.last_words.say(&failure);
            }
            noted
        }
        Clock::Real => {
            let world = context::member().world;
            if ends_process && let Some(world) = &world {
                world.say_last_words(&last_words(world.elapsed()));
            }
            LAST.with_borrow_mut(|last| {
                last.swap(0, 1);
                last[1] = Some(Begun { words, at });
            });
            world.is_some()
        }
    })
}

fn words_of(info: &PanicHookInfo<'_>) -> String {
    match info.payload_as_str() {
        Some(words) => words.to_string(),
        None => "a panic with a payload that is not text".to_string(),
    }
}

/// True for the panics with which std says that it cannot go on: a destructor has panicked during
/// the unwinding of another panic, or a panic has reached a function of C.
fn ends_process(words: &str) -> bool {
    words == "panic in a destructor during cleanup"
        || words == "panic in a function that cannot unwind"
}

/// What to show before the process ends, of what the calling thread has done (real clock).
fn last_words(time: std::time::Duration) -> Failure {
    LAST.with_borrow_mut(|last| {
        let mut begun = last.iter_mut().filter_map(Option::take);
        let first = begun.next();
        let (message, location) = match first {
            Some(Begun { words, at }) => (words, at),
            None => ("a panic that cannot unwind".to_string(), None),
        };
        let then = |Begun { words, at }: Begun| {
            format!("then it panicked at {}: {words}", at.as_deref().unwrap_or("an unknown place"))
        };
        let mut details: Vec<_> = begun.map(then).collect();
        details.push(crate::failure::ENDS_PROCESS.to_string());
        Failure {
            kind: FailureKind::Panic,
            seed: None,
            time,
            task: std::thread::current().name().map(|name| format!("task `{name}`")),
            message,
            location,
            details,
            forced_switches: 0,
        }
    })
}

/// Where the panic of these words began, which has ended what the calling thread did (real clock). None if it began
/// elsewhere: the thread may have caught others before.
pub(crate) fn take_location(words: &str) -> Option<String> {
    let last = LAST.take();
    last.into_iter().flatten().rfind(|begun| begun.words == words)?.at
}
