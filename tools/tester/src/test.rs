//! What a test is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use run_record::choices::{self, Case};
use run_record::schedule::Schedule;
use run_record::setting::Setting;

use crate::report::Columns;
use crate::run::Run;

/// A test of some lab.
#[derive(Clone)]
pub struct Test {
    /// Its part of the lab, such as `2A`.
    pub part: &'static str,
    /// What its lines call it.
    pub title: Cow<'static, str>,
    /// What the lines of its steps call them, if it has several.
    pub(crate) steps: &'static [&'static str],
    /// What its last line shows.
    pub(crate) columns: Columns,
    body: Arc<dyn Fn(&Run) -> Totals + Send + Sync>,
}

impl Test {
    /// A test with this body, which is the main task of the world of each run.
    pub fn new(
        part: &'static str,
        title: impl Into<Cow<'static, str>>,
        body: impl Fn(&Run) -> Totals + Send + Sync + 'static,
    ) -> Test {
        let (steps, columns) = (&[], Columns::default());
        Test { part, title: title.into(), steps, columns, body: Arc::new(body) }
    }

    /// The same test with these columns in its last line. Default: those of lab 2.
    #[must_use]
    pub fn with_columns(self, columns: Columns) -> Test {
        Test { columns, ..self }
    }

    /// The same test in steps, each with a title and a last line of its own. The body says when each
    /// but the last one is done ([`Run::ends_step`](crate::Run::ends_step)).
    #[must_use]
    pub fn in_steps(self, steps: &'static [&'static str]) -> Test {
        Test { steps, ..self }
    }

    /// Runs it within the world that the caller is in. Nobody else may have entered a run there.
    ///
    /// # Panics
    /// If the test fails.
    pub fn play(&self, run: &Run) -> Totals {
        run.enter();
        (self.body)(run)
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Test ({}): {}", self.part, self.title)
    }
}

/// The sums that the last line of a test shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How long the test took, on its clock.
    pub time: Duration,
    /// How many servers there were.
    pub servers: usize,
    /// How many RPCs were sent.
    pub rpcs: u64,
    /// How many bytes the RPCs had.
    pub bytes: u64,
    /// How many operations there were: entries that were committed, or calls of clerks.
    pub operations: u64,
}

impl Totals {
    /// What came after some earlier sums of the same run.
    pub fn since(&self, earlier: &Totals) -> Totals {
        Totals {
            time: self.time.saturating_sub(earlier.time),
            servers: self.servers,
            rpcs: self.rpcs.saturating_sub(earlier.rpcs),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            operations: self.operations.saturating_sub(earlier.operations),
        }
    }

    /// The sums of several steps of a run.
    pub(crate) fn whole(steps: &[Totals]) -> Totals {
        let sum = |of: fn(&Totals) -> u64| steps.iter().map(of).sum::<u64>();
        Totals {
            time: steps.iter().map(|totals| totals.time).sum(),
            servers: steps.first().map_or(0, |totals| totals.servers),
            rpcs: sum(|totals| totals.rpcs),
            bytes: sum(|totals| totals.bytes),
            operations: sum(|totals| totals.operations),
        }
    }

    /// The mean of several runs, rounded.
    pub(crate) fn mean(sums: &[Totals]) -> Totals {
        let runs = sums.len().max(1) as u64;
        let average = |of: fn(&Totals) -> u64| (sums.iter().map(of).sum::<u64>() + runs / 2) / runs;
        Totals {
            time: sums.iter().map(|totals| totals.time).sum::<Duration>() / runs as u32,
            servers: sums.first().map_or(0, |totals| totals.servers),
            rpcs: average(|totals| totals.rpcs),
            bytes: average(|totals| totals.bytes),
            operations: average(|totals| totals.operations),
        }
    }
}

/// Where a test was stamped out, to name the command that repeats it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The package.
    pub package: &'static str,
    /// The crate: the test target's name, or the package's own.
    pub krate: &'static str,
    /// The module path of the test's function.
    pub module: &'static str,
    /// The name of the test's function.
    pub name: &'static str,
    /// A folder of the build's that tests may write to, if cargo says which.
    pub scratch: Option<&'static str>,
}

