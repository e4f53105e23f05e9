//! `cargo xtask calibrate`: is the grading just? Each known mistake, and each solution that is right, is run with
//! many seeds; from these runs follows what points a grading takes, and how that changes with the seeds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use test_runs::{package, platform};

use crate::grade::{GRADED_ANEW, LEAST_LOSS, SEEDS};
use crate::labs::Lab;
use crate::stress::markdown::table_with_words;
use crate::{say, workspace};

mod estimate;
mod subjects;

use estimate::{ENOUGH, Estimate, Grading, Seen, estimate};
use subjects::Subject;

/// Run the mistakes of the zoos, and right solutions, with many seeds, and say what points they lose.
///
/// All parts of the lab count: a part of the course that is usually worth nothing has 35 points here, and what no course
/// has is run for no points. What was run before in the same way is not run again; what was run in another way (--runs,
/// the compiler, this workspace) is.
#[derive(Args, Debug)]
pub(crate) struct Calibrate {
    /// The lab: 2 (Raft), 3 (a key/value service) or 4 (the same in shards).
    #[arg(long, default_value = "2", value_parser = Lab::named)]
    lab: &'static Lab,
    /// With how many seeds a grading runs each test.
    #[arg(long, default_value_t = SEEDS, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// With how many seeds each test is run here: from these runs follows what comes of gradings.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Only those whose name contains this. May be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// The folder for the results [default: target/grade/calibration].
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What a part of the course is worth here that is usually worth nothing.
const USUALLY_NOTHING: f64 = 35.0;
/// How probable it has to be that a grading is just.
const SURE: f64 = 0.99;
/// How much the points may change from one base of seeds to another: a standard deviation.
const MOST_SPREAD: f64 = 2.0;

/// What we need of `grade.json`.
#[derive(Deserialize)]
struct Grade {
    points: Option<f64>,
    note: Option<String>,
    problem: Option<String>,
    tests: Vec<Graded>,
}

/// What we need of a test there.
#[derive(Deserialize)]
struct Graded {
    runs: u64,
    passed: u64,
    of: f64,
}

/// A right solution of a lab, as arguments of `grade`: its crate, within this workspace, and its types.
pub(crate) fn right(lab: &Lab) -> Option<Vec<String>> {
    subjects::right(lab).map(|(dir, types)| {
        let types = types.iter().flat_map(|name| ["--type", *name]);
        [dir].into_iter().chain(types).map(str::to_string).collect()
    })
}

/// The names of the mistakes of a lab's zoo.
///
/// # Errors
/// If they cannot be read.
pub(crate) fn mistakes(lab: &Lab, workspace: &Path) -> Result<Vec<String>> {
    let subjects = subjects::of(lab, workspace)?;
    Ok(subjects.into_iter().filter(|one| !one.right).map(|one| one.name).collect())
}

/// Runs all subjects and prints the table; returns the exit code.
pub(crate) fn run(calibrate: &Calibrate) -> Result<u8> {
    let out = match &calibrate.out {
        Some(folder) => folder.clone(),
        None => package::target_directory(&workspace())?.join("grade").join("calibration"),
    };
    ensure!(
        calibrate.runs >= calibrate.seeds,
        "--runs {} are fewer than a grading has (--seeds {})",
        calibrate.runs,
        calibrate.seeds
    );
    let wanted = |subject: &Subject| {
        calibrate.only.is_empty() || calibrate.only.iter().any(|part| subject.name.contains(part))
    };
    let mut subjects = subjects::of(calibrate.lab, &workspace())?;
    subjects.retain(wanted);
    ensure!(!subjects.is_empty(), "there is nothing of this name to calibrate with");
    std::fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let weights = out.join(format!("weights-lab{}.json", calibrate.lab.number));
    std::fs::write(&weights, weights_of(calibrate.lab))
        .with_context(|| format!("cannot write {}", weights.display()))?;
    let grading = Grading { seeds: calibrate.seeds, least_loss: LEAST_LOSS };
    let mut rows = Vec::new();
    let mut just = true;
    for subject in &subjects {
        let folder = out.join(format!("lab{}", calibrate.lab.number));
        let folder = folder.join(subject.name.replace('/', "-"));
        let tests = runs(calibrate, subject, &weights, &folder)
            .with_context(|| format!("while running {}", subject.name))?;
        let estimate = estimate(&tests, grading, subject.right);
        let row = row(subject, &estimate);
        say::note(&format!("calibrate: {}", row.join("  ")));
        just &= fault(subject, &estimate).is_none();
        rows.push(row);
    }
    say::print(table_with_words(&HEAD, &rows, &[0, 1, 6]))?;
    Ok(u8::from(!just))
}

/// The points of each part, as a file for `grade`.
fn weights_of(lab: &Lab) -> String {
    let part = |part: &crate::labs::Part| {
        let counts = part.points > 0.0 || part.ours;
        let points = if counts { part.points } else { USUALLY_NOTHING };
        (part.name.to_string(), points.into())
    };
    serde_json::Value::Object(lab.parts.iter().map(part).collect()).to_string()
}

/// Runs each test with a subject, and counts.
fn runs(
    calibrate: &Calibrate,
    subject: &Subject,
    weights: &Path,
    folder: &Path,
) -> Result<Vec<Seen>> {
    let grade = grade(calibrate, subject, weights, folder)?;
    let why = || grade.problem.clone().or_else(|| grade.note.clone()).unwrap_or_default();
    ensure!(grade.points.is_some() && grade.problem.is_none(), "it was not graded: {}", why());
    let seen = |test: &Graded| Seen {
        of: test.of,
        // Fewer than were wanted if all of the first ones hung.
        runs: test.runs,
        failed: test.runs - test.passed,
    };
    Ok(grade.tests.iter().map(seen).collect())
}

/// Grades a subject once, with as many seeds as are wanted.
fn grade(calibrate: &Calibrate, subject: &Subject, weights: &Path, folder: &Path) -> Result<Grade> {
    let output =
        command(calibrate, subject, weights, folder)?.output().context("cannot run grade")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", said.trim());
    if let Some(why) = anew(&said) {
        say::note(&format!("calibrate: {} is run anew: {why}", subject.name));
    }
    let file = folder.join("grade.json");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
}

/// Why what was there was not gone on with, if so, by what `grade` has said.
fn anew(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix(GRADED_ANEW))
}

