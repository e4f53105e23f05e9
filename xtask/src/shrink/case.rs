//! What a search looks at: how runs end, which ends are alike, and which case is the smaller one.

use run_record::setting::{Counts, Setting, Trouble};
use serde::Serialize;
use test_runs::process::NOT_ALONE;
use test_runs::run::{Run, without_numbers};
pub(crate) use trace_view::grouped;

/// Why a run failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// Such as `panic` or `deadlock`.
    pub(crate) kind: String,
    /// The rule or check; empty if the test does not say.
    pub(crate) check: String,
    /// What happened, in one sentence.
    pub(crate) message: String,
    /// Where in the source, as `file:line:column`; empty if nobody knows.
    pub(crate) location: String,
}

impl Verdict {
    /// A name for the way a run failed: runs with the same name failed in the same way.
    pub(crate) fn name(&self) -> String {
        let Verdict { kind, check, message, .. } = self;
        match kind.as_str() {
            // Who notices that a run makes no progress is a question of who has less patience, and
            // what its threads do meanwhile one of chance.
            "hang" | "stuck" => "hang".to_string(),
            "exit" | "output" => kind.clone(),
            // The number of the signal matters; what is said behind it about repeating it does not.
            "crash" if !message.ends_with(NOT_ALONE) => {
                format!("crash: {}", message.split(';').next().unwrap_or_default())
            }
            "crash" => "crash, but not alone".to_string(),
            // A panic of no rule is the same one only at the same place.
            "panic" if check.is_empty() || check == kind => match self.line() {
                Some(line) => format!("panic at {line}"),
                None => format!("panic: {}", without_numbers(message)),
            },
            _ if !check.is_empty() => check.clone(),
            _ => format!("{kind}: {}", without_numbers(message)),
        }
    }

    /// The file and the line, without the column.
    fn line(&self) -> Option<&str> {
        let (line, column) = self.location.rsplit_once(':')?;
        column.parse::<u32>().is_ok().then_some(line)
    }
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) verdict: Verdict,
    /// What happened until then; unknown if the process died.
    pub(crate) troubles: Option<Counts>,
    /// When it failed; unknown if the process died.
    pub(crate) lab_us: Option<u64>,
    /// The command that repeats it.
    pub(crate) replay: String,
}

/// How a run ended: `None` if it passed.
pub(crate) type Outcome = Option<Failed>;

/// How a run ended, from its record.
pub(crate) fn outcome(run: &Run) -> Outcome {
    let failure = run.failure.as_ref()?;
    let verdict = Verdict {
        kind: failure.kind.clone(),
        check: failure.check.clone(),
        message: failure.message.clone(),
        location: failure.location.clone().unwrap_or_default(),
    };
    let lab_us = run.known_lab_us();
    let replay = failure.replay.clone();
    Some(Failed { verdict, troubles: run.troubles, lab_us, replay })
}

/// A run that fails: its setting, its seed, and how it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) setting: Setting,
    pub(crate) seed: u64,
    pub(crate) failed: Failed,
}

/// What makes a case small, the most important first. Smaller is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    /// How many kinds of trouble there are.
    kinds: usize,
    /// How many troubles there are in all, but for forced switches: those come in thousands, and
    /// nobody follows them one by one.
    troubles: u64,
    switches: u64,
    lab_us: u64,
}

impl Case {
    /// How many troubles of a kind there are at most; none if nothing is known.
    pub(crate) fn bound(&self, trouble: Trouble) -> Option<u64> {
        let seen = self.failed.troubles.map(|counts| counts.get(trouble));
        match (self.setting.limit(trouble), seen) {
            (Some(limit), Some(seen)) => Some(limit.min(seen)),
            (limit, seen) => limit.or(seen),
        }
    }

    pub(crate) fn size(&self) -> Size {
        let bound = |trouble| self.bound(trouble).unwrap_or(u64::MAX);
        let others = Trouble::ALL.into_iter().filter(|trouble| *trouble != Trouble::Switches);
        Size {
            kinds: Trouble::ALL.into_iter().filter(|trouble| bound(*trouble) > 0).count(),
            troubles: others.map(bound).fold(0, u64::saturating_add),
            switches: bound(Trouble::Switches),
            lab_us: self.failed.lab_us.unwrap_or(u64::MAX),
        }
    }

    /// The setting that allows what happened until the failure, and no more.
    pub(crate) fn tightened(&self) -> Setting {
        let limit = |setting: Setting, trouble| setting.with(trouble, self.bound(trouble));
        Trouble::ALL.into_iter().fold(self.setting, limit)
    }
}

