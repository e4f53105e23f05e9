//! What a test is.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use run_record::setting::Setting;

use crate::run::Run;

/// A test of some lab.
#[derive(Clone)]
pub struct Test {
    /// Its part of the lab, such as `2A`.
    pub part: &'static str,
    /// What its lines call it.
    pub title: Cow<'static, str>,
    body: Arc<dyn Fn(&Run) -> Totals + Send + Sync>,
}

impl Test {
    /// A test with this body, which is the main task of the world of each run.
    pub fn new(
        part: &'static str,
        title: impl Into<Cow<'static, str>>,
        body: impl Fn(&Run) -> Totals + Send + Sync + 'static,
    ) -> Test {
        Test { part, title: title.into(), body: Arc::new(body) }
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

impl Origin {
    /// The command that runs this test alone.
    fn command(&self) -> String {
        let own = self.krate == self.package.replace('-', "_");
        let target = if own { "--lib".to_string() } else { format!("--test {}", self.krate) };
        let module = self.module.split_once("::").map_or("", |(_, inner)| inner);
        let path =
            if module.is_empty() { self.name.into() } else { format!("{module}::{}", self.name) };
        format!("cargo test -p {} {target} -- --exact {path}", self.package)
    }

    /// The command that repeats a run.
    pub(crate) fn replay(&self, seed: Option<u64>, setting: Setting) -> String {
        let mut command = self.command();
        if let Some(seed) = seed {
            command = format!("LAB_SEED={seed} {command}");
        }
        if !setting.is_whole() {
            command = format!("LAB_SETTING={setting} {command}");
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use run_record::setting::Trouble;

    use super::*;

    fn origin(krate: &'static str, module: &'static str) -> Origin {
        let name = "initial_election_2A";
        Origin { package: "my-raft", krate, module, name, scratch: None }
    }

    #[test]
    fn the_replay_command_names_package_target_and_test() {
        let integration = origin("sim", "sim").replay(Some(7), Setting::default());
        let expected = "LAB_SEED=7 cargo test -p my-raft --test sim -- --exact initial_election_2A";
        assert_eq!(integration, expected);
        let unit = origin("my_raft", "my_raft::tests").command();
        assert_eq!(unit, "cargo test -p my-raft --lib -- --exact tests::initial_election_2A");
    }

    #[test]
    fn the_replay_command_repeats_the_setting() {
        let setting =
            Setting::default().with(Trouble::Cuts, Some(1)).with(Trouble::Losses, Some(0));
        let replay = origin("sim", "sim").replay(Some(7), setting);
        assert!(replay.starts_with("LAB_SETTING=losses=0,cuts=1 LAB_SEED=7 cargo"), "{replay}");
    }
}
