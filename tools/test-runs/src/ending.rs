//! Understanding how a process ended: which runs it made, and which one it died of.

use std::process::ExitStatus;

use run_record::{Clock, End, Record};

use crate::build::TestCase;
use crate::platform;
use crate::process::{Ending, Finished, Item, MOST_OUTPUT};
use crate::run::{Run, RunFailure};

/// How many bytes of a failure's words are kept; a log has all of them.
const MOST_WORDS: usize = 8 << 10;

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
        text: shortened(verdict(&failure.text)),
        log: None,
        replay: replay(test, &item, &failure.text),
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

/// The command that repeats a run, with the variables that its report says it depends on.
fn replay(test: &TestCase, item: &Item, report: &str) -> String {
    let plain = test.replay(item);
    let marks = ["\n    replay: ", "\n    run again: "];
    let said = marks.iter().find_map(|mark| report.split_once(mark)).map(|(_, said)| said);
    let variables = said.and_then(|said| said.split_once("cargo test")).map(|(before, _)| before);
    match variables.filter(|variables| are_assignments(variables)) {
        Some(variables) => format!("{variables}{} -- --exact {}", test.program.replay, test.name),
        None => plain,
    }
}

/// Whether a shell takes these words as values of variables and as nothing else.
fn are_assignments(words: &str) -> bool {
    let (mut quoted, mut name) = (false, true);
    let mut characters = words.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' if !name => quoted = !quoted,
            '\n' => return false,
            _ if quoted => {}
            '=' if name => name = false,
            _ if name => {
                if !character.is_ascii_alphanumeric() && character != '_' {
                    return false;
                }
            }
            ' ' => name = true,
            // The one way to write a quote between quotes.
            '\\' => {
                if characters.next() != Some('\'') {
                    return false;
                }
            }
            _ => {
                if !character.is_ascii_alphanumeric() && !"_-+=,.:/@%".contains(character) {
                    return false;
                }
            }
        }
    }
    !quoted && name
}

/// What a report says about the fault: all before the lines that name the seed and what repeats it.
fn verdict(report: &str) -> &str {
    let end = ["\n    seed ", "\n    replay: "].iter().filter_map(|mark| report.find(mark)).min();
    &report[..end.unwrap_or(report.len())]
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

    #[test]
    fn the_variables_of_a_replay_are_values_and_nothing_else() {
        for good in ["", "A=1 ", "RAFT_ZOO='it'\\''s; 2' LAB_SETTING=cuts=1,losses=0 LAB_SEED=7 "] {
            assert!(are_assignments(good), "{good}");
        }
        for bad in ["rm -rf x; ", "A=$(rm) ", "A=1; ", "A='1 ", "A=1", "A=1\nB=2 ", "A=\\n "] {
            assert!(!are_assignments(bad), "{bad}");
        }
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
        let report = "a rule: words\n    - a fact\n    usual cause: x\n    seed 7\n    replay: y";
        assert_eq!(verdict(report), "a rule: words\n    - a fact\n    usual cause: x");
        assert_eq!(verdict("words\n    replay: y\n    seed 7"), "words");
        assert_eq!(verdict("words"), "words");
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
