//! Whether a setting makes anything fail.
//!
//! A test relies on what it does to its cluster. If too much of that is taken away, it may fail
//! whatever it is given. So a setting counts only if the reference passes with it.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use run_record::Clock;
use run_record::setting::Setting;
use test_runs::build::{self, Messages, TestCase};
use test_runs::plan;

use super::trials::{Halt, World};
use crate::workspace;

/// With so many seeds the reference is tried. What a setting breaks, it breaks with nearly all.
pub(crate) const SEEDS: u64 = 8;

/// The same test with the reference.
pub(crate) struct Reference<'a> {
    world: Box<dyn World + 'a>,
    test: String,
    /// Whether it passes.
    known: HashMap<Setting, bool>,
}

impl<'a> Reference<'a> {
    pub(crate) fn new(world: impl World + 'a, test: &str) -> Reference<'a> {
        Reference { world: Box::new(world), test: test.to_string(), known: HashMap::new() }
    }

    /// True if the reference passes with a setting, with this seed and others.
    pub(crate) fn passes(&mut self, setting: Setting, seed: u64) -> Result<bool, Halt> {
        if let Some(known) = self.known.get(&setting) {
            return Ok(*known);
        }
        let other = |number| plan::seed(seed, &format!("reference of {}", self.test), number);
        let seeds: Vec<u64> = [seed].into_iter().chain((1..SEEDS).map(other)).collect();
        let passes = self.world.run(&setting, &seeds)?.iter().all(Option::is_none);
        self.known.insert(setting, passes);
        Ok(passes)
    }

    /// Whether the reference was seen to pass with a setting; none if it was not asked.
    pub(crate) fn known(&self, setting: Setting) -> Option<bool> {
        self.known.get(&setting).copied()
    }

    /// How many settings it was seen to fail with; none if it was never asked.
    pub(crate) fn failing(&self) -> Option<usize> {
        let failing = self.known.values().filter(|passes| !**passes).count();
        (!self.known.is_empty()).then_some(failing)
    }
}

/// The reference's test of this name, if it has one; `suite` is the package whose own tests run the
/// reference.
///
/// # Errors
/// If the reference's tests cannot be built; [`build::Interrupted`] if `stop` is set meanwhile.
pub(crate) fn find(
    suite: &str,
    test: &str,
    release: bool,
    stop: &AtomicBool,
) -> Result<Option<TestCase>> {
    let clocks = &[Clock::Sim];
    let programs = build::build(&workspace(), suite, clocks, release, Messages::Shown, stop)?;
    for program in &programs {
        let found = build::list(program, &[])?.tests.into_iter().find(|case| case.name == test);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
