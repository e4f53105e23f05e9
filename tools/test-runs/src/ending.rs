//! Understanding how a process ended: which runs it made, and which one it died of.

use std::collections::BTreeSet;
use std::process::ExitStatus;

use run_record::{Clock, End, Record, choices, schedule, setting, shell};

use crate::build::TestCase;
use crate::platform;
use crate::process::{Ending, Finished, Item, MOST_OUTPUT};
use crate::run::{Run, RunFailure};

/// How many bytes of a failure's words are kept; a log has all of them.
const MOST_WORDS: usize = 8 << 10;

/// The variables of the lab that a replay sets.
const OWN: [&str; 5] =
    [choices::VARIABLE, schedule::VARIABLE, setting::VARIABLE, "LAB_SEED", "LAB_SEEDS"];

/// The kind of an end that looks as if all were well.
const ENDED_WELL: &str = "exit";

const SILENT: &str = "the process ended as if all were well, and no run had begun: either the function is no test of \
                      the tester's (it has to call `tester::simulated` or `tester::real`; put other tests into a \
                      target of another name, or leave this one out by a filter), or something ended the process \
                      before";

/// Which runs were made, which one the process died of, and which are left.
pub(crate) fn understand(
    test: &TestCase,
    items: &[Item],
    recorded: Vec<Record>,
    ending: &Ending,
    output: &str,
) -> Finished {
    let mut finished = Finished::default();
    let mut items = items.iter().cloned();
    let is_silent = recorded.is_empty();
    for record in recorded {
        if let Record::End(end) = record {
            let Some(item) = items.next() else { break };
            let before = finished.runs.len() as u64;
            finished.runs.push(run_of(test, item, before, *end, output));
        }
    }
    finished.left = items.collect();
    if finished.left.is_empty() {
        return finished;
    }
    if let Some((kind, mut message)) = death(ending) {
        if is_silent && kind == ENDED_WELL {
            message = SILENT.into();
        }
        // The first run without an end is the one that the process died in.
        let victim = finished.left.remove(0);
        let before = finished.runs.len() as u64;
        finished.runs.push(died(test, victim, before, (kind, message), output));
    }
    finished
}

/// Kind and words of an end before all was done; none if we have ended it for no fault of its own.
pub(crate) fn death(ending: &Ending) -> Option<(&'static str, String)> {
    Some(match ending {
        Ending::Stopped => return None,
        Ending::Hung { threads } => {
            ("hang", format!("it made no progress and was killed; its threads:\n{threads}"))
        }
        Ending::TooMuchOutput => {
            ("output", format!("it printed more than {} MiB and was killed", MOST_OUTPUT >> 20))
        }
        Ending::TooMuchMemory { mib } => {
            ("memory", format!("it had taken {mib} MiB of memory and was killed"))
        }
        Ending::Exited(status) if status.success() => {
            (ENDED_WELL, "the process ended in the middle of the test, as if all were well".into())
        }
        Ending::Exited(status) => ("crash", exited(*status)),
    })
}

fn exited(status: ExitStatus) -> String {
    match (platform::signal(status), status.code()) {
        (Some(platform::KILL), _) => {
            "the process died of signal 9, which somebody else has sent, or the system \
                         for want of memory"
                .to_string()
        }
        (Some(signal), _) => format!("the process died of signal {signal}"),
        // Windows has no signals: a crash is a negative code, known by its bits.
        (None, Some(code @ ..0)) => format!("the process died of exception {code:#x}"),
        (None, Some(code)) => format!("the process ended in the middle with exit code {code}"),
        (None, None) => "the process died".to_string(),
    }
}

/// A run that has no record of its end, or none that counts; with its log.
fn died(
    test: &TestCase,
    item: Item,
    before: u64,
    (kind, message): (&str, String),
    output: &str,
) -> (Run, Option<String>) {
    let replay = test.replay(&item);
    let log = format!("{message}\n\n{replay}\n\n---- output ----\n{output}");
    let text = last_panic(output).map_or(String::new(), |panic| {
        shortened(&format!("{message}\n    the last panic in its output:\n{panic}"))
    });
    let failure = RunFailure { text, replay, ..RunFailure::new(kind, shortened(&message)) };
    let unmeasured = Run::unmeasured(item.index, item.seed);
    (Run { before, failure: Some(failure), ..unmeasured }, Some(log))
}

