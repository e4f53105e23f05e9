//! Counting the runs of a test as they come: what is kept of them does not grow with their number.

use std::collections::{BTreeMap, BTreeSet};

use run_record::Clock;
use test_runs::plan::Shard;
use test_runs::run::{Run, RunFailure};

use super::model::{Counted, Group, Name, TestReport};
use super::situations;

/// Of so many alike failures everything is kept; of the others only that they were.
const KEPT_ALIKE: u64 = 100;
/// So many different kinds of failures of a test are told apart.
const MOST_GROUPS: usize = 200;
/// One run in so many is to be repeated, and at least one.
const REPEATED: u64 = 100;

type Likeness = (String, String, Option<String>, String);

/// The runs of a test.
pub(crate) struct Tally {
    report: TestReport,
    shard: Shard,
    /// A failure ends the runs.
    stops_at_failure: bool,
    /// Which runs were made, if a failure ends them.
    made: Made,
    /// Where the group of alike failures is.
    groups: BTreeMap<Likeness, usize>,
    /// Where the group of all further failures is.
    mixed: Option<usize>,
    /// Runs that passed and are to be repeated.
    repeat: Vec<Run>,
    /// How many have passed since the last of these was chosen.
    since: u64,
}

impl Tally {
    pub(crate) fn new(
        test: &str,
        part: &str,
        clock: Clock,
        shard: Shard,
        stops_at_failure: bool,
    ) -> Tally {
        Tally {
            report: TestReport::new(test, part, clock),
            shard,
            stops_at_failure,
            made: Made::default(),
            groups: BTreeMap::new(),
            mixed: None,
            repeat: Vec::new(),
            since: 0,
        }
    }

    /// Takes away from a run that is to be counted next what there is enough of already: of a failure that has
    /// happened very often, the text of the verdict and the log.
    pub(crate) fn shed(&self, run: &mut Run) {
        let Some(likeness) = run.failure.as_ref().map(RunFailure::likeness) else { return };
        let Some(group) = self.place(&likeness).map(|place| &self.report.groups[place]) else {
            return;
        };
        if group.count >= KEPT_ALIKE
            && !is_earlier(run, &group.first)
            && let Some(failure) = &mut run.failure
        {
            failure.log = None;
            failure.text = String::new();
        }
    }

    /// Counts a run.
    pub(crate) fn add(&mut self, run: &Run) {
        let report = &mut self.report;
        report.runs += 1;
        report.longest_us = report.longest_us.max(run.lab_us);
        report.all_wall_us = report.all_wall_us.saturating_add(run.wall_us);
        situations::add(&mut report.situations, &run.situations);
        situations::add_not_judged(&mut report.not_judged, &run.not_judged);
        if run.failure.is_some() {
            report.failures += 1;
            let name = Name { index: run.index, seed: run.seed };
            let first = report.first_failing;
            report.first_failing = Some(first.map_or(name, |first| first.min(name)));
            self.add_to_group(run);
        } else {
            report.lab_us.add(run.lab_us);
            report.wall_us.add(run.wall_us);
            report.cpu_us.add(run.cpu_us);
            report.rpcs.add(run.rpcs);
            report.bytes.add(run.bytes);
            self.consider(run);
        }
        if self.stops_at_failure {
            self.made.add(run.index / self.shard.n);
            self.report.until_failure = Some(self.until_failure());
        }
    }

    /// Only runs that were made count: some before the first that failed may be missing, if all was ended from outside.
    fn until_failure(&mut self) -> Counted {
        match self.report.first_failing {
            Some(first) => {
                Counted { failures: 1, runs: self.made.up_to(first.index / self.shard.n) }
            }
            None => Counted { failures: 0, runs: self.report.runs },
        }
    }

    /// Where the group of failures of this kind is, if there is one.
    fn place(&self, likeness: &Likeness) -> Option<usize> {
        let full = self.groups.len() >= MOST_GROUPS;
        self.groups.get(likeness).copied().or(self.mixed.filter(|_| full))
    }

