//! `cargo xtask calibrate`: is the grading just? Each known mistake is graded many times, with other seeds each
//! time, and so are solutions that are right.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use test_runs::package;

use crate::labs::Lab;
use crate::stress::markdown::table;
use crate::{say, workspace};

mod subjects;

use subjects::Subject;

/// Grade the mistakes of the zoos, and right solutions, with many seeds, and say what points they lose.
///
/// All parts of the lab count; a part that is usually worth nothing has 35 points here. What was graded before
/// in the same way is not graded again.
#[derive(Args, Debug)]
pub(crate) struct Calibrate {
    /// The lab: 2 (Raft), 3 (a key/value service) or 4 (the same in shards).
    #[arg(long, default_value = "2", value_parser = Lab::named)]
    lab: &'static Lab,
    /// With how many seeds each test runs.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// How often each one is graded, each time with other seeds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    regrades: u64,
    /// Only those whose name contains this. May be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// The folder for the results [default: target/grade/calibration].
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What a mistake has to cost, in points.
const LEAST_LOSS: f64 = 10.0;
/// What a part is worth here that is usually worth nothing.
const USUALLY_NOTHING: f64 = 35.0;

/// What we need of `grade.json`.
#[derive(Deserialize)]
struct Grade {
    points: Option<f64>,
    of: f64,
}

/// A right solution of a lab, as arguments of `grade`: its crate, within this workspace, and its types.
pub(crate) fn right(lab: &Lab) -> Option<Vec<String>> {
    subjects::right(lab).map(|(dir, types)| {
        let types = types.iter().flat_map(|name| ["--type", *name]);
        [dir].into_iter().chain(types).map(str::to_string).collect()
    })
}

/// Grades all subjects and prints the table; returns the exit code.
pub(crate) fn run(calibrate: &Calibrate) -> Result<u8> {
    let out = match &calibrate.out {
        Some(folder) => folder.clone(),
        None => package::target_directory(&workspace())?.join("grade").join("calibration"),
    };
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
    let mut rows = Vec::new();
    let mut just = true;
    for subject in &subjects {
        say::note(&format!("calibrate: {}", subject.name));
        let losses = losses(calibrate, subject, &weights, &out)?;
        just &= is_just(subject, &losses);
        rows.push(row(subject, &losses));
    }
    let head = ["graded", "right", "points lost", "least", "most", "gradings", ""];
    say::print(table(&head, &rows))?;
    Ok(u8::from(!just))
}

/// The points of each part, as a file for `grade`.
fn weights_of(lab: &Lab) -> String {
    let part = |part: &crate::labs::Part| {
        let points = if part.points > 0.0 { part.points } else { USUALLY_NOTHING };
        (part.name.to_string(), points.into())
    };
    serde_json::Value::Object(lab.parts.iter().map(part).collect()).to_string()
}

/// The points that one subject loses, each time.
fn losses(
    calibrate: &Calibrate,
    subject: &Subject,
    weights: &Path,
    out: &Path,
) -> Result<Vec<f64>> {
    let loss = |number: u64| {
        let name = subject.name.replace('/', "-");
        let folder =
            out.join(format!("lab{}", calibrate.lab.number)).join(name).join(number.to_string());
        let grade = grade(calibrate, subject, number, weights, &folder)
            .with_context(|| format!("while grading {}", subject.name))?;
        Ok(grade.of - grade.points.context("there are no points")?)
    };
    (0..calibrate.regrades).map(loss).collect()
}

/// Grades a subject once.
fn grade(
    calibrate: &Calibrate,
    subject: &Subject,
    number: u64,
    weights: &Path,
    folder: &Path,
) -> Result<Grade> {
    let mut command =
        Command::new(std::env::current_exe().context("our own program is somewhere")?);
    command.arg("grade").arg(workspace().join(subject.dir)).arg("--weights").arg(weights);
    command.args(["--lab", calibrate.lab.number, "--resume", "--out"]).arg(folder);
    // It is ours, and told by a variable what to be, which does not come into a room.
    command.args(["--open-room", "--seeds", &calibrate.seeds.to_string()]);
    command.args(["--seed", &number.to_string()]).envs(subject.variables());
    command.args(subject.types.iter().flat_map(|name| ["--type", *name]));
    let output = command.output().context("cannot run grade")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let file = folder.join("grade.json");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))
}

/// True if each grading was as it should be.
fn is_just(subject: &Subject, losses: &[f64]) -> bool {
    losses
        .iter()
        .all(|loss| if subject.right { *loss < 0.005 } else { *loss >= LEAST_LOSS - 0.005 })
}

/// A line of the table.
fn row(subject: &Subject, losses: &[f64]) -> Vec<String> {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let most = losses.iter().copied().fold(0.0, f64::max);
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    let verdict = match is_just(subject, losses) {
        true => "",
        false if subject.right => "loses points",
        false => "loses too little",
    };
    let right = if subject.right { "yes" } else { "no" };
    let numbers = [mean, least, most].map(|points| format!("{points:.1}"));
    let mut row = vec![subject.name.clone(), right.to_string()];
    row.extend(numbers);
    row.extend([losses.len().to_string(), verdict.to_string()]);
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_lose_nothing_and_the_wrong_enough() {
        let lab = Lab::named("2").expect("a lab");
        let subjects = subjects::of(lab, &workspace()).expect("subjects");
        let of = |right| subjects.iter().find(|one| one.right == right).expect("one");
        assert!(is_just(of(true), &[0.0, 0.0]) && !is_just(of(true), &[0.0, 0.5]));
        assert!(is_just(of(false), &[10.0, 90.0]) && !is_just(of(false), &[9.0, 90.0]));
        let row = row(of(false), &[9.0, 91.0]);
        assert_eq!(row[1..], ["no", "50.0", "9.0", "91.0", "2", "loses too little"]);
        assert_eq!(weights_of(lab), r#"{"2A":30.0,"2B":35.0,"2C":35.0,"2D":35.0}"#);
    }
}
