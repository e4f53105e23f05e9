//! Bars for a terminal.

use super::picture::{Bar, Picture};

/// How the calls and returns of some operations lie to each other. Each is one step after the one
/// before, however long that took: so one sees which operations overlap, also if they are short and
/// far apart.
pub(super) struct Scale {
    /// The places of the events among all of the history.
    events: Vec<u32>,
    width: usize,
}

impl Scale {
    /// A scale on which these operations fill `width` columns.
    pub(super) fn of(picture: &Picture, operations: &[usize], width: usize) -> Scale {
        let places = operations.iter().map(|&operation| picture.bars[operation].places);
        let mut events: Vec<_> =
            places.flat_map(|(call, end)| [Some(call), end]).flatten().collect();
        events.sort_unstable();
        Scale { events, width }
    }

    /// The bar of one of the operations, as wide as the scale. What never returned has no end.
    pub(super) fn bar(&self, bar: &Bar) -> String {
        let from = self.column(bar.places.0);
        let (to, end) = match bar.places.1 {
            Some(end) => (self.column(end), '|'),
            None => (self.width, '>'),
        };
        let inside = "-".repeat((to - from).saturating_sub(1));
        let bar = format!("{}|{inside}{end}", " ".repeat(from));
        format!("{bar:<width$}", width = self.width + 1)
    }

    fn column(&self, place: u32) -> usize {
        let before = self.events.partition_point(|event| *event < place);
        before * self.width / (self.events.len() - 1).max(1)
    }
}
