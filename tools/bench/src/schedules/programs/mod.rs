//! The programs. Each is a function of the runtime and of whether its bug is in it; its comment
//! says what the bug is and what must happen to see it.

mod atomics;
mod classics;
mod condvars;
mod exclusion;
mod lock_free;
mod locks;
mod timed;

use super::on_labrt::OnLabrt;
use super::on_shuttle::OnShuttle;
use super::runtime::Runtime;
use super::{Code, Program, Sign};

/// How often a task looks for what it waits for before it gives up, in programs that spin: no
/// schedule may go on for ever.
const PATIENCE: usize = 30;

/// All programs, in the order of the table.
pub fn all() -> Vec<Program> {
    let pairs = both::<OnLabrt>().into_iter().zip(both::<OnShuttle>());
    let on_both = pairs.map(|((name, sign, on_labrt), (.., on_shuttle))| Program {
        name,
        sign,
        on_labrt,
        on_shuttle: Some(on_shuttle),
    });
    let on_labrt = labrt_only().map(|(name, sign, on_labrt)| Program {
        name,
        sign,
        on_labrt,
        on_shuttle: None,
    });
    on_both.chain(on_labrt).collect()
}

type Row = (&'static str, Sign, fn(Code));

fn both<R: Runtime>() -> Vec<Row> {
    use Sign::{Deadlock, Panic};
    vec![
        ("three windows", Panic, atomics::three_windows::<R>),
        ("perfect alternation", Panic, locks::alternation::<R>),
        ("rare lock order", Deadlock, locks::rare_order::<R>),
        ("three philosophers", Deadlock, locks::philosophers::<R>),
        ("lost update", Panic, locks::lost_update::<R>),
        ("check, then act", Panic, locks::check_then_act::<R>),
        ("account transfer", Panic, locks::transfer::<R>),
        ("one wrong lock of four", Panic, locks::wrong_lock::<R>),
        ("lost wake-up", Deadlock, condvars::lost_wake_up::<R>),
        ("queue: if for while", Panic, condvars::queue::<R>),
        ("queue: wrong one woken", Deadlock, condvars::one_condvar::<R>),
        ("barrier used again", Deadlock, condvars::barrier::<R>),
        ("semaphore released twice", Panic, condvars::semaphore::<R>),
        ("spurious wake-up", Panic, condvars::spurious::<R>),
        ("half published pair", Panic, atomics::half_published::<R>),
        ("half published pair, six writers", Panic, atomics::six_writers::<R>),
        ("double-checked initialisation", Panic, atomics::double_checked::<R>),
        ("hand-over by yield_now", Panic, atomics::hand_over::<R>),
        ("stop during a request", Panic, atomics::stop::<R>),
        ("token ring, token lost", Panic, atomics::token_ring::<R>),
        ("Peterson's lock, stores swapped", Panic, exclusion::peterson::<R>),
        ("readers count, last reader", Panic, exclusion::last_reader::<R>),
        ("free list, ABA", Panic, lock_free::aba::<R>),
        ("work stealing, last item", Panic, lock_free::work_stealing::<R>),
        ("reorder, 3 setters", Panic, classics::reorder_3::<R>),
        ("reorder, 10 setters", Panic, classics::reorder_10::<R>),
        ("two stages, 2 workers", Panic, classics::two_stages_2::<R>),
        ("two stages, 20 workers", Panic, classics::two_stages_20::<R>),
        ("last of three", Panic, classics::lazy::<R>),
        ("sixteen slots", Panic, classics::sixteen_slots::<R>),
        ("ring of two cells", Panic, classics::ring::<R>),
        ("five locks in a circle", Deadlock, classics::five_in_a_circle::<R>),
    ]
}

fn labrt_only() -> [Row; 3] {
    [
        ("lost update, equal deadlines", Sign::Panic, timed::equal_deadlines),
        ("lost update, 1 ns apart", Sign::Panic, timed::a_nanosecond_apart),
        ("lost update, 1 µs apart", Sign::Panic, timed::a_microsecond_apart),
    ]
}
