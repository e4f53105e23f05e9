use super::budget::Line;
use super::model::Report;
pub(crate) fn render(r: &Report, _: &[Line], _: bool) -> String {
    format!("{} runs {} failures", r.runs(), r.failures())
}
