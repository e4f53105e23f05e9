//! That nothing is broken is worth something only if what matters is come to.

use run_record::situations::Layer;

use super::one_term;
use crate::{Limits, Model, Start, check};

/// Together these small clusters come into every situation that the tester knows.
#[test]
fn every_situation_is_come_to() {
    let tails = |tails| Model {
        start: Start::Tails(tails),
        terms: tails + 2,
        commands: tails + 2,
        ..Model::default()
    };
    let models = [
        Model { terms: 2, crashes: 2, servers: 2, ..one_term() },
        Model { commands: 2, snapshots: 2, duplicates: Some(1), ..one_term() },
        Model { crashes: 1, ..tails(1) },
        tails(2),
        tails(3),
        Model { terms: 2, ..one_term() },
    ];
    let limits = Limits { states: 250_000, depth: u32::MAX };
    let mut sums = vec![0; Layer::Raft.situations().len()];
    for model in models {
        let found = check(&model, &limits, &mut |_| {});
        assert!(found.counterexample.is_none(), "{}", model.words());
        sums.iter_mut().zip(&found.situations).for_each(|(sum, count)| *sum += count);
    }
    let missing = Layer::Raft.situations().iter().zip(&sums).filter(|(_, sum)| **sum == 0);
    let missing: Vec<&str> = missing.map(|(situation, _)| situation.says()).collect();
    assert!(missing.is_empty(), "no step leads into these: {missing:#?}");
}
