//! `cargo xtask demands`: each sentence of Figures 2 and 13 and of the lab, with the code that meets it, the
//! test and the rule that would miss it, and the mistake of the zoo that breaks it.
//!
//! The sentences stand in `list.rs`. Where one is met, proved, watched or broken, the code says so by a
//! *mark*, a comment of its own above the line, the test, the rule or the mistake:
//!
//! ```text
//! //= vote.once
//! ```
//!
//! What a mark means follows from where it stands ([`Kind`]). From the marks `docs/demands.md` is made.
//! A sentence without a mark of some kind is a hole: the list must say why, and may not say so of a
//! sentence that has one. So the page can neither praise what is not there nor hide what is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::{say, workspace};

mod list;
mod marks;

use list::DEMANDS;
use marks::Mark;

/// What a mark says of the place that it stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The reference does it here.
    Met,
    /// A test of the reference would fail without it.
    Proved,
    /// The suite, or a rule that watches any Raft, finds who does not do it.
    Seen,
    /// A mistake of the zoo that breaks it.
    Mistake,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Met, Kind::Proved, Kind::Seen, Kind::Mistake];

    /// The folders whose marks are of this kind.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Kind::Met => &["raft/src"],
            Kind::Proved => &["raft/tests"],
            Kind::Seen => &["raft-tests/src", "tools/raft-watch/src"],
            Kind::Mistake => &["zoo/raft-zoo/src"],
        }
    }

    /// The head of its column.
    fn title(self) -> &'static str {
        match self {
            Kind::Met => "met in",
            Kind::Proved => "the reference's test",
            Kind::Seen => "found in any Raft by",
            Kind::Mistake => "broken in the zoo by",
        }
    }
}

/// Something that is asked of a Raft.
struct Demand {
    /// As marks name it.
    id: &'static str,
    /// Who asks for it.
    source: &'static str,
    /// What is asked, in our own words.
    says: &'static str,
    /// The kinds of marks that it has not, and why.
    holes: &'static [(Kind, &'static str)],
}

/// Write docs/demands.md: each sentence of Figures 2 and 13 and of the lab, where it is met, and who
/// would miss it.
#[derive(Args)]
pub(crate) struct Demands {
    /// Write nothing; fail if the page is not what it would be.
    #[arg(long)]
    check: bool,
}

const PAGE: &str = "docs/demands.md";

pub(crate) fn run(demands: &Demands) -> Result<()> {
    let root = workspace();
    let page = page_of(&root)?;
    let path = root.join(PAGE);
    if demands.check {
        let there = fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
        ensure!(there == page, "{PAGE} is out of date: run `cargo xtask demands`");
        return Ok(());
    }
    fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"))?;
    say::print(format!("{PAGE}: {} demands\n", DEMANDS.len()))
}

/// The page for the workspace at this place.
fn page_of(root: &Path) -> Result<String> {
    let mut marks = Vec::new();
    for kind in Kind::ALL {
        for folder in kind.folders() {
            marks::read(root, folder, kind, &mut marks)?;
        }
    }
    page(DEMANDS, &marks)
}

fn page(demands: &[Demand], marks: &[Mark]) -> Result<String> {
    let known: BTreeSet<&str> = demands.iter().map(|demand| demand.id).collect();
    ensure!(known.len() == demands.len(), "two demands have one name");
    if let Some(mark) = marks.iter().find(|mark| !known.contains(mark.demand.as_str())) {
        let Mark { demand, file, line, .. } = mark;
        bail!("{file}:{line}: there is no demand `{demand}` in xtask/src/demands/list.rs");
    }
    let mut page = String::from(HEAD);
    let mut holes = BTreeMap::new();
    for demand in demands {
        write!(page, "| {} | {} |", demand.says, demand.source)?;
        for kind in Kind::ALL {
            let places = places(demand, kind, marks)?;
            *holes.entry(kind).or_insert(0) += usize::from(places.is_none());
            let hole = || format!("*{}*", hole_of(demand, kind).unwrap_or_default());
            write!(page, " {} |", places.unwrap_or_else(hole))?;
        }
        page.push('\n');
    }
    page.push_str("\nHoles: ");
    let count =
        |kind: Kind| format!("{} of {} without \"{}\"", holes[&kind], demands.len(), kind.title());
    page.push_str(&Kind::ALL.map(count).join("; "));
    page.push_str(".\n");
    Ok(page)
}

fn hole_of(demand: &Demand, kind: Kind) -> Option<&'static str> {
    demand.holes.iter().find(|(of, _)| *of == kind).map(|(_, why)| *why)
}