/// The [`Origin`] of a test whose function has this name, in the module where this stands.
#[macro_export]
macro_rules! origin {
    ($name:expr) => {
        $crate::Origin {
            package: env!("CARGO_PKG_NAME"),
            krate: env!("CARGO_CRATE_NAME"),
            module: module_path!(),
            name: $name,
            scratch: option_env!("CARGO_TARGET_TMPDIR"),
        }
    };
}

impl Origin {
    /// The command that runs this test alone.
    fn command(&self) -> String {
        let own = self.krate == self.package.replace('-', "_");
        let target = if own { "--lib".to_string() } else { format!("--test {}", self.krate) };
        format!("cargo test -p {} {target} -- --exact {}", self.package, self.path())
    }

    /// What the test is called in its test program.
    pub(crate) fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.name),
            None => self.name.to_string(),
        }
    }

    /// The command that repeats a run, with the variables that the code under test has asked for.
    pub(crate) fn replay(
        &self,
        case: Option<&Case>,
        setting: Setting,
        schedule: Schedule,
    ) -> String {
        self.replay_with(labrt::env::asked(), case, setting, schedule)
    }

    fn replay_with(
        &self,
        mut variables: BTreeMap<String, String>,
        case: Option<&Case>,
        setting: Setting,
        schedule: Schedule,
    ) -> String {
        if schedule != Schedule::default() {
            variables.insert(run_record::schedule::VARIABLE.to_string(), schedule.to_string());
        }
        if !setting.is_whole() {
            variables.insert(run_record::setting::VARIABLE.to_string(), setting.to_string());
        }
        if let Some(case) = case.filter(|case| !case.choices.is_empty()) {
            variables.insert(choices::VARIABLE.to_string(), case.choices.to_string());
        }
        let mut words: Vec<String> =
            variables.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        words.extend(case.map(|case| format!("LAB_SEED={}", case.seed)));
        words.push(self.command());
        words.join(" ")
    }
}

/// A value as a shell takes it.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=,.:/@%".contains(c);
    match value.chars().all(plain) {
        true => value.to_string(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use run_record::setting::Trouble;

    use super::*;

    fn case(choices: &str) -> Case {
        Case { seed: 7, choices: choices.parse().expect("choices") }
    }

    fn origin(krate: &'static str, module: &'static str) -> Origin {
        let name = "initial_election_2A";
        Origin { package: "my-raft", krate, module, name, scratch: None }
    }

    #[test]
    fn the_replay_command_names_package_target_and_test() {
        let integration =
            origin("sim", "sim").replay(Some(&case("")), Setting::default(), Schedule::Walk);
        let expected = "LAB_SEED=7 cargo test -p my-raft --test sim -- --exact initial_election_2A";
        assert_eq!(integration, expected);
        let unit = origin("my_raft", "my_raft::tests").command();
        assert_eq!(unit, "cargo test -p my-raft --lib -- --exact tests::initial_election_2A");
    }

    #[test]
    fn the_replay_command_repeats_schedule_and_setting() {
        let setting =
            Setting::default().with(Trouble::Cuts, Some(1)).with(Trouble::Losses, Some(0));
        let replay = origin("sim", "sim").replay(Some(&case("")), setting, Schedule::Pos);
        assert!(
            replay.starts_with("LAB_SCHEDULE=pos LAB_SETTING=losses=0,cuts=1 LAB_SEED=7 cargo"),
            "{replay}"
        );
    }

    #[test]
    fn the_replay_command_repeats_choices() {
        let case = case("1.5:3,2:4");
        let replay = origin("sim", "sim").replay(Some(&case), Setting::default(), Schedule::Walk);
        assert!(
            replay.starts_with("LAB_CHOICES=1.500000:3,2.000000:4 LAB_SEED=7 cargo test"),
            "{replay}"
        );
    }

    #[test]
    fn the_replay_command_sets_what_the_code_has_asked_for() {
        let set = |value: &str| {
            let variables = BTreeMap::from([("RAFT_ZOO".to_string(), value.to_string())]);
            let (setting, schedule) = (Setting::default(), Schedule::Walk);
            origin("sim", "sim").replay_with(variables, Some(&case("")), setting, schedule)
        };
        assert!(set("SameTimeout").starts_with("RAFT_ZOO=SameTimeout LAB_SEED=7 cargo test"));
        assert!(set("it's 2").starts_with(r"RAFT_ZOO='it'\''s 2' LAB_SEED=7 cargo test"));
        assert!(set("").starts_with("RAFT_ZOO= LAB_SEED=7 cargo test"));
    }
}
