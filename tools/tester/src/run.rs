//! One run of a test: what its body may use, and what it leaves behind.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use labrt::observe;
use labrt::sync::Leaf;
use labtrace::{Fact, Keep, Session};
use run_record::coverage::Coverage;
use run_record::setting::{Counts, Setting, Trouble};
use run_record::situations::Situations;

use crate::observer::{Obstacles, Watcher};
use crate::report::Lines;
use crate::test::Totals;

/// One run of a test. Clones are the same run.
///
/// It is made outside of the world, so that it is there when the world has failed.
#[derive(Clone)]
pub struct Run {
    inner: Arc<Inner>,
}

struct Inner {
    session: Session,
    setting: Setting,
    /// Somebody wants to know what is seen in it.
    covers: bool,
    judged: Judged,
    lines: Arc<Lines>,
    state: Leaf<State>,
}

#[derive(Default)]
struct State {
    troubles: Counts,
    servers: u32,
    watchers: Vec<Arc<dyn Watcher>>,
    /// The lanes of clients, by name.
    clients: BTreeMap<String, u32>,
    papers: Vec<Paper>,
    /// The sums of the steps that are done.
    steps: Vec<Totals>,
    /// When each round began, for each loop that is under way. The one that was begun last comes last.
    loops: BTreeMap<u64, Vec<u64>>,
    /// How many loops were begun.
    loops_begun: u64,
}

/// How much of a service is judged in a run. What is above Raft alone: Raft is always judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Judged {
    /// Only what the tests look at by themselves.
    ByTests,
    /// That, and the rules that are checked at every event.
    ByRules,
    /// All that, and the histories of its clients.
    #[default]
    ByHistories,
}

/// What is left behind beside the trace of a failed run.
#[derive(Clone)]
pub(crate) struct Paper {
    /// What it is, in a word that is part of its file's name.
    pub(crate) name: &'static str,
    /// What its file's name ends in.
    pub(crate) extension: &'static str,
    pub(crate) text: String,
}

impl Run {
    /// A run outside of a test, of which so much is kept: what it says is only in its trace.
    pub fn new(keep: Keep, setting: Setting) -> Run {
        Run::with_lines(keep, setting, false, Arc::new(Lines::silent()))
    }

    /// A run outside of a test, of which nothing is kept.
    pub fn silent() -> Run {
        Run::new(Keep::Nothing, Setting::default())
    }

    pub(crate) fn with_lines(keep: Keep, setting: Setting, covers: bool, lines: Arc<Lines>) -> Run {
        Run::made(keep, setting, covers, lines, Judged::default())
    }

    /// A silent run of which somebody wants the [coverage](Run::coverage).
    pub fn covered() -> Run {
        Run::with_lines(Keep::Nothing, Setting::default(), true, Arc::new(Lines::silent()))
    }

    /// A silent run in which less is judged than in a test: for those who measure what judging costs.
    pub fn judged_less(judged: Judged) -> Run {
        let lines = Arc::new(Lines::silent());
        Run::made(Keep::Nothing, Setting::default(), false, lines, judged)
    }

    fn made(keep: Keep, setting: Setting, covers: bool, lines: Arc<Lines>, judged: Judged) -> Run {
        let (session, state) = (Session::new(keep, Vec::new()), Leaf::default());
        Run { inner: Arc::new(Inner { session, setting, covers, judged, lines, state }) }
    }

    /// How much of a service is judged in it.
    pub fn judged(&self) -> Judged {
        self.inner.judged
    }

    /// Makes this the run of the caller's world: what is recorded there goes into its session.
    ///
    /// # Panics
    /// If the world has one already.
    pub fn enter(&self) {
        self.inner.session.enter();
    }

    /// What the run is recorded into.
    pub fn session(&self) -> &Session {
        &self.inner.session
    }

    /// What is taken away from the test.
    pub fn setting(&self) -> Setting {
        self.inner.setting
    }

    /// True if somebody wants to know in detail what is seen in it, and will ask for its
    /// [coverage](Run::coverage).
    pub fn wants_coverage(&self) -> bool {
        self.inner.covers
    }

    /// Tells the user of something that is odd but no failure.
    pub fn warn(&self, text: &str) {
        labtrace::note("warning", text);
        self.inner.lines.line(&format!("warning: {text}"));
    }

    /// Gives something that says more about a failure. It is written beside the trace of the run, if that
    /// is written, and the report says where.
    ///
    /// `name` is what it is, in a word; its file's name ends in `extension`.
    pub fn leave(&self, name: &'static str, extension: &'static str, text: String) {
        self.inner.state.with(|state| state.papers.push(Paper { name, extension, text }));
    }

    /// A step of the test is done, and was like this; the next one follows.
    pub fn ends_step(&self, totals: Totals) {
        self.inner.state.with(|state| state.steps.push(totals));
    }

    /// How the steps were that are done.
    pub fn steps(&self) -> Vec<Totals> {
        self.inner.state.with(|state| state.steps.clone())
    }

    pub(crate) fn papers(&self) -> Vec<Paper> {
        self.inner.state.with(|state| state.papers.clone())
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.inner.lines
    }

    /// True if there may be one more trouble of this kind, which is counted then.
    pub fn may(&self, trouble: Trouble) -> bool {
        let limit = self.limit(trouble);
        self.inner.state.with(|state| {
            let count = state.troubles.get(trouble);
            let may = count < limit;
            state.troubles.set(trouble, count + u64::from(may));
            may
        })
    }

