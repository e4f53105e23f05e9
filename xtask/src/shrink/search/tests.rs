//! The search in worlds that are pure functions of setting and seed.

use Trouble::{Crashes, Cuts, Losses, Rounds, Switches};
use run_record::setting::Counts;

use super::super::case::Outcome;
use super::fake::*;
use super::*;

#[test]
fn what_is_needed_is_found_exactly_if_seeds_do_not_matter() {
    for needed in [
        &[][..],
        &[(Rounds, 7)],
        &[(Crashes, 1), (Rounds, 33)],
        &[(Losses, 3), (Crashes, 2), (Cuts, 9), (Switches, 17)],
    ] {
        // Whether a run says what it had, or dies without a word.
        for says in [true, false] {
            let rule = |setting: &Setting, seed| {
                let present = within(setting, natural(seed));
                has(present, counts(needed)).then(|| fails("c", says.then_some(present), 5))?
            };
            let found = found(&rule);
            assert_eq!(found.case.setting, exactly(needed), "says {says}");
            assert_eq!(found.end, End::Minimal);
            assert_eq!(found.checked, needed.iter().map(|(kind, _)| *kind).collect::<Vec<_>>());
        }
    }
}

/// Any of several sets of troubles will do: the result is one of the least ones.
#[test]
fn what_is_found_is_least_in_monotone_worlds() {
    for world in 0..200u64 {
        let number = |n: u64, below: u64| mix(world * 1000 + n) % below;
        let set = |place: u64| {
            let kinds = Trouble::ALL.into_iter().filter(|t| number(place * 10 + *t as u64, 3) == 0);
            let some: Vec<_> =
                kinds.map(|t| (t, 1 + number(500 + place * 10 + t as u64, 40))).collect();
            counts(&some)
        };
        let sets: Vec<Counts> = (0..1 + world % 4).map(set).collect();
        let rule = |setting: &Setting, seed| {
            let present = within(setting, natural(seed));
            let set = sets.iter().find(|set| has(present, **set))?;
            // Some worlds fail as soon as they can, others at the end.
            fails("c", Some(if world % 2 == 0 { *set } else { present }), 5)
        };
        let found = found(&rule);
        assert_eq!(found.end, End::Minimal, "world {world}");
        let least = sets.iter().any(|set| {
            Trouble::ALL.into_iter().all(|t| found.case.setting.limit(t) == Some(set.get(t)))
        });
        assert!(least, "world {world}: {} of {sets:?}", found.case.setting);
        for kind in found.checked {
            let limit = found.case.setting.limit(kind).expect("a limit") - 1;
            let outcome = rule(&found.case.setting.with(kind, Some(limit)), found.case.seed);
            assert_eq!(outcome, None, "world {world}");
        }
    }
}

#[test]
fn a_fault_that_needs_luck_is_followed_to_the_end() {
    for (world, one_in) in [(1, 2), (2, 5), (3, 10)] {
        let rule = |setting: &Setting, seed| {
            let present = within(setting, natural(seed));
            let lucky = draw(setting, seed + (world << 40), one_in) == 0;
            let needed = counts(&[(Crashes, 2), (Rounds, 5)]);
            (has(present, needed) && lucky).then(|| fails("c", Some(present), 5))?
        };
        let found = found(&rule);
        assert_eq!(found.case.setting, exactly(&[(Crashes, 2), (Rounds, 5)]), "1 in {one_in}");
        assert!(found.runs < 2000, "1 in {one_in} takes {} runs", found.runs);
        assert_eq!(found.end, End::Minimal);
    }
}

/// The test fails any solution if fewer than three servers are cut off.
#[test]
fn a_setting_that_the_reference_fails_with_too_is_void() {
    let few_cuts = |setting: &Setting| setting.limit(Cuts).is_some_and(|cuts| cuts < 3);
    let reference = |setting: &Setting, _| few_cuts(setting).then(|| fails("c", None, 5))?;
    // It fails early, before anything is cut off; or late, when all has happened.
    for early in [true, false] {
        let rule = |setting: &Setting, seed| {
            let present = within(setting, natural(seed));
            let seen = if early { counts(&[(Crashes, 1)]) } else { present };
            let failing = few_cuts(setting) || has(present, counts(&[(Crashes, 1)]));
            failing.then(|| fails("c", Some(seen), 5))?
        };
        let found = found_beside(&rule, &reference);
        let setting = found.case.setting;
        assert!(!few_cuts(&setting), "early {early}: {setting} says nothing");
        assert_eq!(setting.with(Cuts, Some(0)), exactly(&[(Crashes, 1)]), "early {early}");
        assert_eq!(found.checked, [Crashes], "early {early}");
        assert!(found.void > Some(0), "early {early}");
        if !early {
            assert_eq!((setting.limit(Cuts), found.needed), (Some(3), vec![Cuts]));
        }
    }
}

