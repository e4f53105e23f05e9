//! A suite that behaves like one of the lab from outside, with tests whose behaviour is known.

use std::collections::hash_map::RandomState;
use std::fs::OpenOptions;
use std::hash::BuildHasher;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use run_record::choices::{self, Choices};
use run_record::coverage::{self, Coverage, Kind};
use run_record::seal::Writer;
use run_record::setting::{self, Counts, Setting, Trouble};
use run_record::{Begin, Clock, End, FailureRecord, Record, VARIABLE};

const TESTS: [&str; 27] = [
    "passes_2A",
    IGNORED,
    "fails_1_in_10_2A",
    "hangs_2B",
    "crashes_2B",
    "exits_2B",
    "forges_2B",
    "mistakes_2B",
    "hashless_2B",
    "surplus_2B",
    "noisy_2B",
    "floods_2B",
    "allocates_2B",
    "unpredictable_2C",
    "slow_2C",
    "reducible_2C",
    "dying_2C",
    "waiting_2C",
    "moody_2C",
    "crowded_2C",
    "grudging_2C",
    "spawns_2B",
    "lingers_2B",
    "judged_2B",
    "patient_2A",
    "hidden_2C",
    "shot_2B",
];

/// The test that is marked `#[ignore]`: listed, and not run.
const IGNORED: &str = "passes_ignored_2A";

/// How many runs this process has begun.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// The variable that names a file for the numbers of processes.
const PIDS: &str = "FAKE_PIDS";
/// The variable that all runs are said to depend on.
const BUG: &str = "FAKE_BUG";
/// The argument that makes this program sleep and nothing else.
const SLEEP: &str = "--sleep";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        let ignored = args.iter().any(|arg| arg == "--ignored");
        let listed = TESTS.iter().filter(|test| !ignored || **test == IGNORED);
        listed.for_each(|test| println!("{test}: test"));
        return;
    }
    if args.iter().any(|arg| arg == SLEEP) {
        note_process();
        std::thread::sleep(Duration::from_secs(3600));
    }
    let place = args.iter().position(|arg| arg == "--exact").expect("--exact NAME");
    let test = &args[place + 1];
    if test == IGNORED {
        return;
    }
    let seeds = std::env::var("LAB_SEED").expect("seeds");
    let mut failed = false;
    let choices = std::env::var(choices::VARIABLE).unwrap_or_default();
    let mut choices = Choices::list(&choices).expect("choices").into_iter().cycle();
    for seed in seeds.split(',').map(|seed| seed.parse::<u64>().expect("a number")) {
        failed |= !run(test, seed, choices.next().expect("they have no end"));
    }
    std::process::exit(if failed { 101 } else { 0 });
}

/// Notes which process this is, if somebody wants to know.
fn note_process() {
    let Some(file) = std::env::var_os(PIDS) else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("a file");
    writeln!(file, "{}", std::process::id()).expect("it can be written");
}

/// Starts a process that does not end by itself.
fn start_sleeper() {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    let sleeper = command.arg(SLEEP).stdout(Stdio::piped()).spawn();
    let _ = sleeper.expect("it starts");
}

/// Is killed, as by somebody else, if this run is made again and no other one was killed before, and each time from
/// then on.
#[cfg(unix)]
fn be_shot(seed: u64) {
    let Some(file) = std::env::var_os(PIDS) else { return };
    let done = std::fs::read_to_string(&file).unwrap_or_default();
    let (run, shot) = (format!("run {seed}"), format!("shot {seed}"));
    let note = |line: &str| {
        let mut file = OpenOptions::new().create(true).append(true).open(&file).expect("a file");
        file.write_all(format!("{line}\n").as_bytes()).expect("it can be written");
    };
    if !done.lines().any(|line| line == run) {
        return note(&run);
    }
    match done.lines().find(|line| line.starts_with("shot ")) {
        None => note(&shot),
        Some(line) if line == shot => {}
        Some(_) => return,
    }
    let kill = format!("kill -9 {}", std::process::id());
    let _ = Command::new("sh").args(["-c", &kill]).status();
}