/// How much there is of something: `1 crash`, `7 rounds`.
pub(crate) fn amount(trouble: Trouble, count: u64) -> String {
    let (one, many) = match trouble {
        Trouble::Losses => ("message is lost", "messages are lost"),
        Trouble::Delays => ("request is late", "requests are late"),
        Trouble::Reorders => ("reply is overtaken", "replies are overtaken"),
        Trouble::Crashes => ("crash", "crashes"),
        Trouble::Cuts => ("server is cut off", "servers are cut off"),
        Trouble::Rounds => ("round", "rounds"),
        Trouble::Switches => ("forced switch", "forced switches"),
        Trouble::Duplicates => ("request comes twice", "requests come twice"),
        Trouble::OneWayCuts => ("cut in one direction", "cuts in one direction"),
        Trouble::SlowLinks => ("slow link", "slow links"),
        Trouble::Pauses => ("pause of a server", "pauses of servers"),
        Trouble::Drifts => ("clock drifts", "clocks drift"),
        Trouble::TornSaves => ("crash in a save", "crashes in saves"),
    };
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

fn absence(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Losses => "no message is lost",
        Trouble::Delays => "no request is late",
        Trouble::Reorders => "no reply is overtaken",
        Trouble::Crashes => "no server crashes",
        Trouble::Cuts => "no server is cut off",
        Trouble::Rounds => "no rounds",
        Trouble::Switches => "no switch is forced",
        Trouble::Duplicates => "no request comes twice",
        Trouble::OneWayCuts => "no cut in one direction",
        Trouble::SlowLinks => "no slow link",
        Trouble::Pauses => "no server pauses",
        Trouble::Drifts => "no clock drifts",
        Trouble::TornSaves => "no crash in a save",
    }
}

/// True of what no part of a lab has, only a soak test: where there is none of it nobody wants to hear so.
pub(crate) fn is_beyond_the_labs(trouble: Trouble) -> bool {
    match trouble {
        Trouble::Losses | Trouble::Delays | Trouble::Reorders => false,
        Trouble::Crashes | Trouble::Cuts | Trouble::Rounds | Trouble::Switches => false,
        Trouble::Duplicates | Trouble::OneWayCuts | Trouble::SlowLinks => true,
        Trouble::Pauses | Trouble::Drifts | Trouble::TornSaves => true,
    }
}

