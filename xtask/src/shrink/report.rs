//! The result, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use run_record::setting::{Setting, Trouble};
use serde::Serialize;
use trace_view::clean;

use super::case::{Case, Verdict, amount, is_beyond_the_labs, words};
use super::neighbours::Rate;
use super::reference::SEEDS;
use super::search::{End, Found};
use crate::say::counted;

const NO_TROUBLE: &str = "no trouble of any kind that can be taken away, or none that was counted";

/// All that came of a search; `--json` writes this. Fields may be added.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: u32,
    pub(crate) package: String,
    pub(crate) test: String,
    verdict: Verdict,
    original: CaseReport,
    smallest: CaseReport,
    /// `minimal`, `budget`, `tries`, `interrupted` or `broken`.
    end: &'static str,
    /// The kinds of trouble of which one less was not seen to fail.
    checked: Vec<Trouble>,
    /// The kinds of which the test itself needs what is left: with one less the reference fails too.
    needed: Vec<Trouble>,
    /// With how many settings the reference fails too, so that they do not count; none if it was
    /// not asked.
    void: Option<usize>,
    /// The reference was seen to pass with the smallest setting.
    reference_passes: bool,
    /// With how many seeds a setting was tried at most.
    seeds: u64,
    trials: Vec<TrialReport>,
    runs: u64,
    pub(crate) wall_us: u64,
    others: Vec<OtherReport>,
    /// Other seeds of the smallest setting.
    pub(crate) neighbours: Option<Share>,
    /// The same seeds with nothing taken away.
    pub(crate) whole: Option<Share>,
    /// The command that repeats the smallest case.
    pub(crate) replay: String,
    /// The command that goes on with the search.
    pub(crate) go_on: String,
    /// Whether the smallest case failed in the same way when it was run once more at the end.
    pub(crate) repeated: Option<bool>,
    pub(crate) trace: Option<PathBuf>,
    pub(crate) page: Option<PathBuf>,
    /// Why the test seems not to heed settings.
    warning: Option<String>,
}

#[derive(Debug, Serialize)]
struct CaseReport {
    setting: String,
    words: String,
    seed: u64,
    lab_us: Option<u64>,
    troubles: Option<BTreeMap<&'static str, u64>>,
    /// The kinds of trouble that the test does not have.
    #[serde(skip)]
    absent: Vec<Trouble>,
}

#[derive(Debug, Serialize)]
struct TrialReport {
    setting: String,
    seeds: usize,
    failing: Option<u64>,
    void: bool,
}

#[derive(Debug, Serialize)]
struct OtherReport {
    verdict: Verdict,
    runs: u64,
    setting: String,
    seed: u64,
}

/// A rate with its interval.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    #[serde(flatten)]
    rate: Rate,
    share: f64,
    interval: (f64, f64),
}

impl From<Rate> for Share {
    fn from(rate: Rate) -> Share {
        let (share, interval) = rate.share();
        Share { rate, share, interval }
    }
}

impl CaseReport {
    fn new(case: &Case, absent: &[Trouble]) -> CaseReport {
        let numbers = case.failed.troubles.map(|counts| {
            Trouble::ALL.into_iter().map(|trouble| (trouble.name(), counts.get(trouble))).collect()
        });
        CaseReport {
            setting: case.setting.to_string(),
            words: words(&case.setting, absent),
            seed: case.seed,
            lab_us: case.failed.lab_us,
            troubles: numbers,
            absent: absent.to_vec(),
        }
    }

    /// Which run it is, and when it fails.
    fn when(&self) -> String {
        match self.lab_us {
            Some(us) => format!("seed {} at {:.3} s of lab time", self.seed, us as f64 / 1e6),
            None => format!("seed {}, when is not known (the process died)", self.seed),
        }
    }

