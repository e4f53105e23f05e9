//! Whatever reads bytes, under random and damaged ones: see the front page of `fuzz`.

mod files;
mod messages;
mod saved;
mod texts;
