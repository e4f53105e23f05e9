//! Which odd Raft runs.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use labrt::world;

use crate::dress::{DRESSES, Dress, Row};
use crate::habits::Habits;

/// The environment variable that names the odd Raft that runs.
pub const VARIABLE: &str = "ODD_RAFT";

/// A shape of concurrency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    #[default]
    ThreadPerCall,
    Replicators,
    EventLoop,
}

const SHAPES: &[(&str, Shape)] = &[
    ("thread_per_call", Shape::ThreadPerCall),
    ("replicators", Shape::Replicators),
    ("event_loop", Shape::EventLoop),
];

/// The forms that tikv's Raft has here.
const TIKV: &[&str] = &["tikv", "tikv_pre_vote", "tikv_figure_2", "tikv_figure_2_pre_vote"];

/// Parts that do not go together, with the reason.
const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    ("replies_echo_term", "pre_vote", STRANDED),
    ("replies_echo_term", "leader_stickiness", STRANDED),
    (
        "leadership_transfer",
        "leader_stickiness",
        "who hears a leader does not vote for the one that it has asked to stand",
    ),
    ("success_with_term_0", "one_way", "a reply without a call says by its term what it is about"),
    ("chunked_snapshots", "go_style", "its InstallSnapshot cannot say which part it brings"),
    ("overlapping", "one_entry", "one sends all again, the other one at a time"),
    ("overlapping", "pipelined", "one sends all again, the other what was not sent yet"),
    (
        "heartbeats_without_prev",
        "no_commit_without_entries",
        "what has neither `prev` nor entries has nothing else than a commit index",
    ),
];

const STRANDED: &str =
    "a server in a later term could neither be heard nor say which term it is in";

/// Tests that a Raft with these parts cannot pass, with the reason.
const EXEMPT: &[(&[&str], &str, &str)] = &[
    (&["no_commit_without_entries"], "rpc_byte_count_2B", "the last entry is sent twice"),
    (&["eager", "one_way"], "rpc_counts_2B", MANY_RPCS),
    (&["one_entry", "one_way"], "rpc_counts_2B", MANY_RPCS),
    (&["eager", "duplicates"], "rpc_counts_2B", MANY_RPCS),
    (&["one_entry", "duplicates"], "rpc_counts_2B", MANY_RPCS),
];

const MANY_RPCS: &str = "twelve commands may take 42 RPCs; these are 48";

/// An odd Raft: a shape of concurrency, habits and a dress; or tikv's.
#[derive(Clone, Debug)]
pub struct Odd {
    /// The names of what is odd.
    parts: Vec<&'static str>,
    shape: Shape,
    habits: Habits,
    /// Its row in the table of dresses.
    dress: usize,
}

