//! The programs that schedules are searched for bugs with: each bug can be found, and what is found
//! is the bug.

use bench::schedules::{Code, Sampler, programs};
use labrt::Schedule;

/// What each scheduler may make with a program.
const SCHEDULES: u32 = 1_000;

const SAMPLERS: [Sampler; 6] = [
    labrt(Schedule::Walk),
    labrt(Schedule::Pct { depth: 3 }),
    labrt(Schedule::Pos),
    labrt(Schedule::Surw),
    Sampler::ShuttleRandom,
    Sampler::ShuttlePct,
];

const fn labrt(schedule: Schedule) -> Sampler {
    Sampler::Labrt { schedule, switch_every: None }
}

#[test]
fn each_bug_is_found() {
    for program in programs::all() {
        let found = SAMPLERS
            .into_iter()
            .any(|sampler| program.search(sampler, SCHEDULES).is_some_and(|found| found > 0));
        let name = program.name;
        assert!(found, "`{name}` is not found in {SCHEDULES} schedules of any scheduler");
    }
}

#[test]
fn without_its_bug_no_program_fails() {
    for program in programs::all() {
        for sampler in SAMPLERS {
            let failures = program.failures(Code::Mended, sampler, SCHEDULES);
            if let Some(failure) = failures.iter().flatten().next() {
                panic!("{} on {sampler}, mended: {}", program.name, failure.words);
            }
        }
    }
}

#[test]
fn a_search_can_be_repeated() {
    for program in programs::all() {
        for sampler in SAMPLERS {
            let [once, again] = [(); 2].map(|()| program.search(sampler, 100));
            assert_eq!(once, again, "{} on {sampler}", program.name);
        }
    }
}

#[test]
fn names_are_distinct() {
    let mut names: Vec<&str> = programs::all().iter().map(|program| program.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a name occurs twice among {names:?}");
}
