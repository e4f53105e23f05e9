//! How many states there are.

use rayon::ThreadPoolBuilder;

use super::{all, one_term};
use crate::{Limits, Mistake, Model, Start, check};

/// Small clusters, with the number of their states, of those that they stand for, and of the steps to
/// the last one.
fn spaces() -> Vec<(Model, [u64; 3])> {
    let model = one_term();
    vec![
        (Model { servers: 1, terms: 3, commands: 3, crashes: 2, ..model.clone() }, [249, 249, 10]),
        (Model { servers: 2, terms: 2, crashes: 2, ..model.clone() }, [4_904, 9_753, 18]),
        (model.clone(), [446, 2_627, 16]),
        (Model { crashes: 1, duplicates: None, ..model.clone() }, [4_110, 24_355, 19]),
        (Model { commands: 2, failures: 1, ..model.clone() }, [8_609, 51_605, 21]),
        (Model { commands: 2, snapshots: 2, ..model.clone() }, [12_344, 74_015, 25]),
        (Model { commands: 2, heartbeats: 1, ..model.clone() }, [212_545, 1_275_221, 30]),
        (
            Model { start: Start::Tails(1), terms: 3, commands: 3, crashes: 1, ..model.clone() },
            [33_969, 203_814, 22],
        ),
        (Model { servers: 4, ..model }, [2_266, 47_801, 23]),
    ]
}

/// Nothing is broken in any of them, and none is larger or smaller than it was.
#[test]
fn small_spaces_are_exhausted_and_nothing_is_broken() {
    for (model, sizes) in spaces() {
        let found = all(&model);
        assert!(found.exhausted, "{}", model.words());
        let depth = u64::from(found.depth);
        assert_eq!([found.states, found.stands_for, depth], sizes, "{}", model.words());
    }
}

/// What a state stands for is what is found if servers have names.
#[test]
fn states_stand_for_those_with_other_names() {
    for (model, [_, stands_for, depth]) in
        spaces().into_iter().filter(|(_, sizes)| sizes[1] < 100_000)
    {
        let found = all(&Model { symmetry: false, ..model.clone() });
        let sizes = [found.states, found.stands_for, u64::from(found.depth)];
        assert_eq!(sizes, [stands_for, stands_for, depth], "{}", model.words());
    }
}

#[test]
fn a_result_does_not_depend_on_threads() {
    let right = Model { commands: 2, snapshots: 1, ..one_term() };
    let wrong = Model { mistake: Some(Mistake::RestrictionIgnored), terms: 2, ..right.clone() };
    let limits = Limits { states: 50_000, ..Limits::default() };
    let [one, three] = [1, 3].map(|threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| [&right, &wrong].map(|model| check(model, &limits, &mut |_| {})))
    });
    assert!(one[1].counterexample.is_some(), "what is to be compared is there");
    for (one, three) in one.iter().zip(&three) {
        let words = [one, three].map(|one| one.counterexample.as_ref().map(|it| it.words()));
        assert_eq!(words[0], words[1]);
        assert_eq!((one.states, one.steps), (three.states, three.steps));
        assert_eq!((&one.situations, one.parts), (&three.situations, three.parts));
    }
}

#[test]
fn a_search_ends_at_its_limits() {
    let model = Model { terms: 2, ..Model::default() };
    let few = check(&model, &Limits { states: 20_000, ..Limits::default() }, &mut |_| {});
    assert!(!few.exhausted && (20_000..100_000).contains(&few.states), "{few:?}");
    let mut rounds = 0;
    let near = check(&model, &Limits { depth: 4, ..Limits::default() }, &mut |_| rounds += 1);
    assert!(!near.exhausted && near.depth == 4 && rounds == 4, "{near:?}");
}

#[test]
#[should_panic(expected = "6 servers: there can be 1 to 5 with this start")]
fn impossible_bounds_are_refused() {
    all(&Model { servers: 6, ..Model::default() });
}
