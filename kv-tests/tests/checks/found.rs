//! What the suite is there to find is found: clerks that do a little less, or more, than they say.

use std::time::Duration;

use kv::{Clerk as Right, GetArgs, KeyValueClient, Outcome};
use kv_api::Clerk;
use kv_tests::Subject;
use labrpc::{ClientEnd, NoReply};
use labrt::thread;
use labtrace::{Verdict, What};
use tester::{Judged, Run};

type Server = kv::Server<raft::Raft>;

/// The words of the failure that a test has with this clerk.
fn failure<C: Clerk>(test: &'static str) -> String {
    let play = move || kv_tests::test(test, Subject::of::<Server, C>()).play(&Run::silent());
    match labrt::simulate(0, play) {
        Ok(_) => panic!("{test} passes"),
        Err(failure) => failure.message,
    }
}

/// Makes every seventh Append so many times.
struct Seventh<const TIMES: usize>(Right, u64);

/// Appends twice, now and then.
type Twice = Seventh<2>;
/// Forgets an Append, now and then.
type Forgets = Seventh<0>;

impl<const TIMES: usize> Clerk for Seventh<TIMES> {
    fn make(servers: Vec<ClientEnd>) -> Self {
        Seventh(Right::make(servers), 0)
    }

    fn get(&mut self, key: &str) -> String {
        self.0.get(key)
    }

    fn put(&mut self, key: &str, value: &str) {
        self.0.put(key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.1 += 1;
        let times = if self.1.is_multiple_of(7) { TIMES } else { 1 };
        (0..times).for_each(|_| self.0.append(key, value));
    }
}

/// Asks one server after the other for a value, and takes an empty one from whoever has none to give: from a server that
/// it does not reach, or from one that refuses since it does not lead.
struct MakesUp<const OF_FAILED: bool> {
    right: Right,
    servers: Vec<KeyValueClient>,
    next: usize,
}

impl<const OF_FAILED: bool> Clerk for MakesUp<OF_FAILED> {
    fn make(servers: Vec<ClientEnd>) -> Self {
        let right = Right::make(servers.clone());
        let servers = servers.into_iter().map(KeyValueClient::new).collect();
        MakesUp { right, servers, next: 0 }
    }