/// What grades a subject.
fn command(
    calibrate: &Calibrate,
    subject: &Subject,
    weights: &Path,
    folder: &Path,
) -> Result<Command> {
    let mut command = Command::new(platform::ourselves().context("our own program is somewhere")?);
    command.arg("grade").arg(workspace().join(subject.dir)).arg("--weights").arg(weights);
    // Nobody hands these results out, so those of another way of grading are worth nothing.
    command.args(["--lab", calibrate.lab.number, "--resume", "--else-anew", "--out"]).arg(folder);
    // It is ours, and told by a variable what to be, which does not come into a room.
    command.args(["--open-room", "--seeds", &calibrate.runs.to_string()]);
    command.envs(subject.variables());
    command.args(subject.types.iter().flat_map(|name| ["--type", *name]));
    Ok(command)
}

/// What is wrong with the grading of a subject, in words; none if nothing.
fn fault(subject: &Subject, estimate: &Estimate) -> Option<String> {
    if subject.right {
        // However rarely: among drawn gradings there may be none that loses.
        return (estimate.just.seen < 1.0).then(|| "loses points".to_string());
    }
    if estimate.just.seen < SURE {
        return Some(format!("loses less than {ENOUGH:.0}"));
    }
    (estimate.spread > MOST_SPREAD).then(|| "depends on the seeds".to_string())
}

const HEAD: [&str; 7] =
    ["graded", "right", "points lost", "spread", "99 % lose at least", "just", ""];

/// A line of the table.
fn row(subject: &Subject, estimate: &Estimate) -> Vec<String> {
    let right = if subject.right { "yes" } else { "no" };
    let percent = |chance: f64| format!("{:.1}", (1000.0 * chance).floor() / 10.0);
    let Estimate { loss, spread, nearly_always, just } = estimate;
    let mut row = vec![subject.name.clone(), right.to_string()];
    row.extend([loss, spread, nearly_always].map(|points| format!("{points:.1}")));
    row.push(format!("{} % (at least {})", percent(just.seen), percent(just.at_least)));
    row.push(fault(subject, estimate).unwrap_or_default());
    row
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::estimate::Chance;
    use super::*;

    #[test]
    fn another_way_of_grading_is_begun_anew_and_said() {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            calibrate: Calibrate,
        }

        let Line { calibrate } = Line::parse_from(["calibrate", "--runs", "30"]);
        let subjects = subjects::of(calibrate.lab, &workspace()).expect("subjects");
        let (weights, folder) = (Path::new("weights"), Path::new("folder"));
        let command = command(&calibrate, &subjects[0], weights, folder).expect("a command");
        let words: Vec<&str> = command.get_args().filter_map(|word| word.to_str()).collect();
        // What was run in the same way is gone on with.
        assert!(words.contains(&"--resume") && words.contains(&"--else-anew"), "{words:?}");
        let said = format!("grade: x\n{GRADED_ANEW}--seeds was `40`, and is `30` now\n");
        assert_eq!(anew(&said), Some("--seeds was `40`, and is `30` now"));
        assert_eq!(anew("grade: x\n"), None);
    }

    #[test]
    fn the_right_lose_nothing_and_the_wrong_enough() {
        let lab = Lab::named("2").expect("a lab");
        let subjects = subjects::of(lab, &workspace()).expect("subjects");
        let of = |right| subjects.iter().find(|one| one.right == right).expect("one");
        let estimate = |loss, spread, seen| Estimate {
            loss,
            spread,
            nearly_always: loss,
            just: Chance { seen, at_least: 0.9876 },
        };
        let said = |right, (loss, spread, seen)| {
            fault(of(right), &estimate(loss, spread, seen)).unwrap_or_default()
        };
        assert_eq!(said(true, (0.0, 0.0, 1.0)), "");
        assert_eq!(said(true, (0.1, 0.1, 0.999)), "loses points");
        assert_eq!(said(true, (0.0, 0.0, 0.9999)), "loses points");
        assert_eq!(said(false, (11.0, 1.9, 0.991)), "");
        assert_eq!(said(false, (11.0, 1.9, 0.989)), "loses less than 10");
        assert_eq!(said(false, (40.0, 2.1, 1.0)), "depends on the seeds");
        let row = row(of(false), &estimate(11.04, 0.5, 0.99996));
        assert_eq!(row[1..], ["no", "11.0", "0.5", "11.0", "99.9 % (at least 98.7)", ""]);
        assert_eq!(
            weights_of(lab),
            r#"{"2A":30.0,"2B":35.0,"2C":35.0,"2D":35.0,"rare":0.0,"rare2D":0.0,"sizes":0.0,"soak":0.0}"#
        );
    }
}
