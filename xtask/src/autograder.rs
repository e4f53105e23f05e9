//! `cargo xtask autograder FILE`: what Gradescope needs to grade a lab, as the zip that it takes.
//!
//! By Gradescope's documents the zip has two scripts at its top: `setup.sh` runs once, when an image is made,
//! and `run_autograder` for each submission. The rest lies in `/autograder/source`, the submission in
//! `/autograder/submission`, and the result is to be in `/autograder/results/results.json`.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::grade::{self, Grade};
use crate::labs::Lab;
use crate::{calibrate, say, shell, workspace};

/// Write the zip with which Gradescope grades a lab as `cargo xtask grade` does.
#[derive(Args, Debug)]
pub(crate) struct Autograder {
    /// The zip to write.
    #[arg(default_value = "autograder.zip")]
    file: PathBuf,
    /// The lab: 2 (Raft), 3 (a key/value service) or 4 (the same in shards).
    #[arg(long, default_value = "2", value_parser = Lab::named)]
    lab: &'static Lab,
    /// Options for `cargo xtask grade`, such as `-- --seeds 10 --time-limit 9m`. The file that --weights names is taken
    /// along. --out and --class cannot be among them.
    #[arg(last = true)]
    options: Vec<String>,
}

/// A command line of `cargo xtask grade`, to see whether it is one.
#[derive(Parser)]
#[command(name = "cargo xtask grade")]
struct Line {
    #[command(flatten)]
    grade: Grade,
}

/// The points of each part, at the zip's top; and the option that names them there.
const WEIGHTS: &str = "weights.json";
const WEIGHTS_OPTION: &str = "--weights";

const SETUP: &str = include_str!("../autograder/setup.sh.in");
const RUN: &str = include_str!("../autograder/run_autograder.in");

/// Writes the zip.
pub(crate) fn write(autograder: &Autograder) -> Result<()> {
    let Autograder { file, lab, options } = autograder;
    let top = files_at_top(lab, options)?;
    let root = workspace();
    // Before the zip is begun: it may lie in the workspace.
    let paths = grade::workspace_files()?;
    let cannot = || format!("cannot write {}", file.display());
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let write = || -> Result<()> {
        let mut zip = ZipWriter::new(File::create(&new).with_context(cannot)?);
        for (name, text) in top {
            let mode = if name == WEIGHTS { 0o644 } else { 0o755 };
            add(&mut zip, name, text.as_bytes(), mode).with_context(cannot)?;
        }
        for path in paths {
            let from = root.join(&path);
            let bytes =
                fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
            add(&mut zip, &name_of(&path), &bytes, 0o644).with_context(cannot)?;
        }
        zip.finish().with_context(cannot)?;
        fs::rename(&new, file).with_context(cannot)
    };
    if let Err(error) = write() {
        // It is of no use to anybody.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    say::print(format!("wrote {}\n", file.display()))
}

/// The two scripts, and the points of each part if some are named, each with its name.
fn files_at_top(lab: &Lab, options: &[String]) -> Result<Vec<(&'static str, String)>> {
    let lab_option = ["--lab".to_string(), lab.number.to_string()];
    let options: Vec<String> = lab_option.iter().chain(options).cloned().collect();
    let line = ["grade".to_string(), ".".to_string()].into_iter().chain(options.iter().cloned());
    let grade = Line::try_parse_from(line)?.grade;
    if grade.out.is_some() || grade.class.is_some() {
        let words = "Gradescope grades one submission, and its results have their place: --out and --class cannot be \
                     among the options";
        return Err(Line::command().error(ErrorKind::ArgumentConflict, words).into());
    }
    let weights = grade.weights.as_deref().map(|file| {
        grade::read_weights(grade.lab, Some(file))?;
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
    });
    let weights = weights.transpose()?;
    let weights_option = match weights {
        Some(_) => format!(" {WEIGHTS_OPTION} \"$home/source/{WEIGHTS}\""),
        None => String::new(),
    };
    let room = if grade.open_room { " --open-room" } else { "" };
    let quoted = |words: &[String]| {
        words.iter().map(|word| shell::quoted(Path::new(word))).collect::<Vec<_>>().join(" ")
    };
    let warm = match calibrate::right(lab) {
        Some(right) => format!(
            "target/debug/xtask grade {} --lab {}{room} --seeds 1{weights_option} --out \"$right\"\n\
             grep -qE ': ([0-9.]+) of \\1 points$' \"$right/grade.txt\"",
            quoted(&right),
            lab.number
        ),
        None => "true".to_string(),
    };
    let options = quoted(&without_weights(&options));
    let fill = |text: &str| {
        let filled = text.replace("{warm}", &warm).replace("{options}", &options);
        filled.replace("{weights}", &weights_option)
    };
    let setup = fill(&SETUP.replace("{rust}", &toolchain()?));
    let scripts = [("setup.sh", setup), ("run_autograder", fill(RUN))];
    Ok(scripts.into_iter().chain(weights.map(|text| (WEIGHTS, text))).collect())
}

/// Options without the one that names a file of this machine.
fn without_weights(options: &[String]) -> Vec<String> {
    let mut options = options.iter();
    let mut left = Vec::new();
    while let Some(option) = options.next() {
        match option.strip_prefix(WEIGHTS_OPTION) {
            // What follows is the file.
            Some("") => drop(options.next()),
            Some(rest) if rest.starts_with('=') => {}
            _ => left.push(option.clone()),
        }
    }
    left
}

/// The version of the compiler: a seed gives the same run there.
fn toolchain() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split_whitespace().nth(1).context("rustc does not say its version")?.to_string())
}