/// The last panic that a process has told of, if it has: its place and its words.
fn last_panic(output: &str) -> Option<String> {
    let begin = output.rfind("panicked at ")?;
    let begin = output[..begin].rfind('\n').map_or(0, |end| end + 1);
    let lines = output[begin..].lines().take(2);
    Some(lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"))
}

/// What becomes of runs whose records cannot be theirs: none of them counts.
pub(crate) fn refuse(test: &TestCase, items: &[Item], words: &str, output: &str) -> Finished {
    let message = format!("the records do not fit: {words}");
    let runs = items.iter().zip(0..).map(|(item, before)| {
        died(test, item.clone(), before, ("records", message.clone()), output)
    });
    Finished { runs: runs.collect(), left: Vec::new() }
}

/// A run that came to its end, with its log if it failed.
fn run_of(
    test: &TestCase,
    item: Item,
    before: u64,
    end: End,
    output: &str,
) -> (Run, Option<String>) {
    let log = end.failure.as_ref().map(|failure| {
        // On the real clock the output is that of this run alone.
        let output = if end.run.clock == Clock::Real { output } else { "" };
        format!("{}\n\n{output}", failure.text)
    });
    let failure = end.failure.map(|failure| RunFailure {
        kind: failure.kind,
        message: shortened(&failure.message),
        location: failure.location,
        check: failure.check,
        text: shortened(verdict(&failure.text, &item)),
        log: None,
        replay: replay(test, &item, &failure.text, &end.asked),
    });
    let run = Run {
        index: item.index,
        seed: item.seed,
        before,
        lab_us: end.lab_us,
        wall_us: end.wall_us,
        cpu_us: end.cpu_us,
        rpcs: end.rpcs,
        bytes: end.bytes,
        committed: end.committed,
        hash: end.hash,
        troubles: Some(end.troubles),
        situations: end.situations,
        coverage: end.coverage,
        not_judged: end.not_judged,
        asked: end.asked,
        failure,
    };
    (run, log)
}

/// The command that repeats a run, with the variables that its report says it depends on: of these, those that the
/// code under test has asked for. What is the lab's own is known here.
fn replay(test: &TestCase, item: &Item, report: &str, asked: &BTreeSet<String>) -> String {
    let plain = test.replay(item);
    let Some((_, said)) = report.rsplit_once(mark(item)) else { return plain };
    let (variables, command) = shell::assignments(said);
    if !command.starts_with("cargo test ") {
        return plain;
    }
    let counts = |name: &str| asked.contains(name) && !OWN.contains(&name);
    let of_the_code = variables.iter().filter(|variable| counts(variable.name));
    of_the_code.map(|variable| format!("{} ", variable.written)).chain([plain]).collect()
}

/// What stands before the command that repeats a run in the run's report. The report holds words of the code under
/// test, which may say the same; the tester's own command comes behind all of them.
fn mark(item: &Item) -> &'static str {
    match item.seed {
        Some(_) => "\n    replay: ",
        None => "\n    run again: ",
    }
}

/// What a report says about the fault: all before the lines that name the seed and what repeats it.
fn verdict<'a>(report: &'a str, item: &Item) -> &'a str {
    let Some((before, _)) = report.rsplit_once(mark(item)) else { return report };
    match before.rsplit_once("\n    ") {
        Some((facts, case)) if case.starts_with("seed ") => facts,
        _ => before,
    }
}

/// A text that may be of any length, at most as long as is of use.
fn shortened(text: &str) -> String {
    if text.len() <= MOST_WORDS {
        return text.to_string();
    }
    let end = text.floor_char_boundary(MOST_WORDS);
    format!("{} ... ({} bytes more, in the log)", &text[..end], text.len() - end)
}

#[cfg(test)]
mod tests {
    use run_record::Begin;
    use run_record::choices::Choices;

    use super::*;

    /// A simulated test, its run with seed 7, and what its code has asked for.
    fn seventh() -> (TestCase, Item, BTreeSet<String>) {
        let mut test = TestCase::of_nothing("a_2A");
        test.program.replay = "cargo test -p my-raft --test sim".into();
        (test, Item::new(0, Some(7)), ["RAFT_ZOO".to_string(), "LAB_SEED".to_string()].into())
    }