    /// How many troubles of a kind there may be at most.
    pub(crate) fn limit(&self, trouble: Trouble) -> u64 {
        self.inner.setting.limit(trouble).unwrap_or(u64::MAX)
    }

    /// The rounds of a test that does the same `most` times: all of them, unless the setting asks for
    /// fewer.
    pub fn rounds(&self, most: usize) -> impl Iterator<Item = usize> + use<> {
        let number = self.inner.state.with(|state| {
            state.loops_begun += 1;
            state.loops_begun
        });
        Rounds { run: self.clone(), number, left: 0..most }
    }

    /// In which round a test is that has come to its end too late, and which one before took the longest.
    pub(crate) fn late_rounds(&self, us: u64) -> Option<Fact> {
        let loops = self.inner.state.with(|state| state.loops.clone());
        loops.into_values().rev().find_map(|rounds| in_round(&rounds, us))
    }

    /// Counts a trouble that has happened.
    pub(crate) fn count(&self, trouble: Trouble) {
        self.inner.state.with(|state| {
            state.troubles.set(trouble, state.troubles.get(trouble) + 1);
        });
    }

    /// How many troubles of each kind there were.
    pub fn troubles(&self) -> Counts {
        self.inner.state.with(|state| state.troubles)
    }

    /// Which situations servers came into, and how often.
    pub fn situations(&self) -> Situations {
        let watchers = self.inner.state.with(|state| state.watchers.clone());
        let mut sums = Situations::new();
        for (situation, count) in watchers.iter().flat_map(|watcher| watcher.situations()) {
            *sums.entry(situation).or_default() += count;
        }
        sums
    }

    /// What stands in the way of those who wait, of all groups.
    pub(crate) fn obstacles(&self, us: u64) -> Obstacles {
        let watchers = self.inner.state.with(|state| state.watchers.clone());
        let mut all = Obstacles::default();
        for Obstacles { clients, servers, hint } in watchers.iter().map(|of| of.obstacles(us)) {
            all.clients.extend(clients);
            all.servers.extend(servers);
            all.hint = all.hint.or(hint);
        }
        all
    }

    /// What was seen in all groups, if somebody wants to know.
    pub fn coverage(&self) -> Coverage {
        let mut all = Coverage::default();
        if !self.wants_coverage() {
            return all;
        }
        let watchers = self.inner.state.with(|state| state.watchers.clone());
        watchers.iter().for_each(|watcher| all.add(&watcher.coverage()));
        all
    }

    /// Which rules could not be judged, and why, in a sentence for each reason.
    pub fn not_judged(&self) -> Vec<String> {
        let watchers = self.inner.state.with(|state| state.watchers.clone());
        watchers.iter().flat_map(|watcher| watcher.not_judged()).collect()
    }

    pub(crate) fn add_watcher(&self, watcher: Arc<dyn Watcher>) {
        self.inner.state.with(|state| state.watchers.push(watcher));
    }

    /// Adds the lane of a server of this name.
    ///
    /// # Panics
    /// If there is a lane of somebody else already: in a trace the servers come first.
    pub(crate) fn add_server(&self, name: String) -> u32 {
        let lane = self.session().add_lane(name);
        self.inner.state.with(|state| {
            assert_eq!(lane, state.servers, "all groups are made before anybody else is");
            state.servers += 1;
        });
        lane
    }

    /// The lane of a client of this name, which is a new one at first.
    pub(crate) fn lane_of_client(&self, name: &str) -> u32 {
        let session = self.session();
        let known = self.inner.state.with(|state| state.clients.get(name).copied());
        known.unwrap_or_else(|| {
            let lane = session.add_lane(name);
            self.inner.state.with(|state| state.clients.insert(name.to_string(), lane));
            lane
        })
    }

    /// How many of the lanes are servers.
    pub(crate) fn servers(&self) -> u32 {
        self.inner.state.with(|state| state.servers)
    }
}

/// The rounds of a loop, which is under way until there are no more, or it is left.
struct Rounds {
    run: Run,
    /// Which loop of the run it is.
    number: u64,
    left: Range<usize>,
}

impl Rounds {
    fn ends(&mut self) {
        self.left = 0..0;
        self.run.inner.state.with(|state| state.loops.remove(&self.number));
    }
}

impl Iterator for Rounds {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let round = self.left.next().filter(|_| self.run.may(Trouble::Rounds));
        let us = labtrace::now_us();
        match round {
            Some(_) => self.run.inner.state.with(|state| {
                state.loops.entry(self.number).or_default().push(us);
            }),
            None => self.ends(),
        }
        round
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        // A run that has come to its end in a round is asked in which.
        if !observe::is_ending() && !observe::is_unwinding() {
            self.ends();
        }
    }
}

/// What is said of rounds of a loop that began at these moments.
fn in_round(rounds: &[u64], us: u64) -> Option<Fact> {
    let last = *rounds.last()?;
    let took = rounds.windows(2).map(|two| two[1] - two[0]);
    let (which, took) = (1..).zip(took).max_by_key(|(_, took)| *took)?;
    let seconds = |us: u64| us as f64 / 1e6;
    let text = format!(
        "the test was in round {}, for {:.1} s; of those before, round {which} was the slowest: {:.1} s",
        rounds.len(),
        seconds(us.saturating_sub(last)),
        seconds(took)
    );
    Some(Fact { text, us: Some(last), server: None })
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("setting", &self.setting()).finish_non_exhaustive()
    }
}
