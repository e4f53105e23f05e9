//! Shows a trace of a run ([`run_record::trace`]).
//!
//! - [`page`] makes one HTML file of it, which needs no network.
//! - [`terminal`] prints it, one column per server.
//! - [`replay`] walks through it and knows what each server is at each moment.

mod clean;
mod fields;
mod groups;
pub mod page;
pub mod replay;
pub mod terminal;

pub use clean::{clean, clean_lines};

/// A number with a comma for each thousand: `1,204`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