    fn add_to_group(&mut self, run: &Run) {
        let Some(likeness) = run.failure.as_ref().map(RunFailure::likeness) else { return };
        let place = self.place(&likeness);
        let groups = &mut self.report.groups;
        let Some(place) = place else {
            let mixed = self.groups.len() >= MOST_GROUPS;
            match mixed {
                true => self.mixed = Some(groups.len()),
                false => drop(self.groups.insert(likeness, groups.len())),
            }
            groups.push(Group { count: 1, first: run.clone(), alone: None, mixed });
            return;
        };
        let group = &mut groups[place];
        group.count += 1;
        if is_earlier(run, &group.first) {
            group.first = run.clone();
        }
    }

    /// Whether a run is to be repeated. The more runs its process had made before, the more could have
    /// changed something for it; so of each hundred it is the one with the most.
    fn consider(&mut self, run: &Run) {
        let fresh = self.since.is_multiple_of(REPEATED);
        self.since += 1;
        match self.repeat.last_mut() {
            Some(last) if !fresh => {
                if run.before > last.before {
                    *last = run.clone();
                }
            }
            _ => self.repeat.push(run.clone()),
        }
    }

    pub(crate) fn report(&self) -> &TestReport {
        &self.report
    }

    pub(crate) fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.report.groups
    }

    /// The runs that are to be repeated.
    pub(crate) fn to_repeat(&self) -> &[Run] {
        &self.repeat
    }

    pub(crate) fn into_report(self) -> TestReport {
        self.report
    }
}

/// Which runs were made, by their numbers in the part. They come nearly in order, so there is little to keep.
#[derive(Debug, Default)]
struct Made {
    /// All before this one were.
    all_before: u64,
    /// Those behind it that were.
    others: BTreeSet<u64>,
}

impl Made {
    fn add(&mut self, number: u64) {
        if number >= self.all_before {
            self.others.insert(number);
        }
        while self.others.remove(&self.all_before) {
            self.all_before += 1;
        }
    }

    /// How many were made up to this one, which is the first that failed: those behind it are of no more use.
    fn up_to(&mut self, number: u64) -> u64 {
        self.others.split_off(&(number + 1));
        self.all_before.min(number + 1) + self.others.len() as u64
    }
}

/// Whether a run failed earlier in lab time than another one. Of a process that died nobody knows when: it stands for
/// others only if of none is more known.
fn is_earlier(run: &Run, than: &Run) -> bool {
    match (run.known_lab_us(), than.known_lab_us()) {
        (Some(us), Some(than)) => us < than,
        (known, than) => known.is_some() && than.is_none(),
    }
}

/// Adds the runs of another part of the same test.
pub(crate) fn absorb(whole: &mut TestReport, part: TestReport) {
    whole.runs += part.runs;
    whole.failures += part.failures;
    whole.first_failing = whole.first_failing.into_iter().chain(part.first_failing).min();
    whole.longest_us = whole.longest_us.max(part.longest_us);
    whole.all_wall_us = whole.all_wall_us.saturating_add(part.all_wall_us);
    let is_clean =
        |some: &TestReport| some.until_failure.is_some_and(|counted| counted.failures == 0);
    whole.has_clean_part |= part.has_clean_part || is_clean(whole) || is_clean(&part);
    whole.until_failure = match (whole.until_failure, part.until_failure) {
        (Some(a), Some(b)) => {
            Some(Counted { failures: a.failures + b.failures, runs: a.runs + b.runs })
        }
        (one, other) => one.or(other),
    };
    whole.lab_us.absorb(&part.lab_us);
    whole.wall_us.absorb(&part.wall_us);
    whole.cpu_us.absorb(&part.cpu_us);
    whole.rpcs.absorb(&part.rpcs);
    whole.bytes.absorb(&part.bytes);
    situations::absorb(&mut whole.situations, &part.situations);
    for (sentence, runs) in part.not_judged {
        *whole.not_judged.entry(sentence).or_default() += runs;
    }
    part.groups.into_iter().for_each(|group| absorb_group(&mut whole.groups, group));
}