impl Odd {
    /// Every name: each stands for a Raft that is odd in one way.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let dresses = DRESSES.iter().map(|row| row.name);
        let shapes = SHAPES.iter().map(|(name, _)| *name);
        let habits = Habits::NAMES.iter().copied();
        shapes.chain(habits).chain(dresses).chain(TIKV.iter().copied())
    }

    /// The odd Raft that the servers of the caller's world are: the one that was given to
    /// [`choose`], or else the one that [`VARIABLE`] names.
    pub(crate) fn chosen() -> Odd {
        let given = world::inherited::<Slot>().and_then(|slot| slot.0.get().cloned());
        given.unwrap_or_else(|| {
            let name = labrt::env::var(VARIABLE).unwrap_or_default();
            name.parse().unwrap_or_else(|words| panic!("{VARIABLE}={name}: {words}"))
        })
    }

    /// Why the Raft cannot pass a test of the suite, though it is right; `None` if it has to.
    pub fn exempt_from(&self, test: &str) -> Option<&'static str> {
        if self.tikv().is_some() && (test.ends_with("2D") || test.ends_with("_soak")) {
            return Some("tikv's Raft is used without snapshots here");
        }
        let has_all = |parts: &[&str]| parts.iter().all(|part| self.has(part));
        let row = EXEMPT.iter().find(|(parts, of, _)| *of == test && has_all(parts));
        row.map(|(_, _, reason)| *reason)
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn habits(&self) -> Habits {
        self.habits
    }

    pub(crate) fn dress(&self) -> &'static dyn Dress {
        self.row().dress
    }

    fn row(&self) -> &'static Row {
        &DRESSES[self.dress]
    }

    /// Which form of tikv's Raft it is, if it is that.
    pub(crate) fn tikv(&self) -> Option<&'static str> {
        self.parts.iter().copied().find(|part| TIKV.contains(part))
    }

    /// True if this part was named, or came along with another one.
    fn has(&self, part: &str) -> bool {
        let shape = SHAPES.iter().any(|(name, shape)| *name == part && *shape == self.shape);
        shape || self.row().name == part || self.habits.names().any(|habit| habit == part)
    }

    fn add(&mut self, name: &str) -> Result<(), String> {
        let Some(part) = Odd::names().find(|known| *known == name) else {
            let known: Vec<_> = Odd::names().collect();
            return Err(format!(
                "nothing odd is called `{name}`. There are {}; several are joined by `+`",
                known.join(", ")
            ));
        };
        if let Some((_, shape)) = SHAPES.iter().find(|(shape, _)| *shape == part) {
            self.once(SHAPES.iter().map(|(shape, _)| *shape), "shape", part)?;
            self.shape = *shape;
        } else if let Some(dress) = DRESSES.iter().position(|row| row.name == part) {
            self.once(DRESSES.iter().map(|row| row.name), "dress", part)?;
            self.dress = dress;
        } else {
            self.habits.add(part);
        }
        self.parts.push(part);
        Ok(())
    }

    /// There is one shape, and one dress.
    fn once(
        &self,
        mut kind: impl Iterator<Item = &'static str>,
        what: &str,
        part: &str,
    ) -> Result<(), String> {
        match kind.find(|one| self.parts.contains(one)) {
            Some(other) => Err(format!("`{other}` and `{part}` are both a {what}: choose one")),
            None => Ok(()),
        }
    }

    /// Adds what parts cannot do without.
    fn complete(&mut self) -> Result<(), String> {
        if self.habits.replies_after_restart {
            self.need_dress("replies_after_restart", "one_way", |row| row.name == "one_way")?;
        }
        if self.habits.partial_acceptance {
            self.need_dress("partial_acceptance", "match_index", |row| row.says_how_far)?;
        }
        self.habits.pre_vote |= self.habits.pre_vote_reply_next_term;
        if let Some(habit) = self.row().habit {
            self.habits.add(habit);
        }
        Ok(())
    }

    fn need_dress(
        &mut self,
        habit: &str,
        usual: &str,
        fits: impl Fn(&Row) -> bool,
    ) -> Result<(), String> {
        let named = DRESSES.iter().any(|row| self.parts.contains(&row.name));
        if !named {
            self.dress = DRESSES.iter().position(|row| row.name == usual).expect("it is there");
        }
        match fits(self.row()) {
            true => Ok(()),
            false => Err(format!(
                "`{habit}` needs replies that `{}` does not have; `{usual}` has them",
                self.row().name
            )),
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(tikv) = self.tikv().filter(|_| self.parts.len() > 1) {
            return Err(format!("`{tikv}` is a whole Raft: nothing goes with it"));
        }
        match CONTRADICTIONS.iter().find(|(one, other, _)| self.has(one) && self.has(other)) {
            Some((one, other, reason)) => {
                Err(format!("`{one}` and `{other}` do not go together: {reason}"))
            }
            None => Ok(()),
        }
    }
}

/// Reads names that are joined by `+`, such as `event_loop+pipelined+short_names`. No name at all is
/// the plain Raft.
impl FromStr for Odd {
    type Err = String;

    fn from_str(text: &str) -> Result<Odd, String> {
        let (shape, habits) = (Shape::default(), Habits::default());
        let mut odd = Odd { parts: Vec::new(), shape, habits, dress: 0 };
        for name in text.split('+').filter(|name| !name.is_empty()) {
            odd.add(name)?;
        }
        odd.complete()?;
        odd.check()?;
        Ok(odd)
    }
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parts[..] {
            [] => f.write_str(DRESSES[0].name),
            parts => f.write_str(&parts.join("+")),
        }
    }
}