fn record(record: Record) {
    static WRITER: LazyLock<Option<Mutex<Writer>>> =
        LazyLock::new(|| Writer::from_environment().expect("standard input").map(Mutex::new));
    match WRITER.as_ref() {
        Some(writer) => {
            let mut writer = writer.lock().expect("nobody panics here");
            writer.append(&record).expect("the records can be written");
        }
        None => println!("At step 3 one had this and the other that"),
    }
}

/// True if the run passes.
fn run(test: &str, seed: u64, choices: Choices) -> bool {
    let earlier = BEGUN.fetch_add(1, Ordering::Relaxed);
    let part = test.rsplit('_').next().expect("a part").to_string();
    let begin = Begin { test: test.into(), part, clock: Clock::Sim, seed: Some(seed), choices };
    record(Record::Begin(begin.clone()));
    let mut end = End {
        run: begin,
        lab_us: 3_000_000,
        wall_us: 500,
        cpu_us: 400,
        servers: 3,
        rpcs: 50,
        bytes: 1000,
        committed: 4,
        hash: Some(format!("{seed:016x}")),
        schedule: std::env::var("LAB_SCHEDULE").ok(),
        troubles: Counts::default(),
        situations: [("split_vote".to_string(), 1 + seed % 2)].into(),
        coverage: Coverage::default(),
        not_judged: Vec::new(),
        asked: [BUG.to_string()].into(),
        failure: None,
    };
    match test {
        "fails_1_in_10_2A" if seed % 10 == 0 => {
            end.failure = Some(FailureRecord {
                kind: "panic".into(),
                message: format!("one({seed}) failed to reach agreement"),
                location: Some("src/lib.rs:1:1".into()),
                text: format!("the whole report of seed {seed}"),
                check: String::new(),
            });
        }
        // Only who goes on from what was seen finds it.
        "hidden_2C" => {
            let steps = rare_steps(seed, &end.run.choices);
            if std::env::var_os(coverage::VARIABLE).is_some() {
                for (count, us) in (1..).zip(&steps) {
                    end.coverage.see(Kind::Situations, count, *us);
                }
            }
            let fails = steps.len() >= 6 && !end.run.choices.is_empty();
            end.failure = fails.then(|| failure("hidden", seed));
        }
        "hangs_2B" if seed % 4 == 0 => std::thread::sleep(Duration::from_secs(3600)),
        "crashes_2B" if seed % 5 == 0 => std::process::abort(),
        "exits_2B" if seed % 5 == 0 => std::process::exit(0),
        // What a cheat writes for the tester: the record of a run that has passed.
        "forges_2B" if seed % 2 == 0 => {
            let file = std::env::var_os(VARIABLE).expect("records are wanted");
            Record::End(Box::new(end)).append_to(file.as_ref()).expect("it can be written");
            std::process::exit(0);
        }
        // Records that belong to other runs than those that were asked for.
        "mistakes_2B" => end.run.seed = Some(seed + 1),
        "hashless_2B" => end.hash = None,
        "surplus_2B" => record(Record::End(Box::new(end.clone()))),
        "noisy_2B" => std::io::stdout().write_all(&[0xff, 0xfe, b'\n', 0x00]).expect("output"),
        "floods_2B" if seed % 4 == 0 => loop {
            let _ = std::io::stdout().write_all(&[b'x'; 1 << 16]);
        },
        "allocates_2B" if seed % 4 == 0 => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(vec![1; 64 << 20]);
            }
        }
        "unpredictable_2C" => {
            end.hash = Some(format!("{:016x}", RandomState::new().hash_one(1)));
        }
        "slow_2C" => end.lab_us = 130_000_000,
        "reducible_2C" => {
            end.troubles = troubles(seed);
            end.lab_us = 100_000 * end.troubles.get(Trouble::Rounds) + seed % 1000;
            let check = match chaos(seed) % 12 {
                0..4 if has(&end.troubles, 1, 4) => Some("agreement"),
                4 => Some("Log Matching"),
                _ => None,
            };
            end.failure = check.map(|check| failure(check, seed));
            trace(test, seed);
        }
        "dying_2C" if has(&troubles(seed), 2, 0) && seed % 3 > 0 => std::process::abort(),
        "waiting_2C" if has(&troubles(seed), 1, 0) && seed % 2 == 0 => {
            std::thread::sleep(Duration::from_secs(3600));
        }
        // Another run if others came before it in its process.
        "crowded_2C" if earlier > 2 => end.hash = Some("crowded".into()),
        // Fails if many came before it in its process.
        "grudging_2C" if earlier > 20 => end.failure = Some(failure("agreement", seed)),
        // Leaves a process behind.
        "spawns_2B" => start_sleeper(),
        "lingers_2B" => {
            note_process();
            start_sleeper();
            std::thread::sleep(Duration::from_secs(3600));
        }
        "judged_2B" => {
            let mut failure = failure("a rule", seed);
            failure.text = format!(
                "a rule: {}\n    - a fact\n    usual cause: a mistake\n    seed {seed}\n    replay: x",
                failure.message
            );
            end.failure = Some(failure);
        }
        #[cfg(unix)]
        "shot_2B" => be_shot(seed),
        "patient_2A" => std::thread::sleep(Duration::from_millis(20)),
        // Fails but when somebody looks.
        "moody_2C" if std::env::var_os("LAB_TRACE").is_none() => {
            end.failure = Some(failure("agreement", seed));
        }
        _ => {}
    }
    let passed = end.failure.is_none();
    record(Record::End(Box::new(end)));
    passed
}

