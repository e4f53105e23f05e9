//! Every probability and every distribution of delays, over thousands of calls on the simulated
//! clock.
//!
//! Each check allows four standard deviations. The seed is fixed, so the result is too.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Setup, millis};
use labrpc::{Faults, Network, Server, Service};
use labrt::sync::Mutex;
use labrt::thread;
use labrt::time::Instant;
use labrt::world::Builder;

const CALLS: usize = 10_000;

/// A world whose code takes no time at all, so that what is measured is the network.
fn calm(seed: u64) -> Builder {
    Builder::simulated(seed).switch_every(0)
}

/// How long each of many calls took, and whether it got a reply.
fn calls(prepare: fn(&Network)) -> Vec<(u64, bool)> {
    let outcome = calm(1).run(move || {
        let setup = Setup::new();
        let client = setup.client(1);
        prepare(&setup.network);
        let results = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..CALLS {
            let (results, start) = (results.clone(), Instant::now());
            client.nothing_then(&(), move |result| {
                let took = start.elapsed();
                assert_eq!(took.subsec_nanos() % 1_000_000, 0, "delays are whole milliseconds");
                results.lock().push((took.as_millis() as u64, result.is_ok()));
            });
        }
        thread::sleep(Duration::from_secs(10));
        results.lock().clone()
    });
    let results = outcome.unwrap().value;
    assert_eq!(results.len(), CALLS);
    results
}

fn assert_rate(what: &str, count: usize, of: usize, probability: f64) {
    let deviation = (probability * (1.0 - probability) / of as f64).sqrt();
    let rate = count as f64 / of as f64;
    let text = format!("{what}: {rate:.4}, not {probability:.4} +- {deviation:.4}");
    assert!((rate - probability).abs() < 4.0 * deviation, "{text}");
}

/// Checks that values are drawn uniformly from 0 to `most`: bounds, mean and quarters.
fn assert_uniform(what: &str, values: &[u64], most: u64) {
    assert_eq!(values.iter().max(), Some(&most), "{what}: the largest");
    assert_eq!(values.iter().min(), Some(&0), "{what}: the smallest");
    for quarter in 1..4 {
        let bound = (most + 1) * quarter / 4;
        let below = values.iter().filter(|value| **value < bound).count();
        assert_rate(what, below, values.len(), bound as f64 / (most + 1) as f64);
    }
}

#[test]
fn a_reliable_network_answers_at_once() {
    assert!(calls(|_| {}).iter().all(|result| *result == (0, true)));
}

#[test]
fn unreliable_requests_wait_0_to_26_ms_and_a_tenth_of_each_way_is_lost() {
    let results = calls(|network| network.set_reliable(false));
    let took: Vec<u64> = results.iter().map(|(took, _)| *took).collect();
    assert_uniform("request delay", &took, 26);
    let answered = results.iter().filter(|(_, ok)| *ok).count();
    assert_rate("answered", answered, CALLS, 0.9 * 0.9);
}

#[test]
fn a_tenth_of_the_requests_and_a_tenth_of_the_replies_is_lost() {
    let outcome = calm(2).run(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        setup.network.set_reliable(false);
        let answered = Arc::new(Mutex::new(0));
        for _ in 0..CALLS {
            let answered = answered.clone();
            client.nothing_then(&(), move |result| *answered.lock() += usize::from(result.is_ok()));
        }
        thread::sleep(Duration::from_secs(1));
        let answered = *answered.lock();
        (setup.network.count(99) as usize, answered)
    });
    let (handled, answered) = outcome.unwrap().value;
    assert_rate("requests that arrived", handled, CALLS, 0.9);
    assert_rate("replies that arrived", answered, handled, 0.9);
}

#[test]
fn calls_to_nobody_fail_after_0_to_99_ms() {
    let results = calls(|network| network.enable(1, false));
    assert!(results.iter().all(|(_, ok)| !ok));
    let took: Vec<u64> = results.iter().map(|(took, _)| *took).collect();
    assert_uniform("unreachable", &took, 99);
}

