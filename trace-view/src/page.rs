//! A page.

/// To come.
pub fn render(trace: &run_record::trace::Trace) -> String {
    trace.header.test.clone()
}
