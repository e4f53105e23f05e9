//! A history to look at: as a [page](Picture::page) for a browser, or as [text](Picture::text).
//!
//! ```
//! use linearizability::models::{Register, RegisterInput, RegisterOutput};
//! use linearizability::view::Picture;
//! use linearizability::{History, Limits, Operation, check};
//!
//! let history = History::new(vec![
//!     Operation::new(1, 0, RegisterInput::Write(1), 3, RegisterOutput::Written),
//!     Operation::new(3, 4, RegisterInput::Read, 5, RegisterOutput::Value(0)),
//! ])?;
//! let model = Register { initial: 0 };
//! let report = check(&model, &history, &Limits::default());
//! let picture = Picture::new("a stale read", &model, &history, &report.answer)
//!     .annotate("network", 2, Some(5), "server 1 is cut off");
//! print!("{}", picture.text());
//! let page: String = picture.page(); // write it to a file, and open that in a browser
//! # assert!(page.len() > 1000);
//! # Ok::<(), linearizability::HistoryError>(())
//! ```

mod bars;
mod json;
mod page;
mod picture;
mod text;

pub use picture::Picture;
