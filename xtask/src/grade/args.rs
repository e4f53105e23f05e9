//! The command line of `cargo xtask grade`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::duration;
use crate::labs::Lab;

/// Run the tests of a lab on a student's crate and give points for each part.
///
/// A test earns its share of the part's points times the share of its runs that passed. The exit code
/// is 0 whatever the points are, and 70 if there can be no result or grading was interrupted.
/// Failed runs cost at least ten points in all (--least-loss).
#[derive(Args, Clone, Debug)]
pub(crate) struct Grade {
    /// The student's crate.
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Grade all crates that lie in the folders of this folder, and make one table of the results.
    #[arg(long, value_name = "DIR", conflicts_with = "dir")]
    pub(crate) class: Option<PathBuf>,
    /// Go on with an earlier grading that was ended. What was done stays; a crate that has changed since is graded
    /// anew, and its old result stays until there is a new one. If it is another way of grading now (options, the
    /// compiler, this workspace), nothing is done.
    #[arg(long)]
    pub(crate) resume: bool,
    /// With --resume: if it is another way of grading now, all is graded anew. For `calibrate`, whose results nobody
    /// hands out.
    #[arg(long, hide = true, requires = "resume")]
    pub(crate) else_anew: bool,
    /// With how many seeds each test runs.
    #[arg(long, default_value_t = SEEDS, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// What the seeds are derived from; the same for all students of a class.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Stop after so long, such as 10m. Runs that were not made by then have not passed. With --class, this is
    /// for each crate, and an hour if nothing is said.
    #[arg(long, value_parser = duration::parse, value_name = "TIME")]
    pub(crate) time_limit: Option<Duration>,
    /// How many processes to run at once, compilers too [default: the cores].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) jobs: Option<u64>,
    /// A crate that students' crates may depend on, beside the usual ones: one of a registry, or of this
    /// workspace. May be given several times.
    #[arg(long, value_name = "CRATE")]
    pub(crate) allow: Vec<String>,
    /// Students' own code may be `unsafe`. Then it can do in its process whatever it likes.
    #[arg(long)]
    pub(crate) allow_unsafe: bool,
    /// Students' own code may have statics that hold state. Then servers can share it without RPC.
    #[arg(long)]
    pub(crate) allow_statics: bool,
    /// Where a rule could not be judged, there are no points for the test; nor where a run was another one
    /// when it was repeated. Without this it is only reported.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Students' crates may have build scripts and procedural macros of their own.
    #[arg(long)]
    pub(crate) allow_build: bool,
    /// How many points are lost at least if any run fails. A run that fails shows a mistake, and how often a
    /// mistake shows says little of how bad it is.
    #[arg(long, default_value_t = LEAST_LOSS, value_parser = points, value_name = "POINTS")]
    pub(crate) least_loss: f64,
    /// How much a crate may write to the disk while it is built, in MiB.
    #[arg(long, default_value_t = 2048, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) build_size: u64,
    /// How much memory cargo and its compilers may take in all while a crate is built, in MiB. Three quarters of what
    /// this machine has, if nothing is said, but 1024 for each compiler in any case. On Linux alone.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) build_memory: Option<u64>,
    /// Build and run students' code with all of your own rights, and not locked in. Where it cannot be locked
    /// in, nothing is graded without this.
    #[arg(long)]
    pub(crate) open_room: bool,
    /// The lab: 2 (Raft), 3 (a key/value service) or 4 (the same in shards).
    #[arg(long, default_value = "2", value_parser = Lab::named)]
    pub(crate) lab: &'static Lab,
    /// A JSON file with the points of each part of the lab, such as {"2A": 30, "2B": 35, "2C": 35}.
    #[arg(long)]
    pub(crate) weights: Option<PathBuf>,
    /// A type of the crate under test, if it has another name than usual: `--type MyRaft` where there
    /// is only one, and `--type Server=MyServer` where there are several.
    #[arg(long = "type", value_name = "[NAME=]TYPE")]
    pub(crate) types: Vec<String>,
    /// The folder for grade.txt, grade.json and results.json (for Gradescope) [default:
    /// target/grade/NAME, of labs 3 and 4 NAME-labN]; with --class, a folder like it for each crate, and the table
    /// [default: target/grade/class-NAME-labN].
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

/// With how many seeds a test runs: with so many, no known mistake's points change by more than 2 from one base of
/// seeds to another (docs/grading.md).
pub(crate) const SEEDS: u64 = 25;

/// What a mistake costs at least, in points, if nothing else is said.
pub(crate) const LEAST_LOSS: f64 = 10.0;

fn points(text: &str) -> Result<f64, String> {
    let points = text.parse().ok().filter(|points: &f64| points.is_finite() && *points >= 0.0);
    points.ok_or_else(|| "a number of points, 0 or more, is wanted".to_string())
}

/// How long a crate of a class may take, if nothing is said: much longer than a crate that is worth points.
const CLASS_LIMIT: Duration = Duration::from_secs(3600);

impl Grade {
    /// How long a crate may take.
    pub(crate) fn time_limit(&self) -> Option<Duration> {
        self.time_limit.or(self.class.as_ref().map(|_| CLASS_LIMIT))
    }

