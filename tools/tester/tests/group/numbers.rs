//! Numbers of servers that a group does not have are mistakes of the test: it says so, at the test's line.

use std::panic::Location;
use std::time::Duration;

use labrt::simulate;
use labtrace::What;
use tester::{Group, Keep, Net, Run, Setting};

use super::Idle;

/// Where a panic in `play` is said to be, and what it says: of a group of so many servers of this name.
fn refusal(
    name: &str,
    servers: usize,
    play: impl FnOnce(&Group<Idle>) + Send + 'static,
) -> (String, String) {
    let run = Run::new(Keep::Nothing, Setting::default());
    let name = name.to_string();
    let outcome = simulate(3, move || {
        run.enter();
        let net = Net::new(&run);
        let group = Group::new(&net, &name, servers);
        play(&group);
    });
    let failure = outcome.expect_err("it is refused");
    (failure.location.expect("a panic has a place"), failure.message)
}

/// Makes sure that a call is refused in these words, at the line of who calls this.
#[track_caller]
fn assert_refused(play: impl FnOnce(&Group<Idle>) + Send + 'static, words: &str) {
    let line = Location::caller().line();
    let (place, said) = refusal("", 3, play);
    assert_eq!(said, words);
    assert!(place.contains("tests/group/numbers.rs"), "{place} is not the caller's file");
    assert!(place.contains(&format!(":{line}")), "{place} is not line {line}");
}

/// Each call stands in one line with its assertion.
#[test]
#[rustfmt::skip]
fn a_server_that_the_group_does_not_have_is_refused_at_the_callers_line() {
    let words = "server 3: the group has servers 0 to 2";
    let never = Duration::ZERO;
    assert_refused(|group| group.start(3, |seat| move || Idle::make(seat)), words);
    assert_refused(|group| group.crash(3), words);
    assert_refused(|group| group.stop(3), words);
    assert_refused(|group| _ = group.is_running(3), words);
    assert_refused(|group| _ = group.instance(3), words);
    assert_refused(|group| _ = group.persister(3), words);
    assert_refused(|group| _ = group.state_size(3), words);
    assert_refused(|group| _ = group.snapshot_size(3), words);
    assert_refused(|group| _ = group.record(3, What::Started), words);
    assert_refused(|group| group.connect(3), words);
    assert_refused(|group| group.disconnect(3), words);
    assert_refused(|group| _ = group.is_connected(3), words);
    assert_refused(|group| _ = group.reaches(0, 3), words);
    assert_refused(|group| _ = group.reaches(3, 0), words);
    assert_refused(|group| _ = group.minority_with(3), words);
    assert_refused(|group| group.partition(&[&[0, 1], &[2, 3]]), words);
    assert_refused(|group| group.cut_from(3, group.members()), words);
    assert_refused(|group| group.rejoin(3, group.members()), words);
    assert_refused(|group| group.cut_one_way(3, 3), words);
    assert_refused(|group| group.cut_one_way(0, 3), words);
    assert_refused(|group| group.heal_one_way(3, 0), words);
    assert_refused(|group| _ = group.is_cut_one_way(0, 3), words);
    assert_refused(move |group| group.slow_down(0, 3, never), words);
    assert_refused(|group| group.pause(3), words);
    assert_refused(|group| group.resume(3), words);
    assert_refused(|group| _ = group.is_paused(3), words);
    assert_refused(|group| group.set_clock(3, 1000), words);
    assert_refused(|group| group.tear_next_save(3, false), words);
    assert_refused(|group| group.bury(3), words);
}

#[test]
fn a_server_that_stands_in_two_parts_is_refused() {
    let twice = "server 2 stands twice in one part";
    assert_refused(|group| group.partition(&[&[], &[2, 0, 2]]), twice);
    let in_two = "server 1 stands in two parts";
    assert_refused(|group| group.partition(&[&[0, 1], &[1, 2]]), in_two);
}

#[test]
fn a_refusal_names_the_group_and_says_whom_it_has() {
    let said = |name: &str, servers| refusal(name, servers, move |group| group.crash(servers)).1;
    assert_eq!(said("100", 2), "server 100-2: the group has servers 0 to 1");
    assert_eq!(said("", 1), "server 1: the group has server 0 only");
    assert_eq!(said("", 0), "server 0: the group has no servers");
}