/// It fails any solution without a cut; with one it does not, and the fault needs two.
#[test]
fn that_the_test_needs_some_does_not_mean_that_it_needs_all_that_is_left() {
    let reference =
        |setting: &Setting, _| (setting.limit(Cuts) == Some(0)).then(|| fails("c", None, 5))?;
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        let failing = setting.limit(Cuts) == Some(0) || has(present, counts(&[(Cuts, 2)]));
        failing.then(|| fails("c", Some(present), 5))?
    };
    let found = found_beside(&rule, &reference);
    assert_eq!(found.case.setting, exactly(&[(Cuts, 2)]));
    assert_eq!((found.checked, found.needed), (vec![Cuts], vec![]));
}

#[test]
fn a_reference_that_was_not_asked_has_not_passed() {
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        has(present, counts(&[(Crashes, 2)])).then(|| fails("c", Some(present), 5))?
    };
    let passes = |_: &Setting, _| None;
    let ended = |budget| {
        let found = found_beside_for(&rule, &passes, budget);
        (found.end, found.void, found.reference_passes)
    };
    assert_eq!(ended(usize::MAX), (End::Minimal, Some(0), true));
    assert_eq!(ended(0), (End::Budget, None, false));
}

#[test]
fn small_numbers_are_tried_even_if_larger_ones_pass() {
    let rule = |setting: &Setting, seed| {
        let rounds = within(setting, natural(seed)).get(Rounds);
        let failing = [2, 5].contains(&rounds) || rounds > 20;
        failing.then(|| fails("c", Some(counts(&[(Rounds, rounds)])), 5))?
    };
    assert_eq!(found(&rule).case.setting, exactly(&[(Rounds, 2)]));
    let rule = |setting: &Setting, seed| {
        let rounds = within(setting, natural(seed)).get(Rounds);
        let failing = [3, 7].contains(&rounds) || rounds > 20;
        failing.then(|| {
            fails("c", Some(counts(&[(Rounds, if rounds > 20 { 7 } else { rounds })])), 5)
        })?
    };
    assert_eq!(found(&rule).case.setting, exactly(&[(Rounds, 3)]));
}

/// Checks what a search says of its world by what the world was asked; true if anything is left.
fn assert_claims(rule: &Rule<'_>, world: u64) -> bool {
    let ours = |outcome: &Outcome| outcome.as_ref().is_some_and(|f| f.verdict.check == "c");
    let seed = (0..).find(|seed| ours(&rule(&Setting::default(), *seed))).expect("a seed");
    let Searched { found, made, .. } = searched(rule, seed, usize::MAX, None);
    let Case { setting, seed, failed } = &found.case;
    assert_eq!(rule(setting, *seed).as_ref(), Some(failed), "world {world}");
    assert_eq!(failed.verdict.check, "c");
    assert_eq!(found.runs, made.len() as u64);
    assert_eq!(found.end, End::Minimal);
    let assert_passes = |setting: Setting| {
        let same = made.iter().filter(|((text, _), _)| *text == setting.to_string());
        assert!(same.clone().count() >= SEEDS, "world {world}: {setting}");
        assert!(same.clone().all(|(_, outcome)| !ours(outcome)), "world {world}: {setting}");
    };
    for kind in Trouble::ALL {
        let limit = setting.limit(kind).expect("every run says what it had");
        assert_eq!(found.checked.contains(&kind), limit > 0, "world {world}");
        if limit > 0 {
            assert_passes(setting.with(kind, Some(limit - 1)));
            assert_passes(setting.with(kind, Some(0)));
        }
    }
    let seen: u64 = found.others.iter().map(|other| other.runs).sum();
    let others = made.values().flatten().filter(|failed| failed.verdict.check == "other");
    assert_eq!(seen, others.count() as u64, "world {world}");
    !found.checked.is_empty()
}

/// Nothing is said about chaotic worlds but what the search itself claims.
#[test]
fn what_is_claimed_of_chaotic_worlds_is_so() {
    let claims = |world: u64| {
        let rule = |setting: &Setting, seed| {
            let present = within(setting, natural(seed));
            let total: u64 = Trouble::ALL.into_iter().map(|t| present.get(t)).sum();
            // The less there is, the rarer it is.
            match draw(setting, seed + (world << 40), 300) {
                n if n < total => fails("c", Some(present), n),
                299 => fails("other", Some(present), 1),
                _ => None,
            }
        };
        assert_claims(&rule, world)
    };
    let left = (0..100).filter(|world| claims(*world)).count();
    assert!(left > 50, "{left} of 100 worlds have something left");
}

/// What fails often with two crashes may fail rarely with one.
#[test]
fn what_is_claimed_was_tried_with_all_seeds() {
    let claims = |world: u64| {
        let rule = |setting: &Setting, seed| {
            let present = within(setting, natural(seed));
            let failing = match present.get(Crashes) {
                0 => false,
                1 => draw(setting, seed + (world << 40), 40) == 0,
                _ => true,
            };
            failing.then(|| fails("c", Some(present), 5))?
        };
        assert_claims(&rule, world)
    };
    assert!((0..30).all(claims));
}