    /// What decides, beside the crate and the lab's tests, what comes of a grading: options with their values.
    pub(crate) fn settings(&self) -> impl IntoIterator<Item = (String, String)> + use<> {
        let mut allow = self.allow.clone();
        allow.sort();
        [
            ("--lab", self.lab.number.to_string()),
            ("--seeds", self.seeds.to_string()),
            ("--seed", self.seed.to_string()),
            ("--allow", allow.join(", ")),
            ("--allow-unsafe", self.allow_unsafe.to_string()),
            ("--allow-statics", self.allow_statics.to_string()),
            ("--allow-build", self.allow_build.to_string()),
            ("--strict", self.strict.to_string()),
            ("--open-room", self.open_room.to_string()),
            ("--build-size", self.build_size.to_string()),
            ("--build-memory", self.build_memory.map_or_else(String::new, |mib| mib.to_string())),
            ("--least-loss", self.least_loss.to_string()),
        ]
        .map(|(name, value)| (name.to_string(), value))
    }
}

/// The points of each part.
pub(crate) type Weights = BTreeMap<String, f64>;

/// The types under test, as they are called within the crate, in the order of the lab.
pub(crate) fn types(lab: &Lab, said: &[String]) -> Result<Vec<String>> {
    let mut types: Vec<String> = lab.types.iter().map(|one| one.name.to_string()).collect();
    for words in said {
        let known = || lab.types.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
        let (usual, name) = match (words.split_once('='), lab.types) {
            (Some(both), _) => both,
            (None, [only]) => (only.name, words.as_str()),
            (None, _) => {
                bail!("--type {words}: which one is it? say NAME={words}; NAME is {}", known())
            }
        };
        let place = lab.types.iter().position(|one| one.name == usual);
        let place = place.with_context(|| {
            format!("--type {words}: lab {} has no type {usual}; it has {}", lab.number, known())
        })?;
        types[place] = name.to_string();
    }
    Ok(types)
}

/// Reads the points of each part from a file; those of the lab without one.
pub(crate) fn read_weights(lab: &Lab, file: Option<&Path>) -> Result<Weights> {
    let Some(file) = file else {
        let worth_something = lab.parts.iter().filter(|part| part.points > 0.0);
        return Ok(worth_something.map(|part| (part.name.to_string(), part.points)).collect());
    };
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let weights: Weights = serde_json::from_str(&text).with_context(|| {
        let usual = lab.parts.iter().filter(|part| part.points > 0.0);
        let usual: Vec<String> =
            usual.map(|part| format!("\"{}\": {}", part.name, part.points)).collect();
        format!("{} must be JSON such as {{{}}}", file.display(), usual.join(", "))
    })?;
    ensure!(!weights.is_empty(), "{} names no part of the lab", file.display());
    for (part, points) in &weights {
        let known = lab.parts.iter().map(|part| part.name).collect::<Vec<_>>().join(", ");
        ensure!(
            lab.part(part).is_some(),
            "lab {} has no part `{part}`; it has {known}",
            lab.number
        );
        ensure!(points.is_finite() && *points >= 0.0, "part {part} has {points} points");
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(number: &str) -> &'static Lab {
        Lab::named(number).expect("a lab")
    }

    #[test]
    fn what_leaves_no_time_or_no_room_is_refused() {
        use clap::Parser;

        #[derive(Debug, Parser)]
        struct Line {
            #[command(flatten)]
            _grade: Grade,
        }

        for (option, value) in [("--time-limit", "0s"), ("--build-size", "0"), ("--seeds", "0")] {
            let refused =
                Line::try_parse_from(["grade", option, value]).expect_err("it is nothing");
            assert!(refused.to_string().contains(option), "{refused}");
        }
        Line::try_parse_from(["grade", "--time-limit", "1ms", "--build-size", "1"])
            .expect("little");
    }

    #[test]
    fn types_have_their_usual_names_unless_it_is_said_otherwise() {
        let of = |number, said: &[&str]| {
            let said: Vec<String> = said.iter().map(ToString::to_string).collect();
            types(lab(number), &said).map_err(|error| error.to_string())
        };
        assert_eq!(of("2", &[]), Ok(vec!["Raft".to_string()]));
        assert_eq!(of("2", &["a::MyRaft"]), Ok(vec!["a::MyRaft".to_string()]));
        assert_eq!(of("3", &["Clerk=C"]), Ok(vec!["Server".to_string(), "C".to_string()]));
        let refused = |number, said| of(number, &[said]).expect_err("it makes no sense");
        assert!(refused("3", "C").contains("say NAME=C; NAME is Server, Clerk"));
        assert!(refused("2", "Clerk=C").contains("lab 2 has no type Clerk; it has Raft"));
    }

    #[test]
    fn weights_are_for_parts_of_the_lab() {
        let usual = read_weights(lab("2"), None).expect("the usual ones");
        assert_eq!(usual.keys().collect::<Vec<_>>(), ["2A", "2B", "2C"]);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("weights");
        let read = |text: &str| {
            fs::write(&file, text).expect("a file");
            read_weights(lab("3"), Some(&file)).map_err(|error| error.to_string())
        };
        assert_eq!(read(r#"{"3B": 7}"#).map(|weights| weights["3B"]), Ok(7.0));
        let refused = |text| read(text).expect_err("it makes no sense");
        assert!(refused(r#"{"2A": 7}"#).contains("lab 3 has no part `2A`; it has 3A, 3B"));
        assert!(refused(r#"{"3A": -1}"#).contains("part 3A has -1 points"));
        assert!(refused("{}").contains("names no part"));
        assert!(refused("[]").ends_with("must be JSON such as {\"3A\": 50, \"3B\": 50}"));
    }
}