#[test]
fn with_long_delays_calls_to_nobody_fail_after_0_to_6999_ms() {
    let results = calls(|network| {
        network.set_long_delays(true);
        network.delete_server(99);
    });
    let mut took: Vec<u64> = results.iter().map(|(took, _)| *took).collect();
    assert!(took.iter().all(|took| *took <= 6999));
    took.sort_unstable();
    for quarter in 1..4 {
        let below = took.iter().filter(|took| **took < 1750 * quarter).count();
        assert_rate("unreachable, long", below, CALLS, quarter as f64 / 4.0);
    }
    assert!(took[CALLS - 1] > 6990 && took[0] < 10, "both ends are reached");
}

#[test]
fn long_delays_and_reordering_touch_no_call_on_their_own() {
    let quick = calls(|network| network.set_long_delays(true));
    assert!(quick.iter().all(|result| *result == (0, true)));
}

#[test]
fn long_reordering_delays_two_thirds_of_the_replies_by_a_nested_draw() {
    let results = calls(|network| network.set_long_reordering(true));
    assert!(results.iter().all(|(_, ok)| *ok), "nothing is lost");
    let late: Vec<u64> = results.iter().filter(|(took, _)| *took > 0).map(|r| r.0).collect();
    assert_rate("late", late.len(), CALLS, 2.0 / 3.0);
    assert!(late.iter().all(|took| (200..=200 + 1999).contains(took)));
    // P(uniform(0..=uniform(0..=n-1)) < k) = (k + k * (H(n) - H(k))) / n, about k/n (1 + ln(n/k)).
    let n = 2000.0;
    for k in [100.0, 500.0, 1000.0] {
        let harmonic =
            |from: f64, to: f64| (from as u64 + 1..=to as u64).map(|m| 1.0 / m as f64).sum::<f64>();
        let expected = (k + k * harmonic(k, n)) / n;
        let below = late.iter().filter(|took| **took < 200 + k as u64).count();
        assert_rate("nested draw", below, late.len(), expected);
    }
}

#[test]
fn half_of_the_requests_come_twice_if_that_is_what_is_asked_for() {
    let outcome = calm(4).run(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let mut faults = Faults::default();
        (faults.duplication, faults.duplication_spread) = (0.5, 99);
        setup.network.set_faults(faults);
        for _ in 0..CALLS {
            client.nothing_then(&(), |_| ());
        }
        thread::sleep(Duration::from_secs(1));
        let copies = setup.network.count(99) as usize - CALLS;
        (setup.network.fault_counts().duplicates as usize, copies)
    });
    let (counted, copies) = outcome.unwrap().value;
    assert_rate("requests that come twice", counted, CALLS, 0.5);
    assert_eq!(counted, copies);
}

#[test]
fn a_request_that_waits_for_no_time_is_not_counted_as_delayed() {
    let outcome = calm(5).run(|| {
        let setup = Setup::new();
        let client = setup.client(1);
        let mut faults = Faults::default();
        (faults.request_delay, faults.request_loss, faults.reply_loss) = ((0, 1), 0.0, 0.0);
        setup.network.set_faults(faults);
        setup.network.set_reliable(false);
        let waited = |_: &u32| {
            let start = Instant::now();
            client.nothing(&()).unwrap();
            start.elapsed() > Duration::ZERO
        };
        let waited = (0..100).filter(waited).count();
        (waited as u64, setup.network.fault_counts().delays)
    });
    let (waited, counted) = outcome.unwrap().value;
    assert!((20..80).contains(&waited), "{waited}");
    assert_eq!(counted, waited);
}

#[test]
fn reordering_delays_the_reply_and_not_the_request() {
    let outcome = calm(3).run(|| {
        let network = Network::new();
        network.set_long_reordering(true);
        let (start, handled) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
        let inner = handled.clone();
        let service = Service::new("S").method("M", move |(): ()| {
            inner.lock().push(start.elapsed());
        });
        network.add_server(0, Server::new().service(service));
        let end = network.make_end(0);
        network.connect(0, 0);
        network.enable(0, true);
        for _ in 0..1000 {
            end.call_then::<(), ()>("S.M", &(), |_| ());
        }
        thread::sleep(millis(1));
        network.cleanup();
        handled.lock().clone()
    });
    let handled = outcome.unwrap().value;
    assert_eq!(handled.len(), 1000, "every request has arrived at once");
    assert!(handled.iter().all(|time| *time == Duration::ZERO));
}