/// The name of a file of this workspace in the zip.
fn name_of(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    format!("workspace/{}", parts.join("/"))
}

fn add(zip: &mut ZipWriter<impl Write + Seek>, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let options = SimpleFileOptions::default();
    let options = options.compression_method(CompressionMethod::Stored).unix_permissions(mode);
    zip.start_file(name, options)?;
    Ok(zip.write_all(bytes)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn lab() -> &'static Lab {
        Lab::named("2").expect("a lab")
    }

    #[test]
    fn the_zip_has_the_two_scripts_at_its_top_and_the_workspace() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.zip");
        let options = ["--seeds", "5", "--type", "My Raft"].map(String::from).to_vec();
        write(&Autograder { file: file.clone(), lab: lab(), options }).expect("it is written");
        let mut zip = zip::ZipArchive::new(File::open(&file).expect("it is there")).expect("a zip");
        let mut text = |name: &str| {
            let mut file = zip.by_name(name).expect("a file");
            let mut text = String::new();
            file.read_to_string(&mut text).expect("text");
            (text, file.unix_mode().expect("a mode") & 0o777)
        };
        let (run, mode) = text("run_autograder");
        assert!(run.starts_with("#!/usr/bin/env bash\n") && mode == 0o755, "{run}");
        assert!(run.contains("/submission\" --lab 2 --seeds 5 --type 'My Raft' --out"), "{run}");
        let (setup, mode) = text("setup.sh");
        assert!(setup.starts_with("#!/usr/bin/env bash\n") && mode == 0o755, "{setup}");
        assert!(
            setup.contains("xtask grade zoo/raft-zoo --type Chosen --lab 2 --seeds 1"),
            "{setup}"
        );
        for script in [run, setup] {
            assert!(!script.contains('{') || script.contains("${AUTOGRADER"), "{script}");
        }
        for name in
            ["workspace/Cargo.lock", "workspace/.cargo/config.toml", "workspace/raft/src/lib.rs"]
        {
            assert!(!text(name).0.is_empty(), "{name}");
        }
    }

    #[test]
    fn points_of_parts_are_taken_along() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("of my course.json");
        let text = r#"{"2A": 30, "2D": 70}"#;
        fs::write(&file, text).expect("a file");
        let file = file.display().to_string();
        for options in [
            ["--weights", &file, "--seeds", "5"].map(String::from).to_vec(),
            vec!["--seeds".into(), "5".into(), format!("--weights={file}")],
        ] {
            let files = files_at_top(lab(), &options).expect("the options are right");
            let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, ["setup.sh", "run_autograder", WEIGHTS]);
            let option = "--weights \"$home/source/weights.json\" --out";
            assert!(files[0].1.contains(&format!("--seeds 1 {option}")), "{}", files[0].1);
            let graded = format!("/submission\" --lab 2 --seeds 5 {option}");
            assert!(files[1].1.contains(&graded), "{}", files[1].1);
            assert_eq!(files[2].1, text);
        }
        fs::write(&file, "{}").expect("a file");
        let error = files_at_top(lab(), &["--weights".to_string(), file]).expect_err("no part");
        assert!(error.to_string().contains("names no part"), "{error}");
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for options in [["--seeds", "x"], ["--out", "y"], ["--class", "z"], ["--lab", "3"]] {
            let options = options.map(String::from);
            let error = files_at_top(lab(), &options).expect_err("it makes no sense");
            assert!(error.is::<clap::Error>(), "{options:?}: it is the command line: {error}");
        }
    }
}