/// What was chosen for a world. Std's cell makes no step of a run: so a run is the same whether the
/// choice was made here or by the environment.
#[derive(Default)]
struct Slot(OnceLock<Odd>);

/// Chooses the odd Raft that the servers of the caller's world will be, whatever the environment
/// says. So one process can run all of them.
///
/// # Panics
/// Outside a world, and if one was chosen already.
pub fn choose(odd: Odd) {
    let slot =
        world::inherited::<Slot>().expect("an odd Raft is chosen for a world, from within it");
    assert!(slot.0.set(odd).is_ok(), "an odd Raft was chosen for this world already");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        name.parse::<Odd>().expect_err("it makes no sense")
    }

    #[test]
    fn every_name_stands_for_a_raft_and_is_its_name() {
        for name in Odd::names() {
            let odd: Odd = name.parse().expect("a known name");
            assert_eq!(odd.to_string(), name);
        }
        assert_eq!("".parse::<Odd>().expect("the plain one").to_string(), "plain");
    }

    #[test]
    fn names_can_be_joined() {
        let odd: Odd = "event_loop+eager+ok".parse().expect("they go together");
        assert_eq!(odd.to_string(), "event_loop+eager+ok");
        assert!(odd.shape() == Shape::EventLoop && odd.habits().eager);
    }

    #[test]
    fn parts_bring_what_they_cannot_do_without() {
        let odd = |name: &str| name.parse::<Odd>().expect("a known name");
        assert_eq!(odd("partial_acceptance").row().name, "match_index");
        assert_eq!(odd("replies_after_restart").row().name, "one_way");
        assert!(odd("is_pre_vote_field").habits().pre_vote);
        assert!(odd("single_entry").habits().one_entry);
        assert!(odd("pre_vote_reply_next_term").habits().pre_vote);
    }

    #[test]
    fn a_wrong_name_lists_the_right_ones() {
        let words = refusal("eagre");
        assert!(words.contains("nothing odd is called `eagre`"), "{words}");
        assert!(Odd::names().all(|name| words.contains(name)), "{words}");
    }

    #[test]
    fn what_does_not_go_together_is_refused_with_the_reason() {
        assert!(refusal("ok+vote").contains("both a dress"));
        assert!(refusal("event_loop+replicators").contains("both a shape"));
        assert!(refusal("partial_acceptance+ok").contains("`match_index` has them"));
        assert!(refusal("tikv+eager").contains("nothing goes with it"));
        assert!(refusal("prevote_field+replies_echo_term").contains("could neither be heard"));
    }

    #[test]
    fn a_choice_is_no_step_of_a_run() {
        let trace = |choice: Option<Odd>| {
            let world = labrt::simulate(1, move || {
                choice.into_iter().for_each(choose);
                Odd::chosen().to_string()
            });
            let outcome = world.expect("nothing can fail");
            (outcome.value, outcome.trace.expect("it is simulated").hash)
        };
        assert_eq!(trace(Some("".parse().expect("the plain one"))), trace(None));
    }

    #[test]
    fn what_came_along_counts_for_exemptions() {
        let odd: Odd = "single_entry+duplicates".parse().expect("they go together");
        assert_eq!(odd.exempt_from("rpc_counts_2B"), Some(MANY_RPCS));
        assert_eq!(odd.exempt_from("rpc_byte_count_2B"), None);
    }

    #[test]
    fn exemptions_name_real_parts() {
        let known: Vec<_> = Odd::names().collect();
        let contradictions = CONTRADICTIONS.iter().flat_map(|(one, other, _)| [*one, *other]);
        let exempt = EXEMPT.iter().flat_map(|(parts, _, _)| parts.iter().copied());
        for name in contradictions.chain(exempt) {
            assert!(known.contains(&name), "{name}");
        }
    }
}
