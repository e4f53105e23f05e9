//! What servers save stays within its limits.

use service_watch::Limits;

use crate::world::{World, pause, right_with, sleep_ms, texts, wrong_with};

const AT: (usize, usize) = (0, 0);

#[test]
fn the_labs_allow_eight_times_what_is_due_or_no_snapshot_at_all() {
    assert_eq!(Limits::of_lab(Some(1000)), Limits { state: Some(8000), snapshot: None });
    assert_eq!(Limits::of_lab(None), Limits { state: None, snapshot: Some(0) });
}

#[test]
fn a_snapshot_may_be_as_large_as_its_limit_and_no_larger() {
    let limits = Limits { state: None, snapshot: Some(100) };
    right_with(limits, |world| world.saves(AT, (0, 0), 5000, Some(100)));
    let broken = ("snapshot size", "snapshot too large (101 > 100) at server 0");
    let verdict = wrong_with(limits, broken, |world| world.saves(AT, (0, 0), 5000, Some(101)));
    assert_eq!(texts(&verdict.facts), "server 0 has a snapshot of 101 bytes\n");
    assert!(verdict.hint.is_some_and(|hint| hint.starts_with("old values")));
    assert_eq!(verdict.location.as_deref(), Some("what server 0 saves"));
    let never = Limits { state: None, snapshot: Some(0) };
    right_with(never, |world| world.saves(AT, (0, 0), 5000, None));
    let broken = ("snapshot size", "snapshot too large (1 > 0) at server 0");
    let verdict = wrong_with(never, broken, |world| world.saves(AT, (0, 0), 5000, Some(1)));
    assert!(verdict.hint.is_some_and(|hint| hint.starts_with("no server was to make a snapshot")));
    right_with(Limits::default(), |world| world.saves(AT, (0, 0), 5000, Some(5000)));
}

const LIMITS: Limits = Limits { state: Some(1000), snapshot: None };
const BROKEN: (&str, &str) = ("log size", "logs were not trimmed (1001 > 1000) at server 0");

/// A server saves this much, and the same again after so long, when more entries are committed, or not.
fn twice(bytes: usize, ms: u64, more: bool) -> impl FnOnce(&World) {
    move |world: &World| {
        world.commits(1, "a");
        world.saves(AT, (0, 3), bytes, None);
        if more {
            world.sends(AT, 1, 1, (1, 1), &["b", "c"], 1);
            // However long it is too large by then: now it can know of more.
            sleep_ms(2000);
            world.saves(AT, (0, 3), bytes, None);
        }
        sleep_ms(ms);
        world.saves(AT, (0, 3), bytes, None);
    }
}

#[test]
fn a_state_that_stays_too_large_though_more_is_committed_is_wrong() {
    let verdict = wrong_with(LIMITS, BROKEN, twice(1001, 1000, true));
    let expected = "server 0 has saved more than 1000 bytes\n\
                    it could learn that entry 2 is committed\n\
                    server 0 has saved 1001 bytes\n";
    assert_eq!(texts(&verdict.facts), expected);
    assert_eq!(verdict.facts[1].us.map(|us| us + 1_000_000), verdict.facts[2].us);
    assert_eq!(verdict.location.as_deref(), Some("what server 0 saves"));
    right_with(LIMITS, twice(1000, 5000, true));
    right_with(LIMITS, twice(1001, 999, true));
    right_with(LIMITS, twice(1001, 5000, false));
    right_with(Limits::default(), twice(1001, 5000, true));
}

#[test]
fn a_state_that_was_small_meanwhile_counts_anew() {
    let play = |ms: u64| {
        move |world: &World| {
            world.commits(1, "a");
            world.saves(AT, (0, 3), 1001, None);
            sleep_ms(900);
            world.saves(AT, (0, 3), 1000, None);
            world.saves(AT, (0, 3), 1001, None);
            world.sends(AT, 1, 1, (1, 1), &["b", "c"], 1);
            world.saves(AT, (0, 3), 1001, None);
            sleep_ms(ms);
            world.saves(AT, (0, 3), 1001, None);
        }
    };
    right_with(LIMITS, play(999));
    wrong_with(LIMITS, BROKEN, play(1000));
}

#[test]
fn a_server_of_which_nobody_can_tell_what_it_knows_is_not_judged() {
    right_with(LIMITS, |world| {
        world.saves(AT, (0, 3), 1001, None);
        sleep_ms(2000);
        world.saves(AT, (0, 3), 1001, None);
    });
}

#[test]
fn a_server_that_starts_again_counts_anew() {
    right_with(LIMITS, |world| {
        world.commits(1, "a");
        world.saves((0, 1), (0, 3), 1001, None);
        sleep_ms(900);
        world.starts((0, 1));
        world.saves((0, 1), (0, 3), 1001, None);
        pause();
        world.sends(AT, 1, 1, (0, 0), &["a", "b"], 1);
        sleep_ms(900);
        world.saves((0, 1), (0, 3), 1001, None);
    });
}