    /// What had happened until it failed.
    fn had(&self) -> String {
        let Some(numbers) = &self.troubles else { return "what happened is unknown".to_string() };
        let some = Trouble::ALL.into_iter().filter_map(|trouble| {
            let count = *numbers.get(trouble.name())?;
            (count > 0).then(|| amount(trouble, count))
        });
        let some: Vec<String> = some.collect();
        if some.is_empty() { NO_TROUBLE.to_string() } else { some.join("; ") }
    }

    /// The kinds of trouble that have no limit. Of those that no part of a lab has, if others of them have one.
    fn free(&self) -> Vec<&'static str> {
        let setting: Setting = self.setting.parse().unwrap_or_default();
        let (beyond, usual): (Vec<_>, Vec<_>) =
            Trouble::ALL.into_iter().partition(|trouble| is_beyond_the_labs(*trouble));
        let is_soaked = beyond.iter().any(|trouble| setting.limit(*trouble).is_some());
        let kinds = usual.into_iter().chain(beyond.into_iter().filter(|_| is_soaked));
        let is_free =
            |trouble: &Trouble| setting.limit(*trouble).is_none() && !self.absent.contains(trouble);
        kinds.filter(is_free).map(Trouble::name).collect()
    }
}

impl Report {
    /// What the search has found; the rest is filled in by whoever does the rest.
    pub(crate) fn new(first: &Case, found: &Found, seeds: u64, absent: &[Trouble]) -> Report {
        let other = |other: &super::trials::Other| OtherReport {
            verdict: other.verdict.clone(),
            runs: other.runs,
            setting: other.setting.to_string(),
            seed: other.seed,
        };
        let trial = |trial: &super::search::Trial| TrialReport {
            setting: trial.setting.to_string(),
            seeds: trial.seeds,
            failing: trial.failing,
            void: trial.void,
        };
        Report {
            version: 1,
            package: String::new(),
            test: String::new(),
            verdict: found.case.failed.verdict.clone(),
            original: CaseReport::new(first, absent),
            smallest: CaseReport::new(&found.case, absent),
            end: match found.end {
                End::Minimal => "minimal",
                End::Budget => "budget",
                End::Tries => "tries",
                End::Interrupted => "interrupted",
                End::Broken => "broken",
            },
            checked: found.checked.clone(),
            needed: found.needed.clone(),
            void: found.void,
            reference_passes: found.reference_passes,
            seeds,
            trials: found.trials.iter().map(trial).collect(),
            runs: found.runs,
            wall_us: 0,
            others: found.others.iter().map(other).collect(),
            neighbours: None,
            whole: None,
            replay: String::new(),
            go_on: String::new(),
            repeated: None,
            trace: None,
            page: None,
            warning: found.disobedient.map(disobedience),
        }
    }