    #[test]
    fn a_replay_sets_what_was_asked_for_and_nothing_else() {
        let (test, item, asked) = seventh();
        let said = |variables: &str| {
            let report = format!("words\n    seed 7\n    replay: {variables}cargo test -p x");
            replay(&test, &item, &report, &asked)
        };
        let plain = "LAB_SEED=7 cargo test -p my-raft --test sim -- --exact a_2A";
        for none in
            ["", "LAB_SEED=7 ", "LAB_SEED=1 ", "LD_PRELOAD=/tmp/a.so ", "RAFT_ZOO=$(x) ", "rm x; "]
        {
            assert_eq!(said(none), plain, "{none}");
        }
        let set = format!("RAFT_ZOO='it'\\''s  2' {plain}");
        assert_eq!(said("LD_PRELOAD=a RAFT_ZOO='it'\\''s  2' LAB_SEED=7 "), set);
        assert_eq!(replay(&test, &item, "words\n    replay: x", &asked), plain);
        assert_eq!(replay(&test, &item, "words", &asked), plain);
    }

    #[test]
    fn words_of_the_code_do_not_steer_the_replay_nor_cut_the_verdict() {
        let (test, item, asked) = seventh();
        let facts = "panic: x\n    replay: LD_PRELOAD=/tmp/a.so RAFT_ZOO=Other LAB_SEED=1 cargo test -p x\n    \
                     run again: RAFT_ZOO=Other cargo test -p x\n    seed 1\n    at 1.000 s\n    - a fact";
        let own = "RAFT_ZOO=Mine LAB_SEED=7 cargo test -p my-raft --test sim -- --exact a_2A";
        let report = format!("{facts}\n    seed 7\n    replay: {own}\n    trace: t\n    page: p");
        assert_eq!(replay(&test, &item, &report, &asked), own);
        assert_eq!(verdict(&report, &item), facts);
        // On the real clock it is called otherwise, and there is no seed.
        let item = Item::new(0, None);
        let own = "RAFT_ZOO=Mine cargo test -p my-raft --test sim -- --exact a_2A";
        let report = format!("{facts}\n    run again: {own}\n    trace: t");
        assert_eq!(replay(&test, &item, &report, &asked), own);
        assert_eq!(verdict(&report, &item), facts);
    }

    #[test]
    #[cfg(unix)]
    fn a_program_without_a_record_may_be_no_test_of_the_testers() {
        use std::os::unix::process::ExitStatusExt as _;

        let test = TestCase::of_nothing("ordinary");
        let item = Item::new(0, Some(1));
        let begin = Begin {
            test: "ordinary".into(),
            part: String::new(),
            clock: Clock::Sim,
            seed: Some(1),
            choices: Choices::default(),
        };
        let words = |records: Vec<Record>, code: i32| {
            let ending = Ending::Exited(ExitStatus::from_raw(code << 8));
            let finished = understand(&test, std::slice::from_ref(&item), records, &ending, "");
            finished.runs[0].0.failure.as_ref().expect("it has no end").message.clone()
        };
        assert!(words(vec![], 0).contains("no run had begun: either the function is no test"));
        assert!(words(vec![Record::Begin(begin)], 0).contains("ended in the middle of the test"));
        assert!(words(vec![], 3).contains("ended in the middle with exit code 3"));
    }

    #[test]
    fn a_verdict_ends_where_the_replay_begins() {
        let (_, item, _) = seventh();
        let report = "a rule: words\n    - a fact\n    usual cause: x\n    seed 7\n    replay: y";
        assert_eq!(verdict(report, &item), "a rule: words\n    - a fact\n    usual cause: x");
        assert_eq!(verdict("words\n    replay: y\n    trace: t", &item), "words");
        assert_eq!(verdict("words\n    seed 7 is odd", &item), "words\n    seed 7 is odd");
    }

    #[test]
    fn the_last_panic_is_quoted_with_its_words() {
        let output = "x\nthread 'a' panicked at a.rs:1:1:\nfirst\n\
                      thread 'b' panicked at b.rs:2:2:\nsecond\nstack";
        let quoted = "    thread 'b' panicked at b.rs:2:2:\n    second";
        assert_eq!(last_panic(output).as_deref(), Some(quoted));
        assert_eq!(last_panic("panicked at x").as_deref(), Some("    panicked at x"));
        assert_eq!(last_panic("nothing"), None);
    }

    #[test]
    fn long_words_are_shortened_between_letters() {
        assert_eq!(shortened("short"), "short");
        let short = shortened(&"\u{e9}".repeat(MOST_WORDS));
        assert!(short.len() < MOST_WORDS + 50, "{}", short.len());
        assert!(short.ends_with(&format!(" ... ({MOST_WORDS} bytes more, in the log)")), "{short}");
    }
}