/// The places with a mark of this kind, as links; none if there is none and the list says why.
fn places(demand: &Demand, kind: Kind, marks: &[Mark]) -> Result<Option<String>> {
    let mine = marks.iter().filter(|mark| mark.kind == kind && mark.demand == demand.id);
    let links: BTreeSet<String> =
        mine.map(|mark| format!("[{}](../{})", mark.place, mark.file)).collect();
    let title = kind.title();
    match (links.is_empty(), hole_of(demand, kind)) {
        (false, None) => Ok(Some(links.into_iter().collect::<Vec<_>>().join(", "))),
        (true, Some(_)) => Ok(None),
        (true, None) => {
            bail!("`{}` has no mark for \"{title}\", and the list does not say why", demand.id)
        }
        (false, Some(why)) => bail!(
            "`{}` has a mark for \"{title}\", and the list says that there is none: {why}",
            demand.id
        ),
    }
}

const HEAD: &str = "\
# What is asked of a Raft, and who would miss it

Each sentence of Figures 2 and 13 of the paper and of the lab, in our own words; where the reference meets \
it; which of its tests fails without it; which rule or test of the suite finds it missing in any Raft; \
and which mistake of the zoo breaks it. Rules are in *italics* where the watch names them so in its \
verdicts.

Not among them: rules 2 to 4 of Figure 13's receiver, which are about the chunks of a snapshot, since here as in \
the lab it comes in one piece; and that a leader responds to a client when the entry is applied, since here as in \
the lab `start` responds at once, and the service above waits (crate `rsm`, and the rule *answered when applied* of \
service-watch).

This page is made from marks in the code by `cargo xtask demands`; a test fails when it is out of date. What \
stands in italics in place of a link is a hole, with its reason.

| demand | from | met in | the reference's test | found in any Raft by | broken in the zoo by |
|---|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(holes: &'static [(Kind, &'static str)]) -> Demand {
        Demand { id: "vote.once", source: "Figure 2", says: "One vote", holes }
    }

    fn mark(kind: Kind, demand: &str) -> Mark {
        let (file, place) = ("raft/src/a.rs".to_string(), "`vote`".to_string());
        Mark { kind, demand: demand.to_string(), file, line: 7, place }
    }

    fn all() -> Vec<Mark> {
        Kind::ALL.map(|kind| mark(kind, "vote.once")).into()
    }

    #[test]
    fn the_page_is_up_to_date() {
        let page = page_of(&workspace()).unwrap();
        let there = fs::read_to_string(workspace().join(PAGE)).unwrap();
        assert!(there == page, "run `cargo xtask demands`");
    }

    #[test]
    fn a_demand_has_its_places_or_a_reason() {
        let row = page(&[demand(&[])], &all()).unwrap();
        assert!(row.contains("| One vote | Figure 2 | [`vote`](../raft/src/a.rs) |"), "{row}");
        let without = &all()[..3];
        let error = page(&[demand(&[])], without).unwrap_err().to_string();
        assert!(error.contains("no mark for \"broken in the zoo by\""), "{error}");
        const WHY: &[(Kind, &str)] = &[(Kind::Mistake, "too easy")];
        let row = page(&[demand(WHY)], without).unwrap();
        assert!(row.contains("*too easy*"), "{row}");
        assert!(row.contains("1 of 1 without \"broken in the zoo by\""), "{row}");
        let error = page(&[demand(WHY)], &all()).unwrap_err().to_string();
        assert!(error.contains("says that there is none: too easy"), "{error}");
    }

    #[test]
    fn each_mistake_of_the_zoo_breaks_a_demand() {
        let [folder] = Kind::Mistake.folders() else { panic!("one zoo is read here") };
        let mut marks = Vec::new();
        marks::read(&workspace(), folder, Kind::Mistake, &mut marks).unwrap();
        let marked: BTreeSet<String> = marks.into_iter().map(|mark| mark.place).collect();
        let kinds = fs::read_to_string(workspace().join(folder).join("kinds.rs")).unwrap();
        let (_, list) = kinds.split_once("\nzoo! {\n").expect("the list of mistakes");
        let (list, _) = list.split_once("\n}").expect("its end");
        let code = list.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let all: BTreeSet<String> =
            code.map(|line| format!("`{}`", line.trim_end_matches(','))).collect();
        assert!(all.len() > 50, "{all:?}");
        assert_eq!(all, marked);
    }

    #[test]
    fn a_mark_of_no_demand_is_refused() {
        let error = page(&[demand(&[])], &[mark(Kind::Met, "vote.twice")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "raft/src/a.rs:7: there is no demand `vote.twice` in xtask/src/demands/list.rs"
        );
    }
}