/// Adds a group to others, which stay so many as those of one part may be; the mixed one stays the last.
fn absorb_group(groups: &mut Vec<Group>, mut group: Group) {
    let alike = |known: &Group| match (known.mixed, group.mixed) {
        (false, false) => known.failure().likeness() == group.failure().likeness(),
        (one, other) => one && other,
    };
    let place = groups.iter().position(alike);
    let mixed = groups.iter().position(|known| known.mixed);
    if place.is_none() && groups.iter().filter(|known| !known.mixed).count() >= MOST_GROUPS {
        // What stands for failures that are not alike was not tried again for all of them.
        (group.mixed, group.alone) = (true, None);
    }
    match place.or(mixed.filter(|_| group.mixed)) {
        Some(place) => {
            let known = &mut groups[place];
            known.count += group.count;
            if is_earlier(&group.first, &known.first) {
                (known.first, known.alone) = (group.first, group.alone);
            }
        }
        None => groups.insert(mixed.unwrap_or(groups.len()), group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::model::tests::run;

    fn tally(stops_at_failure: bool) -> Tally {
        Tally::new("a_2A", "2A", Clock::Sim, Shard { k: 2, n: 4 }, stops_at_failure)
    }

    #[test]
    fn of_alike_failures_the_first_hundred_keep_their_texts() {
        let mut tally = tally(false);
        for index in 0..300 {
            let mut run = run(index, Some("no"));
            tally.shed(&mut run);
            tally.add(&run);
            let log = run.failure.expect("it failed").log;
            assert_eq!(log.is_some(), index < 100, "{index}");
        }
        // The earliest of all is shown, so it keeps them too.
        let mut earlier = run(300, Some("no"));
        earlier.lab_us = 1;
        tally.shed(&mut earlier);
        tally.add(&earlier);
        assert!(earlier.failure.expect("it failed").log.is_some());
        assert_eq!(tally.report().groups[0].first.index, 300);
    }

    #[test]
    fn kinds_of_failures_are_told_apart_up_to_a_bound() {
        let mut tally = tally(false);
        for index in 0..1000 {
            let letters: String =
                format!("{index}").chars().map(|c| (c as u8 + 49) as char).collect();
            tally.add(&run(index, Some(&letters)));
        }
        // One of a known kind is no further one.
        tally.add(&run(1000, Some("b")));
        let report = tally.into_report();
        assert_eq!(report.groups.len(), MOST_GROUPS + 1);
        assert_eq!(report.groups.iter().map(|group| group.count).sum::<u64>(), 1001);
        let mixed = |report: &TestReport| -> Vec<u64> {
            report.groups.iter().filter(|group| group.mixed).map(|group| group.count).collect()
        };
        assert_eq!(mixed(&report), [800]);
        let mut whole = report.clone();
        absorb(&mut whole, report.clone());
        assert_eq!(mixed(&whole), [1600], "they stay apart from what is of one kind");
        assert_eq!(whole.groups.len(), MOST_GROUPS + 1);
        // One of the first kind that the mixed group has is not one of that group. It takes the place of another kind.
        let mut other = tally_of_one(report.groups[MOST_GROUPS].failure().message.as_str());
        absorb(&mut other, report);
        assert_eq!((mixed(&other), other.groups[0].count), (vec![801], 1));
    }

    #[test]
    fn reports_of_other_kinds_have_no_more_groups_together() {
        let of = |first: char| {
            let mut tally = tally(false);
            for kind in 0..150u8 {
                let [one, two] = [kind / 20, kind % 20].map(|place| char::from(b'a' + place));
                tally.add(&run(kind.into(), Some(&format!("{first}{one}{two}"))));
            }
            tally.into_report()
        };
        let mut whole = of('x');
        absorb(&mut whole, of('y'));
        let counts: Vec<_> = whole.groups.iter().map(|group| (group.mixed, group.count)).collect();
        assert_eq!(counts[..MOST_GROUPS], [(false, 1); MOST_GROUPS]);
        assert_eq!(counts[MOST_GROUPS..], [(true, 100)]);
        assert_eq!(whole.failures, 300);
        // What is of a known kind is still counted as that.
        absorb(&mut whole, of('x'));
        assert_eq!((whole.groups[0].count, whole.groups[MOST_GROUPS].count), (2, 100));
        assert_eq!(whole.groups.len(), MOST_GROUPS + 1);
    }

    #[test]
    fn who_died_and_told_nothing_is_not_the_earliest() {
        let dead = || Run { lab_us: 0, troubles: None, ..run(7, Some("no")) };
        for order in [[dead(), run(8, Some("no"))], [run(8, Some("no")), dead()]] {
            let mut tally = tally(false);
            order.iter().for_each(|run| tally.add(run));
            assert_eq!(tally.report().groups[0].first.index, 8);
        }
    }

    #[test]
    fn a_hundred_thousand_runs_fit_in_memory_and_in_a_report() {
        const RUNS: u64 = 100_000;
        let mut tally = tally(true);
        let mut size_before = 0;
        for number in 0..RUNS {
            // All values differ, and one run in ten fails in words of its own.
            let words = format!(
                "key {}: {}",
                (b'a' + (number % 26) as u8) as char,
                "x".repeat(1 + number as usize % 500)
            );
            let mut run = run(number * 4 + 1, (number % 10 == 9).then_some(&*words));
            (run.wall_us, run.cpu_us) = (number * 7919 % 1_000_003, number * 104_729 % 1_000_003);
            (run.rpcs, run.bytes) = (number * 31 % 100_003, number * 1_299_709 % 10_000_019);
            tally.shed(&mut run);
            tally.add(&run);
            if number + 1 == RUNS / 2 {
                size_before = encoded(tally.report());
            }
        }
        assert_eq!((tally.report().runs, tally.report().failures), (RUNS, RUNS / 10));
        assert!(tally.to_repeat().len() as u64 <= RUNS / REPEATED);
        assert!(tally.made.others.len() <= 1, "what is made in order is one number");
        let size = encoded(tally.report());
        assert!(size < 1 << 20, "{size} bytes");
        assert!(size < size_before + size_before / 5, "{size_before} bytes, then {size}");
    }

    /// How many bytes it takes in `report.json`.
    fn encoded(report: &TestReport) -> usize {
        serde_json::to_string(report).expect("it is encoded").len()
    }

    fn tally_of_one(message: &str) -> TestReport {
        let mut tally = tally(false);
        tally.add(&run(0, Some(message)));
        tally.into_report()
    }

    #[test]
    fn runs_that_were_never_made_do_not_count() {
        let mut tally = Tally::new("a_2A", "2A", Clock::Sim, Shard::WHOLE, true);
        for (index, failure) in [(0, None), (1, None), (5, Some("no"))] {
            tally.add(&run(index, failure));
        }
        assert_eq!(tally.report().counted(), Counted { failures: 1, runs: 3 });
        // What is behind the first that failed does not count either, and what is made up does.
        for (index, failure, runs) in
            [(7, None, 3), (4, Some("no"), 3), (2, None, 4), (8, None, 4), (3, None, 5)]
        {
            tally.add(&run(index, failure));
            assert_eq!(tally.report().counted(), Counted { failures: 1, runs }, "{index}");
        }
    }

    #[test]
    fn the_run_with_the_most_before_it_is_repeated() {
        let mut tally = tally(false);
        for index in 0..250 {
            let run = Run { before: index % 50, ..run(index, None) };
            tally.add(&run);
        }
        let chosen: Vec<_> = tally.to_repeat().iter().map(|run| (run.index, run.before)).collect();
        assert_eq!(chosen, [(49, 49), (149, 49), (249, 49)]);
    }

    #[test]
    fn runs_after_the_first_failure_do_not_count_if_it_ends_them() {
        let mut tally = tally(true);
        // The numbers of the second of four parts are 1, 5, 9, ...
        for number in [0, 1, 3, 2, 4] {
            let failure = (number >= 3).then_some("no");
            tally.add(&run(number * 4 + 1, failure));
        }
        let report = tally.into_report();
        assert_eq!(report.counted(), Counted { failures: 1, runs: 4 });
        assert_eq!(report.interval(), test_runs::stats::inverse(1, 4));
        let mut clean = Tally::new("a_2A", "2A", Clock::Sim, Shard { k: 1, n: 4 }, true);
        clean.add(&run(0, None));
        let mut whole = clean.into_report();
        assert_eq!(whole.interval(), test_runs::stats::wilson(0, 1));
        absorb(&mut whole, report);
        assert_eq!(whole.until_failure, Some(Counted { failures: 1, runs: 5 }));
        // The part without a failure was bounded: that the last run of all has failed is not so.
        assert_eq!(whole.interval(), test_runs::stats::inverse_of_parts(1, 5));
    }
}
