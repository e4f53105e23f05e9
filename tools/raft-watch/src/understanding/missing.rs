//! What is not understood of a Raft's messages, and which rules cannot be judged for that.

use std::collections::BTreeMap;

/// A part of what rules go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Requests for votes.
    Votes,
    /// Whether a vote is given.
    VoteReplies,
    /// AppendEntries: term and `prevLogIndex`.
    Appends,
    /// The entries in them, with their terms.
    Entries,
    /// The commands in the entries.
    Commands,
    /// `leaderCommit`.
    Commit,
    /// Whether AppendEntries are accepted.
    AppendReplies,
    /// The terms of replies to RequestVote and AppendEntries.
    ReplyTerms,
    /// That there are no calls but these.
    Others,
    /// That no call but those known tells a server to stand for election.
    NotTold,
    /// That nothing but AppendEntries tells what is committed.
    Hearsay,
    /// What is saved.
    Saved,
    /// A request for a vote that another candidate could have sent.
    OtherCandidate,
    /// Second servers that can be made and asked.
    SecondServer,
}

/// What all that a leader does and its followers answer takes.
const REPLICATION: &[Part] = &[Part::Appends, Part::Entries, Part::AppendReplies, Part::Others];

/// A rule, or some that belong together, with what they need.
#[derive(Debug)]
pub(crate) struct Rule {
    name: &'static str,
    parts: &'static [Part],
    also: &'static [Part],
}

impl Rule {
    const fn new(name: &'static str, parts: &'static [Part]) -> Rule {
        Rule { name, parts, also: &[] }
    }

    fn needs(&self, part: Part) -> bool {
        self.parts.contains(&part) || self.also.contains(&part)
    }
}

pub(crate) static TERM: Rule = Rule::new("term", &[Part::Votes, Part::Appends, Part::ReplyTerms]);
pub(crate) static TERM_KEPT: Rule =
    Rule::new("persistence: term", &[Part::Votes, Part::Appends, Part::ReplyTerms]);
/// Each half is judged as far as replies of its kind are understood.
static STALE: Rule = Rule::new("stale request", &[Part::VoteReplies, Part::AppendReplies]);
pub(crate) static NEWER: Rule =
    Rule::new("a newer term is taken over", &[Part::Votes, Part::Appends, Part::ReplyTerms]);
pub(crate) static COUNTED: Rule = Rule::new(
    "saved before counted",
    &[Part::Saved, Part::Votes, Part::Appends, Part::AppendReplies],
);
pub(crate) static ELECTED: Rule =
    Rule::new("elected by a majority", &[Part::Votes, Part::VoteReplies, Part::Others]);
pub(crate) static ONE_VOTE: Rule = Rule::new("one vote a term", &[Part::Votes, Part::VoteReplies]);
pub(crate) static RESTRICTION: Rule = Rule {
    name: "election restriction",
    parts: REPLICATION,
    also: &[Part::Votes, Part::VoteReplies],
};
pub(crate) static STANDS: Rule =
    Rule::new("a follower stands for election", &[Part::Votes, Part::VoteReplies, Part::Others]);
pub(crate) static ELECTION_SAFETY: Rule = Rule::new("Election Safety", &[Part::Appends]);
pub(crate) static LOG_MATCHING: Rule =
    Rule::new("Log Matching", &[Part::Appends, Part::Entries, Part::Commands]);
pub(crate) static LEADERS_LOG: Rule = Rule::new("a leader's log", &[Part::Appends, Part::Entries]);
pub(crate) static COMPLETE: Rule =
    Rule { name: "Leader Completeness", parts: REPLICATION, also: &[Part::Commit] };
pub(crate) static SNAPSHOTS: Rule = Rule::new("snapshots of what is committed", REPLICATION);
pub(crate) static RESENT: Rule = Rule::new("snapshots sent again", &[Part::Appends, Part::Others]);
pub(crate) static BASES: Rule = Rule::new("snapshots that are saved", &[Part::Saved]);
pub(crate) static COMMITTED: Rule =
    Rule { name: "committed by a majority", parts: REPLICATION, also: &[Part::Commit] };
pub(crate) static TOLD: Rule =
    Rule { name: "committed when told", parts: REPLICATION, also: &[Part::Commit, Part::Hearsay] };
pub(crate) static APPLIED: Rule = Rule::new("applied when committed", REPLICATION);
pub(crate) static ACCEPTED: Rule = Rule::new("accepted entries stay", REPLICATION);
pub(crate) static CHECKED: Rule = Rule::new("accepted after a look", REPLICATION);
pub(crate) static FOLLOWS: Rule =
    Rule { name: "a candidate follows", parts: REPLICATION, also: &[Part::Votes] };
pub(crate) static WAITS: Rule =
    Rule { name: "a follower waits", parts: REPLICATION, also: &[Part::Votes, Part::NotTold] };
