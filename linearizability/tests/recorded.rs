//! Recorded histories of real services, with the right answers.
//!
//! They are Porcupine's and stay where they are: `LINEARIZABILITY_RECORDED` names their folder. Where
//! it is not set, the tests say that they were skipped.

use std::path::PathBuf;

use linearizability::models::{CasRegister, Kv, Unsplit};
use linearizability::read::{self, Value};
use linearizability::{Answer, Limits, Means, Model, check, check_by, witness};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("LINEARIZABILITY_RECORDED").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: LINEARIZABILITY_RECORDED names no folder of recorded histories");
    }
    folder
}

/// The etcd histories below 50 that are linearizable.
const ETCD_OK: [usize; 10] = [2, 5, 7, 18, 25, 31, 38, 45, 48, 49];

#[test]
fn etcd() {
    let Some(folder) = folder() else { return };
    let model = CasRegister { initial: Value::Nil };
    for number in 0..50 {
        let text = std::fs::read_to_string(folder.join(format!("etcd_{number:03}.log"))).unwrap();
        let history = read::cas_register(&text).unwrap();
        let report = check(&model, &history, &Limits::default());
        eprintln!("{number} {:?}", report.work);
        match report.answer {
            Answer::Linearizable(order) => {
                assert!(ETCD_OK.contains(&number), "{number}");
                assert_eq!(witness::verify(&model, &history, &order), Ok(order));
            }
            Answer::NotLinearizable(violation) => {
                assert!(!ETCD_OK.contains(&number), "{number}");
                eprintln!("  {} {}", violation.minimal, violation.operations.len());
            }
            Answer::Undecided(undecided) => panic!("{number}: {undecided:?}"),
        }
    }
}

#[test]
fn kv() {
    let Some(folder) = folder() else { return };
    for clients in ["01", "10", "50"] {
        for is_right in [true, false] {
            let name = format!("c{clients}-{}.txt", if is_right { "ok" } else { "bad" });
            let text = std::fs::read_to_string(folder.join(&name)).unwrap();
            let history = read::kv(&text).unwrap();
            for means in [&[Means::Distinct][..], &[Means::Search]] {
                let begin = std::time::Instant::now();
                let report = check_by(&Kv, &history, means, &Limits::default());
                eprintln!("{name} {means:?} {:?} {:?}", report.work, begin.elapsed());
                if means == [Means::Distinct] && matches!(report.answer, Answer::Undecided(_)) {
                    continue;
                }
                assert_eq!(report.answer.is_linearizable(), is_right, "{name}");
                assert_eq!(report.answer.is_violation(), !is_right, "{name}");
                if let Answer::NotLinearizable(violation) = &report.answer {
                    eprintln!("{violation:?}");
                    for &operation in &violation.operations {
                        let operation = &history.operations()[operation];
                        let output = operation.output();
                        eprintln!(
                            "  {} {}",
                            operation.client,
                            Kv.describe(&operation.input, output)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn unsplit_kv() {
    let Some(folder) = folder() else { return };
    for (name, is_right) in
        [("c01-ok", true), ("c01-bad", false), ("c10-ok", true), ("c10-bad", false)]
    {
        let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        let history = read::kv(&text).unwrap();
        let begin = std::time::Instant::now();
        let report = check(&Unsplit(Kv), &history, &Limits::default());
        eprintln!("{name} {:?} {:?}", report.work, begin.elapsed());
        assert_eq!(report.answer.is_linearizable(), is_right, "{name}");
        assert_eq!(report.answer.is_violation(), !is_right, "{name}");
    }
}
