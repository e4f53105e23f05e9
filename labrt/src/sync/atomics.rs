use std::fmt;
use std::panic::Location;
use std::sync::atomic::Ordering;

use crate::context::{self, Clock};
use crate::sim::kernel::{Key, Op, Touch};

#[track_caller]
fn step(touch: Touch) {
    let at = Location::caller();
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.step(Op::Atomic, touch, at),
        Clock::Real => context::checkpoint(),
    });
}

fn fails_for_no_reason() -> bool {
    context::with(|clock| match clock {
        Clock::Simulated(kernel) => kernel.spurious_failure(),
        Clock::Real => false,
    })
}

/// The operations that flags and integers have in common.
macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[doc = concat!("As [`std::sync::atomic::", stringify!($name), "`].")]
        #[derive(Default)]
        pub struct $name(std::sync::atomic::$name);

        #[allow(missing_docs, reason = "the names and meanings are std's")]
        impl $name {
            pub const fn new(value: $value) -> $name {
                $name(std::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                step(Touch::Reads(Key::of(&self.0)));
                self.0.load(order)
            }

            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                step(Touch::Changes(Key::of(&self.0)));
                self.0.store(value, order);
            }

            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                step(Touch::Changes(Key::of(&self.0)));
                self.0.swap(value, order)
            }

            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step(Touch::Changes(Key::of(&self.0)));
                self.0.compare_exchange(current, new, success, failure)
            }

            /// As std's. On the simulated clock it rarely fails although it could succeed, as it
            /// may on any clock.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step(Touch::Changes(Key::of(&self.0)));
                if fails_for_no_reason() {
                    return Err(self.0.load(failure));
                }
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            #[track_caller]
            pub fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                step(Touch::Changes(Key::of(&self.0)));
                self.0.fetch_update(set, fetch, f)
            }

            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            pub fn into_inner(self) -> $value {
                self.0.into_inner()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$value> for $name {
            fn from(value: $value) -> $name {
                $name::new(value)
            }
        }
    };
}

/// What `names` do to the value, each returning the one before.
macro_rules! fetch {
    ($name:ident, $value:ty, $($operation:ident),*) => {
        #[allow(missing_docs, reason = "the names and meanings are std's")]
        impl $name {
            $(
                #[track_caller]
                pub fn $operation(&self, value: $value, order: Ordering) -> $value {
                    step(Touch::Changes(Key::of(&self.0)));
                    self.0.$operation(value, order)
                }
            )*
        }
    };
}

macro_rules! atomic_integer {
    ($name:ident, $value:ty) => {
        atomic!($name, $value);
        fetch!($name, $value, fetch_add, fetch_sub, fetch_and, fetch_or, fetch_xor);
        fetch!($name, $value, fetch_max, fetch_min);
    };
}

atomic!(AtomicBool, bool);
fetch!(AtomicBool, bool, fetch_and, fetch_or, fetch_xor);
atomic_integer!(AtomicU8, u8);
atomic_integer!(AtomicU32, u32);
atomic_integer!(AtomicU64, u64);
atomic_integer!(AtomicUsize, usize);
atomic_integer!(AtomicI32, i32);
atomic_integer!(AtomicI64, i64);
atomic_integer!(AtomicIsize, isize);