#[test]
fn another_verdict_does_not_count() {
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        let check = if present.get(Losses) >= 4 { "c" } else { "other" };
        fails(check, Some(present), 5)
    };
    let found = found(&rule);
    assert_eq!(found.case.setting, exactly(&[(Losses, 4)]));
    assert_eq!(found.others.len(), 1);
    assert_eq!(found.others[0].verdict.check, "other");
    assert_eq!(found.others[0].setting.limit(Losses), Some(0));
}

/// Of seeds that fail with the same setting, the one that does so earliest.
#[test]
fn the_earliest_failure_is_chosen() {
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        (present.get(Crashes) >= 1).then(|| fails("c", Some(present), 1000 + seed % 1000))?
    };
    let Searched { found, made, .. } = searched(&rule, 999, usize::MAX, None);
    assert_eq!(found.case.setting, exactly(&[(Crashes, 1)]));
    let same = made.iter().filter(|((text, _), _)| *text == found.case.setting.to_string());
    let times: Vec<u64> = same.filter_map(|(_, o)| o.as_ref()?.lab_us).collect();
    assert!(times.len() >= 16, "{}", times.len());
    assert_eq!(found.case.failed.lab_us, times.iter().min().copied());
}

#[test]
fn the_same_search_finds_the_same_with_the_same_runs() {
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        (draw(setting, seed, 4) == 0).then(|| fails("c", Some(present), 5))?
    };
    let seed = (0..).find(|seed| rule(&Setting::default(), *seed).is_some()).expect("a seed");
    let (one, two) =
        (searched(&rule, seed, usize::MAX, None), searched(&rule, seed, usize::MAX, None));
    assert_eq!((one.found.clone(), one.made), (two.found, two.made));
    assert_eq!(one.steps, one.found.trials.len());
}

/// Wherever a search is ended, what it has is a case that fails, and no larger than what it had.
#[test]
fn a_search_that_is_ended_has_the_best_so_far() {
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        let needed = counts(&[(Crashes, 2), (Rounds, 5), (Switches, 11)]);
        let lucky = draw(setting, seed, 3) == 0;
        (has(present, needed) && lucky).then(|| fails("c", Some(present), 5))?
    };
    let seed = (0..).find(|seed| rule(&Setting::default(), *seed).is_some()).expect("a seed");
    let whole = searched(&rule, seed, usize::MAX, None).made.len();
    let mut last = None;
    for budget in 0..=whole {
        let by_time = searched(&rule, seed, budget, None).found;
        let by_tries = searched(&rule, seed, usize::MAX, Some(budget as u64)).found;
        let case = &by_time.case;
        assert_eq!(by_tries.case, *case);
        assert!(rule(&case.setting, case.seed).is_some());
        assert!(last.is_none_or(|last| case.size() <= last), "after {budget} runs");
        last = Some(case.size());
        let ended = budget < whole;
        assert_eq!(by_time.end, if ended { End::Budget } else { End::Minimal });
        assert_eq!(by_tries.end, if ended { End::Tries } else { End::Minimal });
        assert_eq!(by_time.checked.is_empty(), ended);
    }
}

#[test]
fn a_test_that_does_not_heed_its_setting_is_noticed() {
    let rule = |_: &Setting, seed| fails("c", Some(natural(seed)), 5);
    let found = found(&rule);
    assert!(found.disobedient.is_some());
    let heeds = |setting: &Setting, seed| fails("c", Some(within(setting, natural(seed))), 5);
    assert_eq!(self::found(&heeds).disobedient, None);
}

#[test]
fn a_kind_for_which_no_limit_is_found_keeps_none() {
    let rule = |setting: &Setting, _| {
        let limit = setting.limit(Losses);
        limit.is_none().then(|| fails("c", None, 5))?
    };
    let found = found(&rule);
    assert_eq!(found.case.setting, exactly(&[]).with(Losses, None));
    assert_eq!((found.end, found.checked), (End::Minimal, Vec::new()));
}

/// A world that breaks where the time of another one is used up.
struct Breaks<'a>(Fake<'a>);

impl World for Breaks<'_> {
    fn run(&mut self, setting: &Setting, seeds: &[u64]) -> Result<Vec<Outcome>, Halt> {
        let run = self.0.run(setting, seeds);
        run.map_err(|_| Halt::Broken(anyhow::anyhow!("there is no room")))
    }
}

#[test]
fn a_world_that_breaks_leaves_the_best_so_far() {
    let needed = counts(&[(Crashes, 1), (Rounds, 33)]);
    let rule = |setting: &Setting, seed| {
        let present = within(setting, natural(seed));
        has(present, needed).then(|| fails("c", Some(present), 5))?
    };
    let failed = rule(&Setting::default(), 0).expect("it fails");
    let first = Case { setting: Setting::default(), seed: 0, failed };
    let options = Options { seeds: SEEDS, most_runs: None };
    let mut world = Breaks(Fake { rule: &rule, made: Default::default(), budget: 40 });
    let (found, broken) = search(&mut world, "t", first, None, options, &mut |_| ());
    assert_eq!(broken.map(|error| error.to_string()).as_deref(), Some("there is no room"));
    assert_eq!((found.end, found.checked), (End::Broken, Vec::new()));
    assert_ne!(found.case.setting, Setting::default());
}