/// What a run has of each kind of trouble, within the limits of its setting.
fn troubles(seed: u64) -> Counts {
    let setting = setting();
    let mut counts = Counts::default();
    for trouble in Trouble::ALL {
        let natural = 20 + mix(seed ^ trouble as u64) % 30;
        counts.set(trouble, natural.min(setting.limit(trouble).unwrap_or(natural)));
    }
    counts
}

fn setting() -> Setting {
    let text = std::env::var(setting::VARIABLE).unwrap_or_default();
    text.parse().expect("a setting")
}

/// When something rare has happened, by what is drawn at each step.
fn rare_steps(seed: u64, choices: &Choices) -> Vec<u64> {
    let drawn = |us: u64| {
        let changes = choices.changes().iter().filter(|change| change.us <= us);
        changes.fold(mix(seed), |sum, change| mix(sum ^ u64::from(change.number)))
    };
    let rare = |us: &u64| mix(drawn(*us) ^ us) % 8 == 0;
    (0..12).map(|step| step * 250_000).filter(rare).collect()
}

fn has(troubles: &Counts, crashes: u64, rounds: u64) -> bool {
    troubles.get(Trouble::Crashes) >= crashes && troubles.get(Trouble::Rounds) >= rounds
}

fn failure(check: &str, seed: u64) -> FailureRecord {
    FailureRecord {
        kind: "panic".into(),
        message: format!("server {} does not agree", seed % 5),
        location: None,
        text: format!("the whole report of seed {seed}"),
        check: check.into(),
    }
}

/// Writes what stands for a trace, if somebody asks for it.
fn trace(test: &str, seed: u64) {
    let Some(folder) = std::env::var_os("LAB_TRACE") else { return };
    let file = std::path::Path::new(&folder).join(format!("{test}-{seed}.ndjson"));
    std::fs::write(file, setting().to_string()).expect("the trace can be written");
}

/// A number that changes with whatever changes in a run.
fn chaos(seed: u64) -> u64 {
    setting().to_string().bytes().fold(mix(seed), |hash, byte| mix(hash ^ u64::from(byte)))
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 27)
}
