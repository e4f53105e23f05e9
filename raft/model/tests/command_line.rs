//! What the program says to its command line.

use std::path::Path;
use std::process::{Command, Output};

fn model(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_raft-model")).args(args).output();
    output.expect("the program runs")
}

#[test]
fn a_number_that_would_search_nothing_or_take_the_machine_down_is_refused() {
    let small = ["--terms", "1", "--commands", "0"];
    for wrong in [["--threads", "0"], ["--threads", "257"], ["--states", "0"], ["--depth", "0"]] {
        let output = model(&[small.as_slice(), &wrong].concat());
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}: {words}");
        assert!(words.contains(wrong[0]), "{wrong:?}: {words}");
    }
    for right in [["--threads", "1"], ["--threads", "256"], ["--states", "1"], ["--depth", "1"]] {
        let output = model(&[small.as_slice(), &right].concat());
        assert_eq!(output.status.code(), Some(0), "{right:?}");
    }
}

#[test]
fn a_path_with_a_space_is_one_word_of_the_commands_that_are_printed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("traces of model");
    let folder = folder.to_str().expect("a path in words");
    let args =
        ["--terms", "1", "--crashes", "1", "--mistake", "vote-not-saved", "--traces", folder];
    let output = model(&args);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let file = Path::new(folder).join("model-vote-not-saved.ndjson");
    let quote = if cfg!(windows) { '"' } else { '\'' };
    let show = format!("(cargo xtask trace {quote}{}{quote})", file.display());
    assert!(said.contains(&show), "{said}");
    let trace = std::fs::read_to_string(&file).expect("it is written");
    let replay = run_record::trace::Trace::parse(&trace).expect("it is a trace").header.replay;
    assert!(replay.ends_with(&format!("--traces {quote}{folder}{quote}")), "{replay}");
    assert!(replay.starts_with("cargo xtask model --terms 1 --crashes 1 "), "{replay}");
}