    fn get(&mut self, key: &str) -> String {
        let args = GetArgs { key: key.to_string() };
        loop {
            match self.servers[self.next].get(&args) {
                Ok(reply) if reply.outcome != Outcome::WrongLeader || !OF_FAILED => {
                    return reply.value;
                }
                Err(NoReply) if OF_FAILED => return String::new(),
                _ => self.next = (self.next + 1) % self.servers.len(),
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn put(&mut self, key: &str, value: &str) {
        self.right.put(key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.right.append(key, value);
    }
}

/// What `Client::check` says of a clerk in a test, with some of these seeds.
fn wrong_gets<C: Clerk>(test: &'static str, seeds: u64) -> Vec<Verdict> {
    let play = |seed| {
        let run = Run::silent();
        let playing = run.clone();
        let play = move || kv_tests::test(test, Subject::of::<Server, C>()).play(&playing);
        labrt::simulate(seed, play).err()?;
        run.session().verdict()
    };
    let all: Vec<Verdict> = (0..seeds).filter_map(play).collect();
    let wrong: Vec<Verdict> =
        all.iter().filter(|verdict| verdict.check == "get").cloned().collect();
    assert!(!wrong.is_empty(), "with no seed: {all:?}");
    wrong
}

/// Makes sure that verdicts on a clerk tell this as a fact, accuse no server, and name the clerk's mistake.
fn assert_blames_the_clerk(verdicts: &[Verdict], told: &str) {
    for Verdict { facts, hint, .. } in verdicts {
        let is_told = |text: &str| facts.iter().any(|fact| fact.text.contains(text));
        assert!(is_told(told) && !is_told("could know"), "{facts:?}");
        let hint = hint.as_deref().unwrap_or_default();
        assert!(hint.contains("or a clerk that takes a failed call, or a refusal"), "{hint}");
    }
}

#[test]
fn a_clerk_that_takes_a_failed_call_for_an_answer_is_not_blamed_on_a_server() {
    let verdicts = wrong_gets::<MakesUp<true>>("unreliable_3A", 4);
    assert_blames_the_clerk(&verdicts, "returned after its call to server");
}

#[test]
fn a_clerk_that_takes_a_refusal_for_an_answer_is_not_blamed_on_a_server() {
    let verdicts = wrong_gets::<MakesUp<false>>("basic_3A", 12);
    assert_blames_the_clerk(&verdicts, " answered client 0: {outcome: WrongLeader");
}

/// Gives what it read the last time, if that was the same key.
struct Stale(Right, Option<(String, String)>);

impl Clerk for Stale {
    fn make(servers: Vec<ClientEnd>) -> Self {
        Stale(Right::make(servers), None)
    }

    fn get(&mut self, key: &str) -> String {
        let now = self.0.get(key);
        let last = self.1.replace((key.into(), now.clone()));
        last.filter(|(of, _)| of == key).map_or(now, |(_, value)| value)
    }

    fn put(&mut self, key: &str, value: &str) {
        self.0.put(key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.0.append(key, value);
    }
}

/// Knows at no operation who answered the last one.
struct Forgetful(Vec<ClientEnd>);

impl Forgetful {
    fn fresh(&self) -> Right {
        Right::make(self.0.clone())
    }
}

impl Clerk for Forgetful {
    fn make(servers: Vec<ClientEnd>) -> Self {
        Forgetful(servers)
    }

    fn get(&mut self, key: &str) -> String {
        self.fresh().get(key)
    }

    fn put(&mut self, key: &str, value: &str) {
        self.fresh().put(key, value);
    }

    fn append(&mut self, key: &str, value: &str) {
        self.fresh().append(key, value);
    }
}

/// Takes so many milliseconds more for a Put, and for a Get.
struct Slow<const PUT: u64, const GET: u64>(Right);

impl<const PUT: u64, const GET: u64> Clerk for Slow<PUT, GET> {
    fn make(servers: Vec<ClientEnd>) -> Self {
        Slow(Right::make(servers))
    }

    fn get(&mut self, key: &str) -> String {
        let value = self.0.get(key);
        thread::sleep(Duration::from_millis(GET));
        value
    }

    fn put(&mut self, key: &str, value: &str) {
        self.0.put(key, value);
        thread::sleep(Duration::from_millis(PUT));
    }

    fn append(&mut self, key: &str, value: &str) {
        self.0.append(key, value);
    }
}

/// What `speed_3A` warns of with this clerk.
fn warnings<C: Clerk>(seed: u64) -> Vec<String> {
    let run = Run::new(tester::Keep::All, Default::default());
    let playing = run.clone();
    let play = move || kv_tests::test("speed_3A", Subject::of::<Server, C>()).play(&playing);
    labrt::simulate(seed, play).expect("a warning is no failure");
    let warning = |what| match what {
        What::Note { topic, text } if topic == "warning" => Some(text),
        _ => None,
    };
    run.session().take().events.into_iter().filter_map(|event| warning(event.what)).collect()
}

#[test]
fn a_clerk_that_does_not_remember_who_leads_is_warned_of() {
    // Where the leader is the first one that it asks, nothing shows.
    let all: Vec<String> = (0..4).flat_map(warnings::<Forgetful>).collect();
    assert!(all.iter().any(|words| words.contains("requests for each operation")), "{all:?}");
    assert_eq!((0..2).flat_map(warnings::<Right>).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn operations_with_snapshots_that_take_too_long() {
    let words = failure::<Slow<30, 30>>("snapshot_size_3B");
    assert!(words.contains("800 operations took 3"), "{words}");
    assert!(words.contains("s, 20 s allowed"), "{words}");
}

/// The one that waited beside it has no time of its own to wait until it is looked at.
#[test]
fn who_waited_in_the_minority_and_ends_too_late() {
    let words = failure::<Slow<2_900, 5_500>>("one_partition_3A");
    assert!(words.contains("Get did not complete within 4s of the healing"), "{words}");
}

#[test]
fn an_append_that_happens_twice() {
    for test in ["unreliable_one_key_3A", "persist_partition_unreliable_linearizable_3A"] {
        let words = failure::<Twice>(test);
        assert!(words.contains("once and stands in what was read 2 times"), "{words}");
    }
}

/// In the trace of a run that a rule fails when an operation returns, the operation has returned.
#[test]
fn who_is_told_at_the_return_of_a_call_has_returned() {
    let run = Run::new(tester::Keep::All, Default::default());
    let playing = run.clone();
    let subject = Subject::of::<Server, Twice>();
    let play = move || kv_tests::test("unreliable_one_key_3A", subject).play(&playing);
    let failure = labrt::simulate(0, play).map(drop).expect_err("it happens twice");
    assert!(failure.message.contains("applied once") || failure.message.contains("2 times"));
    let events = run.session().take().events;
    let mut ends = events.iter().rev().filter_map(|event| match &event.what {
        What::Answered { text, .. } => Some(text),
        _ => None,
    });
    let last = ends.next().expect("some operation has returned");
    assert!(last.contains("bytes)"), "the Get that shows it has returned, not {last:?}");
}

#[test]
fn an_append_that_does_not_happen() {
    let words = failure::<Forgets>("unreliable_one_key_3A");
    assert!(words.contains("is missing in the result"), "{words}");
}

#[test]
fn a_client_that_does_not_read_what_it_wrote() {
    let words = failure::<Stale>("basic_3A");
    assert!(words.contains("get wrong value, key 0, wanted \"x 0 "), "{words}");
    assert!(words.lines().count() == 1 && words.len() < 250, "{words}");
}

#[test]
fn a_history_that_no_order_explains() {
    let words = failure::<Stale>("persist_partition_unreliable_linearizable_3A");
    assert!(words.contains("history is not linearizable"), "{words}");
}

#[test]
fn a_run_that_is_judged_less_is_the_same_run() {
    let trace = |judged| {
        let play = move || {
            let run = Run::judged_less(judged);
            kv_tests::test("snapshot_rpc_3B", Subject::of::<Server, Right>()).play(&run)
        };
        labrt::simulate(5, play).expect("the reference passes").trace
    };
    let all = trace(Judged::ByHistories);
    assert_eq!(all, trace(Judged::ByRules));
    assert_eq!(all, trace(Judged::ByTests));
}

#[test]
fn who_judges_less_hears_less() {
    // By rules it is an append that stands twice in what was read.
    let play = || {
        let run = Run::judged_less(Judged::ByTests);
        kv_tests::test("unreliable_one_key_3A", Subject::of::<Server, Twice>()).play(&run)
    };
    let words = labrt::simulate(1, play).expect_err("it happens twice").to_string();
    assert!(words.contains("is in the result twice"), "{words}");
}

#[test]
fn a_traced_run_is_the_same_run() {
    let trace = |keep| {
        let play = move || {
            let run = Run::new(keep, Default::default());
            kv_tests::test("snapshot_rpc_3B", Subject::of::<Server, Right>()).play(&run)
        };
        labrt::simulate(5, play).expect("the reference passes").trace
    };
    assert_eq!(trace(tester::Keep::All), trace(tester::Keep::Nothing));
}
