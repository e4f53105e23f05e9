//! Variables of the environment that decide how a run goes.
//!
//! A run depends on its seed, and on what the code under test reads from outside. What it reads here is
//! known afterwards: a tester names it in the command that repeats the run.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

/// What was asked for, with its value if it is set.
static ASKED: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());

/// The value of a variable; none if it is not set or is no text. No step of a simulated run.
///
/// ```
/// // Which of its bugs a program is to have, say.
/// let bug = labrt::env::var("MY_RAFT_BUG");
/// assert_eq!(bug, None);
/// ```
pub fn var(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    ASKED.lock().insert(name.to_string(), value.clone());
    value
}

/// The variables that the code of this process has asked for by [`var`] and that are set, with their
/// values.
pub fn asked() -> BTreeMap<String, String> {
    let asked = ASKED.lock();
    asked.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect()
}

/// The names of all variables that the code of this process has asked for by [`var`], set or not: no other
/// variable has had a say in its runs.
pub fn names() -> BTreeSet<String> {
    ASKED.lock().keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_and_is_set_is_remembered() {
        let unset = "LABRT_TEST_OF_A_VARIABLE_THAT_IS_NOT_SET";
        assert_eq!(var(unset), None);
        let name = "CARGO_MANIFEST_DIR";
        assert_eq!(var(name), std::env::var(name).ok());
        let asked = asked();
        assert!(asked.contains_key(name) && asked.len() == 1, "{asked:?}");
        // That it is not set decides as much.
        assert_eq!(names(), [name, unset].map(str::to_string).into());
    }
}
