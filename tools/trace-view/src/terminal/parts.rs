//! A text that gives way: what matters least goes first when there is too little room.

use super::text;

/// A text in parts. Each has a rank: those of rank 0 stay, and of the others the highest ranks go
/// first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts(Vec<(u8, String)>);

/// Parts from this rank on are left out without a sign: they only say more precisely what is said.
const SILENT: u8 = 5;

/// The rank of what is shown only where texts are never cut.
pub(super) const ASIDE: u8 = 9;

impl Parts {
    /// A text that stays as it is.
    pub(super) fn new(text: impl AsRef<str>) -> Parts {
        Parts::default().with(0, text)
    }

    /// With another part at the end.
    pub(super) fn with(mut self, rank: u8, text: impl AsRef<str>) -> Parts {
        self.0.push((rank, text::clean(text.as_ref())));
        self
    }

    /// With another part at the end, if there is one.
    pub(super) fn with_some(self, rank: u8, text: Option<String>) -> Parts {
        match text {
            Some(text) => self.with(rank, text),
            None => self,
        }
    }

    /// With all parts of another text at the end.
    pub(super) fn and(mut self, other: Parts) -> Parts {
        self.0.extend(other.0);
        self
    }

    /// The whole of it.
    pub(super) fn whole(&self) -> String {
        self.up_to(u8::MAX)
    }

    /// As much as fits into so many columns; something that matters is missing if it ends in `…`.
    pub(super) fn within(&self, columns: usize) -> String {
        let whole = self.up_to(ASIDE - 1);
        if text::width(&whole) <= columns {
            return whole;
        }
        for rank in (0..ASIDE - 1).rev().filter(|rank| self.0.iter().any(|(has, _)| has == rank)) {
            let mut shorter = self.up_to(rank);
            if self.0.iter().any(|(has, _)| (rank + 1..SILENT).contains(has)) {
                shorter.push('…');
            }
            if text::width(&shorter) <= columns {
                return shorter;
            }
        }
        text::cut(&self.up_to(0), columns)
    }

    fn up_to(&self, rank: u8) -> String {
        let parts = self.0.iter().filter(|(has, _)| *has <= rank).map(|(_, part)| part.as_str());
        parts.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_least_goes_first() {
        let parts = Parts::new("AE").with(1, "t3").with(3, "prev 4:2").with(2, "+3");
        assert_eq!(parts.within(17), "AE t3 prev 4:2 +3");
        assert_eq!(parts.within(16), "AE t3 +3…");
        assert_eq!(parts.within(8), "AE t3…");
        assert_eq!(parts.within(5), "AE…");
        assert_eq!(parts.within(1), "…");
        assert_eq!(parts.clone().with(ASIDE, "call 7").within(99), parts.whole());
    }
}
