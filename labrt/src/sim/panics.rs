//! What happens when a panic begins in a world.
//!
//! A hook, put in front of the one there was, notes where the panic began, so that the run's
//! [`Failure`](crate::Failure) can say so. In a world it prints nothing itself, since whoever runs
//! the world gets the failure; with `RUST_BACKTRACE` set the former hook prints as well.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;

use crate::context::{self, Clock};

thread_local! {
    /// Where the last panic of this thread began (real clock).
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
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
    let place = info.location().map(ToString::to_string);
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.panic_begins(place),
        Clock::Real => {
            LOCATION.set(place);
            context::member().world.is_some()
        }
    })
}

/// Where the calling thread's last panic began (real clock).
pub(crate) fn take_location() -> Option<String> {
    LOCATION.take()
}
