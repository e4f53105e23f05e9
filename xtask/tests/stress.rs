//! `cargo xtask stress`, as a user runs it, on a suite whose behaviour is known.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests run processes, not simulations"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// A folder for the reports of these tests.
fn folder() -> &'static tempfile::TempDir {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder"))
}

fn out(name: &str) -> PathBuf {
    folder().path().join(name)
}

/// Where cargo builds what these tests need.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fake-suite")
}

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-suite")
}

fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("stress").args(args).env("CARGO_TARGET_DIR", target()).env("NO_COLOR", "1");
    command
}

fn prepared(name: &str, args: &[&str]) -> Command {
    let mut command = xtask(args);
    // Where nothing hangs, a busy machine must not look like it.
    let hang_after = if args.contains(&"hangs") { "2s" } else { "60s" };
    command.args(["--package", "fake-suite", "--hang-after", hang_after, "--out"]).arg(out(name));
    command.arg("--dir").arg(suite());
    command
}

fn stress(name: &str, args: &[&str]) -> Output {
    prepared(name, args).output().expect("xtask runs")
}

fn words(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", words(output));
}

fn report(name: &str) -> Value {
    let text = std::fs::read_to_string(out(name).join("report.json")).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

/// All runs, in the order of their numbers.
fn runs(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(out(name).join("runs.ndjson")).expect("runs");
    let mut runs: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    runs.sort_by_key(|run| (run["test"].to_string(), run["index"].as_u64()));
    runs
}

fn failures(runs: &[Value]) -> Vec<&Value> {
    runs.iter().filter(|run| !run["failure"].is_null()).collect()
}

#[test]
fn a_suite_that_passes_has_exit_code_0_and_all_files() {
    let output = stress("passes", &["passes", "--iters", "60"]);
    assert_code(&output, 0);
    assert_eq!(runs("passes").len(), 60);
    for file in ["plan.json", "report.json", "report.md", "junit.xml", "report.html"] {
        assert!(out("passes").join(file).exists(), "{file}");
    }
    assert_eq!(report("passes")["state"], "finished");
    assert!(target().join("stress/history.ndjson").exists());
    let seeds: std::collections::BTreeSet<u64> =
        runs("passes").iter().filter_map(|run| run["seed"].as_u64()).collect();
    assert_eq!(seeds.len(), 60, "each run has its own seed");
    let again = stress("passes-again", &["passes", "--iters", "60"]);
    assert_code(&again, 0);
    let seed = |run: &Value| (run["index"].clone(), run["seed"].clone());
    let of = |name| runs(name).iter().map(seed).collect::<Vec<_>>();
    assert_eq!(of("passes"), of("passes-again"), "the seeds depend on base, test and index alone");
}

#[test]
fn tests_that_are_ignored_are_counted_and_not_run() {
    let output = stress("ignored", &["passes", "--iters", "3"]);
    assert_code(&output, 0);
    assert!(words(&output).contains("stress: 1 test is ignored (#[ignore])"), "{}", words(&output));
    assert!(runs("ignored").iter().all(|run| run["test"] == "passes_2A"));
    let output = stress("only-ignored", &["passes_ignored", "--iters", "3"]);
    assert_code(&output, 70);
    let why = "passes_ignored_2A of fake-suite is marked #[ignore]";
    assert!(words(&output).contains(why), "{}", words(&output));
}

#[test]
fn a_run_whose_folder_is_named_by_its_place_has_the_folders_name() {
    std::fs::create_dir(out("here")).expect("a folder");
    let mut command = xtask(&["passes", "--iters", "1", "--out", ".", "--dir"]);
    let output = command.arg(suite()).current_dir(out("here")).output().expect("xtask runs");
    assert_code(&output, 0);
    assert_eq!(report("here")["name"], "here");
}

/// As it is after a kill at the beginning, or on a disk that is full.
#[test]
fn a_run_that_has_a_plan_and_no_report_can_be_gone_on_with() {
    assert_code(&stress("planned", &["passes", "--iters", "5"]), 0);
    std::fs::remove_file(out("planned/report.json")).expect("it was written");
    let mut command = xtask(&["--resume", "planned"]);
    let output = command.current_dir(folder().path()).output().expect("xtask runs");
    assert_code(&output, 0);
    assert_eq!(report("planned")["tests"][0]["runs"], 5);
}

#[test]
fn the_crate_is_the_one_that_stress_is_called_from_or_for() {
    let once =
        |name: &str| xtask(&["passes", "--iters", "1", "--out", &out(name).display().to_string()]);
    let within = once("within").current_dir(suite().join("src")).output().expect("xtask runs");
    let elsewhere = once("elsewhere").arg("--dir").arg(suite()).output().expect("xtask runs");
    for output in [within, elsewhere] {
        assert_code(&output, 0);
        assert!(words(&output).contains("stress: 1 test of fake-suite in "), "{}", words(&output));
    }
}

#[test]
fn a_schedule_is_part_of_the_replay_and_a_wrong_one_is_refused() {
    let output = stress("pos", &["fails_1_in_10", "--iters", "40", "--schedule", "pos"]);
    assert_code(&output, 1);
    assert_eq!(report("pos")["subject"]["schedule"], "pos");
    let replay = failures(&runs("pos"))[0]["failure"]["replay"].to_string();
    assert!(replay.starts_with("\"LAB_SCHEDULE=pos LAB_SEED="), "{replay}");
    let text = words(&output);
    assert!(text.contains("several candidates in a term, and nobody is elected"), "{text}");
    assert!(text.contains("never reached in 40 runs: all servers are down at once"), "{text}");
    assert!(text.contains("one more run of each test would show some 0.000 situations"), "{text}");
    let output = stress("fast", &["passes", "--schedule", "fast"]);
    assert_code(&output, 64);
    assert!(words(&output).contains("`fast` is no schedule; there are walk"), "{}", words(&output));
}

#[test]
fn failures_are_counted_and_leave_logs() {
    let output = stress("one-in-ten", &["fails_1_in_10", "--iters", "300"]);
    assert_code(&output, 1);
    let runs = runs("one-in-ten");
    assert_eq!(runs.len(), 300);
    let failed = failures(&runs);
    assert!((12..=55).contains(&failed.len()), "{} of 300 failed", failed.len());
    for run in failed {
        assert_eq!(run["seed"].as_u64().map(|seed| seed % 10), Some(0));
        let log = out("one-in-ten").join(run["failure"]["log"].as_str().expect("a log"));
        let text = std::fs::read_to_string(log).expect("the log");
        assert!(text.contains(&format!("the whole report of seed {}", run["seed"])));
        let replay = run["failure"]["replay"].as_str().expect("a command");
        assert!(replay.starts_with(&format!("LAB_SEED={} cargo test", run["seed"])), "{replay}");
    }
}

#[test]
fn a_run_that_kills_its_process_is_found_and_the_others_are_made() {
    for (test, kind) in [("crashes", "crash"), ("exits", "exit")] {
        let output = stress(test, &[test, "--iters", "40"]);
        assert_code(&output, 1);
        let runs = runs(test);
        assert_eq!(runs.len(), 40);
        for run in &runs {
            let dies = run["seed"].as_u64().expect("a seed") % 5 == 0;
            assert_eq!(run["failure"].is_null(), !dies, "{run}");
            if dies {
                assert_eq!(run["failure"]["kind"], kind);
            }
        }
        assert!(!failures(&runs).is_empty());
        let all: Vec<String> =
            failures(&runs).iter().map(|run| run["failure"]["message"].to_string()).collect();
        assert!(all.iter().any(|words| words.contains("again when it was run alone")), "{all:?}");
    }
}

/// A program that writes a record by itself, under the name that the tester was given, and ends.
#[test]
fn a_forged_record_counts_for_nothing() {
    assert_code(&stress("forges", &["forges", "--iters", "20"]), 1);
    let all = runs("forges");
    let forges = |run: &&Value| run["seed"].as_u64().is_some_and(|seed| seed % 2 == 0);
    let forged: Vec<&Value> = all.iter().filter(forges).collect();
    assert!(!forged.is_empty() && all.len() == 20);
    for run in forged {
        // Where a file that is open keeps its name, the record is read, and has no seal.
        let message = run["failure"]["message"].as_str().expect("it failed");
        let ended = "the process ended in the middle of the test, as if all were well";
        let unsealed = "the records do not fit: a line was not written by the tester";
        assert!([ended, unsealed].iter().any(|words| message.contains(words)), "{run}");
    }
    assert!(failures(&all).iter().all(forges), "honest runs pass");
}

#[test]
fn records_that_do_not_fit_count_for_nothing() {
    for (test, words) in [
        ("mistakes", "ended while mistakes_2B with seed"),
        ("hashless", "has no hash, so nothing was simulated"),
        ("surplus", "ended, which had not begun"),
    ] {
        let output = stress(test, &[test, "--iters", "20"]);
        assert_code(&output, 1);
        let all = runs(test);
        let failed = failures(&all);
        assert!(failed.len() >= 20, "{test}: {} of 20 failed", failed.len());
        for run in failed {
            let message = run["failure"]["message"].as_str().expect("words");
            assert!(message.starts_with("the records do not fit: "), "{run}");
            assert!(message.contains(words), "{run}");
        }
    }
}

#[test]
fn a_hang_is_stopped_and_says_what_its_threads_do() {
    let output = stress("hangs", &["hangs", "--iters", "8"]);
    assert_code(&output, 1);
    let runs = runs("hangs");
    assert_eq!(runs.len(), 8);
    let failed = failures(&runs);
    assert!(!failed.is_empty());
    for run in failed {
        assert_eq!(run["failure"]["kind"], "hang");
        let expected = if cfg!(target_os = "linux") { "thread `" } else { "its threads:" };
        assert!(run["failure"]["message"].as_str().expect("words").contains(expected), "{run}");
    }
}

#[test]
fn a_flood_of_output_is_stopped() {
    let output = stress("floods", &["floods", "--iters", "20"]);
    assert_code(&output, 1);
    assert!(failures(&runs("floods")).iter().all(|run| run["failure"]["kind"] == "output"));
}

/// Only Linux lets one process limit the memory of another.
#[test]
#[cfg(target_os = "linux")]
fn a_hoarder_of_memory_is_stopped() {
    let output = stress("allocates", &["allocates", "--iters", "20", "--memory", "512"]);
    assert_code(&output, 1);
    let all = runs("allocates");
    assert!(failures(&all).iter().all(|run| run["failure"]["kind"] == "memory"), "{all:?}");
    assert_eq!(all.len(), 20);
}

#[test]
fn output_that_is_no_text_harms_nobody() {
    assert_code(&stress("noisy", &["noisy", "--iters", "20"]), 0);
}

#[test]
fn runs_that_differ_and_budgets_that_are_exceeded_have_codes_of_their_own() {
    let output = stress("unpredictable", &["unpredictable", "--iters", "20"]);
    assert_code(&output, 3);
    let difference = &report("unpredictable")["determinism"]["differences"][0];
    assert_eq!(difference["words"], "At step 3 one had this and the other that");
    let output = stress("slow", &["slow", "--iters", "5"]);
    assert_code(&output, 2);
}

#[test]
fn shards_together_are_the_whole() {
    assert_code(&stress("whole", &["2A", "--iters", "31"]), 1);
    for k in ["1", "2", "3"] {
        let shard = format!("{k}/3");
        let output = stress(&format!("shard-{k}"), &["2A", "--iters", "31", "--shard", &shard]);
        assert!([Some(0), Some(1)].contains(&output.status.code()), "{}", words(&output));
    }
    let dirs = ["shard-1", "shard-2", "shard-3"].map(|name| out(name).display().to_string());
    let joint = out("joint").display().to_string();
    let mut args = vec!["merge"];
    args.extend(dirs.iter().map(String::as_str));
    args.extend(["--out", &joint]);
    let output = xtask(&args).output().expect("xtask runs");
    assert_code(&output, 1);
    let key = |name: &str| {
        let runs = runs(name);
        let key = |run: &Value| {
            let failed = run["failure"].is_null();
            (run["index"].as_u64(), run["seed"].as_u64(), failed, run["hash"].to_string())
        };
        runs.iter().map(key).collect::<Vec<_>>()
    };
    assert_eq!(key("joint"), key("whole"));
    // The same shard twice is a mistake.
    let twice = out("twice").display().to_string();
    let output = xtask(&["merge", &dirs[0], &dirs[0], "--out", &twice]).output().expect("runs");
    assert_code(&output, 70);
    assert!(words(&output).contains("shard 1/3 is there twice"), "{}", words(&output));
}

#[test]
fn goals_and_an_early_end() {
    let output = stress("upper", &["passes", "--until-upper", "2%"]);
    assert_code(&output, 0);
    // 189 clean runs have an upper bound of 1.99 %, 188 one of 2.002 %.
    assert_eq!(runs("upper").len(), 189);
    let output = stress("fast", &["fails_1_in_10", "--iters", "100000", "--fail-fast"]);
    assert_code(&output, 1);
    assert!(runs("fast").len() < 20_000);
    // A failure has ended it: there is nothing to go on with.
    let made = runs("fast").len();
    let resumed = xtask(&["--resume"]).arg(out("fast")).output().expect("xtask runs");
    assert_code(&resumed, 1);
    assert_eq!(runs("fast").len(), made);
    // What came before the first failure is there as a whole, and only that counts for the rate.
    let test = &report("fast")["tests"][0];
    let first = test["first_failing"]["index"].as_u64().expect("a run failed");
    assert_eq!(test["until_failure"], serde_json::json!({ "failures": 1, "runs": first + 1 }));
    let indexes: Vec<_> = runs("fast").iter().filter_map(|run| run["index"].as_u64()).collect();
    assert!((0..=first).all(|index| indexes.contains(&index)), "{first} of {indexes:?}");
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_a_code_of_its_own() {
    let output = stress("none", &["no_such_test", "--iters", "1"]);
    assert_code(&output, 70);
    assert!(words(&output).contains("matches no_such_test"), "{}", words(&output));
    assert_code(&stress("bad", &["--iters", "0"]), 64);
    assert_code(&stress("bad", &["--shard", "3/2"]), 64);
    let output = stress("real", &["--clock", "real", "--iters", "1"]);
    assert_code(&output, 70);
    let file = folder().path().join("a-file");
    std::fs::write(&file, "").expect("it can be written");
    let below = file.join("none");
    let mut unwritable = xtask(&["--package", "fake-suite", "--out"]);
    let unwritable = unwritable.arg(&below).arg("--dir").arg(suite()).output().expect("xtask runs");
    assert_code(&unwritable, 70);
    let cannot = format!("cannot make {}", below.display());
    assert!(words(&unwritable).contains(&cannot), "{}", words(&unwritable));
    let output = xtask(&["--package", "no-such-package"]).output().expect("xtask runs");
    assert_code(&output, 70);
    let output = xtask(&["--resume", "nosuchrun"]).output().expect("xtask runs");
    assert_code(&output, 70);
    let none = "nosuchrun: `cargo xtask stress` says at its end";
    assert!(words(&output).contains(none), "{}", words(&output));
    let output = xtask(&["no_such_test", "--dir"]).arg(suite().join("Cargo.toml")).output();
    let words_of_a_manifest = words(&output.expect("xtask runs"));
    assert!(words_of_a_manifest.contains("matches no_such_test"), "{words_of_a_manifest}");
    let output = xtask(&["--dir"]).arg(suite().join("tests/sim.rs")).output().expect("xtask runs");
    let file = "is a file; the directory of a package is needed";
    assert!(words(&output).contains(file), "{}", words(&output));
    let output = xtask(&["--compare", "nothing", "nowhere"]).output().expect("xtask runs");
    assert_code(&output, 70);
    assert!(words(&output).contains("no report at"), "{}", words(&output));
}

#[test]
fn a_merge_of_too_few_or_of_other_shards_is_not_whole() {
    let shard = |name: &str, args: &[&str]| {
        let mut all = vec!["passes", "--iters", "30"];
        all.extend(args);
        assert_code(&stress(name, &all), 0);
        out(name).display().to_string()
    };
    let one = shard("shards/1", &["--shard", "1/3"]);
    let two = shard("shards/2", &["--shard", "2/3"]);
    let other = shard("other-seed", &["--shard", "3/3", "--seed", "7"]);
    let whole = shard("whole-plan", &[]);
    // As the shell gives what is in a folder: what is no report is left out.
    let stray = out("shards/history.ndjson");
    std::fs::write(&stray, "{}\n").expect("it can be written");
    let stray = stray.display().to_string();
    let merge = |name: &str, parts: &[&str]| {
        let mut command = xtask(&["merge"]);
        command.args(parts).arg("--out").arg(out(name)).output().expect("xtask runs")
    };
    let output = merge("too-few", &[&one, &two, &stray]);
    assert_code(&output, 4);
    assert!(words(&output).contains("shard 3/3 is missing"), "{}", words(&output));
    assert!(words(&output).contains("history.ndjson has no report; it is left out"));
    assert_eq!(runs("too-few").len(), 20);
    for (part, what) in
        [(&other, "the seed of one is `0`, of the other `7`"), (&whole, "a whole already")]
    {
        let output = merge("refused", &[&one, part]);
        assert_code(&output, 70);
        assert!(words(&output).contains(what), "{}", words(&output));
    }
}

#[test]
fn a_run_that_depends_on_those_before_it_is_found() {
    // Only runs that were not the first of their process can show it.
    let output = stress("crowded", &["crowded", "--iters", "100"]);
    assert_code(&output, 3);
    assert!(words(&output).contains("a static or thread-local value"), "{}", words(&output));
}

#[test]
fn a_failure_that_its_seed_alone_does_not_repeat_says_so() {
    let output = stress("grudging", &["grudging", "--iters", "300"]);
    assert_code(&output, 3);
    assert!(report("grudging")["tests"][0]["failures"].as_u64() > Some(0), "{}", words(&output));
    let text = words(&output);
    assert!(text.contains("(sim), but not by this seed alone\n"), "{text}");
    assert!(text.contains("made once more, alone, it passed then"), "{text}");
    assert!(text.contains("usual causes: the order of a HashMap or HashSet; a static"), "{text}");
    // One that does fail alone is just that.
    let output = stress("judged", &["judged", "--iters", "3"]);
    assert_code(&output, 1);
    assert!(!words(&output).contains("not by this seed alone"), "{}", words(&output));
}

#[test]
fn a_verdict_is_shown_as_the_test_words_it() {
    let output = stress("verdict", &["judged", "--iters", "3"]);
    let text = words(&output);
    assert!(text.contains("\na rule in 3 runs of judged_2B (sim)\n    a rule: server "), "{text}");
    assert!(
        text.contains("does not agree\n        - a fact\n        usual cause: a mistake\n"),
        "{text}"
    );
    assert!(!text.contains("panic in"), "{text}");
}

/// Goes on with a run, with a variable of the code under test or without it.
fn resumed(name: &str, bug: Option<&str>) -> Output {
    let mut command = xtask(&["--resume"]);
    command.arg(out(name)).env_remove("FAKE_BUG");
    command.envs(bug.map(|bug| ("FAKE_BUG", bug))).output().expect("xtask runs")
}

#[test]
fn runs_of_a_program_are_gone_on_with_by_no_other_one() {
    let [from, own] = [suite(), out("edited-suite")];
    for folder in ["src", "tests"] {
        std::fs::create_dir_all(own.join(folder)).expect("a folder");
    }
    for file in ["src/lib.rs", "tests/sim.rs"] {
        std::fs::copy(from.join(file), own.join(file)).expect("it can be copied");
    }
    let manifest = std::fs::read_to_string(from.join("Cargo.toml")).expect("a manifest");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools");
    let tools = tools.canonicalize().expect("it is there").display().to_string().replace('\\', "/");
    // Of another name, so that it is built beside the other one and not in its place.
    let manifest = manifest.replace("../../../tools", &tools).replace("fake-suite", "edited-suite");
    std::fs::write(own.join("Cargo.toml"), manifest).expect("it can be written");
    let mut command = xtask(&["passes", "--iters", "5", "--package", "edited-suite", "--dir"]);
    command.arg(&own).arg("--out").arg(out("edited")).env_remove("FAKE_BUG");
    assert_code(&command.output().expect("xtask runs"), 0);
    assert_code(&resumed("edited", None), 0);
    // It is in no repository.
    let code = own.join("tests/sim.rs");
    let text = std::fs::read_to_string(&code).expect("the code");
    std::fs::write(&code, text.replace("lab_us: 3_000_000", "lab_us: 3_000_001")).expect("written");
    let output = resumed("edited", None);
    assert_code(&output, 70);
    let words = words(&output);
    assert!(
        words.contains("are of another program: the hash of the test program was `"),
        "{words}"
    );
    assert!(words.contains("have it built from what it was built from then"), "{words}");
    // The same code is the same program.
    std::fs::write(&code, text).expect("it can be written");
    assert_code(&resumed("edited", None), 0);
}

#[test]
fn runs_that_depend_on_a_variable_are_gone_on_with_only_if_it_is_the_same() {
    let mut begun = prepared("bug", &["passes", "--iters", "5"]);
    assert_code(&begun.env("FAKE_BUG", "SameTimeout").output().expect("xtask runs"), 0);
    for (bug, is) in [(None, "not set"), (Some("Other"), "`Other`")] {
        let output = resumed("bug", bug);
        assert_code(&output, 70);
        let is = format!("the variable FAKE_BUG was `SameTimeout` then, and is {is} now. To go on");
        assert!(words(&output).contains(&is), "{}", words(&output));
        assert!(words(&output).contains("call it with FAKE_BUG=SameTimeout"), "{}", words(&output));
    }
    assert_code(&resumed("bug", Some("SameTimeout")), 0);
    assert_eq!(runs("bug").len(), 5);
    // That it was not set is no less to go by.
    let mut begun = prepared("no-bug", &["passes", "--iters", "5"]);
    assert_code(&begun.env_remove("FAKE_BUG").output().expect("xtask runs"), 0);
    let output = resumed("no-bug", Some("SameTimeout"));
    assert_code(&output, 70);
    assert!(words(&output).contains("call it without FAKE_BUG;"), "{}", words(&output));
}

#[test]
fn a_plan_that_does_not_say_of_what_program_it_is_is_not_gone_on_with() {
    assert_code(&stress("old-plan", &["passes", "--iters", "5"]), 0);
    let file = out("old-plan").join("plan.json");
    let text = std::fs::read_to_string(&file).expect("a plan");
    let mut plan: Value = serde_json::from_str(&text).expect("JSON");
    let program = plan["subject"].as_object_mut().and_then(|subject| subject.remove("program"));
    assert!(program.is_some(), "{text}");
    std::fs::write(&file, plan.to_string()).expect("it can be written");
    let output = resumed("old-plan", None);
    assert_code(&output, 70);
    assert!(words(&output).contains("of an earlier `cargo xtask stress`"), "{}", words(&output));
}

#[test]
fn shards_of_two_programs_are_not_merged() {
    let shard = |name: &str, k: &str, bug: Option<&str>| {
        let mut command = prepared(name, &["passes", "--iters", "10", "--shard", k]);
        command.env_remove("FAKE_BUG").envs(bug.map(|bug| ("FAKE_BUG", bug)));
        assert_code(&command.output().expect("xtask runs"), 0);
        out(name)
    };
    let one = shard("of-one", "1/2", Some("SameTimeout"));
    let merged = |other: &Path, to: &str| {
        let mut command = xtask(&["merge"]);
        command.args([one.as_path(), other]).arg("--out").arg(out(to)).output().expect("xtask runs")
    };
    let output = merged(&shard("of-another", "2/2", None), "of-two");
    assert_code(&output, 70);
    let differs = "the variable FAKE_BUG is `SameTimeout` for one, not set for the other";
    assert!(words(&output).contains(differs), "{}", words(&output));
    assert_code(&merged(&shard("of-the-same", "2/2", Some("SameTimeout")), "of-one-two"), 0);
}
