//! `cargo xtask history` as one types it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

fn history(folder: &TempDir, text: &[u8], arguments: &[&str]) -> Output {
    let file: PathBuf = folder.path().join("history.edn");
    fs::write(&file, text).expect("the folder is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("history").arg(&file).args(arguments).output().expect("it runs")
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

const STALE: &str = r#"
{:process 0, :type :invoke, :f :put, :key "k", :value "a"}
{:process 0, :type :ok, :f :put, :key "k", :value "a"}
{:process 1, :type :invoke, :f :get, :key "k", :value nil}
{:process 1, :type :ok, :f :get, :key "k", :value ""}
"#;

#[test]
fn a_violation_is_shown_and_its_page_written() {
    let folder = TempDir::new().expect("there is room");
    let page = folder.path().join("page.html");
    let done =
        history(&folder, STALE.as_bytes(), &["--model", "kv", "--page", page.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(1));
    let shown = text(&done.stdout);
    assert!(
        shown.starts_with("history.edn: not linearizable\nThese 2 operations of \"k\""),
        "{shown}"
    );
    assert!(fs::read_to_string(page).expect("it was written").contains("get &quot;k&quot;"));
}

#[test]
fn the_exit_code_tells_the_answer() {
    let folder = TempDir::new().expect("there is room");
    let right = STALE.replace(r#":value ""}"#, r#":value "a"}"#);
    let done = history(&folder, right.as_bytes(), &["--model", "kv"]);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
    // Two puts of one text: the values are not distinct, so it takes a search.
    let puts = format!("{}{}", right, STALE.replace(":process 0", ":process 2"));
    let done = history(&folder, puts.as_bytes(), &["--model", "kv", "--steps", "0"]);
    assert_eq!(done.status.code(), Some(2), "{}", text(&done.stdout));
}

#[test]
fn what_cannot_be_read_is_named_with_its_line_and_the_remedy() {
    let folder = TempDir::new().expect("there is room");
    let wrong = |text_of_file: &[u8], model: &str| {
        let done = history(&folder, text_of_file, &["--model", model]);
        assert_eq!(done.status.code(), Some(70));
        text(&done.stderr)
    };
    let said = wrong(STALE.as_bytes(), "cas");
    assert!(said.contains("line 2: `:put` is nothing to ask a register"), "{said}");
    let said = wrong(b"\n\n{:process 0", "kv");
    assert!(said.contains("line 3: what opens here is never closed: a `}` is missing"), "{said}");
    let said = wrong(b"abc\n\xff", "kv");
    assert!(said.contains("is no text from line 2 on: a history is UTF-8"), "{said}");
}

#[test]
fn a_page_does_not_take_the_place_of_its_history() {
    let folder = TempDir::new().expect("there is room");
    let file = folder.path().join("history.edn");
    let mut pages = vec![file.clone(), folder.path().join(".").join("history.edn")];
    #[cfg(unix)]
    {
        pages.push(folder.path().join("link"));
        std::os::unix::fs::symlink("history.edn", &pages[2]).expect("the folder is ours");
        pages.push(folder.path().join("hard link"));
        fs::write(&file, STALE).expect("there is room");
        fs::hard_link(&file, &pages[3]).expect("the folder is ours");
    }
    for page in pages {
        let arguments = ["--model", "kv", "--page", page.to_str().unwrap()];
        let done = history(&folder, STALE.as_bytes(), &arguments);
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(70), "{said}");
        assert!(said.contains("the page would overwrite the history"), "{said}");
        assert_eq!(fs::read_to_string(&file).expect("it is there"), STALE);
    }
}
