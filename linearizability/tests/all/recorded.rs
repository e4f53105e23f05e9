//! Recorded histories of real services, with the right answers.
//!
//! They are Porcupine's and stay where they are: `LINEARIZABILITY_RECORDED` names their folder. Where
//! it is not set, the tests say that they were skipped.

use std::io::Write as _;
use std::path::PathBuf;

use linearizability::models::{CasRegister, Kv, Unsplit};
use linearizability::read::{self, Value};
use linearizability::{Answer, History, Limits, Means, Model, check, check_by, witness};

/// The etcd histories below 50 that are linearizable.
const ETCD_OK: [usize; 10] = [2, 5, 7, 18, 25, 31, 38, 45, 48, 49];

/// The text of a file, if there is a folder.
fn text(name: &str) -> Option<String> {
    let Some(folder) = std::env::var_os("LINEARIZABILITY_RECORDED").map(PathBuf::from) else {
        // Not by `eprintln!`, which the harness keeps to itself when a test passes.
        let why = "LINEARIZABILITY_RECORDED names no folder of recorded histories";
        let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was checked: {why}");
        return None;
    };
    Some(std::fs::read_to_string(folder.join(name)).expect("the folder has the file"))
}

/// Checks an answer, and that what it says for it holds. With `minimal`, a violation must be that.
fn check_answer<M: Model>(
    model: &M,
    history: &History<M::Input, M::Output>,
    answer: Answer<M::Key>,
    is_right: bool,
    minimal: bool,
) {
    match answer {
        Answer::Linearizable(order) => {
            assert!(is_right);
            assert_eq!(witness::verify(model, history, &order), Ok(order));
        }
        Answer::NotLinearizable(violation) => {
            assert!(!is_right);
            assert!(violation.operations.contains(&violation.culprit));
            assert!(violation.minimal || !minimal, "{:?}", violation.operations);
        }
        Answer::Undecided(undecided) => panic!("{:?}", undecided.open),
    }
}

#[test]
fn etcd() {
    let model = CasRegister { initial: Value::Nil };
    for number in 0..50 {
        let Some(text) = text(&format!("etcd_{number:03}.log")) else { return };
        let history = read::cas_register(&text).unwrap();
        let report = check(&model, &history, &Limits::default());
        check_answer(&model, &history, report.answer, ETCD_OK.contains(&number), true);
        assert!(report.work.steps < 200_000, "{number}: {:?}", report.work);
    }
}

#[test]
fn kv() {
    for clients in ["01", "10", "50"] {
        for is_right in [true, false] {
            let name = format!("c{clients}-{}.txt", if is_right { "ok" } else { "bad" });
            let Some(text) = text(&name) else { return };
            let history = read::kv(&text).unwrap();
            let by = |means: &[Means]| check_by(&Kv, &history, means, &Limits::default()).answer;
            // For a search through texts of many appends, the fewest operations can be too hard.
            check_answer(&Kv, &history, by(&[Means::Search]), is_right, false);
            check_answer(&Kv, &history, by(&[Means::Distinct, Means::Search]), is_right, true);
            // Some texts were put and appended: where they are not distinct, that decides nothing.
            let distinct = by(&[Means::Distinct]);
            assert!(
                distinct.is_violation() != is_right || matches!(distinct, Answer::Undecided(_))
            );
        }
    }
}

#[test]
fn a_map_as_one_object() {
    let limits = Limits { steps: 5_000_000, ..Limits::default() };
    for (name, is_right) in
        [("c01-ok", true), ("c01-bad", false), ("c10-ok", true), ("c10-bad", false)]
    {
        let Some(text) = text(&format!("{name}.txt")) else { return };
        let history = read::kv(&text).unwrap();
        let report = check(&Unsplit(Kv), &history, &limits);
        check_answer(&Unsplit(Kv), &history, report.answer, is_right, false);
    }
}
