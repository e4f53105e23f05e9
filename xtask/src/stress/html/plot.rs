//! How lab time and RPCs of a test are distributed, as pictures.

use maud::{Markup, html};

use crate::stress::budget::TEST_LIMIT_S;
use crate::stress::distribution::Distribution;
use crate::stress::model::TestReport;
use crate::stress::words::{clock, time};

/// The width and height of a histogram, in its own units.
const PLOT: (f64, f64) = (240.0, 60.0);
/// A histogram has no more bars than this.
const MOST_BARS: u64 = 30;

/// The pictures of a test.
pub(crate) fn plot(test: &TestReport) -> Markup {
    html! {
        section.plot {
            h3 { (test.test) " (" (clock(test.clock)) ")" }
            (histogram("lab time", &test.lab_us, time))
            @if test.lab_us.count > 0 { (track(&test.lab_us)) }
            (histogram("RPCs", &test.rpcs, |rpcs| rpcs.to_string()))
        }
    }
}

/// Where the lab times lie in what a test may take.
fn track(lab: &Distribution) -> Markup {
    let share = |us: u64| (us as f64 / 1e6 / TEST_LIMIT_S).min(1.0) * PLOT.0;
    let (from, to) = (share(lab.least), share(lab.most));
    let class = if lab.most as f64 > TEST_LIMIT_S * 1e6 { "over" } else { "bar" };
    let label = format!("up to {} of {TEST_LIMIT_S} s", time(lab.most));
    html! {
        svg.track viewBox={ "0 0 " (PLOT.0) " 6" } preserveAspectRatio="none" role="img"
            aria-label=(label) {
            rect.back width=(PLOT.0) height="6" {}
            rect class=(class) x=(short(from.min(PLOT.0 - 1.5))) width=(short((to - from).max(1.5)))
                height="6" {}
        }
        div.scale { span { "0 s" } span { (TEST_LIMIT_S) " s" } }
    }
}

/// A histogram of values, from the least to the greatest.
fn histogram(name: &str, values: &Distribution, text: fn(u64) -> String) -> Markup {
    let Some(median) = values.percentile(50).map(text) else {
        return html! { p.dim { (name) ": no run has passed" } };
    };
    let bars = bars(values);
    let (width, height) = PLOT;
    let step = width / bars.len() as f64;
    let highest = bars.iter().map(|bar| bar.count).max().unwrap_or(1) as f64;
    // A single run among thousands is what one looks for: no bar is too low to be seen.
    let tall = |bar: &Bar| (bar.count as f64 / highest * height).max(1.5);
    let (least, most) = (text(values.least), text(values.most));
    html! {
        figure {
            figcaption {
                span { (name) ", median " (median) }
                span { (values.count) " runs" }
            }
            svg.bars viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="none" role="img"
                aria-label={ (name) ": " (least) " to " (most) ", median " (median) } {
                @for (place, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.count > 0) {
                    rect.bar x=(short(place as f64 * step)) y=(short(height - tall(bar)))
                        width=(short(step * 0.92)) height=(short(tall(bar))) {
                        title { (text(bar.from)) " to " (text(bar.to)) ": " (bar.count) }
                    }
                }
            }
            div.scale { span { (least) } span { (most) } }
        }
    }
}

fn short(number: f64) -> String {
    format!("{number:.2}")
}

/// A bar of a histogram.
#[derive(Debug, PartialEq)]
struct Bar {
    /// The least and the greatest value that belong to it.
    from: u64,
    to: u64,
    count: u64,
}

/// The bars of some values, all of a width. There are about as many as the root of the number of
/// values, and never more than the values that could be told apart.
fn bars(values: &Distribution) -> Vec<Bar> {
    if values.count == 0 {
        return Vec::new();
    }
    let Distribution { least, most, .. } = *values;
    let span = most - least + 1;
    let count = ((values.count as f64).sqrt().ceil() as u64).min(MOST_BARS);
    let width = span.div_ceil(count);
    let mut bars: Vec<Bar> = (0..span.div_ceil(width))
        .map(|place| least + place * width)
        .map(|from| Bar { from, to: from + width - 1, count: 0 })
        .collect();
    for (value, count) in &values.values {
        let value = (*value).clamp(least, most);
        bars[((value - least) / width) as usize].count += count;
    }
    bars
}

#[cfg(test)]
mod tests {
    use run_record::Clock;

    use super::*;
    use crate::stress::model::tests::{run, test};

    fn of(values: impl IntoIterator<Item = u64>) -> Distribution {
        let mut distribution = Distribution::default();
        values.into_iter().for_each(|value| distribution.add(value));
        distribution
    }

    #[test]
    fn bars_count_each_value_once() {
        let values = of([10, 10, 11, 14, 15, 18, 18, 18, 18]);
        let bar = |from, to, count| Bar { from, to, count };
        assert_eq!(bars(&values), [bar(10, 12, 3), bar(13, 15, 2), bar(16, 18, 4)]);
        assert_eq!(bars(&of([7; 100])), [bar(7, 7, 100)]);
        assert_eq!(bars(&of([])), []);
        let many = of((0..5000).map(|value| value * 1000));
        assert!(bars(&many).len() <= 30);
        assert_eq!(bars(&many).iter().map(|bar| bar.count).sum::<u64>(), 5000);
        // Few whole numbers: a bar for each, rather than gaps that mean nothing.
        assert_eq!(bars(&of([1, 2, 2, 3, 3, 3, 3, 3, 3, 3])).len(), 3);
    }

    #[test]
    fn a_test_beyond_its_limit_stands_out() {
        let page = |us| {
            let mut run = run(0, None);
            run.lab_us = us;
            plot(&test("a_2A", Clock::Sim, vec![run])).into_string()
        };
        assert!(page(121_000_000).contains("<rect class=\"over\""));
        assert!(!page(119_000_000).contains("<rect class=\"over\""));
    }
}