/// A setting in words: what there is of everything first, then what there is nothing of.
///
/// Nothing is said of kinds that are `absent` from the test.
pub(crate) fn words(setting: &Setting, absent: &[Trouble]) -> String {
    if setting.is_whole() {
        return "the whole test".to_string();
    }
    let mut some = Vec::new();
    let mut none = Vec::new();
    let mut free = Vec::new();
    for trouble in Trouble::ALL {
        match setting.limit(trouble) {
            None | Some(0) if is_beyond_the_labs(trouble) || absent.contains(&trouble) => {}
            Some(0) => none.push(absence(trouble)),
            Some(limit) => some.push(amount(trouble, limit)),
            None => free.push(trouble.name()),
        }
    }
    if !free.is_empty() {
        some.push(format!("{} as the test has them", free.join(", ")));
    }
    let none = (!none.is_empty()).then(|| none.join(", "));
    some.into_iter().chain(none).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: &str, check: &str, message: &str) -> String {
        verdict(kind, check, message, "").name()
    }

    fn verdict(kind: &str, check: &str, message: &str, location: &str) -> Verdict {
        let [kind, check, message, location] = [kind, check, message, location].map(String::from);
        Verdict { kind, check, message, location }
    }

    #[test]
    fn panics_are_the_same_at_the_same_place_only() {
        let panic = |message, location| verdict("panic", "panic", message, location).name();
        let own = panic("I did not expect a refusal of term 6", "src/server.rs:40:9");
        assert_eq!(own, "panic at src/server.rs:40");
        assert_eq!(own, panic("I did not expect a refusal of term 7", "src/server.rs:40:21"));
        assert_ne!(own, panic("I did not expect a refusal of term 6", "src/server.rs:41:9"));
        assert_ne!(own, panic("5 committed but no majority", "src/part_2b.rs:40:9"));
        // Without a place their words have to do.
        assert_ne!(panic("a refusal of term 6", ""), panic("5 committed", ""));
        // A rule is a rule, wherever it is checked.
        let rule = |location| verdict("panic", "Log Matching", "w", location).name();
        assert_eq!(rule("a.rs:1:1"), rule("b.rs:2:2"));
    }

    #[test]
    fn runs_that_failed_alike_have_the_same_name() {
        assert_eq!(name("panic", "agreement", "a 1"), name("panic", "agreement", "b 2"));
        assert_ne!(name("panic", "agreement", "a"), name("panic", "Log Matching", "a"));
        assert_eq!(name("panic", "", "one(104) failed"), name("panic", "", "one(7) failed"));
        assert_ne!(name("panic", "", "one failed"), name("panic", "", "two failed"));
        assert_eq!(name("hang", "", "threads: a"), name("stuck", "stuck", "task 3"));
        assert_eq!(name("exit", "", "a"), name("exit", "", "b"));
        let abort = "the process died of signal 6";
        assert_eq!(
            name("crash", "", abort),
            name("crash", "", &format!("{abort}; it did so again"))
        );
        assert_ne!(name("crash", "", abort), name("crash", "", "the process died of signal 11"));
        let by_others = format!("{abort}{NOT_ALONE}");
        assert_ne!(name("crash", "", abort), name("crash", "", &by_others));
    }

    fn case(setting: &str, counts: &[(Trouble, u64)], lab_us: u64) -> Case {
        let mut troubles = Counts::default();
        counts.iter().for_each(|(trouble, count)| troubles.set(*trouble, *count));
        let failed = Failed {
            verdict: Verdict::default(),
            troubles: Some(troubles),
            lab_us: Some(lab_us),
            replay: String::new(),
        };
        Case { setting: setting.parse().expect("a setting"), seed: 1, failed }
    }

    #[test]
    fn kinds_count_more_than_troubles_and_troubles_more_than_switches_and_time() {
        use Trouble::{Crashes, Losses, Switches};
        let ascending = [
            case("", &[], 9),
            case("", &[(Crashes, 2), (Switches, 0)], 9),
            case("crashes=2", &[(Crashes, 9), (Switches, 0)], 10),
            case("", &[(Crashes, 9)], 1),
            case("", &[(Crashes, 1), (Switches, 70)], 5),
            case("", &[(Crashes, 1), (Switches, 80)], 3),
            case("", &[(Crashes, 2), (Losses, 1)], 1),
        ];
        assert!(ascending.is_sorted_by_key(Case::size));
        assert!(ascending.windows(2).all(|two| two[0].size() != two[1].size()));
        let mut unknown = case("losses=3", &[], 1);
        unknown.failed.troubles = None;
        assert!(unknown.size() > ascending[6].size());
    }

    #[test]
    fn a_case_is_tightened_to_what_happened_in_it() {
        let seen = case("losses=5,crashes=1", &[(Trouble::Losses, 2), (Trouble::Crashes, 1)], 1);
        let tight = "losses=2,delays=0,reorders=0,crashes=1,cuts=0,duplicates=0,one-way-cuts=0,\
                     slow-links=0,pauses=0,drifts=0,torn-saves=0,rounds=0,switches=0";
        assert_eq!(seen.tightened().to_string(), tight);
        let mut unknown = seen;
        unknown.failed.troubles = None;
        assert_eq!(unknown.tightened(), unknown.setting);
    }

    #[test]
    fn settings_are_said_in_words() {
        let say = |setting: &str| words(&setting.parse().expect("a setting"), &[]);
        let all = "losses=0,delays=0,reorders=0,crashes=1,cuts=0,rounds=7,switches=1200";
        let expected = "1 crash; 7 rounds; 1,200 forced switches; no message is lost, \
                        no request is late, no reply is overtaken, no server is cut off";
        assert_eq!(say(all), expected);
        assert_eq!(say(""), "the whole test");
        let rest = "delays, reorders, crashes, cuts, switches as the test has them";
        assert_eq!(say("losses=1,rounds=0"), format!("1 message is lost; {rest}; no rounds"));
        let soaked = all.replace("crashes=1", "crashes=0,pauses=2,drifts=0");
        assert!(say(&soaked).starts_with("2 pauses of servers; 7 rounds"), "{}", say(&soaked));
        assert!(!say(&soaked).contains("drift"), "{}", say(&soaked));
        // Of a test without crashes, cuts and rounds nobody wants to hear that there are none.
        let absent = [Trouble::Reorders, Trouble::Crashes, Trouble::Cuts, Trouble::Rounds];
        let plain = words(&"losses=5,delays=0,switches=0".parse().expect("a setting"), &absent);
        assert_eq!(plain, "5 messages are lost; no request is late, no switch is forced");
    }
}
