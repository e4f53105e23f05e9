//! Says which task has overflowed its stack.
//!
//! std does that for the stacks of its threads; those of coroutines it does not know, and the process
//! would end by a bare segmentation fault. The process ends here too, but not without a word.
//!
//! # The other place with `unsafe`
//!
//! Only a signal handler learns of an overflow, and setting one up is `unsafe`. The handler runs on
//! the alternate stack that std gives each of its threads. It does what a handler may do: it reads a
//! thread-local number without a destructor, *tries* the kernel's lock, formats into a buffer of
//! its own and calls `write` and `sigaction`. It allocates nothing and waits for nothing. Then it
//! puts back the handler there was before and returns, so that the fault happens again and ends
//! the process as it would have.
#![cfg(unix)]
#![expect(unsafe_code, reason = "explained and justified in the module's documentation")]

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use corosensei::stack::Stack;
use libc::{
    SA_ONSTACK, SA_SIGINFO, SIGBUS, SIGSEGV, STDERR_FILENO, c_int, c_void, sigaction, siginfo_t,
    write,
};

use crate::context::{self, Clock};

/// A page is not larger than this anywhere. An address so little above the end of a stack that
/// cannot be accessed lies in its guard page.
const LARGEST_PAGE: usize = 1 << 16;

thread_local! {
    /// Where the guard page of the running coroutine's stack begins; 0 if none runs.
    static GUARD: Cell<usize> = const { Cell::new(0) };
}

/// The end of a stack.
#[derive(Clone, Copy)]
pub(super) struct Guard(usize);

impl Guard {
    pub(super) fn of(stack: &impl Stack) -> Guard {
        Guard(stack.limit().get())
    }
}

/// While the result lives, an overflow into `guard` is the running task's.
pub(super) fn watch(guard: Guard) -> Watched {
    GUARD.set(guard.0);
    Watched
}

pub(super) struct Watched;

impl Drop for Watched {
    fn drop(&mut self) {
        GUARD.set(0);
    }
}

/// The signals of an access to a page that may not be accessed.
const SIGNALS: [c_int; 2] = [SIGSEGV, SIGBUS];

/// The handlers there were before.
static FORMER: OnceLock<[sigaction; 2]> = OnceLock::new();

/// Sets the handler up, once in a process.
pub(super) fn install() {
    FORMER.get_or_init(|| {
        SIGNALS.map(|signal| {
            // SAFETY: all bits zero are a valid `sigaction`; the handler has the signature that
            // SA_SIGINFO asks for and does only what a handler may do (module docs).
            unsafe {
                let mut action: sigaction = std::mem::zeroed();
                let mut former: sigaction = std::mem::zeroed();
                action.sa_sigaction = on_fault as *const () as usize;
                action.sa_flags = SA_SIGINFO | SA_ONSTACK;
                sigaction(signal, &action, &mut former);
                former
            }
        })
    });
}

extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: the system gives a handler set up with SA_SIGINFO a valid pointer.
    let address = unsafe { (*info).si_addr() } as usize;
    let guard = GUARD.get();
    if guard != 0 && (guard..guard + LARGEST_PAGE).contains(&address) {
        let mut words = Words::default();
        context::with(|clock| {
            if let Clock::Simulated(kernel) = clock {
                let _ = kernel.say_overflow(&mut words);
            }
        });
        words.print();
    }
    let former = SIGNALS.iter().zip(FORMER.get().into_iter().flatten());
    for (_, former) in former.filter(|(of, _)| **of == signal) {
        // SAFETY: `former` is what `sigaction` gave for this signal.
        unsafe { sigaction(signal, former, std::ptr::null_mut()) };
    }
}

/// Text in a fixed buffer; what does not fit is left out.
struct Words {
    bytes: [u8; 1024],
    len: usize,
}

impl Default for Words {
    fn default() -> Words {
        Words { bytes: [0; 1024], len: 0 }
    }
}

impl fmt::Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let fits = text.len().min(room.len());
        room[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len += fits;
        Ok(())
    }
}

impl Words {
    fn print(&mut self) {
        let _ = self.write_str("\n");
        // SAFETY: the buffer holds `len` bytes. A failure could not be reported anywhere.
        unsafe { write(STDERR_FILENO, self.bytes.as_ptr().cast(), self.len) };
    }
}
