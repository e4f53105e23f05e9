//! The same answers as a checker that tries everything, on random small histories.
//!
//! `LINEARIZABILITY_HISTORIES` says how many; a million take a minute in release.

mod common;

use common::{Bag, Drawn, draw, history, is_linearizable, random};
use linearizability::models::{CasRegister, Kv, Queue, Register, Unsplit, VersionedKv};
use linearizability::{Answer, Limits, Means, check, check_by, witness};

/// How many histories are drawn if nobody says.
const USUAL: u64 = 50_000;

fn histories() -> u64 {
    match std::env::var("LINEARIZABILITY_HISTORIES") {
        Ok(number) => number.parse().expect("LINEARIZABILITY_HISTORIES must be a number"),
        Err(_) => USUAL,
    }
}

/// What came of all histories of a model.
#[derive(Debug, Default)]
struct Counts {
    right: u64,
    wrong: u64,
    distinct: u64,
}

fn agree<M: Drawn>() -> Counts {
    let mut counts = Counts::default();
    let limits = Limits::default();
    let model = M::model();
    for seed in 0..histories() / 7 + 1 {
        let operations = draw::<M>(&mut random(seed));
        let nothing = vec![false; operations.len()];
        let expected = is_linearizable(&model, &operations, &nothing);
        let history = history::<M>(&operations);
        let about = || format!("seed {seed}: {operations:#?}");

        let by = |means: &[Means]| check_by(&model, &history, means, &limits).answer;
        let both = check(&model, &history, &limits).answer;
        let search = by(&[Means::Search]);
        let distinct = by(&[Means::Distinct]);
        counts.distinct += u64::from(!matches!(distinct, Answer::Undecided(_)));
        for answer in [both, search, distinct] {
            match answer {
                Answer::Linearizable(order) => {
                    assert!(expected, "{}", about());
                    // What it left out never returned.
                    let whole = witness::verify(&model, &history, &order)
                        .unwrap_or_else(|error| panic!("{error}: {order:?} {}", about()));
                    assert_eq!(whole, order, "{}", about());
                }
                Answer::NotLinearizable(violation) => {
                    assert!(!expected, "{}", about());
                    assert!(violation.minimal);
                    let mut forgotten = vec![true; operations.len()];
                    violation.operations.iter().for_each(|&of| forgotten[of] = false);
                    assert!(
                        !is_linearizable(&model, &operations, &forgotten),
                        "{violation:?} {}",
                        about()
                    );
                    for &one in &violation.operations {
                        forgotten[one] = true;
                        assert!(
                            is_linearizable(&model, &operations, &forgotten),
                            "{one} of {violation:?} {}",
                            about()
                        );
                        forgotten[one] = false;
                    }
                }
                Answer::Undecided(undecided) => {
                    let all = undecided.open.iter().map(|open| open.operations).sum::<usize>();
                    assert_eq!(all + undecided.decided_operations, operations.len());
                }
            }
        }
        if expected {
            counts.right += 1;
        } else {
            counts.wrong += 1;
        }
    }
    eprintln!("{counts:?}");
    assert!(counts.right > counts.wrong / 20 && counts.wrong > counts.right / 20, "{counts:?}");
    counts
}

#[test]
fn register() {
    assert!(agree::<Register<u8>>().distinct > 10);
}

#[test]
fn cas_register() {
    assert!(agree::<CasRegister<u8>>().distinct > 10);
}

#[test]
fn kv() {
    assert!(agree::<Kv>().distinct > 10);
}

#[test]
fn unsplit_kv() {
    agree::<Unsplit<Kv>>();
}

#[test]
fn versioned_kv() {
    agree::<VersionedKv>();
}

#[test]
fn queue() {
    agree::<Queue<u8>>();
}

#[test]
fn a_model_that_is_not_deterministic() {
    agree::<Bag>();
}
