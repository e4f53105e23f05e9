//! Linearizability.

mod answer;
mod check;
mod decide;
mod distinct;
mod explain;
mod history;
mod model;
pub mod models;
mod part;
pub mod read;
mod search;
pub mod view;
pub mod witness;

pub use answer::{Answer, Limits, Means, Open, Report, Stopped, Undecided, Violation, Work};
pub use check::{check, check_by, check_with_witness};
pub use history::{History, HistoryError, MOST_OPERATIONS, Operation, Recorder, Returned, Ticket};
pub use model::{Access, Model, Step};