    /// The report for people. Nothing in it steers a terminal, and no word of the code under test is a line of its own.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let Report { original, smallest, verdict, .. } = self;
        let check = if verdict.check.is_empty() { &verdict.kind } else { &verdict.check };
        // What the threads of a hanging process did is for the JSON.
        let message = verdict.message.lines().next().unwrap_or_default();
        let message = message.trim_end_matches("; its threads:");
        let first = clean(&format!("{}: {check}: {message}", self.test));
        let _ = writeln!(text, "{first}\n");
        let mut line = |label: &str, words: &str| {
            let _ = writeln!(text, "  {label:<12}{words}");
        };
        line("smallest", &smallest.words);
        line("fails", &smallest.when());
        line("before", &format!("{}: {}", original.when(), original.had()));
        let failing = self.trials.iter().filter(|trial| trial.failing.is_some() && !trial.void);
        let failing = failing.count();
        line(
            "tried",
            &format!(
                "{}, {failing} of which still failed; {}, {:.1} s",
                counted(self.trials.len() as u64, "setting"),
                counted(self.runs, "run"),
                self.wall_us as f64 / 1e6
            ),
        );
        line("minimal?", &self.minimality());
        line("reference", &self.reference());
        if let Some(share) = &self.neighbours {
            line("neighbours", &share.words());
        }
        if let Some(share) = &self.whole {
            line("whole test", &share.words());
        }
        for other in &self.others {
            line("also seen", &other.words());
        }
        if let Some(warning) = &self.warning {
            line("warning", warning);
        }
        if self.repeated == Some(false) {
            line(
                "warning",
                "run once more, the smallest case ended otherwise: the test depends on something \
                 that the seed does not decide; `cargo xtask stress` shows what",
            );
        }
        let _ = writeln!(text, "\nreplay: {}", clean(&self.replay));
        for (label, file) in [("trace:  ", &self.trace), ("page:   ", &self.page)] {
            if let Some(file) = file {
                let _ = writeln!(text, "{label}{}", clean(&file.display().to_string()));
            }
        }
        text
    }

    fn minimality(&self) -> String {
        let ended = match self.end {
            "minimal" => return self.what_is_minimal(),
            "budget" => "the time was used up",
            "tries" => "all runs that were allowed were made",
            "broken" => "runs could not be made any more",
            _ => "it was interrupted",
        };
        format!("unknown, since {ended}; go on with\n              {}", clean(&self.go_on))
    }

    /// Whether the setting alone makes any solution fail.
    fn reference(&self) -> String {
        match self.void {
            None => "was not tried: whether the setting makes any solution fail is not known"
                .to_string(),
            Some(void) => {
                let void = match void {
                    0 => String::new(),
                    1 => "; 1 setting with which it fails too did not count".to_string(),
                    _ => format!("; {void} settings with which it fails too did not count"),
                };
                match self.reference_passes {
                    true => {
                        format!(
                            "the reference passes with the smallest setting ({SEEDS} seeds){void}"
                        )
                    }
                    false => format!(
                        "was not tried with the smallest setting: whether that makes any solution \
                         fail is not known{void}"
                    ),
                }
            }
        }
    }

    fn what_is_minimal(&self) -> String {
        let mut words = Vec::new();
        if !self.checked.is_empty() {
            let kinds: Vec<&str> = self.checked.iter().map(|kind| kind.name()).collect();
            words.push(format!(
                "with one less of {} it was not seen to fail with {} seeds",
                kinds.join(", or of "),
                self.seeds
            ));
        }
        if !self.needed.is_empty() {
            let kinds: Vec<&str> = self.needed.iter().map(|kind| kind.name()).collect();
            words.push(format!("with fewer {} the test fails any solution", kinds.join(", or ")));
        }
        let free = self.smallest.free();
        if !free.is_empty() {
            words.push(format!(
                "with no limit that was tried for {} was it seen to fail",
                free.join(", or for ")
            ));
        }
        match words.is_empty() {
            true => "nothing is left to take away".to_string(),
            false => words.join("; "),
        }
    }
}

impl OtherReport {
    fn words(&self) -> String {
        let name = clean(&self.verdict.name());
        format!(
            "{} that failed otherwise: {name} (seed {}, {})",
            counted(self.runs, "run"),
            self.seed,
            if self.setting.is_empty() { "the whole test" } else { &self.setting }
        )
    }
}

impl Share {
    fn words(&self) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let Share { rate, share, interval: (low, high) } = self;
        let other = match rate.other {
            0 => String::new(),
            other => format!(", {other} fail otherwise"),
        };
        format!(
            "of {} other seeds {} fail so ({}, 95 % interval {} to {}){other}",
            rate.runs,
            rate.same,
            percent(*share),
            percent(*low),
            percent(*high)
        )
    }
}

fn disobedience((setting, seed, trouble): (Setting, u64, Trouble)) -> String {
    format!(
        "the run of `{setting}` with seed {seed} had more {} than that: the test does not heed \
         LAB_SETTING as it should, and the result may not hold",
        trouble.name()
    )
}

#[cfg(test)]
mod tests {
    use super::super::case::Failed;
    use super::*;