pub(crate) static SAVED: Rule = Rule::new("saved before answered", &[Part::Saved]);
pub(crate) static VOTES_SURVIVE: Rule = Rule {
    name: "promises survive a crash (votes)",
    parts: &[Part::Votes, Part::VoteReplies],
    also: &[Part::OtherCandidate, Part::SecondServer],
};
pub(crate) static ENTRIES_SURVIVE: Rule = Rule::new(
    "promises survive a crash (entries)",
    &[Part::Appends, Part::AppendReplies, Part::SecondServer],
);
pub(crate) static TERMS_SURVIVE: Rule =
    Rule::new("promises survive a crash (terms)", &[Part::SecondServer, Part::ReplyTerms]);
pub(crate) static HEARTBEATS: Rule = Rule::new("heartbeats", &[Part::Appends, Part::Entries]);
pub(crate) static REFUSED: Rule =
    Rule::new("refused entries", &[Part::Appends, Part::Entries, Part::AppendReplies]);

static ALL: &[&Rule] = &[
    &TERM,
    &TERM_KEPT,
    &STALE,
    &NEWER,
    &COUNTED,
    &ELECTION_SAFETY,
    &VOTES_SURVIVE,
    &ENTRIES_SURVIVE,
    &TERMS_SURVIVE,
    &ELECTED,
    &ONE_VOTE,
    &STANDS,
    &WAITS,
    &RESTRICTION,
    &LOG_MATCHING,
    &LEADERS_LOG,
    &ACCEPTED,
    &CHECKED,
    &FOLLOWS,
    &COMPLETE,
    &SNAPSHOTS,
    &COMMITTED,
    &TOLD,
    &APPLIED,
    &SAVED,
    &BASES,
    &HEARTBEATS,
    &REFUSED,
    &RESENT,
];

/// The parts that are missing, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Missing(BTreeMap<Part, String>);

impl Missing {
    /// A part is missing. The first reason counts.
    pub(crate) fn note(&mut self, part: Part, why: String) {
        self.0.entry(part).or_insert(why);
    }

    pub(crate) fn lacks(&self, part: Part) -> bool {
        self.0.contains_key(&part)
    }

    /// True if a rule can be judged.
    pub(crate) fn allows(&self, rule: &Rule) -> bool {
        self.0.is_empty() || !self.0.keys().any(|part| rule.needs(*part))
    }

    /// How many parts are missing.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Which rules are not judged and why, in a sentence for each reason.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let sentence = |(part, why): (&Part, &String)| {
            let rules = ALL.iter().filter(|rule| rule.needs(*part)).map(|rule| rule.name);
            let rules = rules.collect::<Vec<_>>().join(", ");
            format!("not judged: {rules}, because {why}")
        };
        self.0.iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Verdicts that are judged together with others, and under which name; none if they need nothing.
    const UNDER_ANOTHER_NAME: &[(&str, Option<&str>)] = &[
        ("old entries are not committed by counting", Some("committed by a majority")),
        ("applied when told", Some("committed when told")),
        ("promises survive a crash", Some("promises survive a crash (votes)")),
        ("a snapshot's last entry", Some("snapshots of what is committed")),
        ("snapshots do not go back", Some("snapshots that are saved")),
        ("state and snapshot belong together", Some("snapshots that are saved")),
        ("a snapshot is saved", Some("snapshots that are saved")),
        ("a saved log", Some("saved before answered")),
        ("RPC while holding a lock", None),
    ];

    /// The names of the verdicts in a folder's files, but for those of their tests.
    fn verdicts(folder: &Path, names: &mut Vec<String>) {
        for file in fs::read_dir(folder).expect("the sources are there") {
            let path = file.expect("it can be read").path();
            if path.is_dir() {
                verdicts(&path, names);
            } else if !path.ends_with("tests.rs") && !path.ends_with("missing.rs") {
                let text = fs::read_to_string(&path).expect("it is text");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
                for call in code.split("verdict(").skip(1) {
                    let quoted = call.trim_start().strip_prefix('"');
                    names.extend(quoted.and_then(|rest| rest.split('"').next()).map(str::to_owned));
                }
            }
        }
    }

    #[test]
    fn each_rule_is_said_not_to_be_judged_if_it_is_not() {
        let is_rule = |name: &str| ALL.iter().any(|rule| rule.name == name);
        let mut names = Vec::new();
        verdicts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
        assert!(names.len() > 30, "{names:?}");
        for name in names {
            let known = UNDER_ANOTHER_NAME.iter().find(|(other, _)| *other == name);
            assert!(is_rule(&name) || known.is_some(), "nothing says when {name} is not judged");
        }
        for name in UNDER_ANOTHER_NAME.iter().filter_map(|(_, name)| *name) {
            assert!(is_rule(name), "{name}");
        }
    }
}