    /// The text for a search that went from the whole test to this setting.
    fn text(setting: &str, end: End, checked: &[Trouble]) -> String {
        let failed = Failed {
            verdict: Verdict::default(),
            troubles: None,
            lab_us: None,
            replay: String::new(),
        };
        let case = Case { setting: setting.parse().expect("a setting"), seed: 7, failed };
        let first = Case { setting: Setting::default(), ..case.clone() };
        Report::new(&first, &found(case, end, checked), 64, &[]).text()
    }

    fn found(case: Case, end: End, checked: &[Trouble]) -> Found {
        Found {
            case,
            end,
            checked: checked.to_vec(),
            needed: Vec::new(),
            void: None,
            reference_passes: false,
            trials: Vec::new(),
            runs: 1,
            others: Vec::new(),
            disobedient: None,
        }
    }

    #[track_caller]
    fn assert_says(text: &str, expected: &str) {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }

    #[test]
    fn what_is_claimed_is_what_was_checked() {
        let rest = "delays=0,reorders=0,crashes=0,cuts=0,rounds=0,switches=0";
        let none = text(&format!("losses=0,{rest}"), End::Minimal, &[]);
        assert_says(&none, "nothing is left to take away");
        let some = text(&format!("losses=2,{rest}"), End::Minimal, &[Trouble::Losses]);
        assert_says(&some, "with one less of losses it was not seen to fail with 64 seeds\n");
        let free = text(rest, End::Minimal, &[]);
        assert_says(
            &free,
            "minimal?    with no limit that was tried for losses was it seen to fail\n",
        );
        let ended = text(rest, End::Interrupted, &[]);
        assert_says(&ended, "unknown, since it was interrupted; go on with");
        let broken = text(rest, End::Broken, &[]);
        assert_says(&broken, "unknown, since runs could not be made any more; go on with");
        assert_says(&ended, "seed 7, when is not known (the process died): what happened");
    }

    #[test]
    fn the_reference_is_said_to_pass_only_if_it_was_seen_to() {
        let failed = Failed {
            verdict: Verdict::default(),
            troubles: None,
            lab_us: None,
            replay: String::new(),
        };
        let case = Case { setting: Setting::default(), seed: 7, failed };
        let text = |void, reference_passes| {
            let found = Found { void, reference_passes, ..found(case.clone(), End::Budget, &[]) };
            Report::new(&case, &found, 64, &[]).text()
        };
        assert_says(&text(None, false), "reference   was not tried: whether the setting makes");
        let passes = "reference   the reference passes with the smallest setting (8 seeds)\n";
        assert_says(&text(Some(0), true), passes);
        let unknown = "was not tried with the smallest setting: whether that makes any solution fail \
                       is not known; 1 setting with which it fails too did not count\n";
        assert_says(&text(Some(1), false), unknown);
    }

    #[test]
    fn words_of_the_code_neither_steer_a_terminal_nor_look_like_ours() {
        const EVIL: &str = "\x1b]0;x\x07 \u{202e}dlrow\u{2066}\n\nreplay: rm -rf x";
        let [kind, check, message, location] = [EVIL; 4].map(String::from);
        let verdict = Verdict { kind, check, message, location };
        let replay = format!("A='{EVIL}' cargo test");
        let failed = Failed { verdict: verdict.clone(), troubles: None, lab_us: None, replay };
        let case = Case { setting: Setting::default(), seed: 7, failed };
        let setting = Setting::default();
        let found = Found {
            others: vec![super::super::trials::Other { verdict, runs: 1, setting, seed: 1 }],
            ..found(case.clone(), End::Interrupted, &[])
        };
        let mut report = Report::new(&case, &found, 64, &[]);
        report.replay.clone_from(&case.failed.replay);
        report.go_on.clone_from(&case.failed.replay);
        report.trace = Some(EVIL.into());
        let text = report.text();
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}', '\u{2066}']), "{text:?}");
        let replays = text.lines().filter(|line| line.starts_with("replay:"));
        assert_eq!(replays.count(), 1, "{text}");
    }
}
